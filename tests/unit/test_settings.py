"""Settings and password hashes."""

import json
from pathlib import Path
from typing import Any

import pytest
from ksmg.settings import SETTINGS, Settings, SettingsError, load_settings, parse_settings
from ksmg.system.passwords import hash_password, verify_password


def test_every_default_is_a_value_that_the_row_takes() -> None:
    for setting in SETTINGS:
        plain = json.loads(json.dumps(setting.default))
        assert setting.parse(plain) == setting.default, setting.key


def test_keys_are_unique_and_explained() -> None:
    assert len({setting.key for setting in SETTINGS}) == len(SETTINGS)
    assert all(setting.help and setting.permission for setting in SETTINGS)


def test_groups_are_nested_in_the_file(tmp_path: Path) -> None:
    file = tmp_path / "gateway.json"
    file.write_text('{"hostname": "GW.example.org", "spam_quarantine": {"when_full": "refuse"}, "dkim": []}')
    settings = load_settings(file)
    assert settings is not None
    assert (settings["spam_quarantine.when_full"], settings["hostname"]) == ("refuse", "gw.example.org")


def test_no_file_is_not_an_error(tmp_path: Path) -> None:
    assert load_settings(tmp_path / "none") is None


@pytest.mark.parametrize(
    ("document", "words"),
    [
        ([], "one JSON object"),
        ({"colour": 1}, "no setting colour"),
        ({"spam_quarantine": {"when_full": "burn"}}, "spam_quarantine.when_full must be one of"),
        ({"unscanned": {"per_day": 1}}, "no setting unscanned.per_day"),
        ({"hostname": "a b"}, "hostname must be a domain name"),
        ({"postmaster": "x\r\n@y"}, "postmaster must be a mail address"),
        ({"internal_networks": ["10.0.0.1/8"]}, "has host bits set"),
        ({"internal_networks": "10.0.0.0/8"}, "must be a list"),
        ({"dkim": [{"domain": "x.org"}]}, "must be an object with: domain, selector"),
        ({"dkim": [{"domain": "../x", "selector": "s"}]}, "dkim must be a domain name"),
        ({"antivirus": {"timeout": True}}, "whole number"),
        ({"antivirus": {"timeout": 0}}, "from 1 to 240"),
        ({"admin_password_hash": "secret"}, "password-hash"),
    ],
)
def test_a_wrong_value_is_one_sentence_that_names_the_key(document: Any, words: str) -> None:
    with pytest.raises(SettingsError) as error:
        parse_settings(document)
    assert words in str(error.value)


def test_a_file_that_is_not_json_is_one_sentence(tmp_path: Path) -> None:
    file = tmp_path / "gateway.json"
    file.write_text("{")
    with pytest.raises(SettingsError, match="cannot be read"):
        load_settings(file)


def test_null_means_the_policys_cap() -> None:
    settings = Settings({})
    assert settings.number("message_events.days", 3) == 3
    with pytest.raises(SettingsError):
        settings.number("message_events.days")


def test_a_password_matches_its_own_hash_only() -> None:
    hashed = hash_password("correct horse")
    assert parse_settings({"admin_password_hash": hashed})["admin_password_hash"] == hashed
    assert verify_password("correct horse", hashed)
    assert not verify_password("wrong horse!", hashed)
    assert hash_password("correct horse") != hashed


@pytest.mark.parametrize("hashed", ["", "x", "$scrypt$ln=99,r=8,p=1$AAAA$AAAA", "$scrypt$ln=1,r=1,p=1$A$A"])
def test_a_malformed_hash_matches_nothing(hashed: str) -> None:
    assert not verify_password("correct horse", hashed)


def test_a_short_password_is_refused() -> None:
    with pytest.raises(ValueError, match="at least 12"):
        hash_password("short")


def test_the_readme_lists_every_setting() -> None:
    readme = (Path(__file__).parents[2] / "gateway/README.md").read_text(encoding="utf-8")
    table = readme.partition("<!-- settings -->\n")[2].splitlines()
    assert table == [
        "| setting | type | unit | default | permission | meaning |",
        "|---|---|---|---|---|---|",
        *(
            f"| `{row.key}` | {row.type} | {row.unit} | `{json.dumps(row.default)}` | {row.permission} | {row.help} |"
            for row in SETTINGS
        ),
    ]
