"""`ksmg stats`: mail by hour, day, week or month."""

import argparse
import time
from collections.abc import Iterable
from datetime import datetime
from typing import Any

from ksmg.cli.appliance import store_appliance
from ksmg.cli.events import since
from ksmg.cli.failure import ExitCode
from ksmg.cli.output import print_json, print_table, size
from ksmg.cli.verb import Verbs, add_verb, positive
from ksmg.stores.locations import open_statistics
from ksmg.stores.statistics import TOPS, TOTAL, Counters, Statistics, merge, percentile

_DAY = 86_400
PERIODS = {
    "hour": ("%Y-%m-%d %H:%M", _DAY),
    "day": ("%Y-%m-%d", 30 * _DAY),
    "week": ("%G-W%V", 182 * _DAY),
    "month": ("%Y-%m", 731 * _DAY),
}
"""How each is written, in the appliance's time zone (weeks as in ISO 8601), and how far back is shown unless asked."""
_TIMES = ("milliseconds", "own_milliseconds")
_SHARES = {"p50": 0.5, "p95": 0.95}


def add_parser(verbs: Verbs) -> None:
    """Adds the verb."""
    parser = add_verb(verbs, "stats", "Show how much mail there was, and what became of it.", run, json=True)
    parser.add_argument("--by", choices=tuple(PERIODS), default="day", help="the period of a line (day)")
    parser.add_argument("--since", type=since, metavar="WHEN", help="2h, 3d, or 2026-01-31T12:00")
    parser.add_argument("--until", type=since, metavar="WHEN", help="before this age or time")
    parser.add_argument("--top", choices=TOPS, help="show who sent or got most instead, over the days of that time")
    parser.add_argument("--limit", type=positive, default=20, metavar="N", help="at most N names with --top (20)")


def run(chosen: argparse.Namespace) -> int:
    """Prints the statistics."""
    here = store_appliance()
    statistics = open_statistics(here.policy)
    until = time.time() if chosen.until is None else chosen.until
    begin = until - PERIODS[chosen.by][1] if chosen.since is None else chosen.since
    if chosen.top:
        _print_top(statistics.top(chosen.top, begin, until, chosen.limit), chosen.json)
    elif chosen.json:
        print_json([_document(label, found) for label, found in periods(statistics, chosen.by, begin, until)])
    else:
        _print_periods(periods(statistics, chosen.by, begin, until))
    return ExitCode.DONE


def periods(statistics: Statistics, by: str, begin: float, until: float) -> Iterable[tuple[str, Counters]]:
    """The periods in which there was mail, oldest first, and their counters."""
    found: dict[str, Counters] = {}
    for hour, counters in statistics.hours(begin, until):
        label = datetime.fromtimestamp(hour).astimezone().strftime(PERIODS[by][0])
        merge(found.setdefault(label, {}), counters)
    return found.items()


def _document(label: str, counters: Counters) -> dict[str, Any]:
    """One period for machines."""
    dimensions: dict[str, Any] = {
        dimension: {value: {"messages": messages, "bytes": size} for value, (messages, size) in values.items()}
        for dimension, values in counters.items()
        if dimension not in (TOTAL, *_TIMES)
    }
    times = {name: {share: _rounded(counters, name, of) for share, of in _SHARES.items()} for name in _TIMES}
    messages, total = _count(counters, TOTAL, "")
    return {"period": label, "messages": messages, "bytes": total, **dimensions, **times}


def _rounded(counters: Counters, name: str, share: float) -> float | None:
    value = percentile(counters, name, share)
    return None if value is None else round(value, 2)


def _count(counters: Counters, dimension: str, value: str) -> tuple[int, int]:
    messages, total = counters.get(dimension, {}).get(value, (0, 0))
    return messages, total


def _print_periods(found: Iterable[tuple[str, Counters]]) -> None:
    columns = (
        ("IN", "direction", "inbound"),
        ("OUT", "direction", "outbound"),
        ("WITHIN", "direction", "internal"),
        ("REFUSED", "action", "reject"),
        ("PUT OFF", "action", "tempfail"),
        ("HELD", "action", "quarantine"),
        ("DELETED", "action", "delete"),
        ("INFECTED", "status", "antivirus=infected"),
        ("SPAM", "status", "antispam=spam"),
        ("UNSCANNED", "unscanned", ""),
    )
    print_table(
        ("PERIOD", "MESSAGES", "SIZE", *(title for title, *_ in columns), "P50 MS", "P95 MS"),
        (
            (
                label,
                str(_count(counters, TOTAL, "")[0]),
                size(_count(counters, TOTAL, "")[1]),
                *(str(_count(counters, dimension, value)[0]) for _, dimension, value in columns),
                *(f"{percentile(counters, 'milliseconds', share) or 0:.1f}" for share in _SHARES.values()),
            )
            for label, counters in found
        ),
    )


def _print_top(found: list[tuple[str, int]], as_json: bool) -> None:
    if as_json:
        print_json([{"name": name, "messages": messages} for name, messages in found])
    else:
        print_table(("MESSAGES", "NAME"), ((str(messages), name or "<>") for name, messages in found))
