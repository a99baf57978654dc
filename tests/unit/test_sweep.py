"""What no writer keeps in order by itself: keys, caches, caps that shrank, and the event of a cap that was reached."""

import os
import subprocess
from pathlib import Path, PurePosixPath

import pytest
from ksmg.policy import DataPolicy
from ksmg.retention import rotation, sweep
from ksmg.retention.filesystems import parse_mounts
from ksmg.retention.replaced import erase_replaced
from ksmg.retention.sweep import Sweep, is_in_image
from ksmg.settings import Settings
from ksmg.stores.locations import open_system_events
from ksmg.stores.system_events import Name
from unit.crash_points import seen_at_unlink
from unit.moved_policy import moved_policy

SIGNED = Settings({"dkim": [{"domain": "example.test", "selector": "a"}]})
KEY = b"-----BEGIN PRIVATE KEY-----"


@pytest.fixture
def policy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> DataPolicy:
    monkeypatch.setattr(rotation.lock_log, "__defaults__", (tmp_path / "locks",))
    return moved_policy(tmp_path)


@pytest.fixture
def swept(policy: DataPolicy, tmp_path: Path) -> Sweep:
    return Sweep(policy, SIGNED, tmp_path)


@pytest.fixture
def gone(monkeypatch: pytest.MonkeyPatch) -> list[bytes]:
    """The content that files have when they are unlinked."""
    return seen_at_unlink(monkeypatch)


def place(policy: DataPolicy, name: str) -> Path:
    return next(Path(at.place) for _, at in policy.locations() if at.place.name == name)


def test_key_of_a_domain_that_is_not_signed_any_more_is_erased(
    policy: DataPolicy, swept: Sweep, gone: list[bytes]
) -> None:
    removed = place(policy, "dkim") / "old.test.a.key"
    removed.write_bytes(KEY)
    assert swept.erase_removed_keys() == [removed]
    assert gone == [bytes(len(KEY))]


def test_key_of_a_signed_domain_stays(policy: DataPolicy, swept: Sweep) -> None:
    (place(policy, "dkim") / "example.test.a.key").write_bytes(KEY)
    assert swept.erase_removed_keys() == []


def test_no_key_is_erased_while_there_are_no_settings(policy: DataPolicy, tmp_path: Path) -> None:
    (place(policy, "dkim") / "example.test.a.key").write_bytes(KEY)
    assert Sweep(policy, None, tmp_path).erase_removed_keys() == []


def test_directory_cache_goes_without_a_directory(policy: DataPolicy, swept: Sweep, gone: list[bytes]) -> None:
    place(policy, "cache.dbm").write_bytes(KEY)
    assert swept.erase_directory_cache()
    assert gone == [bytes(len(KEY))]


@pytest.mark.parametrize("name", ["tls", "dkim", "postfix"])
def test_file_that_was_replaced_is_overwritten(policy: DataPolicy, gone: list[bytes], name: str) -> None:
    file = place(policy, name) / "smtp.key"
    file.write_bytes(KEY)
    erase_replaced(policy, lambda _: False)
    new = file.with_name("new")
    new.write_bytes(b"another")
    new.rename(file)
    assert len(erase_replaced(policy, lambda _: False)) == 1
    assert gone == [bytes(len(KEY))]
    assert file.read_bytes() == b"another"


def test_administrators_key_that_was_removed_is_overwritten(policy: DataPolicy, gone: list[bytes]) -> None:
    file = place(policy, "authorized_keys")
    file.write_bytes(KEY)
    erase_replaced(policy, lambda _: False)
    file.unlink()
    erase_replaced(policy, lambda _: False)
    assert gone == [KEY, bytes(len(KEY))]  # the first was the name's, the second the file's


def test_file_that_stays_is_left_alone(policy: DataPolicy) -> None:
    file = place(policy, "tls") / "web.crt"
    file.write_bytes(KEY)
    for _ in range(3):
        assert erase_replaced(policy, lambda _: False) == []
    assert (file.read_bytes(), file.stat().st_nlink) == (KEY, 2)


def test_file_of_the_image_is_not_copied_out_of_it(policy: DataPolicy) -> None:
    file = place(policy, "postfix") / "main.cf"
    file.write_bytes(b"x")
    erase_replaced(policy, lambda _: True)
    assert file.stat().st_nlink == 1


def test_overlay_tells_files_of_the_image_from_its_own(tmp_path: Path) -> None:
    mounts = parse_mounts(
        f"1 0 8:1 / / ro - erofs a ro\n2 1 0:7 / /etc rw - overlay o rw,lowerdir=/etc,upperdir={tmp_path},workdir=/w\n"
    )
    (tmp_path / "changed").touch()
    assert is_in_image(mounts, Path("/etc/original"))
    assert not is_in_image(mounts, Path("/etc/changed"))


def test_log_above_a_cap_that_shrank_loses_its_oldest_parts(
    policy: DataPolicy, swept: Sweep, monkeypatch: pytest.MonkeyPatch
) -> None:
    log = place(policy, "maillog")
    for number in range(1, 6):
        log.with_name(f"maillog.{number}").write_bytes(b"x" * 1000)
    monkeypatch.setattr(sweep, "log_caps", lambda *_: iter([(log, 2500)]))
    assert swept.cap_logs() == 3


def test_part_sizes_of_the_disk_are_told_once(
    policy: DataPolicy, swept: Sweep, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    told, units, codes = [], tmp_path / "units.env", [1, 0]

    def run(command: list[str], *, check: bool) -> subprocess.CompletedProcess[str]:
        told.append(command[-1])
        return subprocess.CompletedProcess(command, codes.pop(0))

    monkeypatch.setattr(subprocess, "run", run)
    monkeypatch.setattr(sweep, "log_caps", lambda *_: iter([(Path("/var/log/maillog"), 1_000_000)]))
    with pytest.raises(OSError, match="try-restart"):
        swept.follow_the_disk()
    assert [swept.follow_the_disk() for _ in range(2)] == [True, False]
    assert told == ["rsyslog.service"] * 2
    assert "KSMG_UNIT_MAILLOG=10000\n" in units.read_text()


def test_reached_cap_is_one_event_a_day(policy: DataPolicy, swept: Sweep, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sweep, "at_cap", lambda holding: holding.place.name == "maillog")
    assert len(swept.tell_caps()) == 1
    assert swept.tell_caps() == []
    (event,) = open_system_events(policy, SIGNED).newest()
    assert (event.name, PurePosixPath(event.detail["place"]).name) == (Name.CAP_REACHED, "maillog")


def test_step_that_fails_does_not_keep_the_others_from_being_done(
    policy: DataPolicy, swept: Sweep, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(_: Sweep) -> None:
        raise OSError("disk")

    for name in ("cap_logs", "follow_the_disk"):
        monkeypatch.setattr(Sweep, name, fail)
        getattr(Sweep, name).__name__ = name
    place(policy, "cache.dbm").write_bytes(KEY)
    assert swept.run() == 2
    assert not place(policy, "cache.dbm").exists()


def test_change_while_it_runs_is_seen_by_another_run(
    policy: DataPolicy, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    runs: list[int] = []

    def run(_: Sweep) -> int:
        runs.append(1)
        if len(runs) == 1:
            (place(policy, "dkim") / "late.key").touch()
            os.utime(place(policy, "dkim"), (2.0e9, 2.0e9))
        return 0

    monkeypatch.setattr(Sweep, "run", run)
    monkeypatch.setenv("STATE_DIRECTORY", str(tmp_path))
    monkeypatch.setattr(sweep, "load_policy", lambda: policy)
    monkeypatch.setattr(sweep, "_QUIET_SECONDS", 0.0)
    assert sweep.main() == 0
    assert len(runs) == 2


def test_outside_of_its_unit_it_says_so(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    monkeypatch.delenv("STATE_DIRECTORY", raising=False)
    assert sweep.main() == 1
    assert caplog.messages == ["systemd passed no state directory; start the unit instead"]
