"""The bars: what our filter has to reach, each as one figure with its bound."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from bench.mail.measure import Run, percentile
from bench.mail.peers import AMAVIS, CHAIN, OURS, OURS_BOTH, OURS_CLAMD, OURS_COPIES, PEERS, PLAIN, UNSTORED
from bench.mail.results import HALF_LOAD, Results

LEAST_OF_PLAIN = {
    OURS: {"4k": 0.85, "100k": 0.80},
    OURS_COPIES: {"4k": 0.85, "100k": 0.80},
    OURS_CLAMD: {"4k": 0.75, "100k": 0.50},
}
"""Peer -> size -> messages a second, as a share of Postfix's alone."""
LEAST_OF_CHAIN, LEAST_OF_AMAVIS, MOST_CPU_OF_AMAVIS = 1.15, 6.0, 0.2
MOST_MEMORY = 60.0
"""MB."""
MOST_ADDED = 5.0
"""Milliseconds, of 99 % of the messages at half of the highest load."""
MOST_FOR_EVENTS = 2.0
"""Percent of the processor time of a message that storing its event and its flight record may add."""


@dataclass(frozen=True)
class Bar:
    """One promise: a figure and its bound, the least or the most."""

    name: str
    value: float
    bound: float
    unit: str
    least: bool = True
    free: float | None = None
    """What it were, by processor time, if our filter took none: the rest is the mail server's and the engines'."""

    @property
    def met(self) -> bool:
        """Whether the figure is on the right side of its bound."""
        return self.value >= self.bound if self.least else self.value <= self.bound

    def line(self) -> str:
        """For people."""
        side = "at least" if self.least else "at most"
        bound = f"({side} {self.bound:g} {self.unit})"
        free = f"; {self.free:.2f} with a filter that costs nothing" if self.free is not None and not self.met else ""
        return f"  {self.name:<66} {self.value:7.2f}  {bound:<18} {'met' if self.met else 'MISSED'}{free}"


def bars(results: Results) -> Iterator[Bar]:
    """Every bar for which there are runs."""
    for size in results.sizes():
        yield from _throughput(results, size)
        yield from _added_time(results, size)
        yield from _events(results, size)
    ours = tuple(
        peer.name for peer in PEERS if peer.ours and any(peer.name in results.peers(s) for s in results.sizes())
    )
    if ours:
        yield Bar(
            "memory of the filter under load (PSS)", results.highest(ours, _megabytes), MOST_MEMORY, "MB", least=False
        )


def _throughput(results: Results, size: str) -> Iterator[Bar]:
    for peer, bounds in LEAST_OF_PLAIN.items():
        if results.has(peer, PLAIN, size=size):
            yield _share(results, peer, PLAIN, size, bounds[size])
    if results.has(OURS_BOTH, CHAIN, size=size):
        yield _share(results, OURS_BOTH, CHAIN, size, LEAST_OF_CHAIN)
    if results.has(OURS_CLAMD, AMAVIS, size=size):
        yield _share(results, OURS_CLAMD, AMAVIS, size, LEAST_OF_AMAVIS)
        cpu = results.ratio(OURS_CLAMD, AMAVIS, size, _cpu)
        yield Bar(f"{OURS_CLAMD} / {AMAVIS}, {size}: CPU a message", cpu, MOST_CPU_OF_AMAVIS, "x", least=False)


def _share(results: Results, peer: str, other: str, size: str, least: float) -> Bar:
    """Messages a second, compared with another peer's."""
    free = 1 / results.ratio(peer, other, size, _cpu_of_the_rest)
    return Bar(f"{peer} / {other}, {size}: messages/s", results.ratio(peer, other, size, _rate), least, "x", free=free)


def _added_time(results: Results, size: str) -> Iterator[Bar]:
    for peer in (OURS, OURS_COPIES):
        if results.has(peer, size=size, kind=HALF_LOAD):
            added = results.median(peer, size, _own_p99, HALF_LOAD)
            yield Bar(f"{peer}, {size}: own time at half load, p99", added, MOST_ADDED, "ms", least=False)


def _events(results: Results, size: str) -> Iterator[Bar]:
    if results.has(OURS, UNSTORED, size=size):
        with_store, without = (results.median(peer, size, _filter_cpu) for peer in (OURS, UNSTORED))
        added = (
            (with_store - without) / results.median(UNSTORED, size, _cpu) * 100
        )  # Postfix's own part only adds noise
        yield Bar(f"{OURS}, {size}: storing events adds to CPU", added, MOST_FOR_EVENTS, "%", least=False)


def _rate(run: Run) -> float:
    return run.rate


def _cpu(run: Run) -> float:
    return run.cpu_per_message


def _cpu_of_the_rest(run: Run) -> float:
    """Seconds a message, of everything but our filter, load and next hop included."""
    return sum(run.cpu.values()) / run.messages - _filter_cpu(run)


def _filter_cpu(run: Run) -> float:
    return run.member_per_message("filter")


def _megabytes(run: Run) -> float:
    return run.filter_pss / 1e6


def _own_p99(run: Run) -> float:
    return percentile(run.own, 99) * 1000
