"""Differences in the units of the services: settings of their sandboxes, drop-ins, services that nobody declared."""

import re
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from ksmg.audit.difference import Difference, Kind, command
from ksmg.audit.promise import JOURNAL_SOCKET, ROOT, View, is_within, unit_view
from ksmg.audit.sandbox import CREDENTIALS, EXCEPTIONS, FLOOR, LISTS, MEANT_PATHS
from ksmg.policy import DataPolicy

Properties = Mapping[str, str]
"""Properties of one unit, as systemctl(1) shows them."""

ASKED = (
    "Id", "LoadState", "ActiveState", "MainPID", "FragmentPath", "DropInPaths", "NeedDaemonReload", "User", "Group",
    "SupplementaryGroups", "ReadWritePaths", "InaccessiblePaths", "BindPaths", "BindReadOnlyPaths",
    "TemporaryFileSystem", *FLOOR, *LISTS,
)  # fmt: skip
DROP_INS = frozenset(
    {
        "10-after-mail.conf", "10-data-policy.conf", "10-hardening.conf", "10-start.conf", "20-antispam.conf",
        "20-antivirus.conf", "20-certificates.conf", "20-nginx.conf", "20-opendkim.conf", "20-postfix.conf",
        "extend.conf",
    }
)  # fmt: skip
"""Names of the files that the roles put into the directories of drop-ins."""
UNIT_PLACES = ("/etc/systemd/system", "/usr/lib/systemd/system", "/lib/systemd/system")
"""Where units lie. Those below /run are nobody's."""
CREDENTIALS_PLACE = Path("/run/credentials")
_TIME_LIMIT = 30


@dataclass(frozen=True)
class Units:
    """Every service that is loaded, and those of the policy, by name."""

    properties: Mapping[str, Properties]

    def main_pid(self, unit: str) -> int | None:
        """The main process of a unit that runs."""
        number = self.properties.get(unit, {}).get("MainPID", "0")
        return int(number) if number.isdigit() and number != "0" else None


def read_units(policy: DataPolicy) -> Units:
    """Asks systemd once. Raises OSError or subprocess.SubprocessError."""
    argv = ["systemctl", "show", "--property", ",".join(dict.fromkeys(ASKED)), "--", *policy.units, "*.service"]
    shown = subprocess.run(argv, capture_output=True, text=True, check=True, timeout=_TIME_LIMIT)
    return parse_units(shown.stdout)


def parse_units(text: str) -> Units:
    """What `systemctl show` prints: a paragraph for each unit."""
    found = {}
    for paragraph in text.split("\n\n"):
        properties = dict(line.split("=", 1) for line in paragraph.splitlines() if "=" in line)
        if "Id" in properties:
            found[properties["Id"]] = properties
    return Units(found)


def unit_differences(policy: DataPolicy, units: Units) -> Iterator[Difference]:
    """Everything about the units."""
    for unit, entry in policy.units.items():
        properties = units.properties.get(unit, {})
        if properties.get("LoadState") != "loaded":
            found = f"it is {properties.get('LoadState', 'unknown')}"
            yield Difference(Kind.UNIT_SETTING, unit, "it is installed", found, command("systemctl", "status", unit))
            continue
        yield from _files(unit, properties)
        yield from _settings(unit, properties, entry.account)
        yield from _paths(unit, properties, unit_view(policy, unit))
        yield from _credentials(unit)
    yield from _foreign(policy, units)


def _files(unit: str, properties: Properties) -> Iterator[Difference]:
    fragment = properties.get("FragmentPath", "")
    if str(PurePosixPath(fragment).parent) not in UNIT_PLACES:
        yield Difference(Kind.UNIT_DROP_IN, unit, "the appliance's unit file", f"it is {fragment}", _away(fragment))
    for file in properties.get("DropInPaths", "").split():
        path = PurePosixPath(file)
        folder = str(path.parent.parent)
        if path.name not in DROP_INS or folder not in UNIT_PLACES:
            yield Difference(Kind.UNIT_DROP_IN, unit, "drop-ins of the appliance only", f"there is {file}", _away(file))
    if properties.get("NeedDaemonReload") == "yes":
        cure = f"systemctl daemon-reload && {command('systemctl', 'restart', unit)}"
        yield Difference(Kind.UNIT_DROP_IN, unit, "what runs is what the files say", "a file was changed", cure)


def _away(file: str) -> str:
    return f"{command('rm', file)} && systemctl daemon-reload"


def _settings(unit: str, properties: Properties, account: str) -> Iterator[Difference]:
    exceptions = EXCEPTIONS.get(unit, {})
    runs_as = {} if exceptions.get("User") == ROOT else {"User": account, "Group": account}
    wanted = {**FLOOR, **runs_as, **{name: value for name, value in exceptions.items() if name != "User"}}
    for name, value in wanted.items():
        found = properties.get(name, "")
        if not _is_kept(name, found, value):
            said = f"{name}={_short(found)}"
            yield Difference(Kind.UNIT_SETTING, unit, f"{name}={value}", said, _look(unit))


def _is_kept(name: str, found: str, wanted: str) -> bool:
    """A list may be shorter than it must be, every other setting must be the same."""
    if name in LISTS:
        return set(found.split()) <= set(wanted.split())
    return found == wanted


def _look(unit: str) -> str:
    return f"{command('systemctl', 'cat', unit)}; {command('systemctl', 'edit', unit)}"


def _short(text: str, most: int = 120) -> str:
    return text if len(text) <= most else f"{text[:most]}…"


def _paths(unit: str, properties: Properties, view: View) -> Iterator[Difference]:
    """Paths that the sandbox opens beyond the policy's view, and those that it hides no longer."""
    meant = MEANT_PATHS.get(unit, {})
    writable = view.write | meant.get("ReadWritePaths", frozenset())
    bound = {f"{path}:{path}" for path in view.temporary | view.shown} | {JOURNAL_SOCKET}
    emptied = {f"{path}:ro" for path in view.emptied}
    opened = (
        ("ReadWritePaths", writable),
        ("BindPaths", bound),
        ("TemporaryFileSystem", emptied),
        ("BindReadOnlyPaths", meant.get("BindReadOnlyPaths", frozenset())),
    )
    for name, allowed in opened:
        more = path_list(properties.get(name, "")) - allowed
        if more:
            yield Difference(
                Kind.UNIT_SETTING, unit, f"{name} of the policy", f"also {' '.join(sorted(more))}", _look(unit)
            )
    hidden = path_list(properties.get("InaccessiblePaths", ""))
    seen = {path for path in view.hidden if not any(is_within(path, other) for other in hidden)}
    seen |= emptied - path_list(properties.get("TemporaryFileSystem", ""))
    if seen:
        wanted = "InaccessiblePaths and TemporaryFileSystem of the policy"
        yield Difference(Kind.UNIT_SETTING, unit, wanted, f"without {' '.join(sorted(seen))}", _look(unit))


def _credentials(unit: str) -> Iterator[Difference]:
    """Files that systemd handed to the service; it does not print the setting."""
    place = CREDENTIALS_PLACE / unit
    more = {file.name for file in place.glob("*")} - CREDENTIALS.get(unit, frozenset())
    if more:
        found = f"it was also handed {', '.join(sorted(more))}"
        yield Difference(Kind.UNIT_SETTING, unit, "LoadCredential= of the appliance", found, _look(unit))


def path_list(text: str) -> set[str]:
    """A property that lists paths, without the marks that say how each is mounted."""
    return {re.sub(r":(no)?rbind$", "", word).lstrip("-+") for word in text.split()}


def _foreign(policy: DataPolicy, units: Units) -> Iterator[Difference]:
    """Services beside the policy's that run as one of its accounts or in one of its groups."""
    declared = {name: account for name, account in policy.accounts.items() if account.kind != "web" and name != ROOT}
    groups = {account.group for account in declared.values() if account.group}
    for unit, properties in units.properties.items():
        if unit in policy.units:
            continue
        taken = {properties.get("User", "")} & declared.keys()
        taken |= {properties.get("Group", ""), *properties.get("SupplementaryGroups", "").split()} & groups
        if taken:
            cure = command("systemctl", "disable", "--now", unit)
            found = f"it runs as {', '.join(sorted(taken))}"
            yield Difference(Kind.UNIT_ACCOUNT, unit, "only services of the policy do", found, cure)
