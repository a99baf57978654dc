"""``python -m tiers REPORTS``: every tier of tests, those that need nothing of each other side by side.

A tier is a command with a log of its own. The last line says how many tests passed and failed in all of them.
"""

from __future__ import annotations

import argparse
import importlib.util
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from xml.etree import ElementTree

from golden.pipeline import version

REPOSITORY = Path(__file__).resolve().parents[1]
TAIL = 60  # lines of a failed tier's log that are shown
FAILURE_TAIL = 12  # lines of what a failed test said
SITE = "tests/lab/site"  # the image under test lets the lab's key in
SCENARIOS = "tests/molecule/*/molecule.yml"
PYTEST = [sys.executable, "-m", "pytest", "-q"]


@dataclass(frozen=True)
class Tier:
    """One command. ``reports`` are the JUnit files that it writes; ``after`` names the tiers whose results it needs."""

    name: str
    command: Sequence[str]
    after: Sequence[str] = ()
    reports: Sequence[str] = ()
    environment: Mapping[str, str] = field(default_factory=dict)


def tiers(out: Path) -> list[Tier]:
    """All of them; heavy ones first, because they decide how long the whole takes."""
    image = out / "image"
    deb = {"KSMG_DEB": str(out / f"ksmg_{version()}_all.deb")}
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    return [
        Tier("deb", builder("deb", "example", out)),
        Tier("image", builder("image", SITE, image), after=["deb"], reports=["image/ksmg-*.report.xml"]),
        Tier("lint", ["make", "--no-print-directory", "lint"]),
        Tier("unit", [*PYTEST, f"--junitxml={out}/unit.xml", "tests/unit"], reports=["unit.xml"]),
        Tier(
            "molecule",
            ["molecule", "test"],
            after=["deb"],
            reports=["molecule*.xml"],
            environment={
                **deb,
                "KSMG_LAB_NAME": "molecule",
                "KSMG_REPORTS": str(out),
                "KSMG_STRATEGY": "mitogen_linear",
                "KSMG_STRATEGY_PLUGINS": str(strategy_plugins()),
                "MOLECULE_GLOB": SCENARIOS,
                "PATH": path,
            },
        ),
        Tier(
            "boot",
            [sys.executable, "-m", "boot", str(image / f"ksmg-{version()}-{Path(SITE).name}.qcow2"), str(out)],
            after=["image"],
            reports=["boot-*.xml"],
            environment={"KSMG_LAB_NAME": "boot"},
        ),
        Tier(
            "example",
            builder("image", "example", out / "example"),
            after=["image"],
            reports=["example/ksmg-*.report.xml"],
        ),
    ]


def chosen(every: Sequence[Tier], names: Sequence[str]) -> list[Tier]:
    """The named tiers, and those whose results they need. Raises KeyError for a name that is none."""
    known = {tier.name: tier for tier in every}
    wanted, waiting = set[str](), list(names)
    while waiting:
        name = waiting.pop()
        wanted.add(name)
        waiting += known[name].after
    return [tier for tier in every if tier.name in wanted]


def strategy_plugins() -> Path:
    """Where mitogen has its strategies: a converge takes half the time with them."""
    spec = importlib.util.find_spec("ansible_mitogen")
    places = list(spec.submodule_search_locations or []) if spec else []
    return Path(places[0], "plugins/strategy")


def builder(command: str, site: str, out: Path) -> list[str]:
    """The image builder, as the Makefile calls it."""
    return [sys.executable, "-m", "golden", command, "--site", site, "--out", str(out)]


class Run:
    """Tiers in progress: each waits for those it needs, and is left out where one of them failed."""

    def __init__(self, chain: Sequence[Tier], out: Path) -> None:
        self._chain, self._out = chain, out
        self._results: dict[str, Future[bool]] = {}
        self._terminal = threading.Lock()

    def go(self) -> bool:
        """Run everything; whether all of it passed."""
        with ThreadPoolExecutor(len(self._chain)) as pool:
            for tier in self._chain:
                self._results[tier.name] = pool.submit(self._one, tier)
        return all(future.result() for future in self._results.values())

    def _one(self, tier: Tier) -> bool:
        if not all(self._results[name].result() for name in tier.after):
            self._say(f"  {tier.name:<10}            left out: it needs what failed before")
            return False
        started = time.monotonic()
        log = self._out / f"{tier.name}.log"
        with log.open("w") as handle:
            code = subprocess.run(
                tier.command,
                stdin=subprocess.DEVNULL,
                stdout=handle,
                stderr=subprocess.STDOUT,
                cwd=REPOSITORY,
                env={**os.environ, **tier.environment},
                check=False,
            ).returncode
        seconds = time.monotonic() - started
        result = "passed" if code == 0 else f"FAILED (exit {code}), log {log}"
        self._say(f"  {tier.name:<10} {seconds:7.1f} s   {result}")
        if code:
            self._say("\n".join(f"    | {line}" for line in log.read_text(errors="replace").splitlines()[-TAIL:]))
        return code == 0

    def _say(self, text: str) -> None:
        with self._terminal:
            print(text, flush=True)


def suites(out: Path, chain: Sequence[Tier]) -> Iterator[ElementTree.Element]:
    """The test suites of all reports that the tiers of this run have written."""
    for pattern in (pattern for tier in chain for pattern in tier.reports):
        for path in out.glob(pattern):
            yield from ElementTree.parse(path).iter("testsuite")


def count(out: Path, chain: Sequence[Tier]) -> tuple[int, int, int]:
    """Passed, failed and skipped tests of all reports."""
    passed = failed = skipped = 0
    for suite in suites(out, chain):
        bad = int(suite.get("failures", 0)) + int(suite.get("errors", 0))
        left = int(suite.get("skipped", 0))
        passed += int(suite.get("tests", 0)) - bad - left
        failed += bad
        skipped += left
    return passed, failed, skipped


def failures(out: Path, chain: Sequence[Tier]) -> Iterator[str]:
    """Each failed test by name, with the end of what it said: a log that is kept by its end only still tells them."""
    for suite in suites(out, chain):
        for case in suite.iter("testcase"):
            for fault in (*case.iter("failure"), *case.iter("error")):
                said = (fault.text or fault.get("message") or "").strip().splitlines()[-FAILURE_TAIL:]
                yield "\n".join(
                    (f"FAILED {case.get('classname')}::{case.get('name')}", *(f"    | {line}" for line in said))
                )


def main() -> int:
    """Run all tiers, or those named; exit code 1 when one failed."""
    parser = argparse.ArgumentParser(prog="tiers", description=__doc__)
    parser.add_argument("reports", type=Path)
    parser.add_argument("only", nargs="*", help="names of tiers, which run with those that they need")
    arguments = parser.parse_args()
    arguments.reports.mkdir(parents=True, exist_ok=True)
    out = arguments.reports.resolve()
    started = time.monotonic()
    every = tiers(out)
    try:
        chain = chosen(every, arguments.only or [tier.name for tier in every])
    except KeyError as name:
        parser.error(f"there is no tier {name}; there are {', '.join(tier.name for tier in every)}")
    good = Run(chain, out).go()
    passed, failed, skipped = count(out, chain)
    for failure in failures(out, chain):
        print(failure)
    print(f"All tiers in {(time.monotonic() - started) / 60:.1f} min; reports and logs in {out}")
    print(f"{passed} passed, {failed + (0 if good or failed else 1)} failed, {skipped} skipped")
    return 0 if good and not failed else 1


if __name__ == "__main__":
    sys.exit(main())
