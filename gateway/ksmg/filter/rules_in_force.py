"""The rule set in force, read again when its file changed. A file that is wrong changes nothing, and is an event."""

import asyncio
import logging
from collections.abc import Callable

from ksmg.rules.fields import RulesError
from ksmg.rules.rule_set import RuleSet
from ksmg.rules.store import RuleStore
from ksmg.stores.system_events import Name, SystemEvent

_log = logging.getLogger(__name__)
LOOK_SECONDS = 1.0
"""How often the file is looked at: a change is in force after that time at the latest."""


class RulesInForce:
    """Knows the rule set for a message that is judged now."""

    def __init__(self, store: RuleStore, record: Callable[[SystemEvent], None]) -> None:
        """Reads the rules. Raises RulesError or OSError: without rules no message can be judged."""
        self._store = store
        self._record = record
        self.current: RuleSet = store.load()

    async def watch(self) -> None:
        """Looks at the file again and again. Never returns."""
        while True:
            await asyncio.sleep(LOOK_SECONDS)
            self.refresh()

    def refresh(self) -> None:
        """Reads the rules again when their file changed."""
        if not self._store.changed():
            return
        try:
            self.current = self._store.load()
        except (RulesError, OSError) as error:
            _log.error("The rules stay as they were: %s", error)
            self._record(SystemEvent(Name.RULES_WRONG, {"cause": str(error)}))
        else:
            self._record(SystemEvent(Name.RULES_LOADED, {"digest": self.current.digest}))
