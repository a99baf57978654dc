"""Anti-virus: is there malware in the message, or something that nobody could look into?"""

from collections.abc import Awaitable, Callable, Iterator
from datetime import UTC, datetime
from typing import Any, TypeVar

from ksmg.checks.blame import infected_parts
from ksmg.checks.verdict import Check, Finding, Status, Verdict, named
from ksmg.engines.clamd import Scan
from ksmg.engines.failure import EngineFailure, Reason
from ksmg.engines.shared import Engines
from ksmg.mail.message import Message
from ksmg.mail.structure import Member, Part, Structure

T = TypeVar("T")


class Antivirus(Check):
    """Has clamd scan the message, and the inspection say what clamd could not look into."""

    name = "antivirus"
    description = "looks for malware with ClamAV, and for encrypted files and macros"
    statuses = (Status.INFECTED, Status.ENCRYPTED, Status.MACRO)
    order = 10

    def __init__(self, engines: Engines) -> None:
        super().__init__(engines)
        self._version = ""

    async def check(self, message: Message, options: Any) -> Verdict:
        """Infected, encrypted, with macros, or clean.

        clamd answers OK for files that it does not look at as a whole, such as a member of a broken archive that can
        still be unpacked: where the inspection had a problem, a message is not clean.
        """
        scanning = self._engines.scan(message)
        structure = await _outcome(message.structure())
        scan = await _outcome(scanning)
        seen = structure if isinstance(structure, Structure) else Structure(())
        malware = scan.malware if isinstance(scan, Scan) and not scan.heuristic_phishing else None
        if malware is not None:
            parts = await infected_parts(self._engines.clamd, message, seen)
            return self._verdict(Finding(Status.INFECTED, malware, parts), *_hidden(seen))
        failures = [outcome for outcome in (scan, structure) if isinstance(outcome, EngineFailure)]
        for failure in failures:
            if failure.reason.engine_down:
                raise failure
        return self._verdict(*_unscanned(failures, seen), *_hidden(seen), reason=_reason(failures, seen))

    def _verdict(self, *findings: Finding, reason: Reason | None = None) -> Verdict:
        return Verdict(self.name, findings, reason, engine=self._version)

    async def probe(self) -> str:
        """The engine's and its signatures' version."""
        version = await self._engines.clamd.version()
        self.outdated = version.outdated(datetime.now(UTC))
        self._version = f"ClamAV {version}"
        return str(version)


async def _outcome(answer: Awaitable[T]) -> T | EngineFailure:
    """What an engine answers, or why it did not."""
    try:
        return await answer
    except EngineFailure as failure:
        return failure


def _reason(failures: list[EngineFailure], structure: Structure) -> Reason | None:
    if failures:
        return failures[0].reason
    return Reason.LIMIT if structure.problems else None


def _unscanned(failures: list[EngineFailure], structure: Structure) -> Iterator[Finding]:
    causes = [*map(str, failures), *(f"{problem.value}: {detail}" for problem, detail in structure.problems)]
    if causes:
        yield Finding(Status.UNSCANNED, named(causes))


def _hidden(structure: Structure) -> Iterator[Finding]:
    """What is encrypted, and what has macros."""
    if any(part.encrypted or part.macro or part.members for part in structure.parts):
        yield from _about(Status.ENCRYPTED, structure, lambda file: file.encrypted)
        yield from _about(Status.MACRO, structure, lambda file: file.macro)


def _about(status: Status, structure: Structure, concerned: Callable[[Part | Member], bool]) -> Iterator[Finding]:
    found = [(part, names) for part in structure.parts if (names := list(_names(part, concerned)))]
    if found:
        shown = named([name for _, names in found for name in names])
        yield Finding(status, shown, tuple(part.number for part, _ in found))


def _names(part: Part, concerned: Callable[[Part | Member], bool]) -> Iterator[str]:
    inner = [f"{part.name}/{member.path}" for member in part.members if concerned(member)]
    if inner:
        yield from inner
    elif concerned(part):
        yield part.name or part.true_type
