"""Asks this appliance for the facts of its statement. As root, and no file in a store ever becomes root's."""

import platform
import subprocess
from datetime import datetime
from pathlib import Path

from ksmg import __version__
from ksmg.diagnostics import dumps
from ksmg.policy import DataPolicy, Row
from ksmg.retention.measure import Holding, measure
from ksmg.settings import Settings
from ksmg.statement.facts import Identity, Place, Proof, Sent, StatedRow, Statement
from ksmg.stores.locations import open_system_events
from ksmg.stores.system_events import Name, Sought
from ksmg.system.account import acting_as_owner

SENDERS = {"updates": "clamav-freshclam.service"}
"""What sends the policy's outgoing data, by its id. Where there is no entry, this version has nothing that could."""
_LOCAL_TIME = Path("/etc/localtime")


def collect(policy: DataPolicy, settings: Settings, now: datetime) -> Statement:
    """The facts of this moment. Raises OSError or sqlite3.Error."""
    holdings = measure(policy, settings)
    return Statement(
        identity=_identity(settings),
        time=now.astimezone(),
        zone=_zone(),
        accounts=tuple(policy.accounts.values()),
        rows=tuple(_stated(row, holdings) for row in policy.rows),
        proof=_proof(policy, settings),
        outgoing=tuple(_sent(policy)),
        dumps_on=dumps.state(policy).enabled,
    )


def _identity(settings: Settings) -> Identity:
    system = platform.freedesktop_os_release()
    image = " ".join(filter(None, (system.get("IMAGE_ID"), system.get("IMAGE_VERSION"))))
    return Identity(settings.text("hostname"), __version__, system["PRETTY_NAME"], image or None)


def _zone() -> str:
    _, found, name = str(_LOCAL_TIME.resolve()).partition("/zoneinfo/")
    return name if found else "UTC"


def _stated(row: Row, holdings: tuple[Holding, ...]) -> StatedRow:
    return StatedRow(
        row,
        tuple(
            Place(at, tuple(held for held in holdings if (held.row, held.place) == (row.id, at.place)))
            for at in row.locations
        ),
    )


def _proof(policy: DataPolicy, settings: Settings) -> Proof | None:
    """The last run of the access verifier that the system event log knows."""
    with acting_as_owner(Path(policy.place("system_events"))):
        found = open_system_events(policy, settings).search(Sought(names=(Name.ACCESS_AUDITED,)), limit=1)
    if not found:
        return None
    event = found[0].event
    return Proof(
        time=datetime.fromtimestamp(event.time).astimezone(),
        accounts=int(event.detail["accounts"]),
        units=int(event.detail["units"]),
        seconds=float(event.detail["seconds"]),
        differences=int(event.detail["differences"]),
        rows={row: int(number) for row, number in event.detail["rows"].items()},
    )


def _sent(policy: DataPolicy) -> list[Sent]:
    units = [SENDERS.get(outgoing.id) for outgoing in policy.outgoing]
    states = _running([unit for unit in units if unit])
    return [
        Sent(outgoing, unit, unit is not None and states.get(unit) in ("active", "activating"))
        for outgoing, unit in zip(policy.outgoing, units, strict=True)
    ]


def _running(units: list[str]) -> dict[str, str]:
    """The state of each unit, as systemd has it."""
    shown = subprocess.run(["systemctl", "is-active", *units], capture_output=True, text=True, check=False)
    return dict(zip(units, shown.stdout.split(), strict=False))
