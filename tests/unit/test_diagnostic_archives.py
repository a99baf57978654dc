"""Diagnostic archives: what may get in, who can open them, and that they go."""

import functools
import io
import json
import os
import subprocess
import tarfile
from pathlib import Path

import pytest
from ksmg.diagnostics import archives, collection, making
from ksmg.diagnostics.archives import Archives, archive_location
from ksmg.diagnostics.bundle import Bundle
from ksmg.diagnostics.collection import SHOWN_TYPES, Wanted
from ksmg.diagnostics.making import NotPermitted, make_archive, permissions
from ksmg.diagnostics.sealing import Seal, SealingFailure, for_passphrase, for_recipient, sealed
from ksmg.policy import DataPolicy
from ksmg.settings import SETTINGS, Settings, parse_settings
from unit.moved_policy import moved_policy

PASSPHRASE = "correct horse battery"
DAY = 86_400


@pytest.fixture
def moved(tmp_path: Path) -> DataPolicy:
    """An appliance below a temporary directory."""
    return moved_policy(tmp_path)


@functools.cache
def passphrase_seal() -> Seal:
    """Made once: it takes a while, so that guessing does."""
    return for_passphrase(PASSPHRASE)


def opened(archive: Path, key: Path, passphrase: str = "") -> bytes:
    """An archive's content, by plain OpenSSL."""
    options = ["-passin", f"pass:{passphrase}"] if passphrase else []
    files = ["-in", str(archive), "-inkey", str(key)]
    command: list[str] = ["openssl", "cms", "-decrypt", "-binary", "-inform", "PEM", *files, *options]
    return subprocess.run(command, capture_output=True, check=True).stdout


def written(seal: Seal, path: Path, content: bytes) -> Path:
    with path.open("wb") as target, sealed(seal, target) as pipe:
        pipe.write(content)
    return path


def members(content: bytes) -> dict[str, bytes]:
    with tarfile.open(fileobj=io.BytesIO(content)) as tar:
        return {member.name: (tar.extractfile(member) or io.BytesIO()).read() for member in tar}


def bundled(most: int = 10**6) -> tuple[Bundle, io.BytesIO]:
    target = io.BytesIO()
    return Bundle(target, most, 60), target


def test_openssl_opens_an_archive_with_the_passphrase(tmp_path: Path) -> None:
    content = os.urandom(300_000)
    archive = written(passphrase_seal(), tmp_path / "a.pem", content)
    assert opened(archive, archive, PASSPHRASE) == content


def test_nobody_opens_it_with_another_passphrase(tmp_path: Path) -> None:
    archive = written(passphrase_seal(), tmp_path / "a.pem", b"content")
    with pytest.raises(subprocess.CalledProcessError):
        opened(archive, archive, PASSPHRASE + "!")


@pytest.mark.parametrize("kind", [["rsa:2048"], ["ec", "-pkeyopt", "ec_paramgen_curve:P-384"]])
def test_openssl_opens_an_archive_with_the_recipients_key(tmp_path: Path, kind: list[str]) -> None:
    key, certificate = tmp_path / "key.pem", tmp_path / "cert.pem"
    files = ["-keyout", str(key), "-out", str(certificate)]
    made = ["openssl", "req", "-x509", "-nodes", "-subj", "/CN=x", "-newkey", *kind, *files]
    subprocess.run(made, capture_output=True, check=True)
    archive = written(for_recipient(certificate.read_bytes()), tmp_path / "a.pem", b"content")
    assert opened(archive, key) == b"content"
    assert b"PRIVATE" not in archive.read_bytes()


def test_a_changed_archive_does_not_open(tmp_path: Path) -> None:
    archive = written(passphrase_seal(), tmp_path / "a.pem", bytes(3000))
    lines = archive.read_text().splitlines()
    lines[-10] = ("B" if lines[-10][0] == "A" else "A") + lines[-10][1:]
    archive.write_text("\n".join(lines) + "\n")
    with pytest.raises(subprocess.CalledProcessError):
        opened(archive, archive, PASSPHRASE)


@pytest.mark.parametrize("pem", [b"", b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"])
def test_what_is_no_certificate_is_refused_in_a_sentence(pem: bytes) -> None:
    with pytest.raises(SealingFailure, match="cannot be read"):
        for_recipient(pem)


def test_a_short_passphrase_is_refused() -> None:
    with pytest.raises(SealingFailure, match="at least 12"):
        for_passphrase("short")


def test_a_setting_is_packed_only_when_its_type_is_known_to_be_no_secret(moved: DataPolicy) -> None:
    settings = parse_settings({"admin_password_hash": "$scrypt$ln=15,r=8,p=1$U0VDUkVU$SEFTSA", "hostname": "gw.test"})
    bundle, target = bundled()
    collection._add_configuration(moved, settings, bundle)
    bundle.close()
    shown = json.loads(members(target.getvalue())["configuration/settings.json"])
    assert shown["hostname"] == "gw.test"
    assert "admin_password_hash" not in shown
    assert b"U0VDUkVU" not in b"".join(members(target.getvalue()).values())


def test_types_of_settings_that_are_packed_are_a_list_without_any_secret() -> None:
    assert SHOWN_TYPES.isdisjoint({"hash", "password", "secret", "key", "token", "keytab"})
    assert {row.key for row in SETTINGS if row.type not in SHOWN_TYPES} == {"admin_password_hash"}


@pytest.mark.parametrize("trick", ["symbolic link", "hard link", "pipe", "another owner"])
def test_only_plain_files_of_their_owner_are_packed(tmp_path: Path, trick: str) -> None:
    secret, path = tmp_path / "secret", tmp_path / "web.log"
    secret.write_text("secret")
    match trick:
        case "symbolic link":
            path.symlink_to(secret)
        case "hard link":
            path.hardlink_to(secret)
        case "pipe":
            os.mkfifo(path)
        case _:
            path.write_text("secret")
    bundle, target = bundled()
    bundle.add_file("web.log", path, os.getuid() + (trick == "another owner"))
    bundle.close()
    packed = members(target.getvalue())
    assert packed.keys() == {"contents.json"}
    assert "web.log" in json.loads(packed["contents.json"])["left_out"]


def test_of_a_large_log_the_newest_part_is_packed(tmp_path: Path) -> None:
    (log := tmp_path / "log").write_bytes(b"old" * 100 + b"new")
    bundle, target = bundled()
    bundle.add_file("log", log, os.getuid(), most=3)
    bundle.close()
    assert members(target.getvalue())["log"] == b"new"


def test_what_finds_no_room_is_left_out_and_listed() -> None:
    bundle, target = bundled(most=10)
    bundle.add_text("large", "x" * 11)
    bundle.add_text("small", "x")
    bundle.close()
    listing = json.loads(members(target.getvalue())["contents.json"])
    assert (listing["packed"], listing["left_out"]) == (["small"], {"large": "no room for 11 bytes"})


def test_what_comes_after_the_time_is_left_out() -> None:
    now = [0.0]
    bundle = Bundle(io.BytesIO(), 100, 5, lambda: now[0])
    now[0] = 6
    bundle.add_text("late", "x")
    bundle.close()
    assert bundle.left_out == {"late": "the time was over"}


def test_a_file_that_shrinks_while_it_is_packed_spoils_nothing() -> None:
    bundle, target = bundled()
    bundle.add_stream("short", io.BytesIO(b"ab"), 4, 0)
    bundle.add_text("next", "n")
    bundle.close()
    assert [members(target.getvalue())[name] for name in ("short", "next")] == [b"ab\0\0", b"n"]


def test_messages_need_the_permissions_of_those_who_see_messages(moved: DataPolicy) -> None:
    assert permissions(moved, Wanted()) == ("obtain_diagnostics",)
    assert {"view_backup", "view_message_queue"} < {*permissions(moved, Wanted(messages=True))}


def test_without_the_permission_nothing_is_collected(moved: DataPolicy) -> None:
    with pytest.raises(NotPermitted, match="obtain_diagnostics"):
        make_archive(moved, Settings({}), Wanted(), passphrase_seal(), may=lambda _: False, deleted=print)
    assert list(Path(archive_location(moved).place).iterdir()) == []


@pytest.fixture
def quick(moved: DataPolicy, monkeypatch: pytest.MonkeyPatch) -> DataPolicy:
    """An appliance where collecting takes a moment."""
    monkeypatch.setattr(making, "collect", lambda _, __, ___, bundle: (bundle.add_text("a", "content"), bundle.close()))
    monkeypatch.setattr(making, "_take_lowest_priority", lambda: None)
    return moved


def test_an_archive_is_its_owners_alone_and_its_name_tells_only_the_time(quick: DataPolicy) -> None:
    archive = make_archive(quick, Settings({}), Wanted(), passphrase_seal(), may=lambda _: True, deleted=print)
    assert archive.path.stat().st_mode & 0o777 == 0o600
    assert archive.path.parent == Path(archive_location(quick).place)
    assert archives._NAME.fullmatch(archive.name)
    assert members(opened(archive.path, archive.path, PASSPHRASE))["a"] == b"content"


def test_a_collection_that_fails_leaves_nothing(quick: DataPolicy, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(making, "collect", full)
    with pytest.raises(OSError, match="No space"):
        make_archive(quick, Settings({}), Wanted(), passphrase_seal(), may=lambda _: True, deleted=print)
    assert list(Path(archive_location(quick).place).iterdir()) == []


def kept(policy: DataPolicy, name: str, age: float, size: int = 10) -> Path:
    path = Path(archive_location(policy).place) / name
    path.write_bytes(b"s" * size)
    os.utime(path, (1_800_000_000 - age, 1_800_000_000 - age))
    return path


NAME = "diagnostics-20270115T080000Z-{:06x}.pem"


@pytest.mark.parametrize(
    ("age", "stays"), [(0, True), (DAY - 1800, True), (DAY - 600, False), (DAY + 1, False), (-DAY, False)]
)
def test_an_archive_is_overwritten_and_gone_within_a_day(moved: DataPolicy, age: float, stays: bool) -> None:
    path = kept(moved, NAME.format(1), age)
    descriptor = os.open(path, os.O_RDONLY)
    Archives(archive_location(moved), 10**9, lambda: 1_800_000_000).expire()
    assert (path.exists(), os.read(descriptor, 9)) == (stays, b"s" * 9 if stays else bytes(9))
    os.close(descriptor)


def test_what_an_interruption_left_is_gone_after_an_hour(moved: DataPolicy) -> None:
    path = kept(moved, NAME.format(1) + ".new", 3601)
    Archives(archive_location(moved), 10**9, lambda: 1_800_000_000).expire()
    assert not path.exists()


def test_the_oldest_archives_make_room_for_a_new_one(moved: DataPolicy) -> None:
    ages = {NAME.format(number): number * 100.0 for number in range(1, 5)}
    for name, age in ages.items():
        kept(moved, name, age, size=300)
    found = Archives(archive_location(moved), 1000)
    assert [archive.name for archive in found.evict(400)] == [NAME.format(4), NAME.format(3)]
    assert [archive.name for archive in found.all()] == [NAME.format(1), NAME.format(2)]


def test_a_disk_that_fills_up_is_a_failure_and_not_an_archive() -> None:
    seal = Seal(passphrase_seal().certificate)
    with Path("/dev/full").open("wb") as target, pytest.raises(SealingFailure), sealed(seal, target) as pipe:
        pipe.write(os.urandom(10**7))
