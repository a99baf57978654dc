"""Statistics of mail: counters by hour and lists of who sent and got most by day, kept without limit of time.

Hours are those of UTC; days, weeks (ISO 8601) and months are those of the appliance's time zone, to which an hour
belongs by its beginning. A row of JSON for each hour, so that a year takes a few megabytes.

Counting is in memory, and what was counted is written together with the place in the event log up to which it was: what
a crash lost is counted again from there, and nothing twice.
"""

import contextlib
import functools
import heapq
import json
import math
import sqlite3
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import datetime
from pathlib import Path

from ksmg.stores.erasure import closing_without_trace, scrub_write_ahead_log
from ksmg.stores.message_event import MessageEvent
from ksmg.stores.segments import damaged, transaction

FILE = "statistics.sqlite"
HOUR = 3600
TOPS = ("senders", "recipients", "clients")
MOST_LISTED = 100
"""Names of a list that are kept when its day is over."""
_MOST_COUNTED = 1000
"""Names of a list that are told apart on its day; the smallest go when there are twice as many."""
_MOST_KEYS = 500
"""Of a dimension in an hour; the rest counts as `OTHER`. Only rules could be so many."""
OTHER = "other"
TOTAL = "total"
_STEP = math.log(1.1)
"""Between the times that are told apart: percentiles are true to 10 %."""
_SCHEMA = """
CREATE TABLE IF NOT EXISTS hour (hour INTEGER PRIMARY KEY, counters TEXT NOT NULL) STRICT;
CREATE TABLE IF NOT EXISTS top (
    day TEXT, list TEXT, names TEXT NOT NULL, PRIMARY KEY (day, list)
) STRICT, WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS counted (one INTEGER PRIMARY KEY CHECK (one = 1), place TEXT NOT NULL) STRICT;
CREATE TABLE IF NOT EXISTS change (one INTEGER PRIMARY KEY CHECK (one = 1), number INTEGER NOT NULL) STRICT;
"""
_CHANGES = "SELECT coalesce(max(number), 0) FROM change"
_CHANGE = "INSERT INTO change SELECT 1, 1 WHERE true ON CONFLICT (one) DO UPDATE SET number = number + 1"
_PUT_HOUR = "INSERT OR REPLACE INTO hour VALUES (?, ?)"
_PUT_TOP = "INSERT OR REPLACE INTO top VALUES (?, ?, ?)"
_PUT_PLACE = "INSERT OR REPLACE INTO counted VALUES (1, ?)"

Counters = dict[str, dict[str, list[int]]]
"""Dimension -> value -> messages and bytes.

`total`, `direction`, `status` (`antivirus=infected`), `unscanned` (`antivirus=timeout`), `milliseconds` and
`own_milliseconds` (powers of 1.1) count each message once; `action` and `rule` once for each of its events.
"""


def count(counters: Counters, event: MessageEvent) -> None:
    """Counts an event in."""
    found = [("action", event.action), ("rule", event.rule)]
    if event.first:
        found += (
            (TOTAL, ""),
            ("direction", event.direction),
            ("milliseconds", _step(event.milliseconds)),
            ("own_milliseconds", _step(event.own_milliseconds)),
        )
        found += [("status", _status(*status)) for status in event.statuses]
        if event.unscanned:
            found += [("unscanned", reason) for reason in _unscanned(event)]
    size = event.size
    for dimension, value in found:
        try:
            counter = counters[dimension][value]
        except KeyError:
            _increase(counters.setdefault(dimension, {}), value, 1, size)
        else:
            counter[0] += 1
            counter[1] += size


def _unscanned(event: MessageEvent) -> list[str]:
    """Which modules did not scan it, and why; the message itself counts under the empty name."""
    named = (f"{v['check']}={v.get('reason') or 'error'}" for v in event.verdicts if v["status"] == "unscanned")
    return ["", *dict.fromkeys(named)]


def _increase(values: dict[str, list[int]], value: str, messages: int, size: int) -> None:
    counter = values.get(value)
    if counter is None:
        counter = values.setdefault(value if len(values) < _MOST_KEYS else OTHER, [0, 0])
    counter[0] += messages
    counter[1] += size


def merge(into: Counters, counters: Counters) -> None:
    """Adds the second to the first."""
    for dimension, values in counters.items():
        for value, (messages, size) in values.items():
            _increase(into.setdefault(dimension, {}), value, messages, size)


def percentile(counters: Counters, dimension: str, share: float) -> float | None:
    """The time in milliseconds that this share of the messages did not exceed; None without messages."""
    steps = sorted(
        (int(step), messages) for step, (messages, _) in counters.get(dimension, {}).items() if step != OTHER
    )
    wanted = share * sum(messages for _, messages in steps)
    passed = 0
    for step, messages in steps:
        passed += messages
        if passed >= wanted:
            return math.exp(step * _STEP)
    return None


def _step(milliseconds: float) -> str:
    return _named_step(math.ceil(math.log(max(milliseconds, 0.01)) / _STEP))


_named_step = functools.lru_cache(1024)(str)


@functools.lru_cache(1024)
def _status(check: str, status: str) -> str:
    return f"{check}={status}"


def day_of(when: float) -> str:
    """The day of a moment, in the appliance's time zone."""
    return datetime.fromtimestamp(when).strftime("%Y-%m-%d")


class Statistics:
    """The counters. One thread counts; others may read what is written."""

    def __init__(self, directory: Path) -> None:
        self._file = directory / FILE
        self._hours: dict[int, Counters] = {}
        self._tops: dict[tuple[str, str], dict[str, int]] = {}
        self._day = (0, "")
        self._changes = 0
        """Of the file, when this began to count."""

    def place(self) -> str:
        """The place in the event log up to which everything is counted and written. Raises sqlite3.Error."""
        with self._open() as connection:
            found = connection.execute("SELECT place FROM counted").fetchone()
        return found[0] if found else ""

    def add(self, events: Iterable[MessageEvent]) -> None:
        """Counts events. Raises sqlite3.Error."""
        for event in events:
            hour = int(event.time // HOUR)
            counters = self._hours.get(hour)
            if counters is None:
                counters = self._load_hour(hour)
            count(counters, event)
            self._list(hour, event)

    def save(self, place: str) -> bool:
        """Writes what was counted, which is everything up to this place. Raises sqlite3.Error.

        False, and nothing is written, when names were changed since this began to count: then `start_again`.
        """
        with self._open() as connection, transaction(connection):
            if _changes(connection) != self._changes:
                return False
            connection.executemany(_PUT_HOUR, ((hour, _compact(found)) for hour, found in self._hours.items()))
            connection.executemany(_PUT_TOP, ((*key, _compact(self._trimmed(key))) for key in self._tops))
            connection.execute(_PUT_PLACE, (place,))
        newest = max(self._hours, default=0)
        self._hours = {hour: counters for hour, counters in self._hours.items() if hour == newest}
        self._tops = {key: names for key, names in self._tops.items() if key[0] == self._day[1]}
        return True

    def listed(self) -> Iterator[tuple[str, str, dict[str, int]]]:
        """All lists that are kept: day, list, and how often each name was seen. Raises sqlite3.Error."""
        if self._file.exists():
            with self._open() as connection:
                for day, name, names in connection.execute("SELECT day, list, names FROM top ORDER BY day").fetchall():
                    yield day, name, json.loads(names)

    def rename(self, renamed: Callable[[str], str]) -> int:
        """Gives names in lists other ones, with the numbers they have; returns how many. Raises OSError, sqlite3.Error.

        Whoever counts learns of it when it saves. Nothing is left of the old names on the disk.
        """
        changed = 0
        with self._open() as connection:
            with transaction(connection):
                for day, name, names in connection.execute("SELECT day, list, names FROM top").fetchall():
                    before = json.loads(names)
                    after = _renamed(before, renamed)
                    if after != before:
                        connection.execute(_PUT_TOP, (day, name, _compact(after)))
                        changed += sum(renamed(who) != who for who in before)
                connection.execute(_CHANGE)
            scrub_write_ahead_log(connection)
        return changed

    def start_again(self) -> None:
        """Forgets what was counted and is not written: it is to be counted again, from `place` on."""
        self._hours, self._tops = {}, {}
        with self._open() as connection:
            self._changes = _changes(connection)

    def hours(self, since: float, until: float) -> Iterator[tuple[int, Counters]]:
        """The beginnings of the hours in that time, in seconds since 1970, and their counters."""
        if self._file.exists():
            statement = "SELECT hour, counters FROM hour WHERE hour >= ? AND hour < ? ORDER BY hour"
            with self._open() as connection:
                for hour, counters in connection.execute(statement, (since // HOUR, math.ceil(until / HOUR))):
                    yield hour * HOUR, json.loads(counters)

    def top(self, name: str, since: float, until: float, most: int) -> list[tuple[str, int]]:
        """Who is most often in a list over the days of that time, and how often; about, when they are very many."""
        found: dict[str, int] = {}
        if self._file.exists():
            statement = "SELECT names FROM top WHERE list = ? AND day >= ? AND day <= ?"
            with self._open() as connection:
                for (names,) in connection.execute(statement, (name, day_of(since), day_of(until))):
                    for who, times in json.loads(names).items():
                        found[who] = found.get(who, 0) + times
        return heapq.nlargest(most, found.items(), key=lambda item: item[1])

    def _list(self, hour: int, event: MessageEvent) -> None:
        if self._day[0] != hour:
            self._day = (hour, day_of(event.time))
        day = self._day[1]
        if event.first:
            self._mention(day, "senders", event.sender)
            self._mention(day, "clients", event.client_ip)
        for recipient in event.recipients:
            self._mention(day, "recipients", recipient)

    def _mention(self, day: str, name: str, who: str) -> None:
        names = self._tops.get((day, name))
        if names is None:
            names = self._load_top(day, name)
        names[who] = names.get(who, 0) + 1
        if len(names) > 2 * _MOST_COUNTED:
            kept = heapq.nlargest(_MOST_COUNTED, names.items(), key=lambda item: item[1])
            names.clear()
            names.update(kept)

    def _trimmed(self, key: tuple[str, str]) -> dict[str, int]:
        """A list as it is written: whole on its day."""
        names = self._tops[key]
        if key[0] == self._day[1]:
            return names
        return dict(heapq.nlargest(MOST_LISTED, names.items(), key=lambda item: item[1]))

    def _load_hour(self, hour: int) -> Counters:
        with self._open() as connection:
            found = connection.execute("SELECT counters FROM hour WHERE hour = ?", (hour,)).fetchone()
        return self._hours.setdefault(hour, json.loads(found[0]) if found else {})

    def _load_top(self, day: str, name: str) -> dict[str, int]:
        with self._open() as connection:
            found = connection.execute("SELECT names FROM top WHERE day = ? AND list = ?", (day, name)).fetchone()
        return self._tops.setdefault((day, name), json.loads(found[0]) if found else {})

    @contextlib.contextmanager
    def _open(self) -> Iterator[sqlite3.Connection]:
        """A connection. A file that is damaged is set aside: what the event log still holds is counted again."""
        connection = sqlite3.connect(self._file, timeout=5, isolation_level=None)
        try:
            _prepare(connection)
        except sqlite3.DatabaseError as error:
            connection.close()
            if not damaged(error):
                raise
            self._file.rename(self._file.with_suffix(".damaged"))
            connection = sqlite3.connect(self._file, timeout=5, isolation_level=None)
            _prepare(connection)
        with closing_without_trace(connection):
            yield connection


def _prepare(connection: sqlite3.Connection) -> None:
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute("PRAGMA synchronous=NORMAL")
    connection.execute("PRAGMA secure_delete=ON")  # the lists hold addresses
    connection.executescript(_SCHEMA)


def _changes(connection: sqlite3.Connection) -> int:
    """How often names were changed."""
    return int(connection.execute(_CHANGES).fetchone()[0])


def _renamed(names: Mapping[str, int], renamed: Callable[[str], str]) -> dict[str, int]:
    found: dict[str, int] = {}
    for who, times in names.items():
        found[renamed(who)] = found.get(renamed(who), 0) + times
    return found


def _compact(value: object) -> str:
    return json.dumps(value, ensure_ascii=True, separators=(",", ":"))
