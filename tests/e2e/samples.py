"""Messages to send. The strings that scanners know are put together here: no file of the repository holds one."""

import base64
import io
import uuid
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from email.message import EmailMessage
from email.utils import format_datetime, localtime

EICAR = "".join(["X5O!P%@AP[4", "\\PZX54(P^)7CC)7}", "$EICAR-STANDARD", "-ANTIVIRUS-TEST-FILE!", "$H+H*"])
"""The anti-virus industry's harmless test file."""
GTUBE = "".join(["XJS*C4JDBQADN1", ".NSBN3*2IDNEN*", "GTUBE-STANDARD-ANTI", "-UBE-TEST-EMAIL*C.34X"])
"""The anti-spam community's test string."""


@dataclass(frozen=True)
class Sample:
    """A message as bytes with CRLF line ends, and the marker that finds it again: its Message-ID's local part."""

    marker: str
    content: bytes
    subject: str

    @property
    def body(self) -> bytes:
        return self.content.partition(b"\r\n\r\n")[2]

    @property
    def header(self) -> bytes:
        return self.content.partition(b"\r\n\r\n")[0] + b"\r\n"


Compose = Callable[[str, str], Sample]
"""Makes a message from a sender to a recipient."""


def greeting(sender: str, recipient: str) -> Sample:
    """The most ordinary message."""
    return compose(sender, recipient, "Good morning.\n")


def compose(sender: str, recipient: str, text: str, attachment: tuple[str, bytes] | None = None) -> Sample:
    """An ordinary message of today, with what distinguishes one from a scanner's view."""
    marker = f"t{uuid.uuid4().hex}"
    message = EmailMessage()
    message["Date"] = format_datetime(localtime())
    message["From"] = f"Anna Example <{sender}>"
    message["To"] = recipient
    message["Subject"] = f"Minutes of the meeting {marker}"
    message["Message-ID"] = f"<{marker}@{sender.rpartition('@')[2]}>"
    message.set_content(text)
    if attachment:
        name, data = attachment
        message.add_attachment(data, maintype="application", subtype="octet-stream", filename=name)
    content = message.as_bytes().replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")
    return Sample(marker, content, str(message["Subject"]))


def awkward(sender: str, recipient: str) -> Sample:
    """A valid message that a careless filter would change: folding, odd spacing, dots, 8-bit text, trailing blanks."""
    marker = f"t{uuid.uuid4().hex}"
    lines = [
        f"Date: {format_datetime(localtime())}",
        f"From:   Anna Example   <{sender}>",
        f"To: {recipient}",
        "Subject: Minutes",
        f"\tof the  meeting {marker}",
        "X-Empty:",
        "x-lower-case: kept As It Is",
        f"Message-ID: <{marker}@{sender.rpartition('@')[2]}>",
        "MIME-Version: 1.0",
        "Content-Type: text/plain; charset=utf-8",
        "Content-Transfer-Encoding: 8bit",
        "",
        "Grüße, and a line that ends in blanks:   ",
        ".",
        "..two dots, and a tab:\t.",
        "From the beginning of a line",
        "",
        "",
    ]
    return Sample(marker, "\r\n".join(lines).encode(), f"Minutes of the  meeting {marker}")


def attach(sample: Sample, name: str, data: bytes) -> bytes:
    """The message with a file, its marker kept."""
    sender, recipient = "anna@partner.test", "boris@example.test"
    made = compose(sender, recipient, "See the file.\n", (name, data))
    return made.content.replace(made.marker.encode(), sample.marker.encode())


def zipped(name: str, data: bytes) -> bytes:
    """A zip archive with one member."""
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as writer:
        writer.writestr(name, data)
    return archive.getvalue()


def infected(kind: str, sender: str, recipient: str) -> Sample:
    """A message with the test virus: in the text, attached, encoded, or in an archive."""
    match kind:
        case "in the text":
            return compose(sender, recipient, EICAR + "\n")
        case "attached in base64":
            return compose(sender, recipient, "See the file.\n", ("report.com", EICAR.encode()))
        case "zipped":
            return compose(
                sender, recipient, "See the archive.\n", ("report.zip", zipped("report.com", EICAR.encode()))
            )
        case "zipped twice":
            inner = zipped("inner.zip", zipped("report.com", EICAR.encode()))
            return compose(sender, recipient, "See the archive.\n", ("report.zip", inner))
        case "text that is base64":
            return compose_encoded(sender, recipient, EICAR)
        case _:
            raise ValueError(kind)


def compose_encoded(sender: str, recipient: str, text: str) -> Sample:
    """A message whose only part is base64."""
    plain = compose(sender, recipient, "x\n")
    header = plain.header.replace(b"Content-Transfer-Encoding: 7bit", b"Content-Transfer-Encoding: base64")
    return Sample(plain.marker, header + b"\r\n" + base64.b64encode(text.encode()) + b"\r\n", plain.subject)


def spam(sender: str, recipient: str) -> Sample:
    """A message that every spam filter must call spam."""
    return compose(sender, recipient, f"A special offer.\n\n{GTUBE}\n")
