"""Encryption on the way in, with the certificates that the appliance made, checked as a strict client does."""

import smtplib
import socket
import ssl
from collections.abc import Iterator
from pathlib import Path

import pytest
from lab.target import Target

from e2e import samples
from e2e.conftest import Send
from e2e.mailbox import Mailbox


@pytest.fixture
def strict(site_authority: Path) -> ssl.SSLContext:
    """A client that trusts the site's authority only, and insists on RFC 5280."""
    context = ssl.create_default_context(cafile=str(site_authority))
    context.verify_flags |= ssl.VERIFY_X509_STRICT
    return context


@pytest.fixture
def session(target: Target) -> Iterator[smtplib.SMTP]:
    with smtplib.SMTP(target.address, 25, local_hostname="mx.partner.test", timeout=60) as smtp:
        vars(smtp)["_host"] = target.name  # the name that STARTTLS checks
        yield smtp


def test_starttls_is_offered(session: smtplib.SMTP) -> None:
    session.ehlo()
    assert session.has_extn("starttls")


def test_certificate_of_starttls_is_valid_for_the_name(session: smtplib.SMTP, strict: ssl.SSLContext) -> None:
    session.starttls(context=strict)
    assert isinstance(session.sock, ssl.SSLSocket)
    assert session.sock.version() in ("TLSv1.2", "TLSv1.3")


def test_certificate_of_smtps_is_valid_for_the_name(target: Target, strict: ssl.SSLContext) -> None:
    with smtplib.SMTP_SSL(timeout=60, context=strict) as smtp:
        vars(smtp)["_host"] = target.name
        assert smtp.connect(target.address, 465)[0] == 220


@pytest.mark.parametrize("options", [("--tls",), ("--tlsc", "--port", "465")], ids=["STARTTLS", "SMTPS"])
def test_mail_arrives_over_tls(
    send_in: Send, inside: Mailbox, stranger: str, employee: str, options: tuple[str, ...]
) -> None:
    sample = samples.greeting(stranger, employee)
    assert send_in(sample, *options).code == 250
    assert b"TLSv1." in inside.receive(sample.marker).content


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_1])
def test_old_tls_is_refused(target: Target, version: ssl.TLSVersion) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    context.set_ciphers("ALL:@SECLEVEL=0")
    with pytest.warns(DeprecationWarning, match="deprecated"):
        context.minimum_version = context.maximum_version = version
    refused = pytest.raises((ssl.SSLError, ConnectionError))
    with socket.create_connection((target.address, 465), timeout=60) as plain, refused:
        context.wrap_socket(plain)
