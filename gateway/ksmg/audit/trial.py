"""Tries what an account can do with the places, without a trace.

Nothing is created, and no daemon notices. The canary that stands for a new file of a place's writer is a file without a
name (O_TMPFILE): nobody can come across it, and the kernel removes it when we end, in whatever way. Opening for writing
would wake whoever watches a file, so writing is asked of the kernel by faccessat2(2), which decides as open(2) does:
with the account's ids, access lists, and read-only mounts.
"""

import os
import stat
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass

from ksmg.audit.credentials import Credentials, as_somebody
from ksmg.audit.promise import LIST, PASS, READ, WRITE, Place

SAMPLES = 4
"""Files of each place that are tried, the newest ones."""
_NEW_FILE = 0o640


@dataclass(frozen=True)
class Probe:
    """A place with what is needed to try it: files that lie there, an open canary, and which directory it is."""

    place: Place
    samples: tuple[str, ...] = ()
    canary: int | None = None
    identity: tuple[int, int] | None = None


@dataclass(frozen=True)
class Found:
    """What somebody could do with a place, and with the files that are there already."""

    rights: frozenset[str]
    readable: frozenset[str] = frozenset()
    writable: frozenset[str] = frozenset()


@contextmanager
def probes(
    places: Sequence[Place], samples: Callable[[Place], tuple[str, ...]], credentials: Callable[[str], Credentials]
) -> Iterator[tuple[Probe, ...]]:
    """Probes with a canary in each directory that exists, made as the place's writer would make a file."""
    made = []
    try:
        for place in places:
            made.append(_probe(place, samples(place), credentials(place.writer)))
        yield tuple(made)
    finally:
        for probe in made:
            if probe.canary is not None:
                os.close(probe.canary)


def _probe(place: Place, samples: tuple[str, ...], writer: Credentials) -> Probe:
    try:
        status = os.stat(place.data)
    except OSError:
        return Probe(place, samples)
    is_directory = place.directory and stat.S_ISDIR(status.st_mode)
    canary = _canary(place.data, writer) if is_directory else None
    return Probe(place, samples, canary, (status.st_dev, status.st_ino))


def _canary(directory: str, writer: Credentials) -> int | None:
    """A file without a name, as a new one of the writer: it inherits the directory's default access list.

    None where the file system has no such files, or the writer may not make one: that is found by the trial itself.
    """
    umask = os.umask(0)
    try:
        descriptor = os.open(directory, os.O_TMPFILE | os.O_RDWR | os.O_CLOEXEC, _NEW_FILE)
        os.fchown(descriptor, writer.uid, writer.gid)
    except OSError:
        return None
    finally:
        os.umask(umask)
    return descriptor


def try_as(who: Credentials, every: Sequence[Probe], inside: int | None = None) -> tuple[Found, ...]:
    """What somebody can do with each place. Raises OSError when we cannot become them."""
    answers = as_somebody(who, lambda descriptors: [_try(probe, descriptors) for probe in every], inside)
    return tuple(Found(*(frozenset(part) for part in answer)) for answer in answers)


def _try(probe: Probe, descriptors: int) -> list[list[str]]:
    there, hidden = _what_is_there(probe)
    if hidden:
        return [[], [], []]
    rights = _directory(probe, there, descriptors) if probe.place.directory else _file(probe.place.path)
    readable = [path for path in probe.samples if _opens(path)]
    writable = [path for path in probe.samples if _may_write(path)]
    return [sorted(rights), readable, writable]


def _what_is_there(probe: Probe) -> tuple[bool, bool]:
    """Whether the place itself is seen, and whether systemd's stand-in for hidden paths (InaccessiblePaths=) is."""
    try:
        status = os.stat(probe.place.data)
    except OSError:
        return False, False
    there = (status.st_dev, status.st_ino) == probe.identity
    return there, not there and not status.st_mode & 0o777


def _file(path: str) -> set[str]:
    return ({READ} if _opens(path) else set()) | ({WRITE} if _may_write(path) else set())


def _directory(probe: Probe, there: bool, descriptors: int) -> set[str]:
    """Rights on a directory; in a sandbox, one of its own may lie there."""
    rights: set[str] = set()
    data = probe.place.data
    with suppress(OSError):
        os.stat(f"{probe.place.path}/.")
        rights.add(PASS)
    with suppress(OSError), closing(os.scandir(data)):
        rights.add(LIST)
    if os.access(data, os.W_OK | os.X_OK, effective_ids=True):
        rights.add(WRITE)
    if not os.access(data, os.X_OK, effective_ids=True):
        return rights
    if _opens(str(probe.canary), descriptors) if there and probe.canary is not None else _own_canary(data):
        rights.add(READ)
    return rights


def _own_canary(directory: str) -> bool:
    """In a directory of a sandbox's own: whether a file that is made there can be read."""
    with suppress(OSError):
        os.close(os.open(directory, os.O_TMPFILE | os.O_RDWR | os.O_CLOEXEC, _NEW_FILE))
        return True
    return False


def _opens(path: str, within: int | None = None) -> bool:
    with suppress(OSError):
        os.close(os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC, dir_fd=within))
        return True
    return False


def _may_write(path: str) -> bool:
    return os.access(path, os.W_OK, effective_ids=True)


def credentials_of_process(status: dict[str, str]) -> Credentials:
    """Who a process is, out of its proc_pid_status(5): the ids and capabilities that are in force."""
    groups = frozenset(int(group) for group in status.get("Groups", "").split())
    return Credentials(int(status["Uid"].split()[1]), int(status["Gid"].split()[1]), groups, int(status["CapEff"], 16))
