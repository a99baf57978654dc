"""What the first boot made of the disk, and what protects the system on it."""

from __future__ import annotations

import json
from typing import Any

import pytest
from golden import target
from testinfra.host import Host

PARTITIONS = target.load().partitions


@pytest.fixture(scope="module")
def mounts(host: Host) -> dict[str, Any]:
    rows = json.loads(
        host.check_output("findmnt --json --list --bytes --output TARGET,SOURCE,FSTYPE,OPTIONS,SIZE --real")
    )
    overlay = json.loads(
        host.check_output("findmnt --json --list --output TARGET,SOURCE,FSTYPE,OPTIONS --types overlay,tmpfs")
    )
    return {row["target"]: row for row in [*rows["filesystems"], *overlay["filesystems"]]}


@pytest.fixture(scope="module")
def labels(host: Host) -> list[str]:
    return str(host.check_output("lsblk --noheadings --raw --output PARTLABEL /dev/vda")).split()


def test_the_root_is_erofs_on_dm_verity(host: Host, mounts: dict[str, Any]) -> None:
    assert (mounts["/"]["source"], mounts["/"]["fstype"]) == ("/dev/mapper/root", "erofs")
    assert (
        "verity"
        in host.check_output(
            "lsblk --noheadings --output TYPE /dev/mapper/root; ls -l /sys/block/dm-0/dm; cat /sys/block/dm-0/dm/uuid"
        ).lower()
    )


def test_the_system_cannot_be_changed(host: Host) -> None:
    assert host.run("touch /usr/changed").rc != 0


@pytest.mark.parametrize("partition", PARTITIONS, ids=lambda partition: partition.label)
def test_data_partition_is_mounted_with_its_options(mounts: dict[str, Any], partition: target.Partition) -> None:
    assert set(partition.options) <= set(mounts[partition.mount]["options"].split(","))


def test_every_cap_of_the_policy_fits_whole_on_this_disk(host: Host) -> None:
    holdings = json.loads(host.run("ksmg audit retention --json").stdout)
    assert [holding["place"] for holding in holdings if holding["effective"] != holding["cap"]] == []


def test_slot_b_waits_for_an_update(labels: list[str]) -> None:
    assert labels.count("_empty") == 2


def test_settings_live_on_an_overlay(mounts: dict[str, Any]) -> None:
    assert mounts["/etc"]["fstype"] == "overlay"


def test_temporary_files_are_in_memory(mounts: dict[str, Any]) -> None:
    assert mounts["/tmp"]["fstype"] == "tmpfs"
    assert {"nodev", "nosuid", "noexec"} <= set(mounts["/tmp"]["options"].split(","))


def test_the_entry_was_counted_as_good(host: Host) -> None:
    (kernel,) = host.check_output("ls /boot/EFI/Linux").split()
    assert "+" not in kernel
