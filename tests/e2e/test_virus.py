"""Infected mail: refused in the SMTP dialogue, kept in Backup, and released by an administrator's decision."""

import pytest
from ksmg.filter.answers import REFUSED
from ksmg.rules.treatment import Action

from e2e import samples
from e2e.appliance import Appliance
from e2e.conftest import Send
from e2e.mailbox import Mailbox

KINDS = ["in the text", "attached in base64", "text that is base64", "zipped", "zipped twice"]


@pytest.mark.parametrize("kind", KINDS)
def test_test_virus_is_refused(send_in: Send, stranger: str, employee: str, kind: str) -> None:
    answer = send_in(samples.infected(kind, stranger, employee))
    assert (answer.code, answer.text[:5]) == REFUSED


@pytest.mark.parametrize("kind", KINDS)
def test_test_virus_is_in_backup(send_in: Send, appliance: Appliance, stranger: str, employee: str, kind: str) -> None:
    sample = samples.infected(kind, stranger, employee)
    send_in(sample)
    entry = appliance.backup_of(sample.marker)
    assert (entry["sender"], entry["recipients"]) == (stranger, [employee])


def test_refused_mail_does_not_arrive(send_in: Send, inside: Mailbox, stranger: str, employee: str) -> None:
    refused, after = samples.infected("zipped", stranger, employee), samples.greeting(stranger, employee)
    send_in(refused)
    send_in(after)
    inside.receive(after.marker)
    assert inside.find(refused.marker) is None


def test_refused_mail_is_an_event(send_in: Send, appliance: Appliance, stranger: str, employee: str) -> None:
    sample = samples.infected("zipped", stranger, employee)
    send_in(sample)
    assert appliance.event_about(sample.marker)["action"] == Action.REJECT.value


def test_released_mail_arrives(
    send_in: Send, appliance: Appliance, inside: Mailbox, stranger: str, employee: str
) -> None:
    sample = samples.infected("attached in base64", stranger, employee)
    send_in(sample)
    appliance.run("ksmg", "backup", "release", appliance.backup_of(sample.marker)["id"])
    assert inside.receive(sample.marker).content.endswith(sample.content)


def test_outbound_test_virus_is_refused(send_out: Send, stranger: str, employee: str) -> None:
    assert send_out(samples.infected("zipped", employee, stranger)).code == 550
