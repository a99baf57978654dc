"""The keys that sign the kernel image and the boot loader for UEFI Secure Boot.

An operator gives their own by ``KSMG_SIGNING_KEY`` and ``KSMG_SIGNING_CERTIFICATE``; else the cache keeps a pair.
"""

from __future__ import annotations

import os
from pathlib import Path

from golden.console import Console
from golden.problem import Problem
from golden.sandbox import bind, in_tree

KEY_VARIABLE, CERTIFICATE_VARIABLE = "KSMG_SIGNING_KEY", "KSMG_SIGNING_CERTIFICATE"


def keys(cache: Path, tools: Path, console: Console) -> tuple[Path, Path]:
    """Paths of the private key and the certificate (PEM). Raises Problem where the operator's can't be read."""
    given = os.environ.get(KEY_VARIABLE), os.environ.get(CERTIFICATE_VARIABLE)
    if given[0] and given[1]:
        return _readable(Path(given[0])), _readable(Path(given[1]))
    if any(given):
        raise Problem(
            "Only one of the signing key and its certificate is set.",
            f"Set both {KEY_VARIABLE} and {CERTIFICATE_VARIABLE}.",
        )
    folder = cache / "signing"
    key, certificate = folder / "key.pem", folder / "certificate.pem"
    if not certificate.exists():
        folder.mkdir(mode=0o700, exist_ok=True)
        command = [
            "openssl",
            "req",
            "-new",
            "-x509",
            "-newkey",
            "rsa:3072",
            "-nodes",
            "-days",
            "3650",
            "-sha256",
            "-subj",
            "/CN=Secure Mail Gateway Appliance image/",
            "-keyout",
            "/srv/signing/key.pem",
            "-out",
            "/srv/signing/certificate.pem",
        ]
        console.run(in_tree(tools, [bind(folder, tools / "srv/signing")], command), f"Remove {folder} and run again.")
    return key, certificate


def _readable(path: Path) -> Path:
    if not os.access(path, os.R_OK) or not path.is_file():
        raise Problem(f"The signing key or certificate {path} can't be read.", "Correct the path or its permissions.")
    return path
