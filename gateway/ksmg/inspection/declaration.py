"""What the header section of a part says of it: type, charset, encoding, disposition, names, boundary.

Source: RFC 2045 5 and 6, RFC 2046, RFC 2183. Fields that stand there twice are read both ways.
"""

import functools
from collections.abc import Iterator
from dataclasses import dataclass

from ksmg.inspection import decoding
from ksmg.inspection.boundaries import boundary_candidates
from ksmg.inspection.names import file_names
from ksmg.inspection.parameters import LONGEST_VALUE, Reading, read_value
from ksmg.inspection.types import UNKNOWN
from ksmg.mail.readable import readable
from ksmg.mail.structure import Problem

TEXT, FORWARD = "text/plain", "message/rfc822"
_REPORTS = frozenset({"message/delivery-status", "message/global-delivery-status", "message/partial"})
"""Messages by name only: fields of their own, or a piece of something."""
_MOST_REPETITIONS = 5
"""Repetitions of one field that are read; more are a problem."""
_MOST_BOUNDARIES = 10
_CACHED_BYTES = 400
"""Declarations up to this size are remembered: most parts of all mail have the same few."""

Problems = tuple[tuple[Problem, str], ...]


@dataclass(frozen=True, slots=True)
class Declaration:
    """A part's description of itself."""

    content_type: str
    """Empty when it has no Content-Type."""
    charset: str
    encoding: str
    known_encoding: bool
    disposition: str
    names: tuple[str, ...]
    boundaries: tuple[bytes, ...]
    problems: Problems


def declare(
    types: tuple[bytes, ...], dispositions: tuple[bytes, ...], encodings: tuple[bytes, ...], most_names: int
) -> Declaration:
    """The declaration that raw field values make."""
    if sum(map(len, (*types, *dispositions, *encodings))) <= _CACHED_BYTES:
        return _remembered(types, dispositions, encodings, most_names)
    return _declare(types, dispositions, encodings, most_names)


def is_multipart(content_type: str) -> bool:
    """Whether it has parts between delimiters. Clients treat unknown kinds like `mixed` (RFC 2046 5.1.7)."""
    return content_type.startswith("multipart/")


def is_message(content_type: str) -> bool:
    """Whether clients look for a message in it; many do whatever its subtype is."""
    return content_type.startswith("message/") and content_type not in _REPORTS


def _declare(
    types: tuple[bytes, ...], dispositions: tuple[bytes, ...], encodings: tuple[bytes, ...], most_names: int
) -> Declaration:
    type_readings, disposition_readings = _readings(types), _readings(dispositions)
    kinds = dict.fromkeys(_media_type(reading.word) for reading in type_readings)
    found = dict.fromkeys(map(decoding.encoding_of, encodings[:_MOST_REPETITIONS]))
    encoding, known = next(iter(found), ("", True))
    names = file_names((*disposition_readings, *type_readings), most_names)
    content_type = _leading(kinds)
    boundaries = boundary_candidates(type_readings) if is_multipart(content_type) else ()
    problems = (
        *_beyond_limits((*types, *dispositions, *encodings), (types, dispositions, encodings)),
        *_contradictions(kinds, {name for name, _ in found}, len(names) > most_names),
    )
    return Declaration(
        content_type=content_type,
        charset=_charset(type_readings),
        encoding=encoding,
        known_encoding=known,
        disposition=_disposition(disposition_readings),
        names=names[:most_names],
        boundaries=boundaries[:_MOST_BOUNDARIES],
        problems=problems,
    )


_remembered = functools.lru_cache(maxsize=256)(_declare)


def _readings(values: tuple[bytes, ...]) -> tuple[Reading, ...]:
    return tuple(reading for value in values[:_MOST_REPETITIONS] for reading in read_value(value[:LONGEST_VALUE]))


def _beyond_limits(values: tuple[bytes, ...], fields: tuple[tuple[bytes, ...], ...]) -> Iterator[tuple[Problem, str]]:
    if any(len(value) > LONGEST_VALUE for value in values):
        yield Problem.HEADER, "a field that names a file or a type is beyond the limits"
    if any(len(field) > _MOST_REPETITIONS for field in fields):
        yield Problem.HEADER, "a field that names a file or a type stands there too often"
    if any(b"\0" in value for value in values):
        yield Problem.AMBIGUOUS, "a NUL in a field that names a file or a type"


def _contradictions(kinds: dict[str, None], encodings: set[str], names: bool) -> Iterator[tuple[Problem, str]]:
    if len(kinds) > 1 and any(is_multipart(kind) or is_message(kind) for kind in kinds):
        yield Problem.AMBIGUOUS, "more than one Content-Type, at least one of them of a container"
    if len(encodings) > 1:
        yield Problem.AMBIGUOUS, "more than one Content-Transfer-Encoding"
    if "message/partial" in kinds:
        yield Problem.AMBIGUOUS, "a fragment of a message, which some clients put together"
    if names:
        yield Problem.AMBIGUOUS, "a part with more file names than anybody could mean"


def _leading(kinds: dict[str, None]) -> str:
    """Of several types the one that shows most: a container, then what is offered as a file, then text."""
    containers = [kind for kind in kinds if is_multipart(kind) or is_message(kind)]
    files = [kind for kind in kinds if not kind.startswith("text/")]
    return next(iter((*containers, *files, *kinds)), "")


def _media_type(word: bytes) -> str:
    """The type that a field names; one without a subtype is text for some clients and a file for others."""
    kind = word.decode("ascii", "replace")
    main, slash, sub = kind.partition("/")
    if main and slash and sub:
        return kind
    if main in ("multipart", "message"):
        return f"{main}/unknown"
    return TEXT if main in ("", "text") else UNKNOWN


def _charset(types: tuple[Reading, ...]) -> str:
    for reading in types:
        value = reading.get("charset") or reading.get("charset*").rpartition(b"'")[2]
        if value:
            return readable(value[:80]).lower()
    return ""


def _disposition(dispositions: tuple[Reading, ...]) -> str:
    """An unknown word is an attachment (RFC 2183 2.8)."""
    words = [reading.word for reading in dispositions]
    if not words:
        return ""
    return "inline" if all(word in (b"inline", b"") for word in words) else "attachment"
