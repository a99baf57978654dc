"""Sends a marked infected message to this machine's mail server and looks where the marker is afterwards.

Argument: {"recipient": address, "marker": word, "log": the mail log}. The marker becomes the name of the sender,
the subject and a part of the text.
Answer: {"reply": code, "files": [changed files that hold the marker], "journal": [its lines that do]}.
"""

import contextlib
import json
import os
import smtplib
import subprocess
import sys
import time
from typing import Any

TOPS = ("/var", "/run", "/tmp", "/etc", "/home", "/root", "/dev/shm")
VIRUS = "".join(["X5O!P%@AP[4", "\\PZX54(P^)7CC)7}", "$EICAR-STANDARD", "-ANTIVIRUS-TEST-FILE!", "$H+H*"])
SETTLE_LIMIT = 20.0


def deliver(recipient: str, marker: str) -> int:
    """The server's answer to the message."""
    sender = f"{marker}@partner.test"
    fields = [f"From: {sender}", f"To: {recipient}", f"Subject: {marker}", f"Message-ID: <{sender}>"]
    message = "\r\n".join([*fields, "", VIRUS, marker, ""])
    with smtplib.SMTP("127.0.0.1", 25, local_hostname="localhost.localdomain", timeout=120) as server:
        try:
            server.sendmail(sender, [recipient], message)
        except smtplib.SMTPDataError as refused:
            return int(refused.smtp_code)
    return 250


def changed_files(since: float) -> list[str]:
    """Regular files that were written since then."""
    found = []
    for top in TOPS:
        for directory, _, names in os.walk(top):
            for name in names:
                path = os.path.join(directory, name)
                with contextlib.suppress(OSError):
                    if os.path.isfile(path) and not os.path.islink(path) and os.lstat(path).st_mtime >= since - 1:
                        found.append(path)
    return found


def holding(paths: list[str], marker: str) -> list[str]:
    """Those that hold the marker, as it is or as UTF-16."""
    wanted = (marker.encode(), marker.encode("utf-16-le"))
    found = []
    for path in paths:
        with contextlib.suppress(OSError), open(path, "rb") as file:
            content = file.read()
            if any(form in content for form in wanted):
                found.append(path)
    return found


def settle(marker: str, file: str) -> None:
    """Wait until the mail server's log has the end of the session: later writers are done then, too."""
    deadline = time.monotonic() + SETTLE_LIMIT
    while time.monotonic() < deadline and not holding([file], marker):
        time.sleep(0.2)


def main() -> None:
    wanted: dict[str, Any] = json.loads(sys.argv[1])
    began = time.time()
    reply = deliver(wanted["recipient"], wanted["marker"])
    settle(wanted["marker"], wanted["log"])
    journal = subprocess.run(["journalctl", "--no-pager", "--output=export"], capture_output=True, check=True).stdout
    lines = [line.decode(errors="replace") for line in journal.splitlines() if wanted["marker"].encode() in line]
    print(json.dumps({"reply": reply, "files": holding(changed_files(began), wanted["marker"]), "journal": lines}))


if __name__ == "__main__":
    main()
