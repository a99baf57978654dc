"""Where Debian's packages come from, and which state of the archive that is.

No address is written here: the default is what the build machine's own apt uses.
"""

from __future__ import annotations

import concurrent.futures
import hashlib
import os
import subprocess
import urllib.error
import urllib.request
from dataclasses import dataclass

from golden.problem import Problem

ARCHIVE_VARIABLE = "KSMG_MIRROR"
SECURITY_VARIABLE = "KSMG_SECURITY_MIRROR"
TIMEOUT = 15  # seconds for one answer of a mirror


@dataclass(frozen=True)
class Mirror:
    """Base addresses of the Debian archive and of its security archive."""

    archive: str
    security: str

    def sources(self, suite: str) -> list[str]:
        """One-line apt sources of a suite with its updates and security updates."""
        return [f"deb {address} {name} main" for address, name in self.suites(suite)]

    def suites(self, suite: str) -> list[tuple[str, str]]:
        """(address, suite) of everything that belongs to a stable release."""
        return [(self.archive, suite), (self.archive, f"{suite}-updates"), (self.security, f"{suite}-security")]


def find() -> Mirror:
    """The mirrors of this machine: environment first, then what its apt has configured. Raises Problem."""
    archive, security = os.environ.get(ARCHIVE_VARIABLE, ""), os.environ.get(SECURITY_VARIABLE, "")
    if not (archive and security):
        found = _of_apt()
        archive = archive or found.get("Debian", "")
        security = security or found.get("Debian-Security", "")
    if not (archive and security):
        raise Problem(
            "No Debian mirror is known: this machine's apt lists none.",
            f"Set {ARCHIVE_VARIABLE} and {SECURITY_VARIABLE} to the addresses of the archive and the security archive.",
        )
    return Mirror(archive.rstrip("/"), security.rstrip("/"))


def _of_apt() -> dict[str, str]:
    """Label of a Release file -> address, from the lists that apt has fetched."""
    command = ["apt-get", "indextargets", "--format", "$(ORIGIN)\t$(LABEL)\t$(SITE)\t$(REPO_URI)"]
    try:
        out = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    except (OSError, subprocess.CalledProcessError):
        return {}
    rows = (line.split("\t") for line in out.splitlines())
    return {row[1]: row[3] for row in rows if len(row) == 4 and row[0] == "Debian"}


def state(mirror: Mirror, suite: str) -> dict[str, str]:
    """Digest of each suite's InRelease file: changes exactly when Debian publishes something. Raises Problem."""
    with concurrent.futures.ThreadPoolExecutor() as pool:
        suites = mirror.suites(suite)
        digests = pool.map(lambda pair: _in_release(*pair), suites)
        return {f"Debian suite {name}": digest for (_, name), digest in zip(suites, digests, strict=True)}


def _in_release(address: str, suite: str) -> str:
    url = f"{address}/dists/{suite}/InRelease"
    try:
        with urllib.request.urlopen(url, timeout=TIMEOUT) as answer:
            return hashlib.sha256(answer.read()).hexdigest()
    except (OSError, ValueError) as error:
        reason = getattr(error, "reason", error)
        raise Problem(
            f"The Debian mirror {address} does not answer for {suite}: {reason}.",
            f"Check the network or proxy, or set {ARCHIVE_VARIABLE} and {SECURITY_VARIABLE} to other mirrors.",
        ) from None
