"""Signatures of what the appliance says: detached CMS (RFC 5652) in PEM, made with a key that only root may read.

The signer's certificate is in the signature and was issued by the site's authority, so that whoever has the authority's
certificate can check it anywhere, without the appliance: `openssl cms -verify -binary -inform PEM -in FILE.p7s
-content FILE -CAfile ca.crt`.
"""

import contextlib
import os
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.serialization import pkcs7

from ksmg.certificates.authority import KeyPair
from ksmg.certificates.site import SIGNING

if TYPE_CHECKING:
    from ksmg.cli.appliance import Appliance

_TIMEOUT = 60
"""Seconds that openssl may take."""
_OPTIONS = (pkcs7.PKCS7Options.DetachedSignature, pkcs7.PKCS7Options.Binary, pkcs7.PKCS7Options.NoCapabilities)


class SignatureError(Exception):
    """Nothing could be signed, or a signature is not to be believed. The text is a sentence for people."""


@dataclass(frozen=True)
class Signer:
    """Who signed: the appliance's name, and its certificate."""

    name: str
    fingerprint: str
    """SHA-256 of the certificate, hexadecimal."""
    ends: datetime


def sign(document: bytes, here: "Appliance") -> bytes:
    """The signature of a document by this appliance. Raises SignatureError, and PermissionError for all but root."""
    pair = _signing_pair(Path(here.certificates.place))
    builder = pkcs7.PKCS7SignatureBuilder().set_data(document)
    builder = builder.add_signer(pair.certificate, pair.key, hashes.SHA256())
    return builder.sign(serialization.Encoding.PEM, _OPTIONS)


def verify(document: bytes, signature: bytes, authority: bytes) -> Signer:
    """Checks a document's signature against the authority's certificate (PEM), offline.

    Raises SignatureError when the document was altered, when the signature is none, and when its certificate was not
    issued by the authority, or not for signing.
    """
    if not authority.strip():
        raise SignatureError("The file of the authority's certificate is empty.")
    signer = _openssl(document, signature, ("-CAfile", authority))
    if signer is not None:
        return signer
    if not _is_signature(signature):
        raise SignatureError("This is no signature that can be read: it is not CMS in PEM.")
    if _openssl(document, signature, ("-noverify", b"")) is None:
        raise SignatureError("The document is not the one that was signed: it, or its signature, was altered.")
    raise SignatureError("The signature is not by an appliance that this authority's certificate speaks for.")


def _signing_pair(directory: Path) -> KeyPair:
    certificate, key = (directory / f"{SIGNING}.{kind}" for kind in ("crt", "key"))
    cure = "run `ksmg certificates ensure`"
    try:
        pair = KeyPair.from_pem(certificate.read_bytes(), key.read_bytes())
    except FileNotFoundError:
        raise SignatureError(f"There is no signing key yet: {cure}.") from None
    except (ValueError, TypeError):
        raise SignatureError(f"The signing key {key} is broken: remove it and {cure}.") from None
    if pair.key.public_key() != pair.certificate.public_key():
        raise SignatureError(f"The signing key {key} is another certificate's: remove it and {cure}.")
    return pair


def _openssl(document: bytes, signature: bytes, trust: tuple[str, bytes]) -> Signer | None:
    """Who signed, by OpenSSL's judgement; None when it refuses. Nothing of the document touches the disk."""
    option, authority = trust
    files = tuple(map(_in_memory, (document, signature, authority, b"")))
    with contextlib.ExitStack() as opened:
        content, given, roots, signer = map(opened.enter_context, files)
        arguments = ["-verify", "-binary", "-inform", "PEM", "-in", _path(given), "-content", _path(content)]
        arguments += ["-no-CApath", "-no-CAstore", "-signer", _path(signer), "-out", os.devnull, option]
        arguments += [_path(roots)] if authority else []
        return _signer(signer.read()) if _run(arguments, files) else None


def _is_signature(signature: bytes) -> bool:
    with _in_memory(signature) as given:
        return _run(["-cmsout", "-inform", "PEM", "-in", _path(given), "-out", os.devnull], (given,))


def _run(arguments: Sequence[str], files: Sequence[BinaryIO]) -> bool:
    """Whether `openssl cms` agrees. Raises SignatureError when it is not there or takes too long."""
    handed = [file.fileno() for file in files]
    try:
        done = subprocess.run(
            ["openssl", "cms", *arguments], capture_output=True, check=False, timeout=_TIMEOUT, pass_fds=handed
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise SignatureError(f"OpenSSL could not check the signature: {error}") from None
    return done.returncode == 0


def _in_memory(content: bytes) -> BinaryIO:
    """A file that another program can open, and that is on no disk."""
    file = os.fdopen(os.memfd_create("ksmg-signature"), "w+b")
    file.write(content)
    file.seek(0)
    return file


def _path(file: BinaryIO) -> str:
    return f"/dev/fd/{file.fileno()}"


def _signer(certificate: bytes) -> Signer:
    found = x509.load_pem_x509_certificate(certificate)
    names = found.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    name = ", ".join(names.get_values_for_type(x509.DNSName)) or found.subject.rfc4514_string()
    return Signer(name, found.fingerprint(hashes.SHA256()).hex(), found.not_valid_after_utc)
