"""Flight records: what happened to one message, in enough detail to explain it and to run it again."""

import json
import sqlite3
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

_LEVEL, _WINDOW, _MEMORY = 1, -13, 5
"""Of zlib. Its usual window and memory cost ten times more for some kB, for the pages that they touch."""
_encode = json.JSONEncoder(ensure_ascii=False, check_circular=False, separators=(",", ":"), default=str).encode


@dataclass(frozen=True)
class FlightRecord:
    """The record of one message.

    `message` is the id of its first event, `time` in seconds since 1970, `document` whatever JSON can hold.
    """

    message: str
    time: float
    document: Mapping[str, Any]


def packed(document: Any, dictionary: bytes = b"") -> bytes:
    """A document as it is stored: JSON, compressed. `dictionary` is what much of it is expected to look like."""
    text = _encode(document).encode("utf-8", "backslashreplace")  # a lone surrogate becomes JSON's own escape
    compressor = zlib.compressobj(_LEVEL, zlib.DEFLATED, _WINDOW, _MEMORY, zlib.Z_DEFAULT_STRATEGY, dictionary)
    return compressor.compress(text) + compressor.flush()


def unpacked(stored: bytes, dictionary: bytes = b"") -> Any:
    """The document of what is stored. Raises sqlite3.DatabaseError when it is damaged, as SQLite does for its part."""
    decompressor = zlib.decompressobj(_WINDOW, zdict=dictionary)
    try:
        return json.loads(decompressor.decompress(stored) + decompressor.flush())
    except (ValueError, zlib.error) as error:
        raise sqlite3.DatabaseError(f"a document is damaged: {error}") from error
