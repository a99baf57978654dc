"""The sans-IO part of the milter protocol: packets, commands, negotiation, replies."""

import contextlib
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st
from ksmg.milter import commands, negotiation, replies
from ksmg.milter.packets import MAXIMUM_PACKET, Packet, PacketParser, ProtocolError

packets = st.builds(Packet, st.binary(min_size=1, max_size=1), st.binary(max_size=300))
OFFER = commands.Negotiate(6, 0x1FF, 0x1FFFFF)


@given(st.lists(packets, max_size=20), st.lists(st.integers(1, 50), max_size=50))
def test_packets_survive_any_cutting(sent: list[Packet], cuts: list[int]) -> None:
    stream, parser, received = b"".join(packet.encode() for packet in sent), PacketParser(), list[Packet]()
    for cut in cuts:
        received += parser.feed(stream[:cut])
        stream = stream[cut:]
    received += parser.feed(stream)
    assert received == sent


@given(st.binary(max_size=2000))
def test_garbage_is_refused_and_nothing_else(data: bytes) -> None:
    with contextlib.suppress(ProtocolError):
        for packet in PacketParser().feed(data):
            commands.parse(packet)


@given(st.sampled_from(b"ODCHMRTLNBEAQKUZ"), st.binary(max_size=200))
def test_any_data_of_any_command_is_parsed_or_refused(letter: int, data: bytes) -> None:
    with contextlib.suppress(ProtocolError):
        commands.parse(Packet(bytes([letter]), data))


@pytest.mark.parametrize("length", [0, MAXIMUM_PACKET + 1, 0xFFFFFFFF])
def test_a_packet_of_an_impossible_length_is_refused(length: int) -> None:
    with pytest.raises(ProtocolError):
        list(PacketParser().feed(struct.pack("!I", length)))


@pytest.mark.parametrize(
    ("letter", "data", "command"),
    [
        (b"C", b"mail.example.com\x004\x00\x19192.0.2.1\0", commands.Connect(b"mail.example.com", "192.0.2.1")),
        (b"C", b"a.example.com\x006\x00\x19IPv6:2001:db8::1\0", commands.Connect(b"a.example.com", "2001:db8::1")),
        (b"C", b"localhost\x00L\x00\x00/run/socket\0", commands.Connect(b"localhost", "/run/socket")),
        (b"C", b"unknown\x00U", commands.Connect(b"unknown", None)),
        (b"H", b"client.example\0", commands.Helo(b"client.example")),
        (b"M", b"<a@example.com>\0SIZE=100\0SMTPUTF8\0", commands.Mail(b"a@example.com", (b"SIZE=100", b"SMTPUTF8"))),
        (b"M", b"<>\0", commands.Mail(b"")),
        (b"R", "<ü@example.com>\0".encode(), commands.Recipient("ü@example.com".encode())),
        (b"L", b"Subject\0 a\n b\0", commands.Header(b"Subject", b" a\n b")),
        (b"L", b"Empty\0\0", commands.Header(b"Empty", b"")),
        (b"B", b"text\r\n", commands.Body(b"text\r\n")),
        (b"E", b"", commands.EndOfMessage()),
        (b"A", b"", commands.ABORT),
        (b"K", b"", commands.QUIT_NEW_CONNECTION),
        (b"U", b"XYZ\0", commands.UNKNOWN),
    ],
)
def test_a_command_is_understood(letter: bytes, data: bytes, command: commands.Command) -> None:
    assert commands.parse(Packet(letter, data)) == command


@pytest.mark.parametrize(
    ("letter", "data"),
    [
        (b"Z", b""),
        (b"O", b"short"),
        (b"C", b"no end"),
        (b"C", b"host\x009\x00\x19x\0"),
        (b"H", b"no end"),
        (b"L", b"no value\0"),
    ],
)
def test_a_malformed_command_is_refused(letter: bytes, data: bytes) -> None:
    with pytest.raises(ProtocolError):
        commands.parse(Packet(letter, data))


def test_macros_are_told_by_their_names_without_braces() -> None:
    assert commands.macros_of(b"Mi\x004X1\0{auth_authen}\0u\0") == {"i": b"4X1", "auth_authen": b"u"}
    assert commands.macros_of(b"C") == {}


@pytest.mark.parametrize("data", [b"", b"Monly a name\0", b"Mi\x004X1"])
def test_malformed_macros_are_refused(data: bytes) -> None:
    with pytest.raises(ProtocolError):
        commands.macros_of(data)


def test_negotiation_leaves_out_every_reply_but_the_verdict() -> None:
    version, actions, protocol = struct.unpack_from("!III", negotiation.answer(OFFER).data)
    assert (version, actions) == (6, 0x11B)
    assert protocol == 0x1FF3C0


def test_negotiation_asks_for_the_macros_that_are_used_and_no_others() -> None:
    wishes = negotiation.answer(OFFER).data[12:]
    assert wishes.count(b"\0\0\0\5i {auth_authen}\0") == 1
    assert wishes.count(b"{auth_authen}\0") == len(negotiation.Stage)


@pytest.mark.parametrize("offer", [commands.Negotiate(2, 0x1FF, 0x7F), commands.Negotiate(6, 0xFF, 0x1FFFFF)])
def test_a_server_that_cannot_do_what_is_needed_is_refused(offer: commands.Negotiate) -> None:
    with pytest.raises(ProtocolError):
        negotiation.answer(offer)


@given(st.text(max_size=100))
def test_no_text_adds_a_line_or_an_escape_to_a_reply(text: str) -> None:
    data = replies.refusal(550, "5.7.1", text).data
    assert data.startswith(b"550 5.7.1 ")
    assert all(0x20 <= byte < 0x7F for byte in data[:-1])
    assert b"%" not in data


def test_a_long_reply_is_cut_to_one_smtp_line() -> None:
    data = replies.refusal(550, "5.7.1", "x" * 2000).data.rstrip(b"\0")
    assert len(data + b"\r\n") == 512


@given(st.text(max_size=100))
def test_no_text_adds_a_header_line(text: str) -> None:
    data = replies.add_header("X-Test", text).data
    assert data.startswith(b"X-Test\0 ")
    assert b"\n" not in data
    assert data.count(b"\0") == 2


def test_a_changed_header_keeps_its_folding_and_loses_nul_and_cr() -> None:
    packet = replies.change_header(b"Subject", 1, b" [SPAM] a\r\n b\0c")
    assert packet.data == b"\0\0\0\1Subject\0 [SPAM] a\n bc\0"


@given(st.binary(max_size=60))
def test_no_value_holds_what_ends_a_string_or_a_line_early(value: bytes) -> None:
    for packet in (replies.append_header(b"X", value), replies.insert_header(b"X", value)):
        assert packet.data.count(b"\0") == 2 + (4 if packet.command == b"i" else 0)
        assert b"\r" not in packet.data


def test_a_field_is_inserted_before_those_that_were_received() -> None:
    assert replies.insert_header(b"X-First", b" yes") == Packet(b"i", b"\0\0\0\0X-First\0 yes\0")


@pytest.mark.parametrize(
    ("address", "named"),
    [
        (b'"a b"@example.com', b'"a b"@example.com'),
        (b"@x.example,@y.example:a@example.com", b"a@example.com"),
        (b"@x.example:@[192.0.2.1]:a@example.com", b"a@example.com"),
        (b"<a@example.com>", b"a@example.com"),
        (b'"@x.example:a"@example.com', b'"@x.example:a"@example.com'),
        ("ü@example.com".encode(), "ü@example.com".encode()),
    ],
)
def test_a_recipient_is_taken_off_by_the_address_that_postfix_has_in_its_queue(address: bytes, named: bytes) -> None:
    assert replies.delete_recipient(address) == Packet(b"-", b"<" + named + b">\0")


@given(st.lists(st.integers(0, 200_000), max_size=4))
def test_a_body_is_sent_whole_in_pieces_that_the_server_takes(sizes: list[int]) -> None:
    pieces = [bytes([65 + number]) * size for number, size in enumerate(sizes)]
    sent = list(replies.replace_body(pieces))
    assert b"".join(packet.data for packet in sent) == b"".join(pieces)
    assert all(packet.command == b"b" and len(packet.data) <= replies.BODY_CHUNK for packet in sent)
