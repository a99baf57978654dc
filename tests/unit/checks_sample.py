"""A message and engines for the tests of checks: what clamd, rspamd and the inspection say is given."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from ksmg.engines.clamd import Scan
from ksmg.engines.failure import EngineFailure
from ksmg.engines.rspamd import Action, Assessment, Link, Symbol
from ksmg.engines.shared import Engines
from ksmg.mail.envelope import Client, Envelope
from ksmg.mail.facts import Neighbourhood
from ksmg.mail.message import Message
from ksmg.mail.spool import SpooledMessage
from ksmg.mail.structure import Member, Part, Structure
from ksmg.settings import Settings

NOWHERE = Path("/nonexistent")
OUTSIDE, INSIDE = "192.0.2.1", "10.0.0.1"
EMPTY = Structure(())
CLEAN = Scan(None)
NOTHING = Assessment(Action.NO_ACTION, 0.0, 15.0)
T = TypeVar("T")


class _Unwritten(SpooledMessage):
    """A message whose file is never made."""

    free = 10**12

    @property
    def path(self) -> Path:
        return NOWHERE / "none"

    def room(self) -> int:
        return self.free


@dataclass
class Sample:
    """What a test says of a message, and how often each engine was asked."""

    scan: Scan | EngineFailure = CLEAN
    assessment: Assessment | EngineFailure = NOTHING
    structure: Structure | EngineFailure = EMPTY
    client: str = OUTSIDE
    headers: tuple[bytes, ...] = ()
    file: Path = NOWHERE / "none"
    asked: list[str] = field(default_factory=list)

    def message(self) -> Message:
        """The message, as the pipeline gives it to checks. Its content is left out."""
        envelope = Envelope(Client(self.client), b"a@example.com", (), [b"b@example.org"])
        spooled = _Unwritten(str(NOWHERE))
        spooled.size = 1000
        for name in self.headers:
            spooled.header_counts[name] += 1
        neighbourhood = Neighbourhood(["10.0.0.0/8"], ["example.org"])
        return Message(envelope, spooled, neighbourhood.facts(envelope), self._inspect)

    def engines(self) -> Engines:
        """Engines that say it."""
        engines = Engines(Settings({}), NOWHERE, NOWHERE)
        engines.clamd.scan = self._scan  # type: ignore[method-assign]
        engines.rspamd.check = self._check  # type: ignore[method-assign]
        return engines

    async def _scan(self, content: bytes | Path) -> Scan:
        return self._answer("clamd", self.scan)

    async def _check(self, envelope: Envelope, content: bytes | Path, size: int) -> Assessment:
        return self._answer("rspamd", self.assessment)

    async def _inspect(self, _: SpooledMessage) -> Structure:
        return self._answer("inspection", self.structure)

    def _answer(self, who: str, answer: T | EngineFailure) -> T:
        self.asked.append(who)
        if isinstance(answer, EngineFailure):
            raise answer
        return answer


def assessment(
    *symbols: str | Symbol, action: Action = Action.NO_ACTION, score: float = 0.0, **more: Any
) -> Assessment:
    """An assessment with some symbols."""
    made = tuple(Symbol(symbol) if isinstance(symbol, str) else symbol for symbol in symbols)
    return Assessment(action, score, 15.0, made, **more)


def part(number: int, *names: str, true_type: str = "application/octet-stream", **more: Any) -> Part:
    """An attachment."""
    facts = {"disposition": "attachment", "start": number * 100, "body": number * 100 + 50, "end": number * 100 + 90}
    facts |= {"parent": 0, "depth": 1, "content_type": "application/octet-stream", "charset": "", "encoding": ""}
    return Part(number=number, true_type=true_type, names=names, **{"size": 40, **facts, **more})


def structure(*parts: Part, problems: tuple[Any, ...] = ()) -> Structure:
    """What is in a message."""
    return Structure(parts, problems)


def member(path: str, true_type: str = "application/octet-stream", **more: Any) -> Member:
    """A file in an archive."""
    return Member(path, 10, true_type, **more)


def link(url: str, domain: str, shown: str = "") -> Link:
    """A link; one that shows something else is misleading."""
    return Link(url, domain, shown, bool(shown))
