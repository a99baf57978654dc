"""``python3 -m bench.mail.unstored``: our filter with events in the log and in no store, to tell what a store costs."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from unittest.mock import patch

from ksmg.filter import __main__ as entry
from ksmg.filter import service
from ksmg.filter.recorder import Event, Recorder


class Unstored(Recorder):
    """Takes events as ours does."""

    def write(self, batch: Sequence[Event]) -> None:
        """Writes log lines alone."""
        for event in batch:
            self._send(event)


if __name__ == "__main__":
    with patch.object(service, "Recorder", Unstored):
        sys.exit(entry.main())
