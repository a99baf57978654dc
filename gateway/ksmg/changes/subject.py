"""Tags before the subject, whatever the sender did to that field."""

from collections.abc import Iterable, Iterator, Sequence

from ksmg.changes.edits import HeaderEdit, Kind
from ksmg.changes.fields import HARD_LIMIT, LONGEST_VALUE, SOFT_LIMIT, encoded_words, fold
from ksmg.mail.readable import decoded_header, readable

SUBJECT = b"Subject"


def subject_edits(fields: Sequence[tuple[bytes, bytes]], tags: Iterable[str]) -> Iterator[HeaderEdit]:
    """The edits that put tags before every Subject field: clients differ in which of several they show.

    `fields` are name and value of each. One that has a tag already is not given it again.
    """
    wanted = tuple(dict.fromkeys(clean for tag in tags if (clean := readable(tag)[:LONGEST_VALUE])))
    if wanted and not fields:
        yield HeaderEdit(Kind.ADD, SUBJECT, 1, _tagged(b"", wanted, len(SUBJECT)))
    for index, (name, value) in enumerate(fields, 1):
        if missing := _missing(decoded_header(value), wanted):
            yield HeaderEdit(Kind.CHANGE, name, index, _tagged(value, missing, len(name)))


def _missing(subject: str, wanted: Sequence[str]) -> list[str]:
    """The tags that the subject does not begin with, in any order."""
    missing = list(wanted)
    while found := next((tag for tag in missing if subject.startswith(tag)), None):
        missing.remove(found)
        subject = subject[len(found) :].lstrip()
    return missing


def _tagged(value: bytes, tags: Sequence[str], name_length: int) -> bytes:
    rest = value.replace(b"\r", b"").replace(b"\0", b"").strip(b" \t\n")
    text = " ".join(tags)
    if text.isascii():
        tag = text.encode("ascii")
    else:  # between two encoded words no space is shown: it has to be within one
        tag = b"\n ".join(encoded_words(text + (" " if rest.startswith(b"=?") else "")))
    if not rest:
        return b" " + tag
    used = name_length + 2 + len(tag.rpartition(b"\n")[2])
    gap = b" " if used + 1 + len(rest.partition(b"\n")[0]) <= SOFT_LIMIT else b"\n "
    return b" " + tag + gap + _within_limits(rest)


def _within_limits(value: bytes) -> bytes:
    if all(len(line) < HARD_LIMIT for line in value.split(b"\n")):
        return value
    return b"\n".join(fold(line, 1) for line in value.split(b"\n"))
