"""The build on the terminal: a line per stage with its time, a bar where it is long, the rest in the log file."""

from __future__ import annotations

import contextlib
import re
import shlex
import subprocess
import threading
import time
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console as Terminal
from rich.progress import BarColumn, Progress, TaskID, TaskProgressColumn, TextColumn, TimeElapsedColumn
from rich.table import Column

from golden.problem import Problem

BAR_WIDTH = 40  # columns, where the terminal has them
TAIL = 25  # lines of a failed step's output that are shown


@dataclass
class Step:
    """A stage in progress: how many lines it has printed, and its bar where the terminal shows one."""

    expected: int
    lines: int = 0
    bar: TaskID | None = None


class Console:
    """Writes the terminal and the log, and runs commands with their output in the log; threads may share it."""

    def __init__(self, log: Path) -> None:
        log.parent.mkdir(parents=True, exist_ok=True)
        self.path = log
        self._log = log.open("w", buffering=1)
        self._terminal = Terminal(highlight=False, soft_wrap=True)
        # on a narrow terminal the bar gets shorter, never the text beside it
        whole, rest = Column(no_wrap=True, overflow="ignore"), Column(ratio=1, max_width=BAR_WIDTH)
        columns = (
            TextColumn("  {task.description:<10}", table_column=whole.copy()),
            BarColumn(bar_width=None, table_column=rest),
            TaskProgressColumn(table_column=whole.copy()),
            TimeElapsedColumn(table_column=whole.copy()),
        )
        self._progress = Progress(*columns, console=self._terminal, transient=True)
        self._current = threading.local()
        self._running: set[subprocess.Popen[str]] = set()

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

    @contextlib.contextmanager
    def step(self, name: str, expected_lines: int) -> Iterator[Step]:
        """A bar for this thread's stage; ``expected_lines``: what it printed last time, 0 where unknown."""
        step = self._current.step = Step(expected_lines)
        if self._terminal.is_terminal:
            step.bar = self._progress.add_task(name, total=expected_lines or None)
            self._progress.start()
        try:
            yield step
        finally:
            if step.bar is not None:
                self._progress.remove_task(step.bar)
                if not self._progress.task_ids:
                    self._progress.stop()

    def run(
        self, command: Sequence[str], cure: str, environment: dict[str, str] | None = None, tail_from: str = ""
    ) -> str:
        """Run a command to its end and return what it printed; ``cure`` is the hint if it fails (Problem).

        The command is killed when the builder dies, even by SIGKILL.
        """
        self.note("$ " + " ".join(word if "\n" not in word else "…" for word in command))
        started = time.monotonic()
        tail: deque[str] = deque(maxlen=TAIL)
        kept: list[str] = []
        with subprocess.Popen(
            ["setpriv", "--pdeathsig", "KILL", "--", *command],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            env=environment,
        ) as process:
            self._running.add(process)
            assert process.stdout
            for raw in process.stdout:
                line = raw.rstrip()
                if tail_from and re.search(tail_from, line):
                    tail.clear()
                tail.append(line)
                kept.append(raw)
                self._count(line)
        self._running.discard(process)
        self.note(f"# {time.monotonic() - started:.1f} s, exit {process.returncode}")
        if process.returncode:
            raise Problem(f"{self._name(command)} failed with exit code {process.returncode}.", cure, "\n".join(tail))
        return "".join(kept)

    def close(self) -> None:
        """End the log file."""
        self._log.close()

    def abort(self) -> None:
        """Kill what is running, when the build is given up."""
        for process in list(self._running):
            process.kill()

    def _count(self, line: str) -> None:
        self.note(line)
        step: Step | None = getattr(self._current, "step", None)
        if step is None:
            return
        step.lines += 1
        if step.bar is not None:
            self._progress.update(step.bar, completed=min(step.lines, step.expected or step.lines))

    @staticmethod
    def _name(command: Sequence[str]) -> str:
        """The program that a command of namespaces and roots ends in."""
        last = command[-1].splitlines()[-1] if command and "\n" in command[-1] else ""
        words = shlex.split(last)[1:] if last else list(command)
        skipped = ("env", "-i", "chroot", "faketime", "-f", "--chdir")
        program = next(
            (
                word
                for word in words
                if not word.startswith(("-", "@", "/var/", "/mnt")) and "=" not in word and word not in skipped
            ),
            words[0],
        )
        return Path(program).name
