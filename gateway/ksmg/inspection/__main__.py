"""`python3 -m ksmg.inspection`: the service's process. systemd passes the socket; there is nothing to set."""

import gc
import sys

from ksmg.inspection.libarchive import available
from ksmg.inspection.service import InspectionService
from ksmg.system.systemd import listening_sockets, notify


def main() -> int:
    """Runs the service. Exit code 1 with one sentence when it cannot start."""
    sockets = listening_sockets()
    if len(sockets) != 1:
        print("systemd passed no socket; start ksmg-inspect.socket instead", file=sys.stderr)
        return 1
    if not available():  # loaded here, once, rather than by every worker
        print("libarchive is missing: install the package libarchive13t64", file=sys.stderr)
        return 1
    gc.freeze()  # workers share what is there now, and never touch it
    notify("READY=1")
    InspectionService(sockets[0]).run()
    return 0


if __name__ == "__main__":
    sys.exit(main())
