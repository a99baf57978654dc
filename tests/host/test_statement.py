"""The data-protection statement of a running host: every form, true amounts, and a signature that OpenSSL believes."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
from ksmg.policy import Location
from testinfra.host import Host

from host.expectation import POLICY

pytestmark = pytest.mark.slow

FORMS = {"html": "<!DOCTYPE html>", "pdf": "%PDF-1.7", "md": "# ", "json": "{"}
LANGUAGES = ("en", "fr")
PAGES = [f"{language}.{form}" for form in FORMS for language in LANGUAGES]
TLS = next(str(at.place) for at in POLICY.row("mta_settings").locations if at.place.name == "tls")
STILL = [at for row in ("rules", "settings", "mta_settings", "ssh_keys") for at in POLICY.row(row).locations]
"""Places where nothing changes while nobody works on the host."""
LOGS = [at for _, at in POLICY.locations() if at.type == "log"]


@pytest.fixture(scope="module")
def pages(host: Host) -> Iterator[str]:
    """A directory with the statement in every form and language, signed."""
    directory = host.check_output("mktemp --directory")
    for page in PAGES:
        host.run(f"ksmg statement --language {page[:2]} --sign --output {directory}/{page}")
    yield directory
    host.check_output(f"rm -r {directory}")


@pytest.fixture(scope="module")
def document(host: Host, pages: str) -> Any:
    return json.loads(host.check_output(f"cat {pages}/en.json"))


@pytest.mark.parametrize("page", PAGES)
def test_page_is_made(host: Host, pages: str, page: str) -> None:
    begin = FORMS[page[3:]]
    assert host.check_output(f"head -c {len(begin)} {pages}/{page}").startswith(begin.strip())


@pytest.mark.parametrize("page", PAGES)
def test_page_and_signature_are_roots_alone(host: Host, pages: str, page: str) -> None:
    assert host.check_output(f"stat -c '%U %a' {pages}/{page} {pages}/{page}.p7s") == "root 600\nroot 600"


@pytest.mark.parametrize("page", PAGES)
def test_signature_is_believed(host: Host, pages: str, page: str) -> None:
    assert host.run(f"ksmg statement verify {pages}/{page}").rc == 0


@pytest.mark.parametrize("page", PAGES)
def test_openssl_believes_it_too(host: Host, pages: str, page: str) -> None:
    done = host.run(
        f"openssl cms -verify -binary -inform PEM -in {pages}/{page}.p7s -content {pages}/{page} "
        f"-CAfile {TLS}/ca.crt -out /dev/null"
    )
    assert (done.rc, "Verification successful" in done.stderr) == (0, True)


@pytest.mark.parametrize("page", PAGES)
def test_altered_page_is_refused(host: Host, pages: str, page: str) -> None:
    altered = f"{pages}/altered"
    host.check_output(f"cp {pages}/{page} {altered} && printf ' ' >> {altered}")
    done = host.run(f"ksmg statement verify {altered} --signature {pages}/{page}.p7s")
    assert (done.rc, "was altered" in done.stderr) == (1, True)


def test_every_row_is_in_it(document: Any) -> None:
    assert [row["id"] for row in document["rows"]] == [row.id for row in POLICY.rows]


def stated(document: Any, location: Location) -> int:
    """The bytes that a statement says of a place without streams."""
    (place,) = [at for row in document["rows"] for at in row["places"] if at["place"] == str(location.place)]
    return int(place["kept"][0]["bytes"])


def on_disk(host: Host, pattern: str) -> int:
    """The bytes of the files there; one with several names counts once."""
    found = host.check_output(f"find {pattern} -type f -printf '%D:%i %s\\n' 2>/dev/null; true").splitlines()
    return sum(int(line.split()[1]) for line in set(found))


@pytest.mark.parametrize("location", STILL, ids=lambda at: str(at.place))
def test_amount_is_true(host: Host, document: Any, location: Location) -> None:
    assert stated(document, location) == on_disk(host, str(location.place))


@pytest.mark.parametrize("location", LOGS, ids=lambda at: str(at.place))
def test_amount_of_a_log_is_true(host: Host, location: Location) -> None:
    before = on_disk(host, f"{location.place}*")
    said = stated(json.loads(host.check_output("ksmg statement --json")), location)
    assert before <= said <= on_disk(host, f"{location.place}*")


def test_it_names_the_host_and_its_system(host: Host, document: Any) -> None:
    assert document["appliance"]["hostname"] == host.check_output("hostname --fqdn").strip()
    assert document["appliance"]["system"] == host.check_output('. /etc/os-release; echo "$PRETTY_NAME"').strip()


def test_printing_is_a_system_event_with_the_pages_digest(host: Host, pages: str) -> None:
    digest = host.check_output(f"sha256sum {pages}/{PAGES[-1]}").split()[0]
    events = host.check_output("ksmg events --system --json --limit 50")
    assert digest in events


def test_no_store_has_a_file_of_roots(host: Host, pages: str) -> None:
    store = POLICY.row("system_events").location()
    assert host.check_output(f"find {store.place} -type f ! -user {store.owner}") == ""


def test_last_proof_of_access_is_in_it(host: Host) -> None:
    if host.run("ksmg audit access").rc not in (0, 6):
        pytest.fail("access could not be proven")
    said = json.loads(host.check_output("ksmg statement --json"))
    assert said["access_proven"]["accounts"] > 0
    assert all(row["differences"] is not None for row in said["rows"])


def test_only_root_prints_it(host: Host) -> None:
    done = host.run(f"runuser -u {POLICY.row('backup').location().owner} -- ksmg statement")
    assert (done.rc, done.stdout) == (4, "")
