"""Makes an expression for the FTS5 index out of criteria. Whatever they hold is quoted, none of it is syntax."""

import sqlite3
from collections.abc import Iterator, Sequence

from ksmg.stores.event_search import Criteria, contains, folded
from ksmg.stores.message_event_rows import CLEAN, MARK, code, network_code

TEXTS = ("sender", "recipients", "subject", "attachments", "details")
"""The columns of the index that words are searched for in."""
_WINDOW = 3
_MOST_WINDOWS = 16
"""Of one text: more of them would only cost time."""
_MOST_TERMS = 100
"""Terms that stand for a text of one or two characters; one that has more is so frequent that looking finds it."""
_VOCABULARY = "CREATE VIRTUAL TABLE IF NOT EXISTS temp.vocabulary USING fts5vocab (main, search, instance)"
_NEXT_TERM = "SELECT term FROM temp.vocabulary WHERE term >= ? LIMIT 1"
_LARGEST_BITS = 64


class Impossible(Exception):
    """Nothing in the index can match."""


def expression(connection: sqlite3.Connection, criteria: Criteria) -> str:
    """What every event that matches has in the index; empty when that says nothing. Raises Impossible."""
    return " AND ".join(_demands(connection, criteria))


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
    texts = (criteria.sender, criteria.recipient, criteria.subject, criteria.attachment)
    for column, needle in zip(TEXTS, texts, strict=False):
        if terms := _terms(connection, needle):
            yield f"{column} : ({terms})"
    for word in criteria.words:
        if found := _word(connection, word):
            yield found
    for required in required_codes(criteria):
        yield f"codes : ({' AND '.join(map(_quoted, _windows(f'{MARK}{required}{MARK}')))})"
    if criteria.smallest is not None or criteria.largest is not None:
        yield f"codes : ({' OR '.join(map(_quoted, _sizes(criteria)))})"


def _word(connection: sqlite3.Connection, word: str) -> str:
    """A word is in one of the texts, or in the name of a rule: those are few, and found by their codes."""
    names = (name for (name,) in connection.execute("SELECT name FROM rule"))
    rules = [_quoted(f"{MARK}{code('rule', name)}{MARK}") for name in names if contains(word, name)]
    try:
        terms = _terms(connection, word)
    except Impossible:
        if not rules:
            raise
        return f"codes : ({' OR '.join(rules)})"
    in_texts = f"{{{' '.join(TEXTS)}}} : ({terms})"
    return f"({' OR '.join([in_texts, *(f'codes : {rule}' for rule in rules)])})" if terms else ""


def _sizes(criteria: Criteria) -> Iterator[str]:
    least = (criteria.smallest or 0).bit_length()
    most = _LARGEST_BITS if criteria.largest is None else max(criteria.largest, 0).bit_length()
    for bits in range(least, most + 1):
        yield f"{MARK}{code('size', str(bits))}{MARK}"
    if least > most:
        raise Impossible


def _terms(connection: sqlite3.Connection, needle: str) -> str:
    """An expression for a text in a column; empty when it says nothing."""
    sought = folded(needle)
    if len(sought) >= _WINDOW:
        return " AND ".join(map(_quoted, _chosen(_windows(sought))))
    if not sought or not all(character.upper().lower() == character for character in sought):
        return ""  # FTS5 may write it in another way
    return " OR ".join(map(_quoted, _continuations(connection, sought)))


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
        if len(found) > _MOST_TERMS:
            return []
    if not found:
        raise Impossible
    return found


def _quoted(term: str) -> str:
    return '"' + term.replace('"', '""') + '"'
