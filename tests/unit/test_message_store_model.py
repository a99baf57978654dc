"""The message store against a model: whatever is done in whatever order, it has what it should have."""

import dataclasses
import shutil
import tempfile
from pathlib import Path

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule
from ksmg.stores.message_store import Criteria, MessageStore, StoredMessage, StoreFull, new_id
from ksmg.stores.message_store_segment import used

CAP = 1_000_000
SECONDS = 30.0
NUMBER = st.integers(0, 1000)


class StoreMachine(RuleBasedStateMachine):
    """Keeps, deletes, decides and reopens; the model is a list of entries and their originals, oldest first."""

    def __init__(self) -> None:
        super().__init__()
        self.place = Path(tempfile.mkdtemp(prefix="message-store-"))
        self.directory = self.place / "store"
        self.directory.mkdir()
        self.lost: list[str] = []
        self.kept: dict[str, tuple[StoredMessage, bytes]] = {}

    @initialize(refuse=st.booleans())
    def begin(self, refuse: bool) -> None:
        self.refuse = refuse
        self.store = MessageStore(
            self.directory, CAP, refuse_when_full=refuse, lost=lambda lost: self.lost.append(lost.id)
        )
        self.store.open()

    @rule(size=st.sampled_from([0, 10, 5_000, 40_000, 140_000, 300_000]), seed=st.integers(0, 255))
    def keep(self, size: int, seed: int) -> None:
        body = bytes([seed]) * size
        source = self.place / "source"
        source.write_bytes(body)
        entry = StoredMessage(
            new_id(), float(seed), size, "reason", "rule", "4X", "<m>", "192.0.2.1", "a@x", ("b@y",), f"subject {seed}"
        )
        try:
            self.store.keep(entry, source).result(SECONDS)
        except StoreFull:
            assert self.refuse
        else:
            self.kept[entry.id] = (entry, body)
        self.forget_evicted()

    def forget_evicted(self) -> None:
        """What is gone must be the oldest, and told when nobody had decided about it."""
        there = {found.id for found in self.store.every(Criteria())}
        gone = [entry_id for entry_id in self.kept if entry_id not in there]
        if not self.refuse:
            assert gone == list(self.kept)[: len(gone)]
        undecided = [entry_id for entry_id in gone if not self.kept[entry_id][0].decided]
        assert self.lost == undecided
        assert not (self.refuse and undecided)
        self.lost.clear()
        for entry_id in gone:
            del self.kept[entry_id]

    @rule(number=NUMBER, count=st.integers(1, 3))
    def delete(self, number: int, count: int) -> None:
        ids = list(self.kept)[number % (len(self.kept) or 1) :][:count]
        assert MessageStore(self.directory, CAP).delete(ids) == len(ids)
        for entry_id in ids:
            del self.kept[entry_id]

    @rule(number=NUMBER, count=st.integers(1, 30))
    def decide(self, number: int, count: int) -> None:
        ids = list(self.kept)[number % (len(self.kept) or 1) :][:count]
        assert self.store.mark_decided(ids) == len(ids)
        for entry_id in ids:
            entry, body = self.kept[entry_id]
            self.kept[entry_id] = (dataclasses.replace(entry, decided=True), body)

    @rule(damage=st.booleans())
    def reopen(self, damage: bool) -> None:
        self.store.close()
        if damage:
            for index in self.directory.glob("*.index"):
                index.write_bytes(b"damaged")
        self.store.open()

    @rule(limit=st.integers(1, 4), seed=st.integers(0, 255))
    def search(self, limit: int, seed: int) -> None:
        expected = [entry for entry, _ in reversed(self.kept.values()) if f"subject {seed}" in entry.subject]
        criteria, cursor, found = Criteria(subject=f"SUBJECT {seed}"), None, list[StoredMessage]()
        while True:
            page = self.store.search(criteria, limit, cursor)
            found += page.messages
            if (cursor := page.next) is None:
                break
        assert found == expected

    @rule(number=NUMBER)
    def read(self, number: int) -> None:
        for entry, body in list(self.kept.values())[number % (len(self.kept) or 1) :][:1]:
            with self.store.read(entry) as original:
                assert original.read() == body

    @invariant()
    def is_below_its_cap(self) -> None:
        assert sum(map(used, self.directory.iterdir())) <= CAP

    @invariant()
    def has_what_it_should_have(self) -> None:
        if hasattr(self, "store"):
            assert list(self.store.every(Criteria())) == [entry for entry, _ in reversed(self.kept.values())]
            assert self.store.size()[1] == len(self.kept)

    def teardown(self) -> None:
        if hasattr(self, "store"):
            self.store.close()
        shutil.rmtree(self.place)


TestStoreMachine = StoreMachine.TestCase
TestStoreMachine.settings = settings(
    max_examples=15, stateful_step_count=30, deadline=None, suppress_health_check=list(HealthCheck)
)
