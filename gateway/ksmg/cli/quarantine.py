"""`ksmg quarantine`: the messages that are held until somebody decides."""

from ksmg.cli.stored_messages import Shelf, add_store_verbs
from ksmg.cli.verb import Verbs
from ksmg.stores.locations import open_spam_quarantine
from ksmg.stores.system_events import Name

SHELF = Shelf(
    verb="quarantine",
    title="the Anti-Spam quarantine",
    open=lambda here: open_spam_quarantine(here.policy, here.settings),
    id_field="quarantine_id",
    viewed=Name.QUARANTINE_VIEWED,
    taken=Name.QUARANTINE_DOWNLOADED,
    released=Name.QUARANTINE_RELEASED,
    deleted=Name.QUARANTINE_DELETED,
)


def add_parser(verbs: Verbs) -> None:
    """Adds the verb with its verbs."""
    add_store_verbs(SHELF, "Find, show, deliver and delete messages in the Anti-Spam quarantine.", verbs)
