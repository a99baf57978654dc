"""Password hashes: scrypt (RFC 7914), in the widespread form `$scrypt$ln=15,r=8,p=1$SALT$HASH`."""

import base64
import hashlib
import hmac
import os
import re

_FORM = re.compile(r"\$scrypt\$ln=(\d{1,2}),r=(\d{1,2}),p=(\d{1,2})\$([A-Za-z0-9+/]+)\$([A-Za-z0-9+/]+)")
_LN, _R, _P = 15, 8, 1
_MEMORY = 134_217_728
_HIGHEST_LN = 17
"""More would cost more memory than a log-in may."""
SHORTEST = 12
"""Characters that a password must have at least."""


def hash_password(password: str) -> str:
    """A new hash with a random salt. Raises ValueError for a password that is too short."""
    if len(password) < SHORTEST:
        raise ValueError(f"The password must have at least {SHORTEST} characters.")
    salt = os.urandom(16)
    return f"$scrypt$ln={_LN},r={_R},p={_P}${_encoded(salt)}${_encoded(_derive(password, salt, _LN, _R, _P))}"


def verify_password(password: str, hashed: str) -> bool:
    """Whether the password is the one that was hashed. A malformed hash matches nothing."""
    match = _FORM.fullmatch(hashed)
    if match is None:
        return False
    ln, r, p = (int(number) for number in match.groups()[:3])
    if ln > _HIGHEST_LN:
        return False
    try:
        derived = _derive(password, _decoded(match[4]), ln, r, p)
    except (ValueError, MemoryError):
        return False
    return hmac.compare_digest(derived, _decoded(match[5]))


def _derive(password: str, salt: bytes, ln: int, r: int, p: int) -> bytes:
    return hashlib.scrypt(password.encode(), salt=salt, n=1 << ln, r=r, p=p, maxmem=_MEMORY, dklen=32)


def _encoded(value: bytes) -> str:
    return base64.b64encode(value).decode().rstrip("=")


def _decoded(value: str) -> bytes:
    return base64.b64decode(value + "=" * (-len(value) % 4))
