"""The peers: what stands between Postfix and the next hop."""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass, field

from bench.mail import amavis, engines, filter


@dataclass(frozen=True)
class Peer:
    """One way to set up a gateway."""

    name: str
    title: str
    parts: tuple[Callable[[], None], ...] = ()
    """Start its daemons beside Postfix, in this order."""
    milters: tuple[str, ...] = ()
    content_filter: str = ""
    settings: tuple[str, ...] = ()
    """Of Postfix, in place of the role's."""
    ours: bool = field(default=False)
    """Whether the control group `filter` is our filter with its stores and events."""


def _ours(
    name: str, title: str, *, scanners: tuple[str, ...] = (), whole: bool = False, copy_all: bool = False
) -> Peer:
    starts: dict[str, Callable[[], None]] = {"antivirus": engines.clamd, "antispam": engines.rspamd}
    filter_part = functools.partial(filter.start, None if whole else scanners, copy_all)
    parts: tuple[Callable[[], None], ...] = (*(starts[scanner] for scanner in scanners), filter_part)
    return Peer(name, title, parts, (filter.MILTER,), ours=True)


def _unstored() -> Peer:
    part = functools.partial(filter.start, (), False, "bench.mail.unstored")
    return Peer(UNSTORED, "ours without storing events; no engine", (part,), (filter.MILTER,))


def _amavis(name: str, title: str, *, spamassassin: bool) -> Peer:
    parts = (engines.clamd, functools.partial(amavis.start, spamassassin))
    return Peer(name, title, parts, content_filter=f"amavis:[127.0.0.1]:{amavis.PORT}")


PLAIN, NOTHING = "plain", "nothing"
OURS, OURS_COPIES, UNSTORED = "ours", "ours-copies", "ours-unstored"
OURS_CLAMD, OURS_BOTH, OURS_DEFAULT = "ours-clamd", "ours-clamd-rspamd", "ours-default"
CHAIN = "chain"
AMAVIS, AMAVIS_SPAMASSASSIN = "amavis", "amavis-spamassassin"
PEERS = (
    Peer(PLAIN, "Postfix alone"),
    Peer("plain-short", "Postfix alone, its processes ended as early as usual", settings=("max_use = 100",)),
    Peer(NOTHING, "a filter in Python that does nothing", (filter.start_nothing,), (filter.MILTER,)),
    _ours(OURS, "ours: rules, Backup, events; no engine"),
    _unstored(),
    _ours(OURS_COPIES, "ours, every message copied to Backup; no engine", copy_all=True),
    _ours(OURS_CLAMD, "ours with clamd", scanners=("antivirus",)),
    _ours(OURS_BOTH, "ours with clamd and rspamd", scanners=("antivirus", "antispam")),
    _ours(OURS_DEFAULT, "ours with every module, as installed", scanners=("antivirus", "antispam"), whole=True),
    Peer(
        CHAIN,
        "C chain: clamav-milter and rspamd's milter",
        (engines.clamd, engines.clamav_milter, engines.rspamd_milter),
        (f"unix:{engines.CLAMAV_MILTER}", f"inet:127.0.0.1:{engines.RSPAMD_MILTER_PORT}"),
    ),
    _amavis(AMAVIS, "amavisd-new with clamd", spamassassin=False),
    _amavis(AMAVIS_SPAMASSASSIN, "amavisd-new with clamd and SpamAssassin", spamassassin=True),
)
