"""The parts of the test lab that need no lab."""

import json
from pathlib import Path

import pytest
from e2e.mailbox import Mailbox
from e2e.smtp import last_word
from e2e.waiting import until
from lab.dns import questions, txt
from lab.mirror import is_address
from lab.place import Place
from lab.target import Neighbour, Target


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place("unit", tmp_path / "cache", tmp_path / "run")


def test_interface_name_fits_the_kernel(place: Place) -> None:
    assert len(place.uplink) <= 15


def test_first_host_has_the_first_address(place: Place) -> None:
    assert place.address("gw1.example.test") == f"{place.net}.11"


def test_host_keeps_its_address(place: Place) -> None:
    first = place.address("gw1.example.test")
    place.address("gw2.example.test")
    assert place.address("gw1.example.test") == first


def test_hosts_have_different_addresses(place: Place) -> None:
    assert place.address("gw1.example.test") != place.address("gw2.example.test")


def test_labs_have_different_networks(tmp_path: Path) -> None:
    assert len({Place(name, tmp_path, tmp_path).net for name in ("lab", "boot", "molecule")}) == 3


def test_long_text_record_is_cut_into_strings() -> None:
    record = txt("key.example.test", "x" * 600)
    assert [len(part) - 2 for part in record.split(",")[1:]] == [250, 250, 100]


def test_questions_are_those_of_the_client(tmp_path: Path) -> None:
    log = tmp_path / "dns.log"
    log.write_text("dnsmasq: query[A] Mail.example.test from 192.0.2.1\ndnsmasq: query[A] other from 192.0.2.9\n")
    assert questions(log, "192.0.2.1") == {"mail.example.test"}


@pytest.mark.parametrize(("host", "expected"), [("192.0.2.1", True), ("deb.example.test", False)])
def test_address_is_told_from_a_name(host: str, expected: bool) -> None:
    assert is_address(host) == expected


def test_target_survives_its_file(tmp_path: Path) -> None:
    side = Neighbour("192.0.2.1", "netns", "/sink")
    target = Target("lab", "gw1", "192.0.2.2", "root", "key", "config", "192.0.2.3", "log", "a", "b", side, side, True)
    target.save(tmp_path / "target.json")
    assert Target.load(tmp_path / "target.json") == target


def test_last_word_is_the_refusal() -> None:
    answer = last_word("<-  220 hello\n<-  354 go on\n<** 550 5.7.1 no\n<-  221 bye\n")
    assert (answer.code, answer.text) == (550, "5.7.1 no")


def test_last_word_without_refusal_is_before_the_goodbye() -> None:
    answer = last_word("<~  220 hello\n<~  250 2.0.0 queued\n<~  221 bye\n")
    assert (answer.accepted, answer.text) == (True, "2.0.0 queued")


def test_last_word_of_a_broken_session_is_none() -> None:
    assert last_word("*** Error connecting").code == 0


def test_mailbox_ignores_a_message_that_is_not_whole(tmp_path: Path) -> None:
    (tmp_path / "000001.eml").write_bytes(b"marker")
    assert Mailbox(tmp_path).find("marker") is None


def test_mailbox_finds_a_message_by_its_marker(tmp_path: Path) -> None:
    (tmp_path / "000001.eml").write_bytes(b"marker")
    (tmp_path / "000001.json").write_text(json.dumps({"from": "a", "to": ["b"], "peer": "192.0.2.1"}))
    delivery = Mailbox(tmp_path).find("marker")
    assert delivery is not None
    assert delivery.recipients == ("b",)


def test_waiting_has_an_end() -> None:
    with pytest.raises(AssertionError, match="there was no miracle"):
        until(lambda: None, "miracle", limit=0.0)
