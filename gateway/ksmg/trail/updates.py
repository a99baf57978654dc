"""What freshclam tells the log files, as system events: what was downloaded, from which source, and what failed."""

import re
from datetime import datetime
from pathlib import Path
from typing import Any

from ksmg.stores.system_events import Name, SystemEvent

CONFIGURATION = Path("/etc/clamav/freshclam.conf")
MARK = b" freshclam"
"""In every line of its; the others in the same file are not looked at more closely."""
_LINE = re.compile(r"(\S+) \S+ freshclam(?:\[\d+\])?: (?:\^|!|\*)?(.*)")
_UPDATED = re.compile(r"(\S+) updated \(version: (\d+), sigs: (\d+).*")
_FAILED = re.compile(r"(?:ERROR|!)?:? ?(Update failed for database: \S+|Can't download .*|.*download.* failed.*)", re.I)
_SOURCE = re.compile(r"^\s*(?:PrivateMirror|DatabaseMirror)\s+(\S+)", re.MULTILINE)
_DAY = 86_400


class Updates:
    """Reads freshclam's lines; remembers the last failure, so that one that lasts is told once a day."""

    def __init__(self, document: dict[str, Any] | None = None, configuration: Path = CONFIGURATION) -> None:
        self._failed = float((document or {}).get("failed", 0.0))
        self._configuration = configuration

    def document(self) -> dict[str, Any]:
        """What another run goes on with."""
        return {"failed": self._failed}

    def read(self, line: str) -> SystemEvent | None:
        """The event that a line tells of, if any."""
        parts = _LINE.fullmatch(line)
        if not parts:
            return None
        when, text = datetime.fromisoformat(parts[1]).timestamp(), parts[2]
        if found := _UPDATED.fullmatch(text):
            self._failed = 0.0
            detail = {"database": found[1], "version": int(found[2]), "signatures": int(found[3])}
            return SystemEvent(Name.UPDATE_DONE, {**detail, "sources": self.sources()}, "clamav", when)
        found = _FAILED.fullmatch(text)
        if not found or when - self._failed < _DAY:
            return None
        self._failed = when
        return SystemEvent(Name.UPDATE_FAILED, {"cause": found[1], "sources": self.sources()}, "clamav", when)

    def sources(self) -> list[str]:
        """The sources that freshclam is told to use: names or addresses. It does not log which address it reached."""
        try:
            return _SOURCE.findall(self._configuration.read_text())
        except OSError:
            return []
