"""The data policy: it is complete and free of contradictions, and the checker notices when it is not."""

import copy
from pathlib import Path
from typing import Any

import pytest
import yaml
from ksmg.policy import DataPolicy, PolicyError, load_policy, parse_policy
from ksmg.policy.__main__ import complaints, main

POLICY_FILE = Path(__file__).parents[2] / "inventory/group_vars/all/data_policy.yml"
STATEMENT_ROWS = {
    "settings", "rules", "statistics", "message_events", "system_events", "traces", "backup", "spam_quarantine",
    "kata_quarantine", "temporary", "directory_cache", "kata_requests", "mta_settings", "mta_log", "mta_queue",
    "auth_log", "ssh_keys",
}  # fmt: skip


@pytest.fixture
def document() -> dict[str, Any]:
    loaded: dict[str, Any] = yaml.safe_load(POLICY_FILE.read_text(encoding="utf-8"))
    return loaded


@pytest.fixture
def policy(document: dict[str, Any]) -> DataPolicy:
    return parse_policy(document)


def row(document: dict[str, Any], row_id: str) -> dict[str, Any]:
    found: dict[str, Any] = next(facts for facts in document["data_policy"]["rows"] if facts["id"] == row_id)
    return found


def test_the_policy_of_the_product_has_no_complaints(document: dict[str, Any]) -> None:
    assert complaints(document) == []


def test_every_row_of_the_statement_is_there(policy: DataPolicy) -> None:
    assert {found.id for found in policy.rows} == STATEMENT_ROWS


def test_place_joins_path_and_at(policy: DataPolicy) -> None:
    assert str(policy.place("backup")) == "/var/opt/kaspersky/ksmg/backup"


def test_caps_are_the_statements(policy: DataPolicy) -> None:
    assert policy.retention("backup").bytes == 7_000_000_000
    assert (policy.retention("message_events").days, policy.retention("message_events").bytes) == (3, 1_000_000_000)
    assert policy.retention("system_events").records == 100_000


def test_an_entry_can_mean_one_place_of_a_row(policy: DataPolicy) -> None:
    (location,) = policy.resolve("temporary@/tmp/klms_filter")
    assert location.may("kluser", "write")
    assert not location.may("nginx", "read")


def test_an_unknown_row_is_a_key_error(policy: DataPolicy) -> None:
    with pytest.raises(KeyError):
        policy.row("nothing")


def test_permissions_come_from_rows_and_locations(policy: DataPolicy) -> None:
    assert {"view_backup", "obtain_diagnostics"} <= policy.permissions()


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("rows", 0, "colour"), "red"),
        (("rows", 0, "locations", 0, "mode"), "700"),
        (("rows", 0, "locations", 0, "path"), "var/opt"),
        (("rows", 0, "locations", 0, "at"), "../etc"),
        (("accounts", "kluser", "kind"), "human"),
        (("units", "ksmg-filter"), {"account": "kluser", "write": [], "read": []}),
        (("rows", 6, "locations", 0, "retention"), {"limit": "fixed"}),
    ],
)
def test_the_schema_refuses(document: dict[str, Any], path: tuple[Any, ...], value: Any) -> None:
    target: Any = document["data_policy"]
    for step in path[:-1]:
        target = target[step]
    target[path[-1]] = value
    assert complaints(document)


def test_a_duplicate_row_is_found(document: dict[str, Any]) -> None:
    document["data_policy"]["rows"].append(copy.deepcopy(row(document, "rules")))
    assert any("declared 2 times" in sentence for sentence in complaints(document))


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"mode": "0705"}, "opens"),
        ({"mode": "0500"}, "refuses"),
        ({"mode": "0770", "group": "postfix"}, "lets group postfix write"),
        ({"owner": "nobody"}, "not declared"),
        ({"at": "elsewhere/backup"}, "no container"),
        ({"at_rest": {"nginx": ["read"], "kluser": ["list", "read", "write"]}}, "does not name it in process"),
        ({"at_rest": {"postfix": ["read"]}}, "at_rest does not name it"),
    ],
)
def test_a_contradiction_is_found(document: dict[str, Any], change: dict[str, Any], words: str) -> None:
    row(document, "backup")["locations"][0].update(change)
    assert any(words in sentence for sentence in complaints(document))


def test_a_unit_that_opens_nothing_real_is_found(document: dict[str, Any]) -> None:
    document["data_policy"]["units"]["nginx.service"]["read"] = ["backups"]
    assert any("no row backups" in sentence for sentence in complaints(document))


def test_a_unit_that_writes_what_its_account_may_not_is_found(document: dict[str, Any]) -> None:
    document["data_policy"]["units"]["nginx.service"]["write"] = ["backup"]
    assert any("nginx may not" in sentence for sentence in complaints(document))


def test_a_missing_part_is_one_sentence() -> None:
    with pytest.raises(PolicyError, match="malformed"):
        parse_policy({"data_policy": {"accounts": {}}})


def test_a_missing_file_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(PolicyError, match="There is no data policy"):
        load_policy(tmp_path / "none.json")


def test_the_check_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check", str(POLICY_FILE)]) == 0
    assert main(["check", str(tmp_path / "none")]) == 1
    assert "cannot be read" in capsys.readouterr().err
    assert main([]) == 2
