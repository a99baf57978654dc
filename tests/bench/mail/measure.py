"""Counts processor time and memory of the chamber's control groups, and times one run of mail through a peer."""

from __future__ import annotations

import json
import os
import re
import statistics
import subprocess
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bench.mail import daemons, postfix
from bench.mail.daemons import DaemonError, python

CONCURRENCY = 20
APART = ("dns", "load", "sink")
"""Members that are the world around a gateway, and not part of any peer."""
WORKERS = ("amavis", "clamav-milter", "clamd", "filter", "rspamd")
LEAST_WORK = 0.000_03
"""Seconds of processor time a message, of everyone through whom it has to go."""
_WRITES, _WRITTEN, _PAUSE = 200, 4096, 0.005
_POLL = 0.02
_SAMPLE = 0.5
_OWN, _WHOLE = re.compile(rb" own_milliseconds=([1-9][\d.]*|0\.\d+)"), re.compile(rb" milliseconds=([\d.]+)")
_PROCESSORS = os.cpu_count() or 1


@dataclass(frozen=True)
class Run:
    """One run. Times are seconds: `cpu` of each member, `answers` from the end of the data to the reply."""

    messages: int
    seconds: float
    cpu: dict[str, float]
    answers: list[float]
    filter_pss: int
    """Bytes, the most that was seen; 0 without a filter."""
    own: list[float]
    """What our filter says that it took for each message without its engines; empty for others."""
    foreign: float
    """Share of the machine's processors that others took meanwhile."""
    synced: list[float] = field(default_factory=list)
    """Of single synced writes on the same disk right after it: no durable copy can be faster."""

    @property
    def rate(self) -> float:
        """Messages a second, from the first connection to the last delivery."""
        return self.messages / self.seconds

    @property
    def cpu_per_message(self) -> float:
        """Seconds, of everything that belongs to the peer."""
        return sum(spent for member, spent in self.cpu.items() if member not in APART) / self.messages

    def member_per_message(self, member: str) -> float:
        """Seconds of one member alone."""
        return self.cpu.get(member, 0.0) / self.messages


class Runner:
    """Sends mail through the peer that is set up now."""

    def __init__(self) -> None:
        self._number = 0

    def run(self, size: str, messages: int, rate: float = 0.0) -> Run:
        """Send, and wait until the last message is delivered.

        Raises DaemonError when a message is refused or does not arrive: then there is nothing to compare.
        """
        self._number += 1
        arguments = [size, f"{os.getpid()}x{self._number}", str(messages), str(CONCURRENCY), str(rate)]
        log, before, busy = postfix.LOG.stat().st_size, _all_cpu(), _busy()
        sender = _Sender(arguments)
        pss = sender.watch()
        daemons.wait(_drained_for_good, "The queue does not empty", limit=900.0, pause=_POLL)
        seconds = time.time() - sender.result["began"]
        spent = {member: used - before.get(member, 0.0) for member, used in _all_cpu().items()}
        foreign = max(0.0, _busy() - busy - sum(spent.values())) / seconds / _PROCESSORS
        _check(sender.result["codes"], messages, log)
        _check_work(spent, messages)
        return Run(messages, seconds, spent, sender.result["answers"], pss, _own_times(log), foreign)


class _Sender:
    """The load's process."""

    def __init__(self, arguments: list[str]) -> None:
        self._output = daemons.OUTPUT / "load.json"
        self._output.unlink(missing_ok=True)
        shell = ["sh", "-c", 'exec "$@" > "$0"', str(self._output)]
        self._process = daemons.start("load", [*shell, *python("bench.mail.load", arguments)])
        self.result: dict[str, Any] = {}

    def watch(self) -> int:
        """Wait for its end; the most memory that the filter was seen with."""
        most = 0
        while True:
            try:
                code = self._process.wait(_SAMPLE)
                break
            except subprocess.TimeoutExpired:
                most = max(most, sum(_pss(process) for process in daemons.processes("filter")))
        if code:
            raise DaemonError(f"The load ended with {code}, see {daemons.OUTPUT}/load.log.")
        self.result = json.loads(self._output.read_text())
        return most


def synced_writes(directory: Path) -> list[float]:
    """Seconds of each of some small writes that are synced to the disk, with pauses, and nothing else to do."""
    file, taken = directory / "synced", []
    with file.open("wb", buffering=0) as opened:
        for _ in range(_WRITES):
            began = time.monotonic()
            opened.write(bytes(_WRITTEN))
            os.fdatasync(opened.fileno())
            taken.append(time.monotonic() - began)
            time.sleep(_PAUSE)
    file.unlink()
    return taken


def _drained_for_good() -> bool:
    """Twice: a message may be moving from one place to another while we look."""
    return postfix.drained() and postfix.drained()


def _check(codes: dict[str, int], messages: int, log: int) -> None:
    if codes != {"250": messages}:
        raise DaemonError(f"Not every message was accepted: {codes}")
    daemons.wait(
        lambda: postfix.delivered(log) == messages, f"{messages} messages were not delivered, but others", limit=10.0
    )


def _check_work(spent: dict[str, float], messages: int) -> None:
    """An engine that nobody asked would make its peer look fast."""
    for member in WORKERS:
        if spent.get(member, 1.0) / messages < LEAST_WORK:
            raise DaemonError(f"{member} did not work on the messages: it spent {spent[member]:.3f} s on {messages}.")


def _own_times(log: int) -> list[float]:
    """Seconds, from the events in the log after that place. Without engines a message's whole time is the filter's."""
    with postfix.LOG.open("rb") as file:
        file.seek(log)
        events = [line for line in file if b"event=message" in line]
    found = [_OWN.search(event) or _WHOLE.search(event) for event in events]
    return [float(match[1]) / 1000 for match in found if match]


def _all_cpu() -> dict[str, float]:
    return {member: daemons.cpu(member) for member in daemons.members()}


def _pss(process: str) -> int:
    """Bytes of memory of a process, what it shares counted in parts; 0 when it has just ended."""
    try:
        text = Path(f"/proc/{process}/smaps_rollup").read_text()
    except OSError:
        return 0
    return sum(int(kilobytes) * 1024 for kilobytes in re.findall(r"^Pss:\s+(\d+) kB$", text, re.M))


def _busy() -> float:
    """Seconds that all processors of the machine were busy since it started."""
    fields = [int(word) for word in Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:9]]
    idle = fields[3] + fields[4]
    return (sum(fields) - idle) / os.sysconf("SC_CLK_TCK")


def percentile(values: list[float], percent: int) -> float:
    """The value below which that many percent are."""
    return statistics.quantiles(values, n=100, method="inclusive")[percent - 1]
