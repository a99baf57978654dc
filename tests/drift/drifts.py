"""Ways in which an appliance can drift from the data policy, each with what the verifier must say about it."""

from dataclasses import dataclass

from host.expectation import POLICY
from qa.seeds import MAIL_LOG, OVERRIDE, TLS, changed_file, loosened

WORK = "/var/tmp/drift"
COPY = "/var/tmp/drift-copy"
BACKUP, EVENTS, SETTINGS = (str(POLICY.place(row)) for row in ("backup", "message_events", "settings"))
KATA = str(POLICY.place("kata_quarantine"))
"""A place that no daemon uses yet: it can be taken away."""
MAIL_SETTINGS = str(POLICY.place("mta_settings"))
SHARED = str(POLICY.containers[0].path)
LOG = str(MAIL_LOG)
WEB, SIGNER = "ksmg-web.service", "opendkim.service"
TAKEN, PUT_BACK = f"mv {KATA} {KATA}-away", f"rmdir {KATA} 2> /dev/null; mv -T {KATA}-away {KATA}"
UNLOADED = "# edited"
"""In a drop-in that systemd has not read: any other drift in a unit would have it read."""
REMAKE = "systemd-tmpfiles --create /etc/tmpfiles.d/ksmg-data.conf"
DATA_ACLS = f"setfacl -b {{path}}; {REMAKE}"


@dataclass(frozen=True)
class Drift:
    """Shell commands that make and undo it, and the difference that must be reported: its kind and its place."""

    name: str
    seed: str
    undo: str
    kind: str
    place: str


def waves(drifts: tuple[Drift, ...]) -> tuple[tuple[Drift, ...], ...]:
    """Drifts that can be there at once without one hiding, or causing, what is said about another."""
    found: list[list[Drift]] = []
    for drift in drifts:
        fitting = (wave for wave in found if not any(disturb(drift, other) for other in wave))
        wave = next(fitting, None)
        if wave is None:
            found.append([drift])
        else:
            wave.append(drift)
    return tuple(map(tuple, found))


def disturb(one: Drift, other: Drift) -> bool:
    """Whether two drifts are about the same thing. Alone are those that follow from many."""
    alone = any("can_" in drift.kind or UNLOADED in drift.seed for drift in (one, other))
    shared = any(word in one.seed and word in other.seed for word in ("drift.service", COPY, " /mnt", "/var/opt "))
    nested = one.place.startswith(f"{other.place}/") or other.place.startswith(f"{one.place}/")
    return alone or shared or nested or one.place == other.place


def override(name: str, unit: str, *settings: str) -> Drift:
    """A setting of a sandbox that somebody overrides; the service is not restarted."""
    unit = f"{unit}.service"
    return Drift(name, *loosened(unit, *settings), "unit_setting", unit)


def listed(name: str, path: str, entry: str, kind: str = "access_list") -> Drift:
    """An entry in an access list."""
    return Drift(name, f"setfacl -m {entry} {path}", DATA_ACLS.format(path=path), kind, path)


def running(name: str, properties: str, kind: str, place: str, shell: str = "exec sleep 600") -> Drift:
    """Something that runs, and in the end sleeps."""
    start = f"systemd-run --quiet --unit=drift {properties} sh -c '{shell}'"
    wait = "timeout 20 sh -c 'until grep -qs sleep /proc/$(systemctl show -P MainPID drift.service)/comm; do :; done'"
    return Drift(name, f"{start}; {wait}", "systemctl stop drift.service", kind, place)


def planted(name: str, commands: str, kind: str, path: str = f"{BACKUP}/planted") -> Drift:
    """A file that somebody put there."""
    return Drift(name, commands.format(path=path), f"rm -f {path}", kind, path)


def changed(name: str, path: str, change: str, kind: str, place: str = "") -> Drift:
    """A file of the system that somebody changed."""
    seed, undo = changed_file(path, change)
    undo += "; systemctl daemon-reload" if "/systemd/" in path else ""
    return Drift(name, seed.replace("/var/qa", WORK), undo.replace("/var/qa", WORK), kind, place or path)


PLACES = (
    Drift("a store is open to others", f"chmod o+rx {BACKUP}", f"chmod 0700 {BACKUP}", "mode", BACKUP),
    Drift("a log may be written by its group", f"chmod g+w {LOG}", f"chmod 0640 {LOG}", "mode", LOG),
    Drift("a shared directory is open", f"chmod 0755 {SHARED}", f"chmod 0750 {SHARED}", "mode", SHARED),
    Drift("a place has another owner", f"chown www-data {KATA}", f"chown kluser {KATA}", "owner", KATA),
    Drift("a place has another group", f"chgrp www-data {TLS}", f"chgrp kluser {TLS}", "owner", str(TLS)),
    Drift(
        "the whole way to a log is open to everybody",
        f"chmod o+r {LOG}",
        f"chmod 0640 {LOG}",
        "can_more",
        LOG,
    ),
    Drift("a place is gone", TAKEN, PUT_BACK, "missing", KATA),
    Drift("a place is a file", f"{TAKEN}; touch {KATA}", f"rm {KATA}; {PUT_BACK}", "wrong_type", KATA),
    Drift(
        "a place is a symbolic link",
        f"{TAKEN}; ln -s {WORK} {KATA}",
        f"rm {KATA}; {PUT_BACK}",
        "symlink",
        KATA,
    ),
    Drift("a directory above can be swapped", "chmod o+w /var/opt", "chmod o-w /var/opt", "ancestor", "/var/opt"),
    Drift(
        "a directory above can be swapped by an access list",
        "setfacl -m u:www-data:rwx /var/opt",
        "setfacl -b /var/opt; chmod 0755 /var/opt",
        "ancestor",
        "/var/opt",
    ),
    listed("a stranger is in a log's access list", LOG, "u:www-data:r"),
    listed("a group is in a store's access list", EVENTS, "g:www-data:rx"),
    listed("a stranger is in a shared directory's access list", f"{SHARED}/ksmg/mta", "u:www-data:rx"),
    listed("new files are for a stranger too", BACKUP, "d:u:www-data:r", "default_access_list"),
    listed("new files are for everybody", KATA, "d:o::r", "default_access_list"),
    Drift(
        "an account lost its entry",
        f"setfacl -x u:kluser {MAIL_SETTINGS}",
        f"setfacl -m u:kluser:rx {MAIL_SETTINGS}",
        "can_less",
        MAIL_SETTINGS,
    ),
)
FILES = (
    planted(
        "a file in a store is open to others", "touch {path}; chown kluser: {path}; chmod 0644 {path}", "file_mode"
    ),
    planted(
        "a file in a store is a stranger's", "touch {path}; chown www-data {path}; chmod 0600 {path}", "file_owner"
    ),
    planted(
        "a file in a store is for a stranger too",
        "touch {path}; chown kluser: {path}; chmod 0600 {path}; setfacl -m u:www-data:r {path}",
        "file_access_list",
    ),
    planted("a link leads out of a store", "ln -s /etc/shadow {path}", "symlink"),
    Drift(
        "a file in a store has a second name",
        f"ln {BACKUP}/keeper /var/opt/drift-name",
        "rm -f /var/opt/drift-name",
        "hard_link",
        f"{BACKUP}/keeper",
    ),
    Drift(
        "a log has a copy that everybody can read",
        f"cp {LOG} {COPY}; chmod 0644 {COPY}",
        f"rm -f {COPY}",
        "copy",
        LOG,
    ),
    Drift(
        "the settings have a copy of a stranger's",
        f"cp {SETTINGS}/gateway.json {COPY}; chown www-data {COPY}; chmod 0600 {COPY}",
        f"rm -f {COPY}",
        "copy",
        f"{SETTINGS}/gateway.json",
    ),
    planted("a set-uid copy", "cp /usr/bin/cat {path}; chmod 4755 {path}", "privileged_file", f"{WORK}/raise"),
    planted(
        "a set-gid copy for the data group",
        "cp /usr/bin/cat {path}; chgrp kluser {path}; chmod 2755 {path}",
        "privileged_file",
        "/usr/local/bin/drift",
    ),
    planted(
        "a program with capabilities",
        "cp /usr/bin/cat {path}; setcap cap_dac_read_search+ep {path}",
        "privileged_file",
        "/opt/drift",
    ),
)
MOUNTS = (
    Drift("something is mounted over a store", f"mount --bind {WORK} {KATA}", f"umount {KATA}", "mount_over", KATA),
    Drift(
        "a file system in memory lies on a place", f"mount -t tmpfs drift {KATA}", f"umount {KATA}", "mount_over", KATA
    ),
    Drift(
        "a store is mounted elsewhere as well", f"mount --bind {BACKUP} /mnt", "umount /mnt", "mount_exposes", BACKUP
    ),
    Drift(
        "the stores' parent is mounted elsewhere as well",
        "mount --bind /var/opt /mnt",
        "umount /mnt",
        "mount_exposes",
        BACKUP,
    ),
    Drift(
        "/tmp takes set-uid programs",
        "mount -o remount,suid /tmp",
        "mount -o remount,nosuid /tmp",
        "mount_options",
        "/tmp",
    ),
    running(
        "a process sees a store by another path",
        f"-p BindPaths={BACKUP}:/mnt",
        "mount_exposes",
        BACKUP,
    ),
)
ACCOUNTS = (
    Drift(
        "a stranger is in the data group",
        "gpasswd -a www-data kluser",
        "gpasswd -d www-data kluser",
        "group_member",
        "kluser",
    ),
    Drift(
        "a stranger is in Postfix's group",
        "gpasswd -a list postfix",
        "gpasswd -d list postfix",
        "group_member",
        "postfix",
    ),
    Drift(
        "a stranger may use Postfix's doors",
        "gpasswd -a irc postdrop",
        "gpasswd -d irc postdrop",
        "group_member",
        "postdrop",
    ),
    Drift("somebody may use sudo", "gpasswd -a www-data sudo", "gpasswd -d www-data sudo", "group_member", "sudo"),
    Drift(
        "a new user is in the data group",
        "useradd -g kluser drift-user",
        "userdel drift-user",
        "group_member",
        "kluser",
    ),
    Drift("the data group has a password", "groupmod -p x kluser", "groupmod -p '!*' kluser", "group_member", "kluser"),
    Drift(
        "a second account has uid 0",
        "useradd -o -u 0 drift-root",
        "userdel -f drift-root",
        "account_root",
        "drift-root",
    ),
    Drift(
        "two accounts share a uid",
        "useradd -o -u 470 drift-twin",
        "userdel -f drift-twin",
        "account_duplicate",
        "drift-twin",
    ),
    Drift(
        "the gateway's account has a shell",
        "usermod -s /bin/bash kluser",
        "usermod -s /usr/sbin/nologin kluser",
        "account_changed",
        "kluser",
    ),
    Drift(
        "the gateway's account has a password",
        "usermod -p x kluser",
        "usermod -p '!*' kluser",
        "account_changed",
        "kluser",
    ),
    Drift(
        "an account needs no password",
        "passwd -q -d www-data",
        "usermod -p '*' www-data",
        "account_password",
        "www-data",
    ),
    planted(
        "sudo gives a stranger rights",
        "echo 'www-data ALL=(kluser) NOPASSWD: ALL' > {path}",
        "sudo",
        "/etc/sudoers.d/drift",
    ),
    planted(
        "cron runs something as the gateway's account",
        "mkdir -p /var/spool/cron/crontabs; echo > {path}",
        "scheduled",
        "/var/spool/cron/crontabs/kluser",
    ),
    planted(
        "the system's cron does",
        "mkdir -p /etc/cron.d; echo '* * * * * kluser true' > {path}",
        "scheduled",
        "/etc/cron.d/drift",
    ),
    planted(
        "the gateway's account has a session that stays", "touch {path}", "scheduled", "/var/lib/systemd/linger/kluser"
    ),
)
SYSTEM = (
    Drift("the passwords can be read", "chmod o+r /etc/shadow", "chmod o-r /etc/shadow", "system_file", "/etc/shadow"),
    Drift(
        "the accounts can be changed", "chmod g+w /etc/passwd", "chmod g-w /etc/passwd", "system_file", "/etc/passwd"
    ),
    planted("code is loaded into every program", "echo libm.so.6 > {path}", "preload", "/etc/ld.so.preload"),
    changed(
        "accounts come from elsewhere",
        "/etc/nsswitch.conf",
        "sed -i 's/^passwd:.*/& extrausers/' /etc/nsswitch.conf",
        "name_service",
    ),
    changed(
        "everybody may sign in",
        "/etc/pam.d/other",
        "echo auth sufficient pam_permit.so >> /etc/pam.d/other",
        "sign_in_module",
    ),
    changed(
        "a program runs at each sign-in",
        "/etc/pam.d/login",
        "echo session optional pam_exec.so true >> /etc/pam.d/login",
        "sign_in_module",
    ),
    changed(
        "a unit of the package was changed",
        f"/usr/lib/systemd/system/{WEB}",
        f"echo >> /usr/lib/systemd/system/{WEB}",
        "package_file",
    ),
    changed(
        "the policy was changed",
        "/usr/share/ksmg/data_policy.json",
        "echo >> /usr/share/ksmg/data_policy.json",
        "package_file",
    ),
)
SERVICES = (
    Drift("a unit has a strange drop-in", *loosened(WEB, "Nice=5"), "unit_drop_in", WEB),
    changed(
        "a drop-in was edited and not loaded",
        f"/etc/systemd/system/{WEB}.d/10-data-policy.conf",
        f"echo '{UNLOADED}' >> /etc/systemd/system/{WEB}.d/10-data-policy.conf",
        "unit_drop_in",
        WEB,
    ),
    changed(
        "a known drop-in opens a store",
        f"/etc/systemd/system/{WEB}.d/10-data-policy.conf",
        f"echo ReadWritePaths={BACKUP} >> /etc/systemd/system/{WEB}.d/10-data-policy.conf; systemctl daemon-reload",
        "unit_setting",
        WEB,
    ),
    override("a sandbox may write to a store", "ksmg-web", f"ReadWritePaths={BACKUP}"),
    override("a sandbox hides nothing", "ksmg-submit", "InaccessiblePaths="),
    override("a sandbox shows a store elsewhere", "ksmg-inspect", f"BindPaths={BACKUP}:/run/store"),
    override("a sandbox leaves the system writable", "rspamd", "ProtectSystem=no"),
    override("a sandbox may raise privileges", "clamav-daemon", "NoNewPrivileges=no", "RestrictSUIDSGID=no"),
    override(
        "a sandbox has a capability",
        "ksmg-filter",
        "CapabilityBoundingSet=CAP_DAC_OVERRIDE",
        "AmbientCapabilities=CAP_DAC_OVERRIDE",
    ),
    override("a service is root", "nginx", "User=root"),
    override("a service is in another group", "ksmg-submit", "SupplementaryGroups=adm"),
    override("a service shares the users", "ksmg-inspect", "PrivateUsers=no"),
    override("a service sees other processes", "opendkim", "ProtectProc=default"),
    override("a service makes files for everybody", "rspamd", "UMask=0000"),
    override("a service has the network", "clamav-daemon", "PrivateNetwork=no", "RestrictAddressFamilies=AF_INET"),
    override("a service loads other code", "opendkim", "Environment=LD_PRELOAD=/tmp/x.so"),
    Drift(
        "a service that runs sees a store",
        f"{loosened(WEB, 'InaccessiblePaths=', f'ReadWritePaths={BACKUP}')[0]}; systemctl restart {WEB}",
        f"rm -f {OVERRIDE.format(unit=WEB)}; systemctl daemon-reload; systemctl restart {WEB}",
        "service_can_more",
        BACKUP,
    ),
    Drift(
        "a place was made anew behind a service's back",
        f"rmdir {KATA}; {REMAKE}",
        "systemctl restart ksmg-filter.service",
        "service_can_less",
        KATA,
    ),
)
PROCESSES = (
    running("a process runs as the gateway's account", "--uid=kluser", "process_account", "kluser"),
    running("a service that nobody declared does", "--uid=kluser", "unit_account", "drift.service"),
    running(
        "a stranger's process is in the data group",
        "--uid=list -p SupplementaryGroups=kluser",
        "process_group",
        "kluser",
    ),
    running(
        "a stranger's process passes over permissions",
        "--uid=www-data -p AmbientCapabilities=CAP_DAC_READ_SEARCH",
        "process_capability",
        "sleep",
    ),
    running(
        "nginx has a log open", "", "open_file", LOG, f"exec setpriv --reuid nginx --clear-groups sleep 600 3< {LOG}"
    ),
    running(
        "a stranger has a store's file open",
        "",
        "open_file",
        f"{BACKUP}/keeper",
        f"exec setpriv --reuid www-data --clear-groups sleep 600 3< {BACKUP}/keeper",
    ),
)
DRIFTS = (*PLACES, *FILES, *MOUNTS, *ACCOUNTS, *SYSTEM, *SERVICES, *PROCESSES)
