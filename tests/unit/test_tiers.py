"""Which tiers of tests run when some are named."""

from pathlib import Path

import pytest
from tiers import chosen, tiers

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
