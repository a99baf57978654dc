"""The person that is looked for: a mail address in all its spellings, and names."""

import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass

_LONGEST_ADDRESS = 320
"""Characters, RFC 5321 4.5.3.1: 64 before the @ and 255 after it."""


@dataclass(frozen=True)
class Person:
    """`local` and `domain` in lower case; the domain in Unicode. An option (`+news`) is not part of it."""

    local: str
    domain: str
    names: tuple[str, ...] = ()

    @property
    def address(self) -> str:
        """The address as people write it."""
        return f"{self.local}@{self.domain}"

    @property
    def domains(self) -> tuple[str, ...]:
        """The domain as people write it and as DNS has it (RFC 5890), each once."""
        return tuple(dict.fromkeys((self.domain, punycode(self.domain))))


def parse_person(address: str, names: Iterable[str] = ()) -> Person:
    """A person by an address such as `Ann@Example.com`, `<ann+news@example.com>`. Raises ValueError with a sentence."""
    given = unicodedata.normalize("NFC", address).strip().removeprefix("mailto:").strip("<> ").lower()
    local, at, domain = given.rpartition("@")
    local = local.strip('"')
    local = local.partition("+")[0] or local
    if not at or not local or len(given) > _LONGEST_ADDRESS or any(c.isspace() or not c.isprintable() for c in given):
        raise ValueError(f"{address.strip()!r} is no mail address.")
    cleaned = tuple(dict.fromkeys(" ".join(unicodedata.normalize("NFC", name).lower().split()) for name in names))
    if any(len(name) < 3 for name in cleaned):
        raise ValueError("A name must have three characters at least: a shorter one would be found everywhere.")
    return Person(local, _unicode(domain.rstrip(".")), cleaned)


def punycode(domain: str) -> str:
    """A domain as DNS has it; as it is when that cannot be."""
    try:
        return domain.encode("idna").decode("ascii")
    except UnicodeError:
        return domain


def _unicode(domain: str) -> str:
    try:
        return domain.encode("ascii").decode("idna")
    except UnicodeError:
        return domain
