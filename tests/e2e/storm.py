"""``python -m e2e.storm``: many connections that send mail until a time is over, and what each message was answered.

Every message has a marker of its own in its Message-ID. The report has one JSON line per message: marker, kind, and the
last answer's code and text; 0 when the connection ended without an answer, which promises nothing to the sender.
"""

import argparse
import asyncio
import contextlib
import json
import random
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TextIO

EICAR = r"X5O!P%@AP[4\PZX54(P^)7CC)7}$EICAR-STANDARD-ANTIVIRUS-TEST-FILE!$H+H*"
GTUBE = "XJS*C4JDBQADN1.NSBN3*2IDNEN*GTUBE-STANDARD-ANTI-UBE-TEST-EMAIL*C.34X"
BODIES = {"clean": "", "virus": EICAR, "spam": GTUBE}
ANSWER_LIMIT = 120.0
PAUSE_WHEN_REFUSED = 0.2

Answer = tuple[int, str]


@dataclass(frozen=True)
class Storm:
    """What is sent, where, and by how many at a time."""

    address: str
    port: int
    sender: str
    recipients: Sequence[str]
    connections: int
    seconds: float
    size: int
    kinds: Sequence[str]
    over: Path
    """A file that ends it when it appears."""

    async def blow(self, report: TextIO) -> None:
        """Sends until the time is over."""
        deadline = time.monotonic() + self.seconds
        await asyncio.gather(*(self._client(number, deadline, report) for number in range(self.connections)))

    async def _client(self, number: int, deadline: float, report: TextIO) -> None:
        chance, sent = random.Random(), 0  # another storm has other markers
        while time.monotonic() < deadline and not self.over.exists():
            sent += 1
            kind = chance.choice(self.kinds)
            marker = f"storm-{number:02}-{sent:05}-{chance.getrandbits(48):012x}"
            code, text = await self._send(marker, kind, chance)
            report.write(json.dumps({"marker": marker, "kind": kind, "code": code, "text": text}) + "\n")
            report.flush()
            if code != 250:
                await asyncio.sleep(PAUSE_WHEN_REFUSED)

    async def _send(self, marker: str, kind: str, chance: random.Random) -> Answer:
        try:
            async with asyncio.timeout(ANSWER_LIMIT):
                reader, writer = await asyncio.open_connection(self.address, self.port)
                try:
                    return await self._converse(reader, writer, self._message(marker, kind, chance))
                finally:
                    writer.close()
        except (OSError, TimeoutError, EOFError, ValueError):
            return 0, ""

    async def _converse(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, message: bytes) -> Answer:
        recipients = [f"RCPT TO:<{recipient}>" for recipient in self.recipients]
        for command in ("", "EHLO mx.partner.test", f"MAIL FROM:<{self.sender}>", *recipients, "DATA"):
            if command:
                writer.write(command.encode() + b"\r\n")
            answer = await _answer(reader)
            if answer[0] >= 400:
                return answer
        writer.write(message + b"\r\n.\r\n")
        answer = await _answer(reader)
        with contextlib.suppress(OSError):  # the answer is there; the goodbye does not matter
            writer.write(b"QUIT\r\n")
            await writer.drain()
        return answer

    def _message(self, marker: str, kind: str, chance: random.Random) -> bytes:
        filler = "\r\n".join(f"{chance.getrandbits(280):070x}" for _ in range(self.size // 72))
        return (
            f"From: <{self.sender}>\r\nTo: <{self.recipients[0]}>\r\nSubject: {kind} {marker}\r\n"
            f"Date: {time.strftime('%a, %d %b %Y %H:%M:%S +0000', time.gmtime())}\r\n"
            f"Message-ID: <{marker}@partner.test>\r\n\r\n{BODIES[kind]}\r\n{filler}"
        ).encode()


async def _answer(reader: asyncio.StreamReader) -> Answer:
    """The code of a whole answer, and its last line's text."""
    while True:
        line = await reader.readuntil(b"\n")
        if line[3:4] != b"-":
            return int(line[:3]), line[4:].decode("ascii", "replace").strip()


def main() -> None:
    """Reads the command line and sends."""
    parser = argparse.ArgumentParser(prog="storm", description=__doc__)
    parser.add_argument("address")
    parser.add_argument("report", type=Path)
    parser.add_argument("--port", type=int, default=25)
    parser.add_argument("--sender", required=True)
    parser.add_argument("--recipient", action="append", required=True)
    parser.add_argument("--connections", type=int, default=8)
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--size", type=int, default=4000)
    parser.add_argument("--kind", action="append", choices=BODIES, help="default: mostly clean, some virus and spam")
    chosen = parser.parse_args()
    kinds = chosen.kind or ["clean"] * 8 + ["virus", "spam"]
    storm = Storm(chosen.address, chosen.port, chosen.sender, chosen.recipient, chosen.connections, chosen.seconds,
                  chosen.size, kinds, chosen.report.with_suffix(".over"))  # fmt: skip
    with chosen.report.open("w") as report:
        asyncio.run(storm.blow(report))


if __name__ == "__main__":
    main()
