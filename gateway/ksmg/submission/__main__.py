"""`python3 -m ksmg.submission`: the submission service's process. systemd passes the socket."""

import contextlib
import logging
import sqlite3
import sys

from ksmg.diagnostics.levels import start_traces
from ksmg.policy import PolicyError, load_policy
from ksmg.settings import Settings
from ksmg.submission.ledger import Ledger, ledger_file
from ksmg.submission.service import SubmissionService
from ksmg.system.syslog import Syslog, SyslogHandler
from ksmg.system.systemd import listening_sockets

_log = logging.getLogger("ksmg.submission")
IDENT = "ksmg-submit"


def main() -> int:
    """Runs the service. Exit code 1 with one sentence when it cannot start."""
    logging.basicConfig(level=logging.INFO, handlers=[SyslogHandler(Syslog(IDENT))])
    try:
        sockets = listening_sockets()
        if len(sockets) != 1:
            raise OSError("systemd passed no socket; start ksmg-submit.socket instead")
        policy = load_policy()
        start_traces(policy, Settings({}), _trace_stopped)
        with contextlib.closing(Ledger(ledger_file(policy))) as ledger:
            SubmissionService(ledger).serve(sockets[0])
    except (PolicyError, OSError, sqlite3.Error) as error:
        _log.error("The submission service cannot start: %s", error)
        print(f"The submission service cannot start: {error}", file=sys.stderr)
        return 1
    return 0


def _trace_stopped(component: str, cause: str) -> None:
    _log.warning("The trace of %s cannot be written: %s", component, cause)


if __name__ == "__main__":
    sys.exit(main())
