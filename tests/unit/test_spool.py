"""Spooled messages, and the readable text that is made of them."""

import errno
import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from ksmg.mail.attachments import attachment_names
from ksmg.mail.readable import LONGEST_TEXT, all_readable, decoded_header, readable
from ksmg.mail.spool import LARGEST_IN_MEMORY, Spool, SpooledMessage

MULTIPART = b' multipart/mixed; boundary="x y"'


def spooled(tmp_path: Path, headers: list[tuple[bytes, bytes]], body: bytes = b"") -> SpooledMessage:
    message = Spool(tmp_path).new_message()
    for name, value in headers:
        message.add_header(name, value)
    message.finish(body)
    return message


def test_the_file_is_its_owners_alone_and_goes_with_the_message(tmp_path: Path) -> None:
    with spooled(tmp_path, [(b"A", b" b")]) as message:
        assert message.path.stat().st_mode & 0o777 == 0o600
        assert message.size == message.path.stat().st_size
    assert list(tmp_path.iterdir()) == []


def test_emptying_removes_whatever_an_earlier_run_left(tmp_path: Path) -> None:
    (tmp_path / "old.eml").write_bytes(b"x")
    (tmp_path / "directory").mkdir()
    (tmp_path / "directory" / "file").write_bytes(b"x")
    (tmp_path / "link").symlink_to("/etc")
    Spool(tmp_path).empty()
    assert list(tmp_path.iterdir()) == []
    assert Path("/etc/passwd").exists()


def test_a_full_disk_is_remembered_and_the_file_removed(tmp_path: Path) -> None:
    message = Spool(tmp_path).new_message()
    message.add_body(b"x" * (LARGEST_IN_MEMORY + 1))
    assert message._file is not None
    os.close(message._file.fileno())  # whatever is written from now on fails
    message.add_body(b"x" * 200_000)
    message.finish()
    assert message.failure is not None
    assert message.failure.errno == errno.EBADF
    assert list(tmp_path.iterdir()) == []


def test_a_directory_that_is_gone_is_a_failure(tmp_path: Path) -> None:
    with spooled(tmp_path / "none", [(b"A", b" b")], b"x" * LARGEST_IN_MEMORY) as message:
        assert message.failure is not None


def test_a_small_message_has_no_file_until_somebody_wants_it(tmp_path: Path) -> None:
    with spooled(tmp_path, [(b"A", b" b")], b"body") as message:
        assert list(tmp_path.iterdir()) == []
        assert message.content() == message.path.read_bytes() == b"A: b\r\n\r\nbody"


def test_a_file_that_cannot_be_made_is_an_error_to_who_wants_it(tmp_path: Path) -> None:
    with spooled(tmp_path / "none", [(b"A", b" b")]) as message, pytest.raises(FileNotFoundError):
        _ = message.path


@given(st.lists(st.binary(max_size=300), max_size=5), st.booleans())
def test_a_large_message_is_the_same_as_a_small_one(
    tmp_path_factory: pytest.TempPathFactory, pieces: list[bytes], large: bool
) -> None:
    filler = b"x" * LARGEST_IN_MEMORY if large else b""
    with Spool(tmp_path_factory.mktemp("spool")).new_message() as message:
        for piece in (filler, *pieces):
            message.add_body(piece)
        message.finish()
        assert message.content() == message.path.read_bytes() == b"\r\n" + filler + b"".join(pieces)


def test_the_first_field_of_a_name_is_kept_and_all_are_counted(tmp_path: Path) -> None:
    with spooled(tmp_path, [(b"Subject", b" one"), (b"SUBJECT", b" two"), (b"X-Spam-Flag", b" NO")]) as message:
        assert message.header(b"subject") == (b"Subject", b" one")
        assert message.header_counts[b"subject"] == 2
        assert message.header_counts[b"x-spam-flag"] == 1


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (b" plain", "plain"),
        (b" =?utf-8?b?R3LDvMOfZQ==?= =?iso-8859-1?q?=FC?=", "Grüßeü"),
        (" roh ü".encode(), "roh ü"),
        (b" folded\n and more", "folded and more"),
        (b" =?nonsense?q?x?=", "x"),
        (b" =?utf-8?b?!?= x", "x"),
        (b" \xff\xfe", "\\xff\\xfe"),
        (b" a\x00b\x1b[31mc\xe2\x80\xaed", "a b [31mc d"),
    ],
)
def test_a_header_is_made_readable(value: bytes, text: str) -> None:
    assert decoded_header(value) == text


@given(st.binary(max_size=300))
def test_any_value_becomes_one_line_that_can_be_stored(value: bytes) -> None:
    for text in (decoded_header(value), readable(value)):
        text.encode("utf-8")
        assert not any(ord(character) < 0x20 for character in text)


def test_names_of_attachments_are_found_in_the_parts(tmp_path: Path) -> None:
    body = (
        b"--x y\r\nContent-Type: text/plain\r\n\r\ntext\r\n"
        b'--x y\r\nContent-Disposition: attachment; filename="a b.pdf"\r\n\r\nxx\r\n'
        b"--x y\r\nContent-Disposition: attachment;\r\n filename*=utf-8''%C3%BC.doc\r\n\r\nxx\r\n"
        b"--x y\r\nContent-Type: image/png; name=p.png\r\n\r\nxx\r\n--x y--\r\n"
    )
    with spooled(tmp_path, [(b"Content-Type", MULTIPART)], body) as message:
        assert attachment_names(message) == ("a b.pdf", "ü.doc", "p.png")


def test_a_message_that_is_an_attachment_has_its_own_name(tmp_path: Path) -> None:
    with spooled(tmp_path, [(b"Content-Type", b" application/pdf; name=a.pdf")], b"%PDF") as message:
        assert attachment_names(message) == ("a.pdf",)


@given(body=st.binary(max_size=500))
def test_no_body_disturbs_the_search_for_names(tmp_path_factory: pytest.TempPathFactory, body: bytes) -> None:
    directory = tmp_path_factory.mktemp("spool")
    with spooled(directory, [(b"Content-Type", b" multipart/mixed; boundary=x")], b"--x" + body) as message:
        attachment_names(message)


@pytest.mark.parametrize(
    "words", [(), ("SYMBOL(2.50)",), (" a ", "b"), ("x\n",), ("\u00fc\udcff",), ("x" * LONGEST_TEXT, "y")]
)
def test_many_words_are_made_readable_as_each_is(words: tuple[str, ...]) -> None:
    assert all_readable(words) == list(map(readable, words))
