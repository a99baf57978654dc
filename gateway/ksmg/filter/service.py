"""Puts the filter together out of policy and settings, and runs it until it is told to end."""

import asyncio
import logging
import signal
import socket
from concurrent.futures import ThreadPoolExecutor

from ksmg.checks.verdict import Check
from ksmg.filter.engine_watch import EngineWatch
from ksmg.filter.pipeline import Pipeline
from ksmg.filter.recorder import Recorder
from ksmg.filter.server import Server
from ksmg.mail.facts import Neighbourhood
from ksmg.mail.spool import Spool, SpooledMessage
from ksmg.mail.structure import Structure
from ksmg.policy import DataPolicy
from ksmg.rules.action import Action, OnFailure
from ksmg.rules.default import DefaultRule
from ksmg.settings import Settings
from ksmg.stores.backup import Backup
from ksmg.stores.locations import open_backup, open_message_events, open_system_events, spool_directory
from ksmg.stores.system_events import Name, SystemEvent
from ksmg.system.syslog import Syslog
from ksmg.system.systemd import notify, watchdog_interval

_log = logging.getLogger(__name__)


def make_rule(settings: Settings) -> DefaultRule:
    """The default rule with the chosen actions."""
    return DefaultRule(
        infected=Action(settings["actions.infected"]),
        spam=Action(settings["actions.spam"]),
        on_failure={check: OnFailure(settings[f"{check}.on_failure"]) for check in ("antivirus", "antispam")},
    )


class FilterService:
    """The running filter. Raises OSError or sqlite3.Error from `run` when one of its places cannot be used."""

    def __init__(self, policy: DataPolicy, settings: Settings, checks: list[Check], syslog: Syslog) -> None:
        self._backup: Backup = open_backup(policy)
        self._recorder = Recorder(open_message_events(policy, settings), open_system_events(policy, settings), syslog)
        self._watch = EngineWatch(checks, self._recorder.record)
        self._spool = Spool(spool_directory(policy))
        self._backup_thread = ThreadPoolExecutor(1, "backup")
        self._pipeline = Pipeline(
            node=settings.text("hostname"),
            neighbourhood=Neighbourhood(
                settings["internal_networks"], (entry["domain"] for entry in settings["relay_domains"])
            ),
            inspect=_inspect,
            checks=checks,
            rule=make_rule(settings),
            backup=self._backup,
            backup_thread=self._backup_thread,
            watch=self._watch,
            record=self._recorder.record,
        )

    async def run(self, listening: socket.socket, *notices: SystemEvent) -> None:
        """Serves until SIGTERM or SIGINT, then finishes what is under way. `notices` are recorded at the start."""
        end = asyncio.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(number, end.set)
        self._spool.empty()
        self._backup.open()
        self._recorder.start()
        try:
            for notice in (*notices, SystemEvent(Name.FILTER_STARTED)):
                self._recorder.record(notice)
            await self._serve(listening, end)
            self._recorder.record(SystemEvent(Name.FILTER_STOPPED))
        finally:
            self._backup_thread.shutdown()
            self._recorder.stop()
            self._backup.close()

    async def _serve(self, listening: socket.socket, end: asyncio.Event) -> None:
        server = Server(self._spool, self._pipeline.process)
        await server.start(listening)
        companions = [asyncio.create_task(self._watch.watch()), asyncio.create_task(_stay_alive())]
        notify("READY=1")
        await end.wait()
        notify("STOPPING=1")
        await server.stop()
        for companion in companions:
            companion.cancel()


async def _inspect(_: SpooledMessage) -> Structure:
    return Structure(())


async def _stay_alive() -> None:
    """Tells systemd that the event loop turns, as often as it wants to hear it."""
    interval = watchdog_interval()
    while interval:
        notify("WATCHDOG=1")
        await asyncio.sleep(interval)
