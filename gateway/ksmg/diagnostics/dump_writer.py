"""`python3 -m ksmg.diagnostics.dump_writer PID SIGNAL TIME NAME`: the kernel's; keeps a dump from standard input.

It runs as root, outside of every sandbox, and only while dumps are on. A dump that does not fit below the cap is cut.
"""

import os
import re
import sys
from pathlib import Path
from typing import BinaryIO

from ksmg.diagnostics.archives import dump_location
from ksmg.diagnostics.dumps import dump_files
from ksmg.policy import load_policy
from ksmg.retention.caps import effective_cap
from ksmg.settings import Settings
from ksmg.stores.durable import erase_file

_CHUNK = 1_048_576
_PER_CAP = 4
"""A dump may have this part of the cap: so at least the three before it stay."""


def main() -> int:
    """Keeps the dump. Exit code 1 when it cannot be kept."""
    policy = load_policy()
    location = dump_location(policy)
    cap = effective_cap(policy, Settings({}), location.place).bytes or 0
    process, signal, moment, name = (re.sub(r"[^A-Za-z0-9_-]", "_", text)[:32] for text in (*sys.argv[1:5],))
    target = Path(location.place) / f"{moment}-{process}-{signal}-{name}.core"
    try:
        keep(sys.stdin.buffer, target, dump_files(policy), cap)
    except OSError:
        return 1
    return 0


def keep(dump: BinaryIO, target: Path, kept: list[Path], cap: int) -> None:
    """Writes a dump, after erasing the oldest of those that are kept until the largest fits. Raises OSError."""
    most, total = cap // _PER_CAP, sum(path.stat().st_size for path in kept)
    while kept and total + most > cap:
        total -= kept[0].stat().st_size
        erase_file(kept.pop(0))
    new = target.with_suffix(".new")
    with os.fdopen(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600), "wb") as written:
        left = most
        while left and (data := dump.read(min(_CHUNK, left))):
            left -= written.write(data)
    new.rename(target)


if __name__ == "__main__":
    sys.exit(main())
