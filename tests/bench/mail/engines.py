"""Starts the engines, each as the role's settings say, and the filters that are made of them."""

from __future__ import annotations

from pathlib import Path

from bench.mail import daemons

ACCOUNT = "kluser"
CLAMD = "/run/clamav/clamd.ctl"
RSPAMD = "/run/rspamd/rspamd.sock"
CLAMAV_MILTER = "/run/clamav/milter.ctl"
RSPAMD_MILTER_PORT = 11332
_CLAMAV_MILTER_SETTINGS = f"""MilterSocket {CLAMAV_MILTER}
MilterSocketGroup postfix
MilterSocketMode 660
FixStaleSocket yes
ClamdSocket unix:{CLAMD}
Foreground yes
OnClean Accept
OnInfected Reject
OnFail Defer
AddHeader No
LogSyslog yes
LogFacility LOG_MAIL
LogInfected Basic
LogClean Off
MaxFileSize 20M
ReadTimeout 120
TemporaryDirectory /tmp
"""
_RSPAMD_WORKERS = Path("/etc/rspamd/override.d")
_SCANS = 'bind_socket = "{} mode=0660 owner={} group={}";\ncount = 2;\n'
_OFF = "enabled = false;\ncount = -1;\n"
_MILTER = f"""bind_socket = "127.0.0.1:{RSPAMD_MILTER_PORT}";
milter = yes;
timeout = 60s;
upstream "local" {{ default = yes; self_scan = yes; }}
count = 2;
"""


def clamd() -> None:
    """clamd, with the signatures that the appliance has before it fetched any."""
    daemons.start("clamd", ["clamd", "--foreground=true"], account=ACCOUNT)
    daemons.wait_for("clamd", CLAMD)


def clamav_milter() -> None:
    """ClamAV's own mail filter, in front of the same clamd."""
    settings = Path("/etc/clamav/clamav-milter.conf")
    settings.write_text(_CLAMAV_MILTER_SETTINGS)
    daemons.start("clamav-milter", ["clamav-milter", f"--config-file={settings}"])
    daemons.wait_for("clamav-milter", CLAMAV_MILTER)


def rspamd() -> None:
    """rspamd as an engine: scanning processes behind a socket file."""
    _workers(normal=_SCANS.format(RSPAMD, ACCOUNT, ACCOUNT), proxy=_OFF)
    daemons.wait_for("rspamd", RSPAMD)


def rspamd_milter() -> None:
    """rspamd as a mail filter of its own: as many scanning processes, which speak the milter protocol themselves."""
    _workers(normal=_OFF, proxy=_MILTER)
    daemons.wait_for("rspamd", RSPAMD_MILTER_PORT)


def _workers(normal: str, proxy: str) -> None:
    (_RSPAMD_WORKERS / "worker-normal.inc").write_text(normal)
    (_RSPAMD_WORKERS / "worker-proxy.inc").write_text(proxy)
    daemons.start("rspamd", ["rspamd", "-c", "/etc/rspamd/rspamd.conf", "-f"], account=ACCOUNT)
