"""Nothing about mail goes to third parties before the administrator agreed: the lab sees every DNS question."""

from pathlib import Path

import pytest
from lab.dns import questions
from lab.mirror import names
from lab.target import Target

from e2e import samples
from e2e.appliance import Appliance
from e2e.conftest import Send

UPDATES = ("clamav.net",)
"""The updater of signatures may ask: that is a setting of its own."""
TIME = ("pool.ntp.org",)
LINK = "offers.shop-of-a-stranger.test"


@pytest.fixture
def asked(send_in: Send, appliance: Appliance, target: Target, stranger: str, employee: str) -> set[str]:
    """What the appliance has asked for, also about a message with a link and an attachment."""
    sample = samples.compose(stranger, employee, f"See http://{LINK}/today\n", ("offer.pdf", b"%PDF-1.4 offer"))
    assert send_in(sample).code == 250
    appliance.event_about(sample.marker)
    return questions(Path(target.dns_log), target.address)


def test_link_in_a_message_is_not_looked_up(asked: set[str]) -> None:
    assert {name for name in asked if LINK in name} == set()


def test_names_asked_are_the_mails_own_or_declared(asked: set[str], target: Target) -> None:
    known = (target.domain, target.partner, "in-addr.arpa", "ip6.arpa", *UPDATES, *TIME, *names())
    assert {name for name in asked if not name.endswith(known)} == set()
