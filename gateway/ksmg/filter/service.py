"""Puts the filter together out of policy and settings, and runs it until it is told to end."""

import asyncio
import signal
import socket
import time

from ksmg.checks.verdict import Check
from ksmg.diagnostics.levels import LevelsInForce
from ksmg.filter.assembly import make_judgement, neighbourhood
from ksmg.filter.budget import HOUR, Budget
from ksmg.filter.chronicle import Chronicle
from ksmg.filter.delivery import Delivery
from ksmg.filter.engine_watch import EngineWatch
from ksmg.filter.pipeline import Pipeline
from ksmg.filter.recorder import Recorder
from ksmg.filter.rules_in_force import RulesInForce
from ksmg.filter.server import Server
from ksmg.mail.spool import Spool
from ksmg.notifications import DEFAULTS, Notifier, Template
from ksmg.policy import DataPolicy
from ksmg.rules.store import open_rules
from ksmg.rules.treatment import Action, Notified
from ksmg.settings import Settings
from ksmg.stores.event_search import Criteria
from ksmg.stores.locations import (
    open_backup,
    open_message_events,
    open_spam_quarantine,
    open_statistics,
    open_system_events,
    spool_directory,
)
from ksmg.stores.message_store import StoredMessage
from ksmg.stores.system_events import Name, SystemEvent
from ksmg.submission.client import submit
from ksmg.system.syslog import Syslog
from ksmg.system.systemd import notify, watchdog_interval


class FilterService:
    """The running filter. Raises OSError or sqlite3.Error from `run` when one of its places cannot be used."""

    def __init__(self, policy: DataPolicy, settings: Settings, checks: list[Check], syslog: Syslog) -> None:
        """Raises RulesError, or OSError, when the rules cannot be read."""
        logs = open_message_events(policy, settings), open_system_events(policy, settings)
        self._recorder = Recorder(*logs, syslog, open_statistics(policy))
        self._levels = LevelsInForce(policy, settings, self._recorder.record)
        self._watch = EngineWatch(checks, self._recorder.record)
        self._rules = RulesInForce(open_rules(policy), self._recorder.record)
        self._spool = Spool(spool_directory(policy))
        self._stores = (open_backup(policy), open_spam_quarantine(policy, settings, self._lost))
        per_hour = settings.number("unscanned.per_hour")
        budget = Budget(per_hour, _passed_unscanned(policy, settings, per_hour))
        self._notifier = Notifier(
            settings.text("hostname"),
            settings["postmaster"],
            neighbourhood(settings),
            spool_directory(policy),
            submit,
            self._not_notified,
            templates=_templates(settings),
        )
        self._pipeline = Pipeline(
            make_judgement(settings, self._rules, checks, self._watch, budget),
            Delivery(*self._stores, submit, spool_directory(policy), settings.text("hostname")),
            Chronicle(settings.text("hostname"), self._recorder.message),
            self._notifier,
        )

    async def run(self, listening: socket.socket, *notices: SystemEvent) -> None:
        """Serves until SIGTERM or SIGINT, then finishes what is under way. `notices` are recorded at the start."""
        end = asyncio.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(number, end.set)
        self._spool.empty()
        self._recorder.start()
        try:
            for store in self._stores:
                store.open()
            for notice in (*notices, SystemEvent(Name.FILTER_STARTED)):
                self._recorder.record(notice)
            await self._serve(listening, end)
            self._recorder.record(SystemEvent(Name.FILTER_STOPPED))
        finally:
            for store in self._stores:
                store.close()
            self._recorder.stop()

    async def _serve(self, listening: socket.socket, end: asyncio.Event) -> None:
        server = Server(self._spool, self._pipeline.process)
        await server.start(listening)
        running = (self._watch.watch(), self._rules.watch(), self._levels.watch(), _stay_alive())
        companions = [asyncio.create_task(c) for c in running]
        notify("READY=1")
        await end.wait()
        notify("STOPPING=1")
        await server.stop()
        await self._notifier.finish()
        for companion in companions:
            companion.cancel()

    def _not_notified(self, cause: str) -> None:
        self._recorder.record(SystemEvent(Name.NOTIFICATION_FAILED, {"cause": cause}))

    def _lost(self, message: StoredMessage) -> None:
        """The quarantine was full, and a message went that nobody had decided about."""
        detail = {"quarantine_id": message.id, "queue_id": message.queue_id, "size": message.size}
        self._recorder.record(SystemEvent(Name.HELD_MESSAGE_LOST, detail))


def _templates(settings: Settings) -> dict[Notified, Template]:
    """The texts that somebody wrote, and the usual ones."""
    written = {who: settings[f"notifications.{who.value}"] for who in Notified}
    return {who: Template(**text) if text else DEFAULTS[who] for who, text in written.items()}


def _passed_unscanned(policy: DataPolicy, settings: Settings, most: int) -> list[float]:
    """When messages passed unscanned within the last hour: a restart does not give the budget anew."""
    criteria = Criteria(unscanned=True, since=time.time() - HOUR)
    found = open_message_events(policy, settings).search(criteria, limit=most)
    return sorted(event.time for event in found if event.first and event.action != Action.TEMPFAIL.value)


async def _stay_alive() -> None:
    """Tells systemd that the event loop turns, as often as it wants to hear it."""
    interval = watchdog_interval()
    while interval:
        notify("WATCHDOG=1")
        await asyncio.sleep(interval)
