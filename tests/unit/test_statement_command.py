"""`ksmg statement`: prints, writes, signs and checks; a tampered file is refused with a sentence."""

import json
import os
import time
from pathlib import Path

import pytest
from ksmg.certificates.files import Ownership
from ksmg.certificates.site import SiteCertificates
from ksmg.cli import appliance, statement
from ksmg.cli.failure import ExitCode
from ksmg.cli.main import main
from ksmg.diagnostics import dumps
from ksmg.policy import DataPolicy
from ksmg.settings import Settings
from ksmg.statement import collection
from ksmg.stores.locations import open_system_events
from ksmg.stores.system_events import Name, SystemEvent
from unit.moved_policy import moved_policy

ENDINGS = ["html", "pdf", "md", "json"]
BEGINNINGS = {"html": b"<!DOCTYPE html>", "pdf": b"%PDF-1.7", "md": b"# ", "json": b"{\n"}
PROOF = {"accounts": 38, "units": 21, "seconds": 6.4, "differences": 1, "rows": {"backup": 1, "rules": 0}}


@pytest.fixture(autouse=True)
def policy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> DataPolicy:
    """An appliance below a temporary directory, which whoever runs the test is root of, and has its certificates."""
    moved = moved_policy(tmp_path / "root")
    monkeypatch.setattr(appliance, "load_policy", lambda: moved)
    monkeypatch.setattr(statement, "_require_root", lambda: None)
    monkeypatch.setattr(Ownership, "ids", lambda _: (os.getuid(), os.getgid()))
    monkeypatch.setattr(dumps, "state", lambda _: dumps.DumpState(False))
    monkeypatch.setattr(collection, "_running", lambda units: dict.fromkeys(units, "inactive"))
    SiteCertificates(tls(moved), Ownership("root", "kluser", 0o640), "gw1.example.org").ensure()
    return moved


def tls(policy: DataPolicy) -> Path:
    return Path(next(at.place for at in policy.row("mta_settings").locations if at.place.name == "tls"))


def written(tmp_path: Path, *arguments: str, ending: str = "html") -> Path:
    """A statement in a file, made by the command."""
    file = tmp_path / f"page.{ending}"
    assert main(["statement", "--output", str(file), *arguments]) == ExitCode.DONE
    return file


def printed(capfdbinary: pytest.CaptureFixture[bytes]) -> object:
    assert main(["statement", "--json"]) == ExitCode.DONE
    return json.loads(capfdbinary.readouterr().out)


@pytest.mark.parametrize("ending", ENDINGS)
@pytest.mark.parametrize("language", ["en", "fr"])
def test_the_files_name_says_the_form(tmp_path: Path, ending: str, language: str) -> None:
    assert written(tmp_path, "--language", language, ending=ending).read_bytes().startswith(BEGINNINGS[ending])


def test_without_a_file_it_is_markdown_on_the_terminal(capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    assert main(["statement"]) == ExitCode.DONE
    assert capfdbinary.readouterr().out.startswith(b"# Data protection statement\n")


def test_what_is_kept_is_measured(policy: DataPolicy, capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    (Path(policy.place("rules")) / "active.json").write_bytes(b"x" * 1234)
    rows = {row["id"]: row for row in printed(capfdbinary)["rows"]}  # type: ignore[index]
    assert rows["rules"]["places"][0]["kept"][0]["bytes"] == 1234


def test_the_last_proof_of_access_is_found(policy: DataPolicy, capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    log = open_system_events(policy, Settings({}))
    log.add(SystemEvent(Name.ACCESS_AUDITED, {**PROOF, "differences": 9}, time=time.time() - 90_000))
    log.add(SystemEvent(Name.ACCESS_AUDITED, PROOF))
    log.add(SystemEvent(Name.FILTER_STARTED))
    document = printed(capfdbinary)
    assert document["access_proven"]["differences"] == 1  # type: ignore[index]
    assert {row["id"]: row["differences"] for row in document["rows"]}["backup"] == 1  # type: ignore[index]


def test_printing_is_a_system_event(policy: DataPolicy, tmp_path: Path) -> None:
    written(tmp_path, "--language", "fr", "--sign")
    event = open_system_events(policy, Settings({})).newest(1)[0]
    assert event.name is Name.STATEMENT_PRINTED
    assert (event.detail["form"], event.detail["language"], event.detail["signed"]) == ("html", "fr", True)


def test_files_are_for_their_owner_only(tmp_path: Path) -> None:
    written(tmp_path, "--sign")
    assert {file.name: file.stat().st_mode & 0o777 for file in tmp_path.glob("page*")} == {
        "page.html": 0o600,
        "page.html.p7s": 0o600,
    }


def test_an_older_signature_does_not_stay_beside_a_new_page(tmp_path: Path) -> None:
    written(tmp_path, "--sign")
    written(tmp_path)
    assert [file.name for file in tmp_path.glob("page*")] == ["page.html"]


def test_what_cannot_be_written_leaves_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["statement", "--output", str(tmp_path / "no" / "page.html")]) == ExitCode.FAILED
    assert "It did not work" in capsys.readouterr().err
    assert not (tmp_path / "no").exists()


@pytest.mark.parametrize("ending", ENDINGS)
def test_a_signed_page_is_believed(tmp_path: Path, ending: str, capsys: pytest.CaptureFixture[str]) -> None:
    file = written(tmp_path, "--sign", ending=ending)
    assert main(["statement", "verify", str(file)]) == ExitCode.DONE
    assert "is as gw1.example.org signed it" in capsys.readouterr().out


def test_a_page_is_checked_elsewhere_with_the_authority_alone(
    tmp_path: Path, policy: DataPolicy, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = written(tmp_path, "--sign")
    signature, authority = tmp_path / "s", tmp_path / "ca.crt"
    file.with_name("page.html.p7s").rename(signature)
    (tls(policy) / "ca.crt").rename(authority)
    monkeypatch.delattr(statement, "appliance")
    options = ["--signature", str(signature), "--authority", str(authority)]
    assert main(["statement", "verify", str(file), *options]) == ExitCode.DONE


def test_a_tampered_page_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = written(tmp_path, "--sign")
    file.write_bytes(file.read_bytes().replace(b"7\xc2\xa0GB", b"9\xc2\xa0GB"))
    assert main(["statement", "verify", str(file)]) == ExitCode.FAILED
    assert "was altered" in capsys.readouterr().err


def test_a_missing_signature_is_a_sentence(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["statement", "verify", str(written(tmp_path))]) == ExitCode.NOT_FOUND
    assert "There is no file" in capsys.readouterr().err


def test_a_signature_needs_a_file(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["statement", "--sign"]) == ExitCode.USAGE
    assert "--output" in capsys.readouterr().err


def test_an_appliance_without_a_signing_key_says_how_to_make_one(
    tmp_path: Path, policy: DataPolicy, capsys: pytest.CaptureFixture[str]
) -> None:
    (tls(policy) / "signing.key").unlink()
    assert main(["statement", "--sign", "--output", str(tmp_path / "page.md")]) == ExitCode.FAILED
    assert "ksmg certificates ensure" in capsys.readouterr().err
    assert list(tmp_path.glob("page*")) == []
