"""The event logs: caps by age, size and records, search, and the recorder that never holds up mail."""

import dataclasses
import itertools
import socket
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from ksmg.filter.recorder import Recorder, message_line, message_severity, system_line
from ksmg.stores.flight_record import FlightRecord
from ksmg.stores.message_events import Criteria, MessageEvent, MessageEventLog
from ksmg.stores.statistics import Statistics
from ksmg.stores.system_events import Name, SystemEvent, SystemEventLog
from ksmg.system.syslog import Severity, Syslog

EVENT = MessageEvent(
    id="1", time=1.0, node="n", queue_id="4X", message_id="<m>", client_ip="192.0.2.1", client_name="c", helo="h",
    account="", sender="a@x", recipients=("b@y",), subject="s", size=10, attachments=("a.pdf",), rule="Default",
    verdicts=({"check": "antivirus", "status": "clean"},), action="deliver", reply="", backup_id="", milliseconds=1.5,
)  # fmt: skip


def events(count: int, size: int = 10) -> list[MessageEvent]:
    return [
        dataclasses.replace(EVENT, id=f"{time.time_ns()}-{number}", time=time.time(), subject="x" * size)
        for number in range(count)
    ]


@pytest.fixture
def log(tmp_path: Path) -> Iterator[MessageEventLog]:
    opened = MessageEventLog(tmp_path, days=3, cap=10_000_000)
    yield opened
    opened.close()


def test_an_event_comes_back_as_it_was(log: MessageEventLog) -> None:
    log.add([EVENT])
    assert log.search() == [EVENT]


def test_events_are_found_by_queue_id_and_time(log: MessageEventLog) -> None:
    others = [
        dataclasses.replace(EVENT, id=str(number), time=float(number), queue_id=f"Q{number}") for number in (2, 3)
    ]
    log.add([EVENT, *others])
    assert [event.id for event in log.search(Criteria(queue_id="4X"))] == ["1"]
    assert [event.id for event in log.search(Criteria(since=2.0))] == ["3", "2"]
    assert [event.id for event in log.search(limit=1)] == ["3"]


def test_a_flight_record_is_found_by_every_name_of_its_message(log: MessageEventLog) -> None:
    record = FlightRecord("1", 1.0, {"rules": [{"rule": "Default", "matched": True}]})
    log.add([EVENT, dataclasses.replace(EVENT, id="2", message="1"), record])
    assert [log.record(name) for name in ("1", "2", "4X", "5X")] == [record, record, record, None]


def test_flight_records_stream_from_the_oldest(log: MessageEventLog) -> None:
    kept = [FlightRecord(str(number), float(number), {"number": number}) for number in range(4)]
    log.add(kept)
    assert list(log.records(since=1.0)) == kept[1:]


def test_the_oldest_segments_go_below_the_cap_and_not_below_nine_tenths_of_it(tmp_path: Path) -> None:
    log, sizes = MessageEventLog(tmp_path, days=3, cap=4_000_000), []
    for _ in range(55):
        log.add(events(20, 5_000))
        sizes.append(log.size())
    full = next(number for number, size in enumerate(sizes) if size > 3_600_000)
    assert max(sizes) <= 4_000_000
    assert min(sizes[full:]) > 4_000_000 * 0.8  # one segment of a twentieth below nine tenths
    assert all(before >= 3_600_000 for before, after in itertools.pairwise(sizes) if after < before - 100_000)
    log.close()


def test_a_segment_older_than_the_days_is_deleted(log: MessageEventLog, tmp_path: Path) -> None:
    now = time.time()
    for age in (3.3, 2.9):
        name = time.strftime("%Y-%m-%dT%H.00000.sqlite", time.gmtime(now - age * 86_400))
        sqlite3.connect(tmp_path / name).execute("CREATE TABLE x (y)").connection.close()
    log.add([EVENT])
    assert len(list(tmp_path.glob("*.sqlite"))) == 2


def test_age_deletes_without_new_mail_too(log: MessageEventLog, tmp_path: Path) -> None:
    log.add(events(1))
    log.expire(time.time() + 2.9 * 86_400)
    assert len(log.search()) == 1
    log.expire(time.time() + 3.3 * 86_400)
    log.finish_erasing()
    assert not list(tmp_path.glob("*.sqlite*"))


def test_a_closed_segment_is_one_file(log: MessageEventLog, tmp_path: Path) -> None:
    log.add([EVENT])
    log.close()
    assert [path.suffix for path in tmp_path.iterdir()] == [".sqlite"]
    assert (next(tmp_path.iterdir())).read_bytes()[18:20] == b"\x01\x01"  # no write-ahead log is needed to read it


def test_what_a_kill_left_is_folded_in_at_the_next_segment(log: MessageEventLog, tmp_path: Path) -> None:
    old = tmp_path / time.strftime("%Y-%m-%dT%H.00000.sqlite", time.gmtime(time.time() - 86_400))
    killed = f"import sqlite3, os; c = sqlite3.connect({str(old)!r}); c.execute('PRAGMA journal_mode=WAL');"
    killed += "c.execute('CREATE TABLE x (y)'); c.commit(); os._exit(9)"
    subprocess.run([sys.executable, "-c", killed], check=False)
    assert list(tmp_path.glob("*-wal"))
    log.add([EVENT])
    log.finish_erasing()
    assert not list(tmp_path.glob(f"{old.name}-*"))


@pytest.mark.parametrize("content", [b"not a database" * 100, b"SQLite format 3\0" + b"\xff" * 5000])
def test_a_damaged_segment_is_set_aside_and_told(log: MessageEventLog, tmp_path: Path, content: bytes) -> None:
    told: list[str] = []
    log.report_to(lambda name, _: told.append(name))
    log.add([EVENT])
    log.close()
    (segment,) = tmp_path.glob("*.sqlite")
    segment.write_bytes(content)
    log.add(events(1))
    assert told == [segment.name]
    assert segment.with_suffix(".damaged").read_bytes() == content
    assert len(log.search()) == 1


def test_a_damaged_older_segment_does_not_break_the_search(log: MessageEventLog, tmp_path: Path) -> None:
    old = tmp_path / time.strftime("%Y-%m-%dT%H.00000.sqlite", time.gmtime(time.time() - 86_400))
    log.add([EVENT])
    old.write_bytes(b"not a database" * 100)
    page = log.page()
    assert (page.events, page.unreadable) == ((EVENT,), (old.name,))
    assert not old.exists()


def test_a_damaged_segment_counts_and_ages_like_others(log: MessageEventLog, tmp_path: Path) -> None:
    log.add([EVENT])
    kept = log.size()
    name = time.strftime("%Y-%m-%dT%H.00000.damaged", time.gmtime(time.time() - 86_400))
    (tmp_path / name).write_bytes(b"x" * 1000)
    assert log.size() == kept + 1000
    log.expire(time.time() + 2.5 * 86_400)
    log.finish_erasing()
    assert log.size() == kept


def test_events_are_in_order_after_the_clock_was_set_back(log: MessageEventLog, tmp_path: Path) -> None:
    later = tmp_path / time.strftime("%Y-%m-%dT%H.00000.sqlite", time.gmtime(time.time() + 86_400))
    log.add([EVENT])
    log.close()
    next(tmp_path.glob("*.sqlite")).rename(later)
    log.add([dataclasses.replace(EVENT, id="2")])
    assert [event.id for event in log.search()] == ["2", "1"]


def test_what_is_stored_after_a_place_is_found_again(log: MessageEventLog) -> None:
    place = log.add([EVENT])
    newest = log.add([dataclasses.replace(EVENT, id=name) for name in "23"])
    assert [event.id for _, event in log.after(place)] == ["2", "3"]
    assert list(log.after(newest)) == []
    assert log.end() == newest


def test_a_restart_goes_on_with_the_same_segment(log: MessageEventLog, tmp_path: Path) -> None:
    log.add([EVENT])
    log.close()
    log.add(events(1))
    assert len(list(tmp_path.glob("*.sqlite"))) == 1
    assert len(log.search()) == 2


def test_system_events_keep_the_newest_records(tmp_path: Path) -> None:
    log = SystemEventLog(tmp_path, records=3)
    for number in range(5):
        log.add(SystemEvent(Name.ENGINE_UP, {"number": number}))
    assert [event.detail["number"] for event in log.newest()] == [4, 3, 2]
    assert log.count() == 3


def test_many_system_events_are_one_transaction(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    opened = []

    def connect(*args: Any, connect: Any = sqlite3.connect, **more: Any) -> Any:
        opened.append(args)
        return connect(*args, **more)

    monkeypatch.setattr(sqlite3, "connect", connect)
    log = SystemEventLog(tmp_path, records=3)
    log.add_all(SystemEvent(Name.ENGINE_UP, {"number": number}) for number in range(2000))
    assert len(opened) == 1
    assert [event.detail["number"] for event in log.newest()] == [1999, 1998, 1997]


def test_system_events_of_a_new_appliance_are_none(tmp_path: Path) -> None:
    log = SystemEventLog(tmp_path, records=3)
    assert (log.newest(), log.count()) == ([], 0)


@pytest.fixture
def device(tmp_path: Path) -> Iterator[socket.socket]:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as receiver:
        receiver.bind(str(tmp_path / "log"))
        receiver.settimeout(5)
        yield receiver


@pytest.fixture
def idle(tmp_path: Path, log: MessageEventLog, device: socket.socket) -> Iterator[Recorder]:
    """A recorder whose thread has not begun."""
    syslog = Syslog("ksmg-filter", tmp_path / "log")
    yield Recorder(log, SystemEventLog(tmp_path, 100), syslog)
    syslog.close()


@pytest.fixture
def recorder(idle: Recorder) -> Recorder:
    idle.start()
    return idle


def test_what_became_too_old_while_the_machine_was_off_goes_at_the_start(
    idle: Recorder, log: MessageEventLog, tmp_path: Path
) -> None:
    log.add([EVENT])
    log.close()
    (segment,) = tmp_path.glob("*.sqlite")
    segment.rename(segment.with_name("2026-01-01T00.00000.sqlite"))
    idle.start()
    idle.stop()
    assert log.search() == []


def test_the_recorder_writes_store_and_log_lines(
    recorder: Recorder, log: MessageEventLog, device: socket.socket, tmp_path: Path
) -> None:
    recorder.record(EVENT)
    recorder.record(SystemEvent(Name.ENGINE_DOWN, {"check": "antivirus"}, "kluser"))
    recorder.stop()
    assert log.search() == [EVENT]
    assert SystemEventLog(tmp_path, 100).newest()[0].name is Name.ENGINE_DOWN
    lines = [device.recv(8192) for _ in range(2)]
    assert lines[0].startswith(b"<134>")  # local0, information
    assert lines[1].startswith(b"<131>")  # local0, error
    assert b"event=engine_down account=kluser check=antivirus" in lines[1]


def test_a_message_with_its_record_is_stored_together(recorder: Recorder, log: MessageEventLog) -> None:
    recorder.message([EVENT, dataclasses.replace(EVENT, id="2", message="1")], FlightRecord("1", 1.0, {"x": 1}))
    recorder.stop()
    assert [event.id for event in log.search()] == ["2", "1"]
    assert log.record("4X") == FlightRecord("1", 1.0, {"x": 1})


def test_statistics_go_on_where_a_killed_recorder_left_them(
    log: MessageEventLog, device: socket.socket, tmp_path: Path
) -> None:
    log.add([EVENT])  # stored and never counted
    statistics = Statistics(tmp_path)
    for number in range(2):
        syslog = Syslog("ksmg-filter", tmp_path / "log")
        recorder = Recorder(log, SystemEventLog(tmp_path, 100), syslog, statistics)
        recorder.start()
        recorder.record(dataclasses.replace(EVENT, id=f"new {number}"))
        recorder.stop()
        syslog.close()
    ((_, counters),) = statistics.hours(0, 3600)
    assert counters["total"][""] == [3, 30]


def test_events_are_indexed_when_there_is_time_for_it(
    idle: Recorder, log: MessageEventLog, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ksmg.filter.recorder._INDEXED_AT_ONCE", 3)
    idle.write([EVENT] * 2)
    idle.rest()
    assert log.unindexed() == 2
    idle.write([EVENT] * 2)
    idle.rest()
    assert log.unindexed() == 0


def test_an_event_without_room_is_in_the_log_file_and_counted(
    recorder: Recorder, device: socket.socket, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ksmg.filter.recorder._MOST_WAITING", 0)
    recorder.record(EVENT)
    assert b"event=message" in device.recv(8192)
    monkeypatch.undo()
    recorder.record(SystemEvent(Name.ENGINE_UP))
    recorder.stop()
    assert Name.EVENTS_LOST in [event.name for event in SystemEventLog(tmp_path, 100).newest()]


@pytest.mark.usefixtures("device")
def test_a_defect_does_not_end_the_recorder(
    idle: Recorder, log: MessageEventLog, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as broken:
        broken.setattr(log, "add", lambda _: 1 / 0)
        idle.write([EVENT])
    idle.start()
    idle.record(EVENT)
    idle.stop()
    assert len(log.search()) == 1


def test_events_that_cannot_be_stored_are_counted_and_still_logged(
    recorder: Recorder, log: MessageEventLog, device: socket.socket, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(_: object) -> None:
        raise sqlite3.OperationalError("disk is full")

    monkeypatch.setattr(log, "add", fail)
    recorder.record(EVENT)
    recorder.stop()
    assert b"event=message" in device.recv(8192)
    (lost,) = SystemEventLog(tmp_path, 100).newest()
    assert (lost.name, lost.detail) == (Name.EVENTS_LOST, {"count": 1})


@pytest.mark.parametrize(
    ("status", "action", "severity"),
    [
        ("clean", "deliver", Severity.INFORMATION),
        ("spam", "tag", Severity.NOTICE),
        ("infected", "reject", Severity.WARNING),
        ("unscanned", "tag", Severity.WARNING),
        ("clean", "tempfail", Severity.WARNING),
        ("clean", "quarantine", Severity.NOTICE),
        ("macro", "delete_attachment", Severity.WARNING),
    ],
)
def test_malware_and_unscanned_mail_is_important(status: str, action: str, severity: Severity) -> None:
    event = dataclasses.replace(EVENT, verdicts=({"check": "c", "status": status},), action=action)
    assert message_severity(event) is severity


def test_a_line_has_the_verdicts_and_cuts_long_lists() -> None:
    verdicts = ({"check": "antispam", "status": "spam", "detail": "20/15", "evidence": ["GTUBE"]},)
    line = message_line(dataclasses.replace(EVENT, recipients=tuple("x" * 80), verdicts=verdicts))
    assert 'antispam="spam 20/15 GTUBE"' in line
    assert '"and 30 more"' in line


def test_no_value_forges_a_pair_or_a_line() -> None:
    event = dataclasses.replace(EVENT, subject='x" action=deliver\nevent=message')
    line = message_line(event)
    assert "\n" not in line
    assert 'subject="x\\" action=deliver\\nevent=message"' in line


def test_system_events_are_lines_too() -> None:
    assert system_line(SystemEvent(Name.FILTER_STARTED, account="kluser")) == "event=filter_started account=kluser"


def test_a_log_daemon_that_is_gone_costs_lines_but_nothing_else(tmp_path: Path) -> None:
    syslog = Syslog("ksmg-filter", tmp_path / "none")
    syslog.send(Severity.ERROR, "x")
    assert syslog.lost == 1


def test_a_log_daemon_that_was_restarted_gets_the_next_line(tmp_path: Path) -> None:
    syslog = Syslog("ksmg-filter", tmp_path / "log")
    for _ in range(2):
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as receiver:
            receiver.bind(str(tmp_path / "log"))
            syslog.send(Severity.ERROR, "a\nb")
            assert receiver.recv(100).endswith(b": a b")
        (tmp_path / "log").unlink()
    assert syslog.lost == 0
    syslog.close()
