"""Blocks that ext4 holds for small files: counted, and used up on every processor."""

import errno
import os
from pathlib import Path

import pytest
from ksmg.stores import held_blocks as module
from ksmg.stores.held_blocks import held_blocks, use_up_held_blocks

GROUPS = """#group: free  frags first [ 2^0   2^1   ]
#0    : 1000  3     2300  [ 1     2     ]
#1    : 20743 7     1028  [ 3     4     ]
#12345: 5     1     0     [ 1     0     ]
"""


@pytest.fixture
def groups(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """What the kernel says of the groups of every file system."""
    file = tmp_path / "mb_groups"
    file.write_text(GROUPS)
    monkeypatch.setattr(module, "_GROUPS", f"{tmp_path}/mb_groups")
    monkeypatch.setattr(module, "_DELAYED", f"{tmp_path}/delayed")
    (tmp_path / "delayed").write_text("7\n")
    return file


def with_free(free: int) -> os.statvfs_result:
    return os.statvfs_result((4096, 4096, 10**6, free, free, 0, 0, 0, 0, 255))


@pytest.mark.usefixtures("groups")
def test_what_is_free_and_neither_in_a_group_nor_promised_is_held(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("os.statvfs", lambda _: with_free(22_000))
    assert held_blocks(tmp_path) == 22_000 + 7 - (1000 + 20_743 + 5)


def test_other_file_systems_hold_nothing_that_is_known() -> None:
    assert held_blocks(Path("/dev/shm")) is None


def test_each_processor_takes_all_that_is_held(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    written: list[tuple[frozenset[int], int]] = []

    def write(_: Path, blocks: int) -> bool:
        written.append((frozenset(os.sched_getaffinity(0)), blocks))
        return True

    before = os.sched_getaffinity(0)
    monkeypatch.setattr(module, "held_blocks", lambda _: 35)
    monkeypatch.setattr(module, "_write_small_file", write)
    use_up_held_blocks(tmp_path)
    assert written == [(frozenset({one}), blocks) for one in sorted(before) for blocks in (16, 16, 3)]
    assert os.sched_getaffinity(0) == before


def test_what_is_held_for_large_files_fills_no_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    written: list[int] = []

    def write(_: Path, blocks: int) -> bool:
        written.append(blocks)
        return True

    monkeypatch.setattr(module, "held_blocks", lambda _: 10**9)
    monkeypatch.setattr(module, "_write_small_file", write)
    use_up_held_blocks(tmp_path)
    assert sum(written) == 16_384 * len(os.sched_getaffinity(0))


def test_a_full_disk_holds_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("os.pwritev", full)
    monkeypatch.setattr(module, "held_blocks", lambda _: 35)
    use_up_held_blocks(tmp_path)


def test_a_broken_disk_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> int:
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr("os.pwritev", broken)
    monkeypatch.setattr(module, "held_blocks", lambda _: 35)
    with pytest.raises(OSError, match="Input/output"):
        use_up_held_blocks(tmp_path)


def test_nothing_stays_of_the_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "held_blocks", lambda _: 35)
    use_up_held_blocks(tmp_path)
    assert not list(tmp_path.iterdir())
