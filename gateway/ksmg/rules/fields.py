"""Reading the fields of a rule's document, and the sentence that names the field that is wrong."""

import contextlib
import enum
from collections.abc import Callable, Iterator, Mapping
from typing import Any, TypeVar

Choice = TypeVar("Choice", bound=enum.Enum)


class RulesError(ValueError):
    """Rules or lists that cannot be used. The text is a sentence for people."""


class FieldError(ValueError):
    """A wrong field: where it is, dots between its levels, and the end of a sentence that begins with it."""

    def __init__(self, field: str, problem: str) -> None:
        super().__init__(f"{field} {problem}")
        self.field = field
        self.problem = problem


@contextlib.contextmanager
def within(field: str) -> Iterator[None]:
    """Names the field that a ValueError within is about."""
    try:
        yield
    except FieldError as error:
        raise FieldError(f"{field}.{error.field}", error.problem) from None
    except ValueError as error:
        raise FieldError(field, str(error)) from None


def record(value: Any, fields: Mapping[str, Callable[[Any], Any]]) -> dict[str, Any]:
    """The fields that an object has, each parsed. Raises ValueError for one that is not known or wrong."""
    if not isinstance(value, dict):
        raise ValueError("must be an object")
    found = {}
    for name, inner in value.items():
        with within(str(name)):
            if name not in fields:
                raise ValueError(f"is not known; there are: {', '.join(fields)}")
            found[name] = fields[name](inner)
    return found


def truth(value: Any) -> bool:
    """true or false."""
    if not isinstance(value, bool):
        raise ValueError("must be true or false")
    return value


def listed(value: Any) -> list[Any]:
    """A list; a single text counts as a list of it."""
    if isinstance(value, str):
        return [value]
    if not isinstance(value, list):
        raise ValueError("must be a list")
    return value


def choice(kind: type[Choice]) -> Callable[[Any], Choice]:
    """A member of an Enum, by its value."""

    def parse(value: Any) -> Choice:
        for member in kind:
            if member.value == value:
                return member
        raise ValueError(f"must be one of: {', '.join(member.value for member in kind)}")

    return parse


def text(longest: int, lines: bool = False) -> Callable[[Any], str]:
    """A text for people without control characters; with `lines` it may have line breaks and tabs."""

    def parse(value: Any) -> str:
        if not isinstance(value, str) or len(value) > longest:
            raise ValueError(f"must be a text of at most {longest} characters")
        shown = value.replace("\n", "").replace("\r", "").replace("\t", "") if lines else value
        if any(ord(letter) < 32 or 127 <= ord(letter) < 160 or letter in "\u2028\u2029" for letter in shown):
            raise ValueError("must not hold control characters" + ("" if lines else " or line breaks"))
        if not value.isascii() and value != value.encode("utf-8", "replace").decode("utf-8"):
            raise ValueError("must not hold broken characters")
        return value

    return parse


def ascii_text(longest: int) -> Callable[[Any], str]:
    """A text of printable ASCII characters."""

    def parse(value: Any) -> str:
        if not isinstance(value, str) or len(value) > longest or not (value.isascii() and value.isprintable()):
            raise ValueError(f"must be at most {longest} printable ASCII characters")
        return value

    return parse
