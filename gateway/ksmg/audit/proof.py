"""When access was last proven, as the system event log has it."""

from typing import Any

from ksmg.stores.system_events import Name, Sought, SystemEventLog


def last_proof(events: SystemEventLog) -> dict[str, Any] | None:
    """The newest complete run: `time`, and what it counted (`rows`, `accounts`, `units`, `seconds`, `differences`).

    None when there was none, or it is no longer in the log. Raises sqlite3.Error.
    """
    newest = events.search(Sought(names=(Name.ACCESS_AUDITED,)), limit=1)
    return {"time": newest[0].event.time, **newest[0].event.detail} if newest else None
