"""Where Debian's packages come from, and which state of the archive that is.

No address is written here: the default is what the build machine's own apt uses.
"""

from __future__ import annotations

import concurrent.futures
import email.utils
import hashlib
import os
import re
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


@dataclass(frozen=True)
class Published:
    """What Debian has published: a digest for each suite's InRelease file, and when the latest was written.

    ``time`` (seconds since 1970) is the time stamp of everything that a build makes: no package is younger, so no file
    of a package has to be dated back, and compiled Python modules stay valid.
    """

    digests: dict[str, str]
    time: int


def state(mirror: Mirror, suite: str) -> Published:
    """The state of the archive: changes exactly when Debian publishes something. Raises Problem."""
    suites = mirror.suites(suite)
    with concurrent.futures.ThreadPoolExecutor() as pool:
        files = list(pool.map(lambda pair: _in_release(*pair), suites))
    named = zip(suites, files, strict=True)
    digests = {f"Debian suite {name}": hashlib.sha256(file).hexdigest() for (_, name), file in named}
    return Published(digests, max(written(file) for file in files))


def written(in_release: bytes) -> int:
    """When an InRelease file was written, from its Date field; seconds since 1970. Raises Problem."""
    match = re.search(rb"^Date: (.+)$", in_release, re.MULTILINE)
    if not match:
        raise Problem(
            "The Debian mirror answers with something that is no InRelease file.", "Check the mirror's address."
        )
    return int(email.utils.parsedate_to_datetime(match.group(1).decode()).timestamp())


def _in_release(address: str, suite: str) -> bytes:
    url = f"{address}/dists/{suite}/InRelease"
    try:
        with urllib.request.urlopen(url, timeout=TIMEOUT) as answer:
            return bytes(answer.read())
    except (OSError, ValueError) as error:
        reason = getattr(error, "reason", error)
        raise Problem(
            f"The Debian mirror {address} does not answer for {suite}: {reason}.",
            f"Check the network or proxy, or set {ARCHIVE_VARIABLE} and {SECURITY_VARIABLE} to other mirrors.",
        ) from None
