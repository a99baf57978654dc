"""A mail server at the end of the road: it accepts every message and stores it as it came.

`python -m lab.sink ADDRESS PORT DIRECTORY` listens there. A message becomes two files: `<number>.eml` with the bytes
and `<number>.json` with the envelope. The envelope is written last: when it is there, the message is whole.
"""

import asyncio
import itertools
import json
import sys
from collections.abc import Sequence
from pathlib import Path

from aiosmtpd.smtp import SMTP, Envelope, Session

SIZE_LIMIT = 200_000_000


class Store:
    """Writes what arrives."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.numbers = itertools.count(1 + len(list(directory.glob("*.eml"))))

    async def handle_DATA(self, _server: SMTP, session: Session, envelope: Envelope) -> str:
        """Keep the message; aiosmtpd calls it when the data is there."""
        stem = self.directory / f"{next(self.numbers):06d}"
        content = envelope.original_content or b""
        stem.with_suffix(".eml").write_bytes(content)
        peer = session.peer[0] if session.peer else ""
        facts = {"from": envelope.mail_from, "to": envelope.rcpt_tos, "peer": peer, "helo": session.host_name}
        unfinished = stem.with_suffix(".new")
        unfinished.write_text(json.dumps(facts))
        unfinished.rename(stem.with_suffix(".json"))
        return "250 2.0.0 stored"


async def serve(address: str, port: int, directory: Path) -> None:
    """Listen until the process is ended."""
    store = Store(directory)
    server = await asyncio.get_running_loop().create_server(
        lambda: SMTP(store, hostname="sink.test", data_size_limit=SIZE_LIMIT, enable_SMTPUTF8=True), address, port
    )
    async with server:
        await server.serve_forever()


def main(argv: Sequence[str]) -> None:
    """Read the arguments and serve."""
    address, port, directory = argv
    asyncio.run(serve(address, int(port), Path(directory)))


if __name__ == "__main__":
    main(sys.argv[1:])
