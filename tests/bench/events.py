"""The message event log with very many events: what storing one costs, and how long searching them takes.

`python -m bench.events OUT [--events N]`; 10,000,000 events unless fewer are asked for, which take 8 GB below OUT.
"""

from __future__ import annotations

import argparse
import contextlib
import gc
import ipaddress
import json
import os
import random
import shutil
import socket
import statistics
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

from ksmg.filter.recorder import Recorder
from ksmg.stores.message_events import Criteria, FlightRecord, MessageEvent, MessageEventLog
from ksmg.stores.statistics import Statistics
from ksmg.stores.system_events import SystemEventLog
from ksmg.system.syslog import Severity, Syslog

from bench.mail.bars import Bar

EVENTS = 10_000_000
CAP = 12_000_000_000
"""Bytes; the appliance's own cap of 1 GB would hold a tenth of the events."""
DAYS = 3
RECORD_EVERY = 10
"""Events for one of which there is a flight record here, to save space; searching does not look at them."""
SEARCHES = 400
LARGEST_P95 = 200.0
"""Milliseconds."""
LARGEST_CPU = 0.1
"""Milliseconds of the recorder's thread for one event with its flight record: 2 % of the 5 that Postfix spends."""
_BATCH, _BATCH_OF_MAIL, _PART, _PARTS = 2_000, 10, 2_000, 9
_END = "the end"
_SPAN = 3 * 86_400.0
_PASSES = ("cold", "warm")
"""Of the searches: first with nothing of the files in memory, then once more."""
_SUFFIXES = ("pdf", "docx", "png", "zip")
_OUTCOMES = (("infected", 0.0005, "reject"), ("macro", 0.001, "delete_attachment"), ("spam", 0.08, "skip"))


class Mail:
    """Makes events like those of a company's mail. The same seed gives the same mail."""

    def __init__(self, seed: int = 1) -> None:
        self._random = random.Random(seed)
        pick = self._random.choice
        syllables = [a + b for a in "bdfgklmnprstvz" for b in ("a", "e", "i", "o", "u", "an", "er", "is")]
        self._words = ["".join(pick(syllables) for _ in range(self._random.randint(1, 4))) for _ in range(20_000)]
        ends, top = ("", "-mail", "-group"), ("com", "org", "net", "test")
        domains = [f"{pick(self._words)}{pick(ends)}.{pick(top)}" for _ in range(30_000)]
        self.people = [f"{pick(self._words)}.{pick(self._words)}@{pick(domains)}" for _ in range(300_000)]
        ours = ("example.test", "example.com")
        self.staff = [f"{pick(self._words)}.{pick(self._words)}@{pick(ours)}" for _ in range(5_000)]
        self.clients = [str(ipaddress.ip_address(self._random.randint(0x0B000000, 0xDF000000))) for _ in range(100_000)]
        engines = {"antivirus": "ClamAV 1.4.3/27800", "phishing": "", "content": "", "authentication": ""}
        self._clean = tuple(
            {"check": check, "status": "clean", "engine": engine, "milliseconds": 3.1}
            for check, engine in engines.items()
        )

    def events(self, count: int, begin: float) -> Iterator[MessageEvent]:
        """Events at equal distances over three days."""
        for number in range(count):
            yield self.event(number, begin + number * _SPAN / count)

    def event(self, number: int, when: float) -> MessageEvent:
        """One event."""
        chance, pick = self._random.random, self._random.choice
        ident = f"{int(when * 1000):012x}-{number:012x}"
        sender = self.people[int(len(self.people) * chance() ** 3)]
        status, action = self._outcome(chance())
        spam = {
            "check": "antispam", "status": status if status == "spam" else "clean", "score": round(chance() * 20, 1),
            "evidence": ["MIME_GOOD(-0.1)", "R_SPF_ALLOW(-0.2)", "DMARC_POLICY_ALLOW(-0.5)"], "milliseconds": 40.2,
        }  # fmt: skip
        verdicts = (*self._clean, spam) if status in ("clean", "spam") else (*self._clean[1:], spam, _infected(status))
        domain = sender.partition("@")[2]
        attachment = f"{pick(self._words)}.{pick(_SUFFIXES)}"
        return MessageEvent(
            id=ident,
            time=when,
            node="gw1.example.test",
            queue_id=f"4j{number:011X}",
            message_id=f"<{number:x}.{ident[:9]}@{domain}>",
            client_ip=self.clients[int(len(self.clients) * chance() ** 2)],
            client_name=f"mx.{domain}",
            helo="mx",
            account="",
            sender=sender,
            recipients=tuple(pick(self.staff) for _ in range(1 if chance() < 0.9 else 4)),
            subject=" ".join(self._random.choices(self._words, k=int(2 + chance() * 6))).capitalize(),
            size=int(1500 * 1.5 ** (chance() * 20)),
            attachments=(attachment,) if chance() < 0.25 else (),
            rule="Default" if chance() < 0.95 else "Newsletters",
            verdicts=verdicts,
            action=action,
            reply="",
            backup_id="",
            milliseconds=43.2,
            direction="inbound",
            own_milliseconds=1.1,
        )

    @staticmethod
    def _outcome(chance: float) -> tuple[str, str]:
        for status, share, action in _OUTCOMES:
            if chance < share:
                return status, action
        return "clean", "skip"

    def searches(self, begin: float, count: int) -> Iterator[tuple[str, Criteria]]:
        """Searches of every kind in turn."""
        while True:
            yield from self._round(begin, count)

    def _round(self, begin: float, count: int) -> Iterator[tuple[str, Criteria]]:
        pick, number = self._random.choice, self._random.randrange(count)
        word, person, colleague, client = pick(self._words), pick(self.people), pick(self.staff), pick(self.clients)
        hour = begin + self._random.random() * (_SPAN - 3600)
        yield "newest", Criteria()
        yield "a word", Criteria(words=(word,))
        yield "two words", Criteria(words=(word, pick(self._words)))
        yield "a word that is nowhere", Criteria(words=(word[::-1] + "qx",))
        yield "two letters", Criteria(words=(word[:2],))
        yield "an address", Criteria(words=(person,))
        yield "sender contains", Criteria(sender=person[2:14])
        yield "sender contains a frequent text", Criteria(sender="er.an")
        yield "sender that is nowhere", Criteria(sender=person.replace("@", "@in-"))
        yield "recipient contains", Criteria(recipient=colleague)
        yield "sender and recipient", Criteria(sender=person.partition("@")[2], recipient=colleague.partition(".")[0])
        yield "subject contains", Criteria(subject=f"{word} {pick(self._words)[:3]}")
        yield "a client", Criteria(network=ipaddress.ip_network(client))
        yield "a network", Criteria(network=ipaddress.ip_network(f"{client}/20", strict=False))
        yield "a network without mail", Criteria(network=ipaddress.ip_network("10.1.0.0/16"))
        yield "action", Criteria(action="reject")
        yield "infected", Criteria(statuses=(("antivirus", "infected"),))
        yield "infected, of a sender", Criteria(statuses=(("antivirus", "infected"),), sender=person.partition("@")[0])
        yield "spam in an hour", Criteria(statuses=(("antispam", "spam"),), since=hour, until=hour + 3600)
        yield "a status that is nowhere", Criteria(statuses=(("content", "count"),))
        yield "queue id", Criteria(queue_id=f"4j{number:011X}")
        yield "queue id as a word", Criteria(words=(f"4j{number:011X}",))
        yield "message id that is nowhere", Criteria(message_id=f"{number}@{person}")
        yield "attachment contains", Criteria(attachment=word + ".z")
        yield "attachment that is nowhere", Criteria(attachment=".scr")
        yield "large, in an hour", Criteria(smallest=3_000_000, since=hour, until=hour + 3600)
        yield "larger than any", Criteria(smallest=10**9)
        yield "rule and word", Criteria(rule="Newsletters", words=(word,))


def _infected(status: str) -> dict[str, object]:
    return {"check": "antivirus", "status": status, "detail": "Win.Trojan.Agent-1", "engine": "ClamAV 1.4.3/27800"}


def record_of(event: MessageEvent) -> FlightRecord:
    """A flight record of the usual size."""
    rules = [
        {"rule": name, "tried": ["sender", "recipient"], "matched": name == event.rule}
        for name in ("AllowList", "DenyList", event.rule)
    ]
    document = {
        "envelope": {"client": event.client_ip, "sender": event.sender, "recipients": event.recipients},
        "rules": rules,
        "verdicts": event.verdicts,
    }
    return FlightRecord(event.id, event.time, document)


def fill(log: MessageEventLog, mail: Mail, count: int, begin: float) -> None:
    """Stores events as the recorder does, but more at a time."""
    events, done = mail.events(count, begin), 0
    while batch := list(islice(events, _BATCH)):
        log.add([*batch, *map(record_of, batch[::RECORD_EVERY])])
        while log.index(least=500):
            pass
        done += len(batch)
        if sys.stderr.isatty():
            print(f"\r  {done:,} events stored", end="", file=sys.stderr)


def search_times(log: MessageEventLog, searches: Sequence[tuple[str, Criteria]]) -> list[tuple[float, str, int]]:
    """Milliseconds of each search, its kind, and what it found."""
    found = []
    for kind, criteria in searches:
        started = time.perf_counter()
        events = log.search(criteria, limit=50)
        found.append(((time.perf_counter() - started) * 1000, kind, len(events)))
    return found


def _forget(directory: Path) -> None:
    for file in directory.glob("*.sqlite"):
        with file.open("rb") as opened:
            os.posix_fadvise(opened.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


def cpu_of_an_event(directory: Path, mail: Mail) -> float:
    """Milliseconds of CPU of the recorder for an event with its flight record: logs, store, index and statistics.

    The median of some parts, because other work on the machine disturbs it.
    """
    log, syslog = MessageEventLog(directory, DAYS, CAP), Syslog("bench", directory / "log")
    recorder = Recorder(log, SystemEventLog(directory, 100), syslog, Statistics(directory))
    events = list(mail.events(_PARTS * _PART, time.time() - _SPAN))
    pairs = [(event, record_of(event)) for event in events]
    gc.freeze()  # the filter does not have so many objects
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as receiver:
        receiver.bind(str(directory / "log"))
        threading.Thread(target=_take_lines, args=(receiver,), daemon=True).start()
        spent = [_record(recorder, pairs[first : first + _PART]) for first in range(0, len(pairs), _PART)]
        syslog.send(Severity.NOTICE, _END)
    gc.unfreeze()
    syslog.close()
    log.close()
    return statistics.median(spent) / _PART * 1000


def _record(recorder: Recorder, pairs: Sequence[tuple[MessageEvent, FlightRecord]]) -> float:
    """Seconds of CPU for some events and what follows from them."""
    started = time.thread_time()
    for first in range(0, len(pairs), _BATCH_OF_MAIL):
        recorder.write([one for pair in pairs[first : first + _BATCH_OF_MAIL] for one in pair])
    recorder.rest()
    return time.thread_time() - started


def _take_lines(receiver: socket.socket) -> None:
    with contextlib.suppress(OSError):  # closed at the end
        while not receiver.recv(9000).endswith(_END.encode()):
            pass


def run(out: Path, count: int = EVENTS) -> list[Bar]:
    """Measures, writes `events.json` into OUT, and returns the bars."""
    out.mkdir(parents=True, exist_ok=True)
    directory = Path(tempfile.mkdtemp(dir=out))
    try:
        mail, begin = Mail(), time.time() - _SPAN
        (directory / "small").mkdir()
        cpu = cpu_of_an_event(directory / "small", mail)
        log = MessageEventLog(directory, DAYS, CAP)
        started = time.perf_counter()
        fill(log, mail, count, begin)
        log.close()
        figures: dict[str, Any] = {
            "events": count,
            "bytes": log.size(),
            "seconds to fill": time.perf_counter() - started,
            "CPU of an event, ms": cpu,
        }
        searches = list(islice(mail.searches(begin, count), SEARCHES))
        _forget(directory)
        times = {name: search_times(log, searches) for name in _PASSES}
    finally:
        shutil.rmtree(directory)
    figures |= {name: _spread([taken for taken, _, _ in found]) for name, found in times.items()}
    figures["kinds"] = _kinds(times)
    (out / "events.json").write_text(json.dumps(figures, indent=2))
    return _bars(figures)


def _bars(figures: dict[str, Any]) -> list[Bar]:
    search = [
        Bar(
            f"search in {figures['events']:,} events, {name}: p95", figures[name]["p95"], LARGEST_P95, "ms", least=False
        )
        for name in _PASSES
    ]
    return [*search, Bar("recording an event: CPU", figures["CPU of an event, ms"], LARGEST_CPU, "ms", least=False)]


def _spread(values: Sequence[float]) -> dict[str, float]:
    ordered = sorted(values)
    return {
        name: ordered[min(int(share * len(ordered)), len(ordered) - 1)]
        for name, share in (("p50", 0.5), ("p95", 0.95), ("max", 1))
    }


def _kinds(times: dict[str, list[tuple[float, str, int]]]) -> dict[str, dict[str, float]]:
    kinds: dict[str, dict[str, float]] = {}
    for name, found in times.items():
        for kind in dict.fromkeys(kind for _, kind, _ in found):
            of_kind = [taken for taken, of, _ in found if of == kind]
            kinds.setdefault(kind, {}).update({f"{name} p50": _spread(of_kind)["p50"], f"{name} max": max(of_kind)})
            kinds[kind]["found"] = sum(number for _, of, number in found if of == kind) / len(of_kind)
    return kinds


def main() -> int:
    """Prints the figures and the bars; 1 when one is missed."""
    parser = argparse.ArgumentParser(prog="bench.events", description=__doc__)
    parser.add_argument("out", type=Path, nargs="?", default=Path("out/bench/events"))
    parser.add_argument("--events", type=int, default=EVENTS)
    chosen = parser.parse_args()
    bars = run(chosen.out, chosen.events)
    figures = json.loads((chosen.out / "events.json").read_text())
    print(
        f"{figures['events']:,} events, {figures['bytes'] / 1e6:,.0f} MB, stored in {figures['seconds to fill']:.0f} s"
    )
    for kind, found in figures["kinds"].items():
        shown = (f"{name} {found[f'{name} p50']:7.1f} (max {found[f'{name} max']:7.1f}) ms" for name in _PASSES)
        print(f"  {kind:<34} found {found['found']:5.1f}   {'   '.join(shown)}")
    for bar in bars:
        print(bar.line())
    return 0 if all(bar.met for bar in bars) else 1


if __name__ == "__main__":
    sys.exit(main())
