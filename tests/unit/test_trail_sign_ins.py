"""What the log of sign-ins says: granted ones are events, refused ones are counted, floods stay small."""

import json

import pytest
from ksmg.stores.system_events import Name, SystemEvent
from ksmg.trail.refusals import Refusals
from ksmg.trail.sign_ins import Refusal, understand

STAMP = "2026-11-24T12:21:59.242153+00:00"
TIME = 1_795_522_919.242153
KEY = "ED25519 SHA256:wdNDW5E0NwX4NmMCBsGDIpR66DeYirkB7R1bbYcL5e4"


def read(program: str, text: str) -> SystemEvent | Refusal | None:
    return understand(f"{STAMP} gw1 {program}: {text}")


def test_a_sign_in_over_ssh_has_account_address_and_key() -> None:
    found = read("sshd-session[24734]", f"Accepted publickey for root from 10.76.134.1 port 58364 ssh2: {KEY}")
    detail = {"service": "ssh", "method": "publickey", "key": KEY}
    assert found == SystemEvent(Name.SIGNED_IN, detail, "root", TIME, "10.76.134.1")


@pytest.mark.parametrize(
    ("text", "account"),
    [
        ("Connection closed by authenticating user root 192.0.2.7 port 57844 [preauth]", "root"),
        ("Connection reset by authenticating user root 192.0.2.7 port 57844 [preauth]", "root"),
        ("Disconnected from authenticating user root 192.0.2.7 port 57844 [preauth]", "root"),
        (
            "Disconnecting authenticating user root 192.0.2.7 port 5: Too many authentication failures [preauth]",
            "root",
        ),
        ("Connection closed by invalid user a b 192.0.2.7 port 57844 [preauth]", "a b"),
        (
            "Connection closed by invalid user evil from 9.9.9.9 port 1 192.0.2.7 port 57858 [preauth]",
            "evil from 9.9.9.9 port 1",
        ),
        ("Connection closed by invalid user  192.0.2.7 port 57858 [preauth]", ""),
        ("Unable to negotiate with 192.0.2.7 port 57858: no matching host key type found. Their offer: x", ""),
        ("Timeout before authentication for connection from 192.0.2.7 to 192.0.2.1, pid = 5", ""),
    ],
)
def test_a_refused_sign_in_over_ssh_counts_for_its_address(text: str, account: str) -> None:
    assert read("sshd-session[5]", text) == Refusal(TIME, "ssh", "192.0.2.7", account)


@pytest.mark.parametrize(
    ("program", "text"),
    [
        ("sshd-session[5]", "Invalid user evil from 192.0.2.7 port 57858"),  # its connection is counted when it ends
        ("sshd-session[5]", "Disconnected from user root 192.0.2.7 port 57844"),
        ("sshd-session[5]", "pam_unix(sshd:session): session opened for user root(uid=0) by root(uid=0)"),
        ("sudo", "pam_unix(sudo:session): session opened for user kluser(uid=470) by root(uid=0)"),
        ("systemd-logind[61]", "New session c1 of user root."),
        ("cron[5]", "Accepted publickey for root from 10.76.134.1 port 58364 ssh2"),
    ],
)
def test_other_lines_say_nothing(program: str, text: str) -> None:
    assert read(program, text) is None


@pytest.mark.parametrize("line", ["", "x", "x y sudo: a", f"{STAMP} gw1 sudo", "yesterday gw1 su: (to a) b on c"])
def test_lines_that_are_none_say_nothing(line: str) -> None:
    assert understand(line) is None


def test_sudo_tells_the_program_and_never_its_arguments() -> None:
    text = "    anna : TTY=pts/0 ; PWD=/root ; USER=root ; COMMAND=/usr/bin/mysql --password=secret"
    detail = {"service": "sudo", "as": "root", "program": "/usr/bin/mysql"}
    assert read("sudo[9]", text) == SystemEvent(Name.PRIVILEGE_USED, detail, "anna", TIME, "pts/0")


def test_sudo_without_a_terminal_is_an_event_too() -> None:
    found = read("sudo", "    root : PWD=/root ; USER=kluser ; COMMAND=/usr/bin/true")
    assert isinstance(found, SystemEvent)
    assert (found.account, found.origin, found.detail["as"]) == ("root", "", "kluser")


@pytest.mark.parametrize("cause", ["command not allowed", "user NOT in sudoers", "3 incorrect password attempts"])
def test_a_refusal_of_sudo_has_its_cause(cause: str) -> None:
    found = read("sudo", f"  anna : {cause} ; TTY=pts/1 ; PWD=/ ; USER=root ; COMMAND=/bin/sh -c id")
    detail = {"service": "sudo", "as": "root", "program": "/bin/sh", "cause": cause}
    assert found == SystemEvent(Name.PRIVILEGE_REFUSED, detail, "anna", TIME, "pts/1")


@pytest.mark.parametrize(
    ("text", "name"),
    [("(to root) anna on pts/1", "privilege_used"), ("FAILED SU (to root) anna on pts/1", "privilege_refused")],
)
def test_su_is_an_event(text: str, name: str) -> None:
    found = read("su[5]", text)
    assert found == SystemEvent(Name(name), {"service": "su", "as": "root"}, "anna", TIME, "pts/1")


@pytest.mark.parametrize(
    ("text", "account"),
    [("ROOT LOGIN ON ttyS0", "root"), ("LOGIN ON ttyS0 BY anna", "anna"), ("ROOT LOGIN  on '/dev/ttyS0'", "root")],
)
def test_a_sign_in_on_the_console_has_its_terminal(text: str, account: str) -> None:
    assert read("login[5]", text) == SystemEvent(Name.SIGNED_IN, {"service": "console"}, account, TIME, "ttyS0")


@pytest.mark.parametrize(
    "text",
    ["FAILED LOGIN 1 FROM ttyS0 FOR root, Authentication failure", "FAILED LOGIN (1) on '/dev/ttyS0' FOR 'root', no"],
)
def test_a_refused_sign_in_on_the_console_is_counted(text: str) -> None:
    assert read("login[5]", text) == Refusal(TIME, "console", "ttyS0", "root")


def refused(when: float, source: str = "192.0.2.7", account: str = "root") -> Refusal:
    return Refusal(when, "ssh", source, account)


def test_refusals_of_a_minute_and_source_are_one_event() -> None:
    refusals = Refusals()
    for second, account in enumerate(("root", "admin", "root")):
        refusals.add(refused(6000.0 + second, account=account))
    assert refusals.due(6059.0) == []
    detail = {"service": "ssh", "attempts": 3, "accounts": ["root", "admin"]}
    assert refusals.due(6060.0) == [SystemEvent(Name.SIGN_IN_REFUSED, detail, "", 6002.0, "192.0.2.7")]
    assert not refusals.waiting


def test_a_flood_from_everywhere_makes_few_events_and_loses_no_count() -> None:
    refusals, events = Refusals(), []
    for minute in range(24 * 60):
        for number in range(50):
            refusals.add(refused(minute * 60.0, f"192.0.{minute % 200}.{number}", f"user{number}"))
        events += refusals.due((minute + 1) * 60.0)
    events += refusals.due(24 * 3600.0, last=True)
    assert len(events) <= 24 * 61
    assert sum(event.detail["attempts"] for event in events) == 24 * 60 * 50
    assert max(len(json.dumps(event.detail)) for event in events) < 300


def test_a_command_that_was_refused_is_counted_too() -> None:
    found = read("ksmg[9]", 'event=access_refused account=nginx origin="nginx.service" verb=backup')
    assert found == Refusal(TIME, "command", "nginx.service", "nginx")
    refusals = Refusals()
    refusals.add(Refusal(6000.0, "command", "nginx.service", "nginx"))
    assert [event.name for event in refusals.due(6060.0)] == [Name.ACCESS_REFUSED]


def test_counts_survive_the_end_of_a_run() -> None:
    refusals = Refusals()
    refusals.add(refused(6000.0))
    again = Refusals(json.loads(json.dumps(refusals.document())))
    again.add(refused(6001.0))
    assert [event.detail["attempts"] for event in again.due(6060.0)] == [2]
