"""Logs, the archive, the receipt and the command: what is found, written over in place, and handed out."""

import dataclasses
import hashlib
import json
import zipfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from ksmg.cli import subject
from ksmg.cli.appliance import Appliance
from ksmg.cli.failure import ExitCode
from ksmg.cli.main import main
from ksmg.filter.recorder import message_line
from ksmg.policy import DataPolicy
from ksmg.settings import Settings
from ksmg.statement.signature import SignatureError
from ksmg.stores.erasure import Discarded
from ksmg.stores.locations import open_backup, open_message_events, open_system_events
from ksmg.stores.message_store import StoredMessage
from ksmg.subject import erasing, places
from ksmg.subject.archive import new_file, write_archive
from ksmg.subject.line_source import write_over
from ksmg.subject.log_files import LogHolder, TraceHolder
from ksmg.subject.receipt import digest
from unit.moved_policy import moved_policy
from unit.test_event_logs import EVENT
from unit.test_subject_matcher import MATCHER as EVERY
from unit.test_subject_matcher import SPELLINGS
from unit.test_subject_stores import MATCHER, MESSAGE, OTHERS, PERSON, erasure

OURS = f"2026-11-24T10:00:00+00:00 gw postfix/smtp[1]: 4X: to=<{PERSON}>, status=sent\n"
THEIRS = "2026-11-24T10:00:01+00:00 gw postfix/smtp[1]: 4Y: to=<x@example.test>, status=sent\n"


@pytest.fixture
def log(tmp_path: Path) -> LogHolder:
    """A log with two finished parts, each with a line of the person and one of others."""
    for name in ("maillog", "maillog.1", "maillog.12"):
        (tmp_path / name).write_text(THEIRS + OURS + THEIRS)
    return LogHolder("mta_log", tmp_path / "maillog")


def test_lines_are_found_in_all_parts_with_their_time(log: LogHolder) -> None:
    found = list(log.find(MATCHER))
    assert [Path(one.place).name for one in found] == ["maillog.1", "maillog.12", "maillog"]
    assert {(one.time, one.text) for one in found} == {("2026-11-24T10:00:00+00:00", OURS.strip())}


def test_lines_are_written_over_in_place(log: LogHolder) -> None:
    before = Path(log.place).stat()
    assert log.erase(erasure()).pseudonymised == 3
    text = Path(log.place).read_text()
    assert Path(log.place).stat().st_ino == before.st_ino
    assert (len(text), text.count(THEIRS)) == (before.st_size, 2)
    assert "canary" not in text
    assert not list(log.find(MATCHER))


def test_lines_that_come_meanwhile_are_not_lost(log: LogHolder, monkeypatch: pytest.MonkeyPatch) -> None:
    with Path(log.place).open("ab", buffering=0) as daemon:

        def append(descriptor: int, offset: int, data: bytes) -> None:
            daemon.write(THEIRS.encode())
            write_over(descriptor, offset, data)

        monkeypatch.setattr("ksmg.subject.log_files.write_over", append)
        log.erase(erasure())
    assert Path(log.place).read_text().endswith(2 * THEIRS)


def test_a_log_that_is_evidence_is_kept(log: LogHolder, tmp_path: Path) -> None:
    outcome = LogHolder("auth_log", tmp_path / "maillog", "evidence").erase(erasure())
    assert (outcome.kept, outcome.grounds) == (3, ["evidence"])
    assert OURS in Path(log.place).read_text()


def test_the_gateways_own_line_loses_subject_and_names_of_files(tmp_path: Path) -> None:
    texts: dict[str, Any] = {
        "subject": 'Canary "subject" é',
        "attachments": ("canary [1].pdf", "b"),
        "marks": ("x canary",),
    }
    event = dataclasses.replace(EVENT, recipients=(PERSON,), **texts)
    log = tmp_path / "ksmg-messages"
    log.write_text(f"2026 gw ksmg[1]: {message_line(event)}\n")
    before = log.read_text()
    LogHolder("message_events", log).erase(erasure())
    assert "canary" not in log.read_text().lower()
    assert len(log.read_text()) == len(before)
    assert _shape(log.read_text()) == _shape(before)


def _shape(line: str) -> list[str]:
    """The names of a line's pairs."""
    return [pair.partition("=")[0] for pair in line.split(" ") if "=" in pair]


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.one_of(st.sampled_from(sorted(SPELLINGS.values())), st.just(THEIRS.encode())), max_size=20))
def test_every_spelling_is_written_over_and_nothing_moves(tmp_path: Path, lines: list[bytes]) -> None:
    log = tmp_path / "log"
    log.write_bytes(b"\n".join(lines))
    run = dataclasses.replace(erasure(), matcher=EVERY)
    LogHolder("mta_log", log).erase(run)
    after = log.read_bytes().split(b"\n")
    assert [len(line) for line in after] == [len(line) for line in b"\n".join(lines).split(b"\n")]
    assert not any(EVERY.spans(line) for line in after)


def test_a_stream_of_traces_goes_as_a_whole(tmp_path: Path) -> None:
    for name in ("milter.log", "milter.log.1", "filter.log"):
        (tmp_path / name).write_text("a body that names nobody\n")
    (tmp_path / "milter.log").write_text(f"to <{PERSON}>\n")
    assert TraceHolder("traces", tmp_path / "milter.log").erase(erasure()).erased == 1
    assert TraceHolder("traces", tmp_path / "filter.log").erase(erasure()).erased == 0
    assert [file.name for file in tmp_path.iterdir()] == ["filter.log"]


def test_an_archive_that_fails_leaves_no_file(tmp_path: Path) -> None:
    with pytest.raises(ZeroDivisionError), new_file(tmp_path / "a") as file:
        file.write(b"half" * (1 // 0))
    assert not list(tmp_path.iterdir())


def test_an_archive_is_its_owners_alone_and_overwrites_nothing(tmp_path: Path) -> None:
    with new_file(tmp_path / "a") as file:
        file.write(b"whole")
    assert ((tmp_path / "a").stat().st_mode & 0o777, (tmp_path / "a").read_bytes()) == (0o600, b"whole")
    with pytest.raises(FileExistsError), new_file(tmp_path / "a"):
        pass


@pytest.fixture
def policy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> DataPolicy:
    """An appliance below a temporary directory: a message in Backup, an event, a log line, each of the person."""
    moved = moved_policy(tmp_path)
    here = Appliance(moved, Settings({"hostname": "gw.example.test"}), True, "ann")
    monkeypatch.setattr(subject, "appliance", lambda: here)
    monkeypatch.setattr(subject, "sign", _unsigned)
    monkeypatch.setattr("os.geteuid", lambda: 0)
    monkeypatch.setattr(erasing, "discard_free_space", lambda _: Discarded(0, "a test"))
    monkeypatch.setattr(places, "QueueHolder", lambda row, place: LogHolder(row, Path(place) / "none"))
    for name in ("SYSTEM_LOG", "SECURITY_LOG", "ALIASES"):
        monkeypatch.setattr(places, name, tmp_path / name)
    _fill(moved)
    return moved


def _fill(moved: DataPolicy) -> None:
    store = open_backup(moved)
    store.open()
    for name, recipient, content in (("1", PERSON, MESSAGE), ("2", "x@example.test", OTHERS)):
        entry = StoredMessage(name, 1.0, 9, "", "", "", "", "", "a@x", (recipient,), "")
        store.keep(entry, content).result()
    store.close()
    log = open_message_events(moved, Settings({}))
    log.add([dataclasses.replace(EVENT, recipients=(PERSON,), subject="=1+1")])
    log.close()
    (Path(moved.place("mta_log"))).write_text(THEIRS + OURS)


def _unsigned(document: bytes, here: Appliance) -> bytes:
    raise SignatureError("There is no key.")


def found(capsys: pytest.CaptureFixture[str]) -> dict[str, int]:
    assert main(["subject", "find", PERSON, "--json"]) == ExitCode.DONE
    counts = json.loads(capsys.readouterr().out)["counts"]
    return {one["row"]: one["found"] for one in counts if one["found"]}


@pytest.mark.usefixtures("policy")
def test_the_command_finds_everything(capsys: pytest.CaptureFixture[str]) -> None:
    assert found(capsys) == {"backup": 1, "message_events": 1, "mta_log": 1}


@pytest.mark.usefixtures("policy")
def test_the_table_says_what_is_not_searched(capsys: pytest.CaptureFixture[str]) -> None:
    main(["subject", "find", PERSON, "--counts"])
    assert "text inside attachments" in capsys.readouterr().out


@pytest.mark.usefixtures("policy")
def test_the_archive_has_all_of_it_and_proves_itself(tmp_path: Path) -> None:
    assert main(["subject", "export", PERSON, str(tmp_path / "a.zip")]) == ExitCode.DONE
    with zipfile.ZipFile(tmp_path / "a.zip") as archive:
        content = {name: archive.read(name) for name in archive.namelist()}
    assert MESSAGE in content.values()
    assert OURS.encode() in next(data for name, data in content.items() if name.startswith("lines/"))
    assert PERSON.encode() in content["index.html"]
    sums = [line.split("  ", 1) for line in content["SHA256SUMS"].decode().splitlines()]
    assert {name: hashlib.sha256(data).hexdigest() for name, data in content.items() if name != "SHA256SUMS"} == {
        name: value for value, name in sums
    }


@pytest.mark.usefixtures("policy")
def test_no_cell_of_a_table_is_a_formula(tmp_path: Path) -> None:
    main(["subject", "export", PERSON, str(tmp_path / "a.zip")])
    with zipfile.ZipFile(tmp_path / "a.zip") as archive:
        tables = [archive.read(name).decode() for name in archive.namelist() if name.endswith(".csv")]
    assert not [cell for table in tables for line in table.splitlines() for cell in line.split(",") if cell[:1] == "="]


def test_erasing_says_what_became_of_everything(policy: DataPolicy, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["subject", "erase", PERSON, "--yes", "--json"]) == ExitCode.DONE
    receipt = json.loads(json.loads(capsys.readouterr().out)["receipt"])
    rows = {row["row"]: (row["found"], row["erased"], row["pseudonymised"]) for row in receipt["rows"] if row["found"]}
    assert rows == {"backup": (1, 1, 0), "message_events": (1, 0, 1), "mta_log": (1, 0, 1)}
    assert found(capsys) == {}
    assert len(open_backup(policy).search().messages) == 1


def test_free_blocks_are_discarded_before_and_afterwards(
    policy: DataPolicy, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    kept: list[int] = []

    def discard(_: Path) -> Discarded:
        kept.append(len(open_backup(policy).search().messages))
        return Discarded(100, held=10 * len(kept))

    monkeypatch.setattr(erasing, "discard_free_space", discard)
    main(["subject", "erase", PERSON, "--yes", "--json"])
    receipt = json.loads(json.loads(capsys.readouterr().out)["receipt"])
    assert kept == [2, 1]
    (space,) = receipt["free_space"]
    assert (space["discarded_bytes"], space["held_bytes"], space["not_discarded"]) == (200, 20, "")


@pytest.mark.usefixtures("policy")
def test_a_receipt_proves_whose_it_is_without_saying_so(capsys: pytest.CaptureFixture[str]) -> None:
    main(["subject", "erase", PERSON, "--yes", "--json"])
    printed = capsys.readouterr().out
    subject_of = json.loads(json.loads(printed)["receipt"])["subject"]
    assert PERSON not in printed
    assert digest(bytes.fromhex(subject_of["salt"]), PERSON) == subject_of["sha256"]


@pytest.mark.usefixtures("policy")
def test_a_receipt_is_written_where_it_is_wanted(tmp_path: Path) -> None:
    main(["subject", "erase", PERSON, "--yes", "--receipt", str(tmp_path)])
    assert len(list(tmp_path.glob("erasure-*"))) == 3


@pytest.mark.parametrize("options", [["--dry-run"], []])
def test_nothing_is_erased_without_a_yes(
    policy: DataPolicy, options: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    main(["subject", "erase", PERSON, *options])
    capsys.readouterr()
    assert len(open_backup(policy).search().messages) == 2
    assert found(capsys) == {"backup": 1, "message_events": 1, "mta_log": 1}


def test_each_act_is_an_event_without_the_person(policy: DataPolicy, tmp_path: Path) -> None:
    main(["subject", "find", PERSON])
    main(["subject", "export", PERSON, str(tmp_path / "a.zip")])
    main(["subject", "erase", PERSON, "--yes"])
    events = open_system_events(policy, Settings({})).newest()
    assert [event.name.value for event in events] == ["subject_erased", "subject_exported", "subject_found"]
    assert events[1].detail == {"counts": {"backup": 1, "message_events": 1, "mta_log": 1}}
    assert "canary" not in str(events)


@pytest.mark.usefixtures("policy")
def test_the_address_may_come_from_standard_input(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.stdin.readline", lambda: f"<{PERSON}>\n", raising=False)
    main(["subject", "find", "-", "--json"])
    assert json.loads(capsys.readouterr().out)["findings"]


@pytest.mark.usefixtures("policy")
def test_what_is_no_address_is_a_sentence(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["subject", "find", "nobody"]) == ExitCode.USAGE
    assert "is no mail address" in capsys.readouterr().err


def test_an_evicted_message_does_not_stop_the_archive(policy: DataPolicy, tmp_path: Path) -> None:
    found_before = next(iter(places.holders(policy, Settings({}))[3].find(MATCHER)))
    assert found_before.original is not None

    class Evicted:
        row, place = "backup", "/backup"

        def find(self, _: object) -> Any:
            def gone() -> Any:
                raise FileNotFoundError

            yield dataclasses.replace(found_before, original=gone)

    facts = {"address": PERSON, "appliance": "gw", "time": "now", "by": "ann"}
    with new_file(tmp_path / "a.zip") as file:
        assert write_archive(file, [Evicted()], MATCHER, facts) == {"/backup": 1}  # type: ignore[list-item]
