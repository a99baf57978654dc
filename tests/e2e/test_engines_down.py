"""A scanner that does not answer: mail waits at the sender, and never passes unscanned in silence."""

from collections.abc import Iterator

import pytest
from ksmg.filter.answers import TRY_AGAIN
from ksmg.rules.treatment import Action

from e2e import samples
from e2e.appliance import Appliance
from e2e.conftest import Send
from e2e.mailbox import Mailbox
from e2e.waiting import until

ENGINES = {"antivirus": "clamav-daemon", "antispam": "rspamd"}
MODULES = {"antivirus": {"antivirus"}, "antispam": {"antispam", "links", "authentication"}}
"""The modules that cannot work without an engine."""

pytestmark = pytest.mark.disruptive


@pytest.fixture(scope="module", params=ENGINES)
def dead_engine(
    request: pytest.FixtureRequest, appliance: Appliance, send_in: Send, stranger: str, employee: str
) -> Iterator[str]:
    """The engine is killed and stays down; afterwards it runs again and mail flows."""
    unit = ENGINES[request.param]
    appliance.run("systemctl", "kill", "--signal=KILL", f"{unit}.service")
    appliance.run("systemctl", "stop", f"{unit}.service")  # so that systemd does not start it again
    until(
        lambda: appliance.run("systemctl", "is-active", f"{unit}.service", check=False).strip() != "active",
        f"end of {unit}",
    )
    yield str(request.param)
    appliance.run("systemctl", "reset-failed", f"{unit}.service", check=False)
    appliance.run("systemctl", "start", f"{unit}.service")
    appliance.await_engines()
    assert send_in(samples.greeting(stranger, employee)).accepted


def test_mail_is_put_off(send_in: Send, dead_engine: str, stranger: str, employee: str) -> None:
    answer = send_in(samples.greeting(stranger, employee))
    assert (answer.code, answer.text[:5]) == TRY_AGAIN


def test_mail_put_off_does_not_arrive(
    send_in: Send, inside: Mailbox, appliance: Appliance, dead_engine: str, stranger: str, employee: str
) -> None:
    sample = samples.greeting(stranger, employee)
    send_in(sample)
    appliance.event_about(sample.marker)
    assert inside.find(sample.marker) is None


def test_mail_put_off_is_an_event(
    send_in: Send, appliance: Appliance, dead_engine: str, stranger: str, employee: str
) -> None:
    sample = samples.greeting(stranger, employee)
    send_in(sample)
    assert appliance.event_about(sample.marker)["action"] == Action.TEMPFAIL.value


def test_mail_put_off_is_an_important_line(
    send_in: Send, appliance: Appliance, dead_engine: str, stranger: str, employee: str
) -> None:
    sample = samples.greeting(stranger, employee)
    send_in(sample)
    until(lambda: appliance.lines_with(sample.marker, appliance.log("ksmg-important")), "line in ksmg-important")


def test_status_names_the_engine(appliance: Appliance, dead_engine: str) -> None:
    down = {engine["check"] for engine in appliance.ksmg("status")["engines"] if not engine["works"]}
    assert down == MODULES[dead_engine]
