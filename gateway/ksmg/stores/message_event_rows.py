"""How message events are stored: what can be searched in columns of their own, the rest packed.

Beside words, events are found by codes: a character, or two, that stands for a value such as a rule's name or a
network. All of an event's codes are one text, `|a|b|c|`, so that the index of three characters at a time, which finds
words, finds a code as `|a|`. Different values may have the same code: what was found by one is compared again.
"""

import functools
import ipaddress
import operator
import socket
import zlib
from collections.abc import Sequence
from typing import Any

from ksmg.stores.flight_record import FlightRecord, packed, unpacked
from ksmg.stores.message_event import MessageEvent

SCHEMA = """
CREATE TABLE IF NOT EXISTS event (
    number INTEGER PRIMARY KEY, time REAL NOT NULL, id_key INTEGER NOT NULL, queue_key INTEGER NOT NULL,
    message_key INTEGER NOT NULL, id TEXT NOT NULL, queue_id TEXT NOT NULL, message_id TEXT NOT NULL,
    client_ip TEXT NOT NULL, sender TEXT NOT NULL, recipients TEXT NOT NULL, subject TEXT NOT NULL,
    attachments TEXT NOT NULL, rule TEXT NOT NULL, details TEXT NOT NULL, size INTEGER NOT NULL, codes TEXT NOT NULL,
    rest BLOB NOT NULL
) STRICT;
CREATE TABLE IF NOT EXISTS record (
    number INTEGER PRIMARY KEY, time REAL NOT NULL, key INTEGER NOT NULL, message TEXT NOT NULL, document BLOB NOT NULL
) STRICT;
"""
_COLUMNS = (
    "time", "id_key", "queue_key", "message_key", "id", "queue_id", "message_id", "client_ip", "sender", "recipients",
    "subject", "attachments", "rule", "details", "size", "codes", "rest",
)  # fmt: skip
SELECTED = f"event.number, {', '.join('event.' + column for column in _COLUMNS)}"
INSERT = f"INSERT INTO event ({','.join(_COLUMNS)}) VALUES ({','.join('?' * len(_COLUMNS))})"
INSERT_RECORD = "INSERT INTO record (time, key, message, document) VALUES (?,?,?,?)"
UPDATE = f"UPDATE event SET {', '.join(column + ' = ?' for column in _COLUMNS)} WHERE number = ?"
UPDATE_RECORD = "UPDATE record SET time = ?, key = ?, message = ?, document = ? WHERE number = ?"
BETWEEN = "\n\n"
"""Between and after the values of a list, so that no two of them are found as one."""
MARK = "\x01"
"""Before, between and after codes."""
_FIRST_CODE, _CODES = 0x3400, 0x9FFF - 0x3400
"""Ideographs: three bytes each, and no case."""
_LARGEST_CLASS = 33
CLEAN = "clean"
_REST = (
    "message", "node", "client_name", "helo", "account", "direction", "verdicts", "action", "changed", "marks", "reply",
    "backup_id", "quarantine_id", "unscanned", "milliseconds", "own_milliseconds",
)  # fmt: skip
_ONLY_SEARCHED, _JOINED, _TUPLES = (
    ("id_key", "queue_key", "message_key", "details", "codes"),
    ("recipients", "attachments"),
    ("verdicts", "marks"),
)
_rest_of = operator.attrgetter(*_REST)
_texts_of = operator.attrgetter("id", "queue_id", "message_id", "client_ip", "sender", "subject", "rule")
_EXPECTED = (
    b'["","localhost","unknown","[127.0.0.1]","","outbound",[{"check":"spool","status":"unscanned","detail":"451 4.7.1 '
    b'Message cannot be checked now, please try again later (reference 550 5.7.1 Message refused: malware found, "}],'
    b'"reject",false,["copied to backup","warning inserted","attachment removed: '
    b'","mail.example.com","","inbound",[{"check":"antivirus","status":"clean","engine":"ClamAV 1.4.","findings":[{"'
    b'status":"infected","detail":"","parts":[]}],"reason":"unreachable","milliseconds":0.1},{"check":"antispam","status'
    b'":"clean","evidence":["R_SPF_ALLOW(-0.2)","R_DKIM_ALLOW(-0.2)","DMARC_POLICY_ALLOW(-0.5)","MIME_GOOD(-0.1)"],'
    b'"score":0.0,"engine":"rspamd 3.","milliseconds":0.1},{"check":"phishing","status":"clean"},{"check":"content",'
    b'"status":"clean"},{"check":"authentication","status":"clean","milliseconds":0.1}],"skip",false,[],"","","","",0.1]'
)


def row(event: MessageEvent) -> tuple[object, ...]:
    """The event's values, in the order of `INSERT`."""
    texts = _texts_of(event)
    if not _storable("".join(texts)):
        texts = tuple(map(text, texts))
    id_, queue_id, message_id, client_ip, sender, subject, rule = texts
    return (
        event.time,
        key(event.id),
        key(event.queue_id),
        key(event.message_id),
        id_,
        queue_id,
        message_id,
        client_ip,
        sender,
        _joined(event.recipients),
        subject,
        _joined(event.attachments),
        rule,
        _joined(event.details),
        event.size,
        codes(event),
        packed(_rest_of(event), _EXPECTED),
    )


def record_row(record: FlightRecord) -> tuple[object, ...]:
    """A flight record's values, in the order of `INSERT_RECORD`."""
    return record.time, key(record.message), text(record.message), packed(record.document)


def event_of(values: tuple[Any, ...]) -> MessageEvent:
    """The event of a row of the columns `SELECTED`."""
    fields = dict(zip(_COLUMNS, values[1:], strict=True))
    fields |= zip(_REST, unpacked(fields.pop("rest"), _EXPECTED), strict=True)
    for name in _ONLY_SEARCHED:
        del fields[name]
    for name in _JOINED:
        fields[name] = _split(fields[name])
    for name in _TUPLES:
        fields[name] = tuple(fields[name])
    return MessageEvent(**fields)


def text(value: str) -> str:
    """A text as a column can hold it: without line breaks, NUL and lone surrogates, which readable text has not."""
    if _storable(value):
        return value
    safe = value.encode("utf-8", "backslashreplace").decode()
    return safe.translate(_UNSTORABLE)


def _storable(value: str) -> bool:
    """Whether it certainly can be stored as it is."""
    return value.isascii() and value.isprintable()


_UNSTORABLE = {0: " ", 1: " ", 10: " ", 13: " "}


def key(name: str) -> int:
    """A number that stands for an id in an index. Different ids may have the same."""
    return zlib.crc32(name.encode("utf-8", "backslashreplace"))


def codes(event: MessageEvent) -> str:
    """All codes of an event. What is most frequent has none: it is found by looking."""
    return MARK.join(
        (_usual_codes(event.action, event.direction, event.rule, size_class(event.size)), _rare_codes(event))
    )


@functools.lru_cache(4096)
def _usual_codes(action: str, direction: str, rule: str, size: int) -> str:
    found = (code("action", action), code("direction", direction), code("rule", rule), code("size", str(size)))
    return MARK + MARK.join(found)


def _rare_codes(event: MessageEvent) -> str:
    found = [code(*status) for status in event.statuses if status[1] != CLEAN]
    if event.unscanned:
        found.append(code("unscanned", ""))
    return MARK.join([*found, *client_codes(event.client_ip), ""])


def size_class(size: int) -> int:
    """The class of messages about as large; in each, the largest have twice the bytes of the smallest."""
    return min(size.bit_length(), _LARGEST_CLASS)


@functools.lru_cache(4096)
def code(kind: str, value: str) -> str:
    """The code of a value."""
    return _characters(zlib.crc32(f"{kind}\0{value}".encode("utf-8", "backslashreplace")), 1)


@functools.lru_cache(4096)
def client_codes(client_ip: str) -> tuple[str, ...]:
    """The codes of a client's address and of the networks that it is in."""
    try:
        address = socket.inet_pton(socket.AF_INET6 if ":" in client_ip else socket.AF_INET, client_ip)
    except (OSError, UnicodeError):
        return ()
    return tuple(_address_code(address, size) for size in _LEVELS[len(address)])


def network_code(network: ipaddress.IPv4Network | ipaddress.IPv6Network) -> str:
    """The code of the smallest network around this one that has codes; empty when there is none."""
    address = network.network_address.packed
    sizes = [size for size in _LEVELS[len(address)] if size * 8 <= network.prefixlen]
    return _address_code(address, sizes[-1]) if sizes else ""


_LEVELS = {4: (1, 2, 3, 4), 16: (4, 6, 8, 16)}
"""Bytes of an address -> those of the networks that have codes, and of the address itself."""


def _address_code(address: bytes, size: int) -> str:
    """One character for networks; for an address, of which there may be very many, two."""
    return _characters(zlib.crc32(address[:size], size), 2 if size == len(address) else 1)


def _characters(number: int, length: int) -> str:
    first = chr(_FIRST_CODE + number % _CODES)
    return first if length == 1 else first + chr(_FIRST_CODE + number // _CODES % _CODES)


def _joined(values: Sequence[str]) -> str:
    if not _storable("".join(values)):
        values = tuple(map(text, values))
    return "".join([value + BETWEEN for value in values])


def _split(values: str) -> tuple[str, ...]:
    return tuple(values.split(BETWEEN)[:-1])
