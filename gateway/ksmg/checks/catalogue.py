"""Every check of the gateway, made as the settings say."""

from pathlib import Path

from ksmg.checks.antispam import Antispam
from ksmg.checks.antivirus import Antivirus
from ksmg.checks.verdict import Check
from ksmg.engines.clamd import SOCKET as CLAMD_SOCKET
from ksmg.engines.clamd import Clamd
from ksmg.engines.rspamd import SOCKET as RSPAMD_SOCKET
from ksmg.engines.rspamd import Rspamd
from ksmg.settings import Settings


def make_checks(settings: Settings, clamd: Path = CLAMD_SOCKET, rspamd: Path = RSPAMD_SOCKET) -> list[Check]:
    """The checks, in the order in which events list them."""
    return [
        Antivirus(
            Clamd(clamd, settings.number("antivirus.timeout"), settings.number("antivirus.concurrency")),
            settings.number("antivirus.size_limit"),
        ),
        Antispam(
            Rspamd(rspamd, settings.number("antispam.timeout"), settings.number("antispam.concurrency")),
            settings.number("antispam.size_limit"),
        ),
    ]
