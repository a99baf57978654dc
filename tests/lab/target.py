"""What a test has to know about an appliance in the lab: written by whoever starts it, read by tests/conftest.py."""

import json
from dataclasses import asdict, dataclass
from pathlib import Path

from lab.place import DOMAIN, OUTSIDE, PARTNER, Place

SSH_CONFIG = """\
Host {name} {address}
  HostName {address}
  User {user}
  IdentityFile {key}
  IdentitiesOnly yes
  StrictHostKeyChecking no
  UserKnownHostsFile /dev/null
  LogLevel ERROR
  ConnectTimeout 30
  ControlMaster auto
  ControlPath {control}/%C
  ControlPersist 60s
"""


@dataclass(frozen=True)
class Neighbour:
    """A mail server beside the appliance: its address, its network namespace, and where its sink stores messages."""

    address: str
    netns: str
    sink: str


@dataclass(frozen=True)
class Target:
    """An appliance under test. `booted_image`: a virtual machine, whose kernel is the appliance's own."""

    lab: str
    name: str
    address: str
    ssh_user: str
    ssh_key: str
    ssh_config: str
    dns: str
    dns_log: str
    domain: str
    partner: str
    inside: Neighbour
    outside: Neighbour
    booted_image: bool

    @classmethod
    def load(cls, file: Path) -> "Target":
        """Read the description that `save` wrote."""
        facts = json.loads(file.read_text())
        inside, outside = (Neighbour(**facts.pop(side)) for side in ("inside", "outside"))
        return cls(**facts, inside=inside, outside=outside)

    def save(self, file: Path) -> None:
        """Write the description."""
        file.write_text(json.dumps(asdict(self), indent=2) + "\n")


def file_of(place: Place, name: str) -> Path:
    """Where the description of a host or guest is: the value of KSMG_TARGET."""
    return place.host_dir(name) / "target.json"


def describe(place: Place, name: str, *, booted_image: bool, user: str = "root") -> Target:
    """Write the host's description and its SSH settings."""
    control = place.dir / "ssh"
    control.mkdir(parents=True, exist_ok=True, mode=0o700)
    config = place.host_dir(name) / "ssh_config"
    address = place.address(name)
    config.write_text(SSH_CONFIG.format(name=name, address=address, user=user, key=place.key, control=control))
    target = Target(
        lab=place.name, name=name, address=address, ssh_user=user, ssh_key=str(place.key), ssh_config=str(config),
        dns=place.router,
        dns_log=str(place.dir / "log" / "dns.log"), domain=DOMAIN, partner=PARTNER, booted_image=booted_image,
        inside=Neighbour(place.inside, place.neighbour("inside"), str(place.dir / "sink" / "inside")),
        outside=Neighbour(OUTSIDE, place.neighbour("outside"), str(place.dir / "sink" / "outside")),
    )  # fmt: skip
    target.save(file_of(place, name))
    return target
