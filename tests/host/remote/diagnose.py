"""Seeds secrets, has a marked message pass with every trace at debug, collects archives and looks into them.

Argument: {"recipient": address, "accounts": [names], "traces": [directories], "settings": file, "keys": [directories],
"archives": directory, "events": file}. Answer: see `main`. Afterwards levels, settings and traces are as they were.
"""

import base64
import contextlib
import glob
import io
import json
import os
import pathlib
import pwd
import secrets
import smtplib
import subprocess
import sys
import tarfile
import time
from collections.abc import Callable, Iterator
from typing import Any

VIRUS = "".join(["X5O!P%@AP[4", "\\PZX54(P^)7CC)7}", "$EICAR-STANDARD", "-ANTIVIRUS-TEST-FILE!", "$H+H*"])
PASSPHRASE = "the passphrase of this test"
COMPONENTS = ("filter", "inspect", "submit", "web", "command", "antivirus", "antispam", "milter")
DAY = 86_400
LIMIT = 120.0


def run(*command: str, **options: Any) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(command, capture_output=True, check=False, timeout=300, **options)


def wait(condition: Callable[[], bool]) -> bool:
    """Whether it becomes true within the limit."""
    end = time.monotonic() + LIMIT
    while time.monotonic() < end:
        if condition():
            return True
        time.sleep(0.5)
    return False


def send(recipient: str) -> str:
    """Sends an infected message, which Backup keeps; returns the word that its body holds."""
    marker = "body" + secrets.token_hex(12)
    fields = ["From: a@partner.test", f"To: {recipient}", "Subject: traced", f"Message-ID: <{secrets.token_hex(6)}@x>"]
    message = "\r\n".join([*fields, "", VIRUS, marker, ""])
    server = smtplib.SMTP("127.0.0.1", 25, local_hostname="localhost.localdomain", timeout=120)
    with server, contextlib.suppress(smtplib.SMTPDataError):
        server.sendmail("a@partner.test", [recipient], message)
    return marker


def holding(marker: str, tops: tuple[str, ...] = ("/var", "/run", "/tmp", "/etc", "/root", "/dev/shm")) -> list[str]:
    """Files that hold the marker."""
    found = run("grep", "--recursive", "--files-with-matches", "--devices=skip", "--fixed-strings", marker, *tops)
    return sorted(found.stdout.decode().split("\n")[:-1])


def set_levels(level: str) -> None:
    for component in COMPONENTS:
        run("ksmg", "trace", "set", component, level)


def known_secrets(argument: dict[str, Any]) -> dict[str, bytes]:
    """A part of each secret of this machine, which must be in no archive."""
    found: dict[str, bytes] = {}
    for top in (*argument["keys"], "/etc/ssh", "/etc/ssl/private", "/root/.ssh"):
        for path in glob.glob(f"{top}/**", recursive=True):
            if os.path.isfile(path):
                content = pathlib.Path(path).read_bytes()
                if b"PRIVATE KEY" in content:
                    found[path] = content.splitlines()[2]
                elif "/authorized_keys" in path and len(content.split()) > 1:
                    found[path] = content.split()[1]
    for line in pathlib.Path("/etc/shadow").read_text().splitlines():
        if line.split(":")[1].startswith("$"):
            found[f"shadow {line.split(':')[0]}"] = line.split(":")[1].encode()
    return found


@contextlib.contextmanager
def seeded(argument: dict[str, Any]) -> Iterator[dict[str, bytes]]:
    """The machine with an administrator's password, keys in every place for keys, and what they are."""
    settings, before = pathlib.Path(argument["settings"]), pathlib.Path(argument["settings"]).read_bytes()
    owner, word = settings.stat(), base64.b64encode(secrets.token_bytes(32)).decode().rstrip("=").encode()
    document = {**json.loads(before), "admin_password_hash": f"$scrypt$ln=15,r=8,p=1$c2FsdHNhbHQ${word.decode()}"}
    key = run("openssl", "genpkey", "-algorithm", "ed25519").stdout
    planted = [pathlib.Path(directory) / "planted.pem" for directory in argument["keys"]]
    try:
        settings.write_text(json.dumps(document))
        for path in planted:
            path.write_bytes(key)
        yield {"admin_password_hash": word, "planted key": key.splitlines()[1], **known_secrets(argument)}
    finally:
        settings.write_bytes(before)
        os.chown(settings, owner.st_uid, owner.st_gid)
        for path in planted:
            path.unlink(missing_ok=True)


def collect(*options: str) -> tuple[str, dict[str, bytes]]:
    """A new archive, and what plain OpenSSL finds in it."""
    before = set(glob.glob(f"{ARCHIVES}/*.pem"))
    done = run("ksmg", "diag", "collect", "--passphrase-file", "-", *options, input=PASSPHRASE.encode() + b"\n")
    if done.returncode:
        raise RuntimeError(done.stderr.decode())
    path = (set(glob.glob(f"{ARCHIVES}/*.pem")) - before).pop()
    opened = run(
        "openssl", "cms", "-decrypt", "-binary", "-inform", "PEM", "-in", path, "-inkey", path,
        "-passin", "stdin", input=PASSPHRASE.encode() + b"\n",
    )  # fmt: skip
    with tarfile.open(fileobj=io.BytesIO(opened.stdout)) as tar:
        return path, {member.name: (tar.extractfile(member) or io.BytesIO()).read() for member in tar}


def attempts(account: str, path: str) -> dict[str, Any]:
    """What an account gets when it tries."""

    def as_account(*command: str) -> int:
        entry = pwd.getpwnam(account)
        return run(*command, user=entry.pw_uid, group=entry.pw_gid, extra_groups=[]).returncode

    return {
        "collect": as_account("ksmg", "diag", "collect", "--passphrase-file", "/dev/null"),
        "list": as_account("ksmg", "diag", "list"),
        "dumps": as_account("ksmg", "dumps", "enable"),
        "read": as_account("cat", path),
    }


def age(path: str) -> dict[str, Any]:
    """Whether the unit leaves an archive of 23 hours alone, and deletes and overwrites one of a day."""
    states = []
    with open(path, "rb") as opened:
        for hours in (23, 24):
            os.utime(path, (time.time() - hours * 3600,) * 2)
            run("systemctl", "start", "ksmg-diagnostics-expire.service")
            states.append(os.path.exists(path))
        overwritten = not any(opened.read())
    return {"after 23 hours": states[0], "after 24 hours": states[1], "overwritten": overwritten}


def traced(recipient: str, directories: list[str]) -> dict[str, Any]:
    """Where a message's body is while traces are at debug, and how traces grow when they are off again."""
    seen: list[str] = []

    def arrives() -> bool:
        seen.append(send(recipient))
        return wait_for_trace(seen[-1], directories)

    set_levels("debug")
    reached = wait(arrives)
    files = holding(seen[-1])
    return {"reached": reached, "files": files, "marker": seen[-1]}


def wait_for_trace(marker: str, directories: list[str]) -> bool:
    end = time.monotonic() + 3
    while time.monotonic() < end:
        if holding(marker, tuple(directories)):
            return True
        time.sleep(0.3)
    return False


def growth(recipient: str, directories: list[str]) -> int:
    """Bytes that traces grow by for a message, once they are off."""
    set_levels("off")
    sizes: list[int] = []

    def still() -> bool:
        before = total(directories)
        send(recipient)
        time.sleep(1)
        sizes.append(total(directories) - before)
        return sizes[-1] == 0

    wait(still)
    return sizes[-1]


def total(directories: list[str]) -> int:
    return sum(os.path.getsize(path) for top in directories for path in glob.glob(f"{top}/*.log*"))


def searched(members: dict[str, bytes], words: dict[str, bytes]) -> dict[str, list[str]]:
    return {name: [m for m, content in members.items() if word in content] for name, word in words.items()}


def main(argument: dict[str, Any]) -> dict[str, Any]:
    global ARCHIVES  # noqa: PLW0603 - a program of one file
    ARCHIVES = argument["archives"]
    try:
        trace = traced(argument["recipient"], argument["traces"])
        with seeded(argument) as words:
            path, plain = collect()
            full_path, full = collect("--with-messages")
        facts = os.stat(path)
        answer = {
            "trace": trace,
            "mode": oct(facts.st_mode & 0o7777),
            "owner": [facts.st_uid, facts.st_gid],
            "name": os.path.basename(path),
            "secrets": {**searched(plain, words), **{f"{k} (full)": v for k, v in searched(full, words).items()}},
            "members": sorted(plain),
            "plain": searched(plain, {"body": trace["marker"].encode()})["body"],
            "full": searched(full, {"body": trace["marker"].encode()})["body"],
            "on_disk": holding(PASSPHRASE),
            "attempts": {account: attempts(account, path) for account in argument["accounts"]},
            "age": age(path),
            "dumps_over_ssh": run("ksmg", "dumps", "enable").returncode,
            "events": run("ksmg", "events", "--system", "--json", "--limit", "30").stdout.decode(),
        }
        run("ksmg", "diag", "delete", os.path.basename(full_path))
        answer["deleted"] = not os.path.exists(full_path)
        answer["growth"] = growth(argument["recipient"], argument["traces"])
    finally:
        set_levels("off")
        for component in COMPONENTS:
            run("ksmg", "trace", "delete", component)
    return answer


ARCHIVES = ""
print(json.dumps(main(json.loads(sys.argv[1]))))
