"""Traces: what a component does, in more detail than its log, when somebody asked for it. Off unless set otherwise.

Where a component may have something to say:

    _trace = Trace("filter")
    if _trace.enabled:
        _trace.write(f"message {queue_id} from {sender}")

That costs one attribute look-up when the trace is off. A program calls `start` once, and `apply` whenever its settings
changed. Places and caps are those of the policy's row `traces`.
"""

import atexit
import enum
import os
from collections.abc import Callable, Mapping
from pathlib import Path

from ksmg.diagnostics.trace_file import TraceFile
from ksmg.diagnostics.trace_writer import Stream, TraceWriter, stamp
from ksmg.policy import DataPolicy, Location
from ksmg.settings import Settings

ROW = "traces"
"""The policy's row."""
GROUP = "traces"
"""The settings' group: `traces.filter` is the level of the component `filter`."""


class Level(enum.IntEnum):
    """How much a component says. A level includes those above it."""

    OFF = 0
    """Nothing."""
    ERROR = 1
    """What went wrong."""
    INFO = 2
    """Each message, request or command in a few lines."""
    DEBUG = 3
    """Everything: of conversations every byte, with the messages in them."""


class Kind(enum.IntEnum):
    """What a stream holds; the number is that of its place in the policy's row."""

    COMPONENT = 0
    """What a component does."""
    ENGINE = 1
    """The conversation with an engine."""
    PROTOCOL = 2
    """A whole protocol, byte by byte."""


COMPONENTS: Mapping[str, Kind] = {
    "filter": Kind.COMPONENT,
    "inspect": Kind.COMPONENT,
    "submit": Kind.COMPONENT,
    "web": Kind.COMPONENT,
    "command": Kind.COMPONENT,
    "antivirus": Kind.ENGINE,
    "antispam": Kind.ENGINE,
    "milter": Kind.PROTOCOL,
}
"""All streams, each named after what it traces."""


CapOf = Callable[[Location], int | None]
"""Knows the cap of a stream in a place, on this disk."""
_ESCAPES = {code: f"\\x{code:02x}" for code in (*range(0x20), *range(0x7F, 0xA0), 0x2028, 0x2029)} | {
    0x09: "\\t", 0x0A: "\\n", 0x0D: "\\r", 0x5C: "\\\\"
}  # fmt: skip


class Trace:
    """What a component writes to. `enabled`: it has a level; `detailed`: it is at debug."""

    def __init__(self, component: str) -> None:
        self.component = component
        self.level = Level.OFF
        self.enabled = False
        self.detailed = False
        _TRACES.setdefault(component, []).append(self)

    def write(self, text: str, level: Level = Level.INFO) -> None:
        """Writes a line, when the level includes it. Control characters are escaped, so that it stays one line."""
        if level <= self.level and _PROGRAM:
            line = f"{stamp()} {os.getpid()} {level.name.lower()} {text.translate(_ESCAPES)}\n"
            _PROGRAM[-1].put(self.component, line.encode("utf-8", "backslashreplace"))

    def set(self, level: Level) -> None:
        """Changes the level, from the next line on."""
        self.level = level
        self.enabled, self.detailed = level > Level.OFF, level >= Level.DEBUG


class _Program:
    """What all traces of a process share. The writer begins with the first line."""

    def __init__(self, policy: DataPolicy, report: Callable[[str, str], None], cap: CapOf) -> None:
        self._policy = policy
        self._report = report
        self._cap = cap
        self._streams: dict[str, Stream | None] = {}
        self._writer: TraceWriter | None = None

    def put(self, component: str, line: bytes) -> None:
        if component not in self._streams:
            self._streams[component] = self._stream(component)
        stream = self._streams[component]
        if stream is None:
            return
        if self._writer is None:
            self._writer = TraceWriter(self._report)
        self._writer.put(stream, line)

    def _stream(self, component: str) -> Stream | None:
        """None where this process may not write, or cannot: whoever traces must not fail for it."""
        try:
            file = trace_file(self._policy, component, self._cap)
        except (OSError, ValueError) as error:
            self._report(component, str(error))
            return None
        return Stream(component, file) if file.ours else None  # a file of root's would end everybody else's trace

    def close(self) -> None:
        if self._writer is not None:
            self._writer.close()


_TRACES: dict[str, list[Trace]] = {}
_PROGRAM: list[_Program] = []
"""The one of this process, once it was started."""


def start(policy: DataPolicy, report: Callable[[str, str], None], cap: CapOf) -> None:
    """Says where traces go. `report(component, cause)` hears, in another thread, that the disk stopped one."""
    stop()
    _PROGRAM.append(_Program(policy, report, cap))


def stop() -> None:
    """Writes what is left; then nothing is traced any more."""
    while _PROGRAM:
        _PROGRAM.pop().close()


def apply(levels: Mapping[str, str]) -> None:
    """Puts the levels in force, `{"filter": "debug"}`; components that are not named are off."""
    for component, traces in _TRACES.items():
        for trace in traces:
            trace.set(Level[levels.get(component, "off").upper()])


def levels(settings: Settings) -> dict[str, str]:
    """The level of each component that has one."""
    found = {component: settings.text(f"{GROUP}.{component}") for component in COMPONENTS}
    return {component: level for component, level in found.items() if level != "off"}


def location(policy: DataPolicy, component: str) -> Location:
    """Where the policy keeps a component's stream, and with which cap."""
    return policy.row(ROW).locations[COMPONENTS[component]]


def trace_file(policy: DataPolicy, component: str, cap: CapOf) -> TraceFile:
    """A component's stream."""
    found = location(policy, component)

    def bytes_of_cap() -> int:
        if (known := cap(found)) is None:
            raise ValueError("the data policy gives traces no cap")
        return known

    return TraceFile(Path(found.place), component, bytes_of_cap)


def shown(data: bytes) -> str:
    """Bytes as a trace has them: UTF-8 where it is, everything else escaped."""
    return data.decode("utf-8", "backslashreplace")


atexit.register(stop)
