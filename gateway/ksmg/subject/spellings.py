"""How an address or a name may be written in mail and logs, as regular expressions over bytes.

Each character as it is, in quoted-printable (RFC 2045 6.7), as encoded words have it (RFC 2047 4.2), percent-encoded
(RFC 2231, RFC 3986), in xtext (RFC 3461 4) and as JSON escapes it; the whole in base64 at each of its three alignments.
"""

import base64
import functools
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from ksmg.subject.person import Person

_AT = rb"(?:@|=40|%40|\+40|\\u0040|&#64;|&#x40;)"
_OPTION = rb"(?:(?:\+|=2B|%2B|\+2B)[a-z0-9!#$%&'*+/=?^_`{|}~.-]{1,64}?)?"
_QUOTE = rb'(?:\\?"|=22|%22)?'
_DECODED_BEFORE = rb"(?<=[=%][0-9a-f]{2})|(?<=\\[nrtu])|(?<=\\u[0-9a-f]{4})|(?<=\\x[0-9a-f]{2})"
_BEGIN = rb"(?:(?<![a-z0-9._+-])(?<![\x80-\xff])|" + _DECODED_BEFORE + rb")"
_BEGIN_OF_WORD = rb"(?:(?<![a-z0-9])(?<![\x80-\xff])|" + _DECODED_BEFORE + rb")"
_END = rb"(?![a-z0-9-]|[\x80-\xff]|\.[a-z0-9])"
_END_OF_WORD = rb"(?![a-z0-9]|[\x80-\xff])"
_VERP = rb"(?:(?<=[+=-])|" + _BEGIN + rb")"
_SPACE = rb"(?:[\s_+]|=20|%20|\\[nrt]|&nbsp;|=\r?\n)"
_LEAST_BASE64 = 6
"""Characters; fewer say nothing."""
_LEAST_HINT = 3
_LONGEST_CHARACTER, _LONGEST_QUOTE = 12, 3
"""Bytes of a character, and of a quotation mark, in the longest of its spellings."""


def address_spellings(person: Person) -> Iterator[bytes]:
    """Expressions of the address, to be used without regard to case."""
    local = b"".join(map(_character, person.local))
    for domain in person.domains:
        host = b"".join(map(_character, domain)) + _END
        yield _BEGIN + _QUOTE + local + _OPTION + _QUOTE + _AT + host
        yield _VERP + local + rb"(?:=3d|=)" + host  # as mailing lists put it into their own sender


def name_spellings(name: str) -> Iterator[bytes]:
    """Expressions of a name, also with the last word first: `Petrov, Boris`."""
    words = [b"".join(map(_character, word)) for word in name.split()]
    between = rb"(?:" + _SPACE + rb"){1,8}"
    yield _BEGIN_OF_WORD + between.join(words) + _END_OF_WORD
    if len(words) > 1:
        turned = words[-1] + rb"(?:,|=2c|%2c)?" + between + between.join(words[:-1])
        yield _BEGIN_OF_WORD + turned + _END_OF_WORD


def base64_spellings(person: Person) -> Iterator[bytes]:
    """What must be in base64 of a text with the address or a name in it, whatever stands before; case matters."""
    addresses = [f"{person.local}@{domain}" for domain in person.domains]
    names = [spelling for name in person.names for spelling in (name, name.title(), name.upper())]
    for text in dict.fromkeys((*addresses, *names)):
        plain = text.encode("utf-8", "surrogateescape")
        for before in range(3):
            coded = base64.b64encode(bytes(before) + plain)
            certain = coded[-(-before * 8 // 6) : (before + len(plain)) * 8 // 6]
            if len(certain) >= _LEAST_BASE64:
                yield certain


@dataclass(frozen=True)
class Needle:
    """Something to look for. `hint` is in every spelling, in lower case, with at most `reach` bytes before it.

    Without a hint every place has to be tried, which takes a hundred times longer.
    """

    pattern: "re.Pattern[bytes]"
    hint: bytes
    reach: int

    def matches(self, data: bytes, lowered: bytes) -> Iterator["re.Match[bytes]"]:
        """Every match, in order; `lowered` is the data in lower case."""
        if not self.hint:
            yield from self.pattern.finditer(data)
            return
        done, at = 0, lowered.find(self.hint)
        while at >= 0:
            match = self._around(data, max(done, at - self.reach), at)
            if match:
                yield match
                done = match.end()
            at = lowered.find(self.hint, max(done, at + 1))

    def _around(self, data: bytes, first: int, last: int) -> "re.Match[bytes] | None":
        for start in range(first, last + 1):
            match = self.pattern.match(data, start)
            if match and match.end() > last:
                return match
        return None


def needles(person: Person) -> tuple[Needle, ...]:
    """One for the address and one for each name."""
    local = _run(person.local)
    whole = person.local if len(local) >= _LEAST_HINT else person.address
    before = whole[: whole.find(_run(whole).decode())]
    address = _needle(address_spellings(person), whole, before)
    return (address, *(_needle(name_spellings(name), name, name) for name in person.names))


def _needle(spellings: Iterable[bytes], text: str, before: str) -> Needle:
    """`before`: what may stand before the hint within a match."""
    hint = _run(text)
    reach = _LONGEST_QUOTE + sum(1 if one.isascii() and one.isalnum() else _LONGEST_CHARACTER for one in before)
    return Needle(expression(spellings), hint if len(hint) >= _LEAST_HINT else b"", reach)


def expression(spellings: Iterable[bytes]) -> "re.Pattern[bytes]":
    """One expression for all of them."""
    return re.compile(b"|".join(b"(?:" + spelling + b")" for spelling in spellings), re.IGNORECASE)


def _run(text: str) -> bytes:
    """The longest piece that every spelling leaves as it is: ASCII letters and digits."""
    return max(re.findall(r"[a-z0-9]+", text), key=len, default="").encode()


@functools.lru_cache(1024)
def _character(character: str) -> bytes:
    """One character in all its spellings."""
    if character.isascii() and character.isalnum():
        return character.encode()
    found: set[bytes] = set()
    for one in {character, character.upper(), character.title()}:
        raw = one.encode("utf-8", "surrogateescape")
        found.add(re.escape(raw))
        found.add("".join(f"={byte:02x}" for byte in raw).encode())
        found.add("".join(f"%{byte:02x}" for byte in raw).encode())
        found.add("".join(f"\\\\u{ord(unit):04x}" for unit in _units(one)).encode())
        found.add("".join(f"\\\\x{byte:02x}" for byte in raw).encode())
        if len(one) == 1 and ord(one) < 256:
            found.add(re.escape(one.encode("latin-1")))
            found.add(f"={ord(one):02x}".encode())
    return b"(?:" + b"|".join(sorted(found)) + b")"


def _units(text: str) -> str:
    """Its UTF-16 code units, of which JSON escapes each."""
    coded = text.encode("utf-16-be", "surrogatepass")
    return "".join(chr(int.from_bytes(coded[at : at + 2], "big")) for at in range(0, len(coded), 2))
