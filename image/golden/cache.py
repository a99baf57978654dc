"""What earlier builds left: one folder per stage and key, with the inputs that made it.

A folder appears under its final name only when its stage has finished; what an interrupted build left is swept away by
the next one. Layout: ``CACHE/stages/STAGE/KEY/{record.json, …}``.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import shutil
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from golden import content

DEFAULT = Path("/var/cache/ksmg")
KEPT = 3  # entries of a stage that survive, the latest used
RECORD = "record.json"


def location() -> Path:
    """Folder of the cache: ``KSMG_CACHE`` or the machine's."""
    return Path(os.environ.get("KSMG_CACHE") or DEFAULT)


@dataclass(frozen=True)
class Entry:
    """The result of one stage. ``seconds`` is what it took when it was made."""

    path: Path
    key: str
    inputs: Mapping[str, str]
    seconds: float
    lines: int

    def file(self, name: str) -> Path:
        """A file or folder of the result."""
        return self.path / name


class Cache:
    """The stages' results on disk."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.stages = root / "stages"
        self.packages = root / "packages"

    @contextlib.contextmanager
    def locked(self) -> Iterator[bool]:
        """Hold the cache for one build; yields whether another build had to be waited for."""
        self.stages.mkdir(parents=True, exist_ok=True)
        with (self.root / "lock").open("w") as handle:
            waited = False
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                waited = True
                print("Another build holds the cache; waiting for it.", flush=True)
                fcntl.flock(handle, fcntl.LOCK_EX)
            self._sweep()
            yield waited

    def key(self, inputs: Mapping[str, str]) -> str:
        """The name that these inputs give a result."""
        return content.of_value(dict(inputs))[:20]

    def find(self, stage: str, key: str) -> Entry | None:
        """The finished result under this key, now the latest used."""
        path = self.stages / stage / key
        if not (path / RECORD).exists():
            return None
        os.utime(path / RECORD)
        return self._read(path)

    def latest(self, stage: str) -> Entry | None:
        """The result that was used last, to say what has changed since."""
        records = sorted((self.stages / stage).glob(f"*/{RECORD}"), key=lambda path: path.stat().st_mtime)
        return self._read(records[-1].parent) if records else None

    def draft(self, stage: str, key: str) -> Path:
        """A fresh folder to build in."""
        path = self.stages / stage / f".{key}"
        path.mkdir(parents=True)
        return path

    def publish(self, stage: str, draft: Path, inputs: Mapping[str, str], seconds: float, lines: int) -> Entry:
        """Give a finished draft its final name and drop the entries that have not been used for longest."""
        key = draft.name[1:]
        record = {"inputs": dict(inputs), "seconds": round(seconds, 2), "lines": lines, "made": int(time.time())}
        (draft / RECORD).write_text(json.dumps(record, indent=1))
        final = draft.with_name(key)
        draft.rename(final)
        self._prune(stage)
        return self._read(final)

    def _read(self, path: Path) -> Entry:
        record = json.loads((path / RECORD).read_text())
        return Entry(path, path.name, record["inputs"], record["seconds"], record["lines"])

    def _prune(self, stage: str) -> None:
        records = sorted((self.stages / stage).glob(f"*/{RECORD}"), key=lambda path: -path.stat().st_mtime)
        for record in records[KEPT:]:
            shutil.rmtree(record.parent)

    def _sweep(self) -> None:
        for draft in self.stages.glob("*/.*"):
            shutil.rmtree(draft)


def reason(stage_inputs: Mapping[str, str], before: Entry | None) -> str:
    """Why a stage is built: which of its inputs differ from those of the last result."""
    if before is None:
        return "first build"
    names = [name for name in stage_inputs if before.inputs.get(name) != stage_inputs[name]]
    names += [f"{name} (gone)" for name in before.inputs if name not in stage_inputs]
    return "changed: " + ", ".join(names) if names else "its result was dropped from the cache"
