"""Writes many small files and removes them again, as a mail queue does: their blocks are free, and keep what was there.

Argument: {"directory": where, "word": what is in each file, "files": how many}. Answer: {"files": written and removed}.
"""

import json
import os
import random
import sys
from pathlib import Path
from typing import Any

MOST_AT_A_TIME = 40
SIZES = (100, 4_000, 12_000, 40_000)
"""Bytes; the file system treats small files in a way of its own."""
SYNC_EVERY = 7


def churn(directory: Path, word: str, files: int, chance: random.Random) -> None:
    """Some files are there at a time, and any of them goes next."""
    kept: list[Path] = []
    for number in range(files):
        file = directory / f"churn.{number}"
        with file.open("w") as writing:
            writing.write(f"{word} " * (chance.choice(SIZES) // (len(word) + 1)))
            if number % SYNC_EVERY == 0:
                os.fsync(writing.fileno())
        kept.append(file)
        if len(kept) > MOST_AT_A_TIME:
            kept.pop(chance.randrange(len(kept))).unlink()
    for file in kept:
        file.unlink()


def main(argument: dict[str, Any]) -> None:
    """Churns in a directory of its own."""
    directory = Path(argument["directory"])
    directory.mkdir()
    churn(directory, argument["word"], argument["files"], random.Random(0))
    directory.rmdir()
    json.dump({"files": argument["files"]}, sys.stdout)


if __name__ == "__main__":
    main(json.loads(sys.argv[1]))
