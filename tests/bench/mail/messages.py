"""Mail as it is: text and HTML of 4 kB, or the same with a document of 100 kB in all. No two messages are the same.

Distinct content matters: clamd remembers by digest what it found clean.
"""

from __future__ import annotations

import base64
import random
import textwrap
from collections.abc import Iterator

SIZES = {"4k": 4_000, "100k": 100_000}
"""Name -> bytes of a whole message, about."""
SENDER, RECIPIENT = "anna@partner.test", "boris@example.test"
VARIANTS = 32
SEED = 20_261
WORDS = """
about agreed already answer before between budget building calendar change colleague concrete customer
deadline delivery department detail document evening figures follow friday garden invoice kitchen language
letter machine market meeting minutes monday morning neighbour notes number office order paper people permit
planning please price project question quarter receipt regards report request result review room sample
schedule season service signed station street summary supplier table ticket together tomorrow train tuesday
update version weather week window winter workshop written yesterday
""".split()  # noqa: SIM905 - a list of a hundred is no better to read
_MARK = b"@NUMBER-OF-A-MESSAG@"
"""Gives way to 20 letters and digits: also within base64 these are content, 15 bytes."""


def stream(size: str, run: str) -> Iterator[bytes]:
    """Messages without end, as SMTP sends them, with its final dot. `run` is up to eight letters and digits."""
    kinds = [_template(random.Random(SEED + number), SIZES[size]) for number in range(VARIANTS)]
    number = 0
    while True:
        yield kinds[number % VARIANTS].replace(_MARK, f"{run:0>8.8}{number:012d}".encode()) + b"\r\n.\r\n"
        number += 1


def _template(chance: random.Random, size: int) -> bytes:
    """One message; the mark stands in its headers, its texts and its attachment."""
    mark = _MARK.decode()
    subject = " ".join(chance.choices(WORDS, k=5)).capitalize()
    head = [
        f"Message-ID: <{mark}@mx.partner.test>",
        "Date: Tue, 24 Nov 2026 09:00:00 +0000",
        f"From: Anna Example <{SENDER}>",
        f"To: Boris Example <{RECIPIENT}>",
        f"Subject: {subject}",
        "MIME-Version: 1.0",
        "User-Agent: Mozilla Thunderbird",
        "Content-Language: en",
    ]
    texts = _alternative(chance, mark, size if size < 10_000 else 4_000)
    if size < 10_000:
        return "\r\n".join([*head, *texts]).encode()
    parts = ["--outer", *texts, "", "--outer", *_document(chance, mark, size - 4_000), "--outer--"]
    return "\r\n".join([*head, 'Content-Type: multipart/mixed; boundary="outer"', "", *parts]).encode()


def _alternative(chance: random.Random, mark: str, size: int) -> list[str]:
    """Content-Type field and body of a text with its HTML twin."""
    room = (size - 1_150) // 2
    paragraphs: list[str] = []
    while sum(map(len, paragraphs)) < room:
        paragraphs.append(" ".join(chance.choices(WORDS, k=40)).capitalize() + ".")
    text = textwrap.wrap("\n".join(paragraphs)[:room], 72)
    html = [f"<p>{line}</p>" if not number % 6 else line for number, line in enumerate(text)]
    return [
        'Content-Type: multipart/alternative; boundary="inner"', "",
        "--inner", "Content-Type: text/plain; charset=UTF-8; format=flowed", "Content-Transfer-Encoding: 7bit", "",
        *text, f"Our reference: {mark}", "",
        "--inner", "Content-Type: text/html; charset=UTF-8", "Content-Transfer-Encoding: 7bit", "",
        "<html><head><title>Notes</title></head><body>", *html,
        f'<p>See <a href="https://www.partner.test/notes/{mark}">our notes</a>.</p>', "</body></html>", "",
        "--inner--",
    ]  # fmt: skip


def _document(chance: random.Random, mark: str, size: int) -> list[str]:
    """Header fields and base64 of an attachment that is a PDF document as far as its frame goes."""
    content = chance.randbytes(size * 3 // 4 - 2_800)
    frame = (
        b"%%PDF-1.5\n1 0 obj\n<< /Type /Catalog /Pages 2 0 R >>\nendobj\n"
        b"2 0 obj\n<< /Type /Pages /Kids [] /Count 0 >>\n"
        b"endobj\n3 0 obj\n<< /Length %d >>\nstream\n" % (len(content) + 15)
    )
    end = b"\nendstream\nendobj\ntrailer\n<< /Root 1 0 R /Size 4 >>\n%%EOF\n"
    encoded = base64.encodebytes(frame + content + end).decode().splitlines()
    return [
        'Content-Type: application/pdf; name="figures.pdf"',
        'Content-Disposition: attachment; filename="figures.pdf"',
        "Content-Transfer-Encoding: base64", "",
        *encoded[:10], mark, *encoded[10:], "",
    ]  # fmt: skip
