"""The conversation with one mail server process: a linear sequence of awaits for each message, up to its verdict."""

from collections import deque
from collections.abc import Awaitable, Callable, Iterable, Iterator

from ksmg.mail.envelope import Client, Envelope
from ksmg.mail.spool import Spool, SpooledMessage
from ksmg.milter import commands, negotiation
from ksmg.milter.connection import Connection
from ksmg.milter.packets import Packet, PacketParser, ProtocolError

_PIECE = 262_144
"""Bytes that are sent at once."""
_CLIENT_STAGES = (b"C", b"H")
"""Stages whose macros tell of the client; those of later stages tell of one message only."""


class PeerGone(Exception):
    """The mail server closed the connection."""


Process = Callable[[Envelope, SpooledMessage], Awaitable[Iterable[Packet]]]
"""Judges a complete message; the packets are its changes and the reply that ends it."""


class Session:
    """One connection of the mail server. Several SMTP clients and several messages of each may pass through it."""

    def __init__(self, connection: Connection, spool: Spool, process: Process) -> None:
        self._connection = connection
        self._spool = spool
        self._process = process
        self._parser = PacketParser()
        self._waiting: deque[Packet] = deque()
        self._macros: dict[bytes, Packet] = {}
        """The last ones of each stage, not parsed: there are some before each header field."""
        self.idle = True
        """Whether no message is on its way, so that nothing is lost when the connection is closed."""

    async def converse(self) -> None:
        """Serves the connection until either side ends it.

        Raises ProtocolError when the peer does not speak the protocol.
        """
        try:
            await self._negotiate()
            client = Client()
            while True:
                match await self._next():
                    case commands.Connect(hostname, address):
                        client = Client(address=address, hostname=hostname)
                    case commands.Helo(name):
                        client = client.greeted(name)
                    case commands.Mail(sender, parameters):
                        await self._transaction(Envelope(client, sender, parameters))
                    case commands.QUIT_NEW_CONNECTION:
                        client = Client()
                        self._macros.clear()
                    case commands.QUIT:
                        return
                    case commands.Negotiate():
                        raise ProtocolError("a second negotiation")
                    case _:
                        pass
        except PeerGone:
            return

    async def _negotiate(self) -> None:
        offer = await self._next()
        if not isinstance(offer, commands.Negotiate):
            raise ProtocolError("a command before the negotiation")
        await self._send([negotiation.answer(offer)])

    async def _transaction(self, envelope: Envelope) -> None:
        """One message, from its sender to its verdict, or until the server gives it up."""
        self.idle = False
        try:
            with self._spool.new_message() as spooled:
                if await self._receive(envelope, spooled):
                    complete = envelope.with_macros(self._told())
                    await self._send(await self._process(complete, spooled))
        finally:
            self._macros = {stage: packet for stage, packet in self._macros.items() if stage in _CLIENT_STAGES}
            self.idle = True

    async def _receive(self, envelope: Envelope, spooled: SpooledMessage) -> bool:
        """Takes in recipients, headers and body. False when the server gave the message up.

        Its three frequent commands are taken straight from their packets: a message has dozens of them.
        """
        while True:
            packet = self._waiting.popleft() if self._waiting else await self._next_packet()
            match packet.command:
                case b"B":
                    spooled.add_body(packet.data)
                case b"L":
                    spooled.add_header(*commands.header_of(packet.data))
                case b"D":
                    self._remember(packet)
                case _:
                    match commands.parse(packet):
                        case commands.Recipient(address):
                            envelope.recipients.append(address)
                        case commands.EndOfMessage(data):
                            spooled.finish(data)
                            return True
                        case commands.ABORT:
                            return False
                        case commands.DATA | commands.END_OF_HEADERS | commands.UNKNOWN:
                            pass
                        case commands.QUIT | commands.QUIT_NEW_CONNECTION:
                            raise PeerGone
                        case command:
                            raise ProtocolError(f"{type(command).__name__} within a message")

    async def _next(self) -> commands.Command:
        """The next command; macros are remembered on the way."""
        while True:
            packet = await self._next_packet()
            if packet.command != b"D":
                return commands.parse(packet)
            self._remember(packet)

    def _remember(self, packet: Packet) -> None:
        self._macros[packet.data[:1]] = packet

    def _told(self) -> dict[str, bytes]:
        """All macros of this message; of one that came more than once, what came at the earliest stage."""
        told: dict[str, bytes] = {}
        for packet in self._macros.values():
            if len(packet.data) != 1:  # a stage alone
                told = {**commands.macros_of(packet.data), **told}
        return told

    async def _next_packet(self) -> Packet:
        while not self._waiting:
            data = await self._connection.read()
            if not data:
                raise PeerGone
            self._waiting.extend(self._parser.feed(data))
        return self._waiting.popleft()

    async def _send(self, packets: Iterable[Packet]) -> None:
        try:
            for piece in _pieces(packets):
                await self._connection.write(piece)
        except ConnectionError:
            raise PeerGone from None


def _pieces(packets: Iterable[Packet]) -> Iterator[bytes]:
    """The packets as they go over the wire, a few at a time: a new body may be as large as a message."""
    piece = bytearray()
    for packet in packets:
        piece += packet.encode()
        if len(piece) > _PIECE:
            yield bytes(piece)
            piece.clear()
    if piece:
        yield bytes(piece)
