"""What only a machine with a kernel of its own can show; containers share theirs."""

from __future__ import annotations

import pytest
from ksmg.policy import DataPolicy
from testinfra.host import Host


@pytest.mark.parametrize("unit", ["auditd", "apparmor", "chrony", "systemd-networkd", "systemd-resolved"])
def test_service_is_active(host: Host, unit: str) -> None:
    assert host.service(unit).is_running


def test_audit_rules_watch_the_places_of_the_policy(host: Host, policy: DataPolicy) -> None:
    watched = [str(policy.row(row).locations[0].path) for row in ("backup", "mta_settings")]
    rules = host.check_output("auditctl -l")
    assert [path for path in watched if path not in rules] == []


def test_apparmor_confines_the_virus_updater(host: Host) -> None:
    assert "freshclam (enforce)" in host.file("/sys/kernel/security/apparmor/profiles").content_string


def test_a_daemon_cannot_have_more_processes_than_its_unit_allows(host: Host) -> None:
    group = host.check_output("systemctl show --value --property ControlGroup ksmg-filter.service")
    assert host.file(f"/sys/fs/cgroup{group}/pids.max").content_string.strip() != "max"


def test_the_console_says_how_to_unlock_the_web(host: Host) -> None:
    assert "site_admin_password_hash" in host.run("cat /etc/issue /etc/issue.d/* /run/issue.d/*").stdout
