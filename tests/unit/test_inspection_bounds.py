"""Time and memory of the walk over hostile mail, within the filter, before a message is given to the service."""

import base64
import contextlib
import time
import tracemalloc

import pytest
from ksmg.inspection.limits import IN_PROCESS_BYTES, IN_PROCESS_SECONDS, Limits
from ksmg.inspection.walk import OutOfTime, walk

LIMITS = Limits()
SLOWEST = 0.5
"""Processor seconds for a message of the largest size that the filter walks itself. A quiet machine needs a tenth."""
SIZE = IN_PROCESS_BYTES
MOST_MEMORY = 16 * SIZE
"""Bytes at a time, for a moment."""


def multipart(boundary: bytes, body: bytes) -> bytes:
    return b"Content-Type: multipart/mixed; boundary=" + boundary + b"\r\n\r\n" + body


def filled(unit: bytes, head: bytes = b"\r\n") -> bytes:
    return head + unit * ((SIZE - len(head)) // len(unit))


def encoded_forwards() -> bytes:
    raw = b"hello"
    for _ in range(26):
        raw = b"Content-Type: message/rfc822\r\nContent-Transfer-Encoding: base64\r\n\r\n" + base64.encodebytes(raw)
    return raw


HOSTILE = {
    "ten thousand parts": filled(b"--B\r\n\r\nx\r\n", multipart(b"B", b"")),
    "two thousand levels": b"".join(multipart(b"B%dx" % n, b"--B%dx\r\n" % n) for n in range(2000)),
    "forwards of forwards": filled(b"Content-Type: message/rfc822\r\n\r\n", b""),
    "encoded forwards": encoded_forwards(),
    "five thousand addresses": b"To: " + b",\r\n ".join(b"u%d@example.com" % n for n in range(5000)) + b"\r\n\r\nx",
    "a long header": b"X: " + b"a" * SIZE + b"\r\n\r\nx",
    "many fields": filled(b"X: a\r\n", b""),
    "many folds": filled(b" b\r\n", b"X: a\r\n"),
    "many Content-Types": filled(b"Content-Type: a/b\r\n", b""),
    "text in a delimiter's place": filled(b"x--B", multipart(b"B", b"")),
    "odd delimiters": filled(b"--BX\r\n", multipart(b"B", b"")),
    "closing delimiters": filled(b"--B--\r\n", multipart(b"B", b"")),
    "another boundary": filled(b"--x\r\n", multipart(b"ZZ", b"")),
    "odd parameters": (b"Content-Type: a/b; " + b'name="a"b;' * 1600 + b"\r\n") * 20 + b"\r\nx",
    "one long parameter": b"Content-Type: a/b; " + b"a" * 16_000 + b"\r\n\r\nx",
    "quotes and backslashes": b"Content-Type: a/b; name=" + b'"\\' * 8000 + b"\r\n\r\nx",
    "continuations": b"Content-Type: a/b; " + b"".join(b"name*%d*=%%41;" % n for n in range(900)) + b" x\r\n\r\nx",
    "beginnings of uuencode": filled(b"begin 644 a\r\nend\r\n"),
    "broken uuencode": filled(b"#\x81\r\n", b"Content-Transfer-Encoding: x-uuencode\r\n\r\n"),
    "padding": filled(b"QQ==", b"Content-Transfer-Encoding: base64\r\n\r\n"),
    "no base64": filled(b"!", b"Content-Type: a/b\r\nContent-Transfer-Encoding: base64\r\n\r\n"),
    "soft line breaks": filled(b"=\r\n", b"Content-Transfer-Encoding: quoted-printable\r\n\r\n"),
    "comments": filled(b"<!--", b"Content-Type: text/html\r\n\r\n"),
}


def walked(raw: bytes) -> None:
    with contextlib.suppress(OutOfTime):  # the service goes on
        walk(raw, len(raw), LIMITS, time.monotonic() + IN_PROCESS_SECONDS)


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_message_takes_little_time(name: str) -> None:
    started = time.process_time()
    walked(HOSTILE[name])
    assert time.process_time() - started < SLOWEST


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_message_takes_little_memory(name: str) -> None:
    tracemalloc.start()
    walked(HOSTILE[name])
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < MOST_MEMORY


@pytest.mark.parametrize("name", ["ten thousand parts", "two thousand levels", "a long header", "many fields"])
def test_without_a_deadline_the_limits_end_it(name: str) -> None:
    assert walk(HOSTILE[name], len(HOSTILE[name]), LIMITS).problems
