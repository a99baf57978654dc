"""`ksmg diag`: encrypted archives of diagnostic information, which the appliance deletes after a day."""

import argparse
import getpass
import os
import shutil
import sys
import time
from pathlib import Path

from ksmg.cli.appliance import Appliance, appliance
from ksmg.cli.change_record import record_change
from ksmg.cli.failure import CommandFailure, ExitCode
from ksmg.cli.output import local_time, print_json, print_table, size
from ksmg.cli.verb import Verbs, add_group, add_verb, positive
from ksmg.diagnostics.archives import Archive
from ksmg.diagnostics.collection import Wanted
from ksmg.diagnostics.making import NoRoom, NotPermitted, make_archive, open_archives
from ksmg.diagnostics.sealing import Seal, SealingFailure, for_passphrase, for_recipient
from ksmg.stores.system_events import Name


def add_parser(verbs: Verbs) -> None:
    """Adds the verb with its verbs."""
    group = add_group(verbs, "diag", "Make, list and delete encrypted archives of diagnostic information.")
    collected = add_verb(
        group, "collect", "Pack logs, traces, settings without secrets, and the system's state.", run_collect
    )
    collected.add_argument("--recipient", metavar="CERT", help="encrypt for this certificate (PEM), not a passphrase")
    collected.add_argument("--passphrase-file", metavar="FILE", help="read the passphrase there; - is standard input")
    collected.add_argument("--with-messages", action="store_true", help="messages, protocol traces and dumps too")
    collected.add_argument("--output", metavar="FILE", help="copy the archive to a new file, which nobody else deletes")
    collected.add_argument("--megabytes", metavar="N", type=positive, default=100, help="pack at most so much (100)")
    add_verb(group, "list", "List the archives that are kept.", run_list, json=True)
    deleted = add_verb(group, "delete", "Overwrite and delete archives.", run_delete)
    deleted.add_argument("names", metavar="NAME", nargs="+", help="as `list` shows it")
    add_verb(group, "expire", "Overwrite and delete what is over; the timer's.", run_expire)


def run_collect(chosen: argparse.Namespace) -> int:
    """Makes an archive and says how it is opened."""
    here = _for_root()
    if chosen.output and Path(chosen.output).exists():
        raise CommandFailure(f"{chosen.output} is there already.", "Name a new file.", ExitCode.USAGE)
    wanted = Wanted(chosen.with_messages, chosen.megabytes * 1_000_000)
    try:
        seal = _seal(chosen)
        began = time.monotonic()
        archive = make_archive(
            here.policy, here.settings, wanted, seal,
            may=lambda _: os.geteuid() == 0, deleted=lambda gone: _record_deleted(here, gone, "room"),
        )  # fmt: skip
    except SealingFailure as failure:
        raise CommandFailure(str(failure), code=ExitCode.USAGE) from None
    except (NotPermitted, NoRoom) as failure:
        raise CommandFailure(str(failure)) from None
    except BlockingIOError:
        raise CommandFailure("Another archive is being made.", "Wait until it is there.") from None
    detail = {"archive": archive.name, "bytes": archive.size, "messages": wanted.messages, "copy": chosen.output}
    record_change(here, Name.DIAGNOSTICS_COLLECTED, {**detail, "seconds": round(time.monotonic() - began, 1)})
    _print_made(archive, _copied(archive, chosen.output), seal)
    return ExitCode.DONE


def run_list(chosen: argparse.Namespace) -> int:
    """Prints the archives."""
    here = _for_root()
    kept = open_archives(here.policy, here.settings).all()
    if chosen.json:
        print_json([{"name": archive.name, "made": archive.made, "bytes": archive.size} for archive in kept])
    else:
        print_table(("MADE", "SIZE", "NAME"), ((local_time(a.made), size(a.size), a.name) for a in kept))
    return ExitCode.DONE


def run_delete(chosen: argparse.Namespace) -> int:
    """Deletes archives."""
    here = _for_root()
    archives = open_archives(here.policy, here.settings)
    for name in chosen.names:
        archive = archives.find(name)
        if archive is None:
            raise CommandFailure(f"There is no archive {name}.", "See 'ksmg diag list'.", ExitCode.NOT_FOUND)
        archives.delete(archive)
        _record_deleted(here, archive, "command")
        print(f"{name} is deleted.")
    return ExitCode.DONE


def run_expire(_: argparse.Namespace) -> int:
    """Deletes what is over. Nothing is said when that is nothing."""
    here = _for_root()
    for archive in open_archives(here.policy, here.settings).expire():
        _record_deleted(here, archive, "time")
        print(f"{archive.name} is deleted: its time is over.")
    return ExitCode.DONE


def _record_deleted(here: Appliance, archive: Archive, cause: str) -> None:
    record_change(here, Name.DIAGNOSTICS_DELETED, {"archive": archive.name, "cause": cause})


def _for_root() -> Appliance:
    """Raises CommandFailure for anybody else."""
    if os.geteuid() != 0:
        raise CommandFailure(
            "Only root may work with diagnostic archives.", "Run the command with sudo.", ExitCode.DENIED
        )
    return appliance()


def _seal(chosen: argparse.Namespace) -> Seal:
    if chosen.recipient:
        return for_recipient(_read(Path(chosen.recipient)))
    if chosen.passphrase_file == "-":
        return for_passphrase(sys.stdin.readline().rstrip("\n"))
    if chosen.passphrase_file:
        return for_passphrase(_read(Path(chosen.passphrase_file)).decode("utf-8", "replace").splitlines()[0])
    if not sys.stdin.isatty():
        raise CommandFailure("There is no passphrase.", "Give --passphrase-file or --recipient.", ExitCode.USAGE)
    passphrase = getpass.getpass("Passphrase of the archive: ")
    if getpass.getpass("Once more: ") != passphrase:
        raise CommandFailure("These are two passphrases.", code=ExitCode.USAGE)
    return for_passphrase(passphrase)


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes() or b"\n"
    except OSError as error:
        raise CommandFailure(f"{path} cannot be read: {error.strerror}.", code=ExitCode.NOT_FOUND) from None


def _copied(archive: Archive, output: str | None) -> Path:
    """The copy that somebody wanted elsewhere; the archive itself when nobody did."""
    if output is None:
        return archive.path
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    with archive.path.open("rb") as source, os.fdopen(os.open(output, flags, 0o600), "wb") as target:
        shutil.copyfileobj(source, target)
    return Path(output)


def _print_made(archive: Archive, path: Path, seal: Seal) -> None:
    key = path.name if seal.private_key else "KEY.pem"
    print(f"{path} ({size(archive.size)})")
    print("The appliance overwrites and deletes the archive within 24 hours. It opens with")
    print(f"  openssl cms -decrypt -binary -inform PEM -in {path.name} -inkey {key} -out diagnostics.tar.gz")
