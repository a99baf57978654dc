"""Keeps small stores of the gateway's at their caps and a log at the end of its parts, until the power fails; or looks
what was left of them.

Argument: {"directory": where the stores are, "log": path, "priority": of syslog, "seconds": to fill, or 0 to look}.
Filling prints a JSON line for each batch that a store said to have: {"store": its name, "newest": number of the last
entry, "evicts": whether its first entries are gone}.
"""

import json
import os
import pathlib
import shutil
import socket
import sys
import threading
import time
from typing import Any

from ksmg.audit.promise import JOURNAL_SOCKET
from ksmg.policy import load_policy
from ksmg.retention.log_parts import log_parts
from ksmg.stores.locations import gateway_account
from ksmg.stores.message_events import MessageEvent, MessageEventLog
from ksmg.stores.message_store import EVERYTHING, MessageStore, StoredMessage, new_id
from ksmg.system.account import become

CAPS = {"messages": 6_000_000, "events": 4_000_000}
BATCH = {"messages": 20, "events": 100}
SEGMENTS = {"messages": "*.segment", "events": "*.sqlite"}
BODY = 20_000
LINE, PAUSE = 7_000, 0.005
NICE = 10
SYSLOG = JOURNAL_SOCKET.partition(":")[0]


def message(number: int) -> StoredMessage:
    return StoredMessage(
        id=new_id(), time=time.time(), size=BODY, reason="copied", rule="Default", queue_id=str(number),
        message_id=f"<{number}@partner.test>", client_ip="192.0.2.1", sender="anna@partner.test",
        recipients=("boris@example.test",), subject="Plan",
    )  # fmt: skip


def event(number: int) -> MessageEvent:
    return MessageEvent(
        id=new_id(), time=time.time(), node="gw1", queue_id=str(number), message_id=f"<{number}@partner.test>",
        client_ip="192.0.2.1", client_name="", helo="", account="", sender="anna@partner.test",
        recipients=("boris@example.test",) * 20, subject="Plan", size=BODY, attachments=(), rule="Default", verdicts=(),
        action="deliver", reply="", backup_id="", milliseconds=1.0,
    )  # fmt: skip


def keep_messages(store: MessageStore, numbers: range) -> None:
    for future in [store.keep(message(number), os.urandom(BODY)) for number in numbers]:
        future.result()


def fill(place: pathlib.Path, add: Any, deadline: float) -> None:
    number, first = 0, place
    while time.monotonic() < deadline:
        add(range(number + 1, number + BATCH[place.name] + 1))
        if not number:
            first = min(place.glob(SEGMENTS[place.name]))
        number += BATCH[place.name]
        print(json.dumps({"store": place.name, "newest": number, "evicts": not first.exists()}), flush=True)


def flood(priority: int, deadline: float) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as daemon:
        daemon.connect(SYSLOG)
        while time.monotonic() < deadline:
            daemon.send(f"<{priority}>evict: ".ljust(LINE, ".").encode())
            time.sleep(PAUSE)


def fill_all(place: pathlib.Path, asked: dict[str, Any]) -> None:
    """Stores as the gateway's account, the log as root; all at a time, and mail before them."""
    os.nice(NICE)
    deadline = time.monotonic() + asked["seconds"]
    if os.fork() == 0:
        flood(asked["priority"], deadline)
        os._exit(0)
    become(gateway_account(load_policy()))
    store = MessageStore(place / "messages", CAPS["messages"])
    events = MessageEventLog(place / "events", 3, CAPS["events"])
    store.open()
    messages = threading.Thread(
        target=fill, args=(place / "messages", lambda numbers: keep_messages(store, numbers), deadline), daemon=True
    )
    messages.start()
    fill(place / "events", lambda numbers: events.add(map(event, numbers)), deadline)
    messages.join()


def looked(place: pathlib.Path, log: pathlib.Path) -> dict[str, Any]:
    """What is in the stores when they were opened once, as the gateway does at its start."""
    found: dict[str, Any] = {"unfinished": sorted(path.name for path in place.glob("*/*.evicted"))}
    store = MessageStore(place / "messages", CAPS["messages"])
    store.open()
    store.close()
    messages = list(store.every(EVERYTHING))
    for entry in messages:
        with store.read(entry) as original:
            assert len(original.read()) == BODY
    events = MessageEventLog(place / "events", 3, CAPS["events"])
    events.add([event(0)])
    events.finish_erasing()
    numbers: list[int] = []
    place_of_next = ""
    while not numbers or place_of_next:
        page = events.page(limit=1000, before=place_of_next)
        assert not page.unreadable
        numbers += [int(entry.queue_id) for entry in page.events]
        place_of_next = page.before
    found["numbers"] = {"messages": [int(entry.queue_id) for entry in messages], "events": numbers[1:]}
    found["caps"] = CAPS
    found["bytes"] = {name: used(place / name) for name in CAPS}
    found["files"] = {name: sorted(path.name for path in (place / name).iterdir()) for name in CAPS}
    parts = [*log_parts(log), log]
    found["parts"] = [path.name for path in parts]
    found["once"] = len({path.stat().st_ino for path in parts}) == len(parts)
    return found


def used(directory: pathlib.Path) -> int:
    return sum(path.stat().st_blocks * 512 for path in directory.iterdir())


def main() -> None:
    asked = json.loads(sys.argv[1])
    place = pathlib.Path(asked["directory"])
    if asked["seconds"]:
        account = gateway_account(load_policy())
        for name in CAPS:
            (place / name).mkdir(parents=True)
            for path in (place, place / name):
                shutil.chown(path, account, account)
        fill_all(place, asked)
    else:
        become(gateway_account(load_policy()))
        json.dump(looked(place, pathlib.Path(asked["log"])), sys.stdout)


main()
