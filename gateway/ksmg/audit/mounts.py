"""Differences by mounts: something lies on a place, a place is reached by a second path, or an option is missing."""

from collections.abc import Iterator, Mapping

from ksmg.audit.difference import Difference, Kind, command
from ksmg.audit.mount_table import Mount, holder
from ksmg.audit.promise import Place, is_within

OPTIONS: Mapping[str, frozenset[str]] = {
    "/var": frozenset({"nodev", "nosuid"}),
    "/var/tmp": frozenset({"nodev", "nosuid", "noexec"}),
    "/home": frozenset({"nodev", "nosuid"}),
    "/var/log": frozenset({"nodev", "nosuid", "noexec"}),
    "/var/log/audit": frozenset({"nodev", "nosuid", "noexec"}),
    "/dev/shm": frozenset({"nodev", "nosuid", "noexec"}),
    "/tmp": frozenset({"nodev", "nosuid"}),
}
"""What each of these must be mounted with, where it is a file system of its own."""
EVERYWHERE = ("/tmp", "/dev/shm")
"""Those that the roles mount on every machine. The others are the image's, whose system cannot be written."""
SHOWN_TO_SERVICES = {"ksmg-submit.service": {"/run/ksmg-submit/postfix": "/var/spool/postfix/public"}}
"""Second paths into a place that a service is meant to have: the doors of the queue, which hold no mail."""


def mount_differences(places: tuple[Place, ...], mounts: tuple[Mount, ...]) -> Iterator[Difference]:
    """Differences in the machine's own mounts."""
    yield from _options(mounts)
    for place in places:
        for mount in mounts:
            if mount is not _first_at(mounts, mount.point) or _covers(place, mount):
                yield from _over(place, mount)
        yield from _exposures(place, mounts, mounts, "this machine", {})


def unit_mount_differences(
    places: tuple[Place, ...], host: tuple[Mount, ...], mounts: tuple[Mount, ...], unit: str
) -> Iterator[Difference]:
    """Second paths to a place that a service, or another process with mounts of its own, has."""
    for place in places:
        yield from _exposures(place, host, mounts, unit, SHOWN_TO_SERVICES.get(unit, {}))


def _first_at(mounts: tuple[Mount, ...], point: str) -> Mount:
    return next(mount for mount in mounts if mount.point == point)


def _covers(place: Place, mount: Mount) -> bool:
    """Whether a mount lies on a place, within it, or is no whole file system above it."""
    if is_within(mount.point, place.path):
        return True
    above = is_within(place.path, mount.point) and mount.point != "/"
    return above and (mount.root != "/" or (mount.kind in ("tmpfs", "ramfs") and mount.point != "/tmp"))


def _over(place: Place, mount: Mount) -> Iterator[Difference]:
    if is_within(mount.point, place.path) or (is_within(place.path, mount.point) and mount.point != "/"):
        yield Difference(
            Kind.MOUNT_OVER,
            place.path,
            "no mount on it, above it or within it",
            f"{mount.kind} is mounted on {mount.point}",
            command("umount", mount.point),
            place.row,
        )


def _exposures(
    place: Place, host: tuple[Mount, ...], mounts: tuple[Mount, ...], who: str, meant: Mapping[str, str]
) -> Iterator[Difference]:
    """Paths other than its own by which the place, or a part of it, is seen."""
    home = holder(host, place.path)
    if home is None:
        return
    position = home.position(place.path)
    for mount in mounts:
        if mount.device != home.device:
            continue
        if is_within(position, mount.root):
            seen, same = mount.path_of(position), mount.path_of(position) == place.path
        elif is_within(mount.root, position):
            seen, same = mount.point, home.path_of(mount.root) == mount.point
        else:
            continue
        if not same and meant.get(seen) != home.path_of(mount.root) and holder(mounts, seen) is mount:
            yield Difference(
                Kind.MOUNT_EXPOSES,
                place.path,
                "one path only",
                f"{who} sees it at {seen} as well",
                command("umount", mount.point) if who == "this machine" else command("systemctl", "restart", who),
                place.row,
            )


def _options(mounts: tuple[Mount, ...]) -> Iterator[Difference]:
    system = holder(mounts, "/")
    is_image = system is not None and not system.writable
    for mount in mounts:
        if not is_image and mount.point not in EVERYWHERE:
            continue
        missing = OPTIONS.get(mount.point, frozenset()) - mount.options
        if missing and holder(mounts, mount.point) is mount:
            wanted = ",".join(sorted(missing))
            cure = command("mount", "-o", f"remount,{wanted}", mount.point)
            yield Difference(Kind.MOUNT_OPTIONS, mount.point, f"mounted with {wanted}", f"no {wanted}", cure)
