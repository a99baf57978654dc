"""Who exists on the appliance, and with which privileges."""

from typing import Any

import pytest
from ksmg.policy import DataPolicy

from host.expectation import LOGIN_SHELLS, POLICY, SUID_FILES

NO_SHELLS = {"/usr/sbin/nologin", "/sbin/nologin", "/bin/false", "/usr/bin/false", "/bin/sync"}
MADE = sorted(name for name, account in POLICY.accounts.items() if account.kind == "system")
DATA_GROUPS = sorted({account.group for account in POLICY.accounts.values() if account.group})


@pytest.mark.parametrize("account", MADE)
def test_account_has_the_uid_of_the_policy(facts: Any, policy: DataPolicy, account: str) -> None:
    assert facts["users"][account]["uid"] == policy.accounts[account].uid


@pytest.mark.parametrize("account", [name for name in MADE if name != "root"])
def test_account_cannot_sign_in(facts: Any, policy: DataPolicy, account: str) -> None:
    assert facts["users"][account]["shell"] == policy.accounts[account].shell


@pytest.mark.parametrize("group", DATA_GROUPS)
def test_data_group_has_no_other_member(facts: Any, group: str) -> None:
    assert set(facts["groups"][group]) <= {group}


def test_only_root_has_uid_0(facts: Any) -> None:
    assert [name for name, user in facts["users"].items() if user["uid"] == 0] == ["root"]


def test_only_known_accounts_have_a_shell(facts: Any) -> None:
    shells = {name: user["shell"] for name, user in facts["users"].items() if user["shell"] not in NO_SHELLS}
    assert shells == LOGIN_SHELLS


def test_nobody_has_a_password(facts: Any) -> None:
    assert facts["passwords"] == []


def test_no_ordinary_users(facts: Any) -> None:
    assert [name for name, user in facts["users"].items() if 1000 <= user["uid"] < 60000] == []


def test_only_known_files_raise_privileges(facts: Any) -> None:
    assert set(facts["privileged"]) - SUID_FILES == set()


def test_nobody_may_raise_privileges_by_sudo_without_being_named(facts: Any) -> None:
    assert facts["groups"].get("sudo", []) == []
