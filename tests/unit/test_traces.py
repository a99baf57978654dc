"""Trace streams: levels, the cap, other processes, a full disk."""

import errno
import multiprocessing
import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from ksmg.diagnostics import levels, trace, trace_file
from ksmg.diagnostics.levels import LevelsInForce
from ksmg.diagnostics.trace import COMPONENTS, Level, Trace
from ksmg.diagnostics.trace_file import TraceFile
from ksmg.diagnostics.trace_writer import MOST_WAITING, Stream, TraceWriter
from ksmg.policy import DataPolicy, Location
from ksmg.settings import SETTINGS, Settings, parse_settings
from ksmg.stores.system_events import Name, SystemEvent

CAP = 40_000
LINE = b"x" * 99 + b"\n"


def file_in(directory: Path, cap: int = CAP) -> TraceFile:
    return TraceFile(directory, "filter", lambda: cap)


def lines_of(directory: Path) -> list[bytes]:
    file = file_in(directory)
    return b"".join(part.read_bytes() for part in (*file.parts(), directory / "filter.log")).splitlines()


@pytest.fixture
def traced(policy: DataPolicy, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Trace]:
    """A trace of the component `filter` that writes to a scratch directory."""
    monkeypatch.setattr(trace, "trace_file", lambda _, component, __: TraceFile(tmp_path, component, lambda: CAP))
    trace.start(policy, lambda *_: None, lambda _: CAP)
    yield Trace("filter")
    trace.stop()
    trace.apply({})


def test_a_trace_is_off_until_a_level_is_set(traced: Trace, tmp_path: Path) -> None:
    traced.write("a", Level.ERROR)
    trace.stop()
    assert (traced.enabled, traced.detailed, list(tmp_path.iterdir())) == (False, False, [])


@pytest.mark.parametrize(("level", "kept"), [("error", 1), ("info", 2), ("debug", 3)])
def test_a_level_includes_those_above_it(traced: Trace, tmp_path: Path, level: str, kept: int) -> None:
    trace.apply({"filter": level})
    for each in (Level.ERROR, Level.INFO, Level.DEBUG):
        traced.write("a line", each)
    trace.stop()
    assert len(lines_of(tmp_path)) == kept


def test_whatever_is_traced_stays_one_line(traced: Trace, tmp_path: Path) -> None:
    trace.apply({"filter": "info"})
    traced.write("a\r\nb\x00\x1b[31m\u2028\udcff\\n")
    trace.stop()
    assert [line.partition(b" info ")[2] for line in lines_of(tmp_path)] == [
        rb"a\r\nb\x00\x1b[31m\x2028\udcff\\n",
    ]


def test_every_component_has_a_setting_that_is_off_and_a_place(policy: DataPolicy) -> None:
    rows = {setting.key.partition(".")[2]: setting for setting in SETTINGS if setting.key.startswith("traces.")}
    assert rows.keys() == COMPONENTS.keys()
    assert {(row.default, row.permission) for row in rows.values()} == {("off", "obtain_diagnostics")}
    assert {trace.location(policy, component).place for component in COMPONENTS} == {
        location.place for location in policy.row("traces").locations if location.retention.per == "stream"
    }


def test_levels_come_from_the_settings() -> None:
    assert trace.levels(parse_settings({"traces": {"web": "debug", "milter": "off"}})) == {"web": "debug"}


def test_a_stream_stays_below_its_cap_and_above_nine_tenths_of_it(tmp_path: Path) -> None:
    file, full = file_in(tmp_path), False
    for _ in range(1000):
        file.append([LINE])
        full = full or file.size() >= 0.95 * CAP
        assert file.size() <= CAP
        assert not full or file.size() >= 0.9 * CAP


def test_the_oldest_part_goes_first_and_the_newest_line_is_kept(tmp_path: Path) -> None:
    file_in(tmp_path).append([b"%099d\n" % number for number in range(1000)])
    numbers = [int(line) for line in lines_of(tmp_path)]
    assert numbers == list(range(numbers[0], 1000))


def test_evicted_parts_are_overwritten(tmp_path: Path) -> None:
    file = file_in(tmp_path)
    file.append([LINE])
    (oldest := tmp_path / "filter.log.1").write_bytes(b"secret")
    kept = os.open(oldest, os.O_RDONLY)
    file.append([LINE] * 500)
    assert not oldest.exists()
    assert os.read(kept, 100) == bytes(6)
    os.close(kept)


def test_a_smaller_cap_holds_from_the_next_part_on(tmp_path: Path) -> None:
    file_in(tmp_path).append([LINE] * 380)
    file = file_in(tmp_path, CAP // 4)
    file.append([LINE])
    assert file.size() <= CAP // 4


def test_a_line_that_is_too_long_is_cut(tmp_path: Path) -> None:
    file_in(tmp_path).append([b"y" * CAP + b"\n", LINE])
    cut, whole = lines_of(tmp_path)
    assert (len(cut), cut[-4:], whole + b"\n") == (CAP // 200 - 1, b" ...", LINE)


def test_a_line_that_a_killed_process_tore_does_not_swallow_the_next(tmp_path: Path) -> None:
    (tmp_path / "filter.log").write_bytes(b"torn")
    file_in(tmp_path).append([LINE])
    assert lines_of(tmp_path) == [b"torn", LINE.strip()]


def write_many(directory: Path, mark: bytes, count: int) -> None:
    file = file_in(directory, 10**6)
    for number in range(count):
        file.append([b"%s %08d\n" % (mark, number)])


def test_two_processes_of_one_component_lose_and_tear_nothing(tmp_path: Path) -> None:
    writers = [multiprocessing.Process(target=write_many, args=(tmp_path, mark, 4000)) for mark in (b"a", b"b")]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join(60)
    found = lines_of(tmp_path)
    assert sorted(found) == sorted(b"%s %08d" % (mark, n) for mark in (b"a", b"b") for n in range(4000))


def test_after_a_kill_at_any_moment_every_line_is_whole_and_the_cap_holds(tmp_path: Path) -> None:
    for _ in range(5):
        writer = multiprocessing.Process(target=write_many, args=(tmp_path, b"k", 10**9))
        writer.start()
        while file_in(tmp_path).size() < 20_000:
            pass
        os.kill(writer.pid or 0, signal.SIGKILL)
        writer.join(60)
        file_in(tmp_path).append([b"k 00000000\n"])
        assert {len(line) for line in lines_of(tmp_path)} == {10}
        assert file_in(tmp_path).size() <= CAP
        file_in(tmp_path).erase()


def test_a_symbolic_link_in_the_place_is_not_followed(tmp_path: Path) -> None:
    (target := tmp_path / "precious").write_bytes(b"precious")
    (tmp_path / "filter.log").symlink_to(target)
    with pytest.raises(OSError, match="symbolic links"):
        file_in(tmp_path).append([LINE])
    assert target.read_bytes() == b"precious"


class Disk(TraceFile):
    """A stream whose disk can be full."""

    full = False

    def append(self, lines: list[bytes]) -> None:  # type: ignore[override]
        if self.full:
            raise OSError(errno.ENOSPC, "No space left on device")
        super().append(lines)


def test_a_full_disk_is_said_once_and_the_trace_goes_on_when_there_is_room(tmp_path: Path) -> None:
    reports, now = [], [0.0]
    disk = Disk(tmp_path, "filter", lambda: CAP)
    writer, stream = TraceWriter(lambda *report: reports.append(report), lambda: now[0]), Stream("filter", disk)
    disk.full = True
    for seconds in (0, 1, 20, 21):
        now[0] = seconds
        writer.put(stream, b"lost\n")
        assert writer.flush()
    disk.full, now[0] = False, 40
    writer.put(stream, LINE)
    writer.close()
    lost, kept = lines_of(tmp_path)
    assert reports == [("filter", "No space left on device")]
    assert lost.endswith(b"error 4 lines were lost")
    assert kept + b"\n" == LINE


def test_the_last_of_the_disk_is_left_to_the_mail_log(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trace_file, "_RESERVED", 1)
    monkeypatch.setattr(trace_file, "_MOST_RESERVED", 2**80)
    with pytest.raises(OSError, match="No space left"):
        file_in(tmp_path).append([LINE])
    assert file_in(tmp_path).size() == 0


def test_more_than_may_wait_is_lost_and_counted(tmp_path: Path) -> None:
    writer, stream = TraceWriter(lambda *_: None), Stream("filter", file_in(tmp_path))
    writer.put(stream, b"z" * (MOST_WAITING + 1))
    writer.put(stream, LINE)
    writer.close()
    assert lines_of(tmp_path)[0].endswith(b"error 1 lines were lost")


def test_a_changed_settings_file_changes_the_level_and_a_wrong_one_does_not(
    policy: DataPolicy, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "gateway.json"
    monkeypatch.setattr(levels, "settings_file", lambda _: file)
    in_force, traced, seen = LevelsInForce(policy, Settings({}), lambda _: None), Trace("filter"), []
    for text in ('{"traces": {"filter": "debug"}}', '{"traces": {"filter": "loud"}}', "{}"):
        file.write_text(text)
        in_force.refresh()
        seen.append(traced.level)
    trace.stop()
    assert seen == [Level.DEBUG, Level.DEBUG, Level.OFF]


def test_a_trace_that_the_disk_stopped_is_a_system_event(policy: DataPolicy, tmp_path: Path) -> None:
    events: list[SystemEvent] = []
    in_force = LevelsInForce(policy, Settings({}), events.append)
    disk = Disk(tmp_path, "web", lambda: CAP)
    disk.full = True
    writer = TraceWriter(in_force._stopped)
    writer.put(Stream("web", disk), LINE)
    writer.close()
    trace.stop()
    assert [(event.name, event.detail["component"]) for event in events] == [(Name.TRACE_STOPPED, "web")]


def test_a_place_that_cannot_be_used_is_told_once_and_raises_nothing(policy: DataPolicy) -> None:
    def unknown(_: Location) -> int:
        raise OSError(errno.EACCES, "no mount table")

    reports: list[str] = []
    trace.start(policy, lambda component, _: reports.append(component), unknown)
    traced = Trace("filter")
    trace.apply({"filter": "info"})
    traced.write("a")
    traced.write("b")
    trace.stop()
    trace.apply({})
    assert reports == ["filter"]
