"""Lines to syslog (facility local0, RFC 3164 on the local socket), safe whatever a stranger put into a value.

Not the standard library's handler: a lost line must not raise, a slow log daemon not hold up mail, and no value start
a second line.
"""

import contextlib
import enum
import json
import logging
import os
import re
import socket
import struct
import time
from collections.abc import Iterable
from json.encoder import encode_basestring_ascii
from pathlib import Path

DEVICE = Path("/dev/log")
FACILITY_LOCAL0 = 16
LONGEST_LINE = 7_900
"""Bytes; rsyslog's default maximum is 8 kB."""
_TIMEOUT = struct.pack("ll", 1, 0)
"""One second, as `struct timeval`."""
_PLAIN = re.compile(r"[A-Za-z0-9_-]+").fullmatch
_encode = json.JSONEncoder(ensure_ascii=True, separators=(",", ":")).encode


class Severity(enum.IntEnum):
    """Severities of RFC 5424, table 2."""

    ERROR = 3
    """Something does not work."""
    WARNING = 4
    """Something to look at."""
    NOTICE = 5
    """Normal, but not every day."""
    INFORMATION = 6
    """Normal."""


def line(fields: Iterable[tuple[str, object]]) -> str:
    """`key=value` pairs.

    Text is quoted and escaped as in JSON, ASCII only: no value can end the line or forge a pair.
    """
    return " ".join([f"{key}={_value(value)}" for key, value in fields])


def _value(value: object) -> str:
    if isinstance(value, str):
        return value if _PLAIN(value) else encode_basestring_ascii(value).replace("\x7f", "\\u007f")
    if isinstance(value, float):
        return f"{value:.3f}".rstrip("0").rstrip(".")
    return _encode(value).replace("\x7f", "\\u007f")


class Syslog:
    """A connection to the log daemon. Threads may share it."""

    def __init__(self, ident: str, device: Path = DEVICE) -> None:
        self._tag = f"{ident}[{os.getpid()}]"
        self._device = device
        self._socket: socket.socket | None = None
        self.lost = 0
        """Lines that could not be sent."""

    def send(self, severity: Severity, text: str) -> None:
        """Sends one line; never raises and waits at most a second. Lines that cannot be sent are counted in `lost`."""
        stamp = time.strftime("%b %e %H:%M:%S")
        safe = text.encode("ascii", "backslashreplace")[:LONGEST_LINE].replace(b"\n", b" ").replace(b"\r", b" ")
        packet = f"<{FACILITY_LOCAL0 << 3 | severity}>{stamp} {self._tag}: ".encode() + safe
        for _ in range(2):  # once more after the daemon was restarted
            try:
                self._connected().send(packet)
                return
            except OSError:
                self.close()
        self.lost += 1

    def close(self) -> None:
        """Closes the connection; the next line opens it again."""
        if self._socket is not None:
            with contextlib.suppress(OSError):
                self._socket.close()
            self._socket = None

    def _connected(self) -> socket.socket:
        if self._socket is None:
            opened = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
            opened.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, _TIMEOUT)  # Python's own asks poll(2) each time
            try:
                opened.connect(str(self._device))
            except OSError:
                opened.close()
                raise
            self._socket = opened
        return self._socket


class SyslogHandler(logging.Handler):
    """Sends the records of `logging` through a `Syslog`. Of an exception it logs type and place, never its data."""

    def __init__(self, syslog: Syslog) -> None:
        super().__init__()
        self._syslog = syslog

    def emit(self, record: logging.LogRecord) -> None:
        """Sends one record."""
        text = record.getMessage()
        if record.exc_info and record.exc_info[0]:
            text = f"{text}: {record.exc_info[0].__name__} at {_place(record)}"
        self._syslog.send(_severity(record.levelno), text)


def _severity(level: int) -> Severity:
    if level >= logging.ERROR:
        return Severity.ERROR
    return Severity.WARNING if level >= logging.WARNING else Severity.INFORMATION


def _place(record: logging.LogRecord) -> str:
    trace = record.exc_info[2] if record.exc_info else None
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    return f"{Path(trace.tb_frame.f_code.co_filename).name}:{trace.tb_lineno}" if trace else "unknown place"
