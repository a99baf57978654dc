"""Asks the modules about a message: each once for every set of options that a rule wants, all at the same time."""

import asyncio
import dataclasses
import logging
import time
from collections.abc import Hashable, Iterable, Mapping, Sequence

from ksmg.checks.verdict import Check, Verdict, unscanned
from ksmg.engines.failure import EngineFailure, Reason
from ksmg.filter.engine_watch import EngineWatch
from ksmg.mail.message import Message
from ksmg.rules.rule import SPOOL

_log = logging.getLogger(__name__)
Wanted = tuple[str, Hashable]
"""A module's name and the options that it is asked under."""


class Judges:
    """The modules, ready to be asked."""

    def __init__(self, checks: Sequence[Check], watch: EngineWatch) -> None:
        self._checks = {check.name: check for check in checks}
        self._watch = watch

    @property
    def names(self) -> tuple[str, ...]:
        """The modules' names, in the order in which events list them."""
        return tuple(self._checks)

    async def verdicts(self, message: Message, wanted: Iterable[Wanted]) -> Mapping[Wanted, Verdict]:
        """What each module says. A module that fails, for whatever cause, makes the message unscanned; none raises."""
        if failure := message.spooled.failure:
            text = f"the message could not be spooled: {failure.strerror or failure}"
            return {(SPOOL, ()): unscanned(SPOOL, Reason.ERROR, text)}
        asked = tuple(wanted)
        if not asked:
            return {}
        if len(asked) == 1:  # without a task of its own
            return {asked[0]: await self._verdict(message, *asked[0])}
        given = await asyncio.gather(*(self._verdict(message, *one) for one in asked))
        return dict(zip(asked, given, strict=True))

    async def _verdict(self, message: Message, name: str, options: Hashable) -> Verdict:
        started = time.monotonic()
        try:
            verdict = await self._checks[name].check(message, options)
            self._watch.answered(name)
        except EngineFailure as failure:
            self._watch.failed(name, failure)
            verdict = unscanned(name, failure.reason, str(failure))
        except OSError as error:
            verdict = unscanned(name, Reason.ERROR, f"the message cannot be read: {error.strerror or error}")
        except Exception as error:  # a defect in one check must not let a message pass, nor end the filter
            _log.exception("the check %s failed", name)
            verdict = unscanned(name, Reason.ERROR, f"the check failed: {type(error).__name__}")
        return dataclasses.replace(verdict, seconds=time.monotonic() - started)
