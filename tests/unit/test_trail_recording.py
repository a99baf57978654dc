"""The trail's watcher: what logs and files tell becomes events exactly once, and no secret is in them."""

import json
import os
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from ksmg.policy import DataPolicy
from ksmg.settings import Settings
from ksmg.settings.editing import change_setting
from ksmg.stores.locations import open_system_events, settings_file
from ksmg.stores.system_events import Name, SystemEvent
from ksmg.system.syslog import Syslog
from ksmg.trail.log_tail import Position, read_on
from ksmg.trail.recording import Trail
from ksmg.trail.updates import Updates
from unit.moved_policy import moved_policy

STAMP = "2026-11-24T12:21:59.242153+00:00"
ACCEPTED = f"{STAMP} gw1 sshd-session[5]: Accepted publickey for root from 192.0.2.7 port 5 ssh2: ED25519 SHA256:x\n"
HASH = "$scrypt$ln=15,r=8,p=1$c2FsdHNhbHRzYWx0c2FsdA$aGFzaGhhc2hoYXNoaGFzaGhhc2hoYXNoaGFzaGhhc2g"


@pytest.fixture
def policy(tmp_path: Path) -> DataPolicy:
    return moved_policy(tmp_path)


@pytest.fixture
def trail(policy: DataPolicy, tmp_path: Path) -> Trail:
    made = Trail(policy, Settings({}), Syslog("test", tmp_path / "no-log"))
    made.look()
    return made


def events(policy: DataPolicy) -> list[SystemEvent]:
    return open_system_events(policy, Settings({})).newest()


def append(file: Path, text: str) -> None:
    with file.open("a") as opened:
        opened.write(text)


def test_a_sign_in_is_told_once(policy: DataPolicy, trail: Trail) -> None:
    append(Path(policy.place("auth_log")), ACCEPTED)
    assert [trail.look(), trail.look()] == [1, 0]
    (event,) = events(policy)
    assert (event.name, event.account, event.origin) == (Name.SIGNED_IN, "root", "192.0.2.7")


def test_another_run_goes_on_where_the_last_one_ended(policy: DataPolicy, trail: Trail, tmp_path: Path) -> None:
    append(Path(policy.place("auth_log")), ACCEPTED)
    trail.look()
    append(Path(policy.place("auth_log")), ACCEPTED)
    assert Trail(policy, Settings({}), Syslog("test", tmp_path / "no-log")).look() == 1


def test_a_refused_sign_in_is_told_at_the_latest_when_the_run_ends(policy: DataPolicy, trail: Trail) -> None:
    text = "Connection closed by authenticating user root 192.0.2.7 port 5 [preauth]"
    append(Path(policy.place("auth_log")), f"{STAMP} gw1 sshd-session[5]: {text}\n")
    trail.look(last=True)
    assert events(policy)[0].name is Name.SIGN_IN_REFUSED


def test_refusals_of_one_minute_in_several_looks_are_all_counted(
    policy: DataPolicy, trail: Trail, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = datetime.now(UTC)
    for address in ("192.0.2.7", "192.0.2.8", "192.0.2.7"):
        text = f"Connection closed by authenticating user root {address} port 5 [preauth]"
        append(Path(policy.place("auth_log")), f"{now.isoformat()} gw1 sshd-session[5]: {text}\n")
        trail.look()
    monkeypatch.setattr(time, "time", lambda: now.timestamp() + 120)
    trail.look()
    assert sum(event.detail["attempts"] for event in events(policy)) == 3
    assert {event.origin for event in events(policy)} == {"192.0.2.7", "192.0.2.8"}


def test_a_changed_setting_has_its_values_before_and_after(policy: DataPolicy, trail: Trail) -> None:
    change_setting(settings_file(policy), "message_events.days", 2)
    change_setting(settings_file(policy), "message_events.days", 5)
    trail.look()
    change_setting(settings_file(policy), "message_events.days", 7)
    trail.look()
    changes = [event.detail["changes"] for event in events(policy)]
    assert changes[0] == {"message_events.days": {"before": 5, "after": 7}}
    assert changes[1]["message_events.days"]["after"] == 5


def test_a_password_is_never_told(policy: DataPolicy, trail: Trail) -> None:
    change_setting(settings_file(policy), "admin_password_hash", HASH)
    trail.look()
    change_setting(settings_file(policy), "admin_password_hash", HASH.replace("c2Fs", "c2Ft"))
    trail.look()
    assert len(events(policy)) == 2
    kept = b"".join(file.read_bytes() for file in Path(policy.place("system_events")).iterdir())
    assert b"scrypt" not in kept


def test_settings_that_cannot_be_used_are_told(policy: DataPolicy, trail: Trail) -> None:
    settings_file(policy).write_text('{"hostname": 5}')
    trail.look()
    (event,) = events(policy)
    assert "hostname" in json.dumps(event.detail)


def test_another_ssh_key_is_told_by_its_fingerprint(policy: DataPolicy, trail: Trail) -> None:
    keys = Path(policy.place("ssh_keys"))
    keys.write_text("# keys\nssh-ed25519 QUJD anna@example.org\n")
    trail.look()
    keys.write_text("ssh-ed25519 REVG boris\n")
    trail.look()
    newest = events(policy)[0]
    assert newest.name is Name.SSH_KEYS_CHANGED
    fingerprint = "SHA256:tdQEXD9Gb6kf4sxqvnkjKhpXzfEE96JucW4KHieJ33g"
    assert newest.detail["removed"] == [f"ssh-ed25519 anna@example.org {fingerprint}"]
    assert newest.detail["added"][0].startswith("ssh-ed25519 boris SHA256:")


def test_made_changed_and_removed_certificates_are_told(policy: DataPolicy, trail: Trail) -> None:
    place = Path(policy.resolve("mta_settings")[2].place)
    for action, content in (("made", "a"), ("changed", "b")):
        (place / "web.key").write_text(content)
        trail.look()
        newest = events(policy)[0]
        assert (newest.name, newest.detail[action]) == (Name.CERTIFICATE_CHANGED, ["web.key"])
    (place / "web.key").unlink()
    trail.look()
    assert events(policy)[0].detail["removed"] == ["web.key"]


def test_a_download_of_signatures_has_its_source(tmp_path: Path) -> None:
    configuration = tmp_path / "freshclam.conf"
    configuration.write_text("# PrivateMirror no\nPrivateMirror 192.0.2.9\n")
    line = f"{STAMP} gw1 freshclam[5]: daily.cld updated (version: 27100, sigs: 2064000, f-level: 90, builder: x)"
    event = Updates(configuration=configuration).read(line)
    assert event is not None
    expected: dict[str, Any] = {"database": "daily.cld", "version": 27100, "signatures": 2064000}
    assert (event.name, event.detail) == (Name.UPDATE_DONE, {**expected, "sources": ["192.0.2.9"]})


def test_a_failure_that_lasts_is_told_once_a_day() -> None:
    updates, told = Updates(), []
    for day, hour in ((24, 10), (24, 11), (24, 23), (25, 10), (25, 11)):
        line = f"2026-11-{day}T{hour}:00:00+00:00 gw1 freshclam[5]: ERROR: Update failed for database: daily"
        told.append(updates.read(line) is not None)
    assert told == [True, False, False, True, False]


def test_mail_between_freshclams_lines_is_passed_over(policy: DataPolicy, trail: Trail) -> None:
    messages = Path(policy.row("message_events").locations[1].place)
    mail = f"{STAMP} gw1 ksmg-filter[5]: event=message subject=freshclam\n"
    line = f"{STAMP} gw1 freshclam[5]: daily.cld updated (version: 2, sigs: 3, f-level: 90, builder: x)\n"
    append(messages, mail * 100 + line + mail)
    assert [trail.look(), trail.look()] == [1, 0]


def read(file: Path, position: Position) -> tuple[bytes, Position]:
    found = b""
    for lines, end in read_on(file, position):
        found, position = found + lines, end
    return found, position


def test_a_rotated_log_is_read_to_its_end_first(tmp_path: Path) -> None:
    file = tmp_path / "secure"
    file.write_text("one\ntwo\n")
    _, position = read(file, Position())
    append(file, "three\n")
    file.rename(tmp_path / "secure.1")
    file.write_text("four\n")
    os.utime(tmp_path / "secure.1", (1000, 1000))
    assert read(file, position)[0] == b"three\nfour\n"


def test_half_a_line_waits_for_its_other_half(tmp_path: Path) -> None:
    file = tmp_path / "secure"
    file.write_text("one\ntw")
    found, position = read(file, Position())
    append(file, "o\n")
    assert (found, read(file, position)[0]) == (b"one\n", b"two\n")


def test_a_part_that_is_gone_is_passed_over(tmp_path: Path) -> None:
    file = tmp_path / "secure"
    (tmp_path / "secure.2").write_text("old\n")
    file.write_text("new\n")
    assert read(file, Position(1, 5))[0] == b"new\n"


def test_a_part_that_is_evicted_meanwhile_is_passed_over(tmp_path: Path) -> None:
    file = tmp_path / "secure"
    for moment, (part, text) in enumerate((("secure.1", "one\n"), ("secure.2", "two\n"), ("secure", "three\n"))):
        (tmp_path / part).write_text(text)
        os.utime(tmp_path / part, (moment, moment))
    blocks = read_on(file, Position())
    first, _ = next(blocks)
    (tmp_path / "secure.2").unlink()
    assert (first, [lines for lines, _ in blocks]) == (b"one\n", [b"three\n"])
