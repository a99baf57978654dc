"""Wrong site variables stop a build with a sentence that says what to do."""

import importlib.util
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

TOP = Path(__file__).resolve().parents[2]
Check = Callable[[Path], list[str]]


def load(name: str) -> Any:
    """A program of playbooks/, which is no package."""
    spec = importlib.util.spec_from_file_location(Path(name).stem, TOP / "playbooks" / name)
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="session")
def check() -> Check:
    function: Check = load("check_site.py").check
    return function


@pytest.fixture
def site(tmp_path: Path) -> Path:
    """A copy of the example site."""
    return Path(shutil.copytree(TOP / "inventory/example", tmp_path / "site"))


def change(site: Path, **variables: object) -> None:
    file = site / "group_vars/gateways.yml"
    file.write_text(yaml.safe_dump({**yaml.safe_load(file.read_text()), **variables}))


def test_the_example_can_be_built(check: Check, site: Path) -> None:
    assert check(site) == []


@pytest.mark.parametrize(
    ("variable", "value", "cure"),
    [
        ("site_postmaster", "postmaster", "write it as name@domain"),
        ("site_relay_domains", [{"domain": "example_com", "next_hop": "[192.0.2.1]:25"}], "write it as example.com"),
        ("site_relay_domains", [{"domain": "example.com", "next_hop": "[192.0.2.1]:99999"}], "is not a next hop"),
        ("site_relay_domains", [{"domain": "example.com"}], "`site_relay_domains[0].next_hop` is missing"),
        ("site_internal_networks", ["192.0.2.1/24"], "write first address and length"),
        ("site_network", {"address": "192.0.2.1", "gateway": "192.0.2.2"}, "has no prefix length"),
        ("site_dns_servers", ["dns.example.com"], "is not an IP address"),
        ("site_timezone", "Mars", "is not in the tz database"),
        ("site_admin_ssh_keys", ["ssh-ed25519 AAAAC3"], "its second word is cut off or damaged"),
        ("site_admin_password_hash", "secret", "has the wrong form"),
        (
            "site_certificates",
            {"web": {"certificate": "no.pem", "key": "no.key"}},
            "give the path of a readable PEM file",
        ),
        ("site_smart_host", "mail.example.com", "`site_smart_host` is unknown"),
    ],
)
def test_a_wrong_value_is_told_with_its_cure(check: Check, site: Path, variable: str, value: object, cure: str) -> None:
    change(site, **{variable: value})
    assert cure in " ".join(check(site))


def test_the_value_of_a_secret_is_not_repeated(check: Check, site: Path) -> None:
    change(site, site_admin_password_hash="correct horse")
    assert "correct horse" not in " ".join(check(site))


def test_a_missing_variable_is_named(check: Check, site: Path) -> None:
    (site / "group_vars/gateways.yml").write_text("site_postmaster: postmaster@example.com\n")
    assert any("`site_relay_domains` is missing" in problem for problem in check(site))


def test_a_short_host_name_is_refused(check: Check, site: Path) -> None:
    (site / "hosts.yml").write_text("gateways: {hosts: {gw1: }}\n")
    assert any("not fully qualified" in problem for problem in check(site))


def test_an_undefined_template_is_one_sentence(check: Check, site: Path) -> None:
    change(site, site_postmaster="{{ nobody }}")
    assert len(check(site)) == 1


def test_a_directory_that_is_not_there_is_one_sentence(check: Check, tmp_path: Path) -> None:
    assert "not a directory" in check(tmp_path / "nowhere")[0]
