"""What the tests of a running appliance expect: from the data policy, or an allow-list of this file with its reason."""

from pathlib import Path
from typing import Any

from ksmg.policy import Container, DataPolicy, Location, parse_policy
from ksmg.policy.loading import read_document

REPOSITORY = Path(__file__).resolve().parents[2]
POLICY = parse_policy(read_document(REPOSITORY / "inventory/group_vars/all/data_policy.yml"))

RIGHTS = ("list", "read", "write")
EVERYBODY_ELSE = "everybody-else"

EXPOSURE = {
    "ksmg-filter.service": 0.5,
    "ksmg-web.service": 0.5,
    "ksmg-inspect.service": 0.5,
    "ksmg-submit.service": 0.5,
    "opendkim.service": 1.2,
    "clamav-daemon.service": 1.2,
    "rspamd.service": 1.2,
    "nginx.service": 2.4,
    "postfix.service": 3.0,
}
"""The most that `systemd-analyze security` may say: 0 is best, 10 is a daemon without any sandbox."""

SERVICES = (
    "clamav-daemon.service", "clamav-freshclam.service", "ksmg-filter.service", "ksmg-inspect.service",
    "ksmg-submit.service", "ksmg-web.service", "nftables.service", "nginx.service", "opendkim.service",
    "postfix.service", "rspamd.service", "rsyslog.service", "ssh.service",
)  # fmt: skip
"""Started at boot and running."""

UNUSED = (
    "apt-daily.timer",
    "clamav-clamonacc.service",
    "etcd.service",
    "rpcbind.service",
    "snmpd.service",
    "valkey-server.service",
)
"""Parts of the product that no role configures yet, and what nobody asked for: present, or not, but never running."""

LISTENERS = {
    ("tcp", "22", "sshd"),
    ("tcp", "25", "master"),
    ("tcp", "25", "smtpd"),
    ("tcp", "443", "nginx"),
    ("tcp", "465", "master"),
    ("tcp", "465", "smtpd"),
    ("tcp", "53", "systemd-resolve"),
    ("udp", "53", "systemd-resolve"),
    ("udp", "68", "systemd-network"),
    ("udp", "323", "chronyd"),
}
"""Sockets that may be open to other machines or to this one: protocol, port, process."""

PUBLIC_PORTS = {"22", "25", "443", "465"}
"""Ports that may be open on more than the loopback interface."""

PRIORITIES = {"ksmg-important": 16 * 8 + 4, "ksmg-messages": 16 * 8 + 6, "maillog": 2 * 8 + 6}
"""RFC 5424, 6.2.1: what goes to which log; local0.warning, local0.info, mail.info."""

SUID_FILES = {
    "/usr/bin/chage",
    "/usr/bin/chfn",
    "/usr/bin/chsh",
    "/usr/bin/crontab",
    "/usr/bin/dotlockfile",
    "/usr/bin/expiry",
    "/usr/bin/gpasswd",
    "/usr/bin/mount",
    "/usr/bin/newgrp",
    "/usr/bin/passwd",
    "/usr/bin/ping",
    "/usr/bin/ssh-agent",
    "/usr/bin/su",
    "/usr/bin/sudo",
    "/usr/bin/umount",
    "/usr/lib/dbus-1.0/dbus-daemon-launch-helper",
    "/usr/lib/openssh/ssh-keysign",
    "/usr/lib/polkit-1/polkit-agent-helper-1",
    "/usr/sbin/postdrop",
    "/usr/sbin/postlog",
    "/usr/sbin/postqueue",
    "/usr/sbin/unix_chkpwd",
}
"""Files with set-uid, set-gid or file capabilities that Debian's packages bring and that may stay."""

LOGIN_SHELLS = {"root": "/bin/bash"}
"""Accounts that can sign in. (`sync` has /bin/sync as its shell in Debian; it is no shell.)"""

SYSCTLS = {
    "kernel.kptr_restrict": "2",
    "kernel.dmesg_restrict": "1",
    "kernel.yama.ptrace_scope": "2",
    "kernel.unprivileged_bpf_disabled": "1",
    "kernel.core_pattern": "|/bin/false",
    "fs.suid_dumpable": "0",
    "fs.protected_hardlinks": "1",
    "fs.protected_symlinks": "1",
    "fs.protected_fifos": "2",
    "fs.protected_regular": "2",
    "net.ipv4.conf.all.rp_filter": "1",
    "net.ipv4.conf.all.accept_redirects": "0",
    "net.ipv4.conf.all.send_redirects": "0",
    "net.ipv4.conf.all.accept_source_route": "0",
    "net.ipv4.conf.all.log_martians": "1",
    "net.ipv4.icmp_echo_ignore_broadcasts": "1",
    "net.ipv4.tcp_syncookies": "1",
    "net.ipv4.ip_forward": "0",
    "net.ipv6.conf.all.accept_redirects": "0",
    "net.ipv6.conf.all.accept_ra": "0",
    "net.ipv6.conf.all.forwarding": "0",
}
"""Kernel settings. Those outside net.* belong to the machine, so a container cannot have them."""


def locations(policy: DataPolicy) -> dict[str, Location]:
    """Every location of the policy, by a name that a reader of a test report knows: `row@place`."""
    return {f"{row.id}@{location.place}": location for row, location in policy.locations()}


def containers(policy: DataPolicy) -> dict[str, Container]:
    """The shared directories by their paths."""
    return {str(container.path): container for container in policy.containers}


def data_directory(location: Location) -> str:
    """Where the data of a location lies: some daemons keep it one level down."""
    return str(location.place / location.canary if location.canary else location.place)


def writer(location: Location) -> str:
    """The account that puts data there."""
    return next((account for account, rights in location.at_rest.items() if "write" in rights), location.owner)


def access_question(policy: DataPolicy) -> dict[str, Any]:
    """The argument of remote/access.py for the whole policy."""
    places = {
        name: {"path": data_directory(at), "kind": at.type, "writer": writer(at), "mode": 0o640}
        for name, at in locations(policy).items()
    }
    shared = {
        path: {"path": path, "kind": "directory", "writer": c.owner, "mode": 0o640}
        for path, c in containers(policy).items()
    }
    sandboxes = {unit.name: unit.account for unit in policy.units.values()}
    return {"places": {**places, **shared}, "sandboxes": sandboxes}


def allowed(location: Location, account: str) -> set[str]:
    """What the policy lets an account do with a location's files."""
    rights = {right for right in RIGHTS if location.may(account, right)}
    return rights - {"list"} if location.type != "directory" else rights


def allowed_in_sandbox(policy: DataPolicy, unit: str, location: Location) -> set[str]:
    """What a daemon can do from inside its sandbox: only what its unit's entry in the policy names."""
    entry = policy.units[unit]
    named = {
        right: [at for name in getattr(entry, right) for at in policy.resolve(name)] for right in ("write", "read")
    }
    rights = allowed(location, entry.account) if location.type != "log" else set()
    if location in named["write"]:
        return rights
    return rights - {"write"} if location in named["read"] else set()
