"""A mail server's conversation with the filter, played by a fake server over a socket pair."""

import asyncio
import socket
import struct
from collections.abc import AsyncIterator, Iterable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from ksmg.mail.envelope import Envelope
from ksmg.mail.spool import Spool, SpooledMessage
from ksmg.milter.connection import Connection
from ksmg.milter.packets import Packet, PacketParser, ProtocolError
from ksmg.milter.replies import ACCEPT, refusal
from ksmg.milter.session import Session

NEGOTIATION = Packet(b"O", struct.pack("!III", 6, 0x1FF, 0x1FFFFF))
MESSAGE = [
    Packet(b"D", b"C{client_addr}\x00192.0.2.1\0"),
    Packet(b"C", b"client.example\x004\x00\x19192.0.2.1\0"),
    Packet(b"H", b"helo.example\0"),
    Packet(b"M", b"<a@example.com>\0"),
    Packet(b"R", b"<b@example.org>\0"),
    Packet(b"R", "<ü@example.org>\0".encode()),
    Packet(b"L", b"Subject\0 folded\n value\0"),
    Packet(b"L", b"X-Tight\0none\0"),
    Packet(b"B", b"line one\r\n"),
    Packet(b"D", b"Ei\x004XYZ\0"),
    Packet(b"E", b"line two\r\n"),
]


def files(directory: Path) -> list[Path]:
    return list(directory.iterdir())


class FakeServer:
    """The mail server's end of a connection, and what the filter saw."""

    def __init__(self, spool: Spool) -> None:
        self.seen: list[tuple[Envelope, bytes]] = []
        self.reply = ACCEPT
        self.busy_while_judging = False
        self._spool = spool
        self._parser = PacketParser()

    async def start(self) -> None:
        ours, theirs = socket.socketpair()
        self._reader, self._writer = await asyncio.open_connection(sock=ours)
        begun: asyncio.Future[Connection] = asyncio.get_running_loop().create_future()
        await asyncio.get_running_loop().create_connection(lambda: Connection(begun.set_result), sock=theirs)
        self._far = await begun
        self.session = Session(self._far, self._spool, self._process)
        self.conversation = asyncio.create_task(self.session.converse())

    async def stop(self) -> None:
        self.conversation.cancel()
        await asyncio.gather(self.conversation, return_exceptions=True)
        self._far.close()
        self._writer.close()

    async def _process(self, envelope: Envelope, spooled: SpooledMessage) -> Iterable[Packet]:
        self.busy_while_judging = not self.session.idle
        self.seen.append((envelope, spooled.path.read_bytes()))
        return [self.reply]

    def send(self, *packets: Packet) -> None:
        self._writer.write(b"".join(packet.encode() for packet in packets))

    def send_raw(self, data: bytes) -> None:
        self._writer.write(data)

    def hang_up(self) -> None:
        self._writer.write_eof()

    async def receive(self) -> Packet:
        async with asyncio.timeout(5):
            while True:
                for packet in self._parser.feed(await self._reader.read(4096)):
                    return packet

    async def ended(self) -> None:
        async with asyncio.timeout(5):
            await asyncio.shield(self.conversation)


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[FakeServer]:
    started = FakeServer(Spool(tmp_path))
    await started.start()
    yield started
    await started.stop()


async def negotiated(server: FakeServer) -> FakeServer:
    server.send(NEGOTIATION)
    assert (await server.receive()).command == b"O"
    return server


async def test_a_message_is_spooled_exactly_as_received(server: FakeServer) -> None:
    (await negotiated(server)).send(*MESSAGE)
    assert await server.receive() == ACCEPT
    assert server.seen[0][1] == b"Subject: folded\r\n value\r\nX-Tight:none\r\n\r\nline one\r\nline two\r\n"


async def test_the_envelope_is_complete(server: FakeServer) -> None:
    (await negotiated(server)).send(*MESSAGE)
    await server.receive()
    envelope = server.seen[0][0]
    assert (envelope.sender, envelope.recipients) == (b"a@example.com", [b"b@example.org", "ü@example.org".encode()])
    assert (envelope.client.address, envelope.client.helo, envelope.queue_id) == ("192.0.2.1", b"helo.example", "4XYZ")


async def test_several_messages_keep_their_own_envelopes(server: FakeServer) -> None:
    await negotiated(server)
    for sender in (b"one", b"two"):
        server.send(*MESSAGE[:3], Packet(b"M", b"<" + sender + b">\0"), *MESSAGE[4:])
        await server.receive()
    assert [envelope.sender for envelope, _ in server.seen] == [b"one", b"two"]
    assert [len(envelope.recipients) for envelope, _ in server.seen] == [2, 2]


async def test_an_aborted_message_is_forgotten(server: FakeServer, tmp_path: Path) -> None:
    (await negotiated(server)).send(*MESSAGE[:9], Packet(b"A", b""), *MESSAGE[3:])
    await server.receive()
    assert len(server.seen) == 1
    assert files(tmp_path) == []


async def test_a_new_client_on_the_same_connection_starts_anew(server: FakeServer) -> None:
    (await negotiated(server)).send(*MESSAGE)
    await server.receive()
    server.send(Packet(b"K", b""), Packet(b"M", b"<>\0"), Packet(b"E", b""))
    await server.receive()
    envelope = server.seen[1][0]
    assert (envelope.client.address, envelope.queue_id) == (None, "")


async def test_macros_of_a_message_end_with_it(server: FakeServer) -> None:
    (await negotiated(server)).send(*MESSAGE)
    await server.receive()
    server.send(Packet(b"M", b"<>\0"), Packet(b"E", b""))
    await server.receive()
    assert [envelope.queue_id for envelope, _ in server.seen] == ["4XYZ", ""]


async def test_a_refusal_reaches_the_server(server: FakeServer) -> None:
    server.reply = refusal(550, "5.7.1", "no")
    (await negotiated(server)).send(*MESSAGE)
    assert (await server.receive()).data == b"550 5.7.1 no\0"


@pytest.mark.parametrize("end", [Packet(b"Q", b""), None])
async def test_the_end_of_the_connection_ends_the_session(server: FakeServer, end: Packet | None) -> None:
    await negotiated(server)
    server.send(end) if end else server.hang_up()
    await server.ended()


async def test_a_server_that_dies_within_a_message_leaves_nothing(server: FakeServer, tmp_path: Path) -> None:
    (await negotiated(server)).send(*MESSAGE[:9])
    server.hang_up()
    await server.ended()
    assert server.seen == []
    assert files(tmp_path) == []


@pytest.mark.parametrize(
    "data",
    [
        b"EHLO localhost\r\n",
        NEGOTIATION.encode() * 2,
        MESSAGE[3].encode(),
        NEGOTIATION.encode() + Packet(b"M", b"<a>\0").encode() * 2,
        NEGOTIATION.encode() + b"\xff\xff\xff\xff",
    ],
)
async def test_a_peer_that_breaks_the_protocol_is_refused(server: FakeServer, data: bytes) -> None:
    server.send_raw(data)
    with pytest.raises(ProtocolError):
        await server.ended()


async def test_a_session_is_busy_until_its_message_is_judged(server: FakeServer) -> None:
    (await negotiated(server)).send(*MESSAGE)
    await server.receive()
    assert server.busy_while_judging
    assert server.session.idle


LETTERS = st.sampled_from([bytes([letter]) for letter in b"DCHMRTLNBEAQKU"])


@settings(max_examples=60)
@given(st.lists(st.builds(Packet, LETTERS, st.binary(max_size=40).map(lambda data: data + b"\0")), max_size=15))
def test_any_sequence_of_commands_ends_in_good_order(tmp_path: Path, packets: list[Packet]) -> None:
    async def play() -> None:
        server = FakeServer(Spool(tmp_path))
        await server.start()
        try:
            server.send(NEGOTIATION, *packets)
            server.hang_up()
            await server.ended()
        except ProtocolError:
            pass
        finally:
            await server.stop()

    asyncio.run(play())
    assert files(tmp_path) == []
