"""Tries, as every account of this machine, to list, read and write places: what they can do, not what mode bits say.

Argument: {"places": {name: {"path", "kind", "writer", "mode"}}, "sandboxes": {unit: account}}; a kind is `directory`,
`file` or `log`. Answer: {"accounts": {account: {name: [rights]}}, "sandboxes": {unit: {name: [rights]}},
"absent": [names]}; a right is list, read, write or pass. In a directory that keeps data, a canary file lies for the
time of the trial.
"""

import contextlib
import json
import os
import pwd
import subprocess
import sys
from collections.abc import Callable
from typing import Any

CANARY = "canary.probe"


def attempt(action: Callable[[], object]) -> bool:
    try:
        action()
    except OSError:
        return False
    return True


def open_and_close(path: str, flags: int, mode: int = 0) -> None:
    os.close(os.open(path, flags, mode))


def create(path: str) -> None:
    open_and_close(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o640)
    os.unlink(path)


def rights(place: dict[str, Any], account: str) -> list[str]:
    """Everything that the calling process can do there."""
    path: str = place["path"]
    trials: list[tuple[str, Callable[[], object]]] = []
    if place["kind"] == "directory":
        canary = os.path.join(path, CANARY)
        trials += [
            ("list", lambda: os.listdir(path)),
            ("pass", lambda: os.stat(os.path.join(path, "."))),
            ("read", lambda: open_and_close(canary, os.O_RDONLY)),
            ("write", lambda: create(os.path.join(path, "new-" + account + ".probe"))),
            ("write", lambda: open_and_close(canary, os.O_WRONLY)),
        ]
    else:
        trials += [
            ("read", lambda: open_and_close(path, os.O_RDONLY)),
            ("write", lambda: open_and_close(path, os.O_WRONLY | os.O_APPEND)),
        ]
    return sorted({right for right, action in trials if attempt(action)})


def as_account(account: str, action: Callable[[], Any], namespace_of: int | None = None) -> Any:
    """The action's answer, given by a child process that has become the account (inside another process's mounts)."""
    entry = pwd.getpwnam(account)
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            if namespace_of:
                with open(f"/proc/{namespace_of}/ns/mnt") as namespace:
                    os.setns(namespace.fileno(), os.CLONE_NEWNS)  # type: ignore[attr-defined]  # Python 3.12
            if entry.pw_uid:
                os.initgroups(account, entry.pw_gid)
                os.setgid(entry.pw_gid)
                os.setuid(entry.pw_uid)
            os.write(writer, json.dumps(action()).encode())
        finally:
            os._exit(0)
    os.close(writer)
    with open(reader) as answer:
        text = answer.read()
    os.waitpid(child, 0)
    return json.loads(text)


def place_canary(place: dict[str, Any]) -> str | None:
    """Puts data where the writer would put it; returns what to remove afterwards."""
    path: str = os.path.join(place["path"], CANARY) if place["kind"] == "directory" else place["path"]
    if os.path.lexists(path):
        return None
    if not os.path.isdir(os.path.dirname(path)):
        return None
    as_account(place["writer"], lambda: attempt(lambda: open_and_close(path, os.O_WRONLY | os.O_CREAT, place["mode"])))
    return path


def main_pid(unit: str) -> int:
    shown = subprocess.run(["systemctl", "show", "-P", "MainPID", unit], capture_output=True, text=True, check=True)
    return int(shown.stdout)


def every_place(places: dict[str, Any], account: str) -> Callable[[], dict[str, list[str]]]:
    return lambda: {name: rights(place, account) for name, place in places.items()}


def trial(wanted: dict[str, Any]) -> dict[str, Any]:
    places = wanted["places"]
    answer: dict[str, Any] = {"accounts": {}, "sandboxes": {}, "absent": []}
    answer["absent"] = [name for name, place in places.items() if not os.path.lexists(place["path"])]
    for account in sorted({entry.pw_name for entry in pwd.getpwall()}):
        answer["accounts"][account] = as_account(account, every_place(places, account))
    for unit, account in wanted["sandboxes"].items():
        pid = main_pid(unit)
        answer["sandboxes"][unit] = as_account(account, every_place(places, account), pid) if pid else None
    return answer


def main() -> None:
    wanted = json.loads(sys.argv[1])
    os.umask(0)
    canaries = []
    try:
        for place in wanted["places"].values():
            canaries.append(place_canary(place))
        print(json.dumps(trial(wanted)))
    finally:
        for path in filter(None, canaries):
            with contextlib.suppress(FileNotFoundError):
                os.unlink(path)


if __name__ == "__main__":
    main()
