"""The view of a stored message: everything a person needs, nothing that acts."""

import pytest
from ksmg.cli.message_view import view

NESTED = (
    b'From: =?utf-8?q?Ann=C3=A4?= <a@x>\r\nX-Other: no\r\nContent-Type: multipart/mixed; boundary="b"\r\n\r\n--b\r\n'
    b"Content-Type: text/plain; charset=koi8-r\r\nContent-Transfer-Encoding: base64\r\n\r\n8NLJ18XU\r\n--b\r\n"
    b'Content-Type: application/pdf; name="bill.pdf"\r\nContent-Disposition: attachment; filename="bill\x1b.pdf"\r\n'
    b"Content-Transfer-Encoding: base64\r\n\r\nTVqQAAMAAAAEAAAA//8AALgAAAA=\r\n--b--\r\n"
)


def page(html: bytes) -> str:
    return "\n".join(view(b"Content-Type: text/html; charset=utf-8\r\n\r\n" + html).text)


def test_headers_that_matter_are_decoded() -> None:
    assert view(NESTED).headers == (("From", "Annä <a@x>"),)


def test_text_is_decoded() -> None:
    assert "Привет" in view(NESTED).text


def test_an_attachment_is_named_with_its_true_type() -> None:
    (shown,) = view(NESTED).attachments
    assert "bill" in shown
    assert "declared as application/pdf" in shown
    assert "\x1b" not in shown


def test_a_page_is_shown_as_text_with_the_targets_of_its_links() -> None:
    shown = page(b"<style>p{}</style><p>Pay <a href='http://evil.test/'>your bank</a></p><script>alert(1)</script>")
    assert shown.strip() == "Pay your bank <http://evil.test/>"


@pytest.mark.parametrize("control", ["\x1b[2J", "\u202e", "\x07", "\x9b31m"])
def test_nothing_steers_the_terminal(control: str) -> None:
    text = f"Subject: a{control}b\r\nContent-Type: text/plain; charset=utf-8\r\n\r\nx{control}y\r\n"
    shown = view(text.encode())
    assert control[0] not in str(shown.headers[0][1]) + "".join(shown.text)


def test_long_lines_are_shown_whole() -> None:
    assert "".join(view(b"\r\n" + b"x" * 5000).text) == "x" * 5000


@pytest.mark.parametrize(
    "hostile",
    [
        b"",
        b"\xff" * 1000,
        b"Content-Type: multipart/mixed; boundary=b\r\n\r\n" + b"--b\r\nContent-Type: text/plain\r\n\r\nx\r\n" * 5000,
        b"Content-Type: text/html\r\n\r\n" + b"<a href=" * 50_000,
        b"Content-Type: text/html\r\n\r\n" + b"<div>" * 50_000,
        b"Content-Type: text/html\r\n\r\n" + b'<a href="' * 50_000,
        b"Content-Type: text/html\r\n\r\n" + b"<!--" * 50_000,
        b"Content-Type: text/html\r\n\r\n" + b"<title>" * 50_000,
        b"Content-Type: text/plain; charset=none-such\r\n\r\nx",
    ],
)
def test_hostile_mail_is_shown_all_the_same(hostile: bytes) -> None:
    assert view(hostile).headers == ()


def test_what_is_not_shown_is_told() -> None:
    hostile = b"Content-Type: multipart/mixed; boundary=b\r\n\r\n" + b"--b\r\n\r\nx\r\n" * 2000
    assert any("parts" in remark for remark in view(hostile).remarks)
