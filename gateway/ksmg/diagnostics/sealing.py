"""Encryption of an archive while it is written: CMS (RFC 5652, 5083), so that plain `openssl cms` opens it anywhere.

Content is encrypted with AES-256-GCM, under a key for a certificate: the recipient's, or one that is made for this
archive alone. Of that one the private key stands before the content, encrypted with a passphrase (PKCS #8, scrypt).
"""

import contextlib
import os
import subprocess
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import IO, BinaryIO

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

SHORTEST_PASSPHRASE = 12
"""Characters that a passphrase must have."""
_SCRYPT = ("-scrypt", "-scrypt_N", "16384", "-scrypt_r", "8", "-scrypt_p", "5")
"""RFC 7914: 16 MB, the most that OpenSSL takes when it reads such a key."""
_KEY_SECONDS = 30
_END_SECONDS = 60


class SealingFailure(Exception):
    """The archive cannot be encrypted. The text is a sentence for people."""


@dataclass(frozen=True)
class Seal:
    """For whom an archive is encrypted: a certificate, and the key that opens it when a passphrase does."""

    certificate: x509.Certificate
    private_key: bytes = b""
    """PEM, encrypted; empty when the recipient has it."""


def for_recipient(pem: bytes) -> Seal:
    """For the holder of a certificate with an RSA or EC key. Raises SealingFailure."""
    try:
        certificate = x509.load_pem_x509_certificate(pem)
        key = certificate.public_key()
    except ValueError as error:
        raise SealingFailure(f"The recipient's certificate cannot be read: {error}.") from None
    if not isinstance(key, rsa.RSAPublicKey | ec.EllipticCurvePublicKey):
        raise SealingFailure("The recipient's certificate must have an RSA or an EC key.")
    if certificate.not_valid_after_utc < datetime.now(UTC):
        raise SealingFailure("The recipient's certificate is not valid any more.")
    return Seal(certificate)


def for_passphrase(passphrase: str) -> Seal:
    """For whoever knows a passphrase. Raises SealingFailure."""
    if len(passphrase) < SHORTEST_PASSPHRASE:
        raise SealingFailure(f"The passphrase must have at least {SHORTEST_PASSPHRASE} characters.")
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "diagnostics")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=36_500))
        .sign(key, SHA256())
    )
    plain = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    return Seal(certificate, _with_passphrase(plain, passphrase))


def _with_passphrase(key: bytes, passphrase: str) -> bytes:
    """A private key as PKCS #8 under a passphrase, both passed through pipes."""
    reading, writing = os.pipe()
    try:
        os.write(writing, passphrase.encode() + b"\n")
        os.close(writing)
        done = subprocess.run(
            ["openssl", "pkcs8", "-topk8", *_SCRYPT, "-passout", f"fd:{reading}"],
            input=key, capture_output=True, pass_fds=[reading], timeout=_KEY_SECONDS, check=False,
        )  # fmt: skip
    finally:
        os.close(reading)
    if done.returncode != 0:
        raise SealingFailure("OpenSSL cannot encrypt the archive's key.")
    return done.stdout


@contextlib.contextmanager
def sealed(seal: Seal, target: BinaryIO) -> Iterator[IO[bytes]]:
    """What is written to the pipe that this yields gets into `target`, encrypted. Raises SealingFailure at the end."""
    target.write(seal.private_key)
    target.flush()
    with tempfile.TemporaryFile() as errors, tempfile.NamedTemporaryFile(suffix=".pem") as certificate:
        certificate.write(seal.certificate.public_bytes(Encoding.PEM))
        certificate.flush()
        options = ["-recip", certificate.name, "-keyopt", _key_option(seal)]
        with subprocess.Popen(
            ["openssl", "cms", "-encrypt", "-binary", "-stream", "-outform", "PEM", "-aes-256-gcm", *options],
            stdin=subprocess.PIPE, stdout=target, stderr=errors,
        ) as openssl:  # fmt: skip
            assert openssl.stdin is not None
            try:
                yield openssl.stdin
                openssl.stdin.close()
                code = openssl.wait(_END_SECONDS)
            except BrokenPipeError:  # it ended before the archive did, and says why
                code = openssl.wait(_END_SECONDS) or 1
            except BaseException:
                openssl.kill()
                raise
            finally:
                with contextlib.suppress(BrokenPipeError):
                    openssl.stdin.close()
        if code != 0:
            errors.seek(0)
            last = errors.read().decode("utf-8", "replace").strip().splitlines()[-1:]
            raise SealingFailure(f"OpenSSL cannot encrypt the archive: {''.join(last)}.")


def _key_option(seal: Seal) -> str:
    """RSA as OAEP (RFC 3560), EC with SHA-256 (RFC 5753): OpenSSL's defaults are older."""
    rsa_key = isinstance(seal.certificate.public_key(), rsa.RSAPublicKey)
    return "rsa_padding_mode:oaep" if rsa_key else "ecdh_kdf_md:sha256"
