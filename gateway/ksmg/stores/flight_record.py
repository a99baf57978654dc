"""Flight records: what happened to one message, in enough detail to explain it and to run it again."""

import json
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

_LEVEL = 1
"""Of zlib: a record has a few kB and the writer little time."""


@dataclass(frozen=True)
class FlightRecord:
    """The record of one message.

    `message` is the id of its first event, `time` in seconds since 1970, `document` whatever JSON can hold.
    """

    message: str
    time: float
    document: Mapping[str, Any]


def packed(document: Mapping[str, Any]) -> bytes:
    """A document as it is stored: JSON, compressed."""
    return zlib.compress(json.dumps(document, ensure_ascii=False, separators=(",", ":")).encode(), _LEVEL)


def unpacked(stored: bytes) -> Mapping[str, Any]:
    """The document of a stored record. Raises ValueError or zlib.error for one that is damaged."""
    document: Mapping[str, Any] = json.loads(zlib.decompress(stored))
    return document
