"""Puts the finished files into the output folder, each under its final name only when it is complete."""

from __future__ import annotations

import hashlib
import json
import subprocess
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from golden.problem import Problem
from golden.seal_root import PACKAGE_FACTS_PLACE
from golden.stage import Build

BLOCK = 1 << 22


def deliver(build: Build, out: Path) -> list[Path]:
    """Copy what the cache holds to ``out/STEM.*``; files that are there already stay. Returns the files."""
    out.mkdir(parents=True, exist_ok=True)
    sources = {
        "raw": build.results["disk"].file("disk.raw"),
        "qcow2": build.results["qcow2"].file("disk.qcow2"),
        "report.xml": build.results["inspect"].file("report.xml"),
    }
    stamp = out / f".{build.stem}.json"
    wanted = {suffix: [str(path), path.stat().st_size] for suffix, path in sources.items()}
    files = {suffix: out / f"{build.stem}.{suffix}" for suffix in sources}
    before = json.loads(stamp.read_text()) if stamp.exists() else {}
    if before.get("from") != wanted or before.get("files") != _states(files.values()):
        stamp.unlink(missing_ok=True)
        for suffix, path in sources.items():
            copy(path, files[suffix])
        _write(out / f"{build.stem}.packages", _manifest(build))
        _write(out / f"{build.stem}.sha256", _checksums([*files.values(), out / f"{build.stem}.packages"]))
        stamp.write_text(json.dumps({"from": wanted, "files": _states(files.values())}))
    _write(
        out / f"{build.stem}.timings.json", json.dumps({"stem": build.stem, "stages": build.timings}, indent=1) + "\n"
    )
    names = ("packages", "sha256", "timings.json")
    return [*files.values(), *(out / f"{build.stem}.{name}" for name in names)]


def _states(files: object) -> list[list[object]]:
    assert hasattr(files, "__iter__")
    return [[path.name, path.stat().st_size, path.stat().st_mtime_ns] for path in files if path.exists()]


def copy(source: Path, final: Path) -> None:
    """Copy a sparse file; it appears under its final name when it is complete. Raises Problem."""
    part = final.with_name(f".{final.name}.part")
    copy = ["cp", "--sparse=always", "--reflink=auto", str(source), str(part)]
    done = subprocess.run(copy, check=False, capture_output=True, text=True)
    if done.returncode:
        part.unlink(missing_ok=True)
        raise Problem(f"{final} can't be written: {done.stderr.strip()}", "Free space there and run it again.")
    part.rename(final)


def _write(final: Path, text: str) -> None:
    part = final.with_name(f".{final.name}.part")
    part.write_text(text)
    part.rename(final)


def _checksums(files: list[Path]) -> str:
    """Lines for `sha256sum --check`."""
    with ThreadPoolExecutor() as pool:
        return "".join(f"{digest}  {path.name}\n" for path, digest in zip(files, pool.map(_digest, files), strict=True))


def _digest(path: Path) -> str:
    total = hashlib.sha256()
    with path.open("rb") as handle:
        while block := handle.read(BLOCK):
            total.update(block)
    return total.hexdigest()


def _manifest(build: Build) -> str:
    """Name, version and architecture of every installed package, from the topmost dpkg database."""
    text = (build.results["seal"].file("root") / PACKAGE_FACTS_PLACE / "dpkg/status").read_text()
    rows = []
    for paragraph in text.split("\n\n"):
        fields = dict(
            line.split(": ", 1) for line in paragraph.splitlines() if ": " in line and not line.startswith(" ")
        )
        if fields.get("Status") == "install ok installed":
            rows.append(f"{fields['Package']}\t{fields['Version']}\t{fields['Architecture']}\n")
    return "".join(sorted(rows))
