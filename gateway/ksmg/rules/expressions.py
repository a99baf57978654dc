"""Regular expressions of rules: only such that no text can keep busy.

Python's engine backtracks, and strangers choose the addresses it is given. The steps it can need are bounded from the
parsed expression: the product of the ways in which each repetition and alternative can go, and of the places to begin.
"""

import functools
import math
import re
from re import _constants as names  # type: ignore[attr-defined]
from re import _parser as parser  # type: ignore[attr-defined]
from typing import Any

LONGEST_TEXT = 320
"""Characters of an address (RFC 5321, 4.5.3.1: 64 + 1 + 255). A longer one matches no expression."""
MOST_WAYS = (LONGEST_TEXT + 1) ** 2
"""Bound of the product: two free choices of a place. Measured: below 2 ms in the worst case."""

_REPEATS = (names.MAX_REPEAT, names.MIN_REPEAT, names.POSSESSIVE_REPEAT)
_SIMPLE = (names.LITERAL, names.NOT_LITERAL, names.IN, names.ANY, names.AT)

_EXAMPLES = "xaz0-_." + "".join(map(chr, range(33, 127)))
_CATEGORIES = {
    "CATEGORY_DIGIT": r"\d",
    "CATEGORY_NOT_DIGIT": r"\D",
    "CATEGORY_SPACE": r"\s",
    "CATEGORY_NOT_SPACE": r"\S",
    "CATEGORY_WORD": r"\w",
    "CATEGORY_NOT_WORD": r"\W",
}


@functools.lru_cache(maxsize=4096)
def expression(text: str) -> re.Pattern[str]:
    """The expression, compiled. Raises ValueError, the end of a sentence, for one that is wrong or could take long."""
    try:
        parsed = parser.parse(_needed(text))
        if parsed.state.flags & ~(re.UNICODE | re.IGNORECASE):
            raise ValueError("sets flags")
        places = 1 if _anchored(parsed) else LONGEST_TEXT
        if places * _ways(parsed) > MOST_WAYS:
            raise ValueError("could take too long: use fewer repetitions, or begin it with ^")
        return re.compile(_needed(text), re.IGNORECASE)
    except (re.error, OverflowError, RecursionError) as error:
        raise ValueError(f"is wrong: {error}") from None


def shortest(text: str) -> str | None:
    """A short text that the expression probably matches, an example to try; None when it is not obvious."""
    try:
        return _example(parser.parse(text))
    except (re.error, LookupError):
        return None


def _needed(text: str) -> str:
    """The expression without a beginning that changes nothing, because it is searched for anywhere."""
    return text[2:] if text.startswith(".*") and text[2:3] not in ("?", "+", "{") else text


def _anchored(parsed: Any) -> bool:
    return bool(len(parsed)) and parsed[0] == (names.AT, names.AT_BEGINNING)


def _ways(parsed: Any) -> int:
    """In how many ways a sequence can match at one place, at most."""
    return math.prod(_ways_of(operation, argument) for operation, argument in parsed)


def _ways_of(operation: Any, argument: Any) -> int:
    if operation in _SIMPLE:
        return 1
    if operation is names.SUBPATTERN:
        if argument[1] or argument[2]:
            raise ValueError("sets flags")
        return _ways(argument[3])
    if operation is names.ATOMIC_GROUP:
        return _ways(argument)
    if operation is names.BRANCH:
        return sum(map(_ways, argument[1]))
    if operation in _REPEATS:
        return _ways_of_repeat(*argument)
    raise ValueError("uses a back-reference or looks ahead or behind: those are not allowed")


def _ways_of_repeat(least: int, most: int, repeated: Any) -> int:
    inner = _ways(repeated)
    if most > 1 and inner > 1:
        raise ValueError("has a repetition or alternative within a repetition: write it without nesting")
    return inner + min(most, LONGEST_TEXT) - min(least, LONGEST_TEXT)


def _example(parsed: Any) -> str:
    return "".join(_example_of(operation, argument) for operation, argument in parsed)


def _example_of(operation: Any, argument: Any) -> str:
    if operation is names.SUBPATTERN:
        return _example(argument[3])
    if operation is names.BRANCH:
        return _example(argument[1][0])
    if operation in _REPEATS:
        times: int = max(argument[0], min(argument[1], 1))
        return _example(argument[2]) * times
    return _example_letter(operation, argument)


def _example_letter(operation: Any, argument: Any) -> str:
    if operation is names.LITERAL:
        return chr(argument)
    if operation is names.IN:
        pattern = re.compile("".join(("[", *map(_member, argument), "]")))
        return next((letter for letter in _EXAMPLES if pattern.match(letter)), "")
    return "x" if operation is names.ANY else ""


def _member(member: tuple[Any, Any]) -> str:
    operation, argument = member
    if operation is names.NEGATE:
        return "^"
    if operation is names.LITERAL:
        return str(re.escape(chr(argument)))
    if operation is names.RANGE:
        return f"{re.escape(chr(argument[0]))}-{re.escape(chr(argument[1]))}"
    return _CATEGORIES[str(argument)]
