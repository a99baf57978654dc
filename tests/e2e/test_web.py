"""The web interface without an administrator: a health answer for load balancers, and a locked page."""

import base64
import hashlib
import http.client
import json
import os
import socket
import ssl
import subprocess
from contextlib import closing
from dataclasses import dataclass
from email.message import Message
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from host.expectation import REPOSITORY
from lab.network import within
from lab.target import Target

PICTURES = Path(os.environ.get("KSMG_REPORTS") or REPOSITORY / "out")
CHROMIUM = (
    "chromium", "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync",
    "--disable-background-networking", "--disable-component-update", "--window-size=1024,640",
    "--virtual-time-budget=5000",
)  # fmt: skip
TIME_LIMIT = 120


@dataclass(frozen=True)
class Page:
    """What a client got."""

    status: int
    headers: Message
    content: bytes


def get(target: Target, authority: Path, path: str) -> Page:
    """The answer to a client that trusts the site's authority only."""
    context = ssl.create_default_context(cafile=str(authority))
    context.verify_flags |= ssl.VERIFY_X509_STRICT
    plain = socket.create_connection((target.address, 443), timeout=60)
    with closing(http.client.HTTPSConnection(target.name, 443, timeout=60)) as connection:
        connection.sock = context.wrap_socket(plain, server_hostname=target.name)
        connection.request("GET", path)
        answer = connection.getresponse()
        return Page(answer.status, answer.headers, answer.read())


def browse(target: Target, page: str, profile: Path, *options: str) -> str:
    """What Chromium in the internal network makes of a page."""
    pin = base64.b64encode(hashlib.sha256(public_key(target)).digest()).decode()
    command = [
        *CHROMIUM, f"--user-data-dir={profile}", f"--host-resolver-rules=MAP {target.name} {target.address}",
        f"--ignore-certificate-errors-spki-list={pin}", *options, f"https://{target.name}{page}",
    ]  # fmt: skip
    done = subprocess.run(
        within(target.inside.netns, *command), capture_output=True, text=True, timeout=TIME_LIMIT, check=True
    )
    return done.stdout


def public_key(target: Target) -> bytes:
    """The web certificate's public key: all that Chromium is told to trust."""
    pem = ssl.get_server_certificate((target.address, 443), timeout=60)
    key = x509.load_pem_x509_certificate(pem.encode()).public_key()
    return key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


def test_health_is_good(target: Target, site_authority: Path) -> None:
    answer = get(target, site_authority, "/health")
    assert (answer.status, json.loads(answer.content)["status"]) == (200, "ok")


def test_page_is_locked(target: Target, site_authority: Path) -> None:
    answer = get(target, site_authority, "/")
    assert b"locked" in answer.content.lower()


@pytest.mark.parametrize("header", ["Strict-Transport-Security", "Content-Security-Policy", "X-Content-Type-Options"])
def test_page_has_the_header(target: Target, site_authority: Path, header: str) -> None:
    assert get(target, site_authority, "/").headers[header]


def test_server_does_not_say_its_version(target: Target, site_authority: Path) -> None:
    assert "/" not in (get(target, site_authority, "/").headers["Server"] or "")


def test_browser_shows_the_locked_page(target: Target, tmp_path: Path) -> None:
    assert "locked" in browse(target, "/", tmp_path, "--dump-dom").lower()


def test_browser_paints_the_locked_page(target: Target, tmp_path: Path) -> None:
    PICTURES.mkdir(exist_ok=True)
    picture = PICTURES / "locked-page.png"
    picture.unlink(missing_ok=True)
    browse(target, "/", tmp_path, f"--screenshot={picture}")
    assert picture.read_bytes().startswith(b"\x89PNG")
