"""Differences in the files that decide who somebody is, and in those that the verifier itself relies on."""

import hashlib
import os
import re
import stat
from collections.abc import Iterator
from pathlib import Path

from ksmg.audit import access_list
from ksmg.audit.difference import Difference, Kind, command

DECIDING = (
    "/etc/passwd", "/etc/group", "/etc/shadow", "/etc/gshadow", "/etc/sudoers", "/etc/sudoers.d", "/etc/nsswitch.conf",
    "/etc/pam.d", "/etc/ssh/sshd_config", "/etc/systemd/system", "/etc/tmpfiles.d/ksmg-data.conf", "/etc/ld.so.conf",
    "/etc/ld.so.cache", "/etc/crontab", "/etc/cron.d",
)  # fmt: skip
"""Files and directories that only root may change."""
SECRET = ("/etc/shadow", "/etc/gshadow", "/etc/sudoers")
"""Those that others may not even read."""
PRELOAD = Path("/etc/ld.so.preload")
NAME_SERVICE = Path("/etc/nsswitch.conf")
LOCAL_SOURCES = frozenset({"files", "systemd", "compat"})
PACKAGE_SUMS = Path("/var/lib/dpkg/info/ksmg.md5sums")
CHECKED = re.compile(r"usr/lib/systemd/system/.*|usr/share/ksmg/data_policy\.json")
"""Of the gateway's package: its units and the policy. Its programs are Debian's business (`dpkg --verify`)."""
_MODULE = re.compile(r"^-?(auth|account|password|session)\s+(\[[^\]]*\]|\S+)\s+(\S+)")
_RUNNING = ("pam_exec.so", "pam_script.so", "pam_python.so")


def system_file_differences() -> Iterator[Difference]:
    """All of them. Raises OSError when a file cannot be read."""
    for path in DECIDING:
        yield from _deciding(path)
    if PRELOAD.exists() and PRELOAD.read_text(encoding="utf-8", errors="replace").strip():
        found = f"it names {PRELOAD.read_text(encoding='utf-8', errors='replace').split()[0]}"
        yield Difference(Kind.PRELOAD, str(PRELOAD), "no such file", found, command("rm", str(PRELOAD)))
    yield from name_service_differences(NAME_SERVICE.read_text(encoding="utf-8"))
    for file in sorted(Path("/etc/pam.d").glob("*")):
        yield from sign_in_differences(str(file), file.read_text(encoding="utf-8", errors="replace"))
    yield from package_differences(PACKAGE_SUMS, Path("/"))


def _deciding(path: str) -> Iterator[Difference]:
    try:
        status = os.lstat(path)
    except FileNotFoundError:
        return
    loose = 0o022 | (0o004 if path in SECRET else 0)
    entries = access_list.read(path)
    listed = any((*entries.users.values(), *entries.groups.values()))
    if status.st_uid or status.st_mode & loose or stat.S_ISLNK(status.st_mode) or listed:
        cure = (
            f"{command('chown', 'root', path)} && {command('setfacl', '-b', path)} && {command('chmod', 'go-w', path)}"
        )
        cure += f" && {command('chmod', 'o-r', path)}" if path in SECRET else ""
        found = f"uid {status.st_uid}, {stat.filemode(status.st_mode)}{' with an access list' if listed else ''}"
        yield Difference(Kind.SYSTEM_FILE, path, "root's, and nobody else's to change", found, cure)


def name_service_differences(text: str) -> Iterator[Difference]:
    """Accounts and groups of another source than this machine's files: nsswitch.conf(5)."""
    for line in text.splitlines():
        database, colon, sources = line.partition("#")[0].partition(":")
        if colon and database.strip() in ("passwd", "group", "shadow", "gshadow", "initgroups"):
            strange = [word for word in re.sub(r"\[[^\]]*\]", " ", sources).split() if word not in LOCAL_SOURCES]
            if strange:
                found = f"{database.strip()} comes from {', '.join(strange)} as well"
                cure = command("sed", "-i", f"s/^{database.strip()}:.*/{database.strip()}: files/", str(NAME_SERVICE))
                yield Difference(Kind.NAME_SERVICE, str(NAME_SERVICE), "files of this machine only", found, cure)


def sign_in_differences(file: str, text: str) -> Iterator[Difference]:
    """PAM lines that let everybody in, run programs, or load a module from an unusual place: pam.conf(5)."""
    for line in text.splitlines():
        match = _MODULE.match(line)
        if match and _is_strange(match[1], match[2], match[3]):
            number = text.splitlines().index(line) + 1
            cure = command("sed", "-i", f"{number}d", file)
            yield Difference(Kind.SIGN_IN_MODULE, file, "Debian's and the appliance's lines", line.strip(), cure)


def _is_strange(group: str, control: str, module: str) -> bool:
    unusual = module.startswith("/") and not module.startswith(("/lib/", "/usr/lib/"))
    lets_in = module.endswith("pam_permit.so") and group == "auth" and control != "required"
    return unusual or lets_in or Path(module).name in _RUNNING


def package_differences(sums: Path, root: Path) -> Iterator[Difference]:
    """Units and the policy that are not what the package brought. Raises OSError when there is no such package."""
    for line in sums.read_text(encoding="utf-8").splitlines():
        wanted, _, name = line.partition("  ")
        if not CHECKED.fullmatch(name):
            continue
        file = root / name
        found = hashlib.md5(file.read_bytes(), usedforsecurity=False).hexdigest() if file.exists() else "missing"
        if found != wanted:
            cure = "apt-get install --reinstall ksmg"
            said = "it is missing" if found == "missing" else "it was changed"
            yield Difference(Kind.PACKAGE_FILE, f"/{name}", "as the package brought it", said, cure)
