"""Removed attachments: a text stands in place of each and names it."""

import itertools
from collections.abc import Iterable, Iterator, Sequence

from ksmg.changes.rewriting import Splice, leaf
from ksmg.changes.source import Field, Source
from ksmg.mail.readable import readable
from ksmg.mail.structure import Part
from ksmg.rules.treatment import Action, Decision

REMOVED = "An attachment was removed from this message."
_LONGEST_NAME = 200
_MOST_MARKS = 10


def removed_parts(source: Source, decision: Decision) -> list[Part]:
    """The parts that go: those that were found, or the nearest part around one that can be cut out."""
    wanted = {_removable(source, source.parts[n]).number for n in decision.removed_parts if n < len(source.parts)}
    return [
        source.parts[number]
        for number in sorted(wanted)
        if wanted.isdisjoint(above.number for above in source.ancestors(source.parts[number]))
    ]


def _removable(source: Source, part: Part) -> Part:
    return next((one for one in (part, *source.ancestors(part)) if source.located(one)), source.parts[0])


def removal_splices(source: Source, parts: Iterable[Part], decision: Decision) -> Iterator[Splice]:
    """The text parts that stand where the removed ones were. Not for the message as a whole."""
    for part in parts:
        fields, body = leaf("plain", removal_text(source, part, decision) + "\r\n", source.delimiters(part))
        kept = _kept_fields(source, part)
        header = b"".join(field.raw for field in [*kept, *fields])
        yield Splice(part.start, part.end, header + b"\r\n" + body.removesuffix(b"\r\n"))


def _kept_fields(source: Source, part: Part) -> Sequence[Field]:
    """Of a message within the message everything but what describes its content: it is the attachment itself."""
    if not source.parts[part.parent].content_type.startswith("message/"):
        return []
    fields = source.fields(part.start, part.body)
    versioned = any(field.name.lower() == b"mime-version" for field in fields)
    kept = [field for field in fields if not field.name.lower().startswith(b"content-")]
    return kept if versioned else [*kept, Field(b"MIME-Version", b" 1.0")]


def removal_text(source: Source, part: Part, decision: Decision) -> str:
    """What the recipient reads: name, type, size, and why."""
    inside = _inside(source, part)
    names = [name for one in inside for name in one.names[:1]]
    lines = [REMOVED, "", f"Name: {', '.join(map(_short, names[:10])) or 'without a name'}"]
    types = dict.fromkeys(name for name in (part.true_type, part.content_type) if name)
    lines.append(f"Type: {' declared as '.join(map(_short, types))}")
    lines.append(f"Size: {part.size} bytes")
    lines += [f"Reason: {reason}" for reason in _reasons(inside, decision)]
    return "\r\n".join(lines)


def removal_marks(parts: Sequence[Part]) -> list[str]:
    """What events show; of many attachments the first ones."""
    marks = [f"attachment removed: {_short(part.name) or part.content_type}" for part in parts[:_MOST_MARKS]]
    left = len(parts) - len(marks)
    return [*marks, f"{left} further attachments removed"] if left else marks


def _inside(source: Source, part: Part) -> list[Part]:
    later = source.parts[part.number + 1 :]
    return [part, *itertools.takewhile(lambda one: one.depth > part.depth, later)]


def _reasons(inside: Sequence[Part], decision: Decision) -> Iterator[str]:
    numbers = {part.number for part in inside}
    asked = (cause.finding for cause in decision.causes if cause.treatment.action is Action.DELETE_ATTACHMENT)
    found = [finding for finding in asked if numbers.intersection(finding.parts)]
    yield from dict.fromkeys(": ".join(filter(None, (one.status.value, _short(one.detail)))) for one in found)


def _short(text: str) -> str:
    return readable(text)[:_LONGEST_NAME]
