"""The data policy's values in words: how long, how much, who, and what for."""

from collections.abc import Iterable, Sequence

from ksmg.policy import Location, Outgoing, Retention
from ksmg.retention.measure import Cap, Holding
from ksmg.statement.language import Language

KINDS = {
    "system": "account of the operating system, made by the appliance",
    "package": "account of the operating system, made by a Debian package",
    "web": "user of the web interface; no account of the operating system",
}
RIGHTS = {"list": "list", "read": "read", "write": "write"}
PURPOSES = {
    "write_events": "writing events",
    "collect_diagnostics": "collecting diagnostic information",
    "administer_queue": "administering the queue",
    "administer_ssh": "administering the SSH settings",
}
PERMISSIONS = {
    "view_settings": "view settings",
    "view_rules": "view message processing settings",
    "view_reports_and_monitoring": "view reports and Monitoring",
    "view_message_events": "view message events",
    "view_system_events": "view system events",
    "view_backup": "view Backup",
    "view_spam_quarantine": "view Anti-Spam quarantine",
    "view_kata_quarantine": "view KATA quarantine",
    "complete_account_names": "complete account names",
    "view_mta_settings": "view mail server settings",
    "view_message_queue": "view the message queue",
    "view_ssh_settings": "view SSH server settings",
    "obtain_diagnostics": "obtain diagnostic information",
}
LIMITS = {
    "none": "no limit",
    "restart": "until the application restarts",
    "integration": "refreshed regularly; deleted when the integration is switched off",
    "setting": "deleted when the setting is removed; what is replaced is overwritten",
    "delivered": "until the message is delivered",
}
"""Ends that are events rather than amounts."""
OUTGOING = {
    "ksn_requests": "Requests to the reputation network",
    "ksn_statistics": "Statistics for the reputation network",
    "updates": "Updates of signature sets",
}
RULES = {
    "encrypted_channel_only": "only over an encrypted channel",
    "none_before_consent": "none before the administrator agreed",
    "deleted_at_next_attempt_once_switched_off": "once switched off, what is kept is deleted at the next attempt",
    "source_and_proxy_are_settings": "source and proxy are settings",
    "each_download_is_a_system_event": "each download is a system event",
}
KEPT = {"until_sent": "kept until sent"}
EVICTED = {"oldest": "oldest first", "least_recently_used": "the ones longest without a look-up are removed first"}
_DAY = 86_400


def retention(language: Language, how_long: Retention) -> str:
    """How long and how much, as the policy has it."""
    say = language.say
    if how_long.limit in LIMITS:
        return say(LIMITS[how_long.limit])
    if how_long.rotate:
        return say("at most {time}, rotated weekly", time=language.count(how_long.weeks or 0, "week", "weeks"))
    amount = amounts(language, how_long.bytes, how_long.records, how_long.days)
    if how_long.per:
        amount = say("{amount} per stream", amount=amount)
    if how_long.limit == "settable":
        amount = say("set by users; by default {amount}", amount=amount)
    elif how_long.days is None:
        amount = say("no time limit; {amount}", amount=amount)
    return f"{amount}, {say(EVICTED[how_long.evict])}" if how_long.evict else amount


def amounts(language: Language, size: int | None, records: int | None, days: int | None) -> str:
    """The caps that are set, such as `3 days and 1 GB`."""
    caps = []
    if days is not None:
        caps.append(language.count(days, "day", "days"))
    if size is not None:
        caps.append(language.size(size))
    if records is not None:
        caps.append(language.count(records, "record", "records"))
    return language.say(" and ").join(caps)


def cap(language: Language, limits: Cap) -> str:
    """A cap as it is in force."""
    return amounts(
        language, limits.bytes, limits.records, None if limits.seconds is None else int(limits.seconds / _DAY)
    )


def in_force(language: Language, location: Location, held: Sequence[Holding]) -> Iterable[str]:
    """What is in force here where it is not what the policy says: chosen by users, or less because of the disk."""
    if not held:
        return
    chosen, effective, declared = held[0].cap, held[0].effective, location.retention
    if location.retention.limit == "settable" and cap(language, chosen) != amounts(
        language, declared.bytes, declared.records, declared.days
    ):
        yield language.say("set here: {amount}", amount=cap(language, chosen))
    if effective != chosen:
        yield language.say("on this disk: {amount}", amount=cap(language, effective))


def holders(language: Language, location: Location) -> list[str]:
    """Who may open the files at a place, and what each may do with them."""
    others = (f"{account} ({language.say_all(RIGHTS[right] for right in rights)})"
              for account, rights in location.at_rest.items())  # fmt: skip
    return ["root", *others]


def mode(location: Location) -> str:
    """A mode as `chmod` takes it."""
    return f"{location.mode:04o}"


def rules(language: Language, outgoing: Outgoing) -> list[str]:
    """What holds for data that leaves the appliance."""
    said = [language.say(RULES[rule]) for rule in outgoing.rule]
    if outgoing.kept:
        said.append(language.say(KEPT[outgoing.kept]))
    if outgoing.cache_records and outgoing.evict:
        most = language.count(outgoing.cache_records, "record", "records")
        how = language.say(EVICTED[outgoing.evict])
        said.append(language.say("answers are cached: at most {records}, {evicted}", records=most, evicted=how))
    return said
