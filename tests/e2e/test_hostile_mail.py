"""Mail that was made to break a gateway: it is answered in time, the filter lives on, and nothing passes unseen."""

import io
import subprocess
import sys
import zipfile
from collections.abc import Callable, Iterator

import pytest
from ksmg.filter.answers import REFUSED, TRY_AGAIN
from lab.network import within
from lab.target import Neighbour, Target

from e2e import samples
from e2e.appliance import Appliance
from e2e.conftest import Send
from e2e.mailbox import Mailbox
from e2e.samples import Sample

ENDINGS = [b"\n.\n", b"\n.\r\n", b"\r\n.\n", b"\r.\r", b"\r\n.\r", b"\r.\r\n", b"\r\n\x00.\r\n", b"\r\n.\x00\r\n"]
"""What some mail server somewhere took for the end of a message (CVE-2023-51764 and its like), but is none."""
ANSWER_LIMIT = 60


@pytest.fixture(autouse=True)
def the_filter_lives_on(appliance: Appliance) -> Iterator[None]:
    """The filter's process is the same before and after."""
    if appliance.target.booted_image:
        pytest.skip("time limits are for a machine of full speed")
    before = main_pid(appliance)
    yield
    assert main_pid(appliance) == before


def main_pid(appliance: Appliance) -> str:
    """The filter's process."""
    return appliance.run("systemctl", "show", "--value", "--property=MainPID", "ksmg-filter.service").strip()


def send_raw(target: Target, origin: Neighbour, sender: str, recipient: str, data: bytes) -> list[int]:
    """The answers to a message that is sent byte for byte."""
    command = [sys.executable, "-m", "e2e.raw_smtp", target.address, sender, recipient]
    done = subprocess.run(
        within(origin.netns, *command), input=data, capture_output=True, timeout=ANSWER_LIMIT * 3, check=True
    )
    return [int(line) for line in done.stdout.split()]


@pytest.mark.parametrize("ending", ENDINGS, ids=repr)
@pytest.mark.parametrize("side", ["outside", "inside"])
def test_no_ending_smuggles_a_second_message(
    target: Target, inside: Mailbox, stranger: str, employee: str, ending: bytes, side: str
) -> None:
    origin: Neighbour = getattr(target, side)
    sample, smuggled = samples.greeting(stranger, employee), samples.greeting(f"smuggled@{target.partner}", employee)
    commands = f"MAIL FROM:<smuggled@{target.partner}>\r\nRCPT TO:<{employee}>\r\nDATA\r\n".encode()
    data = sample.content + ending + commands + smuggled.content + b"\r\n.\r\n"
    answers = send_raw(target, origin, stranger, employee, data)
    assert answers[0] == 250 or answers[0] >= 500
    after = samples.greeting(stranger, employee)
    send_raw(target, origin, stranger, employee, after.content + b"\r\n.\r\n")
    inside.receive(after.marker)
    delivery = inside.find(smuggled.marker)
    assert delivery is None or delivery.sender == stranger


def many_parts(sample: Sample) -> bytes:
    """Ten thousand parts."""
    part = b"--b\r\nContent-Type: text/plain; name=a.txt\r\n\r\nx\r\n"
    return _multipart(sample, part * 10_000 + b"--b--\r\n")


def deep_parts(sample: Sample) -> bytes:
    """Two thousand multiparts within each other."""
    inner = b"".join(b"--b%d\r\nContent-Type: multipart/mixed; boundary=b%d\r\n\r\n" % (n, n + 1) for n in range(2000))
    return _multipart(sample, inner, boundary=b"b0")


def many_addresses(sample: Sample) -> bytes:
    """Five thousand addresses in a field."""
    cc = b"Cc: " + b",\r\n ".join(b"person%d@example.test" % n for n in range(5000)) + b"\r\n"
    return cc + sample.content


def long_header(sample: Sample) -> bytes:
    """A header of ten million bytes."""
    return b"".join(b"X-Filler-%d: %s\r\n" % (n, b"y" * 900) for n in range(11_000)) + sample.content


def long_lines(sample: Sample) -> bytes:
    """Lines far beyond 998 bytes."""
    return sample.content + b"z" * 100_000 + b"\r\n"


def nul_bytes(sample: Sample) -> bytes:
    """NUL and other control characters."""
    return sample.content + b"a\x00b\x01c\x7f\r\n"


def broken_encodings(sample: Sample) -> bytes:
    """Base64 that is none, and a charset that nobody has."""
    header = b'Content-Type: text/plain; charset="nonsense-\xff"\r\nContent-Transfer-Encoding: base64\r\n'
    return sample.header + header + b"\r\n" + b"=?!\xff\xfe====\r\n" * 100


def many_members(sample: Sample) -> bytes:
    """An archive with a hundred thousand files."""
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as writer:
        for number in range(100_000):
            writer.writestr(str(number), b"")
    return samples.attach(sample, "many.zip", archive.getvalue())


def large_member(sample: Sample) -> bytes:
    """The test virus behind more bytes than the engine looks at: it answers that all is well."""
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as writer, writer.open("report.com", "w") as member:
        for _ in range(300):
            member.write(bytes(1_000_000))
        member.write(samples.EICAR.encode())
    return samples.attach(sample, "report.zip", archive.getvalue())


def _multipart(sample: Sample, body: bytes, boundary: bytes = b"b") -> bytes:
    lines = sample.header.splitlines(keepends=True)
    kept = b"".join(line for line in lines if not line.lower().startswith((b"content-", b"mime-")))
    return kept + b"MIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=" + boundary + b"\r\n\r\n" + body


UNSEEN = [many_parts, deep_parts, many_members, large_member]
"""What cannot be looked into as a whole: put off, because nobody looked at it."""
HARMLESS = [many_addresses, long_lines, nul_bytes, broken_encodings]
Spoil = Callable[[Sample], bytes]


@pytest.mark.parametrize("spoil", UNSEEN, ids=lambda spoil: spoil.__name__)
def test_what_cannot_be_looked_into_is_put_off(
    target: Target, inside: Mailbox, appliance: Appliance, stranger: str, employee: str, spoil: Spoil
) -> None:
    sample = samples.greeting(stranger, employee)
    assert send_raw(target, target.outside, stranger, employee, spoil(sample) + b"\r\n.\r\n")[0] == TRY_AGAIN[0]
    assert appliance.event_about(sample.marker)["unscanned"]
    assert inside.find(sample.marker) is None


@pytest.mark.parametrize("spoil", HARMLESS, ids=lambda spoil: spoil.__name__)
def test_odd_mail_is_answered(send_in: Send, appliance: Appliance, stranger: str, employee: str, spoil: Spoil) -> None:
    sample = samples.greeting(stranger, employee)
    assert send_in(Sample(sample.marker, spoil(sample), sample.subject)).code in (250, TRY_AGAIN[0], REFUSED[0])
    appliance.event_about(sample.marker)


def test_a_header_of_ten_megabytes_is_answered(target: Target, stranger: str, employee: str) -> None:
    data = long_header(samples.greeting(stranger, employee)) + b"\r\n.\r\n"
    assert send_raw(target, target.outside, stranger, employee, data)[0] in (250, TRY_AGAIN[0], REFUSED[0])
