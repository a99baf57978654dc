"""Postfix, the same for every peer but for the filter that it asks."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from bench.mail import daemons

QUEUE = Path("/var/spool/postfix")
SINK_PORT, AMAVIS_PORT, BACK_PORT = 2525, 10024, 10025
LOG = Path("/var/log/all")
SETTINGS = f"""compatibility_level = 3.10
myhostname = gw1.example.test
inet_interfaces = all
inet_protocols = ipv4
mynetworks = 127.0.0.0/8
mydestination =
alias_maps =
local_recipient_maps =
relay_domains = example.test
relayhost = [127.0.0.1]:{SINK_PORT}
enable_long_queue_ids = yes
max_use = 1000
smtpd_helo_required = yes
smtpd_helo_restrictions = reject_invalid_helo_hostname
smtpd_sender_restrictions = reject_non_fqdn_sender
smtpd_relay_restrictions = permit_mynetworks, reject_unauth_destination
smtpd_recipient_restrictions = reject_non_fqdn_recipient
smtpd_forbid_bare_newline = reject
message_size_limit = 20000000
milter_default_action = tempfail
milter_content_timeout = 300s
milter_connect_macros = j v _ {{daemon_name}} {{daemon_addr}} {{client_addr}} {{client_name}} {{client_ptr}}
  {{client_port}}
milter_mail_macros = i {{auth_type}} {{auth_authen}} {{mail_addr}} {{mail_host}} {{mail_mailer}}
  {{client_addr}} {{client_name}}
milter_end_of_data_macros = i {{auth_type}} {{auth_authen}} {{client_addr}} {{client_name}}
"""
"""What the role `postfix` sets, as far as mail without TLS meets it; the next hop is the sink."""
SERVICES = """smtp          inet       n       -      n      -      -       smtpd
pickup        unix       n       -      n      60     1       pickup
cleanup       unix       n       -      n      -      0       cleanup
qmgr          unix       n       -      n      300    1       qmgr
tlsmgr        unix       -       -      n      1000?  1       tlsmgr
rewrite       unix       -       -      n      -      -       trivial-rewrite
bounce        unix       -       -      n      -      0       bounce
defer         unix       -       -      n      -      0       bounce
trace         unix       -       -      n      -      0       bounce
proxymap      unix       -       -      n      -      -       proxymap
smtp          unix       -       -      n      -      -       smtp
relay         unix       -       -      n      -      -       smtp
showq         unix       n       -      n      -      -       showq
error         unix       -       -      n      -      -       error
retry         unix       -       -      n      -      -       error
anvil         unix       -       -      n      -      1       anvil
scache        unix       -       -      n      -      1       scache
"""
AMAVIS_SERVERS = 8
"""Messages that amavisd has at a time: each waits 40 of its 110 ms for a delayed acknowledgement of TCP."""
AMAVIS_SERVICES = f"""amavis        unix       -       -      n      -      {AMAVIS_SERVERS}       smtp
  -o smtp_data_done_timeout=1200
  -o smtp_send_xforward_command=yes
127.0.0.1:{BACK_PORT} inet  n       -      n      -      -       smtpd
  -o content_filter=
  -o smtpd_milters=
  -o smtpd_delay_reject=no
  -o smtpd_helo_restrictions=
  -o smtpd_sender_restrictions=
  -o smtpd_recipient_restrictions=permit_mynetworks,reject
  -o mynetworks=127.0.0.0/8
  -o smtpd_authorized_xforward_hosts=127.0.0.0/8
  -o receive_override_options=no_unknown_recipient_checks,no_header_body_checks,no_milters,no_address_mappings
"""
"""The set-up that amavisd's README.postfix describes: after the queue, back in at a port of its own."""


def start(milters: Sequence[str], content_filter: str, settings: Sequence[str]) -> None:
    """Start Postfix with these filters and settings beside the usual ones; returns when it listens."""
    folder = Path("/etc/postfix")
    lines = [f"smtpd_milters = {', '.join(milters)}"] if milters else []
    if content_filter:
        lines += [f"content_filter = {content_filter}", f"amavis_initial_destination_concurrency = {AMAVIS_SERVERS}"]
    (folder / "main.cf").write_text("\n".join([SETTINGS, *lines, *settings, ""]))
    (folder / "master.cf").write_text(SERVICES + (AMAVIS_SERVICES if content_filter else ""))
    (QUEUE / "pid/master.pid").unlink(missing_ok=True)
    daemons.start("postfix", ["postfix", "start-fg"])
    daemons.wait_for("postfix", 25)


def drained() -> bool:
    """Whether no message waits or is on its way."""
    return not any(_filled(name) for name in ("maildrop", "incoming", "active", "deferred"))


def _filled(name: str) -> bool:
    folder = QUEUE / name
    with os.scandir(folder) as entries:
        return any(entry.is_file() or _filled(f"{name}/{entry.name}") for entry in entries)


def delivered(start_at: int) -> int:
    """Messages that the sink has accepted, by Postfix's log from that place on."""
    with LOG.open("rb") as log:
        log.seek(start_at)
        return sum(1 for line in log if b"status=sent" in line and b":%d," % SINK_PORT in line)
