"""The event logs: caps by age, size and records, search, and the recorder that never holds up mail."""

import dataclasses
import socket
import sqlite3
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from ksmg.filter.recorder import Recorder, message_line, message_severity, system_line
from ksmg.stores.flight_record import FlightRecord
from ksmg.stores.message_events import MessageEvent, MessageEventLog
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
    assert [event.id for event in log.search(queue_id="4X")] == ["1"]
    assert [event.id for event in log.search(since=2.0)] == ["3", "2"]
    assert [event.id for event in log.search(limit=1)] == ["3"]


def test_a_flight_record_is_found_by_every_name_of_its_message(log: MessageEventLog) -> None:
    record = FlightRecord("1", 1.0, {"rules": [{"rule": "Default", "matched": True}]})
    log.add([EVENT, dataclasses.replace(EVENT, id="2", message="1"), record])
    assert [log.record(name) for name in ("1", "2", "4X", "5X")] == [record, record, record, None]


def test_flight_records_stream_from_the_oldest(log: MessageEventLog) -> None:
    kept = [FlightRecord(str(number), float(number), {"number": number}) for number in range(4)]
    log.add(kept)
    assert list(log.records(since=1.0)) == kept[1:]


def test_segments_are_limited_and_the_oldest_deleted_below_the_cap(tmp_path: Path) -> None:
    log = MessageEventLog(tmp_path, days=3, cap=2_000_000)
    newest = ""
    for _ in range(60):
        batch = events(20, 5_000)
        newest = batch[-1].id
        log.add(batch)
        assert log.size() <= 2_000_000 + 150_000  # one batch above a segment's share
    assert len(list(tmp_path.glob("*.sqlite"))) > 3
    assert log.size() > 2_000_000 * 0.8
    assert log.search(limit=1)[0].id in {event.id for event in log.search(limit=25)} | {newest}
    log.close()


def test_a_segment_older_than_the_days_is_deleted(log: MessageEventLog, tmp_path: Path) -> None:
    for day in ("2020-01-01", time.strftime("%Y-%m-%d", time.gmtime(time.time() - 86_400))):
        sqlite3.connect(tmp_path / f"{day}.000.sqlite").close()
        (tmp_path / f"{day}.000.sqlite").write_bytes(b"")
    log.add([EVENT])
    assert not list(tmp_path.glob("2020*"))
    assert len(list(tmp_path.glob("*.sqlite"))) == 2


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
def recorder(tmp_path: Path, log: MessageEventLog, device: socket.socket) -> Iterator[Recorder]:
    syslog = Syslog("ksmg-filter", tmp_path / "log")
    made = Recorder(log, SystemEventLog(tmp_path, 100), syslog)
    made.start()
    yield made
    syslog.close()


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
