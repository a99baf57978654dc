"""The certificates that the appliance makes: as RFC 5280 wants them, and valid for the appliance's name."""

import pytest
from testinfra.host import Host

from host.expectation import POLICY

TLS = next(str(at.place) for at in POLICY.row("mta_settings").locations if at.place.name == "tls")
PURPOSES = {"web": "sslserver", "smtp": "sslserver", "cluster": "sslserver", "signing": "smimesign"}
LEAVES = list(PURPOSES)


@pytest.mark.parametrize("leaf", LEAVES)
def test_certificate_passes_a_strict_check(host: Host, leaf: str) -> None:
    check = host.run(f"openssl verify -x509_strict -purpose {PURPOSES[leaf]} -CAfile {TLS}/ca.crt {TLS}/{leaf}.crt")
    assert (check.rc, check.stdout.strip()) == (0, f"{TLS}/{leaf}.crt: OK")


def test_the_mail_servers_certificate_has_the_webs_form(host: Host) -> None:
    shown = "-noout -issuer -subject -ext basicConstraints,keyUsage,extendedKeyUsage,subjectAltName"
    web, smtp = (host.check_output(f"openssl x509 -in {TLS}/{leaf}.crt {shown}") for leaf in ("web", "smtp"))
    assert smtp == web


@pytest.mark.parametrize("leaf", LEAVES)
def test_certificate_is_for_this_host(host: Host, leaf: str) -> None:
    name = host.check_output("hostname --fqdn").strip()
    assert "does match" in host.check_output(f"openssl x509 -in {TLS}/{leaf}.crt -noout -checkhost {name}")


@pytest.mark.parametrize("leaf", [*LEAVES, "ca"])
def test_certificate_does_not_end_within_a_month(host: Host, leaf: str) -> None:
    host.check_output(f"openssl x509 -in {TLS}/{leaf}.crt -noout -checkend {30 * 86400}")


@pytest.mark.parametrize("leaf", LEAVES)
def test_key_belongs_to_its_certificate(host: Host, leaf: str) -> None:
    of_key = host.check_output(f"openssl pkey -in {TLS}/{leaf}.key -pubout")
    assert host.check_output(f"openssl x509 -in {TLS}/{leaf}.crt -noout -pubkey") == of_key


@pytest.mark.parametrize("key", ["ca", "signing"])
def test_only_root_signs(host: Host, key: str) -> None:
    file = host.file(f"{TLS}/{key}.key")
    assert (file.user, file.group, file.mode) == ("root", "root", 0o600)


def test_cluster_certificate_is_for_both_sides(host: Host) -> None:
    check = host.run(f"openssl verify -x509_strict -purpose sslclient -CAfile {TLS}/ca.crt {TLS}/cluster.crt")
    assert check.rc == 0
