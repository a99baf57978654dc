"""How far above its cap a place may be for a moment, and when it counts as full: it takes and evicts in units."""

from ksmg.retention.measure import Holding

_STARTED = 131_072
"""Bytes for blocks that files have begun, and for a last write that did not fit."""


def at_cap(holding: Holding) -> bool:
    """Whether another unit does not fit any more, so that the oldest go."""
    cap = holding.effective
    if cap.records is not None and holding.records is not None and holding.records >= cap.records:
        return True
    return cap.bytes is not None and holding.bytes > 0 and holding.bytes + 2 * holding.unit > cap.bytes


def above_cap(holding: Holding) -> bool:
    """Whether a place holds more than its cap and a unit."""
    cap = holding.effective
    if cap.records is not None and holding.records is not None and holding.records > cap.records:
        return True
    return cap.bytes is not None and holding.bytes > cap.bytes + holding.unit + _STARTED
