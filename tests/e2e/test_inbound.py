"""Mail from the internet to the organisation."""

import pytest
from ksmg.changes.fields import ANTISPAM_HEADER, SPAM_FLAG_HEADER
from ksmg.checks.verdict import Status
from ksmg.rules.modules import DEFAULT_TREATMENTS
from ksmg.rules.treatment import Action
from lab.target import Target

from e2e import samples
from e2e.appliance import Appliance
from e2e.conftest import Send
from e2e.mailbox import Mailbox
from e2e.smtp import send

TAG = DEFAULT_TREATMENTS[Status.SPAM]["tag"]


@pytest.mark.parametrize("compose", [samples.greeting, samples.awkward])
def test_clean_mail_arrives_unchanged(
    send_in: Send, inside: Mailbox, stranger: str, employee: str, compose: samples.Compose
) -> None:
    sample = compose(stranger, employee)
    assert send_in(sample).code == 250
    delivery = inside.receive(sample.marker)
    assert delivery.content.endswith(sample.content)
    added = delivery.content.removesuffix(sample.content).decode()
    assert {line.partition(":")[0] for line in added.splitlines() if not line.startswith((" ", "\t"))} == {"Received"}


def test_clean_mail_keeps_its_envelope(
    send_in: Send, inside: Mailbox, target: Target, stranger: str, employee: str
) -> None:
    sample = samples.greeting(stranger, employee)
    send_in(sample)
    delivery = inside.receive(sample.marker)
    assert (delivery.sender, delivery.recipients, delivery.peer) == (stranger, (employee,), target.address)


def test_large_attachment_arrives_unchanged(send_in: Send, inside: Mailbox, stranger: str, employee: str) -> None:
    sample = samples.compose(stranger, employee, "The plans.\n", ("plans.bin", bytes(range(256)) * 8192))
    assert send_in(sample).code == 250
    assert inside.receive(sample.marker).content.endswith(sample.content)


def test_clean_mail_is_an_event(send_in: Send, appliance: Appliance, stranger: str, employee: str) -> None:
    sample = samples.greeting(stranger, employee)
    send_in(sample)
    event = appliance.event_about(sample.marker)
    assert (event["action"], event["sender"], event["recipients"]) == (Action.SKIP.value, stranger, [employee])


def test_spam_is_delivered_with_its_subject_tagged(
    send_in: Send, inside: Mailbox, stranger: str, employee: str
) -> None:
    sample = samples.spam(stranger, employee)
    assert send_in(sample).code == 250
    assert inside.receive(sample.marker).message["Subject"] == f"{TAG} {sample.subject}"


def test_spam_is_delivered_with_a_header_for_mail_programs(
    send_in: Send, inside: Mailbox, stranger: str, employee: str
) -> None:
    sample = samples.spam(stranger, employee)
    send_in(sample)
    message = inside.receive(sample.marker).message
    assert message[SPAM_FLAG_HEADER] == "YES"
    assert message[ANTISPAM_HEADER].startswith("spam")


def test_spam_keeps_its_body(send_in: Send, inside: Mailbox, stranger: str, employee: str) -> None:
    sample = samples.spam(stranger, employee)
    send_in(sample)
    assert inside.receive(sample.marker).content.endswith(b"\r\n\r\n" + sample.body)


def test_relaying_to_a_foreign_domain_is_refused(target: Target, stranger: str) -> None:
    recipient = f"somebody@{target.partner}"
    sample = samples.compose(stranger, recipient, "Pass it on.\n")
    answer = send(target, target.outside, stranger, recipient, sample)
    assert (answer.code, "denied" in answer.text) == (554, True)
