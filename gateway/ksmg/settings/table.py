"""One row per setting.

The file's validation, the documentation, and later the web form and the API come from these rows.
"""

import ipaddress
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

_NAME = r"[a-zA-Z0-9]([a-zA-Z0-9-]{0,61}[a-zA-Z0-9])?"
_DOMAIN = re.compile(rf"{_NAME}(\.{_NAME})*")
_ADDRESS = re.compile(r"[^\s@<>\x00-\x1f\x7f]{1,64}@[^\s@<>\x00-\x1f\x7f]{1,255}")
_PASSWORD_HASH = re.compile(r"\$scrypt\$ln=\d+,r=\d+,p=\d+\$[A-Za-z0-9+/]+\$[A-Za-z0-9+/]+")


@dataclass(frozen=True)
class Setting:
    """A setting. `parse` makes its value out of JSON's and raises ValueError with a sentence for a wrong one."""

    key: str
    parse: Callable[[Any], Any]
    default: Any
    type: str
    unit: str
    permission: str
    help: str


def _text(value: Any, pattern: re.Pattern[str], what: str) -> str:
    if not isinstance(value, str) or not pattern.fullmatch(value):
        raise ValueError(f"must be {what}")
    return value


def domain(value: Any) -> str:
    """A domain name, lower case."""
    return _text(value, _DOMAIN, "a domain name").lower()


def selector(value: Any) -> str:
    """A DKIM selector: one or more labels of a domain name, its case kept, because a file is named after it."""
    return _text(value, _DOMAIN, "a DKIM selector")


def address(value: Any) -> str:
    """A mail address."""
    return _text(value, _ADDRESS, "a mail address")


def password_hash(value: Any) -> str:
    """A password hash as `ksmg password-hash` prints it."""
    return _text(value, _PASSWORD_HASH, "a hash printed by 'ksmg password-hash'")


def network(value: Any) -> str:
    """An IP network, such as 10.0.0.0/8."""
    if not isinstance(value, str):
        raise ValueError("must be an IP network such as 10.0.0.0/8")
    return str(ipaddress.ip_network(value))


def optional(parse: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """null, or what `parse` takes."""
    return lambda value: None if value is None else parse(value)


def whole(lowest: int, highest: int) -> Callable[[Any], int]:
    """A whole number between two bounds, both included."""

    def parse(value: Any) -> int:
        if isinstance(value, bool) or not isinstance(value, int) or not lowest <= value <= highest:
            raise ValueError(f"must be a whole number from {lowest} to {highest}")
        return value

    return parse


def one_of(*choices: str) -> Callable[[Any], str]:
    """One of some words."""

    def parse(value: Any) -> str:
        if value not in choices:
            raise ValueError(f"must be one of: {', '.join(choices)}")
        return str(value)

    return parse


def many(parse: Callable[[Any], Any]) -> Callable[[Any], tuple[Any, ...]]:
    """A list of what `parse` takes."""

    def parse_list(value: Any) -> tuple[Any, ...]:
        if not isinstance(value, list):
            raise ValueError("must be a list")
        return tuple(parse(entry) for entry in value)

    return parse_list


def record(**fields: Callable[[Any], Any]) -> Callable[[Any], dict[str, Any]]:
    """An object with exactly these fields."""

    def parse(value: Any) -> dict[str, Any]:
        if not isinstance(value, dict) or value.keys() != fields.keys():
            raise ValueError(f"must be an object with: {', '.join(fields)}")
        return {name: take(value[name]) for name, take in fields.items()}

    return parse


def words(longest: int) -> Callable[[Any], str]:
    """Text of some characters."""

    def parse(value: Any) -> str:
        if not isinstance(value, str) or not 0 < len(value) <= longest:
            raise ValueError(f"must be a text of at most {longest} characters")
        return value

    return parse


def host(value: Any) -> str:
    """A next hop as Postfix writes it: `[10.0.0.5]:25`, `mail.example.com`."""
    return _text(value, re.compile(r"\[?[A-Za-z0-9.:_-]{1,255}\]?(:\d{1,5})?"), "a host such as [10.0.0.5]:25")


_VIEW, _RULES, _MTA, _DIAGNOSTICS = "view_settings", "view_rules", "view_mta_settings", "obtain_diagnostics"
_TRACED = {
    "filter": "what the filter does with each message",
    "inspect": "what was found in each message",
    "submit": "what is handed to Postfix",
    "web": "the web interface",
    "command": "the command `ksmg`",
    "antivirus": "the conversation with clamd",
    "antispam": "the conversation with rspamd",
    "milter": "the mail server's conversation with the filter",
}

SETTINGS: tuple[Setting, ...] = (
    Setting(
        "hostname", domain, "localhost", "domain", "", _MTA, "The appliance's full name, in certificates and events."
    ),
    Setting("postmaster", optional(address), None, "address", "", _MTA, "Who answers for the mail of this appliance."),
    Setting(
        "relay_domains",
        many(record(domain=domain, next_hop=host)),
        (),
        "list",
        "",
        _MTA,
        "Domains that mail is taken for.",
    ),
    Setting("internal_networks", many(network), (), "list", "", _MTA, "Networks that may send mail to the outside."),
    Setting(
        "dkim", many(record(domain=domain, selector=selector)), (), "list", "", _MTA, "Domains whose mail is signed."
    ),
    Setting(
        "admin_password_hash",
        optional(password_hash),
        None,
        "hash",
        "",
        _VIEW,
        "The web administrator's password; null locks.",
    ),
    Setting("antivirus.timeout", whole(1, 240), 120, "whole", "s", _RULES, "How long clamd may take for a message."),
    Setting("antivirus.concurrency", whole(1, 16), 3, "whole", "scans", _RULES, "Messages that clamd scans at a time."),
    Setting(
        "antivirus.size_limit",
        whole(1, 2_000_000_000),
        104_857_600,
        "whole",
        "bytes",
        _RULES,
        "The largest message for clamd.",
    ),
    Setting(
        "antivirus.unpacked_limit",
        whole(1, 16_000_000_000),
        209_715_200,
        "whole",
        "bytes",
        _RULES,
        "What archives of a message may hold in all; below clamd's own limit.",
    ),
    Setting("antispam.timeout", whole(1, 240), 60, "whole", "s", _RULES, "How long rspamd may take for a message."),
    Setting(
        "antispam.concurrency", whole(1, 16), 4, "whole", "messages", _RULES, "Messages that rspamd has at a time."
    ),
    Setting(
        "antispam.size_limit",
        whole(1, 2_000_000_000),
        104_857_600,
        "whole",
        "bytes",
        _RULES,
        "The largest message for rspamd.",
    ),
    Setting(
        "unscanned.per_hour",
        whole(0, 10**6),
        100,
        "whole",
        "messages",
        _RULES,
        "Messages that rules may let pass unscanned in an hour; then temporary failure.",
    ),
    Setting(
        "spam_quarantine.when_full",
        one_of("evict", "refuse"),
        "evict",
        "word",
        "",
        _RULES,
        "Held messages when there is no more room: the oldest go, or new ones get 452.",
    ),
    *(
        Setting(
            f"notifications.{who}",
            optional(record(subject=words(200), text=words(20_000))),
            None,
            "text",
            "",
            _RULES,
            f"Subject and text of what the {who} is told, with $placeholders; null: the usual ones.",
        )
        for who in ("administrator", "sender", "recipient")
    ),
    Setting(
        "message_events.days",
        optional(whole(1, 36_500)),
        None,
        "whole",
        "days",
        _VIEW,
        "Age of events; null: the policy's.",
    ),
    Setting(
        "message_events.bytes",
        optional(whole(10**7, 10**13)),
        None,
        "whole",
        "bytes",
        _VIEW,
        "Size of events; null: the policy's.",
    ),
    Setting(
        "system_events.records",
        optional(whole(100, 10**8)),
        None,
        "whole",
        "records",
        _VIEW,
        "Records kept; null: the policy's.",
    ),
    *(
        Setting(
            f"traces.{component}",
            one_of("off", "error", "info", "debug"),
            "off",
            "word",
            "",
            _DIAGNOSTICS,
            f"How much is traced of {what}.",
        )
        for component, what in _TRACED.items()
    ),
)
"""The settings. The caps of the two event logs are the only ones that the policy lets users set."""
