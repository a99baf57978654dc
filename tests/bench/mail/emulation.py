"""Runs our filter with some of its engines, and with every message copied to Backup where a variant wants that.

Until rules can say either, the places in the filter that decide are replaced here, and nothing else.
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Sequence
from typing import Any

from ksmg.checks.verdict import Check, Status, Verdict, found
from ksmg.mail.message import Message
from ksmg.milter.replies import ACCEPT

from bench.mail.filter import COPY_ALL


class CopyAll(Check):
    """Finds something in every message, so that it is copied."""

    name = "antivirus"
    description = "finds something in every message"
    statuses = (Status.INFECTED,)

    async def check(self, message: Message, options: Any) -> Verdict:
        """Infected."""
        return found(self.name, Status.INFECTED, "Copied.By.Benchmark")

    async def probe(self) -> str:
        """Works."""
        return "works"


def main(chosen: Sequence[str]) -> int:
    """Run the filter."""
    program: Any = importlib.import_module("ksmg.filter.__main__")
    make_checks = program.make_checks

    def some_checks(*given: Any) -> list[Check]:
        copying = [CopyAll()] if COPY_ALL in chosen else []
        return [check for check in make_checks(*given) if check.name in chosen] + copying

    program.make_checks = some_checks
    if COPY_ALL in chosen:
        pipeline: Any = importlib.import_module("ksmg.filter.pipeline")
        pipeline.answer = lambda *_: [ACCEPT]
    return int(program.main())


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
