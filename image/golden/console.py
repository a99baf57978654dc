"""The build on the terminal: a line per stage with its time, a bar where it is long, everything else in the log file."""

from __future__ import annotations

import re
import subprocess
import time
from collections import deque
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console as Terminal
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeElapsedColumn

from golden.problem import Problem

TAIL = 25  # lines of a failed step's output that are shown


class Console:
    """Writes the terminal and the log, and runs commands with their output in the log."""

    def __init__(self, log: Path) -> None:
        log.parent.mkdir(parents=True, exist_ok=True)
        self.path = log
        self._log = log.open("w", buffering=1)
        self._terminal = Terminal(highlight=False, soft_wrap=True)
        self._progress: Progress | None = None
        self._expected = 0
        self.lines = 0

    def stage(self, name: str, text: str, seconds: float) -> None:
        """The one line of a finished stage."""
        self.say(f"  {name:<10} {seconds:7.1f} s   {text}")

    def say(self, text: str) -> None:
        """A line on the terminal and in the log."""
        self._terminal.print(text, markup=False)
        self.note(text)

    def note(self, text: str) -> None:
        """A line in the log only."""
        self._log.write(text + "\n")

    def begin(self, name: str, expected_lines: int) -> None:
        """Start the bar of a stage; ``expected_lines`` is how much the step printed last time, 0 where unknown."""
        self.lines, self._expected = 0, expected_lines
        if not self._terminal.is_terminal:
            return
        columns = (TextColumn("  {task.description:<10}"), BarColumn(), TaskProgressColumn(), TimeElapsedColumn())
        self._progress = Progress(*columns, console=self._terminal, transient=True)
        self._progress.add_task(name, total=expected_lines or None)
        self._progress.start()

    def end(self) -> None:
        """Take the bar away."""
        if self._progress:
            self._progress.stop()
            self._progress = None

    def run(self, command: Sequence[str], cure: str, environment: dict[str, str] | None = None, tail_from: str = "") -> str:
        """Run a command to its end and return what it printed; ``cure`` is the hint if it fails (Problem)."""
        self.note("$ " + " ".join(word if "\n" not in word else "…" for word in command))
        started = time.monotonic()
        tail: deque[str] = deque(maxlen=TAIL)
        kept: list[str] = []
        with subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace", env=environment
        ) as process:
            assert process.stdout
            try:
                for raw in process.stdout:
                    line = raw.rstrip()
                    if tail_from and re.search(tail_from, line):
                        tail.clear()
                    tail.append(line)
                    kept.append(raw)
                    self._count(line)
            except BaseException:
                process.kill()
                raise
        self.note(f"# {time.monotonic() - started:.1f} s, exit {process.returncode}")
        if process.returncode:
            name = next((word for word in command if "/" not in word and not word.startswith("-")), command[0])
            raise Problem(f"{self._name(command) or name} failed with exit code {process.returncode}.", cure, "\n".join(tail))
        return "".join(kept)

    def _count(self, line: str) -> None:
        self.note(line)
        self.lines += 1
        if self._progress:
            self._progress.update(self._progress.task_ids[0], completed=min(self.lines, self._expected or self.lines))

    @staticmethod
    def _name(command: Sequence[str]) -> str:
        """The program that a namespace command ends in."""
        last = command[-1].splitlines()[-1] if command and "\n" in command[-1] else ""
        match = re.search(r"(?:env -i (?:\S+=\S+ )*|exec )([\w./-]+)", last)
        return Path(match.group(1)).name if match else ""
