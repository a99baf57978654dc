"""The names of a message's attachments, cheaply: the headers of its top-level parts, without parsing MIME as a whole.

For events only. Nothing is decided by these names; a check that decides must look at the content.
"""

import mmap
import re
import urllib.parse
from collections.abc import Iterator

from ksmg.mail.readable import decoded_header, readable
from ksmg.mail.spool import SpooledMessage

MOST_PARTS = 100
"""Parts whose headers are looked at."""
_PART_HEADERS = 4096
_BOUNDARY = re.compile(rb'boundary\s*=\s*(?:"([^"]{1,200})"|([^\s;"]{1,200}))', re.IGNORECASE)
_NAME = re.compile(rb'\b(?:file)?name(\*?)\s*=\s*(?:"((?:[^"\\]|\\.){0,500})"|([^\s;"]{1,500}))', re.IGNORECASE)


def attachment_names(message: SpooledMessage) -> tuple[str, ...]:
    """The names, in order, each once; readable text."""
    names = dict.fromkeys(name for headers in _part_headers(message) if (name := _name(headers)))
    return tuple(names)


def _part_headers(message: SpooledMessage) -> Iterator[bytes]:
    own = [field[1] for name in (b"content-disposition", b"content-type") if (field := message.header(name))]
    yield b"\n".join(own)
    boundary = next((match for value in own if (match := _BOUNDARY.search(value))), None)
    if boundary is None or message.failure or not message.size:
        return
    delimiter = b"\r\n--" + (boundary[1] or boundary[2])
    with message.path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
        start = 0
        for _ in range(MOST_PARTS):
            start = content.find(delimiter, start)
            if start < 0:
                return
            start += len(delimiter)
            yield content[start : start + _PART_HEADERS].partition(b"\r\n\r\n")[0]


def _name(headers: bytes) -> str:
    match = _NAME.search(headers)
    if match is None:
        return ""
    value = match[2] if match[2] is not None else match[3]
    if match[1]:
        return _extended(value)
    return decoded_header(re.sub(rb"\\(.)", rb"\1", value))


def _extended(value: bytes) -> str:
    """RFC 2231: charset'language'percent-encoded."""
    charset, _, rest = value.decode("ascii", "replace").partition("'")
    encoded = urllib.parse.unquote_to_bytes(rest.partition("'")[2] or value)
    try:
        return readable(encoded.decode(charset or "utf-8", "replace"))
    except LookupError:
        return readable(encoded)
