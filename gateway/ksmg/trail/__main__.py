"""`python3 -m ksmg.trail`: records what the system's logs and files tell, until nothing has happened for a while.

Its path unit starts it again. So it costs nothing while nobody signs in and nothing changes, and a flood of sign-ins
starts no process for each.
"""

import logging
import sqlite3
import sys
import time

from ksmg.policy import DataPolicy, PolicyError, load_policy
from ksmg.settings import Settings, SettingsError, load_settings
from ksmg.stores.locations import settings_file
from ksmg.system.syslog import Syslog, SyslogHandler
from ksmg.trail.recording import Trail

_log = logging.getLogger("ksmg.trail")
_LOOK_SECONDS, _QUIET_SECONDS = 2.0, 10.0


def main() -> int:
    """Runs until it is quiet. Exit code 1 with one sentence when it cannot work."""
    syslog = Syslog("ksmg-trail")
    logging.basicConfig(level=logging.INFO, handlers=[SyslogHandler(syslog)])
    try:
        policy = load_policy()
        _record(Trail(policy, _settings(policy), syslog))
    except (PolicyError, OSError, sqlite3.Error) as error:
        _log.error("The audit trail cannot be written: %s", error)
        print(f"The audit trail cannot be written: {error}", file=sys.stderr)
        return 1
    finally:
        syslog.close()
    return 0


def _settings(policy: DataPolicy) -> Settings:
    """The settings; wrong ones must not end the trail, which tells of them."""
    try:
        return load_settings(settings_file(policy)) or Settings({})
    except SettingsError as error:
        _log.error("%s The trail goes on with its usual cap.", error)
        return Settings({})


def _record(trail: Trail) -> None:
    active = time.monotonic()
    while time.monotonic() - active < _QUIET_SECONDS or trail.waiting:
        if trail.look():
            active = time.monotonic()
        time.sleep(_LOOK_SECONDS)
    trail.look(last=True)


if __name__ == "__main__":
    sys.exit(main())
