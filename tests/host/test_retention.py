"""How long data stays: caps are watched while logs are flooded, and what has no reason to stay any more goes."""

import json
import re
import shlex
import time
import uuid
from collections.abc import Callable
from typing import Any

import pytest
from testinfra.host import Host

from host.expectation import POLICY, PRIORITIES, locations
from host.question import ask_again

LOGS = {str(location.place): location for location in locations(POLICY).values() if location.type == "log"}
ROOM = 400_000
TEMPORARY = {str(location.place): location for location in POLICY.row("temporary").locations}
EMPTIED_BY = {
    str(location.place): unit.name
    for unit in POLICY.units.values()
    for entry in unit.write
    for location in POLICY.resolve(entry)
    if location.retention.limit == "restart"
}
DKIM = next(str(location.place) for location in POLICY.row("mta_settings").locations if location.place.name == "dkim")
TLS = next(str(location.place) for location in POLICY.row("mta_settings").locations if location.place.name == "tls")
CACHE = str(POLICY.place("directory_cache"))
WEEKS = 5


@pytest.fixture(scope="module", params=PRIORITIES)
def flood(host: Host, request: pytest.FixtureRequest) -> Any:
    """What was seen while a log was flooded with more than the room below its cap."""
    capped = {place.rpartition("/")[2]: place for place, location in LOGS.items() if location.retention.bytes}
    asked = {
        "log": capped[request.param],
        "logs": {name.upper().replace("-", "_"): place for name, place in capped.items()},
        "priority": PRIORITIES[request.param],
        "room": ROOM,
    }
    return ask_again(host, "flood", asked)


def eventually(condition: Callable[[], bool], seconds: float = 60) -> bool:
    """Whether something becomes true in time."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.2)
    return True


@pytest.mark.slow
@pytest.mark.disruptive
def test_flooded_log_is_never_above_its_cap_by_more_than_a_part(flood: Any) -> None:
    assert flood["most"] <= flood["cap"] + flood["unit"]


@pytest.mark.slow
@pytest.mark.disruptive
def test_flooded_log_keeps_nine_tenths_of_its_cap(flood: Any) -> None:
    assert flood["least"] >= 0.9 * flood["cap"]


@pytest.mark.slow
@pytest.mark.disruptive
def test_flooded_log_has_its_newest_lines_without_a_gap(flood: Any) -> None:
    kept = flood["kept"]
    assert kept == list(range(kept[0], flood["last"] + 1))


@pytest.mark.slow
@pytest.mark.disruptive
def test_parts_of_a_log_have_its_owner_and_mode(flood: Any) -> None:
    assert flood["like_before"]


@pytest.mark.slow
@pytest.mark.disruptive
def test_evicted_line_is_in_no_file_any_more(flood: Any) -> None:
    assert flood["kept"][0] > 1
    assert [file for file in flood["evicted_in"] if file.startswith(flood["log"])] == []
    elsewhere = {re.sub(r"\.\d+$", "", file) for file in flood["evicted_in"]}
    assert elsewhere <= set(LOGS)  # what is important is in the log of everything too


def test_every_place_is_within_its_caps(host: Host) -> None:
    places = json.loads(host.run("ksmg audit retention --json").stdout)
    assert [place["findings"] for place in places if not place["green"]] == []


def test_rsyslog_ends_parts_that_are_right_for_this_disk(host: Host) -> None:
    effective = {place["place"]: place for place in json.loads(host.run("ksmg audit retention --json").stdout)}
    process = host.check_output("systemctl show -P MainPID rsyslog.service")
    environment = host.check_output(f"tr '\\0' '\\n' < /proc/{process}/environ")
    commands = re.findall(r"^KSMG_ROTATE_\w+=\S+ (\S+) (\d+) (\d+)$", environment, re.M)
    told = {log: (int(cap), int(unit)) for log, cap, unit in commands}
    capped = {name for name, location in LOGS.items() if location.retention.bytes}
    assert {log: told[log] for log in capped} == {
        log: (effective[log]["effective"]["bytes"], effective[log]["unit"]) for log in capped
    }


def test_log_of_sign_ins_goes_after_its_weeks(host: Host) -> None:
    text = host.check_output("cat /etc/logrotate.conf")
    (block,) = re.findall(r"^/var/log/secure \{(.*?)^\}", text, re.M | re.S)
    settings = dict(line.strip().partition(" ")[::2] for line in block.splitlines() if line.strip())
    assert "weekly" in settings
    assert int(settings["rotate"]) + 1 <= WEEKS
    assert int(settings["maxage"]) <= WEEKS * 7


def test_what_logrotate_deletes_is_overwritten(host: Host) -> None:
    assert re.search(r"^shred$", host.check_output("cat /etc/logrotate.conf"), re.M)


def test_rotation_accepts_its_settings(host: Host) -> None:
    assert "error" not in host.run("logrotate --debug /etc/logrotate.conf").stderr.lower()


def test_journal_is_kept_in_memory_only(host: Host) -> None:
    assert not host.file("/var/log/journal").exists


@pytest.mark.parametrize("unit", ["ksmg-retention.timer", "ksmg-retention.path", "logrotate.timer"])
def test_unit_that_keeps_order_waits(host: Host, unit: str) -> None:
    assert host.run(f"systemctl is-active {unit}").stdout.strip() == "active"


@pytest.mark.disruptive
def test_key_whose_domain_is_not_signed_any_more_goes_by_itself(host: Host) -> None:
    key = f"{DKIM}/removed-{uuid.uuid4().hex}.test.a.key"
    host.check_output(f"touch {shlex.quote(key)}")
    assert eventually(lambda: not host.file(key).exists)


@pytest.mark.disruptive
def test_many_changes_in_a_row_do_not_end_the_watch(host: Host) -> None:
    for _ in range(8):
        test_key_whose_domain_is_not_signed_any_more_goes_by_itself(host)


@pytest.mark.disruptive
def test_directory_cache_without_a_directory_goes_by_itself(host: Host) -> None:
    host.check_output(f"setpriv --reuid=kluser --regid=kluser --clear-groups touch {shlex.quote(CACHE)}")
    assert eventually(lambda: not host.file(CACHE).exists)


@pytest.mark.disruptive
def test_replaced_certificate_is_overwritten(host: Host) -> None:
    name = f"{TLS}/replaced-{uuid.uuid4().hex}.crt"
    host.check_output(f"echo old-certificate > {name}")
    host.check_output("systemctl start ksmg-retention.service")
    try:
        held = host.check_output(f"find {TLS} -samefile {name} -name '.held-*'")
        host.check_output(f"echo new > {name}.new && mv {name}.new {name}")
        assert eventually(lambda: not host.file(held).exists)
        assert host.check_output(f"cat {name}") == "new"
    finally:
        host.check_output(f"rm -f {name} && systemctl start ksmg-retention.service")


@pytest.mark.disruptive
def test_look_for_what_may_go_works(host: Host) -> None:
    assert host.run("systemctl start ksmg-retention.service").rc == 0


@pytest.mark.disruptive
@pytest.mark.parametrize("place", TEMPORARY)
def test_temporary_files_go_when_the_application_restarts(host: Host, place: str) -> None:
    left = f"{place}/left-behind.probe"
    quoted = shlex.quote(left)
    host.check_output(f"setpriv --reuid=kluser --regid=kluser --clear-groups touch {quoted}")
    host.check_output(f"systemctl restart {EMPTIED_BY[place]}")
    assert not host.file(left).exists
