"""The site's certificates and DKIM keys: strict, idempotent, and never over what the operator gave."""

import os
import ssl
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization
from ksmg.certificates import authority as making
from ksmg.certificates.authority import NODE, SERVER, issue, new_authority
from ksmg.certificates.dkim import Signer, ensure_key, record
from ksmg.certificates.files import Ownership
from ksmg.certificates.site import SiteCertificates, State

HOST = "gw.example.org"
OWNERSHIP = Ownership("root", "kluser", 0o640)
ALL = ["ca", "web", "smtp", "cluster", "signing"]


@pytest.fixture(autouse=True)
def own_files(monkeypatch: pytest.MonkeyPatch) -> None:
    """The appliance's accounts do not exist here: files belong to whoever runs the test."""
    monkeypatch.setattr(Ownership, "ids", lambda _: (os.getuid(), os.getgid()))


@pytest.fixture
def site(tmp_path: Path) -> SiteCertificates:
    return SiteCertificates(tmp_path, OWNERSHIP, HOST)


def states(site: SiteCertificates) -> dict[str, State]:
    return {held.name: held.state for held in site.held()}


def contents(directory: Path) -> dict[str, bytes]:
    return {file.name: file.read_bytes() for file in directory.iterdir()}


def shaken_hands(server_pem: Path, server_key: Path, authority: Path, hostname: str) -> None:
    """A TLS handshake in memory; the client verifies by X509_STRICT."""
    server_context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server_context.load_cert_chain(server_pem, server_key)
    client_context = ssl.create_default_context(cafile=str(authority))
    client_context.verify_flags |= ssl.VERIFY_X509_STRICT
    to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    client = client_context.wrap_bio(to_client, to_server, server_hostname=hostname)
    server = server_context.wrap_bio(to_server, to_client, server_side=True)
    pending = [client, server]
    while pending:
        for side in list(pending):
            try:
                side.do_handshake()
                pending.remove(side)
            except ssl.SSLWantReadError:
                continue


def test_the_first_run_makes_everything_and_the_next_nothing(site: SiteCertificates, tmp_path: Path) -> None:
    assert site.ensure() == ALL
    before = contents(tmp_path)
    assert site.ensure() == []
    assert contents(tmp_path) == before
    assert set(states(site).values()) == {State.OURS}


@pytest.mark.parametrize("name", ["web", "smtp", "cluster"])
def test_certificates_pass_strict_verification(site: SiteCertificates, tmp_path: Path, name: str) -> None:
    site.ensure()
    shaken_hands(tmp_path / f"{name}.crt", tmp_path / f"{name}.key", tmp_path / "ca.crt", HOST)


def test_a_certificate_is_not_for_another_name(site: SiteCertificates, tmp_path: Path) -> None:
    site.ensure()
    with pytest.raises(ssl.SSLCertVerificationError):
        shaken_hands(tmp_path / "web.crt", tmp_path / "web.key", tmp_path / "ca.crt", "other.example.org")


def test_keys_have_their_modes_and_get_them_back(site: SiteCertificates, tmp_path: Path) -> None:
    site.ensure()
    (tmp_path / "web.key").chmod(0o644)
    site.ensure()
    modes = {file.name: file.stat().st_mode & 0o777 for file in tmp_path.iterdir()}
    assert (modes["ca.key"], modes["web.key"], modes["ca.crt"]) == (0o600, 0o640, 0o640)


def test_the_signing_key_is_roots_alone_and_its_certificate_everybodys(site: SiteCertificates, tmp_path: Path) -> None:
    site.ensure()
    (tmp_path / "signing.key").chmod(0o640)
    site.ensure()
    assert (tmp_path / "signing.key").stat().st_mode & 0o777 == 0o600
    assert (tmp_path / "signing.crt").stat().st_mode & 0o777 == 0o640


def test_what_was_signed_can_be_checked_for_ten_years(site: SiteCertificates) -> None:
    site.ensure()
    ends = {held.name: held.expires or datetime.now(UTC) for held in site.held()}
    assert ends["signing"] - datetime.now(UTC) > timedelta(days=3640)


def test_what_the_operator_gave_is_left_alone(
    site: SiteCertificates, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(making, "_AUTHORITY_NAME", "Somebody's CA of ")
    given = issue(new_authority("elsewhere"), ["other.name"], SERVER)
    monkeypatch.undo()
    monkeypatch.setattr(Ownership, "ids", lambda _: (os.getuid(), os.getgid()))
    (tmp_path / "web.crt").write_bytes(given.certificate_pem)
    (tmp_path / "web.key").write_bytes(given.key_pem)
    before = contents(tmp_path)
    assert "web" not in site.ensure()
    assert states(site)["web"] is State.GIVEN
    assert {name: contents(tmp_path)[name] for name in before} == before


def test_a_renamed_host_gets_new_certificates_of_the_same_authority(site: SiteCertificates, tmp_path: Path) -> None:
    site.ensure()
    authority = (tmp_path / "ca.crt").read_bytes()
    assert SiteCertificates(tmp_path, OWNERSHIP, "new.example.org").ensure() == ALL[1:]
    assert (tmp_path / "ca.crt").read_bytes() == authority


def test_a_certificate_that_ends_soon_is_made_again(
    site: SiteCertificates, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(making, "LEAF_DAYS", 20)
    site.ensure()
    monkeypatch.undo()
    monkeypatch.setattr(Ownership, "ids", lambda _: (os.getuid(), os.getgid()))
    assert states(site)["web"] is State.DUE
    assert site.ensure() == ["web", "smtp", "cluster"]


def test_a_lost_authority_is_replaced_with_all_it_issued(site: SiteCertificates, tmp_path: Path) -> None:
    site.ensure()
    (tmp_path / "ca.key").unlink()
    assert site.ensure() == ALL
    shaken_hands(tmp_path / "web.crt", tmp_path / "web.key", tmp_path / "ca.crt", HOST)


def test_a_broken_certificate_is_reported_and_not_replaced(site: SiteCertificates, tmp_path: Path) -> None:
    site.ensure()
    (tmp_path / "web.crt").write_bytes(b"nonsense")
    assert site.ensure() == []
    assert states(site)["web"] is State.BROKEN


def test_a_key_of_another_certificate_is_broken(site: SiteCertificates, tmp_path: Path) -> None:
    site.ensure()
    (tmp_path / "web.key").write_bytes((tmp_path / "smtp.key").read_bytes())
    assert states(site)["web"] is State.BROKEN


def test_lifetimes() -> None:
    authority = new_authority(HOST)
    leaf = issue(authority, [HOST, "192.0.2.1"], NODE)
    now = datetime.now(UTC)
    assert timedelta(days=395) < leaf.certificate.not_valid_after_utc - now < timedelta(days=397)
    assert authority.certificate.not_valid_after_utc - now > timedelta(days=3640)


def test_a_dkim_key_is_made_once_and_published(tmp_path: Path) -> None:
    signer = Signer("example.org", "s1")
    assert ensure_key(signer, tmp_path, OWNERSHIP)
    assert not ensure_key(signer, tmp_path, OWNERSHIP)
    file = tmp_path / "example.org.s1.key"
    assert file.stat().st_mode & 0o777 == 0o640
    key = serialization.load_pem_private_key(file.read_bytes(), None)
    text = record(signer, tmp_path)
    assert text.startswith('s1._domainkey.example.org. IN TXT ( "v=DKIM1; k=rsa; p=')
    assert all(len(string) <= 255 for string in text.split('"')[1::2])
    assert getattr(key, "key_size", 0) == 2048
