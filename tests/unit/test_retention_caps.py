"""The caps of the policy, and what they shrink to on a small disk."""

from pathlib import Path, PurePosixPath

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from ksmg.policy import parse_policy
from ksmg.retention.caps import Cap, declared_cap, effective_caps, room_for_caps, streams
from ksmg.retention.filesystems import MountTable, capacity, mount_table, parse_mounts
from ksmg.settings import Settings

POLICY = parse_policy(
    yaml.safe_load((Path(__file__).parents[2] / "inventory/group_vars/all/data_policy.yml").read_text(encoding="utf-8"))
)
SETTINGS = Settings({})
APPLIANCE = parse_mounts(
    "1 0 8:1 / / ro - erofs a ro\n2 1 8:2 / /var rw - ext4 b rw\n3 2 8:3 / /var/log rw - ext4 c rw\n"
    "4 1 0:5 / /tmp rw - tmpfs tmpfs rw\n"
)
SANDBOX = MountTable(
    (*APPLIANCE.mounts, *parse_mounts("9 1 0:9 /systemd/inaccessible/dir /var/log ro - tmpfs t ro").mounts)
)
GB = 10**9


def effective(var: int, log: int, settings: Settings = SETTINGS) -> dict[str, Cap]:
    """The caps on an appliance with file systems of these sizes."""
    sizes = {"8:2": var, "8:3": log}
    caps = effective_caps(POLICY, settings, APPLIANCE, lambda place: sizes.get(APPLIANCE.device(place), GB))
    return {str(place): cap for place, cap in caps.items()}


def kept_at_most(caps: dict[str, Cap], device: str) -> int:
    """Bytes of all byte caps on a file system."""
    return sum(
        (caps[str(location.place)].bytes or 0) * max(len(streams(POLICY, location)), 1)
        for _, location in POLICY.locations()
        if APPLIANCE.device(location.place) == device
    )


def test_large_disk_has_the_caps_of_the_policy() -> None:
    caps = effective(1000 * GB, 1000 * GB)
    declared = {str(at.place): declared_cap(row, at, SETTINGS) for row, at in POLICY.locations()}
    assert caps == declared


@given(var=st.integers(10**6, 10**12), log=st.integers(10**6, 10**12))
def test_what_is_kept_never_fills_a_file_system(var: int, log: int) -> None:
    caps = effective(var, log)
    assert kept_at_most(caps, "8:2") <= room_for_caps(var, has_queue=True)
    assert kept_at_most(caps, "8:3") <= room_for_caps(log, has_queue=False)


@given(log=st.integers(10 * GB, 60 * GB))
def test_caps_shrink_in_the_same_proportion(log: int) -> None:
    caps = effective(1000 * GB, log)
    mail, important = caps["/var/log/maillog"].bytes, caps["/var/log/ksmg-important"].bytes
    assert mail is not None
    assert important is not None
    assert mail / important == pytest.approx(23 * GB / (GB / 2), rel=1e-6)


@given(log=st.integers(0, 100 * GB))
def test_a_small_log_disk_leaves_backup_alone(log: int) -> None:
    assert effective(100 * GB, log)["/var/opt/kaspersky/ksmg/backup"].bytes == 7 * GB


def test_the_queue_keeps_room() -> None:
    assert room_for_caps(20 * GB, has_queue=True) < room_for_caps(20 * GB, has_queue=False) - 3 * GB


def test_chosen_size_of_the_events_counts_instead_of_the_policys() -> None:
    caps = effective(1000 * GB, 1000 * GB, Settings({"message_events.bytes": 5 * GB}))
    assert caps["/var/opt/kaspersky/ksmg/events"].bytes == 5 * GB


def test_records_shrink_as_bytes_do() -> None:
    records = effective(4 * GB, 100 * GB)["/var/opt/kaspersky/ksmg/system-events"].records
    assert records is not None
    assert 10_000 < records < 100_000


def test_time_does_not_shrink() -> None:
    assert effective(GB, GB)["/var/log/secure"].seconds == 5 * 7 * 86_400


def test_sandbox_that_hides_the_logs_changes_nothing() -> None:
    assert SANDBOX.device(PurePosixPath("/var/log/maillog")) == "8:3"


def test_place_that_does_not_exist_has_the_device_of_its_parent() -> None:
    assert APPLIANCE.device(PurePosixPath("/var/opt/kaspersky/new")) == "8:2"


def test_later_mount_lies_over_an_earlier_one() -> None:
    both = parse_mounts("1 0 8:1 / /a rw - ext4 a rw\n2 1 8:7 / /a rw - ext4 b rw")
    assert both.device(PurePosixPath("/a/b")) == "8:7"


def test_mount_point_with_a_space_is_found() -> None:
    assert parse_mounts(r"1 0 8:4 / /a\040b rw - ext4 a rw").device(PurePosixPath("/a b/c")) == "8:4"


def test_mount_table_of_this_machine_knows_every_place(tmp_path: Path) -> None:
    assert mount_table().device(PurePosixPath(tmp_path))


def test_capacity_of_a_missing_place_is_that_of_its_parent(tmp_path: Path) -> None:
    assert capacity(PurePosixPath(tmp_path / "not" / "there")) == capacity(PurePosixPath(tmp_path))
