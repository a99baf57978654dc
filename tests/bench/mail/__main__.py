"""``python -m bench.mail OUT``: our filter and its peers in one run on this machine, and the bars of our filter."""

from __future__ import annotations

import argparse
import fcntl
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from golden import cache
from golden.problem import Problem

from bench.mail import chamber, root
from bench.mail.bars import bars
from bench.mail.messages import SIZES
from bench.mail.peers import PEERS
from bench.mail.report import table, warning, write
from bench.mail.results import RUNS, Results


@contextmanager
def alone() -> Iterator[None]:
    """One benchmark at a time on this machine: two would measure each other."""
    place = cache.location() / "bench"
    place.mkdir(parents=True, exist_ok=True)
    with (place / "lock").open("w") as handle:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            print("  waiting for another benchmark on this machine", flush=True)
            fcntl.flock(handle, fcntl.LOCK_EX)
        yield


def parse(arguments: Sequence[str]) -> argparse.Namespace:
    """The command line."""
    names = [peer.name for peer in PEERS]
    parser = argparse.ArgumentParser(prog="bench.mail", description=__doc__)
    parser.add_argument("out", type=Path)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=7.0, help="of one run, about")
    parser.add_argument("--only", nargs="+", choices=names, default=names, metavar="PEER", help=", ".join(names))
    parser.add_argument("--revision", default="", help="the gateway of this git revision instead of the working tree's")
    parser.add_argument("--size", nargs="+", choices=list(SIZES), default=list(SIZES))
    return parser.parse_args(arguments)


def main(arguments: Sequence[str]) -> int:
    """Measure and report; exit code 1 when a bar is missed or a peer does not work."""
    chosen = parse(arguments)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("ended by a signal"))  # what it has started ends with it
    results = chosen.out.resolve()
    results.mkdir(parents=True, exist_ok=True)
    try:
        what = [str(chosen.rounds), str(chosen.seconds), ",".join(chosen.size), *chosen.only]
        program = ["python3", "-m", "bench.mail.inside", *what]
        with alone(), chamber.prepared(root.ensure(), results, chosen.revision, program) as command:
            code = subprocess.run(command, check=False).returncode
    except Problem as problem:
        print(f"Error: {problem}\n{problem.cure}", file=sys.stderr)
        return 1
    return code or conclude(results)


def conclude(folder: Path) -> int:
    """Print and write what the runs say; exit code 1 when a bar is missed."""
    results = Results(folder / RUNS)
    checked = list(bars(results))
    print("\n".join([*table(results), "", *(bar.line() for bar in checked), *warning(results)]))
    write(results, checked, folder / "mail.json")
    print(f"All figures are in {folder / 'mail.json'}, every run in {folder / RUNS}.")
    return 0 if all(bar.met for bar in checked) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
