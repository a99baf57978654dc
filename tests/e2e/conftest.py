"""The target's neighbours, and the DNS records that only a running appliance can tell."""

from collections.abc import Callable, Iterator
from pathlib import Path

import dns.resolver
import pytest
from host.expectation import POLICY
from lab import dns as lab_dns
from lab.place import Place
from lab.target import Target

from e2e import samples
from e2e.appliance import Appliance
from e2e.mailbox import Mailbox
from e2e.samples import Sample
from e2e.smtp import Answer, send
from e2e.weather import REPORT, Weather

Send = Callable[..., Answer]


@pytest.fixture(scope="session")
def appliance(target: Target) -> Appliance:
    """The appliance, when all of it works."""
    found = Appliance(target)
    found.await_engines()
    return found


@pytest.fixture(scope="session", autouse=True)
def ready(appliance: Appliance) -> Appliance:
    """Every test waits for the appliance to work."""
    return appliance


@pytest.fixture(scope="session")
def inside(target: Target) -> Mailbox:
    """The organisation's own mail server."""
    return Mailbox(Path(target.inside.sink))


@pytest.fixture(scope="session")
def outside(target: Target) -> Mailbox:
    """A foreign organisation's mail server."""
    return Mailbox(Path(target.outside.sink))


@pytest.fixture(scope="session")
def stranger(target: Target) -> str:
    """Somebody on the internet."""
    return f"anna@{target.partner}"


@pytest.fixture(scope="session")
def employee(target: Target) -> str:
    """Somebody of the organisation."""
    return f"boris@{target.domain}"


@pytest.fixture(scope="session")
def send_in(target: Target, stranger: str, employee: str) -> Send:
    """Mail from the internet to an employee."""

    def deliver(sample: Sample, *options: str) -> Answer:
        return send(target, target.outside, stranger, employee, sample, *options)

    return deliver


@pytest.fixture(scope="session")
def send_out(target: Target, stranger: str, employee: str) -> Send:
    """Mail from the organisation's server to the internet."""

    def deliver(sample: Sample, *options: str) -> Answer:
        return send(target, target.inside, employee, stranger, sample, *options)

    return deliver


@pytest.fixture(scope="session")
def site_authority(appliance: Appliance, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The certificate of the site's authority, as a file for clients."""
    tls = next(str(at.place) for at in POLICY.row("mta_settings").locations if at.place.name == "tls")
    file = tmp_path_factory.mktemp("ca") / "ca.crt"
    file.write_text(appliance.run("cat", f"{tls}/ca.crt"))
    return file


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


@pytest.fixture
def weather(
    target: Target, appliance: Appliance, stranger: str, employee: str, tmp_path: Path, send_in: Send
) -> Iterator[Weather]:
    """The weather, and mail that flows again afterwards."""
    yield Weather(target, appliance, tmp_path / REPORT)
    appliance.await_engines()
    assert send_in(samples.greeting(stranger, employee)).accepted
