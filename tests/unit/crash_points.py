"""Simulated crashes: the process dies before the n-th thing that it does to the disk."""

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

STEPS = (
    "rename",
    "link",
    "unlink",
    "pwrite",
    "pwritev",
    "write",
    "fdatasync",
    "fsync",
    "ftruncate",
    "fchown",
    "fchmod",
)
"""What a crash can come before."""
MOST = 60
"""No operation under test has more steps."""


class Crash(BaseException):
    """The process is dead."""


class Inline:
    """A thread that runs at once, so that a crash in it reaches the test."""

    def __init__(self, target: Callable[[], None], **_: Any) -> None:
        self._target = target

    def start(self) -> None:
        """Runs it to its end."""
        self._target()


def crashes(
    operation: Callable[[], object], prepare: Callable[[], None], monkeypatch: pytest.MonkeyPatch
) -> Iterator[int]:
    """Prepares, and runs the operation with a crash before each of its steps in turn; ends when it went through."""
    for step in range(MOST):
        prepare()
        with monkeypatch.context() as patched:
            _crash_before(step, patched)
            try:
                operation()
            except Crash:
                died = True
            else:
                died = False
        yield step
        if not died:
            return
    raise AssertionError("the operation never ended")


def _crash_before(step: int, patched: pytest.MonkeyPatch) -> None:
    left = [step]

    def counted(original: Callable[..., Any]) -> Callable[..., Any]:
        def call(*arguments: Any, **named: Any) -> Any:
            if left[0] == 0:
                raise Crash
            left[0] -= 1
            return original(*arguments, **named)

        return call

    for name in STEPS:
        patched.setattr(os, name, counted(getattr(os, name)))


def seen_at_unlink(monkeypatch: pytest.MonkeyPatch) -> list[bytes]:
    """The content that files have when they are unlinked from now on."""
    seen: list[bytes] = []
    unlink = os.unlink

    def look(path: str | Path, **named: int | None) -> None:
        seen.append(Path(path).read_bytes())
        unlink(path, **named)

    monkeypatch.setattr(os, "unlink", look)
    return seen


def content(directory: Path) -> dict[str, bytes]:
    """Every file of a directory."""
    return {path.name: path.read_bytes() for path in sorted(directory.iterdir())}


def restore(directory: Path, files: dict[str, bytes]) -> None:
    """Makes a directory hold exactly these files."""
    directory.mkdir(exist_ok=True)
    for path in directory.iterdir():
        path.unlink()
    for name, data in files.items():
        (directory / name).write_bytes(data)
