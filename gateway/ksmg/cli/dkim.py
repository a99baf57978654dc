"""`ksmg dkim`: the DNS records that publish this site's DKIM keys."""

import argparse
import os
from pathlib import Path

from ksmg.certificates.dkim import Signer, record
from ksmg.cli.appliance import appliance
from ksmg.cli.failure import CommandFailure, ExitCode
from ksmg.cli.verb import Verbs, add_group, add_verb


def add_parser(verbs: Verbs) -> None:
    """Adds the verb with its verb."""
    group = add_group(verbs, "dkim", "Show the DNS records of this site's DKIM keys.")
    add_verb(group, "show", "Print the TXT record of each domain whose mail is signed.", run)


def run(_: argparse.Namespace) -> int:
    """Prints the records."""

    if os.geteuid() != 0:
        raise CommandFailure("Only root may read the keys.", "Run it with sudo.", ExitCode.DENIED)
    here = appliance()
    signers = [Signer(**facts) for facts in here.settings["dkim"]]
    if not signers:
        raise CommandFailure(
            "No domain's mail is signed.", "Name domains in the site variable site_dkim.", ExitCode.NOT_FOUND
        )
    for signer in signers:
        try:
            print(record(signer, Path(here.dkim_keys.place)))
        except FileNotFoundError:
            raise CommandFailure(
                f"There is no key for {signer.record_name} yet.",
                "'ksmg certificates ensure' makes it.",
                ExitCode.NOT_FOUND,
            ) from None
    return ExitCode.DONE
