"""Warnings and disclaimers: in every alternative, in every charset and encoding, and never inside what is signed."""

import base64
import functools
import quopri
import shutil
import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from ksmg.checks.verdict import Finding, Status
from ksmg.mail.structure import Problem
from ksmg.rules.treatment import Action, Cause, Decision, Inserted, Treatment
from unit.changes_samples import (
    BOTTOM,
    HTML,
    PDF,
    PLAIN,
    TOP,
    changed,
    changes_of,
    crlf,
    inserting,
    message,
    multipart,
    parsed,
    simple,
    structure_of,
    texts,
)

EURO = Inserted("Achtung: 5 € für Müller.")
SIGNED = multipart("signed", "s", PLAIN, crlf("Content-Type: application/pgp-signature\n\nxyz"))


def kinds(content: bytes) -> list[str]:
    return [part.content_type for part in structure_of(content).parts]


def longest_line(content: bytes) -> int:
    return max(len(line) for line in content.split(b"\r\n"))


def test_top_and_bottom_of_a_plain_text(tmp_path: Path) -> None:
    content = changed(tmp_path, message(PLAIN + b"\r\n"), inserting(TOP, BOTTOM))
    assert texts(content) == [f"{TOP.text}\n\nSee you at nine.\n\n{BOTTOM.text}\n"]
    assert kinds(content) == ["text/plain"]


def test_html_gets_the_text_as_the_first_thing_in_its_body(tmp_path: Path) -> None:
    content = changed(tmp_path, message(HTML), inserting(Inserted("a < b"), BOTTOM))
    (shown,) = texts(content, "html")
    assert (
        shown.index("'a>b'>") < shown.index("a &lt; b") < shown.index("<p>At nine.") < shown.index("Confidential.<br>")
    )
    assert shown.index("Confidential.") < shown.index("</body>")


def test_given_html_is_put_in_as_it_is(tmp_path: Path) -> None:
    content = changed(tmp_path, message(HTML), inserting(Inserted("plain", "<b>Rich</b>")))
    assert "<b>Rich</b>" in texts(content, "html")[0]
    assert "plain" not in texts(content, "html")[0]


def test_both_alternatives_get_it_and_other_parts_stay_as_they_were(tmp_path: Path) -> None:
    body = multipart("mixed", "m", multipart("alternative", "a", PLAIN, HTML), PDF)
    content = changed(tmp_path, message(body), inserting(TOP))
    assert [TOP.text in text for text in texts(content) + texts(content, "html")] == [True, True]
    assert PDF in content
    assert kinds(content) == kinds(message(body))


def test_the_root_of_a_related_gets_it(tmp_path: Path) -> None:
    related = multipart("related", "r", HTML, crlf("Content-Type: image/png\nContent-ID: <a>\n\nx"))
    content = changed(tmp_path, message(multipart("alternative", "a", PLAIN, related)), inserting(TOP))
    assert TOP.text in texts(content, "html")[0]


@pytest.mark.parametrize(
    "charset", ["iso-8859-1", "iso-8859-15", "windows-1252", "koi8-r", "utf-8", "us-ascii", "gb18030"]
)
@pytest.mark.parametrize("encoding", ["8bit", "quoted-printable", "base64"])
def test_a_text_is_right_in_every_charset_and_encoding(tmp_path: Path, charset: str, encoding: str) -> None:
    raw = "Text.\r\n".encode(charset)
    body = {"base64": base64.encodebytes, "quoted-printable": quopri.encodestring}.get(encoding, bytes)(raw)
    header = f"Content-Type: text/plain; charset={charset}\nContent-Transfer-Encoding: {encoding}\n"
    content = changed(tmp_path, simple(header, crlf(body)), inserting(EURO))
    assert texts(content) == [f"{EURO.text}\n\nText.\n"]


@pytest.mark.parametrize("charset", ["iso-2022-jp", "utf-16", "utf-16-le", "utf-7", "shift_jis", "big5", "hz"])
def test_charsets_in_which_bytes_are_not_ascii_keep_their_text(tmp_path: Path, charset: str) -> None:
    body = base64.encodebytes("一\r\n".encode(charset))
    header = f"Content-Type: text/plain; charset={charset}\nContent-Transfer-Encoding: base64\n"
    content = changed(tmp_path, simple(header, crlf(body)), inserting(TOP, BOTTOM))
    assert texts(content) == [f"{TOP.text}\n\n一\n\n{BOTTOM.text}\n"]
    assert parsed(content).get_content_charset() == charset


def test_a_text_that_the_charset_lacks_makes_a_plain_part_utf_8(tmp_path: Path) -> None:
    header = "Content-Type: text/plain; format=flowed; charset=iso-8859-1; delsp=yes\nContent-Transfer-Encoding: 8bit\n"
    content = changed(tmp_path, simple(header, "Grüße\r\n".encode("latin-1")), inserting(EURO))
    assert texts(content) == [f"{EURO.text}\n\nGrüße\n"]
    assert parsed(content)["Content-Type"].params == {"format": "flowed", "delsp": "yes", "charset": "utf-8"}


def test_html_keeps_its_charset_and_gets_references(tmp_path: Path) -> None:
    page = crlf("Content-Type: text/html; charset=us-ascii\n\n<p>Hello</p>\n")
    content = changed(tmp_path, message(page), inserting(EURO))
    assert b"5 &#8364; f&#252;r" in content
    assert content.isascii()


def test_seven_bits_stay_seven_bits_if_they_can(tmp_path: Path) -> None:
    content = changed(tmp_path, message(PLAIN), inserting(TOP))
    assert parsed(content)["Content-Transfer-Encoding"] is None
    content = changed(tmp_path, message(PLAIN), inserting(EURO))
    assert parsed(content)["Content-Transfer-Encoding"] == "quoted-printable"
    assert content.isascii()


@pytest.mark.parametrize("charset", ["us-ascii", "x-unknown", "utf-8", "zip", "rot13", "a\x00b"])
def test_bytes_that_are_wrong_in_their_charset_are_kept(tmp_path: Path, charset: str) -> None:
    header = f'Content-Type: text/plain; charset="{charset}"\nContent-Transfer-Encoding: 8bit\n'
    content = changed(tmp_path, simple(header, b"\xff\xfe raw\r\n"), inserting(TOP))
    assert content.endswith(f"{TOP.text}\r\n\r\n".encode() + b"\xff\xfe raw\r\n")


def test_a_text_that_cannot_go_into_wrong_bytes_goes_beside_them(tmp_path: Path) -> None:
    header = "Content-Type: text/plain; charset=utf-8\nContent-Transfer-Encoding: 8bit\n"
    content = changed(tmp_path, simple(header, b"\xff raw\r\n"), inserting(EURO))
    assert kinds(content) == ["multipart/mixed", "text/plain", "text/plain"]
    assert b"\r\n\xff raw\r\n" in content
    assert texts(content)[0].strip() == EURO.text


def test_a_flowed_text_flows_on_and_ours_does_not(tmp_path: Path) -> None:
    header = "Content-Type: text/plain; format=flowed\n"
    content = changed(tmp_path, simple(header, b"soft \r\n"), inserting(Inserted("one \n> two"), BOTTOM))
    assert content.endswith(b"\r\n\r\none\r\n > two\r\n\r\nsoft \r\n\r\nConfidential.\r\nExample Ltd.\r\n")


def test_a_byte_order_mark_stays_first(tmp_path: Path) -> None:
    header = "Content-Type: text/plain; charset=utf-8\nContent-Transfer-Encoding: 8bit\n"
    content = changed(tmp_path, simple(header, "\ufeffText\r\n".encode()), inserting(TOP))
    assert f"\r\n\r\n\ufeff{TOP.text}\r\n\r\nText".encode() in content


def test_no_line_becomes_too_long(tmp_path: Path) -> None:
    long = Inserted("word " * 400, "<i>" + "x" * 3000 + "</i>")
    content = changed(tmp_path, message(multipart("alternative", "a", PLAIN, HTML)), inserting(long))
    assert longest_line(content) <= 998


@pytest.mark.parametrize(
    "part",
    [
        SIGNED,
        multipart("encrypted", "e", crlf("Content-Type: application/pgp-encrypted\n\nVersion: 1"), PDF),
        crlf("Content-Type: application/pkcs7-mime; smime-type=x\nContent-Transfer-Encoding: base64\n\nMIIB\n"),
        crlf("Content-Type: text/plain\n\n-----BEGIN PGP SIGNED MESSAGE-----\n\nx\n"),
        crlf("Content-Type: text/plain\nContent-Transfer-Encoding: x-uuencode\n\nbegin\n"),
        crlf("Content-Type: text/plain\nContent-Transfer-Encoding: base64\n\nAA=A*\n"),
        crlf('Content-Type: text/plain\nContent-Disposition: attachment; filename="a.txt"\n\nx\n'),
        crlf("Content-Type: message/rfc822\n\nSubject: x\n\nx\n"),
        PDF,
        multipart("related", "r", PDF, HTML),
    ],
)
def test_what_must_not_be_changed_is_wrapped_as_it_was(tmp_path: Path, part: bytes) -> None:
    content = changed(tmp_path, message(part), inserting(TOP, BOTTOM))
    assert part in content
    assert kinds(content)[:2] == ["multipart/mixed", "text/plain"]
    assert [text.strip() for text in (texts(content)[0], texts(content)[-1])] == [TOP.text, BOTTOM.text]


def test_a_signed_part_beside_others_has_the_texts_beside_it(tmp_path: Path) -> None:
    content = changed(tmp_path, message(multipart("mixed", "m", SIGNED, PDF)), inserting(TOP, BOTTOM))
    assert SIGNED in content
    assert kinds(content)[:3] == ["multipart/mixed", "text/plain", "multipart/signed"]
    assert kinds(content)[-2:] == ["application/pdf", "text/plain"]


def test_an_alternative_that_cannot_be_changed_is_wrapped_where_it_is(tmp_path: Path) -> None:
    broken = crlf("Content-Type: text/plain; charset=utf-7\n\n+\xff")
    content = changed(tmp_path, message(multipart("alternative", "a", broken, HTML)), inserting(TOP))
    assert kinds(content) == ["multipart/alternative", "multipart/mixed", "text/plain", "text/plain", "text/html"]
    assert broken in content


def test_attachments_alone_have_the_text_before_them(tmp_path: Path) -> None:
    content = changed(tmp_path, message(multipart("mixed", "m", PDF, PDF)), inserting(TOP))
    assert kinds(content) == ["multipart/mixed", "text/plain", "application/pdf", "application/pdf"]


def test_a_text_of_both_forms_is_wrapped_around_in_both(tmp_path: Path) -> None:
    content = changed(tmp_path, message(PDF), inserting(Inserted("plain", "<b>rich</b>")))
    assert kinds(content) == ["multipart/mixed", "multipart/alternative", "text/plain", "text/html", "application/pdf"]


@pytest.mark.parametrize("kind", ["multipart/report", "text/calendar"])
def test_mail_for_programs_has_no_disclaimer(tmp_path: Path, kind: str) -> None:
    content = message(crlf(f'Content-Type: {kind}; boundary="b"\n\n--b\n\nx\n--b--\n'))
    changes = changes_of(tmp_path, content, inserting(BOTTOM))
    assert (changes.body, changes.marks) == (None, (f"no text inserted: {kind}",))


def test_mail_for_programs_has_a_warning_around_it(tmp_path: Path) -> None:
    report = multipart("report", "b", PLAIN, crlf("Content-Type: message/delivery-status\n\nReporting-MTA: dns;a\n\n"))
    cause = Cause("antispam", Finding(Status.PHISHING), Treatment(insert=TOP))
    content = changed(tmp_path, message(report), Decision("Rule", Action.SKIP, (cause,), (BOTTOM,)))
    assert report in content
    assert BOTTOM.text.encode() not in content


def test_a_message_that_clients_may_read_differently_is_wrapped(tmp_path: Path) -> None:
    content = changed(tmp_path, message(PLAIN), inserting(TOP), Problem.AMBIGUOUS)
    assert PLAIN in content
    assert kinds(content) == ["multipart/mixed", "text/plain", "text/plain"]


def test_content_fields_move_into_the_part_that_is_wrapped(tmp_path: Path) -> None:
    twice = simple("Content-Type: application/pdf\ncontent-type: text/html\nContent-Language: de\n", b"%PDF\xff\r\n")
    content = changed(tmp_path, twice, inserting(TOP))
    head = content.partition(b"\r\n\r\n")[0].lower()
    assert (head.count(b"content-type"), head.count(b"content-language")) == (1, 0)
    assert parsed(content)["Content-Transfer-Encoding"] == "8bit"
    assert (
        b"Content-Type: application/pdf\r\ncontent-type: text/html\r\nContent-Language: de\r\n\r\n%PDF\xff" in content
    )


def test_a_message_without_mime_becomes_one_with_it(tmp_path: Path) -> None:
    old = crlf("From: a@b.c\nSubject: x\n\nHello\n")
    content = changed(tmp_path, old, inserting(EURO))
    assert (parsed(content)["MIME-Version"], texts(content)) == ("1.0", [f"{EURO.text}\n\nHello\n"])


def test_no_text_becomes_the_end_of_a_part(tmp_path: Path) -> None:
    body = multipart("mixed", "b", PLAIN, PDF)
    content = changed(tmp_path, message(body), inserting(Inserted("--b--\n--b\n"), Inserted("--b", at_top=False)))
    assert kinds(content) == kinds(message(body))
    assert texts(content)[0].startswith("--b--\n--b")


@pytest.mark.parametrize("kind", ["clear", "opaque"])
def test_a_real_smime_signature_is_still_right(tmp_path: Path, kind: str) -> None:
    openssl = shutil.which("openssl")
    assert openssl is not None
    key, certificate, signed = tmp_path / "key.pem", tmp_path / "certificate.pem", tmp_path / "signed.eml"
    new: list[str] = [
        "req",
        "-x509",
        "-newkey",
        "ec",
        "-pkeyopt",
        "ec_paramgen_curve:P-256",
        "-nodes",
        "-subj",
        "/CN=anna",
    ]
    subprocess.run([openssl, *new, "-keyout", key, "-out", certificate], check=True, capture_output=True)
    sign = ["smime", "-sign", "-text", "-signer", str(certificate), "-inkey", str(key), "-out", str(signed)]
    (tmp_path / "text").write_bytes(b"Pay 100 to Anna.\r\n")
    opaque = ["-nodetach"] if kind == "opaque" else []
    subprocess.run([openssl, *sign, *opaque, "-in", tmp_path / "text", "-crlfeol"], check=True, capture_output=True)
    content = changed(tmp_path, b"From: a@b.c\r\n" + crlf(signed.read_bytes()), inserting(TOP, BOTTOM))
    inner = structure_of(content).parts[2]
    (tmp_path / "inner").write_bytes(content[inner.start : inner.end])
    verify = ["smime", "-verify", "-in", str(tmp_path / "inner"), "-CAfile", str(certificate), "-purpose", "any"]
    assert b"Pay 100 to Anna." in subprocess.run([openssl, *verify], check=True, capture_output=True).stdout


def leaf(subtype: str, charset: str, encoding: str, text: str) -> bytes:
    encode = base64.encodebytes if encoding == "base64" else functools.partial(quopri.encodestring, quotetabs=True)
    fields = f"Content-Type: text/{subtype}; charset={charset}\nContent-Transfer-Encoding: {encoding}\n\n"
    return crlf(fields) + crlf(encode(text.encode(charset, "ignore")))


LEAVES = st.builds(
    leaf,
    st.sampled_from(["plain", "html"]),
    st.sampled_from(["utf-8", "iso-8859-1", "utf-16-be", "iso-2022-jp", "us-ascii", "windows-1251"]),
    st.sampled_from(["base64", "quoted-printable"]),
    st.text(st.characters(codec="utf-8", exclude_characters="\r\n\ufeff", exclude_categories=["Cc"]), max_size=60),
)
MARK = Inserted("Q7ü€Z", at_top=False)


@given(plain=LEAVES, other=LEAVES, attached=st.binary(max_size=300), nested=st.booleans(), top=st.booleans())
def test_in_any_message_each_alternative_has_the_text_once_and_the_rest_is_the_same(
    tmp_path_factory: pytest.TempPathFactory, plain: bytes, other: bytes, attached: bytes, nested: bool, top: bool
) -> None:
    file = crlf("Content-Type: application/octet-stream\nContent-Transfer-Encoding: base64\n\n")
    file += crlf(base64.encodebytes(attached))
    inner = multipart("alternative", "inner", plain, other)
    whole = message(multipart("mixed", "outer", inner, file, SIGNED)) if nested else message(inner)
    decision = inserting(Inserted(MARK.text, at_top=top))
    content = changed(tmp_path_factory.mktemp("m"), whole, decision)
    parts = [part for part in parsed(content).walk() if part.get_content_maintype() == "text"][:2]
    assert [
        str(part.get_content()).replace("&#252;", "ü").replace("&#8364;", "€").count(MARK.text) for part in parts
    ] == [1, 1]
    assert not nested or (file in content and SIGNED in content)
    assert kinds(content) == kinds(whole)
