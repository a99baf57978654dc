"""What the runs of one benchmark say: medians, and ratios of runs of the same round."""

from __future__ import annotations

import json
import statistics
from collections.abc import Callable
from pathlib import Path

from bench.mail.measure import Run

RUNS = "runs.jsonl"
"""File among the results."""
FLAT_OUT, HALF_LOAD = "flat-out", "half-load"


class Results:
    """All runs, by peer, size and kind, in the order of the rounds."""

    def __init__(self, file: Path) -> None:
        self._runs: dict[tuple[str, str, str], dict[int, Run]] = {}
        for line in file.read_text().splitlines():
            facts = json.loads(line)
            place, number = (facts.pop("peer"), facts.pop("size"), facts.pop("kind")), facts.pop("round")
            self._runs.setdefault(place, {})[number] = Run(**facts)

    def has(self, *peers: str, size: str, kind: str = FLAT_OUT) -> bool:
        """Whether all of these peers were measured."""
        return all((peer, size, kind) in self._runs for peer in peers)

    def peers(self, size: str) -> list[str]:
        """Peers with runs of that size, in their order."""
        return [peer for peer, of, kind in self._runs if of == size and kind == FLAT_OUT]

    def sizes(self) -> list[str]:
        """Sizes with runs."""
        return list(dict.fromkeys(size for _, size, _ in self._runs))

    def median(self, peer: str, size: str, figure: Callable[[Run], float], kind: str = FLAT_OUT) -> float:
        """The median over the rounds of a figure of each run."""
        return statistics.median(map(figure, self._runs[peer, size, kind].values()))

    def ratio(self, peer: str, other: str, size: str, figure: Callable[[Run], float]) -> float:
        """The median over the rounds of the quotient of both peers' figures in the same round.

        What else the machine had to do then was much the same for both.
        """
        ours, theirs = self._runs[peer, size, FLAT_OUT], self._runs[other, size, FLAT_OUT]
        return statistics.median(
            figure(ours[number]) / figure(theirs[number]) for number in ours.keys() & theirs.keys()
        )

    def disturbance(self) -> float:
        """The highest share of the processors that others had while some peer ran flat out."""
        runs = (run for (_, _, kind), found in self._runs.items() if kind == FLAT_OUT for run in found.values())
        return max(run.foreign for run in runs)

    def highest(self, peers: tuple[str, ...], figure: Callable[[Run], float]) -> float:
        """The highest figure of any run of these peers."""
        return max(figure(run) for (peer, _, _), runs in self._runs.items() if peer in peers for run in runs.values())
