"""Differences among the accounts: who is in which group, who else is root, who may sign in or use sudo."""

import re
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path

from ksmg.audit.difference import Difference, Kind, command
from ksmg.audit.directory import Account, Directory
from ksmg.audit.promise import ROOT
from ksmg.policy import DataPolicy

POWERFUL_GROUPS = frozenset(
    {"root", "adm", "disk", "docker", "kmem", "kvm", "lxd", "postdrop", "shadow", "sudo", "systemd-journal", "wheel"}
)
"""Groups that reach data past the policy: by sudo, by the devices of the disks, by logs, or by Postfix's doors."""
NO_SHELLS = frozenset({"/usr/sbin/nologin", "/sbin/nologin", "/bin/false", "/usr/bin/false"})
CRON_TABLES = ("/etc/crontab", "/etc/cron.d")
CRON_PERSONAL = Path("/var/spool/cron/crontabs")
LINGERING = Path("/var/lib/systemd/linger")
_CRON_LINE = re.compile(r"^\s*(?:@\w+|(?:\S+\s+){4}\S+)\s+([\w.-]+)\s+\S")
_INCLUDE = re.compile(r"^\s*[#@](includedir|include)\s+(\S+)")
_SETTING = re.compile(r"^\s*(#|$|Defaults|\w+_Alias\b)")
_KNOWN_RULES = ("root", "%sudo")


def account_state(policy: DataPolicy, directory: Directory) -> Iterator[Difference]:
    """Everything that passwd, group and shadow say."""
    yield from _roots(directory)
    yield from _duplicates(directory)
    yield from _members(policy, directory)
    yield from _passwords(directory)
    yield from _changed(policy, directory)


def _roots(directory: Directory) -> Iterator[Difference]:
    for account in directory.accounts:
        if account.uid == 0 and account.name != ROOT:
            cure = command("userdel", account.name)
            yield Difference(Kind.ACCOUNT_ROOT, account.name, "only root has uid 0", "it has uid 0", cure)


def _duplicates(directory: Directory) -> Iterator[Difference]:
    for uid, times in Counter(account.uid for account in directory.accounts).items():
        if times > 1 and uid:
            sharing = [account.name for account in directory.accounts if account.uid == uid]
            cure = command("userdel", sharing[-1])
            said = f"{', '.join(sharing)} share the uid {uid}"
            yield Difference(Kind.ACCOUNT_DUPLICATE, sharing[-1], "a uid of its own", said, cure)
    for gid, times in Counter(group.gid for group in directory.groups).items():
        if times > 1:
            together = [group.name for group in directory.groups if group.gid == gid]
            cure = command("groupdel", together[-1])
            said = f"{', '.join(together)} share the gid {gid}"
            yield Difference(Kind.ACCOUNT_DUPLICATE, together[-1], "a gid of its own", said, cure)


def _members(policy: DataPolicy, directory: Directory) -> Iterator[Difference]:
    data_groups = {account.group: name for name, account in policy.accounts.items() if account.group}
    for group in directory.groups:
        if group.name not in data_groups and group.name not in POWERFUL_GROUPS:
            continue
        owner = data_groups.get(group.name, ROOT if group.name == ROOT else None)
        primary = {account.name for account in directory.accounts if account.gid == group.gid and account.uid}
        for name in sorted({*group.members, *primary} - {owner or ""}):
            away = command("gpasswd", "--delete", name, group.name)
            cure = away if name in group.members else command("usermod", "--gid", "nogroup", name)
            yield Difference(Kind.GROUP_MEMBER, group.name, _wanted(owner), f"{name} is a member", cure)
        if directory.group_passwords.get(group.name, "!").strip("!*"):
            cure = command("gpasswd", "--remove-password", group.name)
            yield Difference(Kind.GROUP_MEMBER, group.name, "no password", "a password lets anybody in", cure)


def _wanted(owner: str | None) -> str:
    return f"no member but {owner}" if owner else "no member"


def _passwords(directory: Directory) -> Iterator[Difference]:
    for account in directory.accounts:
        if directory.passwords.get(account.name, "*") == "":
            cure = command("passwd", "--lock", account.name)
            yield Difference(Kind.ACCOUNT_PASSWORD, account.name, "a password, or none at all", "an empty one", cure)


def _changed(policy: DataPolicy, directory: Directory) -> Iterator[Difference]:
    for name, declared in policy.accounts.items():
        if declared.kind == "web" or name == ROOT:
            continue
        account = directory.account(name)
        if account is None:
            cure = "deploy the appliance again"
            yield Difference(Kind.ACCOUNT_CHANGED, name, "it exists", "there is no such account", cure)
            continue
        facts = (
            ("uid", str(account.uid), str(declared.uid or account.uid)),
            ("gid", directory.group(account.gid), declared.group or name),
            ("home", account.home, declared.home or account.home),
            ("shell", account.shell, declared.shell or _without_shell(account)),
        )
        for option, found, wanted in facts:
            if found != wanted:
                cure = command("usermod", f"--{option}", wanted, name)
                yield Difference(Kind.ACCOUNT_CHANGED, name, f"{option} {wanted}", f"{option} {found}", cure)
        if directory.passwords.get(name, "!").strip("!*"):
            cure = command("passwd", "--lock", name)
            yield Difference(Kind.ACCOUNT_CHANGED, name, "no password", "a password lets it sign in", cure)


def _without_shell(account: Account) -> str:
    return account.shell if account.shell in NO_SHELLS else "/usr/sbin/nologin"


def sudo_rules(path: Path = Path("/etc/sudoers")) -> Iterator[tuple[Path, str]]:
    """Every rule of sudoers(5) with its file, those of included files as well."""
    try:
        lines = path.read_text(encoding="utf-8", errors="replace").replace("\\\n", " ").splitlines()
    except OSError:
        return
    for line in lines:
        if include := _INCLUDE.match(line):
            yield from _included(include[1], path.parent / include[2])
        elif not _SETTING.match(line):
            yield path, line.strip()


def _included(how: str, target: Path) -> Iterator[tuple[Path, str]]:
    files = [target] if how == "include" else sorted(target.glob("*")) if target.is_dir() else []
    for file in files:
        if how == "include" or not ("." in file.name or file.name.endswith("~")):
            yield from sudo_rules(file)


def sudo_differences(path: Path = Path("/etc/sudoers")) -> Iterator[Difference]:
    """Rules that let others than root, or the group sudo (which has no member), become somebody else."""
    for file, rule in sudo_rules(path):
        if rule.split()[0] not in _KNOWN_RULES:
            cure = command("rm", str(file)) if file != path else command("visudo")
            yield Difference(Kind.SUDO, str(file), "rules of root and of the group sudo only", rule, cure)


def cron_users(text: str) -> Iterator[str]:
    """The accounts that a system crontab, in the form of crontab(5) with an account in each line, runs something as."""
    for line in text.splitlines():
        if match := _CRON_LINE.match(line):
            yield match[1]


def schedule_differences(policy: DataPolicy) -> Iterator[Difference]:
    """What cron, or a session that lingers, does as an account of the policy."""
    accounts = [name for name, account in policy.accounts.items() if account.kind != "web" and name != ROOT]
    for name in accounts:
        for file in (CRON_PERSONAL / name, LINGERING / name):
            if file.exists():
                yield _scheduled(file, name)
    for file in _cron_files():
        text = file.read_text(encoding="utf-8", errors="replace")
        for name in sorted(set(cron_users(text)) & set(accounts)):
            yield _scheduled(file, name)


def _cron_files() -> Iterable[Path]:
    for place in map(Path, CRON_TABLES):
        yield from sorted(place.glob("*")) if place.is_dir() else [place] if place.exists() else []


def _scheduled(file: Path, name: str) -> Difference:
    found = f"it runs something as {name}"
    return Difference(Kind.SCHEDULED, str(file), "nothing scheduled for it", found, command("rm", str(file)))
