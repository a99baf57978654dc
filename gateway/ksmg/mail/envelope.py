"""Who sends a message to whom: the SMTP client and the envelope."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from ksmg.mail.readable import readable


@dataclass(frozen=True)
class Client:
    """The SMTP client that hands a message over."""

    address: str | None = None
    hostname: bytes = b""
    helo: bytes = b""

    def greeted(self, helo: bytes) -> "Client":
        """The same client after HELO or EHLO."""
        return Client(self.address, self.hostname, helo)


@dataclass(frozen=True)
class Envelope:
    """The envelope of one message, as SMTP has it; addresses without angle brackets."""

    client: Client
    sender: bytes
    parameters: tuple[bytes, ...] = ()
    recipients: list[bytes] = field(default_factory=list)
    queue_id: str = ""
    account: str = ""

    def with_macros(self, macros: Mapping[str, bytes]) -> "Envelope":
        """The envelope with what only the mail server's macros tell: its queue id and the account that signed in."""
        return replace(
            self,
            queue_id=readable(macros.get("i", b"")),
            account=readable(macros.get("auth_authen", b"")),
        )

    @property
    def smtputf8(self) -> bool:
        """Whether an address has other characters than ASCII, so that mail servers on its way must know RFC 6531."""
        return not all(address.isascii() for address in (self.sender, *self.recipients))
