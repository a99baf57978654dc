"""From a decision to the changes that it makes in a message."""

import os
import uuid
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from ksmg.changes.edits import Changes, HeaderEdit, Kind, UnchangeableMessage
from ksmg.changes.headers import forged_fields, header_edits
from ksmg.changes.insertion import Insertion
from ksmg.changes.removal import removal_marks, removal_splices, removal_text, removed_parts
from ksmg.changes.rewriting import leaf, spliced
from ksmg.changes.source import Field, Source
from ksmg.changes.texts import Texts, make_texts
from ksmg.checks.verdict import Status, Verdict
from ksmg.mail.message import Message
from ksmg.mail.spool import SpooledMessage
from ksmg.mail.structure import Part, Problem, Structure
from ksmg.rules.treatment import Action, Decision, Inserted

_UNSURE = frozenset({Problem.AMBIGUOUS, Problem.HEADER, Problem.PARTS, Problem.DEPTH, Problem.TIME})
"""Problems after which it is not sure that clients see the parts where the inspection saw them."""
_INTACT = ("multipart/report", "text/calendar")
"""Messages for programs: a disclaimer would make them unreadable. A warning of a finding goes in all the same."""


def needed(message: Message, decision: Decision) -> bool:
    """Whether anything changes in a message that is delivered after this decision. Cheap."""
    unscanned = any(cause.finding.status is Status.UNSCANNED for cause in decision.causes)
    return not decision.unchanged or unscanned or bool(forged_fields(message.spooled))


def changes_body(decision: Decision) -> bool:
    """Whether the body may change, so that `plan` reads and writes files."""
    return decision.action is Action.DELETE_ATTACHMENT or any(_inserts(decision))


def plan(
    message: Message,
    structure: Structure | None,
    decision: Decision,
    directory: Path,
    verdicts: Iterable[Verdict] = (),
) -> Changes:
    """The changes. A new body is a file in `directory`, which the caller discards in the end.

    `verdicts` add the engines' evidence and the reasons why a message is unscanned to the header fields. Raises
    UnchangeableMessage, and OSError when the new body cannot be written.
    """
    headers = header_edits(message.spooled, decision, {verdict.check: verdict for verdict in verdicts})
    marks = ["tagged"] if any(cause.treatment.tag for cause in decision.causes) else []
    if not changes_body(decision):
        return Changes(headers, None, tuple(marks))
    with Source(message.spooled, structure) as source:
        rewriting = _Rewriting(source, message.spooled, decision, _unsure(structure))
        pieces = rewriting.pieces()
        body = _write(directory, pieces) if pieces is not None else None
    return Changes((*headers, *rewriting.headers), body, (*marks, *rewriting.marks))


def _inserts(decision: Decision) -> Iterator[Inserted]:
    yield from (cause.treatment.insert for cause in decision.causes if cause.treatment.insert)
    yield from decision.inserts


def _unsure(structure: Structure | None) -> bool:
    return structure is None or any(problem in _UNSURE for problem, _ in structure.problems)


class _Rewriting:
    """The new body of one message, and the header fields that go with it."""

    def __init__(self, source: Source, spooled: SpooledMessage, decision: Decision, unsure: bool) -> None:
        self._source = source
        self._spooled = spooled
        self._decision = decision
        self._unsure = unsure
        self._removed = self._removed_parts()
        self.headers: list[HeaderEdit] = []
        self.marks: list[str] = removal_marks(self._removed)

    def pieces(self) -> Iterator[bytes] | None:
        """The new body; None when the old one stays."""
        texts = self._texts()
        if not texts and not self._removed:
            return None
        self.marks += [f"text at {side}" for side, text in (("top", texts.top), ("bottom", texts.bottom)) if text]
        if self._removed and self._removed[0].number == 0:
            return iter([self._instead_of_message(texts)])
        insertion = Insertion(self._source, texts, frozenset(part.number for part in self._removed))
        if texts and self._unsure:
            insertion.wrap_message()
        elif texts:
            insertion.make()
        if insertion.root_fields is not None:
            self._set_content_fields(insertion.root_fields, all_of_them=insertion.wrapped)
        removals = removal_splices(self._source, self._removed, self._decision)
        return spliced(self._source, self._source.body, [*insertion.splices, *removals])

    def _removed_parts(self) -> Sequence[Part]:
        """What goes. Where clients may see other parts than we do, the whole content goes."""
        if self._decision.action is not Action.DELETE_ATTACHMENT:
            return []
        if not self._source.parts:
            raise UnchangeableMessage("an attachment has to be removed from a message that was not looked into")
        return self._source.parts[:1] if self._unsure else removed_parts(self._source, self._decision)

    def _texts(self) -> Texts:
        intact = self._source.parts and self._source.parts[0].content_type in _INTACT and not self._removed
        own = () if intact else self._decision.inserts
        if intact and self._decision.inserts:
            self.marks.append(f"no text inserted: {self._source.parts[0].content_type}")
        return make_texts([*(c.treatment.insert for c in self._decision.causes if c.treatment.insert), *own])

    def _instead_of_message(self, texts: Texts) -> bytes:
        """The message is the attachment: its whole body becomes the text."""
        text = removal_text(self._source, self._source.parts[0], self._decision)
        whole = "\n\n".join(filter(None, (texts.top, text.replace("\r\n", "\n"), texts.bottom)))
        fields, body = leaf("plain", whole.replace("\n", "\r\n") + "\r\n", ())
        self._set_content_fields(fields, all_of_them=True)
        return body

    def _set_content_fields(self, fields: Sequence[Field], all_of_them: bool) -> None:
        """The message's own Content-* fields become these; `all_of_them`: those that are not among them go."""
        counts = self._spooled.header_counts
        new = {field.name.lower(): field for field in fields}
        for name in [name for name in counts if name.startswith(b"content-") and counts[name]]:
            if name not in new and not (all_of_them or name == b"content-md5"):
                continue
            lowest = 1 if name in new else 0
            self.headers += [HeaderEdit(Kind.REMOVE, name, index) for index in range(counts[name], lowest, -1)]
        for name, field in new.items():
            kind = Kind.CHANGE if counts[name] else Kind.ADD
            self.headers.append(HeaderEdit(kind, field.name, 1, field.value.replace(b"\r\n", b"\n")))
        if not counts[b"mime-version"]:
            self.headers.append(HeaderEdit(Kind.ADD, b"MIME-Version", 1, b" 1.0"))


def _write(directory: Path, pieces: Iterator[bytes]) -> Path:
    path = directory / f"{uuid.uuid4().hex}.body"
    try:
        with open(path, "xb", opener=_private) as file:
            file.writelines(pieces)
    except BaseException:
        path.unlink(missing_ok=True)
        raise
    return path


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)
