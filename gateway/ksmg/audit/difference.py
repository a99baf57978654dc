"""What the verifier reports: one difference between the data policy and the machine, with its cure."""

import enum
import shlex
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Any


class Kind(enum.Enum):
    """The kinds of difference."""

    CAN_MORE = "can_more"
    """An account was able to do what the policy does not let it do."""
    CAN_LESS = "can_less"
    """An account was not able to do what the policy lets it do."""
    SERVICE_CAN_MORE = "service_can_more"
    """The same, from inside a service's sandbox."""
    SERVICE_CAN_LESS = "service_can_less"
    """The same, from inside a service's sandbox."""
    MISSING = "missing"
    """A place does not exist."""
    WRONG_TYPE = "wrong_type"
    """A place is a file instead of a directory, or the other way round."""
    SYMLINK = "symlink"
    """A place, or a directory above it, is a symbolic link; or a link within a place leads out of it."""
    OWNER = "owner"
    """A place belongs to another account or group."""
    MODE = "mode"
    """A place has another mode."""
    ACCESS_LIST = "access_list"
    """A place has other ACL entries."""
    DEFAULT_ACCESS_LIST = "default_access_list"
    """New files in a place get other ACL entries."""
    ANCESTOR = "ancestor"
    """Somebody else could swap a directory above a place."""
    FILE_OWNER = "file_owner"
    """A file within a place belongs to a stranger."""
    FILE_MODE = "file_mode"
    """A file within a place is open to others."""
    FILE_ACCESS_LIST = "file_access_list"
    """A file within a place names a stranger in its ACL."""
    FILE_TYPE = "file_type"
    """A device lies within a place."""
    HARD_LINK = "hard_link"
    """A file within a place has another name outside of it."""
    COPY = "copy"
    """Others can read a copy of a file of a place."""
    MOUNT_OVER = "mount_over"
    """Something is mounted on, above or within a place."""
    MOUNT_EXPOSES = "mount_exposes"
    """A place can be reached by another path, through a bind mount."""
    MOUNT_OPTIONS = "mount_options"
    """A file system lacks nodev, nosuid or noexec."""
    GROUP_MEMBER = "group_member"
    """Somebody is in a group that gives access."""
    ACCOUNT_ROOT = "account_root"
    """Another account has uid 0."""
    ACCOUNT_DUPLICATE = "account_duplicate"
    """Two accounts share a uid, or two groups a gid."""
    ACCOUNT_CHANGED = "account_changed"
    """An account of the policy has another uid, group, home or shell, or a password."""
    ACCOUNT_PASSWORD = "account_password"
    """An account needs no password."""
    SUDO = "sudo"
    """sudo gives another account rights."""
    SCHEDULED = "scheduled"
    """cron, or a lingering session, runs something as an account of the policy."""
    SYSTEM_FILE = "system_file"
    """A file that decides about accounts can be changed or read by others."""
    PRELOAD = "preload"
    """Code is loaded into every program."""
    NAME_SERVICE = "name_service"
    """Accounts come from elsewhere than the machine's files."""
    SIGN_IN_MODULE = "sign_in_module"
    """PAM asks a module that lets strangers in, or runs programs."""
    PACKAGE_FILE = "package_file"
    """The installed policy, or a unit file, is not the package's."""
    PRIVILEGED_FILE = "privileged_file"
    """A file raises privileges that no package of the appliance brings."""
    UNIT_DROP_IN = "unit_drop_in"
    """A service's unit is changed by a file that the appliance did not write."""
    UNIT_SETTING = "unit_setting"
    """A setting of a service's sandbox is weaker than it must be."""
    UNIT_ACCOUNT = "unit_account"
    """A service that the policy does not name runs as one of its accounts, or in one of its groups."""
    PROCESS_ACCOUNT = "process_account"
    """A process runs as an account of the policy outside of that account's services."""
    PROCESS_GROUP = "process_group"
    """A process of another account is in a group of the policy."""
    PROCESS_CAPABILITY = "process_capability"
    """A process that is not root has a capability that passes over file permissions."""
    OPEN_FILE = "open_file"
    """A process has a file of a place open that its account may not have."""


@dataclass(frozen=True)
class Difference:
    """One difference. `cure` is a command to type as root; `row` is empty where all rows are concerned."""

    kind: Kind
    place: str
    expected: str
    found: str
    cure: str
    row: str = ""

    @property
    def what(self) -> str:
        """A sentence for people."""
        return f"{self.place}: {self.found}; expected: {self.expected}"

    def document(self) -> dict[str, Any]:
        """Plain values for JSON and for the system event."""
        return {**asdict(self), "kind": self.kind.value, "what": self.what}


def command(*argv: str) -> str:
    """A command as people type it."""
    return shlex.join(argv)


def names(found: Iterable[str], most: int = 6) -> str:
    """Some names, in order; the rest is counted."""
    every = sorted(set(found))
    shown = ", ".join(every[:most])
    return shown if len(every) <= most else f"{shown} and {len(every) - most} more"
