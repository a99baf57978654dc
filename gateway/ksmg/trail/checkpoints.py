"""Signed checkpoints of the system event log: number, digest and time, kept where only root can write.

A checkpoint is one file: the statement, and its signature by the appliance's key (see `statement.signature`). It can be
taken to another machine and checked there beside a copy of the log.
"""

import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from ksmg.stores.audit_chain import Link
from ksmg.stores.durable import erase_file, replace_durably

Sign = Callable[[bytes], bytes]


class CheckpointError(ValueError):
    """A checkpoint's file cannot be read. The text is a sentence for people."""


@dataclass(frozen=True)
class Checkpoint:
    """What was signed: where the chain ended at a time, on the appliance of this name."""

    link: Link
    time: float
    appliance: str
    document: bytes
    signature: bytes

    @classmethod
    def made(cls, link: Link, appliance: str, sign: Sign) -> "Checkpoint":
        """A new one. Raises what `sign` does."""
        now = round(time.time(), 3)
        facts = {"appliance": appliance, "digest": link.digest, "number": link.number, "time": now}
        document = json.dumps(facts, sort_keys=True, separators=(",", ":")).encode()
        return cls(link, now, appliance, document, sign(document))

    @classmethod
    def read(cls, file: Path) -> "Checkpoint":
        """One from its file. Raises CheckpointError or OSError."""
        try:
            kept = json.loads(file.read_text())
            document, signature = kept["signed"].encode(), kept["signature"].encode()
            facts = json.loads(document)
            link = Link(int(facts["number"]), str(facts["digest"]))
            return cls(link, float(facts["time"]), str(facts["appliance"]), document, signature)
        except (ValueError, KeyError, TypeError, AttributeError):
            raise CheckpointError(f"The checkpoint {file} cannot be read.") from None

    def text(self) -> str:
        """The file's content."""
        return json.dumps({"signed": self.document.decode(), "signature": self.signature.decode()}, indent=2) + "\n"


class Checkpoints:
    """The checkpoints in one directory, named by their time, at most `most` of them: the oldest go."""

    def __init__(self, directory: Path, most: int) -> None:
        self._directory = directory
        self._most = most

    def all(self) -> list[Checkpoint]:
        """Oldest first. Raises CheckpointError or OSError."""
        return [Checkpoint.read(file) for file in self._files()]

    def add(self, checkpoint: Checkpoint) -> None:
        """Keeps one, durably. Raises OSError."""
        for file in self._files()[: 1 - self._most or None]:
            erase_file(file)
        replace_durably(self._directory / f"{checkpoint.time:017.3f}.json", checkpoint.text().encode())

    def _files(self) -> list[Path]:
        return sorted(self._directory.glob("*.json"))
