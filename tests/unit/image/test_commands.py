"""Argument lists and small files that the stages make."""

from __future__ import annotations

import contextlib
import json
import os
import struct
import subprocess
import sys
import time
import uuid
from pathlib import Path

import pytest
from golden import gpt, partitions, sandbox, seal_root, target
from golden.console import Console
from golden.machine import Hardware, command
from golden.problem import Problem
from golden.stages import bake, disk, tree

TARGET = target.load()


def test_a_command_ends_with_its_namespace(tmp_path: Path) -> None:
    arguments = sandbox.enter([sandbox.bind(tmp_path, tmp_path / "a b")], ["true"])
    assert {"--kill-child", "--pid", "--net", "--mount"} <= set(arguments)
    assert f"mount --bind {tmp_path} '{tmp_path}/a b'" in arguments[-1]


def test_only_the_download_of_packages_has_a_network() -> None:
    assert "--net" not in sandbox.enter([], ["true"], network=True)


def test_an_overlay_names_its_topmost_layer_first() -> None:
    mount = sandbox.overlay([Path("/b"), Path("/a")], Path("/u"), Path("/w"), Path("/m"))
    assert mount.options == "lowerdir=/b:/a,upperdir=/u,workdir=/w"


def test_every_source_of_the_suite_is_used() -> None:
    arguments = tree.command(Path("/r"), "trixie", ["a", "b"], ["deb x trixie main"], Path("/debs"))
    assert "--include=a,b" in arguments
    assert arguments[-3:] == ["trixie", "/r", "deb x trixie main"]


def test_the_first_boot_knows_what_the_build_made() -> None:
    build, first = partitions.build(TARGET, "1.0"), partitions.first_boot(TARGET)
    size = f"SizeMaxBytes={TARGET.root_size}"
    assert size in build["10-root.conf"]
    assert size in first["10-root-a.conf"]
    assert size in first["20-root-b.conf"]


def test_the_last_partition_takes_a_larger_disk() -> None:
    assert max(partitions.first_boot(TARGET)).endswith("var-log.conf")


def test_a_mount_point_is_mounted_before_what_is_inside_of_it() -> None:
    places = [line.split()[1] for line in partitions.mount_table(TARGET).splitlines()]
    assert places.index("/var") < places.index("/var/log") < places.index("/var/log/audit")


def test_sealing_removes_identity_and_keeps_the_rest(tmp_path: Path) -> None:
    for name in ("etc/ssh/ssh_host_rsa_key", "etc/ssh/sshd_config", "var/log/apt/history.log"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("x")
    seal_root.remove(tmp_path, [*seal_root.IDENTITY, *seal_root.LEFTOVERS])
    assert [str(p.relative_to(tmp_path)) for p in sorted(tmp_path.rglob("*")) if p.is_file()] == ["etc/ssh/sshd_config"]


def test_sealing_removes_a_link_that_leads_nowhere(tmp_path: Path) -> None:
    (tmp_path / "etc").mkdir()
    (tmp_path / "etc/resolv.conf").symlink_to("/nowhere")
    seal_root.remove(tmp_path, ["etc/resolv.conf"])
    assert not (tmp_path / "etc/resolv.conf").is_symlink()


def test_the_factory_copy_keeps_modes(tmp_path: Path) -> None:
    (tmp_path / "var/lib").mkdir(parents=True)
    (tmp_path / "var/lib").chmod(0o710)
    seal_root.set_var_aside(tmp_path)
    assert (tmp_path / seal_root.FACTORY / "lib").stat().st_mode & 0o777 == 0o710
    assert list((tmp_path / "var").iterdir()) == []


def test_the_package_databases_stay_with_the_system(tmp_path: Path) -> None:
    for name in seal_root.PACKAGE_FACTS:
        (tmp_path / name).mkdir(parents=True)
        (tmp_path / name / "status").write_text("x")
    seal_root.keep_package_facts(tmp_path)
    assert (tmp_path / seal_root.PACKAGE_FACTS_PLACE / "dpkg/status").read_text() == "x"
    assert (tmp_path / "var/lib/dpkg").readlink() == Path("/") / seal_root.PACKAGE_FACTS_PLACE / "dpkg"


def test_every_unit_that_an_image_enables_is_one_of_its_files(tmp_path: Path) -> None:
    seal_root.link_units(tmp_path)
    goals = {goal for goal in seal_root.UNIT_LINKS.values() if goal != "/dev/null"}
    assert goals
    assert [goal for goal in goals if not (seal_root.SYSTEM / goal.lstrip("/")).is_file()] == []


def test_the_root_hash_is_read_from_repart() -> None:
    rows = [{"type": "root", "roothash": None}, {"type": "root-verity", "roothash": "ab" * 32}]
    assert disk.root_hash_of(f"progress\n{json.dumps(rows)}\n") == "ab" * 32


def test_the_time_of_a_signature_is_the_builds() -> None:
    assert disk.stamp(1760000000) == "2025-10-09 08:53:20"


def test_each_play_bakes_its_own_roles() -> None:
    platform, gateway = bake.play_roles("platform"), bake.play_roles("gateway")
    assert "postfix" in platform
    assert set(gateway) == {"gateway", "certificates"}
    assert not set(platform) & set(gateway)


def test_the_shells_ansible_settings_do_not_leak_in(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ANSIBLE_CHECK_MODE", "1")
    assert "ANSIBLE_CHECK_MODE" not in bake.environment()


def test_the_machine_never_asks_for_hardware_help_that_is_not_there() -> None:
    arguments = command(Path("d"), Path("v"), Path("m"), Hardware())
    assert arguments[arguments.index("-accel") + 1].startswith("tcg")


def test_partitions_are_read_from_a_table(tmp_path: Path) -> None:
    kind, own = gpt.TYPES["root"], uuid.UUID(int=7)
    entry = (
        kind.bytes_le + own.bytes_le + struct.pack("<QQQ", 2048, 4095, 0) + "root".encode("utf-16-le").ljust(72, b"\0")
    )
    header = b"EFI PART".ljust(72, b"\0") + struct.pack("<QII", 2, 4, 128)
    image = tmp_path / "disk"
    image.write_bytes(bytes(512) + header.ljust(512, b"\0") + entry.ljust(512, b"\0"))
    assert gpt.partition(image, "root") == gpt.Partition(kind, own, "root", 2048 * 512, 2048 * 512)


def test_a_disk_without_a_table_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "disk").write_bytes(bytes(1024))
    with pytest.raises(ValueError, match="no GUID partition table"):
        gpt.read(tmp_path / "disk")


def test_a_failed_command_shows_its_end_and_the_cure(tmp_path: Path) -> None:
    with contextlib.closing(Console(tmp_path / "log")) as console, pytest.raises(Problem) as caught:
        console.run(["sh", "-c", "echo why; exit 3"], "Do this.")
    assert (caught.value.sentence, caught.value.cure) == ("sh failed with exit code 3.", "Do this.")
    assert caught.value.output == "why"
    assert "why" in (tmp_path / "log").read_text()


def test_a_command_ends_with_the_builder(tmp_path: Path) -> None:
    mark = tmp_path / "pid"
    code = (
        "import sys; from pathlib import Path; from golden.console import Console\n"
        f"Console(Path({str(tmp_path / 'log')!r})).run(['sh', '-c', 'echo $$ > {mark}; exec sleep 60'], '')"
    )
    builder = subprocess.Popen([sys.executable, "-c", code], env={**os.environ, "PYTHONPATH": ":".join(sys.path)})
    wait_until(lambda: mark.exists() and mark.read_text().strip() != "")
    builder.kill()
    builder.wait()
    wait_until(lambda: not Path(f"/proc/{mark.read_text().strip()}").exists())


def wait_until(condition: object, limit: float = 10.0) -> None:
    assert callable(condition)
    end = time.monotonic() + limit
    while not condition():
        assert time.monotonic() < end, "the condition was not met in time"
        time.sleep(0.02)
