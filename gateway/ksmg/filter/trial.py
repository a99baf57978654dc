"""What would be done with a message: it is judged with the real modules, and nothing is done with it."""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from ksmg.checks.catalogue import make_checks
from ksmg.filter.assembly import make_judgement
from ksmg.filter.budget import Budget
from ksmg.filter.case import Case
from ksmg.filter.engine_watch import EngineWatch
from ksmg.mail.envelope import Envelope
from ksmg.mail.spool import Spool, SpooledMessage
from ksmg.rules.rule_set import RuleSet
from ksmg.settings import Settings

_CHUNK = 65_536
_LONGEST_HEADER = 16_777_216
_FIELD = re.compile(rb"([!-9;-~]+)[ \t]*:(.*)", re.DOTALL)


@dataclass(frozen=True)
class _Fixed:
    """The rules of a trial."""

    current: RuleSet


async def try_message(
    settings: Settings, rules: RuleSet, envelope: Envelope, content: BinaryIO, directory: Path
) -> Case:
    """Judges a message under a rule set. `directory` is where it is spooled meanwhile. Raises OSError."""
    checks = make_checks(settings)
    watch = EngineWatch(checks, lambda _: None)
    await watch.probe()  # so that the verdicts name the engines' versions
    judgement = make_judgement(settings, _Fixed(rules), checks, watch, Budget(1))
    with Spool(directory).new_message() as spooled:
        spool_content(spooled, content)
        if spooled.failure:
            raise spooled.failure
        return await judgement.judge(envelope, spooled)


def spool_content(spooled: SpooledMessage, content: BinaryIO) -> None:
    """Spools a message from a file, as the mail server would pass it on: lines ended by CRLF, fields one by one."""
    lines = _lines(content)
    for name, value in _fields(lines):
        spooled.add_header(name, value)
    for line in lines:
        spooled.add_body(line + b"\r\n")
    spooled.finish()


def _lines(content: BinaryIO) -> Iterator[bytes]:
    for line in content:
        yield line.removesuffix(b"\n").removesuffix(b"\r")


def _fields(lines: Iterable[bytes]) -> Iterator[tuple[bytes, bytes]]:
    """Name and value of each header field, up to the empty line."""
    field: list[bytes] = []
    for line in lines:
        if field and line[:1] in (b" ", b"\t"):
            field.append(line)
            continue
        yield from _field(field)
        if not line:
            return
        field = [line]
    yield from _field(field)


def _field(lines: list[bytes]) -> Iterator[tuple[bytes, bytes]]:
    match = _FIELD.match(b"\n".join(lines))
    if match:
        yield match[1], match[2]
