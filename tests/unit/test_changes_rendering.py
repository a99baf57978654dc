"""Changes as packets and as a file: the mail server and a copy give the same message."""

import errno
import tracemalloc
from pathlib import Path
from typing import BinaryIO

import pytest
from ksmg.changes import Changes, HeaderEdit, Kind, packets, plan, write_copy
from ksmg.changes.html import insert_html
from ksmg.changes.rendering import received
from ksmg.mail.envelope import Client, Envelope
from ksmg.milter.packets import Packet
from ksmg.rules.treatment import Decision
from unit.changes_samples import (
    BOTTOM,
    HTML,
    PDF,
    PLAIN,
    TOP,
    crlf,
    inserting,
    message,
    message_of,
    multipart,
    removing,
    simple,
    spool,
    structure_of,
    tagging,
)

Fields = list[tuple[bytes, bytes]]


def as_postfix_does(content: bytes, sent: list[Packet]) -> bytes:
    """What the mail server makes of a message and packets."""
    head, _, body = content.partition(b"\r\n\r\n")
    lines = head.replace(b"\r\n ", b"\n ").split(b"\r\n")
    fields: Fields = [(name, value) for name, _, value in (line.partition(b":") for line in lines)]
    new_body = b"".join(packet.data for packet in sent if packet.command == b"b") or body
    for packet in sent:
        if packet.command == b"h":
            name, value, _ = packet.data.split(b"\0")
            fields.append((name, value))
        elif packet.command == b"m":
            name, value, _ = packet.data[4:].split(b"\0")
            same = [n for n, field in enumerate(fields) if field[0].lower() == name.lower()]
            place = same[int.from_bytes(packet.data[:4], "big") - 1]
            fields[place : place + 1] = [(name, value)] if value else []
    lines = [name + b":" + value.replace(b"\n", b"\r\n") + b"\r\n" for name, value in fields]
    return b"".join(lines) + b"\r\n" + new_body


@pytest.mark.parametrize(
    "decision",
    [tagging("[SPAM]", "[Ü]", headers=(("X-A", "b" * 200),)), inserting(TOP, BOTTOM), removing(0), removing(2)],
)
@pytest.mark.parametrize(
    "content",
    [
        message(multipart("mixed", "m", multipart("alternative", "a", PLAIN, HTML), PDF)),
        simple("Content-Type: text/plain\nX-Spam-Flag: a\nx-spam-flag: b\nContent-type: b/c\n", b"x\r\n"),
        simple("Content-Type: application/pdf;\n name=a.pdf\nContent-Language: de\n", b"%PDF" + b"\xff" * 200_000),
    ],
)
def test_a_copy_is_what_the_mail_server_makes(tmp_path: Path, content: bytes, decision: Decision) -> None:
    if max(decision.removed_parts, default=0) >= len(structure_of(content).parts):
        decision = removing(0)
    with spool(tmp_path, content) as spooled:
        received = message_of(spooled)
        changes = plan(received, structure_of(content), decision, tmp_path)
        write_copy(received, changes, tmp_path / "copy")
    assert as_postfix_does(content, list(packets(changes))) == (tmp_path / "copy").read_bytes()


def test_without_changes_a_copy_is_the_message(tmp_path: Path) -> None:
    content = simple("X: a\n\tb\nX:\n", b"body")
    with spool(tmp_path, content) as spooled:
        write_copy(message_of(spooled), Changes(), tmp_path / "copy")
    assert (tmp_path / "copy").read_bytes() == content
    assert (tmp_path / "copy").stat().st_mode & 0o777 == 0o600


def test_a_copy_says_from_whom_it_was_received(tmp_path: Path) -> None:
    with spool(tmp_path, message(PLAIN)) as spooled:
        write_copy(message_of(spooled), Changes(), tmp_path / "copy", "gw1.example.test")
    assert (tmp_path / "copy").read_bytes().startswith(b"Received: from unknown (unknown)\r\n\tby gw1.example.test (")


@pytest.mark.parametrize("text", ["a.example", "[IPv6:2001:db8::1]", "a)\r\nBcc: x", "ü", "", "a b"])
def test_a_trace_has_one_form_whatever_the_client_says(text: str) -> None:
    client = Client("2001:db8::1", text.encode(), text.encode())
    value = received(Envelope(client, b"", queue_id="4XyZ1"), "gw1.example.test", 0).value.decode()
    name = text if text in ("a.example", "[IPv6:2001:db8::1]") else "unknown"
    assert value.split("\n\t") == [
        f" from {name} ({name} [2001:db8::1])",
        "by gw1.example.test (gateway) id 4XyZ1;",
        "Thu, 01 Jan 1970 00:00:00 +0000",
    ]


def test_a_first_field_is_put_first(tmp_path: Path) -> None:
    changes = Changes((HeaderEdit(Kind.INSERT_FIRST, b"X-A", 1, b" b\n c"),))
    assert list(packets(changes)) == [Packet(b"i", b"\0\0\0\0X-A\0 b\n c\0")]
    with spool(tmp_path, message(PLAIN)) as spooled:
        write_copy(message_of(spooled), changes, tmp_path / "copy")
    assert (tmp_path / "copy").read_bytes().startswith(b"X-A: b\r\n c\r\nFrom:")


def test_the_new_body_is_its_owners_alone_until_it_is_discarded(tmp_path: Path) -> None:
    content = message(PLAIN)
    with spool(tmp_path, content) as spooled:
        changes = plan(message_of(spooled), structure_of(content), inserting(TOP), tmp_path)
    assert changes.body is not None
    assert changes.body.stat().st_mode & 0o777 == 0o600
    changes.discard()
    assert list(tmp_path.iterdir()) == []


def test_a_full_disk_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> BinaryIO:
        raise OSError(errno.ENOSPC, "No space left on device")

    content = message(PLAIN)
    with spool(tmp_path, content) as spooled:
        monkeypatch.setattr("ksmg.changes.rewriting._copied", full)
        with pytest.raises(OSError, match="No space"):
            plan(message_of(spooled), structure_of(content), inserting(TOP), tmp_path)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("document", "result"),
    [
        ("", "TB"),
        ("text", "TtextB"),
        ("<HTML><BODY\nclass='>'>x</BODY></HTML>", "<HTML><BODY\nclass='>'>TxB</BODY></HTML>"),
        ("<!doctype html><p>x", "<!doctype html>T<p>xB"),
        ("<html><head><title></body></title></head>x", "<html><head><title></body></title></head>TxB"),
        ("<html>x</html>", "<html>TxB</html>"),
        ("<!-- <body> --><body>x<!-- </body> --></body>", "<!-- <body> --><body>Tx<!-- </body> -->B</body>"),
        ("<!--><body>x-->", "<!--><body>Tx-->B"),
        ("<!-- <body>x", "T<!-- <body>xB"),
        ("<script>'<body>'</script>x", "T<script>'<body>'</script>xB"),
        ("<template><body></template>x", "T<template><body></template>xB"),
        ("<body>a</body><body>b</body>c", "<body>Ta</body><body>bB</body>c"),
        ("<bodyx>y", "T<bodyx>yB"),
        ("<body", "T<bodyB"),
        ("</body>x<body>y", "</body>x<body>TyB"),
    ],
)
def test_html_has_a_beginning_and_an_end_however_broken(document: str, result: str) -> None:
    assert insert_html(document, "T", "B") == result


@pytest.mark.parametrize(
    "piece", ["<body ", "<!-- -->", "<!--", "<body>", "<script>", "</body>", '<body a="', "<title>x</title>"]
)
def test_hostile_html_takes_no_more_time_than_its_length(piece: str) -> None:
    document = piece * (2_000_000 // len(piece))
    assert len(insert_html(document, "T", "B")) == len(document) + 2


def test_hostile_fields_take_no_more_time_than_their_length(tmp_path: Path) -> None:
    content = simple("Content-Type: text/plain" + ';a="' * 20_000 + "\n" + "X: y\n z\n" * 5_000, crlf("x\n"))
    with spool(tmp_path, content) as spooled:
        changes = plan(message_of(spooled), structure_of(content), inserting(TOP), tmp_path)
    assert changes.body is not None


def test_a_new_body_is_never_in_memory_as_a_whole_and_outlives_its_file(tmp_path: Path) -> None:
    body = tmp_path / "body"
    body.write_bytes(bytes(20_000_000))
    changes = Changes(body=body)
    answer = packets(changes)
    changes.discard()
    tracemalloc.start()
    sent = sum(len(packet.data) for packet in answer)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert (sent, body.exists()) == (20_000_000, False)
    assert peak < 1_000_000
