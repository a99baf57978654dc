"""A person is found in every spelling of its address and names, and nobody else is."""

import base64
import email.header
import email.utils
import os
import quopri
import urllib.parse

import pytest
from hypothesis import given
from hypothesis import strategies as st
from ksmg.stores.message_event_rows import text
from ksmg.subject.line_source import Piece, pieces
from ksmg.subject.matcher import LONGEST_MATCH, Matcher
from ksmg.subject.person import parse_person
from ksmg.subject.pseudonyms import Pseudonyms
from ksmg.system.syslog import line

ADDRESS, NAME = "boris@exämple.test", "Boris Petrów"
MATCHER = Matcher(parse_person(ADDRESS, [NAME]))
PUNYCODE = "boris@xn--exmple-cua.test"


def in_quoted_printable(value: str) -> bytes:
    return quopri.encodestring(value.encode(), quotetabs=True).replace(b"@", b"=40")


SPELLINGS = {
    "as it is": ADDRESS.encode(),
    "in capitals": ADDRESS.upper().encode(),
    "in punycode": PUNYCODE.encode(),
    "in brackets": f"<{PUNYCODE}>".encode(),
    "with an option": b"boris+news@xn--exmple-cua.test",
    "quoted": b'"boris"@xn--exmple-cua.test',
    "in quoted-printable": in_quoted_printable(ADDRESS),
    "percent-encoded": urllib.parse.quote(ADDRESS).encode(),
    "in xtext": b"boris+40xn--exmple-cua.test",
    "escaped as in JSON": line([("to", ADDRESS)]).encode(),
    "in a list's own sender": b"list-bounces+boris=xn--exmple-cua.test@lists.test",
    "in an encoded word": email.header.Header(ADDRESS, "utf-8").encode().encode(),
    "as a parameter": email.utils.encode_rfc2231(ADDRESS, "utf-8").encode(),
    "in base64": base64.b64encode(f"to {ADDRESS}!".encode()),
    "a name": NAME.encode(),
    "a name in capitals": NAME.upper().encode(),
    "a name turned round": "Petrów, Boris".encode(),
    "a name in an encoded word": email.header.Header(f"{NAME} Ltd.", "utf-8").encode().encode(),
    "a name in quoted-printable": in_quoted_printable(NAME),
    "a name over two encoded words": b"=?utf-8?q?Boris_Pe?= =?utf-8?q?tr=C3=B3w?=",
    "a name in Latin-1": NAME.encode("latin-1"),
    "after an escape": b"\\nboris@xn--exmple-cua.test",
}


@pytest.mark.parametrize("spelling", SPELLINGS)
def test_the_person_is_found(spelling: str) -> None:
    assert MATCHER.spans(b"before " + SPELLINGS[spelling] + b" after")


@pytest.mark.parametrize(
    "other",
    [
        "aboris@exämple.test",
        "a.boris@exämple.test",
        "boris@exämple.test.org",
        "boris@exämple.tests",
        "boris@sub.exämple.test",
        "bori@exämple.test",
        "borisexämple.test",
        "Boris Petrówski",
        "Petrów",
    ],
)
def test_somebody_else_is_not(other: str) -> None:
    assert not MATCHER.within(f"before {other} after")


def test_an_option_in_the_question_is_not_part_of_the_person() -> None:
    assert parse_person("<Boris+news@Example.TEST>").address == "boris@example.test"


def test_punycode_in_the_question_is_the_same_person() -> None:
    assert parse_person(PUNYCODE) == parse_person(ADDRESS)


@pytest.mark.parametrize("wrong", ["boris", "@example.test", "a b@example.test", "", f"{'a' * 400}@example.test"])
def test_what_is_no_address_is_refused(wrong: str) -> None:
    with pytest.raises(ValueError, match="no mail address"):
        parse_person(wrong)


def test_a_name_that_would_be_found_everywhere_is_refused() -> None:
    with pytest.raises(ValueError, match="three characters"):
        parse_person(ADDRESS, ["Bo"])


AROUND = st.binary(max_size=40).map(lambda data: b" " + data.replace(b"\n", b" ") + b" ")
MATERIAL = st.lists(st.one_of(AROUND, st.sampled_from(sorted(SPELLINGS.values()))), min_size=1, max_size=8)


@given(MATERIAL)
def test_pseudonyms_keep_the_length_and_leave_nothing(material: list[bytes]) -> None:
    data = b" ".join(material)
    covered = Pseudonyms(MATCHER).covered(data, MATCHER.spans(data))
    assert len(covered) == len(data)
    assert not MATCHER.spans(covered)


@given(MATERIAL)
def test_what_is_not_the_person_stays_as_it_is(material: list[bytes]) -> None:
    data = b" ".join(material)
    spans = MATCHER.spans(data)
    covered = Pseudonyms(MATCHER).covered(data, spans)
    inside = {at for span in spans for at in range(span.start, span.end)}
    assert all(covered[at] == data[at] for at in range(len(data)) if at not in inside)


@given(st.lists(st.sampled_from([*SPELLINGS.values(), b"x" * 50, b""]), max_size=30), st.integers(1, 200))
def test_lines_are_whole_whatever_the_blocks(lines: list[bytes], block: int) -> None:
    data = b"\n".join(lines)
    found = list(_pieces(data, block, 1_000_000))
    assert b"".join(piece.data for piece in found) == data
    assert all(piece.data == data[piece.offset :][: len(piece.data)] for piece in found)
    assert all(piece.data.endswith(b"\n") for piece in found[:-1])


@given(st.integers(0, 3 * LONGEST_MATCH), st.sampled_from(sorted(SPELLINGS.values())))
def test_a_person_across_the_pieces_of_a_long_line_is_found(before: int, spelling: bytes) -> None:
    data = b"x" * before + b" " + spelling + b" " + b"y" * 3 * LONGEST_MATCH
    assert any(MATCHER.spans(piece.data) for piece in _pieces(data, 1000, 2 * LONGEST_MATCH))


def test_the_same_address_has_the_same_pseudonym_in_a_run() -> None:
    pseudonyms = Pseudonyms(MATCHER)
    assert pseudonyms.text(f"a <{PUNYCODE}>")[2:] == pseudonyms.text(f"b <{PUNYCODE}>")[2:]


def test_another_run_has_other_pseudonyms() -> None:
    assert Pseudonyms(MATCHER).text(PUNYCODE) != Pseudonyms(MATCHER).text(PUNYCODE)


def test_a_quoted_text_stays_one() -> None:
    covered = Pseudonyms(MATCHER).text(line([("to", [f'"boris" <{ADDRESS}>', "x"])]))
    assert covered.count('"') == 4 + 2
    assert text(covered) == covered


def _pieces(data: bytes, block: int, longest: int) -> "list[Piece]":
    descriptor = os.memfd_create("lines")
    try:
        os.write(descriptor, data)
        return list(pieces(descriptor, block, longest))
    finally:
        os.close(descriptor)
