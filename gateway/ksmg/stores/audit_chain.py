"""The chain of the system event log: each record carries a digest over its content and the digest before it.

The digest is SHA-256 of the canonical JSON (keys sorted, no spaces, ASCII, as RFC 8785 has it) of number, time, name,
account, origin, detail as it is stored, and the previous record's digest. Numbers have no gaps. What was evicted leaves
an anchor, the last number and digest that went; `end` is the newest record as the log itself remembers it; checkpoints
are numbers and digests that root signed and keeps where the gateway's account cannot write.

What it proves: whoever alters, removes, inserts or reorders records has to compute every later digest anew, and then
they no longer fit to the checkpoints, to the lines in the log files and to a remote log's copy of those. What it does
not prove: that a record was true when it was written; that the gateway's account, once taken over, did not alter what
it wrote since the newest checkpoint, or evict the oldest before their time; and nothing against root, who can sign
anything, but for what a remote log or an auditor has already got.
"""

import enum
import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

NOTHING = "0" * 64
"""The digest before the first record."""


@dataclass(frozen=True)
class Link:
    """A record's place in the chain: its number, and its digest in hexadecimal."""

    number: int
    digest: str


START = Link(0, NOTHING)


@dataclass(frozen=True)
class Record:
    """A record as it is stored; `detail` is JSON's text."""

    number: int
    time: float
    name: str
    account: str
    origin: str
    detail: str

    def link(self, previous: str) -> Link:
        """Its place behind the record with the digest `previous`."""
        fields = {**vars(self), "previous": previous}
        canonical = json.dumps(fields, sort_keys=True, separators=(",", ":"), default=repr)
        return Link(self.number, hashlib.sha256(canonical.encode("ascii")).hexdigest())


class Damage(enum.Enum):
    """What can be wrong with a chain."""

    ALTERED = "altered"
    """A record's content, or its digest, is not what was written."""
    MISSING = "missing"
    """Records were removed."""
    INSERTED = "inserted"
    """Records are where the log had evicted all."""
    REWRITTEN = "rewritten"
    """Records fit to each other, but not to what was signed: all of them were computed anew."""


@dataclass(frozen=True)
class Finding:
    """Something wrong with the records from `first` to `last`."""

    damage: Damage
    first: int
    last: int
    sentence: str

    @property
    def records(self) -> str:
        """Which records, in words."""
        return f"record {self.first}" if self.first == self.last else f"records {self.first} to {self.last}"


@dataclass(frozen=True)
class Witnesses:
    """What the records are compared with. `end` is None when the log forgot its own; checkpoints in any order."""

    anchor: Link
    end: Link | None
    checkpoints: tuple[Link, ...] = ()


def examine(records: Iterable[tuple[Record, str]], witnesses: Witnesses) -> Iterator[Finding]:
    """Everything that is wrong with the records, given in the order of their numbers, each with its stored digest."""
    seen: dict[int, str] = {witnesses.anchor.number: witnesses.anchor.digest}
    signed = {checkpoint.number for checkpoint in witnesses.checkpoints}
    last = witnesses.anchor
    for record, digest in records:
        if record.number in signed:
            seen[record.number] = digest
        if record.number <= last.number:
            yield Finding(Damage.INSERTED, record.number, record.number, "It has a number that was evicted.")
            continue
        if record.number > last.number + 1:
            yield _gap(last.number + 1, record.number - 1, "Their numbers are not there.")
        elif record.link(last.digest).digest != digest:
            yield _altered(record.number)
        last = Link(record.number, digest)
    yield from _at_the_end(last, witnesses)
    yield from _against_signed(last, seen, witnesses)


def _gap(first: int, last: int, sentence: str) -> Finding:
    return Finding(Damage.MISSING, first, last, sentence)


def _altered(number: int) -> Finding:
    sentence = f"Its digest does not fit to its content and to record {number - 1}."
    return Finding(Damage.ALTERED, number, number, sentence)


def _at_the_end(last: Link, witnesses: Witnesses) -> Iterator[Finding]:
    end = witnesses.end
    if end is None:
        if last.number:
            yield Finding(Damage.ALTERED, last.number, last.number, "The log's note of its newest record is gone.")
    elif end.number > last.number:
        yield _gap(last.number + 1, end.number, "The log noted that it wrote them.")
    elif end != last:
        sentence = "It is not the newest record that the log noted."
        yield Finding(Damage.ALTERED, min(last.number, end.number + 1), last.number, sentence)


def _against_signed(last: Link, seen: Mapping[int, str], witnesses: Witnesses) -> Iterator[Finding]:
    """A checkpoint of what was evicted since says nothing any more, unless there is none that is newer."""
    checkpoints = sorted(witnesses.checkpoints, key=lambda link: link.number)
    good = witnesses.anchor.number
    for checkpoint in checkpoints:
        if checkpoint.number < witnesses.anchor.number:
            if checkpoint is checkpoints[-1]:
                yield _gap(checkpoint.number, witnesses.anchor.number, "No record is left since the newest checkpoint.")
        elif checkpoint.number > last.number:
            yield _gap(last.number + 1, checkpoint.number, "A checkpoint was signed when they were there.")
            return
        elif seen.get(checkpoint.number, checkpoint.digest) != checkpoint.digest:
            sentence = (
                f"They are not those that were there when the checkpoint at record {checkpoint.number} was signed."
            )
            yield Finding(Damage.REWRITTEN, min(good + 1, checkpoint.number), checkpoint.number, sentence)
            good = checkpoint.number
        else:
            good = checkpoint.number
