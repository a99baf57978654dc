"""`ksmg backup`: the messages that were copied before an action."""

from ksmg.cli.stored_messages import Shelf, add_store_verbs
from ksmg.cli.verb import Verbs
from ksmg.stores.locations import open_backup
from ksmg.stores.system_events import Name

SHELF = Shelf(
    verb="backup",
    title="Backup",
    open=lambda here: open_backup(here.policy),
    id_field="backup_id",
    viewed=Name.BACKUP_VIEWED,
    taken=Name.BACKUP_DOWNLOADED,
    released=Name.BACKUP_RELEASED,
    deleted=Name.BACKUP_DELETED,
)


def add_parser(verbs: Verbs) -> None:
    """Adds the verb with its verbs."""
    add_store_verbs(SHELF, "Find, show, deliver and delete messages in Backup.", verbs)
