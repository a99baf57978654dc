"""amavisd-new after Postfix's queue, with the same clamd, with and without SpamAssassin."""

from __future__ import annotations

from pathlib import Path

from bench.mail import daemons, postfix
from bench.mail.engines import CLAMD

PORT = postfix.AMAVIS_PORT
_SETTINGS = f"""use strict;
$myhostname = 'gw1.example.test';
$mydomain = 'example.test';
@local_domains_maps = ( ['.example.test'] );
$max_servers = {postfix.AMAVIS_SERVERS};
$max_requests = 100;
$TEMPBASE = '/tmp/amavis';
$inet_socket_port = {postfix.AMAVIS_PORT};
$forward_method = 'smtp:[127.0.0.1]:{postfix.BACK_PORT}';
$notify_method = $forward_method;
$virus_admin = undef;
$enable_dkim_verification = 0;
$enable_dkim_signing = 0;
$enable_db = 0;
$log_level = 0;
$do_syslog = 1;
@av_scanners = ( ['ClamAV-clamd', \\&ask_daemon, ["CONTSCAN {{}}\\n", "{CLAMD}"],
    qr/\\bOK$/m, qr/\\bFOUND$/m, qr/^.*?: (?!Infected Archive)(.*) FOUND$/m ] );
@av_scanners_backup = ();
@bypass_virus_checks_maps = (0);
@bypass_spam_checks_maps = (BYPASS);
$sa_local_tests_only = 1;
$sa_tag_level_deflt = 2.0;
$sa_tag2_level_deflt = 6.31;
$sa_kill_level_deflt = 15;
$final_virus_destiny = D_DISCARD;
$final_banned_destiny = D_PASS;
$final_spam_destiny = D_PASS;
$final_bad_header_destiny = D_PASS;
1;
"""
_SPAMASSASSIN = "use_bayes 0\nuse_auto_welcomelist 0\ndns_available no\n"
"""What the other peers' engine does not do either: learning, and questions to third parties."""


def start(spamassassin: bool) -> None:
    """Start amavisd; returns when it listens."""
    Path("/etc/amavis/conf.d/50-user").write_text(_SETTINGS.replace("BYPASS", str(int(not spamassassin))))
    Path("/etc/spamassassin/local.cf").write_text(_SPAMASSASSIN)
    daemons.start("amavis", ["amavisd", "foreground"])
    daemons.wait_for("amavis", postfix.AMAVIS_PORT)
