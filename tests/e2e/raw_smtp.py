"""``python -m e2e.raw_smtp ADDRESS SENDER RECIPIENT``: sends standard input after DATA byte for byte, ending included.

Prints the code of every answer that comes to it, one a line, until the server is silent or closes the connection.
"""

import socket
import sys
from collections.abc import Callable

SILENCE = 3.0
PATIENCE = 120.0


def main() -> None:
    """Sends and prints."""
    address, sender, recipient = sys.argv[1:]
    data = sys.stdin.buffer.read()
    with socket.create_connection((address, 25), timeout=PATIENCE) as connection:
        answers = connection.makefile("rb")
        _code(answers.readline)
        for command in ("EHLO mx.partner.test", f"MAIL FROM:<{sender}>", f"RCPT TO:<{recipient}>", "DATA"):
            connection.sendall(command.encode() + b"\r\n")
            code = _code(answers.readline)
        if code != 354:
            raise SystemExit(f"DATA was answered with {code}")
        try:
            connection.sendall(data)
            print(_code(answers.readline))
            connection.settimeout(SILENCE)
            while True:
                print(_code(answers.readline))
        except (OSError, ValueError):
            return


def _code(readline: Callable[[], bytes]) -> int:
    """The code of a whole answer. Raises ValueError at the end of the connection."""
    while True:
        line = readline()
        if line[3:4] != b"-":
            return int(line[:3])


if __name__ == "__main__":
    main()
