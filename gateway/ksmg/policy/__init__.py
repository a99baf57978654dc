"""The data policy: which personal data is kept, where, for how long, and who can reach it."""

from ksmg.policy.loading import POLICY_FILE, PolicyError, load_policy, parse_policy
from ksmg.policy.model import Account, Container, DataPolicy, Location, Outgoing, Retention, Row, Unit

__all__ = [
    "POLICY_FILE",
    "Account",
    "Container",
    "DataPolicy",
    "Location",
    "Outgoing",
    "PolicyError",
    "Retention",
    "Row",
    "Unit",
    "load_policy",
    "parse_policy",
]
