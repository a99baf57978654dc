"""What the access verifier reads of the machine: access lists, accounts, mounts, units, processes, system files."""

import hashlib
import os
import sqlite3
import struct
import subprocess
import sys
from pathlib import Path

import pytest
from host.expectation import POLICY
from ksmg.audit import access_list
from ksmg.audit.access_list import AccessList
from ksmg.audit.accounts import account_state, cron_users, sudo_differences
from ksmg.audit.contents import Inventory, content_differences, entries, samples
from ksmg.audit.credentials import Credentials, as_somebody
from ksmg.audit.difference import Difference, Kind, names
from ksmg.audit.directory import Directory, read_directory
from ksmg.audit.mount_table import holder, parse_mounts
from ksmg.audit.mounts import mount_differences
from ksmg.audit.place_state import place_differences
from ksmg.audit.process_table import mapped_files, parse_sockets, parse_status, read_process, unit_of
from ksmg.audit.processes import process_differences
from ksmg.audit.promise import EVERYTHING, Place, places
from ksmg.audit.system_files import name_service_differences, package_differences, sign_in_differences
from ksmg.audit.units import parse_units, path_list, unit_differences
from ksmg.retention.replaced import SECOND_NAME

PASSWD = """root:x:0:0:root:/root:/bin/bash
www-data:x:33:33:www:/var/www:/usr/sbin/nologin
postfix:x:103:105:Postfix:/var/spool/postfix:/usr/sbin/nologin
opendkim:x:101:103::/run/opendkim:/usr/sbin/nologin
kluser:x:470:470:gateway:/var/opt/kaspersky/ksmg:/usr/sbin/nologin
nginx:x:471:471:web:/nonexistent:/usr/sbin/nologin
"""
GROUP = "root:x:0:\nsudo:x:27:\nwww-data:x:33:\npostfix:x:105:\nopendkim:x:103:\nkluser:x:470:\nnginx:x:471:\n"
SHADOW = "root:*:::::::\nkluser:!*:::::::\npostfix:!:::::::\n"
MOUNTS = """1 0 8:1 / / ro,relatime - erofs /dev/mapper/root ro
2 1 8:2 / /var rw,nosuid,nodev - ext4 /dev/vda5 rw
3 2 8:3 / /var/log rw,nosuid,nodev,noexec - ext4 /dev/vda6 rw
4 1 0:5 / /tmp rw,nosuid,nodev - tmpfs tmpfs rw
"""
STORE = "/var/opt/kaspersky/ksmg/backup"
ALL_PLACES = places(POLICY)


def machine(tmp_path: Path, passwd: str = PASSWD, group: str = GROUP, shadow: str = SHADOW) -> Directory:
    for name, text in (("passwd", passwd), ("group", group), ("shadow", shadow), ("gshadow", "kluser:!::\n")):
        (tmp_path / name).write_text(text)
    return read_directory(tmp_path)


def kinds(found: "list[Difference]") -> set[tuple[Kind, str]]:
    return {(difference.kind, difference.place) for difference in found}


def entry(tag: int, bits: int, number: int = 0xFFFFFFFF) -> bytes:
    return struct.pack("<HHI", tag, bits, number)


def test_an_access_list_is_read_with_its_mask() -> None:
    value = struct.pack("<I", 2) + entry(1, 7) + entry(2, 7, 33) + entry(8, 6, 5) + entry(0x10, 5) + entry(0x20, 4)
    assert access_list.parse(value) == AccessList({33: 5}, {5: 4}, 4)


@pytest.mark.parametrize("value", [b"", b"\1\0\0\0", struct.pack("<I", 2) + b"abc"])
def test_what_is_no_access_list_is_refused(value: bytes) -> None:
    with pytest.raises(ValueError, match="no POSIX access list"):
        access_list.parse(value)


def test_permission_bits_have_letters() -> None:
    assert (access_list.bits("rx"), access_list.letters(5)) == (5, "r-x")


def test_accounts_as_they_must_be_are_no_difference(tmp_path: Path) -> None:
    assert kinds(list(account_state(POLICY, machine(tmp_path)))) == set()


@pytest.mark.parametrize(
    ("change", "kind", "place"),
    [
        ({"passwd": PASSWD + "toor:x:0:0::/root:/bin/sh\n"}, Kind.ACCOUNT_ROOT, "toor"),
        ({"passwd": PASSWD + "twin:x:470:33::/:/bin/sh\n"}, Kind.ACCOUNT_DUPLICATE, "twin"),
        ({"passwd": PASSWD.replace("kluser:x:470:470", "kluser:x:471:470")}, Kind.ACCOUNT_CHANGED, "kluser"),
        ({"passwd": PASSWD.replace("postfix:/usr/sbin/nologin", "postfix:/bin/sh")}, Kind.ACCOUNT_CHANGED, "postfix"),
        ({"passwd": PASSWD + "new:x:1000:470::/:/bin/sh\n"}, Kind.GROUP_MEMBER, "kluser"),
        ({"group": GROUP.replace("kluser:x:470:", "kluser:x:470:www-data")}, Kind.GROUP_MEMBER, "kluser"),
        ({"group": GROUP.replace("sudo:x:27:", "sudo:x:27:www-data")}, Kind.GROUP_MEMBER, "sudo"),
        ({"group": GROUP + "other:x:470:\n"}, Kind.ACCOUNT_DUPLICATE, "other"),
        ({"shadow": "www-data::::::::\n"}, Kind.ACCOUNT_PASSWORD, "www-data"),
        ({"shadow": "kluser:$y$x:::::::\n"}, Kind.ACCOUNT_CHANGED, "kluser"),
    ],
)
def test_a_changed_account_is_named(tmp_path: Path, change: dict[str, str], kind: Kind, place: str) -> None:
    assert (kind, place) in kinds(list(account_state(POLICY, machine(tmp_path, **change))))


def test_sudo_rules_of_included_files_are_found(tmp_path: Path) -> None:
    (tmp_path / "sudoers.d").mkdir()
    (tmp_path / "sudoers").write_text("Defaults env_reset\nroot ALL=(ALL) ALL\n%sudo ALL=ALL\n@includedir sudoers.d\n")
    (tmp_path / "sudoers.d/extra").write_text("# a comment\nwww-data ALL=(kluser) \\\n NOPASSWD: ALL\n")
    (difference,) = sudo_differences(tmp_path / "sudoers")
    assert (difference.place, difference.found.split()[0]) == (str(tmp_path / "sudoers.d/extra"), "www-data")


def test_a_system_crontab_names_accounts() -> None:
    assert list(cron_users("# c\nPATH=/bin\n*/5 * * * * kluser true\n@daily root true\n")) == ["kluser", "root"]


def test_the_latest_mount_on_the_longest_point_holds_a_path() -> None:
    mounts = parse_mounts(MOUNTS + "5 4 0:9 /x /var/log rw - tmpfs t rw\n")
    found = holder(mounts, "/var/log/maillog")
    assert found is not None
    assert found.device == "0:9"


def test_a_mount_point_with_a_space_is_read() -> None:
    (mount,) = parse_mounts("1 0 8:1 / /mnt/a\\040b rw - ext4 x ro\n")
    assert (mount.point, mount.writable) == ("/mnt/a b", False)


def test_the_mounts_of_the_image_are_no_difference() -> None:
    assert list(mount_differences(ALL_PLACES, parse_mounts(MOUNTS))) == []


@pytest.mark.parametrize(
    ("line", "kind", "place"),
    [
        (f"9 2 8:2 /tmp/x {STORE} rw - ext4 /dev/vda5 rw", Kind.MOUNT_OVER, STORE),
        (f"9 2 0:9 / {STORE}/inner rw - tmpfs t rw", Kind.MOUNT_OVER, STORE),
        ("9 2 0:9 / /var/opt rw - tmpfs t rw", Kind.MOUNT_OVER, STORE),
        (f"9 1 8:2 {STORE.removeprefix('/var')} /mnt rw - ext4 /dev/vda5 rw", Kind.MOUNT_EXPOSES, STORE),
        ("9 1 8:2 /opt /mnt rw - ext4 /dev/vda5 rw", Kind.MOUNT_EXPOSES, STORE),
        ("9 1 8:2 / /mnt rw - ext4 /dev/vda5 rw", Kind.MOUNT_EXPOSES, STORE),
        ("9 1 0:7 / /dev/shm rw,nosuid,nodev - tmpfs t rw", Kind.MOUNT_OPTIONS, "/dev/shm"),
    ],
)
def test_a_mount_that_spoils_is_named(line: str, kind: Kind, place: str) -> None:
    assert (kind, place) in kinds(list(mount_differences(ALL_PLACES, parse_mounts(f"{MOUNTS}{line}\n"))))


def test_units_are_read_paragraph_by_paragraph() -> None:
    units = parse_units("Id=a.service\nMainPID=7\nUser=\n\nId=b.service\nMainPID=0\n")
    assert (units.main_pid("a.service"), units.main_pid("b.service"), units.main_pid("c.service")) == (7, None, None)


def test_lists_of_paths_lose_their_marks() -> None:
    assert path_list("-/a +/b /c:/d:rbind") == {"/a", "/b", "/c:/d"}


def test_a_service_with_an_account_of_the_policy_is_named() -> None:
    units = parse_units("Id=x.service\nUser=www-data\nSupplementaryGroups=kluser\n")
    assert (Kind.UNIT_ACCOUNT, "x.service") in kinds(list(unit_differences(POLICY, units)))


def test_a_service_that_is_not_installed_is_named() -> None:
    assert (Kind.UNIT_SETTING, "nginx.service") in kinds(list(unit_differences(POLICY, parse_units(""))))


@pytest.mark.parametrize(
    ("text", "unit"),
    [
        ("0::/system.slice/nginx.service\n", "nginx.service"),
        ("9:name=systemd:/system.slice/x.service/sub\n0::/\n", "x.service"),
        ("0::/user.slice/user-0.slice/session-1.scope\n", "session-1.scope"),
        ("0::/\n", ""),
    ],
)
def test_a_process_belongs_to_a_unit(text: str, unit: str) -> None:
    assert unit_of(text) == unit


def test_a_status_is_read() -> None:
    assert parse_status("Name:\tcat\nUid:\t1\t2\t3\t4\n") == {"Name": "cat", "Uid": "1\t2\t3\t4"}


def test_mapped_files_are_read_once() -> None:
    line = "7f0-7f1 r--p 00000000 fd:01 42                         /var/log/a b (deleted)\n"
    (file,) = mapped_files(f"{line}{line}7f2-7f3 rw-p 00000000 00:00 0 [heap]\n7f4-7f5 rw-p 0 00:00 0\n")
    assert (file.path, file.identity) == ("/var/log/a b", (os.makedev(0xFD, 1), 42))


def test_sockets_with_a_path_are_read() -> None:
    text = (
        "Num RefCount Protocol Flags Type St Inode Path\n0: 2 0 0 2 1 77 /run/a\n0: 2 0 0 2 1 78\n0: 2 0 0 2 1 79 @x\n"
    )
    assert parse_sockets(text) == {77: "/run/a"}


@pytest.mark.parametrize(
    ("line", "strange"), [("passwd: files", 0), ("group: files [NOTFOUND=return] ldap", 1), ("hosts: dns", 0)]
)
def test_accounts_of_elsewhere_are_named(line: str, strange: int) -> None:
    assert len(list(name_service_differences(line))) == strange


@pytest.mark.parametrize(
    ("line", "strange"),
    [
        ("auth [success=1 default=ignore] pam_unix.so nullok", 0),
        ("auth required pam_permit.so", 0),
        ("auth sufficient pam_permit.so", 1),
        ("session optional pam_exec.so /bin/x", 1),
        ("account required /tmp/pam_x.so", 1),
    ],
)
def test_sign_in_modules_that_let_in_are_named(line: str, strange: int) -> None:
    assert len(list(sign_in_differences("/etc/pam.d/x", f"# c\n{line}\n"))) == strange


def test_a_changed_unit_of_the_package_is_named(tmp_path: Path) -> None:
    file = tmp_path / "usr/lib/systemd/system/a.service"
    file.parent.mkdir(parents=True)
    file.write_bytes(b"good")
    sums = tmp_path / "sums"
    sums.write_text(f"{hashlib.md5(b'good').hexdigest()}  usr/lib/systemd/system/a.service\n0  usr/bin/ksmg\n")
    assert list(package_differences(sums, tmp_path)) == []
    file.write_bytes(b"bad")
    assert len(list(package_differences(sums, tmp_path))) == 1


def store(tmp_path: Path) -> tuple[Place, Directory]:
    """A place that is as it must be, for whoever runs the tests."""
    directory = machine(
        tmp_path, PASSWD.replace("kluser:x:470:470", f"kluser:x:{os.getuid()}:470") if os.getuid() else PASSWD
    )
    path = tmp_path / "store"
    path.mkdir(mode=0o700)
    owner, group = directory.user(path.stat().st_uid), directory.group(path.stat().st_gid)
    return Place(str(path), "backup", True, owner, group, 0o700, {owner: EVERYTHING}, data=str(path)), directory


def test_a_place_as_it_must_be_is_no_difference(tmp_path: Path) -> None:
    assert list(place_differences(*store(tmp_path))) == []


def test_a_loose_mode_is_named_with_its_cure(tmp_path: Path) -> None:
    place, directory = store(tmp_path)
    Path(place.path).chmod(0o755)
    (difference,) = place_differences(place, directory)
    assert (difference.kind, difference.cure) == (Kind.MODE, f"chmod 0700 {place.path}")


def test_a_missing_place_is_named(tmp_path: Path) -> None:
    place, directory = store(tmp_path)
    Path(place.path).rmdir()
    assert kinds(list(place_differences(place, directory))) == {(Kind.MISSING, place.path)}


def test_a_place_behind_a_link_is_named(tmp_path: Path) -> None:
    place, directory = store(tmp_path)
    Path(place.path).rmdir()
    Path(place.path).symlink_to("/etc")
    assert kinds(list(place_differences(place, directory))) == {(Kind.SYMLINK, place.path)}


def test_what_lies_in_a_place_is_looked_at(tmp_path: Path) -> None:
    place, directory = store(tmp_path)
    (Path(place.path) / "open").write_text("x")
    (Path(place.path) / "open").chmod(0o644)
    (Path(place.path) / "link").symlink_to("/etc/shadow")
    found = [difference for one in entries(place) for difference in content_differences(place, one, directory)]
    assert kinds(found) == {(Kind.FILE_MODE, f"{place.path}/open"), (Kind.SYMLINK, f"{place.path}/link")}


def test_the_newest_files_are_tried(tmp_path: Path) -> None:
    place, _ = store(tmp_path)
    for number in range(9):
        (Path(place.path) / str(number)).write_text("x")
        os.utime(Path(place.path) / str(number), (number, number))
    assert [Path(path).name for path in samples(list(entries(place)))] == ["8", "7", "6", "5"]


def links_outside(place: Place) -> int:
    inventory = Inventory()
    for entry in entries(place):
        inventory.add(place, entry)
    return len(inventory.links_outside())


def test_only_a_name_that_a_file_is_not_held_by_is_one_elsewhere(tmp_path: Path) -> None:
    keys = tmp_path / "authorized_keys"
    keys.write_text("x")
    place = Place(str(keys), "ssh_keys", False, "root", "root", 0o640, {}, data=str(keys))
    (tmp_path / f"{SECOND_NAME}1").hardlink_to(keys)
    assert links_outside(place) == 0
    (tmp_path / "elsewhere").hardlink_to(keys)
    assert links_outside(place) == 1


def test_databases_whose_tables_are_not_written_yet_are_no_copies_of_each_other(tmp_path: Path) -> None:
    inventory, file = Inventory(), tmp_path / "events.sqlite"
    connection = sqlite3.connect(file, isolation_level=None)
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("CREATE TABLE event (sender TEXT)")
    inventory.add_head(str(file))
    assert not inventory.heads
    connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    inventory.add_head(str(file))
    assert list(inventory.heads.values()) == [[str(file)]]
    connection.close()


def test_an_action_is_done_by_a_child() -> None:
    myself = Credentials(os.getuid(), os.getgid(), frozenset(os.getgroups()), None)
    assert as_somebody(myself, lambda _: os.getpid()) != os.getpid()


def test_what_a_child_cannot_do_is_told() -> None:
    def fail(descriptors: int) -> None:
        raise FileNotFoundError(2, "gone")

    with pytest.raises(FileNotFoundError, match="gone"):
        as_somebody(Credentials(os.getuid(), os.getgid(), frozenset(os.getgroups()), None), fail)


def test_many_names_are_counted() -> None:
    assert names("edcba", most=2) == "a, b and 3 more"


def test_an_overlay_says_where_its_changes_are() -> None:
    line = "1 0 0:9 / /etc rw - overlay overlay rw,lowerdir=/sysroot/etc,upperdir=/sysroot/var/lib/etc-overlay/upper\n"
    (mount,) = parse_mounts(line)
    assert mount.upper == "/var/lib/etc-overlay/upper"


def test_the_options_of_the_images_file_systems_are_asked_of_an_image_only() -> None:
    loose = MOUNTS.replace("/var rw,nosuid,nodev", "/var rw")
    installed = loose.replace("/ ro,relatime", "/ rw,relatime").replace("root ro", "root rw")
    assert (Kind.MOUNT_OPTIONS, "/var") in kinds(list(mount_differences(ALL_PLACES, parse_mounts(loose))))
    assert list(mount_differences(ALL_PLACES, parse_mounts(installed))) == []


@pytest.mark.parametrize(("change", "told"), [("seteuid", []), ("setuid", [Kind.PROCESS_ACCOUNT])])
def test_root_that_acts_as_an_account_is_not_a_process_of_it(change: str, told: list[Kind], tmp_path: Path) -> None:
    program = f"import os, sys; os.{change}(470); print(flush=True); sys.stdin.read()"
    with subprocess.Popen([sys.executable, "-c", program], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as child:
        assert child.stdout
        child.stdout.readline()
        found = read_process(child.pid)
        assert found
        differences = list(process_differences(POLICY, (), machine(tmp_path), Inventory(), [found]))
        child.communicate()
    assert [one.kind for one in differences if one.kind is Kind.PROCESS_ACCOUNT] == told
