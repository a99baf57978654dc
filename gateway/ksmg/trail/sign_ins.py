"""What the log of sign-ins says, as system events: who signed in from where, and who became another account.

Lines are as rsyslog writes them: time, host, program, text. The texts are those of OpenSSH's sshd, sudo, util-linux'
login and su, and this package's command. A name that somebody tries to sign in with can hold anything: what sshd itself
adds stands behind it.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from ksmg.stores.system_events import Name, SystemEvent

_LINE = re.compile(r"(\S+) \S+ ([\w.-]+)(?:\[\d+\])?: (.*)")
_ACCEPTED = re.compile(r"Accepted (\S+) for (.*) from (\S+) port \d+(?: ssh2)?(?:: (.*))?")
_REFUSED = re.compile(
    r"(?:Connection (?:closed|reset) by|Disconnected from|Disconnecting) (?:invalid|authenticating) user (.*)"
    r" (\S+) port \d+(?::.*)?(?: \[preauth\])?"
)
_NO_ACCOUNT = re.compile(r"(?:Timeout before authentication for connection from|Unable to negotiate with) (\S+) .*")
_SUDO = re.compile(
    r" *(\S+) : (?:(?!TTY=|PWD=)(.*?) ; )?(?:TTY=(\S+) ; )?PWD=.*? ; USER=(\S+) ;(?: GROUP=\S+ ;)? COMMAND=(.*)"
)
_SU = re.compile(r"(FAILED SU )?\(to (.+)\) (\S+) on (\S+)")
_LOGIN = re.compile(r"(?:ROOT )?LOGIN +(?:on|ON) '?(?:/dev/)?([^' ]+)'?(?: BY '?([^']+)'?)?(?: FROM \S+)?")
_FAILED_LOGIN = re.compile(
    r"(?:FAILED LOGIN|TOO MANY LOGIN TRIES) .*?(?:FROM|on) '?(?:/dev/)?([^' ]+)'? FOR '?(.*?)'?,.*"
)
REFUSED = b" ksmg["
"""In every line of the command; the others in the gateway's log are not looked at more closely."""
_COMMAND = re.compile(r"event=access_refused account=(\S+) origin=(\S+) verb=(\S+)")
_LONGEST = 64
"""Characters of an account's name; more is not a name."""


@dataclass(frozen=True)
class Refusal:
    """A sign-in, or a command, that was refused; they are counted, because anybody can cause any number of them."""

    time: float
    service: str
    origin: str
    account: str


def understand(line: str) -> SystemEvent | Refusal | None:
    """What a line says; None when it says nothing about who signed in."""
    parts = _LINE.fullmatch(line)
    reader = _READERS.get(parts[2]) if parts else None
    if parts is None or reader is None:
        return None
    try:
        when = datetime.fromisoformat(parts[1]).timestamp()
    except ValueError:
        return None
    return reader(when, parts[3])


def _ssh(when: float, text: str) -> SystemEvent | Refusal | None:
    if found := _ACCEPTED.fullmatch(text):
        detail = {"service": "ssh", "method": found[1], "key": found[4] or ""}
        return SystemEvent(Name.SIGNED_IN, detail, found[2], when, found[3])
    if found := _REFUSED.fullmatch(text):
        return Refusal(when, "ssh", found[2], found[1][:_LONGEST])
    if found := _NO_ACCOUNT.fullmatch(text):
        return Refusal(when, "ssh", found[1], "")
    return None


def _sudo(when: float, text: str) -> SystemEvent | Refusal | None:
    """The program that was run; its arguments stay in the log, because they may hold secrets."""
    found = _SUDO.fullmatch(text)
    if not found:
        return None
    account, cause, terminal, other, command = found.groups()
    detail = {"service": "sudo", "as": other, "program": command.split(" ")[0]}
    if cause:
        return SystemEvent(Name.PRIVILEGE_REFUSED, {**detail, "cause": cause}, account, when, terminal or "")
    return SystemEvent(Name.PRIVILEGE_USED, detail, account, when, terminal or "")


def _su(when: float, text: str) -> SystemEvent | Refusal | None:
    found = _SU.fullmatch(text)
    if not found:
        return None
    name = Name.PRIVILEGE_REFUSED if found[1] else Name.PRIVILEGE_USED
    return SystemEvent(name, {"service": "su", "as": found[2]}, found[3], when, found[4])


def _login(when: float, text: str) -> SystemEvent | Refusal | None:
    if found := _FAILED_LOGIN.fullmatch(text):
        return Refusal(when, "console", found[1], found[2][:_LONGEST])
    if found := _LOGIN.fullmatch(text):
        return SystemEvent(Name.SIGNED_IN, {"service": "console"}, found[2] or "root", when, found[1])
    return None


def _command(when: float, text: str) -> SystemEvent | Refusal | None:
    found = _COMMAND.fullmatch(text)
    return Refusal(when, "command", found[2].strip('"'), found[1].strip('"')[:_LONGEST]) if found else None


_READERS: dict[str, Callable[[float, str], SystemEvent | Refusal | None]] = {
    "sshd": _ssh,
    "sshd-session": _ssh,
    "sudo": _sudo,
    "su": _su,
    "login": _login,
    "ksmg": _command,
}
