"""Collects what engineers need to find out why something is wrong, without anything that must not leave the appliance.

Secrets are left out by construction: there is no list of what to remove. Files are packed only where the data policy
says that they are logs or traces, settings only when their type is one that is known not to be secret, and everything
else is the output of commands of this module. Nothing here opens a key, a password or a certificate's place.
Messages are packed only when somebody asks for them; so are traces of a protocol, which have messages in them.
"""

import json
import pwd
import socket
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

from ksmg import __version__
from ksmg.diagnostics import trace
from ksmg.diagnostics.bundle import Bundle
from ksmg.diagnostics.dumps import dump_files
from ksmg.diagnostics.trace import COMPONENTS, Kind
from ksmg.policy import DataPolicy, Location
from ksmg.retention.caps import effective_cap
from ksmg.retention.log_parts import log_parts
from ksmg.retention.measure import measure
from ksmg.rules.store import open_rules
from ksmg.settings import SETTINGS, Settings
from ksmg.stores.locations import open_backup, open_spam_quarantine, open_system_events
from ksmg.stores.message_store import EVERYTHING
from ksmg.stores.system_events import Name
from ksmg.system.account import acting_as_owner

SHOWN_TYPES = frozenset({"domain", "address", "list", "whole", "word", "text"})
"""Types of settings that are packed. A type that is not here, such as a hash or a password, is not."""
UNITS = (
    "ksmg-filter", "ksmg-inspect", "ksmg-submit", "ksmg-web", "ksmg-certificates", "postfix", "opendkim", "nginx",
    "clamav-daemon", "clamav-freshclam", "rspamd", "rsyslog", "nftables",
)  # fmt: skip
"""Whose state and journal is packed. Not that of SSH: what administrators and their tools do is in its journal."""
_COMMANDS: dict[str, tuple[str, ...]] = {
    "status.json": ("ksmg", "status", "--json"),
    "units": ("systemctl", "list-units", "--all", "--no-pager", "--plain"),
    "timers": ("systemctl", "list-timers", "--all", "--no-pager"),
    "services": ("systemctl", "status", "--no-pager", "--lines=0", *(f"{unit}.service" for unit in UNITS)),
    "packages": ("dpkg-query", "--show"),
    "release": ("cat", "/etc/os-release"),
    "kernel": ("uname", "--all"),
    "since": ("uptime", "--since"),
    "memory": ("free", "--bytes"),
    "disks": ("df", "--portability"),
    "mounts": ("findmnt", "--list"),
    "processes": ("ps", "-eo", "pid,user,rss,pcpu,etime,comm"),
    "addresses": ("ip", "-brief", "address"),
    "listening": ("ss", "--tcp", "--udp", "--listening", "--numeric"),
    "firewall": ("nft", "--numeric", "list", "ruleset"),
    "mail_server": (
        "postconf", "mail_version", "myhostname", "mynetworks", "relay_domains", "smtpd_milters", "non_smtpd_milters",
        "milter_default_action", "message_size_limit", "smtpd_tls_security_level", "smtp_tls_security_level",
    ),
    "clock": ("timedatectl", "show"),
}  # fmt: skip
"""What the system says of itself. No command lines of processes and no environment: a secret may be among them."""
_JOURNAL = ("journalctl", "--no-pager", "--output=short-iso-precise", "--lines=20000")
_QUEUES = ("incoming", "active", "deferred", "hold")
_MOST_EVENTS = 5_000
_MOST_AUDITS = 10
_SHARE = 8
"""A log or a trace gets at most this part of the room, so that one that is large leaves some to the others."""


@dataclass(frozen=True)
class Wanted:
    """What somebody asked for. `largest` is in bytes, of what is packed."""

    messages: bool = False
    largest: int = 100_000_000
    seconds: float = 300.0


def collect(policy: DataPolicy, settings: Settings, wanted: Wanted, bundle: Bundle) -> None:
    """Packs everything. Raises OSError when the archive cannot be written; what cannot be read is listed in it."""
    bundle.add_json("about.json", _about(wanted))
    _add_state(policy, settings, bundle)
    _add_configuration(policy, settings, bundle)
    _add_events(policy, settings, bundle)
    share = bundle.left // _SHARE
    for location in _logs(policy):
        _add_newest(bundle, "logs", [*log_parts(Path(location.place)), Path(location.place)], location, share)
    for component, kind in COMPONENTS.items():
        if wanted.messages or kind is not Kind.PROTOCOL:
            _add_trace(policy, settings, component, bundle, share)
    if wanted.messages:
        _add_dumps(policy, bundle)
        _add_messages(policy, settings, bundle)
    bundle.close()


def _about(wanted: Wanted) -> dict[str, object]:
    return {"version": __version__, "host": socket.gethostname(), "time": time.time(), "wanted": asdict(wanted)}


def _add_state(policy: DataPolicy, settings: Settings, bundle: Bundle) -> None:
    for name, command in _COMMANDS.items():
        bundle.add_output(f"state/{name}", command)
    bundle.add_output("state/journal", (*_JOURNAL, *(f"--unit={unit}.service" for unit in UNITS)))
    bundle.add_json("state/kept.json", [asdict(holding) for holding in measure(policy, settings)])


def _add_configuration(policy: DataPolicy, settings: Settings, bundle: Bundle) -> None:
    shown = {row.key: settings[row.key] for row in SETTINGS if row.type in SHOWN_TYPES}
    bundle.add_json("configuration/settings.json", shown)
    with acting_as_owner(Path(policy.place("rules"))):
        rules = open_rules(policy).document()
    bundle.add_json("configuration/rules.json", rules)


def _add_events(policy: DataPolicy, settings: Settings, bundle: Bundle) -> None:
    """The newest system events, and the last proofs of who can reach the data."""
    with acting_as_owner(Path(policy.place("system_events"))):
        events = open_system_events(policy, settings).newest(_MOST_EVENTS)
    documents = [{"time": e.time, "name": e.name.value, "account": e.account, "detail": e.detail} for e in events]
    bundle.add_text("events/system.jsonl", "".join(json.dumps(document) + "\n" for document in documents))
    audits = [document for document in documents if document["name"] == Name.ACCESS_AUDITED.value]
    bundle.add_json("events/audits.json", audits[:_MOST_AUDITS])


def _logs(policy: DataPolicy) -> Iterator[Location]:
    return (location for _, location in policy.locations() if location.type == "log")


def _add_trace(policy: DataPolicy, settings: Settings, component: str, bundle: Bundle, share: int) -> None:
    location = trace.location(policy, component)
    file = trace.trace_file(policy, component, lambda at: effective_cap(policy, settings, at.place).bytes)
    _add_newest(bundle, f"traces/{location.place.name}", file.everything(), location, share)


def _add_newest(bundle: Bundle, folder: str, files: list[Path], location: Location, share: int) -> None:
    """The newest files first, until the share is used up."""
    owner = pwd.getpwnam(location.owner).pw_uid
    for path in reversed(files):
        name = f"{folder}/{path.name}"
        if share <= 0:
            bundle.left_out[name] = "older than what found room"
        else:
            share -= bundle.add_file(name, path, owner, share)


def _add_messages(policy: DataPolicy, settings: Settings, bundle: Bundle) -> None:
    """The newest messages of Backup and of the quarantine, and those in the mail server's queue."""
    for row, store in (("backup", open_backup(policy)), ("spam_quarantine", open_spam_quarantine(policy, settings))):
        with acting_as_owner(Path(policy.place(row))):
            for entry in store.every(EVERYTHING):
                if bundle.left < entry.size:
                    bundle.left_out[f"messages/{row}"] = "older messages than those that found room"
                    break
                with store.read(entry) as original:
                    bundle.add_stream(f"messages/{row}/{entry.id}.eml", original, entry.size, entry.time)
    queue, owner = Path(policy.place("mta_queue")), pwd.getpwnam("postfix").pw_uid
    for path in sorted(path for name in _QUEUES for path in (queue / name).rglob("*") if not path.is_dir()):
        bundle.add_file(f"messages/queue/{path.relative_to(queue)}", path, owner)


def _add_dumps(policy: DataPolicy, bundle: Bundle) -> None:
    """A dump holds whatever the component had in its memory: it goes only where messages go."""
    for path in dump_files(policy):
        bundle.add_file(f"dumps/{path.name}", path, 0)
