"""Mail from the organisation to the internet: signed, and verified by somebody who only has the public DNS."""

from collections.abc import Callable, Iterator

import dkim
import dns.resolver
import pytest
from lab import dns as lab_dns
from lab.place import Place
from lab.target import Target

from e2e import samples
from e2e.appliance import Appliance
from e2e.conftest import Send
from e2e.mailbox import Mailbox


@pytest.fixture(scope="module")
def published_key(appliance: Appliance, target: Target) -> Iterator[str]:
    """The name of the key record that the lab's DNS serves, as the appliance says to publish it."""
    place = Place.from_environment(target.lab)
    name, value = appliance.dkim_record(target.domain)
    lab_dns.publish(place, [*lab_dns.know_host(place), lab_dns.txt(name, value)])
    yield name
    lab_dns.publish(place, lab_dns.know_host(place))


def look_up(target: Target) -> Callable[..., bytes]:
    """A resolver that asks the lab's DNS server."""
    resolver = dns.resolver.Resolver(configure=False)
    resolver.nameservers = [target.dns]

    def txt(name: bytes, timeout: int = 5) -> bytes:
        answer = resolver.resolve(name.decode(), "TXT", lifetime=timeout)
        return b"".join(answer[0].strings)

    return txt


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
