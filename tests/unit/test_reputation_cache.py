"""The cache of reputation answers: so many, the ones longest without a look-up go first."""

from collections import OrderedDict
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from ksmg.stores.reputation_cache import ReputationCache, cache_records, opened
from unit.moved_policy import moved_policy

KEYS = st.integers(0, 9).map(lambda number: bytes([number]) * 32)


@pytest.fixture
def cache(tmp_path: Path) -> Iterator[ReputationCache]:
    with opened(tmp_path / "cache.sqlite", 3) as made:
        yield made


def test_policy_says_how_many(tmp_path: Path) -> None:
    assert cache_records(moved_policy(tmp_path)) == 360_000


def test_unknown_object_has_to_be_asked(cache: ReputationCache) -> None:
    assert cache.answer(b"a") is None


def test_answer_that_was_looked_up_last_stays(cache: ReputationCache) -> None:
    for key in (b"a", b"b", b"c"):
        cache.add(key, "clean")
    cache.answer(b"a")
    cache.add(b"d", "clean")
    assert [cache.answer(key) for key in (b"a", b"b")] == ["clean", None]


@given(st.lists(st.tuples(st.booleans(), KEYS), max_size=60))
def test_it_does_what_a_least_recently_used_cache_does(
    tmp_path_factory: pytest.TempPathFactory, steps: list[tuple[bool, bytes]]
) -> None:
    model: OrderedDict[bytes, str] = OrderedDict()
    with opened(tmp_path_factory.mktemp("cache") / "cache.sqlite", 3) as cache:
        for adding, key in steps:
            if adding:
                cache.add(key, "bad")
                model[key] = "bad"
                model.move_to_end(key)
                if len(model) > 3:
                    model.popitem(last=False)
            else:
                assert cache.answer(key) == model.get(key)
                if key in model:
                    model.move_to_end(key)
            assert len(cache) == len(model)


def test_order_survives_a_restart(tmp_path: Path) -> None:
    with opened(tmp_path / "cache.sqlite", 3) as cache:
        for key in (b"a", b"b", b"c"):
            cache.add(key, "clean")
        cache.answer(b"a")
    with opened(tmp_path / "cache.sqlite", 3) as cache:
        cache.add(b"d", "clean")
        assert cache.answer(b"b") is None


def test_nothing_of_what_was_cleared_is_left(tmp_path: Path) -> None:
    with opened(tmp_path / "cache.sqlite", 100) as cache:
        for number in range(50):
            cache.add(b"https://secret.example/%d" % number, "clean")
        cache.clear()
        files = [path.read_bytes() for path in tmp_path.iterdir()]
    assert not [data for data in files if b"secret.example" in data]
