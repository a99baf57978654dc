"""A statement of the product's own policy, with amounts that are easy to recognise."""

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path

from ksmg.policy import Location, Row, parse_policy
from ksmg.policy.loading import read_document
from ksmg.retention.caps import declared_cap, streams
from ksmg.retention.measure import Holding
from ksmg.settings import Settings
from ksmg.statement.facts import Identity, Place, Proof, Sent, StatedRow, Statement

POLICY = parse_policy(read_document(Path(__file__).parents[2] / "inventory/group_vars/all/data_policy.yml"))
NOW = datetime(2026, 11, 24, 12, 7, tzinfo=UTC)
PROVEN = Proof(datetime(2026, 11, 24, 3, 11, tzinfo=UTC), 38, 21, 6.43, 0, {row.id: 0 for row in POLICY.rows})


def sample(
    proof: Proof | None = PROVEN,
    chosen: Mapping[str, int] | None = None,
    disk: float = 1.0,
    dumps_on: bool = False,
    hostname: str = "gw1.example.org",
) -> Statement:
    """A statement; `chosen` are settings of caps, `disk` is the part of the caps that fits on it."""
    return Statement(
        identity=Identity(hostname, "0.1.0", "Debian GNU/Linux 13 (trixie)", "ksmg 0.1.0-example"),
        time=NOW,
        zone="Europe/Paris",
        accounts=tuple(POLICY.accounts.values()),
        rows=tuple(
            StatedRow(
                row, tuple(Place(at, tuple(_holdings(row, at, Settings(chosen or {}), disk))) for at in row.locations)
            )
            for row in POLICY.rows
        ),
        proof=proof,
        outgoing=tuple(
            Sent(sent, {"updates": "clamav-freshclam.service"}.get(sent.id), False) for sent in POLICY.outgoing
        ),
        dumps_on=dumps_on,
    )


def _holdings(row: Row, location: Location, settings: Settings, disk: float) -> Iterator[Holding]:
    cap = declared_cap(row, location, settings)
    for stream in streams(POLICY, location) or (None,):
        yield Holding(row.id, location.place, stream, 37_800, 1, cap, cap.shrunk(disk), NOW.timestamp() - 86_400, True)
