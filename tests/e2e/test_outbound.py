"""Mail from the organisation to the internet: signed, and verified by somebody who only has the public DNS."""

import dkim
import pytest
from lab.target import Target

from e2e import samples
from e2e.appliance import Appliance
from e2e.conftest import Send, look_up
from e2e.mailbox import Mailbox


@pytest.mark.parametrize("compose", [samples.greeting, samples.awkward])
def test_outbound_mail_carries_a_signature_that_verifies(
    send_out: Send,
    outside: Mailbox,
    target: Target,
    published_key: str,
    stranger: str,
    employee: str,
    compose: samples.Compose,
) -> None:
    sample = compose(employee, stranger)
    assert send_out(sample).code == 250
    assert dkim.verify(outside.receive(sample.marker).content, dnsfunc=look_up(target))


def test_signature_breaks_when_the_message_is_changed(
    send_out: Send, outside: Mailbox, target: Target, published_key: str, stranger: str, employee: str
) -> None:
    sample = samples.greeting(employee, stranger)
    send_out(sample)
    changed = outside.receive(sample.marker).content.replace(b"Good morning", b"Good evening")
    assert not dkim.verify(changed, dnsfunc=look_up(target))


def test_mail_released_from_backup_is_signed(
    send_out: Send,
    outside: Mailbox,
    appliance: Appliance,
    target: Target,
    published_key: str,
    stranger: str,
    employee: str,
) -> None:
    sample = samples.infected("zipped", employee, stranger)
    assert send_out(sample).code == 550
    appliance.run("ksmg", "backup", "release", appliance.backup_of(sample.marker)["id"])
    assert dkim.verify(outside.receive(sample.marker).content, dnsfunc=look_up(target))


def test_outbound_mail_keeps_its_content(send_out: Send, outside: Mailbox, stranger: str, employee: str) -> None:
    sample = samples.awkward(employee, stranger)
    send_out(sample)
    assert outside.receive(sample.marker).content.endswith(sample.content)


def test_inbound_mail_is_not_signed(send_in: Send, inside: Mailbox, stranger: str, employee: str) -> None:
    sample = samples.greeting(stranger, employee)
    send_in(sample)
    assert inside.receive(sample.marker).message["DKIM-Signature"] is None
