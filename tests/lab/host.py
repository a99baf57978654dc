"""A test host: a whole systemd system in a container, on an overlay over the base root."""

import os
import shutil
import socket
import time
from pathlib import Path

from lab import base, daemon, dns, group
from lab.command import LabError, run
from lab.network import BRIDGE
from lab.place import Place

TIME_LIMIT = 120.0
KEPT_CAPABILITY = "CAP_NET_ADMIN"
DROPPED_CAPABILITIES = "CAP_SYS_TIME,CAP_MKNOD"
"""The kernel's clock is the control machine's too; device nodes would reach its disks."""

NETWORK = """\
[Match]
Name=host0

[Network]
Address={address}/24
Gateway={router}
DNS={router}
LinkLocalAddressing=no
IPv6AcceptRA=no
"""


def member(name: str) -> str:
    """The host's control group."""
    return f"host-{name}"


def up(place: Place, name: str) -> None:
    """Start a host and wait until SSH answers; one that runs stays as it is."""
    if group.populated(place, member(name)):
        return
    root = mount(place, name)
    if not (root / "etc/systemd/network/10-lab.network").exists():
        configure(place, name, root)
    boot(place, name, root)
    dns.await_port(place.address(name), 22, TIME_LIMIT)


def mount(place: Place, name: str) -> Path:
    """The host's root: its own changes over the shared base."""
    directory = place.host_dir(name)
    root = directory / "root"
    if root.is_mount():
        return root
    for part in ("upper", "work", "root"):
        (directory / part).mkdir(parents=True, exist_ok=True)
    layers = f"lowerdir={base.ensure(place)},upperdir={directory / 'upper'},workdir={directory / 'work'}"
    options = f"{layers},volatile"  # nothing of it is kept, so nothing has to reach the disk
    run(["mount", "-t", "overlay", place.netns, "-o", options, str(root)])
    return root


def configure(place: Place, name: str, root: Path) -> None:
    """What an installer would have asked: name, address, the administrator's key."""
    address = place.address(name)
    texts = {
        "etc/hostname": f"{name}\n",
        "etc/hosts": f"127.0.0.1 localhost\n{address} {name} {name.split('.', maxsplit=1)[0]}\n",
        "etc/resolv.conf": f"nameserver {place.router}\n",
        "etc/systemd/network/10-lab.network": NETWORK.format(address=address, router=place.router),
        "root/.ssh/authorized_keys": place.key.with_suffix(".pub").read_text(),
    }
    for path, text in texts.items():
        (root / path).parent.mkdir(parents=True, exist_ok=True, mode=0o700 if ".ssh" in path else 0o755)
        (root / path).write_text(text)
    run(["systemctl", f"--root={root}", "enable", "--quiet", "systemd-networkd.service", "ssh.service"])
    run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", name, "-f", str(root / "etc/ssh/ssh_host_ed25519_key")])


def nspawn(place: Place, name: str, root: Path) -> list[str]:
    """systemd-nspawn's command line."""
    place.packages.mkdir(parents=True, exist_ok=True)
    downloads(place, name).mkdir(exist_ok=True)
    return [
        "systemd-nspawn",
        "--quiet",
        "--boot",
        f"--directory={root}",
        f"--machine={name}",
        "--register=no",
        "--keep-unit",
        f"--network-bridge={BRIDGE}",
        "--notify-ready=yes",
        "--resolv-conf=off",
        "--timezone=off",
        "--link-journal=no",
        "--console=pipe",
        f"--capability={KEPT_CAPABILITY}",
        f"--drop-capability={DROPPED_CAPABILITIES}",
        f"--overlay={place.packages}:{downloads(place, name)}:/var/cache/apt/archives",
    ]


def downloads(place: Place, name: str) -> Path:
    """Debian packages that the host had to download: a layer over the cache, so that apt's locks are the host's own."""
    return place.host_dir(name) / "downloads"


def boot(place: Place, name: str, root: Path) -> None:
    """Start the container and wait for its manager's READY=1."""
    address = place.host_dir(name) / "notify"
    address.unlink(missing_ok=True)
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as notify:
        notify.bind(str(address))
        daemon.start(place, member(name), place.netns, nspawn(place, name, root), {"NOTIFY_SOCKET": str(address)})
        deadline = time.monotonic() + TIME_LIMIT
        notify.settimeout(1)
        while time.monotonic() < deadline and group.populated(place, member(name)):
            try:
                if b"READY=1" in notify.recv(4096).splitlines():
                    return
            except TimeoutError:
                continue
    raise LabError(
        f"{name} ended early, or did not start within {TIME_LIMIT:.0f} s: see {place.dir}/log/{member(name)}.log."
    )


def down(place: Place, name: str) -> None:
    """End the host and forget its changes."""
    group.end(place, member(name))
    keep_downloads(place, name)
    unmount(place.host_dir(name) / "root")
    shutil.rmtree(place.host_dir(name), ignore_errors=True)


def keep_downloads(place: Place, name: str) -> None:
    """Put what the host downloaded into the cache; other labs may do the same at the same time."""
    for package in downloads(place, name).glob("*.deb"):
        if not (place.packages / package.name).exists():
            unfinished = place.packages / f".{package.name}.{place.name}"
            shutil.copyfile(package, unfinished)
            unfinished.rename(place.packages / package.name)


def unmount(root: Path) -> None:
    """Unmount, if something is mounted there."""
    while os.path.ismount(root):
        run(["umount", "--lazy", str(root)])
