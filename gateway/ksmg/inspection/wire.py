"""What filter and service say to each other: one JSON document each way, after its length in four bytes.

The filter's request has the message's open file beside it (SCM_RIGHTS): the service needs no access to the spool.
"""

import dataclasses
import json
import struct
from typing import Any

from ksmg.inspection.limits import Limits
from ksmg.mail.structure import Member, Part, Problem, Structure

LENGTH = struct.Struct("!I")
LONGEST_REQUEST = 4_096
LONGEST_ANSWER = 8_000_000
"""Bytes of an answer. Ten thousand members with paths of some hundred characters are 3 MB."""

_PART_FIELDS = tuple(field.name for field in dataclasses.fields(Part))
_MEMBER_FIELDS = tuple(field.name for field in dataclasses.fields(Member))


class WireError(Exception):
    """The peer sent something else than it should."""


def request_bytes(limits: Limits) -> bytes:
    """A request for an inspection with these limits."""
    return _framed(dataclasses.asdict(limits))


def read_request(raw: bytes) -> Limits:
    """The limits out of a request without its length, none beyond what the service bears. Raises WireError."""
    own, asked = dataclasses.asdict(Limits()), _document(raw)
    if asked.keys() != own.keys() or not all(isinstance(value, int | float) for value in asked.values()):
        raise WireError("a request that is none")
    ceiling = {**own, "unpacked": 4_000_000_000}
    return Limits(**{name: type(own[name])(min(asked[name], ceiling[name])) for name in own})


def answer_bytes(structure: Structure) -> bytes:
    """The answer. One that would be too long is without members, and says so."""
    answer = _framed(_told(structure))
    if len(answer) <= LONGEST_ANSWER:
        return answer
    problem = (Problem.MEMBERS, "more paths in archives than can be told")
    parts = tuple(dataclasses.replace(part, members=()) for part in structure.parts)
    return _framed(_told(Structure(parts, (*structure.problems, problem))))


def read_answer(raw: bytes) -> Structure:
    """The structure out of an answer without its length. Raises WireError."""
    told = _document(raw)
    try:
        parts = tuple(map(_part, told["parts"]))
        return Structure(parts, tuple((Problem[name], str(detail)) for name, detail in told["problems"]))
    except (KeyError, TypeError, ValueError) as error:
        raise WireError(f"an answer that is none: {error}") from None


def _told(structure: Structure) -> dict[str, Any]:
    return {
        "parts": [[getattr(part, name) for name in _PART_FIELDS[:-1]] + [_members(part)] for part in structure.parts],
        "problems": [[problem.name, detail] for problem, detail in structure.problems],
    }


def _members(part: Part) -> list[list[Any]]:
    return [[getattr(member, name) for name in _MEMBER_FIELDS] for member in part.members]


def _part(values: list[Any]) -> Part:
    told = dict(zip(_PART_FIELDS, values, strict=True))
    told["names"] = tuple(map(str, told["names"]))
    told["members"] = tuple(Member(*member) for member in told["members"])
    return Part(**told)


def _framed(document: dict[str, Any]) -> bytes:
    raw = json.dumps(document, separators=(",", ":")).encode("ascii")
    return LENGTH.pack(len(raw)) + raw


def _document(raw: bytes) -> dict[str, Any]:
    try:
        document = json.loads(raw)
    except ValueError as error:
        raise WireError(f"no JSON: {error}") from None
    if not isinstance(document, dict):
        raise WireError("no JSON object")
    return document
