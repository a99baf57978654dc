"""The disk file: the system as erofs on dm-verity, a signed unified kernel image, a signed boot loader."""

from __future__ import annotations

import datetime
import json
from collections.abc import Sequence
from pathlib import Path

from golden import content, partitions, signing
from golden.problem import Problem
from golden.sandbox import Mount, bind, in_tree, merged
from golden.stage import Build, code

LAYERS = ("seal", "gateway", "platform", "packages")
OUT, ROOT, SIGNING = Path("/srv/out"), Path("/srv/root"), Path("/srv/signing")
SBSIGN = "/usr/lib/systemd/systemd-sbsign"
BOOT_LOADER = "/usr/lib/systemd/boot/efi/systemd-bootx64.efi"
LOADER_CONFIGURATION = "timeout 0\nconsole-mode keep\neditor no\nsecure-boot-enroll manual\n"
CURE = "This is a defect of the builder or of its tools; the log has the whole output."
TOO_BIG = "Raise slot.root_size in the target file, or take packages out of the inventory's list."
TRIES = 3  # boots that a new system has to prove itself in


class Disk:
    """``disk.raw``, as small as its content, and ``root.json`` with the root hash."""

    name = "disk"

    def inputs(self, build: Build) -> dict[str, str]:
        """The sealed root file system, the initial RAM disk, the layout, and who signs."""
        return {
            **{stage: build.results[stage].key for stage in (*LAYERS, "initrd", "tools")},
            "target": content.of_value(
                [
                    partitions.build(build.target, build.version),
                    build.target.kernel_command_line,
                    build.target.seed,
                    build.epoch,
                ]
            ),
            "signing key": content.of_paths([signing.keys(build.cache.root, build.tools, build.console)[1]]),
            **code("disk"),
        }

    def make(self, build: Build, draft: Path) -> str:
        """Root file system, its hash tree, then what boots it."""
        key, certificate = signing.keys(build.cache.root, build.tools, build.console)
        (draft / "signing").mkdir()
        for folder in ("repart.d", "esp"):
            (draft / folder).mkdir()
        for name, text in partitions.build(build.target, build.version).items():
            (draft / "repart.d" / name).write_text(text)
        work = _Workshop(build, draft, key, certificate)
        work.run(make_erofs(build.target.seed))
        self._check_size(build, draft)
        root_hash = root_hash_of(work.run(repart(build.target.seed, first=True)))
        (draft / "root.json").write_text(json.dumps({"root_hash": root_hash}))
        self._boot_files(build, work, draft, root_hash)
        work.run(repart(build.target.seed, first=False))
        (draft / "root.erofs").unlink()
        return f"root hash {root_hash[:16]}…, {(draft / 'disk.raw').stat().st_size / 1e9:.2f} GB"

    @staticmethod
    def _check_size(build: Build, draft: Path) -> None:
        size = (draft / "root.erofs").stat().st_size
        build.console.note(f"root file system: {size} bytes in a slot of {build.target.root_size}")
        if size > build.target.root_size:
            raise Problem(f"The root file system has {size} bytes and its slot {build.target.root_size}.", TOO_BIG)

    @staticmethod
    def _boot_files(build: Build, work: _Workshop, draft: Path, root_hash: str) -> None:
        esp = draft / "esp"
        for folder in ("EFI/BOOT", "EFI/Linux", "EFI/systemd", "loader/keys/auto"):
            (esp / folder).mkdir(parents=True)
        kernel = kernel_of(build.layers("packages")[0])
        command_line = f"roothash={root_hash} {build.target.kernel_command_line}"
        image = f"/srv/esp/EFI/Linux/{build.target.id}_{build.version}+{TRIES}-0.efi"
        work.run(frozen(build.epoch, ukify(kernel, command_line, image)))
        work.run(frozen(build.epoch, sign(BOOT_LOADER, "/srv/esp/EFI/BOOT/BOOTX64.EFI")))
        (esp / "EFI/systemd/systemd-bootx64.efi").write_bytes((esp / "EFI/BOOT/BOOTX64.EFI").read_bytes())
        (esp / "loader/loader.conf").write_text(LOADER_CONFIGURATION)
        for name in ("PK", "KEK", "db"):
            work.run(enrolment(build.target.seed, build.epoch, name))
        work.run(["find", "/srv/esp", "-exec", "touch", "-h", "-d", f"@{build.epoch}", "{}", "+"])


class _Workshop:
    """Runs commands in the tools tree with the root file system, the keys and the result folder mounted."""

    def __init__(self, build: Build, draft: Path, key: Path, certificate: Path) -> None:
        tree = build.tools
        self._console, self._tree, self._epoch = build.console, tree, str(build.epoch)
        self._mounts: list[Mount] = [
            merged(build.layers(*LAYERS), tree / "srv/root"),
            bind(draft, tree / "srv/out"),
            bind(draft / "esp", tree / "srv/esp"),
            bind(build.results["initrd"].path, tree / "srv/initrd"),
            Mount("tmpfs", tree / "srv/signing", "tmpfs", "mode=700"),
        ]
        self._keys = [("key.pem", key), ("certificate.pem", certificate)]

    def run(self, command: Sequence[str]) -> str:
        """Run one command; its output."""
        mounts = list(self._mounts)
        for name, path in self._keys:
            mounts.append(Mount(str(path), self._tree / "srv/signing" / name, bind=True, file=True))
        return self._console.run(in_tree(self._tree, mounts, command, SOURCE_DATE_EPOCH=self._epoch), CURE)


def make_erofs(seed: str) -> list[str]:
    """mkfs.erofs of the merged root, without what lies in the kernel image.

    Files that are younger than SOURCE_DATE_EPOCH get its time; the others keep theirs.
    Not compressed: the qcow2 is, and reading stays cheap where dm-verity hashes every block anyway.
    """
    return [
        "mkfs.erofs",
        "--quiet",
        "-U",
        seed,
        "--exclude-regex=^boot/",
        f"{OUT}/root.erofs",
        str(ROOT),
    ]


def repart(seed: str, *, first: bool) -> list[str]:
    """systemd-repart on the disk file: first the system and its hash tree, then what boots that root hash."""
    extra = ["--empty=create", "--defer-partitions=esp", "--json=short"] if first else []
    common = [
        f"--definitions={OUT}/repart.d",
        "--offline=yes",
        "--size=auto",
        f"--seed={seed}",
        "--dry-run=no",
        "--no-pager",
    ]
    return ["systemd-repart", *common, *extra, f"{OUT}/disk.raw"]


def root_hash_of(output: str) -> str:
    """The root hash in systemd-repart's JSON line."""
    rows = json.loads(next(line for line in output.splitlines() if line.startswith("[")))
    return str(next(row["roothash"] for row in rows if row.get("roothash")))


def kernel_of(root: Path) -> str:
    """Version of the one kernel that is installed."""
    (found,) = (root / "usr/lib/modules").iterdir()
    return found.name


def ukify(kernel: str, command_line: str, image: str) -> list[str]:
    """The unified kernel image, signed."""
    return [
        "ukify",
        "build",
        "--no-sign-kernel",
        f"--linux={ROOT}/boot/vmlinuz-{kernel}",
        "--initrd=/srv/initrd/initrd.zst",
        f"--cmdline={command_line}",
        f"--os-release=@{ROOT}/usr/lib/os-release",
        f"--uname={kernel}",
        "--signtool=systemd-sbsign",
        f"--secureboot-private-key={SIGNING}/key.pem",
        f"--secureboot-certificate={SIGNING}/certificate.pem",
        f"--output={image}",
    ]


def sign(program: str, signed: str) -> list[str]:
    """Sign one EFI program."""
    keys = [f"--private-key={SIGNING}/key.pem", f"--certificate={SIGNING}/certificate.pem"]
    return [SBSIGN, "sign", *keys, f"--output={signed}", program]


def frozen(epoch: int, command: Sequence[str]) -> list[str]:
    """Signatures carry the time: run under the build's own clock."""
    return ["faketime", "-f", f"@{stamp(epoch)}", *command]


def stamp(epoch: int) -> str:
    """The time as faketime and sign-efi-sig-list want it."""
    return datetime.datetime.fromtimestamp(epoch, datetime.UTC).strftime("%Y-%m-%d %H:%M:%S")


def enrolment(owner: str, epoch: int, name: str) -> list[str]:
    """An authenticated variable for enrolling the certificate in a firmware that is in setup mode."""
    made = f"cert-to-efi-sig-list -g {owner} {SIGNING}/certificate.pem /tmp/list.esl"
    keys = f"-k {SIGNING}/key.pem -c {SIGNING}/certificate.pem"
    signed = f"sign-efi-sig-list -t '{stamp(epoch)}' {keys} {name} /tmp/list.esl /srv/esp/loader/keys/auto/{name}.auth"
    return ["sh", "-euc", f"{made}; {signed}"]
