"""The table for people and the JSON for machines."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from bench.mail.bars import Bar
from bench.mail.measure import APART, Run, percentile
from bench.mail.peers import AMAVIS, CHAIN, OURS_COPIES, PEERS, PLAIN
from bench.mail.results import FLAT_OUT, HALF_LOAD, Results

COMPARED = (PLAIN, CHAIN, AMAVIS)
BY_CPU = "rate / plain by cpu"
"""What the ratio to Postfix alone were if processor time alone decided, that of load and next hop included."""
QUIET = 0.10
"""Share of the processors that others may have while a peer runs flat out."""
_HEAD = (
    f"  {'PEER':<22} {'MSG/S':>8} {'CPU ms':>8} {'FILTER':>8} {'PSS MB':>7}"
    f" {'/PLAIN':>7} {'BY CPU':>7} {'/CHAIN':>7} {'/AMAVIS':>7} {'p50 ms':>8} {'p99 ms':>8} {'OWN p99':>8}  OTHERS"
)


def table(results: Results) -> Iterator[str]:
    """Lines: for every size one row for each peer."""
    for size in results.sizes():
        yield f"\nMessages of {size}B; milliseconds of processor time a message; ratios of messages/s"
        yield _HEAD
        yield from (_row(results, peer, size) for peer in results.peers(size))
        yield from _disk(results, size)
    yield (
        "\n  CPU: all processes of the peer, FILTER: those of our filter alone. p50 and p99: from the end of the data"
        "\n  to the reply, at half of the peer's load; OWN: what our filter itself says then, engines excluded."
        "\n  BY CPU: what /PLAIN were if processor time alone decided, which noise on the machine disturbs less."
        "\n  OTHERS: share of the processors that the machine's rest took."
    )


def _row(results: Results, peer: str, size: str) -> str:
    facts = figures(results, peer, size)
    plain, *others = (f"rate / {other}" for other in COMPARED)
    ratios = "".join(f" {_number(facts.get(name), 7, 2)}" for name in (plain, BY_CPU, *others))
    times = "".join(f" {_number(facts.get(f'{name} half-load ms'), 8, 2)}" for name in ("p50", "p99", "own p99"))
    return (
        f"  {peer:<22} {facts['messages/s']:8.1f} {facts['cpu ms']:8.2f} {_number(facts.get('filter cpu ms'), 8, 2)}"
        f" {_number(facts.get('filter pss MB'), 7, 1)}{ratios}{times}  {facts['others']:6.0%}"
    )


def _disk(results: Results, size: str) -> Iterator[str]:
    """What the disk alone takes for what every kept copy waits for."""
    if results.has(OURS_COPIES, size=size, kind=HALF_LOAD):
        middle = results.median(OURS_COPIES, size, lambda run: percentile(run.synced, 50) * 1000, HALF_LOAD)
        late = results.median(OURS_COPIES, size, lambda run: percentile(run.synced, 99) * 1000, HALF_LOAD)
        yield f"  A single synced write on this disk right after {OURS_COPIES}: p50 {middle:.2f}, p99 {late:.2f} ms."


def _number(value: float | None, width: int, places: int) -> str:
    return f"{'' if value is None else f'{value:.{places}f}':>{width}}"


def figures(results: Results, peer: str, size: str) -> dict[str, float]:
    """Everything about a peer: medians over the rounds."""

    def median(figure: str, kind: str = FLAT_OUT) -> float:
        return results.median(peer, size, _FIGURES[figure], kind)

    facts = {name: median(name) for name in ("messages/s", "cpu ms", "others", "world cpu ms")}
    for other in COMPARED:
        if results.has(other, size=size):
            facts[f"rate / {other}"] = results.ratio(peer, other, size, _FIGURES["messages/s"])
            facts[f"cpu / {other}"] = results.ratio(peer, other, size, _FIGURES["cpu ms"])
    if results.has(PLAIN, size=size):
        facts[BY_CPU] = 1 / results.ratio(peer, PLAIN, size, lambda run: sum(run.cpu.values()) / run.messages)
    if median("filter pss MB"):
        facts |= {name: median(name) for name in ("filter cpu ms", "filter pss MB")}
    if results.has(peer, size=size, kind=HALF_LOAD):
        names = ("p50", "p99", *(("own p50", "own p99") if _has_own_times(results, peer, size) else ()))
        facts |= {f"{name} half-load ms": median(name, HALF_LOAD) for name in names}
    return facts


def _has_own_times(results: Results, peer: str, size: str) -> bool:
    return results.median(peer, size, lambda run: len(run.own), HALF_LOAD) > 1


_FIGURES: dict[str, Callable[[Run], float]] = {
    "messages/s": lambda run: run.rate,
    "cpu ms": lambda run: run.cpu_per_message * 1000,
    "world cpu ms": lambda run: sum(run.member_per_message(member) for member in APART) * 1000,
    "filter cpu ms": lambda run: run.member_per_message("filter") * 1000,
    "filter pss MB": lambda run: run.filter_pss / 1e6,
    "others": lambda run: run.foreign,
    "p50": lambda run: percentile(run.answers, 50) * 1000,
    "p99": lambda run: percentile(run.answers, 99) * 1000,
    "own p50": lambda run: percentile(run.own, 50) * 1000,
    "own p99": lambda run: percentile(run.own, 99) * 1000,
}


def warning(results: Results) -> list[str]:
    """A line when the machine had so much else to do that ratios of messages/s can mislead."""
    share = results.disturbance()
    if share <= QUIET:
        return []
    return [
        f"  The rest of the machine took up to {share:.0%} of the processors: do not trust messages/s, either way.",
        "  Run it again when the machine has nothing else to do; until then CPU and BY CPU say more.",
    ]


def write(results: Results, checked: Sequence[Bar], file: Path) -> None:
    """Everything as one JSON document."""
    titles = {peer.name: peer.title for peer in PEERS}
    document = {
        "peers": {
            size: {peer: {"title": titles[peer], **figures(results, peer, size)} for peer in results.peers(size)}
            for size in results.sizes()
        },
        "highest share of others": results.disturbance(),
        "bars": [{**dataclasses.asdict(bar), "met": bar.met} for bar in checked],
    }
    file.write_text(json.dumps(document, indent=1) + "\n")
