"""`ksmg password-hash`: the hash of a password, for the site variable `site_admin_password_hash`."""

import argparse
import getpass
import sys

from ksmg.cli.failure import CommandFailure
from ksmg.cli.verb import Verbs, add_verb
from ksmg.system.passwords import hash_password


def add_parser(verbs: Verbs) -> None:
    """Adds the verb."""
    add_verb(verbs, "password-hash", "Print the hash of a password, asked for or read from standard input.", run)


def run(_: argparse.Namespace) -> int:
    """Reads a password and prints its hash."""
    try:
        print(hash_password(_password()))
    except ValueError as error:
        raise CommandFailure(str(error)) from None
    return 0


def _password() -> str:
    if not sys.stdin.isatty():
        return sys.stdin.readline().rstrip("\n")
    password = getpass.getpass("Password: ")
    if getpass.getpass("Again: ") != password:
        raise CommandFailure("The two are not the same.")
    return password
