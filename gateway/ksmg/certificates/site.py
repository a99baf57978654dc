"""The site's certificates on disk: which there are, whether they can stay, and making those that cannot."""

import enum
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import serialization

from ksmg.certificates.authority import (
    AUTHORITY_DAYS,
    NODE,
    SERVER,
    SIGNER,
    KeyPair,
    is_site_authority,
    issue,
    new_authority,
)
from ksmg.certificates.files import Ownership, restore_ownership, write_file

RENEW_BEFORE = timedelta(days=30)
AUTHORITY = "ca"
SIGNING = "signing"
LEAVES = {"web": SERVER, "smtp": SERVER, "cluster": NODE, SIGNING: SIGNER}
"""The certificates and what each may be used for."""
DAYS = {SIGNING: AUTHORITY_DAYS}
"""What was signed must be checkable for as long as the authority is; other certificates end sooner."""
SECRET = Ownership("root", "root", 0o600)
"""Of the authority's and the signing key: nobody but root signs."""


class State(enum.Enum):
    """What can be said of a certificate on disk."""

    MISSING = "missing"
    """Certificate or key is not there."""
    BROKEN = "broken"
    """It cannot be read, or the key is another one's."""
    OURS = "ours"
    """Valid, issued by the site's authority."""
    DUE = "due"
    """Issued by the site's authority or an earlier one, and ends soon, ended, or is of another name or authority."""
    GIVEN = "given"
    """Issued by somebody else: the operator gave it. It is never touched."""


@dataclass(frozen=True)
class Held:
    """A certificate on disk."""

    name: str
    path: Path
    state: State
    expires: datetime | None = None
    issuer: str = ""
    subject: str = ""


class SiteCertificates:
    """The certificates in one directory, for a host of one name."""

    def __init__(self, directory: Path, ownership: Ownership, hostname: str) -> None:
        self._directory = directory
        self._ownership = ownership
        self._hostname = hostname

    def held(self) -> list[Held]:
        """The authority's certificate, then the others."""
        return [self._look(name) for name in (AUTHORITY, *LEAVES)]

    def ensure(self) -> list[str]:
        """Makes what is missing or due; returns the names of what was made. Raises OSError or KeyError.

        A broken file is not replaced when the operator may have given it: better a service that says so than a lost
        key.
        """
        made = []
        authority, authority_is_new = self._ensure_authority()
        if authority_is_new:
            made.append(AUTHORITY)
        for name, usages in LEAVES.items():
            state = self._look(name).state
            if state in (State.MISSING, State.DUE):
                self._write(name, issue(authority, [self._hostname], usages, DAYS.get(name)), self._of_key(name))
                made.append(name)
            else:
                self._restore(name, self._of_key(name))
        return made

    def _ensure_authority(self) -> tuple[KeyPair, bool]:
        certificate, key = self._files(AUTHORITY)
        if self._look(AUTHORITY).state is State.OURS:
            self._restore(AUTHORITY, SECRET)
            return KeyPair.from_pem(certificate.read_bytes(), key.read_bytes()), False
        authority = new_authority(self._hostname)
        self._write(AUTHORITY, authority, SECRET)
        return authority, True

    def _of_key(self, name: str) -> Ownership:
        return SECRET if name == SIGNING else self._ownership

    def _files(self, name: str) -> tuple[Path, Path]:
        return self._directory / f"{name}.crt", self._directory / f"{name}.key"

    def _write(self, name: str, pair: KeyPair, key_ownership: Ownership) -> None:
        """The key first: a certificate without its key would be taken for a broken one."""
        certificate, key = self._files(name)
        certificate.unlink(missing_ok=True)
        write_file(key, pair.key_pem, key_ownership)
        write_file(certificate, pair.certificate_pem, self._ownership)

    def _restore(self, name: str, key_ownership: Ownership) -> None:
        certificate, key = self._files(name)
        if certificate.exists() and key.exists():
            restore_ownership(certificate, self._ownership)
            restore_ownership(key, key_ownership)

    def _look(self, name: str) -> Held:
        path, key_path = self._files(name)
        if not path.exists() or not key_path.exists():
            return Held(name, path, State.MISSING)
        try:
            certificate = x509.load_pem_x509_certificate(path.read_bytes())
            state = self._state(name, certificate) if _fits(key_path, certificate) else State.BROKEN
        except (ValueError, TypeError):
            return Held(name, path, State.BROKEN)
        return Held(
            name,
            path,
            state,
            expires=certificate.not_valid_after_utc,
            issuer=certificate.issuer.rfc4514_string(),
            subject=certificate.subject.rfc4514_string(),
        )

    def _state(self, name: str, certificate: x509.Certificate) -> State:
        if not self._issued_here(certificate):
            return State.DUE if is_site_authority(certificate.issuer) else State.GIVEN
        ends_soon = certificate.not_valid_after_utc - datetime.now(UTC) < RENEW_BEFORE
        wrong_name = name != AUTHORITY and self._hostname not in _names(certificate)
        return State.DUE if ends_soon or wrong_name else State.OURS

    def _issued_here(self, certificate: x509.Certificate) -> bool:
        authority = self._files(AUTHORITY)[0]
        try:
            certificate.verify_directly_issued_by(x509.load_pem_x509_certificate(authority.read_bytes()))
        except (OSError, ValueError, TypeError, InvalidSignature):
            return False
        return True


def _names(certificate: x509.Certificate) -> list[str]:
    try:
        names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return []
    return [*names.get_values_for_type(x509.DNSName), *map(str, names.get_values_for_type(x509.IPAddress))]


def _fits(key_file: Path, certificate: x509.Certificate) -> bool:
    """Whether the key is the certificate's; a key that this account may not read is taken for it."""
    try:
        key = serialization.load_pem_private_key(key_file.read_bytes(), password=None)
    except PermissionError:
        return True
    form = (serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
    return key.public_key().public_bytes(*form) == certificate.public_key().public_bytes(*form)
