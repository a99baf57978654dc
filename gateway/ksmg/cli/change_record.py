"""Changes that somebody makes with the command: each is a system event and a line in the log files."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ksmg.cli.appliance import Appliance
from ksmg.stores.locations import open_system_events
from ksmg.stores.system_events import Name, SystemEvent
from ksmg.system.account import acting_as_owner, caller
from ksmg.system.origin import origin
from ksmg.system.syslog import Syslog, line


def record_change(here: Appliance, name: Name, detail: Mapping[str, Any]) -> None:
    """Records who did it, and what; root too, in the log that is the gateway's account's. Raises sqlite3.Error."""
    event = SystemEvent(name, detail, here.caller)
    with acting_as_owner(Path(here.policy.place("system_events"))):
        open_system_events(here.policy, here.settings).add(event)
    fields = [("event", name.value), ("account", event.account), ("origin", event.origin)]
    Syslog("ksmg").send(name.severity, line([*fields, *detail.items()]))


def report_refusal(verb: str) -> None:
    """Tells the log files that this account may not do this; the trail makes a system event of it.

    Who has no rights cannot write the log of system events himself.
    """
    fields = [("event", Name.ACCESS_REFUSED.value), ("account", caller()), ("origin", origin()), ("verb", verb)]
    Syslog("ksmg").send(Name.ACCESS_REFUSED.severity, line(fields))
