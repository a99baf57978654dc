"""The engines as the settings say. Each looks at a message once, however many checks want to know what it found."""

from pathlib import Path

from ksmg.engines.clamd import SOCKET as CLAMD_SOCKET
from ksmg.engines.clamd import Clamd, Scan
from ksmg.engines.failure import EngineFailure, Reason
from ksmg.engines.once import Once
from ksmg.engines.rspamd import SOCKET as RSPAMD_SOCKET
from ksmg.engines.rspamd import Assessment, Rspamd
from ksmg.mail.message import Message
from ksmg.settings import Settings


class Engines:
    """clamd and rspamd. A message over an engine's size limit is not given to it: it would look at the start only."""

    def __init__(self, settings: Settings, clamd: Path = CLAMD_SOCKET, rspamd: Path = RSPAMD_SOCKET) -> None:
        self.settings = settings
        self.clamd = Clamd(clamd, settings.number("antivirus.timeout"), settings.number("antivirus.concurrency"))
        self.rspamd = Rspamd(rspamd, settings.number("antispam.timeout"), settings.number("antispam.concurrency"))
        self._clamd_limit = settings.number("antivirus.size_limit")
        self._unpacked = settings.number("antivirus.unpacked_limit")
        self._rspamd_limit = settings.number("antispam.size_limit")
        self.scan = Once(self._scan)
        """What clamd found in a message. Raises EngineFailure."""
        self.assess = Once(self._assess)
        """rspamd's assessment of a message. Raises EngineFailure."""

    async def _scan(self, message: Message) -> Scan:
        content = _content(message, self._clamd_limit)
        self._check_room(message)
        scan = await self.clamd.scan(content)
        if scan.malware is None:
            self._check_room(message)
        return scan

    def _check_room(self, message: Message) -> None:
        """clamd unpacks next to the spool. Without room there it answers that all is well (seen with 1.4.6).

        Raises EngineFailure.
        """
        try:
            free = message.spooled.room()
        except OSError as error:
            raise EngineFailure(Reason.ERROR, f"the spool is gone: {error.strerror or error}") from None
        if free < self._unpacked:
            raise EngineFailure(Reason.ERROR, f"clamd has no room to unpack: {free} bytes of {self._unpacked} are free")

    async def _assess(self, message: Message) -> Assessment:
        content = _content(message, self._rspamd_limit)
        return await self.rspamd.check(message.envelope, content, message.spooled.size)


def _content(message: Message, limit: int) -> bytes | Path:
    """The message, or the file of one that is not in memory."""
    spooled = message.spooled
    if spooled.size > limit:
        raise EngineFailure(Reason.LIMIT, f"the message is larger than {limit} bytes")
    return spooled.content() if spooled.in_memory else file_of(message)


def file_of(message: Message) -> Path:
    """The message's file. Raises EngineFailure when it cannot be written."""
    try:
        return message.spooled.path
    except OSError as error:
        text = f"the message could not be spooled: {error.strerror or error}"
        raise EngineFailure(Reason.ERROR, text) from None
