"""The disk of a machine that is switched off: nothing of a person that was erased is anywhere on it."""

import json
import os
import subprocess
from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest
from e2e.canary import REPORT

_PIECE = 16_777_216
_OVERLAP = 64
"""Bytes; longer than any form of a word."""


@pytest.fixture(scope="module")
def report() -> dict[str, list[str]]:
    """The words that are to be gone, and one that is kept."""
    words: dict[str, list[str]] = json.loads((Path(os.environ["KSMG_REPORTS"]) / REPORT).read_text())
    return words


@pytest.fixture(scope="module")
def disk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The whole disk as a file with holes."""
    raw = tmp_path_factory.mktemp("disk") / "disk.raw"
    subprocess.run(["qemu-img", "convert", "-O", "raw", os.environ["KSMG_DISK"], str(raw)], check=True)
    yield raw
    raw.unlink()


def found(disk: Path, forms: Iterable[str]) -> list[tuple[str, int, bytes]]:
    """Which forms are on the disk, where, and what is around them."""
    wanted = [form.encode() for form in forms]
    places = []
    for offset, piece in _pieces(disk):
        lowered = piece.lower()
        for form in wanted:
            at = max(piece.find(form), lowered.find(form))
            if at >= 0:
                places.append((form.decode(), offset + at, piece[max(at - 80, 0) : at + 80]))
    return places


def _pieces(disk: Path) -> Iterator[tuple[int, bytes]]:
    """Everything on the disk but its holes, in pieces that overlap."""
    size, at = disk.stat().st_size, 0
    with disk.open("rb") as file:
        while at < size:
            try:
                at = max(os.lseek(file.fileno(), at, os.SEEK_DATA) - _OVERLAP, at)
            except OSError:  # only a hole is left
                return
            yield at, os.pread(file.fileno(), _PIECE + _OVERLAP, at)
            at += _PIECE


def test_the_search_finds_what_is_there(disk: Path, report: dict[str, list[str]]) -> None:
    assert found(disk, [str(report["kept"])])


def test_no_block_has_a_trace_of_the_person(disk: Path, report: dict[str, list[str]]) -> None:
    assert found(disk, report["gone"]) == []
