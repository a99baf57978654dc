"""What both sides agree on before the first message: version, actions of the filter, steps and replies left out."""

import enum
import struct

from ksmg.milter.commands import Negotiate
from ksmg.milter.packets import Packet, ProtocolError

VERSION = 6
"""The protocol version that the filter speaks. Every Postfix since 2.6 does."""


class Action(enum.IntFlag):
    """What the filter may do to a message."""

    ADD_HEADERS = 0x01
    """Add header fields."""
    CHANGE_BODY = 0x02
    """Replace the body."""
    DELETE_RECIPIENTS = 0x08
    """Take recipients off the message."""
    CHANGE_HEADERS = 0x10
    """Change and remove header fields."""
    CHOOSE_MACROS = 0x100
    """Say which macros it wants, and spare both sides all others."""


class Protocol(enum.IntFlag):
    """Steps that the server leaves out, and replies that it does not wait for."""

    NO_UNKNOWN = 0x100
    """Unknown SMTP commands are not sent."""
    NO_DATA = 0x200
    """The DATA command is not sent."""
    NO_END_OF_HEADERS = 0x40
    """The end of the headers is not sent."""
    NO_REPLY_HEADER = 0x80
    """No reply to a header field."""
    NO_REPLY_CONNECT = 0x1000
    """No reply to a connection."""
    NO_REPLY_HELO = 0x2000
    """No reply to HELO."""
    NO_REPLY_MAIL = 0x4000
    """No reply to a sender."""
    NO_REPLY_RECIPIENT = 0x8000
    """No reply to a recipient."""
    NO_REPLY_DATA = 0x10000
    """No reply to DATA."""
    NO_REPLY_UNKNOWN = 0x20000
    """No reply to an unknown command."""
    NO_REPLY_END_OF_HEADERS = 0x40000
    """No reply to the end of the headers."""
    NO_REPLY_BODY = 0x80000
    """No reply to a piece of the body."""
    LEADING_SPACE = 0x100000
    """Header values keep the space after the colon, so that a message can be spooled exactly as it was received."""


class Stage(enum.IntEnum):
    """The steps that macros can come with, as the negotiation numbers them (libmilter's `smfi_setsymlist`)."""

    CONNECT = 0
    """A connection."""
    HELO = 1
    """HELO or EHLO."""
    SENDER = 2
    """MAIL."""
    RECIPIENT = 3
    """RCPT."""
    DATA = 4
    """DATA."""
    END_OF_MESSAGE = 5
    """The end of the message."""
    END_OF_HEADERS = 6
    """The end of the headers."""


ACCOUNT, QUEUE_ID = "auth_authen", "i"
"""The macros that the filter wants to know: who signed in, and the queue id."""
MACROS = {Stage.END_OF_MESSAGE: b"i {auth_authen}"}
"""Those that it asks for at each stage; elsewhere the account alone, since Postfix takes none for its usual list."""
NEEDED_ACTIONS = (
    Action.ADD_HEADERS | Action.CHANGE_HEADERS | Action.CHANGE_BODY | Action.DELETE_RECIPIENTS | Action.CHOOSE_MACROS
)
WANTED_PROTOCOL = Protocol(0)
for _flag in Protocol:
    WANTED_PROTOCOL |= _flag
"""All of them: the only reply that the server waits for is the verdict."""
_ACTIONS, _PROTOCOL = int(NEEDED_ACTIONS), int(WANTED_PROTOCOL)
_WISHES = b"".join(struct.pack("!I", stage) + MACROS.get(stage, b"{auth_authen}") + b"\0" for stage in Stage)
_ANSWER = Packet(b"O", struct.pack("!III", VERSION, _ACTIONS, _PROTOCOL) + _WISHES)


def answer(offer: Negotiate) -> Packet:
    """The filter's side of the agreement. Raises ProtocolError when the server cannot do what the filter needs.

    With every reply left out a message costs one round trip instead of one per header field.
    """
    if offer.version < VERSION:
        raise ProtocolError(f"milter protocol version {offer.version}; this filter needs {VERSION}")
    if _ACTIONS & ~offer.actions or _PROTOCOL & ~offer.protocol:
        raise ProtocolError("a mail server without the actions or no-reply steps that this filter needs")
    return _ANSWER
