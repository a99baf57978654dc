"""Names, directories and addresses of one lab: all of them follow from its name."""

import os
import zlib
from dataclasses import dataclass
from pathlib import Path

DOMAIN = "example.test"
"""The organisation behind the appliance; its mail server is `mail.example.test`."""
PARTNER = "partner.test"
"""A foreign organisation; its mail server is the `outside` neighbour."""

OUTSIDE = "198.51.100.2"
OUTSIDE_ROUTER = "198.51.100.1"
FIRST_HOST = 11


@dataclass(frozen=True)
class Place:
    """Where a lab keeps its state.

    `cache` outlives labs (base roots, Debian packages, the SSH key); `run` is emptied by `down`.
    """

    name: str
    cache: Path
    run: Path

    @classmethod
    def from_environment(cls, name: str | None = None) -> "Place":
        """KSMG_CACHE, KSMG_LAB (directory for running labs) and KSMG_LAB_NAME, or their defaults."""
        env = os.environ
        return cls(
            name=name or env.get("KSMG_LAB_NAME", "lab"),
            cache=Path(env.get("KSMG_CACHE", "/var/cache/ksmg")),
            run=Path(env.get("KSMG_LAB", "/var/tmp/ksmg-lab")),
        )

    @property
    def number(self) -> int:
        """1 to 250: the lab's part of the addresses."""
        return 1 + zlib.crc32(self.name.encode()) % 250

    @property
    def dir(self) -> Path:
        """Everything that `down` removes."""
        return self.run / self.name

    @property
    def key(self) -> Path:
        """SSH key of the test administrator; it stays, because images are baked with it."""
        return self.cache / "lab" / "id_ed25519"

    @property
    def packages(self) -> Path:
        """Debian packages that were downloaded once; the image builder keeps its own here, too."""
        return self.cache / "packages"

    @property
    def netns(self) -> str:
        """The lab's own network namespace, with the bridge."""
        return f"ksmg-{self.name}"

    @property
    def uplink(self) -> str:
        """Interface on the control machine; at most 15 characters."""
        return f"ksmg{self.number}"

    @property
    def table(self) -> str:
        """nftables table on the control machine."""
        return f"ksmg_{self.number}"

    @property
    def net(self) -> str:
        """First three bytes of the internal network."""
        return f"10.77.{self.number}"

    @property
    def router(self) -> str:
        """The bridge: default route and DNS server of the hosts."""
        return f"{self.net}.1"

    @property
    def inside(self) -> str:
        """The internal mail server."""
        return f"{self.net}.5"

    @property
    def uplink_near(self) -> str:
        """The control machine's end of the uplink."""
        return f"10.76.{self.number}.1"

    @property
    def uplink_far(self) -> str:
        """The lab's end of the uplink."""
        return f"10.76.{self.number}.2"

    def neighbour(self, which: str) -> str:
        """Network namespace of the neighbour `inside` or `outside`."""
        return f"{self.netns}-{which}"

    def host_dir(self, host: str) -> Path:
        """State of one host or guest."""
        return self.dir / "hosts" / host

    def hosts(self) -> list[str]:
        """Hosts and guests that have state."""
        return sorted(p.name for p in (self.dir / "hosts").glob("*") if p.is_dir())

    def address(self, host: str) -> str:
        """The host's address; the first free one when it is new."""
        file = self.host_dir(host) / "address"
        if not file.exists():
            taken = {f.read_text() for f in (self.dir / "hosts").glob("*/address")}
            free = next(a for i in range(FIRST_HOST, 250) if (a := f"{self.net}.{i}") not in taken)
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(free)
        return file.read_text()
