"""All places where the appliance may keep data of a person, from the data policy."""

from collections.abc import Iterator
from pathlib import Path

from ksmg.policy import DataPolicy, Location
from ksmg.rules.store import open_lists, open_rules
from ksmg.settings import Settings
from ksmg.stores.locations import (
    open_backup,
    open_message_events,
    open_spam_quarantine,
    open_statistics,
    open_system_events,
)
from ksmg.stores.message_store import MessageStore
from ksmg.subject.as_owner import AsOwner
from ksmg.subject.configuration import FilesHolder, RulesHolder
from ksmg.subject.event_log import EventLogHolder
from ksmg.subject.finding import Holder
from ksmg.subject.log_files import LogHolder, TraceHolder
from ksmg.subject.mail_in_work import QueueHolder, TemporaryHolder
from ksmg.subject.message_stores import MessageStoreHolder
from ksmg.subject.small_stores import StatisticsHolder, SystemEventHolder

SYSTEM_LOG, SECURITY_LOG = Path("/var/log/messages"), Path("/var/log/audit/audit.log")
"""Logs that belong to no row: nothing of the policy is written to them, and it is proved here."""
ALIASES = Path("/etc/aliases")
NOT_SEARCHED = (
    "text inside attachments, archives and pictures",
    "names that were not given; a name alone may be somebody else's",
    "the ledger of copies that were handed over: digests, in which nobody can be found, gone after seven days",
    "what is encrypted, and data that left the appliance",
)
"""What a search says of itself."""
_CONFIGURATION = "configuration: changed by its administrator, who was told; it is not erased by itself"
_RULES = f"{_CONFIGURATION}; a rule that lost a condition would apply to others"
_SIGN_INS = "record of sign-ins: kept until evicted, because it proves who had access to personal data"
_KEYS = "an administrator's key: gone when the administrator removes it"
_DIRECTORY = "a copy of the directory: gone there first, then here"


def holders(policy: DataPolicy, settings: Settings) -> list[Holder]:
    """Every holder. Whole messages first, what is made from them later, and logs last: work on the others is logged."""
    stores = map(AsOwner, _stores(policy, settings))
    return [*_in_work(policy), *stores, *_files(policy), *_logs(policy)]


def _stores(policy: DataPolicy, settings: Settings) -> Iterator[Holder]:
    for row, store in (
        ("backup", open_backup(policy)),
        ("spam_quarantine", open_spam_quarantine(policy, settings)),
        ("kata_quarantine", MessageStore(Path(policy.place("kata_quarantine")), _bytes(policy, "kata_quarantine"))),
    ):
        yield MessageStoreHolder(row, str(policy.place(row)), store)
    events = open_message_events(policy, settings)
    yield EventLogHolder("message_events", str(policy.place("message_events")), events)
    yield StatisticsHolder("statistics", str(policy.place("statistics")), open_statistics(policy))
    yield SystemEventHolder("system_events", str(policy.place("system_events")), open_system_events(policy, settings))
    rules = Path(policy.place("rules"))
    yield RulesHolder("rules", rules, open_rules(policy), open_lists(policy), _RULES)


def _bytes(policy: DataPolicy, row: str) -> int:
    cap = policy.retention(row).bytes
    if cap is None:
        raise ValueError("the data policy gives this store no cap")
    return cap


def _in_work(policy: DataPolicy) -> Iterator[Holder]:
    yield QueueHolder("mta_queue", Path(policy.place("mta_queue")))
    for location in policy.row("temporary").locations:
        yield TemporaryHolder("temporary", Path(location.place))


def _files(policy: DataPolicy) -> Iterator[Holder]:
    grounds = {
        "settings": _CONFIGURATION,
        "directory_cache": _DIRECTORY,
        "mta_settings": _CONFIGURATION,
        "ssh_keys": _KEYS,
    }
    for row, ground in grounds.items():
        for location in policy.row(row).locations:
            yield FilesHolder(row, Path(location.place), ground)
    yield FilesHolder("mta_settings", ALIASES, _CONFIGURATION)


def _logs(policy: DataPolicy) -> Iterator[Holder]:
    for row, location in policy.locations():
        if row.id == "traces":
            yield from (TraceHolder(row.id, stream) for stream in _streams(location))
        elif location.type == "log":
            yield LogHolder(row.id, Path(location.place), _SIGN_INS if row.id == "auth_log" else "")
    yield LogHolder("", SECURITY_LOG, _SIGN_INS)
    yield LogHolder("", SYSTEM_LOG)


def _streams(location: Location) -> list[Path]:
    return sorted(Path(location.place).glob("*.log"))
