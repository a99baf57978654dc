"""The chain of the system event log: whatever is done to its records is found, and named."""

from collections.abc import Callable

from hypothesis import given
from hypothesis import strategies as st
from ksmg.stores.audit_chain import START, Damage, Link, Record, Witnesses, examine

Stored = list[tuple[Record, str]]
DAY = 1_700_000_000.0


def chain(length: int, anchor: Link = START) -> Stored:
    """Records as the log writes them."""
    stored, link = [], anchor
    for number in range(anchor.number + 1, anchor.number + 1 + length):
        record = Record(number, DAY + number, "engine_up", "kluser", "ksmg-filter.service", f'{{"number": {number}}}')
        link = record.link(link.digest)
        stored.append((record, link.digest))
    return stored


def link(stored: Stored, number: int) -> Link:
    return next(Link(record.number, digest) for record, digest in stored if record.number == number)


def damages(
    stored: Stored, original: Stored, *checkpoints: Link, anchor: Link = START
) -> list[tuple[Damage, int, int]]:
    end = Link(original[-1][0].number, original[-1][1])
    found = examine(stored, Witnesses(anchor, end, checkpoints))
    return [(finding.damage, finding.first, finding.last) for finding in found]


def chained_anew(stored: Stored, altered: Callable[[Record], Record]) -> Stored:
    """What a forger does who knows how digests are made."""
    forged, previous = [], START
    for record, _ in stored:
        previous = altered(record).link(previous.digest)
        forged.append((altered(record), previous.digest))
    return forged


def with_field(record: Record, field: str) -> Record:
    value = getattr(record, field)
    return Record(**{**vars(record), field: value + 1 if isinstance(value, float) else f"{value}x"})


LENGTHS = st.integers(1, 40)
FIELDS = st.sampled_from(["time", "name", "account", "origin", "detail"])


@given(LENGTHS, st.integers(0, 1000))
def test_a_whole_chain_has_nothing_wrong(length: int, evicted: int) -> None:
    anchor = Link(evicted, "ab" * 32)
    stored = chain(length, anchor)
    assert damages(stored, stored, link(stored, evicted + length), anchor=anchor) == []


@given(LENGTHS, st.data(), FIELDS)
def test_an_altered_field_is_found_in_its_record(length: int, data: st.DataObject, field: str) -> None:
    original = chain(length)
    place = data.draw(st.integers(0, length - 1))
    stored = list(original)
    stored[place] = (with_field(stored[place][0], field), stored[place][1])
    assert damages(stored, original) == [(Damage.ALTERED, place + 1, place + 1)]


@given(LENGTHS, st.data())
def test_an_altered_digest_is_found(length: int, data: st.DataObject) -> None:
    original = chain(length)
    place = data.draw(st.integers(0, length - 1))
    stored = list(original)
    stored[place] = (stored[place][0], "0" * 64)
    assert (Damage.ALTERED, place + 1, place + 1) in damages(stored, original)


@given(LENGTHS, st.data())
def test_removed_records_are_named_exactly(length: int, data: st.DataObject) -> None:
    original = chain(length)
    first = data.draw(st.integers(1, length))
    last = data.draw(st.integers(first, length))
    stored = [entry for entry in original if not first <= entry[0].number <= last]
    assert damages(stored, original) == [(Damage.MISSING, first, last)]


@given(st.integers(2, 40), st.data())
def test_swapped_records_are_found_in_both_places(length: int, data: st.DataObject) -> None:
    original = chain(length)
    one, other = data.draw(st.lists(st.integers(0, length - 1), min_size=2, max_size=2, unique=True))
    stored = list(original)
    for here, there in ((one, other), (other, one)):
        record, digest = original[there]
        stored[here] = (Record(**{**vars(record), "number": here + 1}), digest)
    found = {first for damage, first, _ in damages(stored, original) if damage is Damage.ALTERED}
    assert {one + 1, other + 1} <= found


@given(LENGTHS, st.data())
def test_an_inserted_record_is_found(length: int, data: st.DataObject) -> None:
    """Numbers are whole and have no gaps: who inserts one moves those behind it, or uses a number that was evicted."""
    original = chain(length)
    place = data.draw(st.integers(0, length - 1))
    moved = [(Record(**{**vars(record), "number": record.number + 1}), digest) for record, digest in original[place:]]
    forged = Record(place + 1, DAY, "engine_up", "kluser", "", "{}")
    stored = [
        *original[:place],
        (forged, forged.link(original[place - 1][1] if place else START.digest).digest),
        *moved,
    ]
    assert damages(stored, original) != []


def test_a_record_with_an_evicted_number_is_found() -> None:
    anchor = Link(10, "ab" * 32)
    original = chain(5, anchor)
    stored = [(Record(7, DAY, "engine_up", "kluser", "", "{}"), "cd" * 32), *original]
    assert damages(stored, original, anchor=anchor) == [(Damage.INSERTED, 7, 7)]


@given(LENGTHS, st.data(), FIELDS)
def test_a_chain_computed_anew_does_not_fit_to_a_checkpoint(length: int, data: st.DataObject, field: str) -> None:
    original = chain(length)
    place = data.draw(st.integers(1, length))
    signed = link(original, data.draw(st.integers(place, length)))
    forged = chained_anew(original, lambda record: with_field(record, field) if record.number == place else record)
    assert damages(forged, forged) == []
    assert damages(forged, forged, signed) == [(Damage.REWRITTEN, 1, signed.number)]


def test_the_last_checkpoint_that_fits_narrows_it_down() -> None:
    original = chain(30)
    forged = chained_anew(original, lambda record: with_field(record, "detail") if record.number == 17 else record)
    checkpoints = [link(original, number) for number in (30, 10, 20)]
    found = damages(forged, forged, *checkpoints)
    assert found == [(Damage.REWRITTEN, 11, 20), (Damage.REWRITTEN, 21, 30)]


@given(LENGTHS, st.data())
def test_newest_records_that_were_cut_off_are_found_by_a_checkpoint(length: int, data: st.DataObject) -> None:
    original = chain(length)
    kept = original[: data.draw(st.integers(0, length - 1))]
    end = Link(kept[-1][0].number, kept[-1][1]) if kept else None
    found = list(examine(kept, Witnesses(START, end, (link(original, length),))))
    assert [(finding.damage, finding.first, finding.last) for finding in found] == [
        (Damage.MISSING, len(kept) + 1, length)
    ]


def test_records_that_went_although_nothing_since_the_newest_checkpoint_is_left_are_found() -> None:
    original = chain(30)
    anchor = link(original, 20)
    found = damages(original[20:], original, link(original, 10), anchor=anchor)
    assert found == [(Damage.MISSING, 10, 20)]


def test_checkpoints_of_evicted_records_say_nothing_while_a_newer_one_does() -> None:
    original = chain(30)
    assert damages(original[20:], original, link(original, 10), link(original, 25), anchor=link(original, 20)) == []


def test_an_end_that_nobody_noted_is_found() -> None:
    original = chain(3)
    (found,) = examine(original, Witnesses(START, None))
    assert (found.damage, found.records) == (Damage.ALTERED, "record 3")


def test_records_behind_the_noted_end_are_found() -> None:
    original = chain(5)
    (found,) = examine(original, Witnesses(START, link(original, 3)))
    assert (found.damage, found.records) == (Damage.ALTERED, "records 4 to 5")
