"""Opens each store in the place and with the caps that the data policy gives it.

Where the policy lets users set a cap, the settings come first; on a small disk all caps shrink, see `retention.caps`.
"""

from collections.abc import Callable
from pathlib import Path

from ksmg.policy import DataPolicy
from ksmg.retention.caps import Cap, effective_cap
from ksmg.settings import FILE_NAME, Settings
from ksmg.stores.message_events import MessageEventLog
from ksmg.stores.message_store import MessageStore, StoredMessage
from ksmg.stores.statistics import Statistics
from ksmg.stores.system_events import SystemEventLog
from ksmg.stores.trail_line import announce

FILTER_UNIT = "ksmg-filter.service"


def gateway_account(policy: DataPolicy) -> str:
    """The account that the gateway runs as and its stores belong to."""
    return policy.units[FILTER_UNIT].account


def spool_directory(policy: DataPolicy) -> Path:
    """The filter's temporary place, the only one of that row that its unit opens."""
    entry = next(entry for entry in policy.units[FILTER_UNIT].write if entry.partition("@")[0] == "temporary")
    return Path(policy.resolve(entry)[0].place)


def settings_file(policy: DataPolicy) -> Path:
    """Where the settings are kept."""
    return Path(policy.place("settings")) / FILE_NAME


def open_backup(policy: DataPolicy, settings: Settings | None = None) -> MessageStore:
    """Backup. Its cap is the policy's alone; the settings say what else is on the disk."""
    return MessageStore(Path(policy.place("backup")), _cap(_caps(policy, settings or Settings({}), "backup").bytes))


def open_spam_quarantine(
    policy: DataPolicy, settings: Settings, lost: Callable[[StoredMessage], None] | None = None
) -> MessageStore:
    """The Anti-Spam quarantine. Its cap is the policy's alone; the settings say what happens when it is full."""
    return MessageStore(
        Path(policy.place("spam_quarantine")),
        _cap(_caps(policy, settings, "spam_quarantine").bytes),
        refuse_when_full=settings.text("spam_quarantine.when_full") == "refuse",
        lost=lost,
    )


def open_message_events(policy: DataPolicy, settings: Settings) -> MessageEventLog:
    """The message processing event log."""
    days = settings.number("message_events.days", policy.retention("message_events").days)
    cap = _caps(policy, settings, "message_events")
    return MessageEventLog(Path(policy.place("message_events")), days, _cap(cap.bytes))


def open_statistics(policy: DataPolicy) -> Statistics:
    """The operation statistics. They have no cap: an hour of them is small."""
    return Statistics(Path(policy.place("statistics")))


def open_system_events(policy: DataPolicy, settings: Settings) -> SystemEventLog:
    """The system event log."""
    records = _cap(_caps(policy, settings, "system_events").records)
    return SystemEventLog(Path(policy.place("system_events")), records, announce)


def _caps(policy: DataPolicy, settings: Settings, row: str) -> Cap:
    """The caps of the row's first place on this disk."""
    return effective_cap(policy, settings, policy.place(row))


def _cap(cap: int | None) -> int:
    if cap is None:
        raise ValueError("the data policy gives this store no cap")
    return cap
