"""The walk over MIME: which parts and names it finds, and what it has doubts about."""

import base64

import pytest
from ksmg.inspection.limits import Limits
from ksmg.inspection.walk import walk
from ksmg.mail.structure import Part, Problem, Structure

LIMITS = Limits()
PROGRAM = base64.b64encode(b"MZ\x90\0\x03\0\0\0\x04" + bytes(100)).decode()


def look(text: str | bytes, limits: Limits = LIMITS) -> Structure:
    raw = text.encode("latin-1") if isinstance(text, str) else text
    if b"\r" not in raw:
        raw = raw.replace(b"\n", b"\r\n")
    return walk(raw, len(raw), limits)


def only_attachment(text: str) -> Part:
    (part,) = look(text).attachments
    return part


def attached(fields: str, body: str = PROGRAM) -> str:
    """A message with a text and one part with these fields."""
    return (
        "From: a@example.com\nMIME-Version: 1.0\nContent-Type: multipart/mixed; boundary=XX\n\n"
        f"--XX\n\nhello\n--XX\n{fields}\nContent-Transfer-Encoding: base64\n\n{body}\n--XX--\n"
    )


def kinds(structure: Structure) -> set[Problem]:
    return {problem for problem, _ in structure.problems}


def test_a_message_without_mime_is_one_text() -> None:
    (part,) = look("From: a@example.com\n\nhello\n").parts
    assert (part.content_type, part.true_type, part.attachment, part.size) == ("text/plain", "text/plain", False, 7)


def test_parts_are_numbered_depth_first() -> None:
    inner = "Content-Type: multipart/alternative; boundary=YY\n\n--YY\n\na\n--YY\n\nb\n--YY--\n"
    found = look(f"Content-Type: multipart/mixed; boundary=XX\n\n--XX\n{inner}--XX\n\nc\n--XX--\n").parts
    assert [(part.number, part.parent, part.depth) for part in found] == [
        (0, -1, 0), (1, 0, 1), (2, 1, 2), (3, 1, 2), (4, 0, 1),
    ]  # fmt: skip


def test_offsets_cut_a_part_out_of_the_file() -> None:
    raw = attached("Content-Type: application/octet-stream; name=a.exe").replace("\n", "\r\n").encode()
    part = look(raw).parts[2]
    assert raw[part.start :].startswith(b"Content-Type: application/octet-stream")
    assert raw[part.body : part.end].decode() == PROGRAM
    assert raw[part.end :].startswith(b"\r\n--XX--")


def test_a_program_is_known_by_its_content() -> None:
    part = only_attachment(attached("Content-Type: image/png; name=a.png"))
    assert (part.content_type, part.true_type, part.size) == ("image/png", "application/x-dosexec", 109)


@pytest.mark.parametrize(
    ("fields", "name"),
    [
        ('Content-Type: application/x; name="a b.exe"', "a b.exe"),
        ("Content-Type: application/x; name=a b.exe", "a b.exe"),
        ("Content-Type: application/x\nContent-Disposition: attachment; filename*=utf-8''%61%2Eexe", "a.exe"),
        ("Content-Disposition: attachment; filename*0=a; filename*1=.e; filename*2=xe", "a.exe"),
        ("Content-Disposition: attachment; filename*2=xe; filename*0*=utf-8''%61; filename*1=.e", "a.exe"),
        ("Content-Disposition: attachment; filename*1=.exe; filename*0=a; filename*1=.txt", "a.exe"),
        ('Content-Disposition: attachment; filename="=?utf-8?B?YS5leGU=?="', "a.exe"),
        ("Content-Disposition: attachment; filename==?utf-8?Q?a=2Eexe?=", "a.exe"),
        ('Content-Disposition: attachment; filename="=?utf-8?Q?a=2E?= =?utf-8?Q?exe?="', "a.exe"),
        ('Content-Disposition: attachment; filename="C:\\\\temp\\\\a.exe"', "a.exe"),
        ('Content-Disposition: attachment; filename="../../a.exe"', "a.exe"),
        ('Content-Disposition: attachment; filename="a.exe. ."', "a.exe"),
        ('Content-Disposition: attachment; filename="a.exe::$DATA"', "a.exe"),
        ('Content-Disposition: attachment; filename="a\\".exe"', 'a".exe'),
        ('Content-Disposition: attachment; filename="a.exe', "a.exe"),
        ('Content-Disposition: attachment; filename="a.txt"; filename="a.exe"', "a.exe"),
        ("Content-Disposition: attachment\nContent-Disposition: attachment; filename=a.exe", "a.exe"),
        ("Content-Disposition: attachment; filename=a.txt\nContent-Type: application/x; name=a.exe", "a.exe"),
        ('Content-Type: application/x name="a.exe"', "a.exe"),
        ('Content-Type: application/x;\n name="a.\n exe"', "a.exe"),
        ("content-TYPE : application/x; NAME = a.exe", "a.exe"),
        ('Content-Disposition: attachment; filename="a%2Eexe"', "a.exe"),
        ("Content-Disposition: attachment; filename*=utf-8'en'%61.exe; filename=a.txt", "a.exe"),
        ('Content-Disposition: attachment; filename="' + "x" * 2000 + '.exe"', "x" * 250 + "…" + "x" * 246 + ".exe"),
        ("Content-Type: application/x\nContent-Description: a.exe", "a.exe"),
        ("Content-Disposition: attachment; filename*=\"utf-8''a.exe\"", "a.exe"),
        ("Content-Disposition: attachment (a comment); filename=a.exe (another)", "a.exe"),
        ('Content-Disposition: attachment; filename="a.\u00adexe"', "a.\u00adexe"),
    ],
)
def test_every_name_that_a_client_would_show_is_found(fields: str, name: str) -> None:
    assert name in only_attachment(attached(fields)).names


def test_an_unfinished_multipart_is_no_problem() -> None:
    found = look(attached("Content-Type: application/x; name=a.exe").removesuffix("--XX--\n"))
    assert (found.attachment_names, found.problems) == (("a.exe",), ())


@pytest.mark.parametrize(
    "text",
    [
        "Content-Type: multipart/mixed; boundary=XX\nContent-Type: text/plain\n\n--XX\n\na\n--XX--\n",
        "Content-Type: multipart/mixed; boundary=XX; boundary=YY\n\n--XX\n\na\n--YY\n\nb\n--XX--\n",
        "Content-Type: multipart/mixed\n\n--XX\nContent-Type: application/x; name=a.exe\n\na\n--XX--\n",
        'Content-Type: multipart/mixed; boundary=""\n\n--\nContent-Type: application/x; name=a.exe\n\na\n----\n',
        "Content-Type: multipart/mixed; boundary=XX\n\n--XX\n\na\n--XXY\nContent-Type: application/x\n\nb\n--XX--\n",
        "Content-Type: message/partial; number=1; total=2; id=a\n\nhello\n",
        attached("Content-Transfer-Encoding: 8bit\nContent-Type: application/x; name=a.exe"),
        attached("Content-Type: application/x; name=a.exe", "TVqQAAM=" + PROGRAM),
        attached("Content-Type: application/x; name=a.exe\0.txt"),
        attached("Content-Type: application/x\nno colon here\nContent-Disposition: attachment; filename=a.exe"),
    ],
)
def test_what_clients_read_differently_is_a_problem(text: str) -> None:
    assert kinds(look(text)) == {Problem.AMBIGUOUS}


@pytest.mark.parametrize("newline", [b"\r", b"\r\r\n"])
def test_a_field_behind_a_bare_return_is_a_problem(newline: bytes) -> None:
    raw = attached("X-Other: 1@Content-Type: application/x; name=a.exe").encode().replace(b"\n", b"\r\n")
    assert kinds(look(raw.replace(b"@", newline))) == {Problem.AMBIGUOUS}


def test_a_part_behind_the_end_is_found() -> None:
    text = attached("Content-Type: application/x; name=a.exe")
    found = look(text + "--XX\nContent-Type: application/x; name=b.exe\n\nx\n--XX--\n")
    assert found.attachment_names == ("a.exe", "b.exe")


def test_an_encoded_message_is_looked_into() -> None:
    inner = base64.encodebytes(attached("Content-Type: application/x; name=b.exe").encode()).decode()
    found = look(f"Content-Type: message/rfc822\nContent-Transfer-Encoding: base64\n\n{inner}")
    assert found.attachment_names == ("b.exe",)
    assert all(0 <= part.start <= part.body <= part.end for part in found.parts)


@pytest.mark.parametrize(
    "kind", ['"multipart/mixed"', "(x) multipart/mixed", "multipart", 'multipart/"mixed', "multipart/odd"]
)
def test_an_odd_multipart_has_its_parts(kind: str) -> None:
    found = look(f"Content-Type: {kind}; boundary=XX\n\n--XX\nContent-Type: a/b; name=a.exe\n\nx\n--XX--\n")
    assert found.attachment_names == ("a.exe",)


def test_a_digest_has_messages() -> None:
    found = look("Content-Type: multipart/digest; boundary=XX\n\n--XX\n\nSubject: a\n\nhello\n--XX--\n")
    assert [part.content_type for part in found.parts] == ["multipart/digest", "message/rfc822", "text/plain"]


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("begin 644 a.exe\n#0V%T\n`\nend\n", "a.exe"),
        ("begin-base64 644 a.exe\nTVqQAAMAAAA=\n====\n", "a.exe"),
        ("=ybegin line=128 size=3 name=a.exe\nabc\n=yend size=3\n", "a.exe"),
    ],
)
def test_a_file_within_a_text_is_found(text: str, name: str) -> None:
    assert look(f"Subject: x\n\nhello\n{text}").attachment_names == (name,)


def test_a_file_within_a_quoted_printable_text_is_found() -> None:
    text = "Content-Transfer-Encoding: quoted-printable\n\n=62egin 644 a.exe\n#0V%T\n`\nend\n"
    assert look(text).attachment_names == ("a.exe",)


@pytest.mark.parametrize(
    "text",
    [
        "Subject: \xe4\xf6\n\nhello\n",
        "Subject: x\nContent-Type: text/plain; charset=iso-8859-1; format=flowed;\n\n" + "x" * 3000 + "\n",
        "Content-Type: text/plain\nContent-Type: text/plain\n\nhello\n",
        "Content-Type: text\n\nhello\n",
        "Content-Transfer-Encoding: 8-bit\n\nhello\n",
        "Content-Type: multipart/mixed; boundary=----=_Part/1\n\n------=_Part/1\n\na\n------=_Part/1--\n",
        "Content-Type: multipart/mixed; boundary=XX\n\n--XX\nhello without header\n--XX--\n\n-- \nlist footer\n",
        "Content-Type: multipart/mixed; boundary=XX\n\n--XX  \n\na\n--XX-- \n",
        "Content-Type: multipart/mixed;\n boundary=X1\n\n--X1\nContent-Type: multipart/mixed; boundary=X12\n\n"
        "--X12\n\na\n--X12--\n--X1--\n",
        "Content-Transfer-Encoding: quoted-printable\nContent-Type: multipart/mixed; boundary=X\n\n--X\n\na\n--X--\n",
    ],
)
def test_sloppy_mail_is_no_problem(text: str) -> None:
    assert look(text).problems == ()


def test_more_parts_than_the_limit_are_a_problem() -> None:
    found = look("Content-Type: multipart/mixed; boundary=XX\n\n" + "--XX\n\na\n" * 10_000)
    assert (kinds(found), len(found.parts) <= LIMITS.parts) == ({Problem.PARTS}, True)


def test_a_deeper_message_than_the_limit_is_a_problem() -> None:
    text = "".join(f"Content-Type: multipart/mixed; boundary=B{n}x\n\n--B{n}x\n" for n in range(2000))
    assert kinds(look(text)) == {Problem.DEPTH}


def test_a_longer_header_than_the_limit_is_a_problem() -> None:
    assert kinds(look("X-Long: " + "a" * 10_000_000 + "\n\nhello\n")) == {Problem.HEADER}


def test_more_fields_than_the_limit_are_a_problem() -> None:
    assert kinds(look("X: a\n" * 5000 + "\nhello\n")) == {Problem.HEADER}


def test_five_thousand_addresses_are_no_problem() -> None:
    to = ",\n ".join(f"user{number}@example.com" for number in range(5000))
    assert look(f"To: {to}\n\nhello\n").problems == ()
