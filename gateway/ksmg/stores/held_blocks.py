"""Free blocks that ext4 holds for files to come, and that it therefore leaves out when free space is discarded.

For each processor it keeps windows of 2 MB out of which small files get their blocks, until they are used up
(fs/ext4/mballoc.c, "locality group preallocation"). What deleted files left in them stays on the disk. Nothing drops
the windows of a mounted file system but a full disk; so they are used up, by small files without a name.
"""

import errno
import mmap
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_SMALL_FILE_BLOCKS = 16
"""Larger files get no block out of the windows: `mb_stream_req`, Linux's Documentation/ABI/testing/sysfs-fs-ext4."""
_MOST_BLOCKS = 16_384
"""For a processor; its windows take a few thousand. The rest is held for large files that are open."""
_GROUPS = "/proc/fs/ext4/{}/mb_groups"
_DELAYED = "/sys/fs/ext4/{}/delayed_allocation_blocks"


def held_blocks(directory: Path) -> int | None:
    """How many blocks a directory's file system holds; None when it is not ext4 on a device. Raises OSError.

    They are free, as statvfs(3) counts, but not in the bitmaps that blocks are taken from. Blocks that are promised to
    data in memory are in those still.
    """
    device = _device(directory)
    groups = Path(_GROUPS.format(device))
    if not groups.exists():
        return None
    free = sum(map(_free, groups.read_text().splitlines()))
    promised = int(Path(_DELAYED.format(device)).read_text())
    return max(os.statvfs(directory).f_bfree + promised - free, 0)


def use_up_held_blocks(directory: Path) -> None:
    """Has every block that is held for small files taken, overwritten with zeros, and given back. Raises OSError.

    The windows of a processor serve whoever runs on it: this moves from one to the next. What a discard has passed
    before is what new windows are made of.
    """
    for _ in _each_processor():
        held = min(held_blocks(directory) or 0, _MOST_BLOCKS)
        while held > 0 and _write_small_file(directory, min(held, _SMALL_FILE_BLOCKS)):
            held -= _SMALL_FILE_BLOCKS


def _device(directory: Path) -> str:
    """The kernel's name of what a directory's file system is on."""
    number = directory.stat().st_dev
    return Path(f"/sys/dev/block/{os.major(number)}:{os.minor(number)}").resolve().name


def _free(line: str) -> int:
    """Free blocks of a group, in a line such as `#12   : 3072  1     ...`."""
    name, _, numbers = line.partition(":")
    return int(numbers.split()[0]) if name[1:].strip().isdigit() else 0


@contextmanager
def _on(processors: set[int]) -> Iterator[None]:
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, processors)
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


def _each_processor() -> Iterator[int]:
    for processor in sorted(os.sched_getaffinity(0)):
        with _on({processor}):
            yield processor


def _write_small_file(directory: Path, blocks: int) -> bool:
    """A file that is gone again, written block by block without a cache, so that each block is taken at once.

    False when the disk is full: then nothing is held any more.
    """
    size = os.statvfs(directory).f_frsize
    descriptor = os.open(directory, os.O_TMPFILE | os.O_RDWR | os.O_DIRECT | os.O_CLOEXEC, 0o600)
    try:
        with mmap.mmap(-1, size) as zeros:
            for number in range(blocks):
                os.pwritev(descriptor, [zeros], number * size)
    except OSError as error:
        if error.errno != errno.ENOSPC:
            raise
        return False
    finally:
        os.close(descriptor)
    return True
