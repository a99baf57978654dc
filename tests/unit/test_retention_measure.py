"""What is kept is measured: how much, how many, since when, beside both caps."""

import time
from pathlib import Path

import pytest
from ksmg.policy import DataPolicy
from ksmg.retention.measure import Holding, measure
from ksmg.settings import Settings
from ksmg.stores.locations import open_backup, open_system_events
from ksmg.stores.message_store import StoredMessage, new_id
from ksmg.stores.system_events import Name, SystemEvent
from unit.moved_policy import moved_policy


@pytest.fixture
def policy(tmp_path: Path) -> DataPolicy:
    return moved_policy(tmp_path)


def held(policy: DataPolicy, name: str, stream: str | None = None) -> Holding:
    """The measured holding of the place that ends with a name."""
    (found,) = [
        holding
        for holding in measure(policy, Settings({}))
        if holding.place.name == name and stream in (None, holding.stream)
    ]
    return found


def test_every_place_is_measured(policy: DataPolicy) -> None:
    assert {holding.place for holding in measure(policy, Settings({}))} == {at.place for _, at in policy.locations()}


def test_log_counts_with_its_parts(policy: DataPolicy) -> None:
    active = Path(policy.place("mta_log"))
    active.write_text("2026-11-24T10:00:00+00:00 new\n", encoding="utf-8")
    active.with_name("maillog.7").write_text("2026-11-23T10:00:00+00:00 old\n", encoding="utf-8")
    assert held(policy, "maillog").bytes == 2 * 30


def test_oldest_entry_of_a_log_is_that_of_its_oldest_part(policy: DataPolicy) -> None:
    active = Path(policy.place("mta_log"))
    for name, day in (("maillog", 24), ("maillog.10", 23), ("maillog.9", 22)):
        active.with_name(name).write_text(f"2026-11-{day}T10:00:00+00:00 line\n", encoding="utf-8")
    assert held(policy, "maillog").oldest == 1_795_341_600


def test_message_store_tells_its_messages(policy: DataPolicy) -> None:
    store, now = open_backup(policy), time.time()
    store.open()
    entry = StoredMessage(new_id(), now, 5, "infected", "", "", "", "", "a@x", ("b@x",), "s")
    store.keep(entry, b"hello").result(10)
    store.close()
    found = held(policy, "backup")
    assert (found.records, found.oldest) == (1, now)


def test_system_events_count_records(policy: DataPolicy) -> None:
    open_system_events(policy, Settings({})).add(SystemEvent(Name.FILTER_STARTED, time=1000.0))
    found = held(policy, "system-events")
    assert (found.records, found.cap.records, found.oldest) == (1, 100_000, 1000.0)


def test_each_stream_of_traces_is_measured(policy: DataPolicy) -> None:
    (Path(policy.row("traces").locations[0].place) / "web.log").write_text("x" * 10, encoding="utf-8")
    assert held(policy, "kaspersky", "web").bytes == 10


def test_stream_that_nobody_knows_is_measured_too(policy: DataPolicy) -> None:
    (Path(policy.row("traces").locations[0].place) / "stranger.log.3").write_text("x", encoding="utf-8")
    assert held(policy, "kaspersky", "stranger").bytes == 1


def test_place_that_is_not_there_is_told(policy: DataPolicy) -> None:
    assert not held(policy, "authorized_keys").exists


def test_file_with_two_names_counts_once(policy: DataPolicy) -> None:
    certificate = Path(held(policy, "tls").place) / "web.crt"
    certificate.write_bytes(b"x" * 10)
    certificate.with_name(".held-1").hardlink_to(certificate)
    assert (held(policy, "tls").bytes, held(policy, "tls").records) == (10, 1)


def test_mail_in_the_queue_counts_and_what_postfix_keeps_beside_it_does_not(policy: DataPolicy) -> None:
    queue = Path(policy.place("mta_queue"))
    for name in ("deferred/A/AB", "etc/resolv.conf", "pid/master.pid"):
        (queue / name).parent.mkdir(parents=True)
        (queue / name).write_bytes(b"x" * 10)
    (found,) = [holding for holding in measure(policy, Settings({})) if holding.row == "mta_queue"]
    assert (found.bytes, found.records) == (10, 1)
