"""The message that the filter judges: its envelope, its spooled file, and what is in it."""

import asyncio
from collections.abc import Awaitable, Callable

from ksmg.mail.envelope import Envelope
from ksmg.mail.facts import Facts
from ksmg.mail.spool import SpooledMessage
from ksmg.mail.structure import Structure

Inspect = Callable[[SpooledMessage], Awaitable[Structure]]
"""Looks into a spooled message. Raises EngineFailure."""


class Message:
    """A complete message."""

    def __init__(self, envelope: Envelope, spooled: SpooledMessage, facts: Facts, inspect: Inspect) -> None:
        self.envelope = envelope
        self.spooled = spooled
        self.facts = facts
        self._inspect = inspect
        self._structure: asyncio.Future[Structure] | None = None

    async def structure(self) -> Structure:
        """What is in it: looked into once, when somebody first asks, and shared by all who do. Raises EngineFailure."""
        if self._structure is None:
            self._structure = asyncio.ensure_future(self._inspect(self.spooled))
        return await asyncio.shield(self._structure)

    @property
    def looked_into(self) -> Structure | None:
        """What is in it, if somebody asked and it was found out."""
        done = self._structure is not None and self._structure.done() and not self._structure.cancelled()
        return self._structure.result() if self._structure and done and not self._structure.exception() else None
