"""``python3 -m bench.mail.load SIZE RUN MESSAGES CONCURRENCY RATE``: sends mail to port 25, prints JSON of what it saw.

One message a connection, as from many foreign servers; commands are pipelined (RFC 2920), as Postfix does. RATE is
messages a second, begun at even distances whatever the answers take; 0 is as fast as CONCURRENCY connections go. It is
one process with the system calls that the protocol needs and little else, so that it takes little of what it measures.
"""

from __future__ import annotations

import contextlib
import json
import select
import socket
import sys
import time
from collections import Counter
from collections.abc import Generator, Iterator, Sequence

from bench.mail.messages import RECIPIENT, SENDER, stream

HELO = "mx.partner.test"
ADDRESS = "198.51.100.2"
"""The sender's address, one of the chamber's loopback."""
SERVER = ("198.51.100.1", 25)
TIME_LIMIT = 300.0
_BUFFER = 65_536
_ENVELOPE = f"MAIL FROM:<{SENDER}>\r\nRCPT TO:<{RECIPIENT}>\r\nDATA\r\n".encode()

Conversation = Generator[tuple[bytes, int], bytes, None]
"""Yields what is to be sent and how many replies to await; is given the last reply."""


class Tally:
    """What a run saw. Times are seconds; `answers` are from the end of the data to its reply."""

    def __init__(self) -> None:
        self.codes: Counter[str] = Counter()
        self.answers: list[float] = []

    def converse(self, message: bytes) -> Conversation:
        """One message, from the greeting to the good-bye."""
        yield b"", 1
        yield b"EHLO " + HELO.encode() + b"\r\n", 1
        reply = yield _ENVELOPE, 3
        if reply.startswith(b"354"):
            began = time.monotonic()
            reply = yield message, 1
            self.answers.append(time.monotonic() - began)
        self.codes[reply[:3].decode()] += 1
        yield b"QUIT\r\n", 1


class Connection:
    """One connection and where its conversation is."""

    def __init__(self, talk: Conversation, poll: select.epoll) -> None:
        self._talk = talk
        self._poll = poll
        self._unsent = memoryview(b"")
        self._received = b""
        self._last = b""
        self.socket = socket.socket()
        self.socket.bind((ADDRESS, 0))
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.socket.connect(SERVER)
        self.socket.setblocking(False)
        poll.register(self.socket, select.EPOLLIN)
        _, self._awaited = next(talk)

    def ready(self, events: int) -> bool:
        """Go on after the socket became ready. False when the conversation is over."""
        if events & select.EPOLLOUT:
            self._push()
        if not events & ~select.EPOLLOUT:
            return True
        piece = self.socket.recv(_BUFFER)
        if not piece:
            raise ConnectionError(f"the server closed the connection after {self._last!r}")
        self._received += piece
        self._count_replies()
        if self._awaited > 0:
            return True
        try:
            data, self._awaited = self._talk.send(self._last)
        except StopIteration:
            self.socket.close()
            return False
        self._unsent = memoryview(data)
        self._push()
        return True

    def _count_replies(self) -> None:
        """A line with a space after its code ends a reply (RFC 5321, section 4.2.1)."""
        *lines, self._received = self._received.split(b"\r\n")
        for line in lines:
            if line[3:4] != b"-":
                self._awaited -= 1
                self._last = line

    def _push(self) -> None:
        """Send as much as the kernel takes, and ask to be told when there is room for the rest."""
        before = len(self._unsent)
        with contextlib.suppress(BlockingIOError):
            self._unsent = self._unsent[self.socket.send(self._unsent) :]
        if self._unsent:
            self._poll.modify(self.socket, select.EPOLLIN | select.EPOLLOUT)
        elif before > _BUFFER:
            self._poll.modify(self.socket, select.EPOLLIN)


class Load:
    """A run: a number of messages over at most so many connections at a time, at most so many a second."""

    def __init__(self, messages: Iterator[bytes], count: int, concurrency: int, rate: float) -> None:
        self._messages = messages
        self._left = count
        self._concurrency = concurrency
        self._rate = rate
        self._begun = 0
        self._poll = select.epoll()
        self._connections: dict[int, Connection] = {}
        self.tally = Tally()

    def run(self) -> float:
        """Send everything; the seconds that it took."""
        started = time.monotonic()
        while self._left or self._connections:
            pause = self._open_more(time.monotonic() - started)
            for number, events in self._poll.poll(pause):
                if not self._connections[number].ready(events):
                    del self._connections[number]
            if time.monotonic() - started > TIME_LIMIT:
                raise TimeoutError(f"{self._left} messages are left after {TIME_LIMIT:.0f} s")
        return time.monotonic() - started

    def _open_more(self, elapsed: float) -> float:
        """Open what is due; the seconds until the next one is, or -1."""
        while self._left and len(self._connections) < self._concurrency:
            if self._rate and (early := self._begun / self._rate - elapsed) > 0:
                return early
            connection = Connection(self.tally.converse(next(self._messages)), self._poll)
            self._connections[connection.socket.fileno()] = connection
            self._left -= 1
            self._begun += 1
        return -1


def main(arguments: Sequence[str]) -> None:
    """Run and print."""
    size, run, count, concurrency, rate = arguments
    messages = stream(size, run)
    next(messages)
    load = Load(messages, int(count), int(concurrency), float(rate))
    began = time.time()
    seconds = load.run()
    print(json.dumps({"began": began, "seconds": seconds, "codes": load.tally.codes, "answers": load.tally.answers}))


if __name__ == "__main__":
    main(sys.argv[1:])
