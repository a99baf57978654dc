"""Signatures: made with the appliance's key, believed only with its authority, and checked by OpenSSL alone."""

import os
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, cast

import pytest
from ksmg.certificates.authority import new_authority
from ksmg.certificates.files import Ownership
from ksmg.certificates.site import SiteCertificates
from ksmg.statement.signature import SignatureError, sign, verify

if TYPE_CHECKING:
    from ksmg.cli.appliance import Appliance

HOST = "gw.example.org"
DOCUMENT = "Données conservées\r\nBackup: 7 GB\n".encode()


class Here:
    """All that signing needs to know of the appliance."""

    def __init__(self, directory: Path) -> None:
        self.certificates = self
        self.place = directory


@pytest.fixture
def directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(Ownership, "ids", lambda _: (os.getuid(), os.getgid()))
    SiteCertificates(tmp_path, Ownership("root", "kluser", 0o640), HOST).ensure()
    return tmp_path


def signed(directory: Path, document: bytes = DOCUMENT) -> bytes:
    return sign(document, cast("Appliance", Here(directory)))


def authority(directory: Path) -> bytes:
    return (directory / "ca.crt").read_bytes()


def test_a_signed_document_is_believed(directory: Path) -> None:
    assert verify(DOCUMENT, signed(directory), authority(directory)).name == HOST


@pytest.mark.parametrize("document", [b"", b"\n", bytes(range(256)) * 5000])
def test_any_document_can_be_signed(directory: Path, document: bytes) -> None:
    assert verify(document, signed(directory, document), authority(directory)).name == HOST


@pytest.mark.parametrize("altered", [DOCUMENT.replace(b"7", b"8"), DOCUMENT + b"\n", DOCUMENT[:-1], b"",
                                     DOCUMENT.replace(b"\r\n", b"\n")])  # fmt: skip
def test_an_altered_document_is_refused(directory: Path, altered: bytes) -> None:
    with pytest.raises(SignatureError, match="was altered"):
        verify(altered, signed(directory), authority(directory))


def test_an_altered_signature_is_refused(directory: Path) -> None:
    lines = signed(directory).splitlines(keepends=True)
    lines[-2] = lines[-2].swapcase()
    with pytest.raises(SignatureError):
        verify(DOCUMENT, b"".join(lines), authority(directory))


@pytest.mark.parametrize("nonsense", [b"", b"nonsense", b"-----BEGIN CMS-----\nAAAA\n-----END CMS-----\n"])
def test_what_is_no_signature_is_refused(directory: Path, nonsense: bytes) -> None:
    with pytest.raises(SignatureError, match="no signature"):
        verify(DOCUMENT, nonsense, authority(directory))


def test_a_signature_of_another_site_is_refused(directory: Path) -> None:
    other = new_authority("elsewhere.example.org").certificate_pem
    with pytest.raises(SignatureError, match="not by an appliance that this authority"):
        verify(DOCUMENT, signed(directory), other)


@pytest.mark.parametrize("nothing", [b"", b" \n", b"nonsense"])
def test_without_an_authority_nothing_is_believed(directory: Path, nothing: bytes) -> None:
    with pytest.raises(SignatureError):
        verify(DOCUMENT, signed(directory), nothing)


@pytest.mark.parametrize("leaf", ["web", "cluster"])
def test_a_key_that_is_not_for_signing_signs_nothing(directory: Path, leaf: str) -> None:
    for kind in ("crt", "key"):
        (directory / f"signing.{kind}").write_bytes((directory / f"{leaf}.{kind}").read_bytes())
    with pytest.raises(SignatureError, match="not by an appliance that this authority"):
        verify(DOCUMENT, signed(directory), authority(directory))


def test_a_renamed_appliance_s_old_signatures_stay_valid(directory: Path) -> None:
    before = signed(directory)
    SiteCertificates(directory, Ownership("root", "kluser", 0o640), "new.example.org").ensure()
    assert verify(DOCUMENT, before, authority(directory)).name == HOST


def test_a_missing_key_is_a_sentence(directory: Path) -> None:
    (directory / "signing.key").unlink()
    with pytest.raises(SignatureError, match="ksmg certificates ensure"):
        signed(directory)


@pytest.mark.parametrize(("other", "fault"), [("web.crt", "is broken"), ("web.key", "is another certificate's")])
def test_a_wrong_key_is_a_sentence(directory: Path, other: str, fault: str) -> None:
    (directory / "signing.key").write_bytes((directory / other).read_bytes())
    with pytest.raises(SignatureError, match=fault):
        signed(directory)


def test_openssl_alone_can_check_it(directory: Path) -> None:
    (directory / "page").write_bytes(DOCUMENT)
    (directory / "page.p7s").write_bytes(signed(directory))
    command = ["openssl", "cms", "-verify", "-binary", "-inform", "PEM", "-in", "page.p7s", "-content", "page",
               "-CAfile", "ca.crt", "-out", "/dev/null"]  # fmt: skip
    done = subprocess.run(command, cwd=directory, capture_output=True, check=False)
    assert (done.returncode, b"Verification successful" in done.stderr) == (0, True)
