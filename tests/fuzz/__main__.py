"""`python -m fuzz OUT`: all targets, side by side, with fixed seeds, and a table of what was done.

Exit code 1 when an input broke a promise; the input is then in OUT.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path

CORPUS = Path(__file__).parent / "corpus"
RUNS = {"milter": 400_000, "walk": 200_000, "parameters": 150_000, "zip": 250_000, "files": 40_000}
"""Inputs for each target of the coverage-guided fuzzer."""
GENERATED = 10_000
"""Messages from hypothesis."""
LEAST = 1_000_000
_EXECUTED = re.compile(r"stat::number_of_executed_units:\s*(\d+)|^executed (\d+)", re.MULTILINE)
_COVERED = re.compile(r"cov: (\d+) ft: (\d+)")


@dataclass(frozen=True)
class Result:
    """What became of one target."""

    target: str
    executions: int
    crashed: bool
    coverage: str
    seconds: float


def run(target: str, arguments: list[str], out: Path) -> Result:
    """Runs one target in a process of its own; its output is in OUT/TARGET.log."""
    started, log = time.monotonic(), out / f"{target}.log"
    with log.open("wb") as file:
        done = subprocess.run([sys.executable, "-m", *arguments], stdout=file, stderr=subprocess.STDOUT, check=False)
    text = log.read_text("utf-8", "replace")
    executed = [int(first or second) for first, second in _EXECUTED.findall(text)]
    covered = _COVERED.findall(text)
    coverage = f"{covered[-1][0]} edges, {covered[-1][1]} features" if covered else "-"
    return Result(target, sum(executed), done.returncode != 0, coverage, time.monotonic() - started)


def jobs(out: Path, scale: float) -> list[Callable[[], Result]]:
    """What is to be run, the longest first."""
    guided = {
        target: ["fuzz.guided", target, str(max(1, int(runs * scale))), str(CORPUS / target), str(out)]
        for target, runs in RUNS.items()
    }
    all_jobs = {**guided, "generated": ["fuzz.generated", str(max(1, int(GENERATED * scale)))]}
    return [partial(run, target, arguments, out) for target, arguments in all_jobs.items()]


def main(place: str, scale: str = "1") -> int:
    """Runs all targets. `scale` is a factor for the number of inputs."""
    out = Path(place)
    out.mkdir(parents=True, exist_ok=True)
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        results = list(pool.map(lambda job: job(), jobs(out, float(scale))))
    for result in results:
        state = "CRASH" if result.crashed else "ok"
        print(
            f"  {result.target:12}{result.executions:>10,} inputs  {state:6}{result.coverage:32}{result.seconds:7.0f} s"
        )
    total, crashes = sum(result.executions for result in results), sum(result.crashed for result in results)
    print(f"  {total:,} inputs, {crashes} crashes; logs and inputs in {out}")
    enough = total >= LEAST * float(scale)
    return 0 if enough and not crashes else 1


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
