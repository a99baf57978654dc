"""Mail that is on its way as holders: the mail server's queue, and messages that are being judged."""

import contextlib
import fcntl
import io
import json
import os
import subprocess
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from ksmg.stores.durable import overwrite
from ksmg.subject.finding import Erasure, Finding, Kind, Outcome
from ksmg.subject.matcher import Matcher
from ksmg.subject.message_search import search_message

_TIMEOUT = 120
"""Seconds that a command of the mail server may take."""
_LISTS = ("active", "bounce", "corrupt", "defer", "deferred", "flush", "hold", "incoming", "trace")
"""The queue's directories that have files named after a message."""
Run = Callable[[Sequence[str]], bytes]
"""What a command prints."""


def run_command(command: Sequence[str]) -> bytes:
    """What a command prints. Raises OSError when it fails."""
    done = subprocess.run(command, capture_output=True, timeout=_TIMEOUT, check=False)
    if done.returncode:
        said = done.stderr.decode("utf-8", "replace").strip()
        raise OSError(f"{command[0]} failed ({done.returncode}): {said}")
    return done.stdout


class QueueHolder:
    """The mail server's queue."""

    def __init__(self, row: str, place: Path, run: Run = run_command) -> None:
        self.row = row
        self.place = str(place)
        self._spool = place
        self._run = run

    def find(self, matcher: Matcher) -> Iterator[Finding]:
        """The messages of the person, and those that mention it."""
        for entry in map(json.loads, self._run(["postqueue", "-j"]).splitlines()):
            recipients = [one["address"] for one in entry["recipients"]]
            party = any(map(matcher.names, (entry["sender"], *recipients)))
            content = self._content(entry["queue_id"])
            presence = search_message(content, matcher)
            if party or presence:
                kind = Kind.QUEUED if party or presence.party else Kind.MENTION
                yield self._finding(entry, recipients, content, kind)

    def erase(self, run: Erasure) -> Outcome:
        """Deletes the person's messages when messages in delivery are to go; else they stay and are counted."""
        outcome = Outcome(self.row, self.place)
        for finding in self.find(run.matcher):
            wanted = run.scope.queue and (finding.kind is Kind.QUEUED or run.scope.mentions)
            if wanted and self._delete(finding.id):
                outcome.erased += 1
            else:
                outcome.kept += 1
        if outcome.kept:
            outcome.grounds.append("messages in delivery are kept until they are delivered or returned")
        return outcome

    def _finding(self, entry: Mapping[str, Any], recipients: list[str], content: bytes, kind: Kind) -> Finding:
        text = f"from <{entry['sender']}> to {', '.join(recipients)}, {entry['queue_name']}"
        arrived, name = float(entry["arrival_time"]), entry["queue_id"]
        opened = contextlib.nullcontext(io.BytesIO(content))
        return Finding(self.row, self.place, kind, text, arrived, name, entry, lambda: opened)

    def _content(self, queue_id: str) -> bytes:
        try:
            return self._run(["postcat", "-bhq", queue_id])
        except OSError:
            if any(file.exists() for file in self._files(queue_id)):
                raise
            return b""  # delivered meanwhile

    def _delete(self, queue_id: str) -> bool:
        """False when it is being delivered at this moment, or was."""
        self._run(["postsuper", "-h", queue_id])
        files = list(self._files(queue_id))
        if not files or not all(map(_overwrite_unless_in_use, files)):
            return False
        self._run(["postsuper", "-d", queue_id])
        return True

    def _files(self, queue_id: str) -> Iterator[Path]:
        for name in _LISTS:
            yield from (self._spool / name).rglob(queue_id)


class TemporaryHolder:
    """Messages that are being judged."""

    def __init__(self, row: str, place: Path) -> None:
        self.row = row
        self.place = str(place)
        self._directory = place

    def find(self, matcher: Matcher) -> Iterator[Finding]:
        """The files that name the person."""
        for file in sorted(self._directory.rglob("*")):
            with contextlib.suppress(FileNotFoundError):  # its verdict was given
                if file.is_file() and not file.is_symlink() and search_message(file.read_bytes(), matcher):
                    text = f"a message that is being judged, {file.name}"
                    yield Finding(self.row, self.place, Kind.QUEUED, text, file.stat().st_mtime, file.name)

    def erase(self, run: Erasure) -> Outcome:
        """Keeps and counts them: each is gone with its verdict."""
        kept = sum(1 for _ in self.find(run.matcher))
        ground = "messages that are being judged: each is gone with its verdict"
        return Outcome(self.row, self.place, kept=kept, grounds=[ground] if kept else [])


def _overwrite_unless_in_use(file: Path) -> bool:
    """Overwrites a file of the queue that no delivery agent has locked."""
    descriptor = os.open(file, os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        overwrite(descriptor, 0, os.fstat(descriptor).st_size)
        os.fdatasync(descriptor)
    except BlockingIOError:
        return False
    finally:
        os.close(descriptor)
    return True
