"""Everything about the running system that the tests ask for, in one answer."""

import glob
import grp
import json
import os
import pwd
import re
import stat
import subprocess
import sys
from typing import Any


def output(*argv: str) -> str:
    return subprocess.run(argv, capture_output=True, text=True, check=False).stdout


def read(path: str) -> str:
    with open(path) as file:
        return file.read()


def users() -> dict[str, Any]:
    return {
        entry.pw_name: {"uid": entry.pw_uid, "gid": entry.pw_gid, "shell": entry.pw_shell} for entry in pwd.getpwall()
    }


def groups() -> dict[str, list[str]]:
    """Every member of each group, also those whose primary group it is."""
    return {
        group.gr_name: sorted(
            {*group.gr_mem, *(user.pw_name for user in pwd.getpwall() if user.pw_gid == group.gr_gid)}
        )
        for group in grp.getgrall()
    }


def passwords() -> list[str]:
    """Accounts that have a password that somebody could know."""
    with open("/etc/shadow") as shadow:
        fields = (line.split(":") for line in shadow)
        return [name for name, secret, *_ in fields if secret == "" or secret[0] not in "!*"]


def privileged_files() -> dict[str, str]:
    """Set-uid and set-gid files, and files with capabilities, of the system's own file systems."""
    found = {}
    for top in ("/usr", "/etc", "/var", "/home", "/root", "/tmp", "/opt", "/srv", "/boot"):
        for directory, _, names in os.walk(top):
            for name in names:
                path = os.path.join(directory, name)
                try:
                    mode = os.lstat(path).st_mode
                    capability = stat.S_ISREG(mode) and "security.capability" in os.listxattr(
                        path, follow_symlinks=False
                    )
                except OSError:
                    continue
                if stat.S_ISREG(mode) and (mode & (stat.S_ISUID | stat.S_ISGID) or capability):
                    found[path] = "suid" if mode & stat.S_ISUID else "sgid" if mode & stat.S_ISGID else "capability"
    return found


def sockets() -> list[list[str]]:
    """Listening TCP and bound UDP sockets: protocol, address, port and a process that has it, one entry per process."""
    found = []
    for line in output("ss", "-H", "-l", "-n", "-t", "-u", "-p").splitlines():
        fields = line.split()
        address, _, port = fields[4].rpartition(":")
        holders = sorted(set(re.findall(r'\("([^"]+)"', fields[6]))) if len(fields) > 6 else [""]
        found += [[fields[0], address.partition("%")[0].strip("[]"), port, holder] for holder in holders]
    return found


def processes() -> list[dict[str, Any]]:
    """Each process: its account, command, capabilities, unit and the files that it has open."""
    found = []
    for directory in glob.glob("/proc/[0-9]*"):
        try:
            status = dict(line.split(":\t", 1) for line in read(directory + "/status").splitlines() if ":\t" in line)
            group = read(directory + "/cgroup").rsplit("/", 1)[-1].strip()
            files = []
            for fd in os.listdir(directory + "/fd"):
                try:
                    files.append(os.readlink(directory + "/fd/" + fd))
                except OSError:
                    continue
        except OSError:
            continue
        found.append(
            {
                "command": status["Name"],
                "uids": sorted({int(uid) for uid in status["Uid"].split()}),
                "capabilities": int(status["CapPrm"], 16),
                "unit": group,
                "files": files,
            }
        )
    return found


def units() -> dict[str, dict[str, str]]:
    """State of every service, socket and timer that is loaded, and every unit file's enablement."""
    shown = output("systemctl", "list-units", "--all", "--plain", "--no-legend", "--type=service,socket,timer,mount")
    state = {line.split()[0]: line.split()[2] for line in shown.splitlines() if len(line.split()) > 2}
    listed = output("systemctl", "list-unit-files", "--no-legend", "--type=service,socket,timer")
    return {"active": state, "enabled": {line.split()[0]: line.split()[1] for line in listed.splitlines()}}


def sysctls() -> dict[str, str | None]:
    found: dict[str, str | None] = {}
    names = json.loads(sys.argv[1])["sysctls"]
    for name in names:
        try:
            found[name] = read("/proc/sys/" + name.replace(".", "/")).strip()
        except OSError:
            found[name] = None
    return found


def exposures() -> dict[str, float]:
    """systemd-analyze's exposure of each unit: 0.0 is best."""
    found = {}
    for unit in json.loads(sys.argv[1])["exposures"]:
        overall = output("systemd-analyze", "security", "--no-pager", unit).rstrip().splitlines()[-1:]
        words = overall[0].split() if overall else []
        if "level" in words:
            found[unit] = float(words[words.index(unit + ":") + 1])
    return found


def mounts() -> dict[str, Any]:
    found = {}
    for line in read("/proc/self/mounts").splitlines():
        source, target, kind, options, *_ = line.split()
        found[target] = {"source": source, "kind": kind, "options": options.split(",")}
    return found


def main() -> None:
    print(
        json.dumps(
            {
                "users": users(),
                "groups": groups(),
                "passwords": passwords(),
                "privileged": privileged_files(),
                "sockets": sockets(),
                "processes": processes(),
                "units": units(),
                "mounts": mounts(),
                "sysctls": sysctls(),
                "exposures": exposures(),
                "sshd": [line.split(" ", 1) for line in output("sshd", "-T").splitlines()],
                "nft": json.loads(output("nft", "--json", "list", "ruleset") or '{"nftables": []}')["nftables"],
                "state": output("systemctl", "is-system-running").strip(),
                "failed": output("systemctl", "--failed", "--plain", "--no-legend").splitlines(),
                "container": output("systemd-detect-virt", "--container").strip() != "none",
            }
        )
    )


if __name__ == "__main__":
    main()
