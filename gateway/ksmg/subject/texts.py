"""The texts within a document."""

from collections.abc import Iterator, Mapping
from typing import Any


def texts(value: Any) -> Iterator[str]:
    """All texts within what JSON can hold, names of fields included."""
    match value:
        case str():
            yield value
        case Mapping():
            for name, one in value.items():
                yield str(name)
                yield from texts(one)
        case list() | tuple():
            for one in value:
                yield from texts(one)
