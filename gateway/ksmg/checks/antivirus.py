"""Anti-virus: is there malware in the message?"""

from datetime import UTC, datetime
from typing import Any

from ksmg.checks.verdict import Check, Status, Verdict, found
from ksmg.engines.clamd import Clamd
from ksmg.engines.failure import EngineFailure, Reason
from ksmg.mail.message import Message


class Antivirus(Check):
    """Has clamd scan the message."""

    name = "antivirus"
    description = "looks for malware with ClamAV"
    statuses = (Status.INFECTED,)

    def __init__(self, clamd: Clamd, size_limit: int) -> None:
        self._clamd = clamd
        self._size_limit = size_limit

    async def check(self, message: Message, options: Any) -> Verdict:
        """Infected or clean.

        A message over the size limit is not given to clamd, which would look at its beginning only.
        """
        if message.spooled.size > self._size_limit:
            raise EngineFailure(Reason.LIMIT, f"the message is larger than {self._size_limit} bytes")
        scan = await self._clamd.scan(message.spooled.path)
        if scan.malware is None:
            return Verdict(self.name)
        return found(self.name, Status.INFECTED, scan.malware)

    async def probe(self) -> str:
        """The engine's and its signatures' version."""
        version = await self._clamd.version()
        self.outdated = version.outdated(datetime.now(UTC))
        return str(version)
