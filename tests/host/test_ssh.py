"""How administrators sign in."""

from typing import Any

import pytest


@pytest.mark.parametrize(
    ("setting", "value"),
    [
        ("passwordauthentication", "no"),
        ("kbdinteractiveauthentication", "no"),
        ("permitemptypasswords", "no"),
        ("pubkeyauthentication", "yes"),
        ("hostbasedauthentication", "no"),
        ("x11forwarding", "no"),
        ("disableforwarding", "yes"),
        ("permittunnel", "no"),
        ("permituserenvironment", "no"),
        ("authorizedkeysfile", "/etc/ssh/authorized_keys"),
    ],
)
def test_sshd_setting(facts: Any, setting: str, value: str) -> None:
    assert dict(facts["sshd"])[setting] == value


def test_root_signs_in_with_a_key_only(facts: Any) -> None:
    assert dict(facts["sshd"])["permitrootlogin"] in ("no", "without-password", "prohibit-password")
