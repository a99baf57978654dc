"""What counts as a fault of a storm of mail."""

import pytest
from e2e.weather import Tally

ONE, TWO = {b"4jZ0p06zWWzd2p0"}, {b"4jZ0p06zWWzd2p0", b"4jZ0p06p0zzd2p1"}


@pytest.mark.parametrize(
    ("code", "kind", "delivered", "kept", "unsure", "faults"),
    [
        (250, "clean", ONE, False, False, []),
        (250, "clean", set(), True, False, []),
        (250, "clean", set(), False, False, ["lost"]),
        (250, "clean", TWO, False, False, ["doubled"]),
        (451, "clean", set(), False, False, []),
        (451, "clean", ONE, False, False, ["refused and delivered"]),
        (451, "clean", ONE, False, True, []),
        (451, "clean", TWO, False, True, ["doubled"]),
        (451, "virus", ONE, False, True, ["virus delivered"]),
        (550, "clean", ONE, False, False, ["refused and delivered"]),
        (0, "clean", ONE, False, False, []),
    ],
)
def test_a_fault_is_told(
    code: int, kind: str, delivered: set[bytes], kept: bool, unsure: bool, faults: list[str]
) -> None:
    tally = Tally({"m": code}, {"m": kind}, {"m": delivered}, {"m"} if kept else set(), {"m"} if unsure else set())
    tally.judge()
    assert list(tally.faults) == faults
