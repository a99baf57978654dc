"""`ksmg statement`: the data-protection statement of this appliance, printed, signed, and checked."""

import argparse
import hashlib
import os
import sys
from datetime import UTC, datetime
from pathlib import Path

from ksmg.certificates.files import Ownership, write_file
from ksmg.certificates.site import AUTHORITY
from ksmg.cli.appliance import Appliance, appliance
from ksmg.cli.change_record import record_change
from ksmg.cli.failure import CommandFailure, ExitCode
from ksmg.cli.verb import Verbs, add_verb
from ksmg.statement.collection import collect
from ksmg.statement.forms import Form, rendered
from ksmg.statement.language import LANGUAGES, Language
from ksmg.statement.signature import SignatureError, sign, verify
from ksmg.stores.system_events import Name
from ksmg.system.account import acting_as_owner

SIGNATURE = ".p7s"
"""What the name of a signature's file has behind that of the file that is signed (RFC 8551, 3.2.1)."""
_FORMS = tuple(form.value for form in Form)


def add_parser(verbs: Verbs) -> None:
    """Adds the verb with its verb."""
    text = "Print which personal data this appliance keeps, where, for how long, and who can reach it."
    parser = add_verb(verbs, "statement", text, run)
    parser.add_argument("--format", choices=_FORMS, help="the form (that of FILE's name, or md)")
    parser.add_argument("--json", dest="format", action="store_const", const="json", help="the same as --format json")
    parser.add_argument("--language", choices=LANGUAGES, default="en", help="the language (en)")
    parser.add_argument("--output", metavar="FILE", type=Path, help="write FILE, for root only")
    parser.add_argument("--sign", action="store_true", help=f"write its signature to FILE{SIGNATURE}")
    below = parser.add_subparsers(title="verbs", metavar="VERB")
    checking = add_verb(below, "verify", "Check the signature of a file. Works offline, on any machine.", run_verify)
    checking.add_argument("file", metavar="FILE", type=Path)
    checking.add_argument("--signature", metavar="FILE", type=Path, help=f"its signature (FILE{SIGNATURE})")
    checking.add_argument(
        "--authority", metavar="FILE", type=Path, help="the authority's certificate (this appliance's)"
    )


def run(chosen: argparse.Namespace) -> int:
    """Prints the statement, or writes it, and records that it was made."""
    _require_root()
    if chosen.sign and not chosen.output:
        raise CommandFailure("A signature needs a file that it belongs to.", "Give --output FILE.", ExitCode.USAGE)
    here, form = appliance(), _form(chosen)
    if form is Form.PDF and not chosen.output and sys.stdout.isatty():
        raise CommandFailure("A PDF file is not for a terminal.", "Give --output FILE.", ExitCode.USAGE)
    content = rendered(collect(here.policy, here.settings, datetime.now(UTC)), form, Language(chosen.language))
    if chosen.output:
        _write(chosen.output, content, _signed(content, here) if chosen.sign else None)
    else:
        sys.stdout.buffer.write(content)
    _record(here, content, chosen, form)
    return ExitCode.DONE


def run_verify(chosen: argparse.Namespace) -> int:
    """Checks a file's signature and says whose it is."""
    signature = chosen.signature or chosen.file.with_name(chosen.file.name + SIGNATURE)
    authority = chosen.authority or Path(appliance().certificates.place) / f"{AUTHORITY}.crt"
    document, given, trusted = (_read(path) for path in (chosen.file, signature, authority))
    try:
        signer = verify(document, given, trusted)
    except SignatureError as error:
        raise CommandFailure(str(error), f"Do not rely on {chosen.file}.") from None
    print(f"{chosen.file} is as {signer.name} signed it (certificate {signer.fingerprint}).")
    return ExitCode.DONE


def _form(chosen: argparse.Namespace) -> Form:
    """The form that was asked for, or that the file's name has."""
    ending = chosen.output.suffix.removeprefix(".").lower() if chosen.output else ""
    return Form(chosen.format or (ending if ending in _FORMS else Form.MARKDOWN.value))


def _signed(content: bytes, here: Appliance) -> bytes:
    try:
        return sign(content, here)
    except SignatureError as error:
        raise CommandFailure(str(error)) from None


def _write(file: Path, content: bytes, signature: bytes | None) -> None:
    """Both files, each at once or not at all, for root only. An older signature of that name does not stay behind."""
    owner = Ownership("root", "root", 0o600)
    beside = file.with_name(file.name + SIGNATURE)
    beside.unlink(missing_ok=True)
    write_file(file, content, owner)
    if signature is not None:
        write_file(beside, signature, owner)


def _record(here: Appliance, content: bytes, chosen: argparse.Namespace, form: Form) -> None:
    detail = {
        "form": form.value,
        "language": chosen.language,
        "signed": chosen.sign,
        "sha256": hashlib.sha256(content).hexdigest(),
    }
    with acting_as_owner(Path(here.policy.place("system_events"))):
        record_change(here, Name.STATEMENT_PRINTED, detail)


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except FileNotFoundError:
        raise CommandFailure(f"There is no file {path}.", code=ExitCode.NOT_FOUND) from None


def _require_root() -> None:
    if os.geteuid() != 0:
        raise CommandFailure("Only root can measure everything.", "Run it with sudo.", ExitCode.DENIED)
