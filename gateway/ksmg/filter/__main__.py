"""`python3 -m ksmg.filter`: the service's process. systemd passes the socket; the rest is in policy and settings."""

import asyncio
import importlib
import logging
import sqlite3
import sys
from collections.abc import Callable
from typing import cast

from ksmg.checks.catalogue import make_checks
from ksmg.filter.service import FilterService
from ksmg.policy import PolicyError, load_policy
from ksmg.settings import Settings, SettingsError, load_settings
from ksmg.stores.locations import settings_file
from ksmg.stores.system_events import Name, SystemEvent
from ksmg.system.syslog import Syslog, SyslogHandler
from ksmg.system.systemd import listening_sockets

_log = logging.getLogger("ksmg.filter")
IDENT = "ksmg-filter"


def new_event_loop() -> asyncio.AbstractEventLoop:
    """uvloop's event loop, which costs less per message; it is a dependency of the package."""
    uvloop = importlib.import_module("uvloop")
    return cast(Callable[[], asyncio.AbstractEventLoop], uvloop.new_event_loop)()


def main() -> int:
    """Runs the filter. Exit code 1 with one sentence when it cannot start."""
    syslog = Syslog(IDENT)
    logging.basicConfig(level=logging.INFO, handlers=[SyslogHandler(syslog)])
    logging.getLogger("asyncio").setLevel(logging.WARNING)
    try:
        _run(syslog)
    except (PolicyError, SettingsError, OSError, sqlite3.Error) as error:
        _log.error("The filter cannot start: %s", error)
        print(f"The filter cannot start: {error}", file=sys.stderr)
        return 1
    return 0


def _run(syslog: Syslog) -> None:
    policy = load_policy()
    file = settings_file(policy)
    settings = load_settings(file)
    notices = []
    if settings is None:
        _log.warning("There are no settings at %s: the safe defaults are in force.", file)
        notices.append(SystemEvent(Name.SETTINGS_MISSING, {"file": str(file)}))
        settings = Settings({})
    sockets = listening_sockets()
    if len(sockets) != 1:
        raise OSError("systemd passed no socket; start ksmg-filter.socket instead")
    service = FilterService(policy, settings, make_checks(settings), syslog)
    with asyncio.Runner(loop_factory=new_event_loop) as runner:
        runner.run(service.run(sockets[0], *notices))


if __name__ == "__main__":
    sys.exit(main())
