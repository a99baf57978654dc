"""Digests of what a stage is made from: files, trees and plain values."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from pathlib import Path

LEFT_OUT = {"__pycache__", ".pytest_cache", ".mypy_cache", ".ruff_cache"}


def of_value(value: object) -> str:
    """Digest of anything that JSON can hold."""
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()


def of_paths(paths: Iterable[Path]) -> str:
    """Digest of files and trees: names, modes and bytes; neither times nor owners."""
    total = hashlib.sha256()
    for top in sorted(paths):
        for file in _files(top):
            mode = file.stat().st_mode & 0o111
            total.update(f"{top.name}/{file.relative_to(top)}\0{mode}\0{file.stat().st_size}\0".encode())
            total.update(file.read_bytes())
    return total.hexdigest()


def _files(top: Path) -> Iterable[Path]:
    if top.is_file():
        return [top]
    found = (file for file in top.rglob("*") if file.is_file())
    return sorted(file for file in found if not LEFT_OUT & set(file.parts) and file.suffix != ".pyc")
