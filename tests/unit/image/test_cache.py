"""The cache says why a stage is built, keeps what is in use, and never shows half a result."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from golden import cache, content
from golden.cache import Cache, Entry

INPUTS = {"package list": "1", "mirror": "2"}


def publish(store: Cache, stage: str, inputs: dict[str, str]) -> Entry:
    return store.publish(stage, store.draft(stage, store.key(inputs)), inputs, 1.5, 10)


def test_a_result_is_found_by_its_inputs(tmp_path: Path) -> None:
    store = Cache(tmp_path)
    made = publish(store, "packages", INPUTS)
    assert store.find("packages", store.key(INPUTS)) == made


def test_other_inputs_find_nothing(tmp_path: Path) -> None:
    store = Cache(tmp_path)
    publish(store, "packages", INPUTS)
    assert store.find("packages", store.key({**INPUTS, "mirror": "3"})) is None


def test_a_draft_is_no_result(tmp_path: Path) -> None:
    store = Cache(tmp_path)
    store.draft("packages", store.key(INPUTS))
    assert store.find("packages", store.key(INPUTS)) is None


def test_what_an_interrupted_build_left_is_swept_away(tmp_path: Path) -> None:
    store = Cache(tmp_path)
    draft = store.draft("packages", "abc")
    with store.locked():
        assert not draft.exists()


def test_entries_that_were_not_used_for_longest_go(tmp_path: Path) -> None:
    store = Cache(tmp_path)
    entries = [publish(store, "disk", {"n": str(number)}) for number in range(cache.KEPT)]
    for age, entry in enumerate(reversed(entries)):
        os.utime(entry.path / cache.RECORD, (1000 - age, 1000 - age))
    store.find("disk", entries[0].key)
    publish(store, "disk", {"n": "new"})
    assert [entry.path.exists() for entry in entries] == [True, False, True]


@pytest.mark.parametrize(
    ("now", "sentence"),
    [
        ({**INPUTS, "mirror": "3"}, "changed: mirror"),
        ({**INPUTS, "role base": "1"}, "changed: role base"),
        ({"mirror": "2"}, "changed: package list (gone)"),
        (INPUTS, "its result was dropped from the cache"),
    ],
)
def test_the_reason_names_what_changed(now: dict[str, str], sentence: str) -> None:
    before = Entry(Path(), "key", INPUTS, 1.0, 1)
    assert cache.reason(now, before) == sentence


def test_the_first_build_has_no_other_reason() -> None:
    assert cache.reason(INPUTS, None) == "first build"


def test_a_digest_sees_content_and_mode_but_not_times(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_text("one")
    first = content.of_paths([tmp_path])
    os.utime(file, (1, 1))
    assert content.of_paths([tmp_path]) == first
    file.chmod(0o755)
    assert content.of_paths([tmp_path]) != first


def test_a_digest_does_not_see_compiled_python(tmp_path: Path) -> None:
    (tmp_path / "module.py").write_text("")
    first = content.of_paths([tmp_path])
    (tmp_path / "__pycache__").mkdir()
    (tmp_path / "__pycache__" / "module.pyc").write_text("x")
    assert content.of_paths([tmp_path]) == first
