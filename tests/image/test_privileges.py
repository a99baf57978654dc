"""Programs, units and accounts on the image: what is not on a list here must not be there."""

from __future__ import annotations

import os
import stat
import struct
from pathlib import Path

import pytest
from host.expectation import SUID_FILES
from ksmg.policy import DataPolicy

from image.conftest import Image

Files = list[tuple[str, os.stat_result]]

BUILD_TOOLS = (
    "gcc",
    "cc",
    "g++",
    "make",
    "pip",
    "pip3",
    "ld",
    "as",
    "dpkg-buildpackage",
    "gdb",
    "strace",
    "tcpdump",
    "nmap",
    "telnet",
    "ftp",
    "git",
    "curl",
    "wget",
)
ACCOUNTS = {
    "root", "daemon", "bin", "sys", "sync", "games", "man", "lp", "mail", "news", "uucp", "proxy", "www-data", "backup",
    "list", "irc", "_apt", "nobody", "systemd-network", "systemd-resolve", "messagebus", "sshd", "clamav", "_aide",
    "_chrony", "Debian-snmp", "opendkim", "valkey", "etcd", "_rspamd", "postfix", "kluser", "nginx",
}  # fmt: skip
STARTED_SERVICES = {
    "apparmor",
    "audit-rules",
    "auditd",
    "chrony",
    "clamav-daemon",
    "clamav-freshclam",
    "hardening-mounts",
    "image-late-devices",
    "ksmg-certificates",
    "ksmg-filter",
    "ksmg-inspect",
    "ksmg-mail-certificate",
    "ksmg-submit",
    "ksmg-trail",
    "ksmg-web",
    "nftables",
    "nginx",
    "opendkim",
    "postfix",
    "rspamd",
    "rsyslog",
    "ssh",
    "sshd-keygen",
    "systemd-networkd",
    "systemd-networkd-wait-online",
    "systemd-pstore",
    "systemd-resolved",
    "getty@tty1",
    "serial-getty@ttyS0",
}
LISTENING_SOCKETS = {
    "ksmg-filter", "ksmg-inspect", "ksmg-submit", "ksmg-web", "syslog", "systemd-networkd", "systemd-journald-audit",
}  # fmt: skip


def enabled(image: Image, suffix: str) -> set[str]:
    """Units of one type that a target pulls in on the image, without those that are masked."""
    system = image.root / "etc/systemd/system"
    found = {path.name for folder in system.glob("*.wants") for path in folder.iterdir() if path.name.endswith(suffix)}
    return {name.removesuffix(suffix) for name in found if not masked(image, name)}


def masked(image: Image, unit: str) -> bool:
    path = image.root / "etc/systemd/system" / unit
    return path.is_symlink() and path.readlink() == Path("/dev/null")


def test_only_known_programs_raise_privileges(files: Files) -> None:
    raised = {
        path
        for path, status in files
        if stat.S_ISREG(status.st_mode) and status.st_mode & (stat.S_ISUID | stat.S_ISGID)
    }
    assert raised - SUID_FILES == set()


def test_no_file_has_capabilities(image: Image, files: Files) -> None:
    regular = (image.root / path.lstrip("/") for path, status in files if stat.S_ISREG(status.st_mode))
    assert [path for path in regular if "security.capability" in os.listxattr(path)] == []


def test_only_known_services_start(image: Image) -> None:
    assert enabled(image, ".service") - STARTED_SERVICES == set()


def test_only_known_sockets_listen(image: Image) -> None:
    assert enabled(image, ".socket") - LISTENING_SOCKETS == set()


@pytest.mark.parametrize("name", ["etcd", "snmpd", "valkey-server"])
def test_parts_that_nobody_configured_do_not_start(image: Image, name: str) -> None:
    assert masked(image, f"{name}.service")


@pytest.mark.parametrize("tool", BUILD_TOOLS)
def test_there_are_no_build_tools(image: Image, tool: str) -> None:
    assert [
        folder for folder in ("usr/bin", "usr/sbin", "usr/local/bin") if (image.root / folder / tool).exists()
    ] == []


def test_python_finds_no_modules_outside_debian(image: Image) -> None:
    assert [path.name for path in (image.root / "usr/local/lib").rglob("*.py")] == []


def test_there_are_only_known_accounts(image: Image) -> None:
    assert {line.split(":")[0] for line in image.text("/etc/passwd").splitlines()} == ACCOUNTS


@pytest.mark.parametrize("account", ["kluser", "nginx"])
def test_the_accounts_have_the_ids_of_the_policy(image: Image, policy: DataPolicy, account: str) -> None:
    rows = {line.split(":")[0]: int(line.split(":")[2]) for line in image.text("/etc/passwd").splitlines()}
    assert rows[account] == policy.accounts[account].uid


def test_the_ssh_keys_are_the_sites_and_nobody_elses(image: Image, policy: DataPolicy) -> None:
    (location,) = policy.row("ssh_keys").locations
    file = image.inside(str(location.place))
    lines = file.read_text().splitlines() if file.exists() else []
    keys = [line for line in lines if line and not line.startswith("#")]
    assert len(keys) == int(os.environ["KSMG_SITE_KEYS"])


def test_python_modules_are_compiled_for_the_image(image: Image) -> None:
    """A module whose time stamp differs from the one in its compiled file is compiled anew at every start."""
    stale = []
    for compiled in (image.root / "usr/lib").glob("python3*/**/__pycache__/*.cpython-*.pyc"):
        flags, stamp = struct.unpack_from("<II", compiled.read_bytes(), 4)
        source = compiled.parents[1] / f"{compiled.name.split('.')[0]}.py"
        if flags == 0 and source.exists() and int(source.stat().st_mtime) != stamp:
            stale.append(compiled.name)
    assert stale == []
