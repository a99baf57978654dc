"""The root file system that test hosts start from: a minimal Debian, made once per content."""

import fcntl
import hashlib
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from lab import mirror
from lab.command import LabError, run
from lab.place import Place

TIME_LIMIT = 600.0
PACKAGES = (
    "ca-certificates", "dbus", "debian-archive-keyring", "iproute2", "login", "openssh-server", "passwd", "procps",
    "python3", "python3-apt", "systemd", "systemd-sysv", "udev",
)  # fmt: skip
"""What the Debian installer gives, as far as Ansible needs it; everything else is the roles' work."""
UNWANTED = ("/usr/share/doc/*", "/usr/share/man/*", "/usr/share/locale/*", "/usr/share/info/*")
IDENTITY = ("etc/ssh/ssh_host_*", "etc/resolv.conf", "etc/hostname", "var/log/apt/*", "var/log/*.log")


def ensure(place: Place) -> Path:
    """The base root of today's content; builds it when there is none."""
    if given := os.environ.get("KSMG_LAB_BASE"):
        return Path(given)
    root = place.cache / "lab" / f"base-{fingerprint()}"
    with locked(place):
        if not root.exists():
            discard_others(root)
            build(root, place)
    return root


def fingerprint() -> str:
    """Changes when this recipe or the mirrors change."""
    text = "\n".join([Path(__file__).read_text(), *mirror.sources(), *mirror.proxy_lines()])
    return hashlib.sha256(text.encode()).hexdigest()[:12]


@contextmanager
def locked(place: Place) -> Iterator[None]:
    """One builder at a time."""
    file = place.cache / "lab" / "lock"
    file.parent.mkdir(parents=True, exist_ok=True)
    with file.open("w") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield


def discard_others(root: Path) -> None:
    """Bases of an older content, and unfinished ones; a running lab keeps its base mounted and so in use."""
    in_use = Path("/proc/self/mountinfo").read_text()
    for old in root.parent.glob("base-*"):
        if f"lowerdir={old}," not in in_use:
            shutil.rmtree(old)


def build(root: Path, place: Place) -> None:
    """Make the root under another name and rename it when it is whole."""
    unfinished = root.with_name(root.name + ".new")
    run(command(unfinished), limit=TIME_LIMIT)
    for pattern in IDENTITY:
        for path in unfinished.glob(pattern):
            path.unlink() if not path.is_dir() else shutil.rmtree(path)
    (unfinished / "etc/machine-id").write_text("")
    (unfinished / "etc/apt/apt.conf.d/90lab").write_text(
        "\n".join([*mirror.proxy_lines(), 'APT::Install-Recommends "false";', ""])
    )
    if not (unfinished / "usr/sbin/sshd").exists():
        raise LabError(f"mmdebstrap made no usable root in {unfinished}.")
    unfinished.rename(root)


def command(root: Path) -> list[str]:
    """mmdebstrap's command line. The package lists stay, so that a host's first apt run has little to fetch."""
    excludes = [f"--dpkgopt=path-exclude={path}" for path in UNWANTED]
    proxies = [f"--aptopt={line}" for line in mirror.proxy_lines()]
    return [
        "mmdebstrap", "--variant=minbase", "--format=directory", "--skip=cleanup/apt/lists",
        "--aptopt=APT::Install-Recommends \"false\"", f"--include={','.join(PACKAGES)}",
        *excludes, *proxies, mirror.SUITE, str(root), *mirror.sources(),
    ]  # fmt: skip
