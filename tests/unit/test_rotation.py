"""A part of a log ends without a moment without a log file, and the oldest parts are overwritten below the cap."""

import fcntl
import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from ksmg.retention import rotation
from ksmg.retention.log_parts import log_parts
from ksmg.retention.rotation import end_part, lock_log, main, make_room, recover
from ksmg.retention.units import environment, part_size
from unit.crash_points import content, crashes, restore, seen_at_unlink

UNIT = 100
CAP = 1000


def grown(directory: Path, lines: int) -> Path:
    """A log that a daemon wrote numbered lines of ten bytes to, with its parts ended as rsyslog has them ended."""
    active = directory / "maillog"
    active.touch(mode=0o640)
    for number in range(lines):
        with active.open("a", encoding="utf-8") as log:
            log.write(f"{number:09}\n")
        if active.stat().st_size >= UNIT:
            end_part(active, UNIT)
            make_room(active, CAP, UNIT)
    return active


def total(active: Path) -> int:
    return sum(part.stat().st_size for part in (*log_parts(active), active))


def lines(active: Path) -> list[int]:
    """The numbers of all lines that are kept, oldest first."""
    return [int(line) for part in (*log_parts(active), active) for line in part.read_text("utf-8").split()]


@given(count=st.integers(0, 400))
def test_log_is_below_its_cap_and_makes_use_of_it(tmp_path_factory: pytest.TempPathFactory, count: int) -> None:
    active = grown(tmp_path_factory.mktemp("log"), count)
    assert total(active) <= CAP
    assert total(active) >= min(count * 10, 0.9 * CAP)


def test_newest_lines_are_kept_in_their_order(tmp_path: Path) -> None:
    kept = lines(grown(tmp_path, 1000))
    assert kept == list(range(kept[0], 1000))


def test_new_part_has_mode_and_owner_of_the_log(tmp_path: Path) -> None:
    active = grown(tmp_path, 5)
    active.chmod(0o640)
    end_part(active, 1)
    assert (active.stat().st_mode & 0o777, active.stat().st_size) == (0o640, 0)


def test_part_that_somebody_else_ended_is_not_ended_again(tmp_path: Path) -> None:
    active = grown(tmp_path, 5)
    end_part(active, UNIT)
    assert log_parts(active) == []


def test_oldest_part_is_overwritten_before_it_goes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    active, seen = grown(tmp_path, 95), seen_at_unlink(monkeypatch)
    make_room(active, CAP - 2 * UNIT, UNIT)
    assert seen
    assert not any(data.strip(b"\0") for data in seen)


def test_crash_while_a_part_ends_loses_no_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    place, active = tmp_path / "log", tmp_path / "log" / "maillog"
    grown(tmp_path, 45)
    scene = {name: data for name, data in content(tmp_path).items() if name.startswith("maillog")}
    for _ in crashes(lambda: end_part(active, 50), lambda: restore(place, scene), monkeypatch):
        recover(active)
        assert lines(active) == list(range(45))
        assert active.exists()
        end_part(active, 50)
        assert {path.name.partition(".")[0] for path in place.iterdir()} == {"maillog"}


def test_crash_while_parts_are_erased_keeps_the_cap_after_the_next(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place, active = tmp_path / "log", tmp_path / "log" / "maillog"
    grown(tmp_path, 95)
    scene = {name: data for name, data in content(tmp_path).items() if name.startswith("maillog")}
    for _ in crashes(lambda: make_room(active, 500, UNIT), lambda: restore(place, scene), monkeypatch):
        make_room(active, 500, UNIT)
        assert total(active) <= 500
        assert lines(active)[-1] == 94


def test_command_takes_all_as_one_argument(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    active = grown(tmp_path, 95)
    monkeypatch.setattr(rotation, "LOCKS", tmp_path / "locks")
    monkeypatch.setattr(rotation.lock_log, "__defaults__", (tmp_path / "locks",))
    monkeypatch.setattr(os, "fork", lambda: 0)
    monkeypatch.setattr(os, "setsid", lambda: None)
    main([f"{active} 400 50"])
    assert active.stat().st_size == 0
    assert total(active) <= 400


def test_log_is_rotated_by_one_at_a_time(tmp_path: Path) -> None:
    held = lock_log(tmp_path / "maillog", tmp_path / "locks")
    other = os.open(tmp_path / "locks/maillog.lock", os.O_RDWR)
    with pytest.raises(BlockingIOError):
        fcntl.flock(other, fcntl.LOCK_EX | fcntl.LOCK_NB)
    os.close(other)
    os.close(held)


@given(cap=st.integers(1, 10**12))
def test_a_part_is_at_most_a_tenth_of_its_cap(cap: int) -> None:
    assert part_size(cap) <= max(cap // 10, 1)


def test_environment_names_the_command_with_cap_and_part() -> None:
    text = environment(iter([(Path("/var/log/ksmg-important"), 500_000_000)]))
    assert text == (
        "KSMG_UNIT_KSMG_IMPORTANT=5000000\n"
        "KSMG_ROTATE_KSMG_IMPORTANT=/usr/libexec/ksmg/rotate-log /var/log/ksmg-important 500000000 5000000\n"
    )
