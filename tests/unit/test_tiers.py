"""Which tiers of tests run when some are named, and what is said of a test that failed."""

from pathlib import Path

import pytest
from tiers import FAILURE_TAIL, Tier, chosen, count, failures, tiers

EVERY = tiers(Path("out"))


@pytest.mark.parametrize(
    ("named", "run"),
    [(["lint"], ["lint"]), (["molecule"], ["deb", "molecule"]), (["boot", "unit"], ["deb", "image", "unit", "boot"])],
)
def test_a_tier_runs_with_those_that_it_needs(named: list[str], run: list[str]) -> None:
    assert [tier.name for tier in chosen(EVERY, named)] == run


def test_a_name_that_is_none_is_refused() -> None:
    with pytest.raises(KeyError, match="nonsense"):
        chosen(EVERY, ["nonsense"])


def test_a_failed_test_is_named_with_the_end_of_what_it_said(tmp_path: Path) -> None:
    said = "\n".join(f"line {number}" for number in range(FAILURE_TAIL + 5))
    (tmp_path / "a.xml").write_text(
        '<testsuites><testsuite tests="3" failures="1" errors="0" skipped="1">'
        '<testcase classname="host.test_a" name="test_good"/>'
        f'<testcase classname="host.test_a" name="test_bad"><failure message="short">{said}</failure></testcase>'
        '<testcase classname="host.test_a" name="test_left"><skipped/></testcase></testsuite></testsuites>'
    )
    chain = [Tier("a", ["true"], reports=["a.xml", "not-written.xml"])]
    assert count(tmp_path, chain) == (1, 1, 1)
    (told,) = failures(tmp_path, chain)
    assert told.splitlines()[0] == "FAILED host.test_a::test_bad"
    assert told.splitlines()[1:] == [f"    | line {number}" for number in range(5, FAILURE_TAIL + 5)]
