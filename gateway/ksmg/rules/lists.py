"""Allow and deny lists: global ones, and personal ones of one recipient address each.

    lists/global.json               the global lists
    lists/personal/AB/ABCD….json    the lists of one address, named by its SHA-256

An entry of a list is a pattern of sender addresses (not a group, not a regular expression); the global ones may also be
IP addresses and networks of clients. It is the sender of the envelope that counts. Deny wins: in the order global deny,
personal deny, global allow, personal allow, because a wrong refusal is noticed and a wrong delivery is not.

For a message a look at a directory entry for each recipient decides: a list that did not change is not read again. One
that is damaged is an error in the log, and the filter goes on with what it knew.
"""

import functools
import hashlib
import json
import logging
import time
from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from ksmg.mail.facts import IPNetwork
from ksmg.rules.directory import NoDirectory
from ksmg.rules.fields import FieldError, RulesError, listed, record, text, within
from ksmg.rules.files import Signature, locked, signature
from ksmg.rules.listing import Listing, Verdict
from ksmg.rules.networks import IPAddress, Networks, parse_client, parse_network
from ksmg.rules.patterns import Kind, Match, Pattern, domain_of, matcher, normal, parse_pattern
from ksmg.stores.durable import replace_durably
from ksmg.system.account import caller

_log = logging.getLogger(__name__)
MOST_ENTRIES = 500
"""Entries of one list: of the global allow list, of one address's deny list, and so on."""
GLOBAL = ""
"""The owner of the global lists."""
_MOST_REMEMBERED = 1_000
_REFUSED = (Kind.GROUP, Kind.EXPRESSION, Kind.ANY)


@dataclass(frozen=True)
class Entry:
    """One entry of a list. `at`: when it was added, in seconds since 1970."""

    entry: str
    verdict: Verdict
    comment: str = ""
    by: str = field(default_factory=caller)
    at: float = field(default_factory=time.time)


@dataclass(frozen=True)
class _Compiled:
    """One verdict's entries of one owner, ready to be asked."""

    verdict: Verdict
    match: Match
    networks: Networks
    entries: tuple[Entry, ...]


class Lists:
    """The lists below a directory. One process may change them while others look senders up."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._global = str(directory / "global.json")
        self._personal = str(directory / "personal")
        self._remembered: OrderedDict[str, tuple[Signature, tuple[_Compiled, ...]]] = OrderedDict()

    def verdict(self, sender: str, client_ip: str, recipient: str) -> Verdict | None:
        """What the lists say about a sender for one recipient; None when none names it. Never raises."""
        found = self.listing(normal(sender), parse_client(client_ip), normal(recipient))
        return found.verdict if found else None

    def listing(self, sender: str, client: IPAddress | None, recipient: str) -> Listing | None:
        """The same with the entry that decided; addresses in their normal form. Never raises."""
        of_all, own = self._compiled(self._global), self._compiled(self._path(recipient))
        if not (of_all or own):
            return None
        domain = domain_of(sender)
        for found, personal in _in_order(of_all, own):
            if found.match(sender, domain) or client in found.networks:
                entry = next(e for e in found.entries if _names(e.entry, sender, domain, client))
                return Listing(found.verdict, entry.entry, recipient if personal else GLOBAL)
        return None

    def entries(self, owner: str = GLOBAL) -> tuple[Entry, ...]:
        """The entries of an address's lists, or of the global ones, oldest first. Raises RulesError, or OSError."""
        path = Path(self._path(owner))
        return _read(path) if path.exists() else ()

    def owners(self) -> Iterator[str]:
        """The addresses that have personal lists. Raises RulesError, or OSError."""
        for path in sorted(Path(self._personal).glob("*/*.json")):
            yield _document(path)["address"]

    def add(self, entries: Iterable[Entry], owner: str = GLOBAL) -> None:
        """Adds entries; one that is there already is replaced. Raises RulesError, and changes nothing then."""
        self._change(owner, lambda before: [*_without(before, new := list(entries)), *new])

    def remove(self, entry: str, verdict: Verdict, owner: str = GLOBAL) -> bool:
        """Removes an entry. False when there is none like it."""
        gone = [found for found in self.entries(owner) if found.verdict is verdict and found.entry == entry]
        if gone:
            self._change(owner, lambda before: _without(before, gone))
        return bool(gone)

    def replace(self, entries: Iterable[Entry], owner: str = GLOBAL) -> None:
        """Puts entries in the place of all there are. Raises RulesError, and changes nothing then."""
        self._change(owner, lambda _: list(entries))

    def _change(self, owner: str, change: Callable[[tuple[Entry, ...]], list[Entry]]) -> None:
        self._directory.mkdir(mode=0o700, exist_ok=True)
        with locked(self._directory / ".lock"):
            path, after = Path(self._path(owner)), change(self.entries(owner))
            _check(after, owner)
            for parent in (path.parents[1], path.parent):
                parent.mkdir(mode=0o700, exist_ok=True)
            if after:
                replace_durably(path, _written(owner, after))
            else:
                path.unlink(missing_ok=True)

    def _path(self, owner: str) -> str:
        if owner == GLOBAL:
            return self._global
        name = hashlib.sha256(normal(owner).encode("utf-8", "surrogatepass")).hexdigest()
        return f"{self._personal}/{name[:2]}/{name}.json"

    def _compiled(self, path: str) -> tuple[_Compiled, ...]:
        found = signature(path)
        if found is None:
            return ()
        remembered = self._remembered.get(path)
        if remembered is None or remembered[0] != found:
            self._remembered[path] = remembered = (found, self._read_again(path))
            if len(self._remembered) > _MOST_REMEMBERED:
                self._remembered.popitem(last=False)
        self._remembered.move_to_end(path)
        return remembered[1]

    def _read_again(self, path: str) -> tuple[_Compiled, ...]:
        """A list as its file has it now; a damaged one stays as it was, because mail must go on."""
        try:
            return tuple(_compile(_read(Path(path))))
        except (RulesError, OSError) as error:
            _log.error("a list is not read, and stays as it was: %s", error)
            return self._remembered.get(path, (None, ()))[1]


def parse_entry(value: str, owner: str = GLOBAL) -> Pattern | IPNetwork:
    """What an entry means. Raises ValueError with the end of a sentence."""
    try:
        network = parse_network(value)
    except ValueError:
        pattern = parse_pattern(value)
        if pattern.kind in _REFUSED:
            raise ValueError(f"is {value}: lists hold addresses, wildcards and domains") from None
        return pattern
    if owner != GLOBAL:
        raise ValueError(f"is {value}: personal lists hold no IP addresses")
    return network


def parse_entries(value: Any, owner: str = GLOBAL) -> list[Entry]:
    """Entries out of a document: texts or objects under `allow` and `deny`. Raises RulesError."""
    try:
        found = record(value, {verdict.value: functools.partial(_entries, verdict) for verdict in Verdict})
        entries = [entry for given in found.values() for entry in given]
        for entry in entries:
            with within("entry"):
                parse_entry(entry.entry, owner)
    except FieldError as error:
        raise RulesError(f"The list is wrong: {error}.") from None
    except ValueError as error:
        raise RulesError(f"The list {error}.") from None
    return entries


def entries_document(entries: Iterable[Entry]) -> dict[str, Any]:
    """The document of some entries."""
    rows: dict[str, Any] = {verdict.value: [] for verdict in Verdict}
    for entry in entries:
        values = asdict(entry)
        rows[values.pop("verdict").value].append(values)
    return rows


def _entries(verdict: Verdict, value: Any) -> list[Entry]:
    fields: dict[str, Callable[[Any], Any]] = {
        "entry": text(512),
        "comment": text(1000),
        "by": text(100),
        "at": lambda given: float(given) if isinstance(given, int | float) else _no_time(),
    }
    found = []
    for one in listed(value):
        values = record({"entry": one} if isinstance(one, str) else one, fields)
        if "entry" not in values:
            raise ValueError("must hold objects with an entry")
        found.append(Entry(verdict=verdict, **values))
    return found


def _no_time() -> float:
    raise ValueError("must be seconds since 1970")


def _in_order(of_all: tuple[_Compiled, ...], own: tuple[_Compiled, ...]) -> Iterator[tuple[_Compiled, bool]]:
    """The lists in the order in which they count, and whether each is personal."""
    for verdict in (Verdict.DENY, Verdict.ALLOW):
        yield from ((found, False) for found in of_all if found.verdict is verdict)
        yield from ((found, True) for found in own if found.verdict is verdict)


def _compile(entries: tuple[Entry, ...]) -> Iterator[_Compiled]:
    for verdict in Verdict:
        mine = tuple(entry for entry in entries if entry.verdict is verdict)
        meant = [parse_entry(entry.entry) for entry in mine]
        patterns = [one for one in meant if isinstance(one, Pattern)]
        networks = [one for one in meant if not isinstance(one, Pattern)]
        if mine:
            yield _Compiled(verdict, matcher(patterns, NoDirectory()), Networks(networks), mine)


def _names(entry: str, sender: str, domain: str, client: IPAddress | None) -> bool:
    meant = parse_entry(entry)
    if isinstance(meant, Pattern):
        return matcher([meant], NoDirectory())(sender, domain)
    return client in Networks([meant])


def _without(entries: Iterable[Entry], gone: Iterable[Entry]) -> list[Entry]:
    names = {(entry.verdict, normal(entry.entry)) for entry in gone}
    return [entry for entry in entries if (entry.verdict, normal(entry.entry)) not in names]


def _check(entries: list[Entry], owner: str) -> None:
    """One sentence about what is wrong with an address's lists."""
    if owner != GLOBAL and (not _is_address(owner)):
        raise RulesError(f"{owner} is no mail address.")
    for verdict in Verdict:
        if sum(entry.verdict is verdict for entry in entries) > MOST_ENTRIES:
            raise RulesError(f"The {verdict.value} list would have more than {MOST_ENTRIES} entries.")
    for entry in entries:
        try:
            parse_entry(entry.entry, owner)
        except ValueError as error:
            raise RulesError(f"The entry {error}.") from None


def _is_address(value: str) -> bool:
    try:
        return parse_pattern(value).kind is Kind.EXACT and "@" in value
    except ValueError:
        return False


def _written(owner: str, entries: Iterable[Entry]) -> bytes:
    document = {"address": normal(owner), **entries_document(entries)}
    return (json.dumps(document, indent=1, ensure_ascii=False) + "\n").encode()


def _document(path: Path) -> dict[str, Any]:
    try:
        document = json.loads(path.read_bytes())
        if isinstance(document, dict) and isinstance(document.get("address"), str):
            return document
    except (ValueError, RecursionError) as error:
        raise RulesError(f"The list {path} is not JSON: {error}.") from None
    raise RulesError(f"The list {path} is not one.")


def _read(path: Path) -> tuple[Entry, ...]:
    document = _document(path)
    owner = document.pop("address")
    return tuple(parse_entries(document, owner))
