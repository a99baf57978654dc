"""DKIM keys (RFC 6376): one RSA key per domain and selector, and the DNS record that publishes it."""

import base64
from dataclasses import dataclass
from pathlib import Path

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from ksmg.certificates.files import Ownership, restore_ownership, write_file

KEY_BITS = 2048
"""RFC 8301 wants at least 1024 and recommends 2048; more does not fit one UDP answer."""
_LONGEST_STRING = 255


@dataclass(frozen=True)
class Signer:
    """A domain whose mail is signed, and the selector under which its key is published."""

    domain: str
    selector: str

    def file(self, directory: Path) -> Path:
        """The private key's file."""
        return directory / f"{self.domain}.{self.selector}.key"

    @property
    def record_name(self) -> str:
        """The name of the DNS record."""
        return f"{self.selector}._domainkey.{self.domain}"


def ensure_key(signer: Signer, directory: Path, ownership: Ownership) -> bool:
    """Makes the key unless there is one; whether it was made. Raises OSError or KeyError."""
    file = signer.file(directory)
    if file.exists():
        restore_ownership(file, ownership)
        return False
    key = rsa.generate_private_key(public_exponent=65537, key_size=KEY_BITS)
    form = (serialization.Encoding.PEM, serialization.PrivateFormat.TraditionalOpenSSL, serialization.NoEncryption())
    write_file(file, key.private_bytes(*form), ownership)
    return True


def record(signer: Signer, directory: Path) -> str:
    """The TXT record in the form of a zone file. Raises OSError without a key, ValueError for a malformed one."""
    key = serialization.load_pem_private_key(signer.file(directory).read_bytes(), password=None)
    public = key.public_key().public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
    value = f"v=DKIM1; k=rsa; p={base64.b64encode(public).decode()}"
    strings = [value[start : start + _LONGEST_STRING] for start in range(0, len(value), _LONGEST_STRING)]
    return f"{signer.record_name}. IN TXT ( " + " ".join(f'"{string}"' for string in strings) + " )"
