"""A rule's options for a check: each by its name, with what takes its value out of JSON's."""

from collections.abc import Callable, Mapping
from typing import Any

Parse = Callable[[Any], Any]
"""Makes a value out of JSON's. Raises ValueError with the end of a sentence: `must be a whole number`."""


def chosen_options(check: str, document: Mapping[str, Any], **known: Parse) -> dict[str, Any]:
    """The values of the options that a rule names. Raises ValueError with a sentence's end that names the option."""
    chosen = {}
    for name, value in document.items():
        if name not in known:
            raise ValueError(f"{name} is not an option of {check}; there are: {', '.join(known) or 'none'}")
        try:
            chosen[name] = known[name](value)
        except ValueError as error:
            raise ValueError(f"{name} {error}") from None
    return chosen


def flag(value: Any) -> bool:
    """true or false."""
    if not isinstance(value, bool):
        raise ValueError("must be true or false")
    return value


def points(value: Any) -> float:
    """A score from -1000 to 1000."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not -1000 <= value <= 1000:
        raise ValueError("must be a number from -1000 to 1000")
    return float(value)


def words(parse: Callable[[str], str]) -> Callable[[Any], frozenset[str]]:
    """A list of texts, each made by `parse`."""

    def parse_words(value: Any) -> frozenset[str]:
        if not isinstance(value, list) or not all(isinstance(entry, str) and entry.strip() for entry in value):
            raise ValueError("must be a list of texts, none of them empty")
        return frozenset(parse(entry.strip()) for entry in value)

    return parse_words
