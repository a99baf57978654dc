"""Bad input ends with one clear sentence and its cure, before anything is built."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest
from golden import delivery, mirror, preflight, target
from golden.mirror import Mirror
from golden.problem import Problem
from golden.target import REPOSITORY


def test_without_root_it_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    assert preflight.privilege() == [("The image is built as root, and this is not root.", "Run it again with sudo.")]


def test_a_missing_program_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nonexistent")
    ((sentence, cure),) = preflight.programs()
    assert "mmdebstrap" in sentence
    assert "make image" in cure


def test_too_little_space_says_where_and_how_much(tmp_path: Path) -> None:
    ((sentence, cure),) = preflight.space(tmp_path / "not" / "yet", 10**18, "KSMG_CACHE")
    assert "1000000000 GB" in sentence
    assert "KSMG_CACHE" in cure


def test_an_unknown_site_names_those_that_exist() -> None:
    ((sentence, cure),) = preflight.site_problems(REPOSITORY / "inventory" / "nowhere")
    assert "nowhere" in sentence
    assert "example" in cure


def test_a_mirror_that_refuses_is_named_with_the_cure() -> None:
    with socket.socket() as taken:  # bound, not listening: a connection is refused
        taken.bind(("127.0.0.1", 0))
        address = f"http://127.0.0.1:{taken.getsockname()[1]}/debian"
        with pytest.raises(Problem, match="does not answer for trixie") as caught:
            mirror.state(Mirror(address, address), "trixie")
    assert mirror.ARCHIVE_VARIABLE in caught.value.cure


def test_a_mirror_that_is_silent_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mirror, "TIMEOUT", 0.2)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        address = f"http://127.0.0.1:{silent.getsockname()[1]}"
        with pytest.raises(Problem, match="timed out"):
            mirror.state(Mirror(address, address), "trixie")


def test_the_environment_decides_on_the_mirror(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(mirror.ARCHIVE_VARIABLE, "http://archive.example/debian/")
    monkeypatch.setenv(mirror.SECURITY_VARIABLE, "http://security.example")
    assert mirror.find() == Mirror("http://archive.example/debian", "http://security.example")


def test_a_machine_without_apt_sources_gets_a_cure(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in (mirror.ARCHIVE_VARIABLE, mirror.SECURITY_VARIABLE):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(mirror, "_of_apt", dict)
    with pytest.raises(Problem, match="No Debian mirror is known"):
        mirror.find()


def test_a_target_that_does_not_fit_its_schema_names_the_place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    text = (target.TARGETS / "appliance.yml").read_text().replace("weight: 200", "weight: none")
    (tmp_path / "broken.yml").write_text(text)
    (tmp_path / "schema.json").write_text((target.TARGETS / "schema.json").read_text())
    monkeypatch.setattr(target, "TARGETS", tmp_path)
    monkeypatch.setattr(target, "REPOSITORY", tmp_path)
    with pytest.raises(Problem, match=r"partitions/0/weight: 'none' is not of type 'integer'"):
        target.load("broken")


def test_the_command_ends_with_sentences_and_no_traceback(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "golden", "image", "--site", "nowhere", "--out", str(tmp_path / "out")]
    environment = {**os.environ, "PYTHONPATH": ":".join(sys.path)}
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
    assert done.returncode == 1
    assert done.stderr.startswith("Error: There is no inventory")
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "out").exists()


def test_an_output_that_cannot_be_written_leaves_nothing_behind(tmp_path: Path) -> None:
    with pytest.raises(Problem, match=r"disk\.raw can't be written"):
        delivery.copy(tmp_path / "missing.raw", tmp_path / "disk.raw")
    assert list(tmp_path.iterdir()) == []
