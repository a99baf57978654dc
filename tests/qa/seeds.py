"""Ways to spoil an appliance, each with the tests that must notice it."""

from dataclasses import dataclass

from host.expectation import POLICY

BACKUP = POLICY.place("backup")
MAIL_LOG = POLICY.place("mta_log")
TLS = next(at.place for at in POLICY.row("mta_settings").locations if at.place.name == "tls")
WORK = "/var/qa"
LOGROTATE, RSYSLOG, SSHD = "/etc/logrotate.conf", "/etc/rsyslog.conf", "/etc/ssh/sshd_config"
COPY = "/var/log/qa-copy"
OVERRIDE = "/run/systemd/system/{unit}.d/99-qa.conf"


@dataclass(frozen=True)
class Seed:
    """A fault: shell commands that make it and that mend it, and parts of the names of tests that notice it."""

    name: str
    spoil: str
    mend: str
    noticed_by: tuple[str, ...]


def changed_file(path: str, change: str) -> tuple[str, str]:
    """Commands that keep a copy, change the file and restore it with its owner, mode and access list.

    Faults may share a file: the copy is of what it was before the first.
    """
    copy = f"{WORK}/{path.replace('/', '_')}"
    return f"[ -e {copy} ] || cp -a {path} {copy}; {change}", f"cp -a {copy} {path}"


def loosened(unit: str, *settings: str) -> tuple[str, str]:
    """Commands that override settings of a unit, and that take the override away."""
    file = OVERRIDE.format(unit=unit)
    lines = "\\n".join(("[Service]", *settings))
    write = f"mkdir -p {file.rpartition('/')[0]}; printf '{lines}\\n' > {file}; systemctl daemon-reload"
    return write, f"rm -f {file}; systemctl daemon-reload"


LISTEN = "import http.server as h; h.HTTPServer(('', 8099), h.BaseHTTPRequestHandler).serve_forever()"
LOOSE_SIGNER = loosened(
    "opendkim.service", "ProtectSystem=no", "PrivateDevices=no", "SystemCallFilter=", "PrivateUsers=no"
)
LARGE_LOGS = loosened("rsyslog.service", "EnvironmentFile=/run/qa.env")
AGAIN = "systemctl restart rsyslog.service"
OPEN_ENGINE = loosened("clamav-daemon.service", "InaccessiblePaths=", "TemporaryFileSystem=")

SEEDS = (
    Seed(
        "a store and the way to it are open to everybody",
        f"chmod o+rx {BACKUP.parents[1]} {BACKUP.parent} {BACKUP}",
        f"chmod o-rx {BACKUP.parents[1]} {BACKUP.parent} {BACKUP}",
        (f"kept_out[backup@{BACKUP}-list]", f"passed_only_by_those_on_their_way[{BACKUP.parent}-everybody-else]"),
    ),
    Seed(
        "a stranger is in the data group",
        "gpasswd --add www-data kluser",
        "gpasswd --delete www-data kluser",
        ("test_data_group_has_no_other_member[kluser]", f"kept_out[auth_log@{POLICY.place('auth_log')}-read]"),
    ),
    Seed(
        "a stranger may read the mail log by an access list",
        f"setfacl -m u:www-data:r {MAIL_LOG}",
        f"setfacl -x u:www-data {MAIL_LOG}",
        (f"kept_out[mta_log@{MAIL_LOG}-read]",),
    ),
    Seed(
        "something listens that nobody declared",
        f'systemd-run --quiet --unit=qa-listener python3 -c "{LISTEN}"',
        "systemctl stop qa-listener.service",
        ("test_only_known_sockets_listen", "test_only_public_ports_are_open_to_others"),
    ),
    Seed(
        "a set-uid file nobody declared",
        f"cp /usr/bin/true {WORK}/raise; chmod 4755 {WORK}/raise",
        f"rm -f {WORK}/raise",
        ("test_only_known_files_raise_privileges",),
    ),
    Seed(
        "a user with a shell and a password",
        "useradd --shell /bin/bash --password '$y$j9T$x$x' qa-user",
        "userdel qa-user",
        ("test_only_known_accounts_have_a_shell", "test_no_ordinary_users", "test_nobody_has_a_password"),
    ),
    Seed(
        "a unit has failed",
        "systemd-run --quiet --wait --unit=qa-failed false || true",
        "systemctl reset-failed qa-failed.service",
        ("test_system_is_running",),
    ),
    Seed(
        "nginx has the mail log open",
        f"cp /usr/bin/sleep {WORK}/nginx\n"
        f"systemd-run --quiet --unit=qa-nginx sh -c 'exec {WORK}/nginx 600 3<{MAIL_LOG}'",
        "systemctl stop qa-nginx.service",
        (f"test_nginx_has_no_file_of_the_policy_open[{MAIL_LOG}]", "runs_wholly_as_its_account[nginx-nginx]"),
    ),
    Seed(
        "the log of sign-ins is kept beyond its weeks",
        *changed_file(LOGROTATE, f"sed -i 's/^\\( *rotate\\) .*/\\1 99999/' {LOGROTATE}"),
        ("test_log_of_sign_ins_goes_after_its_weeks",),
    ),
    Seed(
        "logs are kept beyond their caps",
        f"echo KSMG_ROTATE_MAILLOG=/bin/true {MAIL_LOG} 99000000000 230000000 > /run/qa.env; {LARGE_LOGS[0]}; {AGAIN}",
        f"{LARGE_LOGS[1]}; {AGAIN}",
        ("test_rsyslog_ends_parts_that_are_right_for_this_disk",),
    ),
    Seed(
        "what logrotate deletes is not overwritten",
        *changed_file(LOGROTATE, f"sed -i '/^shred$/d' {LOGROTATE}"),
        ("test_what_logrotate_deletes_is_overwritten",),
    ),
    Seed(
        "mail traffic is logged a second time",
        *changed_file(RSYSLOG, f"sed -i '/^module(load=.imklog/a mail.* {COPY}' {RSYSLOG}; systemctl restart rsyslog"),
        ("test_marker_is_nowhere_else",),
    ),
    Seed(
        "SSH takes passwords",
        *changed_file(SSHD, f"sed -i 's/^PasswordAuthentication .*/PasswordAuthentication yes/' {SSHD}"),
        ("test_sshd_setting[passwordauthentication-no]",),
    ),
    Seed(
        "the firewall lets everything in",
        "nft chain inet appliance input '{ policy accept; }'",
        "nft chain inet appliance input '{ policy drop; }'",
        ("test_firewall_drops_what_no_rule_accepts",),
    ),
    Seed(
        "the kernel believes redirects",
        "sysctl -qw net.ipv4.conf.all.accept_redirects=1",
        "sysctl -qw net.ipv4.conf.all.accept_redirects=0",
        ("test_sysctl[net.ipv4.conf.all.accept_redirects-0]",),
    ),
    Seed(
        "a certificate does not belong to its key",
        *changed_file(f"{TLS}/cluster.crt", f"cp {TLS}/web.crt {TLS}/cluster.crt"),
        ("test_key_belongs_to_its_certificate[cluster]", "test_cluster_certificate_is_for_both_sides"),
    ),
    Seed(
        "others may read the key that signs statements",
        *changed_file(f"{TLS}/signing.key", f"chgrp kluser {TLS}/signing.key; chmod 0640 {TLS}/signing.key"),
        ("test_only_root_signs[signing]",),
    ),
    Seed(
        "statements are signed for a certificate of another key",
        *changed_file(f"{TLS}/signing.crt", f"cp {TLS}/web.crt {TLS}/signing.crt"),
        ("test_key_belongs_to_its_certificate[signing]", "test_page_is_made[en.pdf]", "test_signature_is_believed[fr"),
    ),
    Seed("a daemon's sandbox is weak", *LOOSE_SIGNER, ("test_exposure_is_within_its_bar[opendkim.service",)),
    Seed(
        "a daemon sees rows that are not its own",
        f"{OPEN_ENGINE[0]}; systemctl restart clamav-daemon.service",
        f"{OPEN_ENGINE[1]}; systemctl restart clamav-daemon.service",
        (f"test_daemon_sees_only_its_rows_from_inside_its_sandbox[clamav-daemon.service-backup@{BACKUP}]",),
    ),
    Seed(
        "an unused part runs",
        "systemctl stop logrotate.timer; systemd-run --quiet --unit=rpcbind sleep 600",
        "systemctl stop rpcbind.service; systemctl start logrotate.timer",
        ("test_unused_part_does_not_run[rpcbind.service]", "test_unit_that_keeps_order_waits[logrotate.timer"),
    ),
)  # fmt: skip
