"""Patterns of mail addresses, as rules and lists have them.

    ann@example.com      this address
    example.com          every address of the domain; @example.com and *@example.com are the same
    .example.com         every address of the domain and of its subdomains
    *@*.example.com      a wildcard: `*` is any text, also none, `?` one character
    /^(info|news)@/      a regular expression, found anywhere in the address
    group:Sales          the members of a directory group
    <>                   the empty sender of a bounce

Case never matters. A domain outside ASCII and its encoded form (RFC 5890) are the same.
"""

import enum
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass

from ksmg.rules.directory import Directory
from ksmg.rules.expressions import LONGEST_TEXT, expression

LONGEST_PATTERN = 512
_NAME = r"[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?"
_DOMAIN = re.compile(rf"{_NAME}(\.{_NAME})*|\[[0-9a-f.:]+\]")
_ADDRESS = re.compile(r"[^\s<>\x00-\x1f\x7f]{1,256}@[^\s@<>\x00-\x1f\x7f]{1,255}")
_PLAIN_LOCAL_PART = re.compile(r"[^\s\"(),:;<>@\[\\\]]+")

Match = Callable[[str, str], bool]
"""Whether an address matches; it is given the address and its domain, both in their normal form."""


class Kind(enum.Enum):
    """The kinds of patterns."""

    ANY = "any"
    """Everything, the empty sender too."""
    EXACT = "exact"
    """One address."""
    DOMAIN = "domain"
    """The addresses of one domain."""
    TREE = "tree"
    """The addresses of a domain and of its subdomains."""
    SUBDOMAINS = "subdomains"
    """The addresses of a domain's subdomains."""
    WILDCARD = "wildcard"
    """Any other wildcard."""
    EXPRESSION = "expression"
    """A regular expression."""
    GROUP = "group"
    """A directory group."""


@dataclass(frozen=True)
class Pattern:
    """One pattern: `text` as somebody wrote it, `value` what its kind compares with."""

    kind: Kind
    value: str
    text: str


def parse_pattern(text: object) -> Pattern:
    """The pattern that a text means. Raises ValueError with the end of a sentence that begins with a field's name."""
    if not isinstance(text, str) or not 0 < len(text) <= LONGEST_PATTERN or not text.isprintable():
        raise ValueError(f"must hold texts of 1 to {LONGEST_PATTERN} printable characters")
    if text.startswith("group:"):
        return Pattern(Kind.GROUP, _group(text), text)
    if text.startswith("/"):
        return Pattern(Kind.EXPRESSION, _expression(text), text)
    if "*" in text or "?" in text:
        return _wildcard(text)
    if text == "<>":
        return Pattern(Kind.EXACT, "", text)
    return _literal(text)


def normal(address: str) -> str:
    """An address as patterns compare it: lower case, no needless quotes, its domain in ASCII."""
    text = address.lower()
    if text.isascii() and '"' not in text and not text.endswith("."):
        return text
    local, at, domain = text.rpartition("@")
    return _without_quotes(local) + at + _ascii(domain).removesuffix(".")


def domain_of(address: str) -> str:
    """The domain of an address in its normal form; empty for the empty sender."""
    return address.rpartition("@")[2] if "@" in address else ""


def matcher(patterns: Iterable[Pattern], directory: Directory) -> Match:
    """Whether any of the patterns matches, compiled: one look-up for all addresses and one for all domains."""
    given = tuple(patterns)
    values = {kind: frozenset(p.value for p in given if p.kind is kind) for kind in Kind}
    if values[Kind.ANY]:
        return lambda _text, _domain: True
    exact, domains = values[Kind.EXACT], values[Kind.DOMAIN] | values[Kind.TREE]
    others = tuple(_slower(values, directory))
    if not others:
        return lambda text, domain: text in exact or domain in domains

    def match(text: str, domain: str) -> bool:
        if text in exact or domain in domains:
            return True
        for other in others:  # noqa: SIM110 - a generator for each address would double the time
            if other(text, domain):
                return True
        return False

    return match


def _slower(values: Mapping[Kind, frozenset[str]], directory: Directory) -> Iterator[Match]:
    """One function for each kind of pattern that is given and that no single look-up decides."""
    if below := values[Kind.TREE] | values[Kind.SUBDOMAINS]:
        yield lambda _, domain: is_below(domain, below)
    if wildcards := tuple(wildcard(value).match for value in sorted(values[Kind.WILDCARD])):
        yield lambda text, _: any(match(text) for match in wildcards)
    if expressions := tuple(expression(value).search for value in sorted(values[Kind.EXPRESSION])):
        yield lambda text, _: len(text) <= LONGEST_TEXT and any(search(text) for search in expressions)
    if groups := tuple(sorted(values[Kind.GROUP])):
        yield lambda text, _: any(directory.is_member(text, group) for group in groups)


def is_below(domain: str, parents: frozenset[str]) -> bool:
    """Whether a domain is a subdomain of one of some domains."""
    while domain:
        domain = domain.partition(".")[2]
        if domain in parents:
            return True
    return False


def wildcard(value: str) -> re.Pattern[str]:
    """A wildcard, compiled to be matched from the start: each `*` gives way once only, so that time stays linear."""
    first, *others = (_escaped(piece) for piece in re.split(r"\*+", value))
    if not others:
        return re.compile(rf"{first}\Z", re.DOTALL)
    middle = "".join(f"(?>.*?{piece})" for piece in others[:-1])
    return re.compile(rf"{first}{middle}.*{others[-1]}\Z", re.DOTALL)


def _escaped(piece: str) -> str:
    return "".join("." if letter == "?" else re.escape(letter) for letter in piece)


def _group(text: str) -> str:
    name = text.removeprefix("group:").strip()
    if not name:
        raise ValueError("names no group after 'group:'")
    return name


def _expression(text: str) -> str:
    if len(text) < 3 or not text.endswith("/"):
        raise ValueError(f"has a regular expression without a second slash: {text}")
    try:
        expression(text[1:-1])
    except ValueError as error:
        raise ValueError(f"has the regular expression {text}, which {error}") from None
    return text[1:-1]


def _wildcard(text: str) -> Pattern:
    value = text.lower()
    if value == "*":
        return Pattern(Kind.ANY, value, text)
    if "@" not in value:
        value = f"*@{value}"
    local, _, domain = value.rpartition("@")
    if local == "*" and not set("*?") & set(domain):
        return Pattern(Kind.DOMAIN, _domain(domain), text)
    if local == "*" and domain.startswith("*.") and not set("*?") & set(domain[2:]):
        return Pattern(Kind.SUBDOMAINS, _domain(domain[2:]), text)
    return Pattern(Kind.WILDCARD, value, text)


def _literal(text: str) -> Pattern:
    if text.startswith("@"):
        return Pattern(Kind.DOMAIN, _domain(text[1:]), text)
    if "@" in text:
        value = normal(text)
        if not _ADDRESS.fullmatch(value):
            raise ValueError(f"has {text}, which is no mail address")
        return Pattern(Kind.EXACT, value, text)
    if text.startswith("."):
        return Pattern(Kind.TREE, _domain(text[1:]), text)
    return Pattern(Kind.DOMAIN, _domain(text), text)


def _domain(text: str) -> str:
    value = _ascii(text.lower())
    if not _DOMAIN.fullmatch(value) or len(value) > 255:
        raise ValueError(f"has {text}, which is no domain name")
    return value


def _ascii(domain: str) -> str:
    """A domain in ASCII; as it is when it cannot be encoded."""
    if domain.isascii():
        return domain
    try:
        return domain.encode("idna").decode("ascii")
    except UnicodeError:
        return domain


def _without_quotes(local: str) -> str:
    """RFC 5321, 4.1.2: a quoted local part is the same as the one without quotes, where that can be written."""
    if len(local) < 3 or not (local.startswith('"') and local.endswith('"')):
        return local
    bare = re.sub(r"\\(.)", r"\1", local[1:-1])
    return bare if _PLAIN_LOCAL_PART.fullmatch(bare) else local
