"""Writes many small files and removes them again, as a mail queue does: their blocks are free, and keep what was there.

Again and again, until a plain discard of the free blocks leaves some of it on the disk, because the file system holds
those blocks for files to come; that depends on where it puts them.

Argument: {"directory": where, "word": what is in each file, "files": how many a time, "rounds": how often at the most}.
Answer: {"rounds": how often, "left": blocks of the disk that still have the word}.
"""

import json
import mmap
import os
import random
import subprocess
import sys
from pathlib import Path
from typing import Any

MOST_AT_A_TIME = (1, 2, 5, 40)
SIZES = (1_300, 3_900, 13_000, 39_000)
"""Bytes; the file system treats small files in a way of its own."""
SYNC_EVERY = 7
BLOCK, PIECE = 4096, 4_194_304


def churn(directory: Path, word: str, files: int, chance: random.Random) -> None:
    """Some files are there at a time, and any of them goes next."""
    kept: list[Path] = []
    for number in range(files):
        file = directory / f"{os.getpid()}.{number}"
        with file.open("w") as writing:
            writing.write(f"{word} " * (chance.choice(SIZES) // (len(word) + 1)))
            writing.flush()
            if number % SYNC_EVERY == 0:
                os.fsync(writing.fileno())
        kept.append(file)
        if len(kept) > chance.choice(MOST_AT_A_TIME):
            kept.pop(chance.randrange(len(kept))).unlink()
    for file in kept:
        file.unlink()


def churn_everywhere(directory: Path, word: str, files: int, turn: int) -> None:
    """On all processors at a time: the file system has blocks ready for each."""
    children = []
    for number in range(os.cpu_count() or 1):
        child = os.fork()
        if not child:
            churn(directory, word, files, random.Random(f"{turn}.{number}"))
            os._exit(0)
        children.append(child)
    for child in children:
        os.waitpid(child, 0)


def blocks_with(device: str, word: bytes) -> int:
    """How many blocks of a device have the word, read past the cache."""
    found, at = set[int](), 0
    descriptor = os.open(device, os.O_RDONLY | os.O_DIRECT)
    with mmap.mmap(-1, PIECE) as piece:
        while size := os.preadv(descriptor, [piece], at):
            place = piece.find(word, 0, size)
            while place >= 0:
                found.add((at + place) // BLOCK)
                place = piece.find(word, (place // BLOCK + 1) * BLOCK, size)
            at += size
    os.close(descriptor)
    return len(found)


def main(argument: dict[str, Any]) -> None:
    """Churns in a directory of its own."""
    directory, word = Path(argument["directory"]), argument["word"]
    directory.mkdir()
    told = ["findmnt", "--noheadings", "--nofsroot", "--output", "SOURCE,TARGET", "--target", str(directory)]
    device, top = subprocess.check_output(told, text=True).split()
    turn = left = 0
    while not left and turn < argument["rounds"]:
        turn += 1
        churn_everywhere(directory, word, argument["files"], turn)
        os.sync()
        subprocess.run(["fstrim", top], check=True)
        left = blocks_with(device, word.encode())
    directory.rmdir()
    json.dump({"rounds": turn, "left": left}, sys.stdout)


if __name__ == "__main__":
    main(json.loads(sys.argv[1]))
