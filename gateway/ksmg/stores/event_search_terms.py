"""Makes an expression for the FTS5 index out of criteria. Whatever they hold is quoted, none of it is syntax."""

import sqlite3
from collections.abc import Iterable, Iterator, Sequence

from ksmg.stores.event_search import Criteria, contains, folded
from ksmg.stores.message_event_rows import CLEAN, MARK, code, network_code, size_class

TEXTS = ("sender", "recipients", "subject", "attachments", "details")
"""The columns of the index that words are searched for in."""
_WINDOW = 3
_MOST_WINDOWS = 16
"""Of one text: more of them would only cost time."""
_MOST_TERMS = 5
"""Of one search."""
_SAMPLED, _MOST_SAMPLED = 20_000, 500
_SAMPLE = "SELECT count(*) FROM (SELECT 1 FROM search WHERE search MATCH ? AND rowid > ? LIMIT ?)"
_MOST_CONTINUATIONS = 100
"""Terms that stand for a text of one or two characters; one that has more is so frequent that looking finds it."""
_VOCABULARY = "CREATE VIRTUAL TABLE IF NOT EXISTS temp.vocabulary USING fts5vocab (main, search, instance)"
_NEXT_TERM = "SELECT term FROM temp.vocabulary WHERE term >= ? LIMIT 1"
_LARGEST_BITS = 62


class Impossible(Exception):
    """Nothing in the index can match."""


class Rarity:
    """How frequent terms are among the newest events of the first segment that is asked; true enough for the others."""

    def __init__(self) -> None:
        self._counted: dict[str, int] = {}

    def rarest(self, connection: sqlite3.Connection, terms: Iterable[str], newest: int) -> Sequence[str]:
        """The terms that are worth to be looked up, the rarest first: each further one costs a walk along its list."""
        unique = list(dict.fromkeys(terms))
        for term in unique if len(unique) > 1 else ():
            if term not in self._counted:
                found = connection.execute(_SAMPLE, (term, newest - _SAMPLED, _MOST_SAMPLED)).fetchone()
                self._counted[term] = found[0]
        return sorted(unique, key=lambda term: self._counted.get(term, 0))[:_MOST_TERMS]


def expression(connection: sqlite3.Connection, criteria: Criteria, rarity: Rarity, newest: int) -> str:
    """What every event that matches has in the index; empty when that says nothing. Raises Impossible."""
    return " AND ".join(rarity.rarest(connection, _demands(connection, criteria), newest))


def required_codes(criteria: Criteria) -> Iterator[str]:
    """The codes that every event that matches has."""
    for kind in ("action", "direction", "rule"):
        if value := getattr(criteria, kind):
            yield code(kind, value)
    for status in criteria.statuses:
        if status[1] != CLEAN:
            yield code(*status)
    if criteria.unscanned:
        yield code("unscanned", "")
    if criteria.network is not None and (found := network_code(criteria.network)):
        yield found


def _demands(connection: sqlite3.Connection, criteria: Criteria) -> Iterator[str]:
    """Expressions that each are true of every event that matches."""
    texts = (criteria.sender, criteria.recipient, criteria.subject, criteria.attachment)
    for column, needle in zip(TEXTS, texts, strict=False):
        yield from (f"{column} : {term}" for term in _terms(connection, needle))
    for word in criteria.words:
        yield from _word(connection, word)
    for required in required_codes(criteria):
        yield from map(_quoted, _windows(f"{MARK}{required}{MARK}"))
    if criteria.smallest is not None or criteria.largest is not None:
        yield _any(map(_quoted, _sizes(criteria)))


def _word(connection: sqlite3.Connection, word: str) -> Sequence[str]:
    """A word is in one of the texts, or in the name of a rule: those are few, and found by their codes."""
    names = (name for (name,) in connection.execute("SELECT name FROM rule"))
    rules = [_quoted(f"{MARK}{code('rule', name)}{MARK}") for name in names if contains(word, name)]
    try:
        terms = _terms(connection, word)
    except Impossible:
        if not rules:
            raise
        return [_any(rules)]
    if rules and terms:
        return [_any([f"({' AND '.join(terms)})", *rules])]
    return terms


def _sizes(criteria: Criteria) -> Iterator[str]:
    least = size_class(max(criteria.smallest or 0, 0))
    most = size_class(2**_LARGEST_BITS if criteria.largest is None else max(criteria.largest, 0))
    for bits in range(least, most + 1):
        yield f"{MARK}{code('size', str(bits))}{MARK}"
    if least > most:
        raise Impossible


def _terms(connection: sqlite3.Connection, needle: str) -> Sequence[str]:
    """Expressions that are true of every column with this text; none when nothing can be said."""
    sought = folded(needle)
    if len(sought) >= _WINDOW:
        return [_quoted(window) for window in _chosen(_windows(sought))]
    if not sought or not all(character.upper().lower() == character for character in sought):
        return []  # FTS5 may write it in another way
    continuations = _continuations(connection, sought)
    return [_any(map(_quoted, continuations))] if continuations else []


def _any(terms: Iterable[str]) -> str:
    return f"({' OR '.join(terms)})"


def _windows(value: str) -> Sequence[str]:
    return list(dict.fromkeys(value[start : start + _WINDOW] for start in range(len(value) - _WINDOW + 1)))


def _chosen(windows: Sequence[str]) -> Sequence[str]:
    """Some windows from all over a long text."""
    return windows[:: -(-len(windows) // _MOST_WINDOWS)]


def _continuations(connection: sqlite3.Connection, beginning: str) -> Sequence[str]:
    """All terms that begin like this; none when they are too many. Raises Impossible when there is none."""
    connection.execute("PRAGMA query_only=OFF")  # for a temporary table, which holds nothing
    connection.execute(_VOCABULARY)
    connection.execute("PRAGMA query_only=ON")
    found: list[str] = []
    term = beginning
    while row := connection.execute(_NEXT_TERM, (term,)).fetchone():
        if not row[0].startswith(beginning):
            break
        found.append(row[0])
        term = row[0] + "\x01"  # a later term; all have the same length
        if len(found) > _MOST_CONTINUATIONS:
            return []
    if not found:
        raise Impossible
    return found


def _quoted(term: str) -> str:
    return '"' + term.replace('"', '""') + '"'
