"""Where links lead: lists of domains and places, and domains that are made to look like others."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property

_PLACE = re.compile(
    r"(?:[A-Za-z][A-Za-z0-9+.-]*:/*)?(?:[^\s/?#@]*@)?(?P<host>[^\s/?#@:]+\.[^\s/?#@:]+)(?::\d*)?(?P<path>[/?#]\S*)?"
)
_SIMILAR = str.maketrans({"0": "o", "1": "l", "3": "e", "5": "s", "i": "l", "|": "l", "-": None, "_": None})
_FOREIGN = str.maketrans("аеоросхуіѕјԁһӏкмтнοαιυκρν", "aeopocxyisjdhlkmthoalukpv")
"""Letters of other scripts that look like Latin ones (Unicode TR 39, those in use)."""
_SEVERAL = (("rn", "m"), ("vv", "w"))


def target(text: str) -> str:
    """A domain, or a place such as `example.com/path`, in the form of lists. Raises ValueError for anything else."""
    match = _PLACE.fullmatch(text.strip())
    if match is None:
        raise ValueError(f"must be domains such as example.com, or places such as example.com/path; not {text[:100]}")
    return plain_domain(match["host"]) + (match["path"] or "").rstrip("/")


def plain_domain(domain: str) -> str:
    """Lower case, in Unicode's characters, without the dot at the end."""
    domain = domain.lower().rstrip(".")
    if "xn--" not in domain:
        return domain
    return ".".join(map(_unicode_label, domain.split(".")))


def _unicode_label(label: str) -> str:
    try:
        return label[4:].encode("ascii").decode("punycode") if label.startswith("xn--") else label
    except UnicodeError:
        return label


@dataclass(frozen=True)
class LinkTargets:
    """Domains, their subdomains included, and places: every link that begins with one."""

    entries: frozenset[str] = frozenset()

    def __or__(self, other: "LinkTargets") -> "LinkTargets":
        return LinkTargets(self.entries | other.entries)

    @cached_property
    def _places(self) -> dict[str, list[str]]:
        found: dict[str, list[str]] = {}
        for entry in self.entries:
            host, _, path = entry.partition("/")
            if path:
                found.setdefault(host, []).append(path)
        return found

    def match(self, link: str) -> bool:
        """Whether a link leads there."""
        if not self.entries:
            return False
        try:
            host, _, path = target(link).partition("/")
        except ValueError:
            return False
        for domain in _domains(host):
            if domain in self.entries or any(_begins(path, place) for place in self._places.get(domain, ())):
                return True
        return False

    @cached_property
    def _appearances(self) -> dict[str, str]:
        return {appearance(entry): entry for entry in self.entries if "/" not in entry}

    def imitated(self, domain: str) -> str | None:
        """Which of the domains another one looks like without being it, such as `paypa1.com`; None: none of them."""
        found = self._appearances.get(appearance(domain))
        return found if found is not None and not self.match(domain) else None


def appearance(domain: str) -> str:
    """What a domain looks like at a glance: characters that are easily taken for each other alike."""
    seen = plain_domain(domain).translate(_FOREIGN).translate(_SIMILAR)
    for several, one in _SEVERAL:
        seen = seen.replace(several, one)
    return seen


def _domains(host: str) -> Iterable[str]:
    """A host and the domains that it is in."""
    while host:
        yield host
        host = host.partition(".")[2]


def _begins(path: str, place: str) -> bool:
    return path.startswith(place) and path[len(place) : len(place) + 1] in ("", "/", "?", "#", "&")


NONE = LinkTargets()
BRANDS = LinkTargets(frozenset({
    "paypal.com", "microsoft.com", "office.com", "live.com", "outlook.com", "microsoftonline.com",
    "office365.com", "apple.com", "icloud.com", "google.com", "gmail.com", "amazon.com", "netflix.com",
    "dhl.com", "dhl.de", "fedex.com", "ups.com", "usps.com", "docusign.com", "dropbox.com", "adobe.com",
    "ebay.com", "chase.com", "wellsfargo.com", "bankofamerica.com", "citibank.com", "hsbc.com",
    "barclays.co.uk", "santander.com", "deutsche-bank.de", "commerzbank.de", "sparkasse.de", "postbank.de",
    "ing.com", "bbva.com", "sberbank.ru", "vtb.ru", "gosuslugi.ru", "nalog.gov.ru", "tinkoff.ru", "alfabank.ru",
    "binance.com", "coinbase.com", "visa.com", "mastercard.com", "americanexpress.com",
}))  # fmt: skip
"""Domains that are imitated most to obtain secrets; sites that newsletters like to link to are not among them."""
