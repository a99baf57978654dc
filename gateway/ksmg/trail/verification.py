"""Compares the system event log with its digests and with the signed checkpoints. As root, who alone reads those."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ksmg.policy import DataPolicy, Location
from ksmg.settings import Settings
from ksmg.statement.signature import SignatureError, verify
from ksmg.stores.audit_chain import Finding, Link
from ksmg.stores.locations import open_system_events
from ksmg.system.account import acting_as_owner
from ksmg.trail.checkpoints import Checkpoint, CheckpointError, Checkpoints


@dataclass(frozen=True)
class Verification:
    """What was found: in the records, and about the checkpoints that are not to be believed."""

    records: int
    end: Link | None
    checkpoints: tuple[Checkpoint, ...]
    findings: tuple[Finding, ...]
    unbelieved: tuple[str, ...]

    @property
    def whole(self) -> bool:
        """Whether nothing is wrong."""
        return not self.findings and not self.unbelieved

    @property
    def newest(self) -> Checkpoint | None:
        """The newest checkpoint."""
        return self.checkpoints[-1] if self.checkpoints else None

    @property
    def unsigned(self) -> int:
        """Records that no checkpoint covers yet."""
        signed = max((checkpoint.link.number for checkpoint in self.checkpoints), default=0)
        return max((self.end.number if self.end else 0) - signed, 0)

    def sentences(self) -> list[str]:
        """What is wrong, for people."""
        told = [f"{found.damage.value}: {found.records}. {found.sentence}" for found in self.findings]
        return [*told, *self.unbelieved]

    def document(self) -> dict[str, Any]:
        """The same for machines."""
        return {
            "whole": self.whole,
            "records": self.records,
            "end": vars(self.end) if self.end else None,
            "checkpoints": len(self.checkpoints),
            "newest_checkpoint": {**vars(self.newest.link), "time": self.newest.time} if self.newest else None,
            "unsigned": self.unsigned,
            "findings": [{**vars(found), "damage": found.damage.value} for found in self.findings],
            "unbelieved": list(self.unbelieved),
        }


def checkpoint_place(policy: DataPolicy) -> Location:
    """Where the policy keeps checkpoints: the place of the row that is root's alone."""
    return next(found for found in policy.row("system_events").locations if found.owner == "root")


def open_checkpoints(policy: DataPolicy) -> Checkpoints:
    """The checkpoints, with the policy's cap."""
    location = checkpoint_place(policy)
    if location.retention.records is None:
        raise ValueError("the data policy gives the checkpoints no cap")
    return Checkpoints(Path(location.place), location.retention.records)


def verify_trail(policy: DataPolicy, settings: Settings, authority: bytes) -> Verification:
    """Looks at every record and every checkpoint. Raises OSError or sqlite3.Error."""
    unbelieved: list[str] = []
    try:
        kept = open_checkpoints(policy).all()
    except CheckpointError as error:
        kept, unbelieved = [], [str(error)]
    believed = []
    for checkpoint in kept:
        try:
            verify(checkpoint.document, checkpoint.signature, authority)
            believed.append(checkpoint)
        except SignatureError as error:
            unbelieved.append(f"The checkpoint at record {checkpoint.link.number} does not count: {error}")
    with acting_as_owner(Path(policy.place("system_events"))):
        log = open_system_events(policy, settings)
        findings = log.examine([checkpoint.link for checkpoint in believed])
        return Verification(log.count(), log.end(), tuple(believed), tuple(findings), tuple(unbelieved))
