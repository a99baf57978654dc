"""`ksmg backup` and `ksmg quarantine`: find, look at safely, take out, deliver, delete; each act is a system event."""

import json
import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from ksmg.cli import appliance, delivery, message_selection, stored_messages
from ksmg.cli.failure import ExitCode
from ksmg.cli.main import main
from ksmg.policy import DataPolicy
from ksmg.settings import Settings
from ksmg.stores.locations import open_backup, open_spam_quarantine, open_system_events
from ksmg.stores.message_store import MessageStore, StoredMessage, new_id
from ksmg.stores.system_events import Name, SystemEvent
from unit.moved_policy import moved_policy

BODY = b"Subject: hello\r\nFrom: a@x\r\n\r\nSee you \x1b[31mat nine\r\n"


@pytest.fixture
def policy(tmp_path: Path) -> DataPolicy:
    """The product's policy, its places moved below a temporary directory."""
    return moved_policy(tmp_path)


@pytest.fixture(autouse=True)
def here(policy: DataPolicy, monkeypatch: pytest.MonkeyPatch) -> None:
    """An appliance whose account is the one that runs the test, with a log daemon that takes nothing."""
    monkeypatch.setattr(appliance, "load_policy", lambda: policy)
    monkeypatch.setattr(appliance, "become", lambda _: None)
    monkeypatch.setattr(stored_messages, "Syslog", lambda _: SimpleNamespace(send=lambda *_: None))


@pytest.fixture(params=["backup", "quarantine"])
def verb(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def store(verb: str, policy: DataPolicy) -> Iterator[MessageStore]:
    opened = open_backup(policy) if verb == "backup" else open_spam_quarantine(policy, Settings({}))
    opened.open()
    yield opened
    opened.close()


Keep = Callable[..., StoredMessage]


@pytest.fixture
def keep(store: MessageStore, tmp_path: Path) -> Keep:
    def keep_one(sender: str = "a@x", recipients: tuple[str, ...] = ("b@y",), body: bytes = BODY) -> StoredMessage:
        file = tmp_path / "message.eml"
        file.write_bytes(body)
        entry = StoredMessage(
            new_id(), time.time(), len(body), "infected: Eicar", "Default", "4X", "<m>", "192.0.2.1", sender,
            recipients, "hello", ("infected",),
        )  # fmt: skip
        store.keep(entry, file).result(30)
        return entry

    return keep_one


@pytest.fixture
def delivered(monkeypatch: pytest.MonkeyPatch) -> list[tuple[bytes, str, tuple[str, ...]]]:
    """What was handed to Postfix."""
    handed: list[tuple[bytes, str, tuple[str, ...]]] = []
    monkeypatch.setattr(
        stored_messages, "deliver", lambda message, sender, to: handed.append((message.read(), sender, tuple(to)))
    )
    return handed


def printed(capsys: pytest.CaptureFixture[str], *arguments: str) -> Any:
    assert main(arguments) == ExitCode.DONE
    return json.loads(capsys.readouterr().out)


def last_event(policy: DataPolicy) -> SystemEvent:
    return open_system_events(policy, Settings({})).newest()[0]


def event_of(policy: DataPolicy, verb: str, act: str) -> SystemEvent:
    event = last_event(policy)
    assert event.name is Name[f"{verb.upper()}_{act}"]
    return event


def test_a_message_is_listed_and_its_entry_shown(verb: str, keep: Keep, capsys: pytest.CaptureFixture[str]) -> None:
    kept = keep()
    (listed,) = printed(capsys, verb, "list", "--json")
    assert (listed["id"], listed["sender"], listed["recipients"]) == (kept.id, "a@x", ["b@y"])
    assert printed(capsys, verb, "show", kept.id, "--json") == listed
    assert main([verb, "list"]) == ExitCode.DONE
    assert "infected: Eicar" in capsys.readouterr().out


@pytest.mark.parametrize(
    "options",
    [
        ["--from", "anna"], ["--to", "boris"], ["--recipient", "BORIS"], ["--ip", "192.0.2.1", "--from", "anna"],
        ["--subject", "hello", "--from", "anna"], ["--status", "infected", "--from", "anna"],
        ["--reason", "Eicar", "--from", "anna"], ["--since", "1h", "--from", "anna"],
    ],
)  # fmt: skip
def test_the_list_is_searched(verb: str, keep: Keep, options: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    wanted = keep("anna@x", ("boris@y",))
    keep("carla@x", ("dora@y",))
    assert [found["id"] for found in printed(capsys, verb, "list", *options, "--json")] == [wanted.id]


def test_a_message_is_shown_without_what_steers_a_terminal(
    verb: str, keep: Keep, policy: DataPolicy, capsys: pytest.CaptureFixture[str]
) -> None:
    kept = keep()
    assert main([verb, "show", kept.id]) == ExitCode.DONE
    shown = capsys.readouterr().out
    assert "Subject: hello" in shown
    assert "See you" in shown
    assert "\x1b" not in shown
    assert kept.id in event_of(policy, verb, "VIEWED").detail.values()


def test_the_original_is_shown_as_it_was_received(
    verb: str, keep: Keep, policy: DataPolicy, capfdbinary: pytest.CaptureFixture[bytes]
) -> None:
    kept = keep()
    assert main([verb, "show", "--raw", kept.id]) == ExitCode.DONE
    assert capfdbinary.readouterr().out == BODY
    event_of(policy, verb, "VIEWED")


def test_a_message_that_is_not_there_is_told(
    verb: str, store: MessageStore, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([verb, "show", "nothing"]) == ExitCode.NOT_FOUND
    assert "has no message nothing." in capsys.readouterr().err


def test_the_original_is_written_to_a_new_file(verb: str, keep: Keep, policy: DataPolicy, tmp_path: Path) -> None:
    kept, file = keep(), tmp_path / "taken.eml"
    assert main([verb, "download", kept.id, str(file)]) == ExitCode.DONE
    assert file.read_bytes() == BODY
    assert file.stat().st_mode & 0o777 == 0o600
    assert event_of(policy, verb, "DOWNLOADED").detail["file"] == str(file)


def test_a_download_that_fails_leaves_no_file(verb: str, store: MessageStore, tmp_path: Path) -> None:
    assert main([verb, "download", "nothing", str(tmp_path / "taken.eml")]) == ExitCode.NOT_FOUND
    assert not (tmp_path / "taken.eml").exists()


@pytest.mark.parametrize("name", ["deliver", "release"])
def test_messages_are_delivered_and_then_decided(
    verb: str, keep: Keep, store: MessageStore, policy: DataPolicy, delivered: list[Any], name: str
) -> None:
    kept = [keep(), keep("c@x", ("d@y", "e@y"))]
    assert main([verb, name, *(one.id for one in kept)]) == ExitCode.DONE
    assert delivered == [(BODY, "a@x", ("b@y",)), (BODY, "c@x", ("d@y", "e@y"))]
    assert event_of(policy, verb, "RELEASED").detail["recipients"] == ["d@y", "e@y"]
    assert {found.decided for found in store.search().messages} == {True}


def test_a_message_is_delivered_to_another_address(verb: str, keep: Keep, delivered: list[Any]) -> None:
    assert main([verb, "deliver", keep().id, "--to", "admin@x"]) == ExitCode.DONE
    assert delivered == [(BODY, "a@x", ("admin@x",))]


def test_a_message_without_recipients_needs_an_address(verb: str, keep: Keep, delivered: list[Any]) -> None:
    assert main([verb, "deliver", keep(recipients=()).id]) == ExitCode.FAILED
    assert delivered == []


def test_all_that_match_are_delivered(verb: str, keep: Keep, delivered: list[Any]) -> None:
    keep("anna@x")
    keep("carla@x")
    assert main([verb, "deliver", "--all-matching", "--from", "anna", "--yes"]) == ExitCode.DONE
    assert [sender for _, sender, _ in delivered] == ["anna@x"]


def test_deleted_messages_are_gone(verb: str, keep: Keep, store: MessageStore, policy: DataPolicy) -> None:
    deleted, left = keep(), keep()
    assert main([verb, "delete", deleted.id]) == ExitCode.DONE
    assert [found.id for found in store.search().messages] == [left.id]
    assert deleted.id in event_of(policy, verb, "DELETED").detail.values()


def test_many_deleted_messages_are_one_event(verb: str, keep: Keep, store: MessageStore, policy: DataPolicy) -> None:
    deleted = [keep(), keep()]
    assert main([verb, "delete", "--all-matching", "--yes"]) == ExitCode.DONE
    assert store.search().messages == ()
    assert set(event_of(policy, verb, "DELETED").detail["ids"]) == {one.id for one in deleted}


@pytest.mark.parametrize(("answer", "left"), [("y", 0), ("n", 2), ("", 2)])
def test_who_deletes_many_is_asked(
    verb: str, keep: Keep, store: MessageStore, answer: str, left: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    keep()
    keep()
    monkeypatch.setattr("sys.stdin", SimpleNamespace(isatty=lambda: True))
    monkeypatch.setattr(message_selection, "input", lambda _: answer, raising=False)
    main([verb, "delete", "--all-matching"])
    assert len(store.search().messages) == left


def test_without_anybody_to_ask_nothing_is_deleted(verb: str, keep: Keep, store: MessageStore) -> None:
    keep()
    assert main([verb, "delete", "--all-matching"]) == ExitCode.FAILED
    assert len(store.search().messages) == 1


@pytest.mark.parametrize("arguments", [[], ["1", "--all-matching"], ["1", "--from", "anna"], ["--from", "anna"]])
def test_it_must_be_clear_which_messages_are_meant(verb: str, store: MessageStore, arguments: list[str]) -> None:
    assert main([verb, "delete", *arguments]) == ExitCode.USAGE


def sendmail(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, script: str) -> Path:
    """A program in place of sendmail; its input and arguments are where this says."""
    program, taken = tmp_path / "sendmail", tmp_path / "taken"
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(0o755)
    monkeypatch.setattr(delivery, "SENDMAIL", str(program))
    monkeypatch.setenv("TAKEN", str(taken))
    return taken


def test_postfix_gets_the_message_with_its_envelope(
    keep: Keep, store: MessageStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    taken = sendmail(tmp_path, monkeypatch, 'echo "$@" > "$TAKEN"; cat >> "$TAKEN"')
    with store.read(keep(body=b"x" * 300_000)) as message:
        delivery.deliver(message, "a@x", ["b@y", "c@y"])
    assert taken.read_bytes() == b"-i -f a@x -- b@y c@y\n" + b"x" * 300_000


def test_a_postfix_that_refuses_is_told(
    verb: str, keep: Keep, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    sendmail(tmp_path, monkeypatch, "echo queue full >&2; exit 75")
    assert main([verb, "deliver", keep(body=os.urandom(300_000)).id]) == ExitCode.FAILED
    assert "queue full" in capsys.readouterr().err
