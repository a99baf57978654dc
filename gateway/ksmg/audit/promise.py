"""What the data policy promises, as the verifier needs it: for each place owner, mode, ACL, and who may do what."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from ksmg.policy import Container, DataPolicy, Location

ROOT = "root"
LIST, READ, WRITE, PASS = "list", "read", "write", "pass"
EVERYTHING = frozenset({LIST, READ, WRITE, PASS})
JOURNAL_SOCKET = "/run/systemd/journal/syslog:/run/systemd/journal/dev-log"
"""What each unit of the policy mounts for its log lines."""


@dataclass(frozen=True)
class Place:
    """A location or a container. `rights` has every account that may do anything there; root is not in it.

    `directory` says of what type it must be, `data` where the files lie, and `optional` whether it may be absent.
    """

    path: str
    row: str
    directory: bool
    owner: str
    group: str
    mode: int
    rights: Mapping[str, frozenset[str]]
    acl: Mapping[str, str] = field(default_factory=dict)
    default_acl: Mapping[str, str] = field(default_factory=dict)
    in_process: frozenset[str] = frozenset()
    data: str = ""
    optional: bool = False
    log: bool = False
    keeps_data: bool = True

    def may(self, account: str) -> frozenset[str]:
        """What the account may do there."""
        return self._of_root() if account == ROOT else self.rights.get(account, frozenset())

    def _of_root(self) -> frozenset[str]:
        return EVERYTHING if self.directory else frozenset({READ, WRITE})

    @property
    def writer(self) -> str:
        """The account that puts files there."""
        return next((name for name, rights in self.rights.items() if WRITE in rights), self.owner)


@dataclass(frozen=True)
class View:
    """What a unit sees of the policy's places: paths it may write, read, and those that are hidden from it.

    `emptied` are directories of log files beside which it opens something: only that, `shown`, is left in them.
    """

    write: frozenset[str]
    read: frozenset[str]
    hidden: frozenset[str]
    temporary: frozenset[str]
    emptied: frozenset[str] = frozenset()
    shown: frozenset[str] = frozenset()


def places(policy: DataPolicy) -> tuple[Place, ...]:
    """Every container and every location."""
    rows = (_location(policy, row.id, frozenset(row.in_process), location) for row, location in policy.locations())
    return (*map(_container, policy.containers), *rows)


def _container(container: Container) -> Place:
    rights = {account: frozenset({PASS}) for account in container.traverse}
    group = {PASS} if container.mode & 0o010 else set()
    group |= {LIST, READ} if container.mode & 0o040 else set()
    rights[container.group] = frozenset(group)
    rights[container.owner] = EVERYTHING
    return Place(
        path=str(container.path),
        row="",
        directory=True,
        owner=container.owner,
        group=container.group,
        mode=container.mode,
        rights={account: may for account, may in rights.items() if account != ROOT},
        acl=dict.fromkeys(container.traverse, "x"),
        data=str(container.path),
        keeps_data=False,
    )


def _location(policy: DataPolicy, row: str, in_process: frozenset[str], location: Location) -> Place:
    directory = location.type == "directory"
    return Place(
        path=str(location.place),
        row=row,
        directory=directory,
        owner=location.owner,
        group=location.group,
        mode=location.mode,
        rights=_rights(location, directory),
        acl=_acl(policy, location),
        default_acl=_acl(policy, location, new_files=True) if directory else {},
        in_process=in_process,
        data=str(location.place / location.canary) if location.canary else str(location.place),
        optional=location.type == "file",
        log=location.type == "log",
    )


def _rights(location: Location, directory: bool) -> dict[str, frozenset[str]]:
    """Rights of each account but root. Only a directory can be listed, or passed."""
    rights = {account: set(may) for account, may in location.at_rest.items() if account != ROOT}
    if not directory:
        return {account: frozenset(may - {LIST}) for account, may in rights.items()}
    for account in (*location.traverse, *rights):
        rights.setdefault(account, set()).add(PASS)
    return {account: frozenset(may) for account, may in rights.items()}


def _acl(policy: DataPolicy, location: Location, new_files: bool = False) -> dict[str, str]:
    """Entries beyond owner, group and mode. Who writes as the owner or in the owning group needs none."""
    entries = {} if new_files else dict.fromkeys(location.traverse, "x")
    for account, may in location.at_rest.items():
        in_group = policy.accounts[account].group == location.group
        alone = account == location.owner or (in_group and (WRITE in may or location.type != "directory"))
        if not alone:
            bits = "".join(letter for right, letter in ((READ, "r"), (WRITE, "w")) if right in may)
            entries[account] = bits + ("x" if location.type == "directory" else "")
    return entries


def may_in_unit(view: View, account: str, place: Place) -> frozenset[str]:
    """What a service may do with a place from inside its sandbox: only what its entry in the policy names.

    The unit's account counts, not the account of each of its processes: a master that is still root gets no more.
    """
    rights = place.may(account)
    if place.path in view.write:
        return rights
    return rights - {WRITE} if place.path in view.read else frozenset()


def unit_view(policy: DataPolicy, unit: str) -> View:
    """The paths that the unit opens, and those that its sandbox hides.

    Where nothing below a shared directory is opened, it is hidden as a whole; so is the directory of a log or
    another single file.
    """
    entry = policy.units[unit]
    write, read = (
        {str(at.place) for name in way for at in policy.resolve(name) if at.type != "log"}
        for way in (entry.write, entry.read)
    )
    every = [at for _, at in policy.locations()]
    files = {str(at.place.parent) for at in every if at.type != "directory"}
    candidates = {*files, *(str(at.place) for at in every), *(str(container.path) for container in policy.containers)}
    opened = write | read
    hidden = {path for path in candidates if not any(is_within(place, path) for place in opened)}
    temporary = {str(at.place) for at in every if at.retention.limit == "restart"}
    if write & temporary:
        hidden -= temporary
    emptied = {path for path in files if any(is_within(place, path) for place in opened)}
    return View(
        write=frozenset(write),
        read=frozenset(read),
        hidden=_outermost(hidden),
        temporary=frozenset(write & temporary),
        emptied=frozenset(emptied),
        shown=_outermost({place for place in opened if any(is_within(place, path) for path in emptied)}),
    )


def _outermost(paths: set[str]) -> frozenset[str]:
    """Without those that lie below another one."""
    return frozenset(path for path in paths if not any(path != other and is_within(path, other) for other in paths))


def is_within(path: str, directory: str) -> bool:
    """Whether a path is the directory, or below it."""
    return path == directory or path.startswith(f"{directory.rstrip('/')}/")


def place_of(every: tuple[Place, ...], path: str) -> Place | None:
    """The innermost place that keeps data and that the path belongs to; a log's rotated parts belong to it as well."""
    found = [place for place in every if place.keeps_data and belongs(place, path)]
    return max(found, key=lambda place: len(place.path)) if found else None


def belongs(place: Place, path: str) -> bool:
    """Whether a file belongs to a place."""
    return is_within(path, place.path) or (place.log and path.startswith((f"{place.path}.", f"{place.path}-")))
