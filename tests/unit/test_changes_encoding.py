"""Transfer encodings: what was encoded is the same when it is decoded, in lines that mail may have."""

from hypothesis import example, given
from hypothesis import strategies as st
from ksmg.changes.encoding import base64_lines, decode, encode, quoted_lines

PIECES = st.sampled_from(
    [b"\r\n", b"\r", b"\n", b" ", b"\t", b"--", b"From ", b".", b"=", b"\xff", b"\0", b"word " * 30]
)
CONTENTS = st.lists(PIECES, max_size=20).map(b"".join)


@given(CONTENTS)
@example(b"a \r\nb\t\r\n \r\n")
def test_quoted_printable_comes_back_as_it_was(content: bytes) -> None:
    assert decode(quoted_lines(content), "quoted-printable") == content


@given(CONTENTS)
def test_encoded_lines_are_short_and_look_like_nothing_else(content: bytes) -> None:
    for lines in (quoted_lines(content), base64_lines(content)):
        assert lines.isascii()
        assert all(len(line) <= 78 and not line.endswith((b" ", b"\t")) for line in lines.split(b"\r\n"))
        assert not any(line.startswith((b"--", b"From ")) for line in lines.split(b"\r\n"))


@given(CONTENTS, st.sampled_from(["", "7bit", "8bit", "base64", "quoted-printable"]))
def test_any_content_is_right_in_the_encoding_that_is_chosen(content: bytes, wanted: str) -> None:
    encoding, encoded = encode(content, wanted, False, [b"--word"])
    assert decode(encoded, encoding) == content
    assert encoding in (wanted, "base64", "quoted-printable")
    assert b"\0" not in encoded


def test_broken_base64_is_not_guessed_at() -> None:
    assert decode(b"AA=A*", "base64") is None
    assert decode(b"QUJD", "base64") == b"ABC"
