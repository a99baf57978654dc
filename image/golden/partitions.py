"""systemd-repart definitions: of the build (ESP and slot A) and of the first boot (slot B and the data partitions)."""

from __future__ import annotations

from golden.target import Target


def _definition(**settings: object) -> str:
    rows = (f"{key}={value}" for key, value in settings.items() if value is not None)
    return "\n".join(["[Partition]", *rows]) + "\n"


def _fixed(size: int) -> dict[str, object]:
    return {"SizeMinBytes": size, "SizeMaxBytes": size}


def build(target: Target, version: str) -> dict[str, str]:
    """File name -> content for the disk file: the boot partition and the system in slot A with its hash tree."""
    label = f"{target.id}_{version}"
    return {
        "00-esp.conf": _definition(Type="esp", Format="vfat", CopyFiles="/srv/esp:/", **_fixed(target.esp_size)),
        "10-root.conf": _definition(
            Type="root",
            Label=label,
            CopyBlocks="/srv/out/root.erofs",
            Verity="data",
            VerityMatchKey="root",
            **_fixed(target.root_size),
        ),
        "11-root-verity.conf": _definition(
            Type="root-verity", Label=f"{label}_v", Verity="hash", VerityMatchKey="root", **_fixed(target.verity_size)
        ),
    }


def first_boot(target: Target) -> dict[str, str]:
    """File name -> content for the machine: what is there already, an empty slot B, and the data partitions."""
    definitions = {
        "00-esp.conf": _definition(Type="esp"),
        "10-root-a.conf": _definition(Type="root", **_fixed(target.root_size)),
        "11-root-a-verity.conf": _definition(Type="root-verity", **_fixed(target.verity_size)),
        "20-root-b.conf": _definition(Type="root", Label="_empty", **_fixed(target.root_size)),
        "21-root-b-verity.conf": _definition(Type="root-verity", Label="_empty", **_fixed(target.verity_size)),
    }
    for number, row in enumerate(target.partitions):
        definitions[f"{40 + number}-{row.label}.conf"] = _definition(
            Type="linux-generic", Label=row.label, Format="ext4", SizeMinBytes=row.min_size, Weight=row.weight
        )
    return definitions


def mount_table(target: Target) -> str:
    """Lines `label mount-point options` for the initial RAM disk, each before what is mounted inside of it."""
    rows = sorted(target.partitions, key=lambda row: row.mount)
    return "".join(f"{row.label} {row.mount} {','.join(row.options)}\n" for row in rows)
