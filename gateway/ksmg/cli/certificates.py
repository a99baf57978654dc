"""`ksmg certificates`: makes the site's certificates and DKIM keys, and shows the certificates."""

import argparse
import os
import sys
from pathlib import Path

from ksmg.certificates.dkim import Signer, ensure_key
from ksmg.certificates.files import Ownership
from ksmg.certificates.site import SiteCertificates, State
from ksmg.cli.appliance import Appliance, appliance
from ksmg.cli.failure import CommandFailure, ExitCode
from ksmg.cli.output import print_json, print_table
from ksmg.cli.verb import Verbs, add_group, add_verb


def add_parser(verbs: Verbs) -> None:
    """Adds the verb with its verbs."""
    group = add_group(verbs, "certificates", "Make and show the certificates of this site.")
    add_verb(group, "ensure", "Make what is missing or ends soon; leave alone what is valid or was given.", run_ensure)
    add_verb(group, "show", "Show the certificates and when they end.", run_show, json=True)


def run_ensure(_: argparse.Namespace) -> int:
    """Makes certificates and DKIM keys where they are missing. Running it again changes nothing."""

    _require_root()
    here = appliance()
    if not here.settings_found:
        print("There are no settings yet: certificates are made for the name 'localhost'.", file=sys.stderr)
    certificates = site_certificates(here)
    for name in certificates.ensure():
        print(f"Made the certificate {name}.")
    for signer in (Signer(**facts) for facts in here.settings["dkim"]):
        if ensure_key(signer, Path(here.dkim_keys.place), Ownership.of(here.dkim_keys)):
            print(f"Made the DKIM key of {signer.record_name}.")
    broken = [held.name for held in certificates.held() if held.state is State.BROKEN]
    if broken:
        raise CommandFailure(
            f"Broken certificates were left alone: {', '.join(broken)}.",
            f"Give them again, or remove their files in {here.certificates.place} to have new ones made.",
        )
    return ExitCode.DONE


def run_show(chosen: argparse.Namespace) -> int:
    """Prints the certificates."""
    _require_root()
    rows = certificate_rows(appliance())
    if chosen.json:
        print_json(rows)
    else:
        print_table(
            ("NAME", "STATE", "ENDS", "ISSUER"),
            ((row["name"], row["state"], row["expires"] or "-", row["issuer"] or "-") for row in rows),
        )
    return ExitCode.DONE


def site_certificates(here: Appliance) -> SiteCertificates:
    """The certificates of this appliance."""
    location = here.certificates
    return SiteCertificates(Path(location.place), Ownership.of(location), here.settings.text("hostname"))


def certificate_rows(here: Appliance) -> list[dict[str, str]]:
    """The certificates as values for people and JSON."""

    held = site_certificates(here).held()
    return [
        {
            "name": certificate.name,
            "state": certificate.state.value,
            "expires": certificate.expires.strftime("%Y-%m-%d") if certificate.expires else "",
            "issuer": certificate.issuer,
            "subject": certificate.subject,
        }
        for certificate in held
    ]


def _require_root() -> None:
    if os.geteuid() != 0:
        raise CommandFailure("Only root may read keys and make certificates.", "Run it with sudo.", ExitCode.DENIED)
