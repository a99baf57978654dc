"""Removed attachments: a text that names them in their place, and everything else as it was."""

import dataclasses
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from ksmg.changes import UnchangeableMessage, plan
from ksmg.changes.removal import REMOVED
from ksmg.mail.structure import Problem, Structure
from unit.changes_samples import (
    BOTTOM,
    HTML,
    PDF,
    PLAIN,
    TOP,
    changed,
    changes_of,
    crlf,
    message,
    message_of,
    multipart,
    parsed,
    removing,
    simple,
    spool,
    structure_of,
    texts,
)

MIXED = message(multipart("mixed", "m", PLAIN, PDF, HTML))


def kinds(content: bytes) -> list[str]:
    return [part.content_type for part in structure_of(content).parts]


def test_a_text_that_names_it_stands_in_the_place_of_an_attachment(tmp_path: Path) -> None:
    content = changed(tmp_path, MIXED, removing(2))
    assert kinds(content) == ["multipart/mixed", "text/plain", "text/plain", "text/html"]
    assert texts(content)[1].splitlines() == [
        REMOVED,
        "",
        "Name: a.pdf",
        "Type: application/pdf",
        "Size: 8 bytes",
        "Reason: infected: Eicar",
    ]


def test_other_parts_stay_as_they_were(tmp_path: Path) -> None:
    content = changed(tmp_path, MIXED, removing(2))
    assert b"JVBERi0=" not in content
    assert PLAIN in content
    assert HTML in content


def test_a_message_that_is_the_attachment_becomes_the_text(tmp_path: Path) -> None:
    fields = 'Content-Type: application/zip; name="a.zip"\nContent-Transfer-Encoding: base64\nContent-ID: <x>\n'
    content = changed(tmp_path, simple(fields, "UEsDBA==\r\n"), removing(0, inserts=[TOP, BOTTOM]))
    assert (kinds(content), parsed(content)["Content-ID"]) == (["text/plain"], None)
    assert texts(content)[0].startswith(f"{TOP.text}\n\n{REMOVED}\n\nName: a.zip")
    assert texts(content)[0].endswith(f"\n\n{BOTTOM.text}\n")


def test_an_attachment_of_a_message_within_is_removed_there(tmp_path: Path) -> None:
    inner = crlf("Subject: inner\nMIME-Version: 1.0\n") + multipart("mixed", "i", PLAIN, PDF)
    whole = message(multipart("mixed", "m", PLAIN, crlf("Content-Type: message/rfc822\n\n") + inner))
    content = changed(tmp_path, whole, removing(5))
    assert kinds(content) == [*kinds(whole)[:5], "text/plain"]
    assert b"Subject: inner" in content


def test_a_message_within_that_is_the_attachment_keeps_its_other_fields(tmp_path: Path) -> None:
    inner = crlf("Subject: inner\nContent-Type: application/zip\nContent-Transfer-Encoding: base64\n\nUEsD")
    whole = message(multipart("mixed", "m", PLAIN, crlf("Content-Type: message/rfc822\n\n") + inner))
    content = changed(tmp_path, whole, removing(3))
    part = structure_of(content).parts[3]
    inside = parsed(content[part.start : part.end])
    assert (inside["Subject"], inside.get_content_type(), inside["MIME-Version"]) == ("inner", "text/plain", "1.0")


def test_of_an_encoded_message_within_the_whole_is_removed(tmp_path: Path) -> None:
    structure = structure_of(MIXED)
    encoded = dataclasses.replace(structure.parts[2], content_type="message/rfc822", encoding="base64")
    hidden = dataclasses.replace(structure.parts[1], number=3, parent=2, depth=2, start=0, body=5, end=9)
    parts = (*structure.parts[:2], encoded, hidden, dataclasses.replace(structure.parts[3], number=4))
    with spool(tmp_path, MIXED) as spooled:
        changes = plan(message_of(spooled), Structure(parts), removing(3), tmp_path)
    assert changes.body is not None
    assert b"JVBERi0=" not in changes.body.read_bytes()
    assert PLAIN in changes.body.read_bytes()


def test_what_is_in_a_removed_part_goes_with_it(tmp_path: Path) -> None:
    whole = message(multipart("mixed", "m", PLAIN, multipart("mixed", "i", PDF, PDF)))
    content = changed(tmp_path, whole, removing(2, 3))
    assert kinds(content) == ["multipart/mixed", "text/plain", "text/plain"]


def test_a_text_goes_before_a_removed_part(tmp_path: Path) -> None:
    content = changed(tmp_path, message(multipart("mixed", "m", PDF, PDF)), removing(1, inserts=[TOP, BOTTOM]))
    assert [text.splitlines()[0] for text in texts(content)] == [TOP.text, REMOVED, BOTTOM.text.splitlines()[0]]


def test_where_clients_may_see_other_parts_the_whole_content_goes(tmp_path: Path) -> None:
    content = changed(tmp_path, MIXED, removing(2), Problem.AMBIGUOUS)
    assert kinds(content) == ["text/plain"]
    assert "Name: a.pdf" in texts(content)[0]


def test_what_nobody_looked_into_cannot_be_cut_out_of(tmp_path: Path) -> None:
    with spool(tmp_path, MIXED) as spooled, pytest.raises(UnchangeableMessage):
        plan(message_of(spooled), None, removing(1), tmp_path)


def test_events_see_what_was_removed(tmp_path: Path) -> None:
    assert changes_of(tmp_path, MIXED, removing(2)).marks == ("attachment removed: a.pdf",)


def test_of_many_removed_attachments_events_see_the_first(tmp_path: Path) -> None:
    whole = message(multipart("mixed", "m", *[PDF] * 13))
    marks = changes_of(tmp_path, whole, removing(*range(1, 14))).marks
    assert marks[9:] == ("attachment removed: a.pdf", "3 further attachments removed")


@given(name=st.text(max_size=300), detail=st.text(max_size=300))
def test_no_name_becomes_a_part_or_a_field(tmp_path_factory: pytest.TempPathFactory, name: str, detail: str) -> None:
    structure = structure_of(MIXED)
    named = dataclasses.replace(structure.parts[2], names=(name, f"\r\n--m--\r\n{name}"))
    parts = Structure((*structure.parts[:2], named, structure.parts[3]))
    directory = tmp_path_factory.mktemp("m")
    with spool(directory, MIXED) as spooled:
        changes = plan(message_of(spooled), parts, removing(2, detail=f"\r\n--m\r\n{detail}"), directory)
    assert changes.body is not None
    content = MIXED.partition(b"\r\n\r\n")[0] + b"\r\n\r\n" + changes.body.read_bytes()
    assert kinds(content) == ["multipart/mixed", "text/plain", "text/plain", "text/html"]
