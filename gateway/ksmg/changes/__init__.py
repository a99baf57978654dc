"""What is changed in a message that is delivered: header fields, its subject, removed attachments, inserted texts.

`plan` makes the changes of a decision, `packets` tells the mail server of them, `write_copy` makes a whole message.
Parts that are not changed stay as they were, byte for byte. Signed and encrypted parts are never changed inside.
"""

from ksmg.changes.edits import Changes, HeaderEdit, Kind, UnchangeableMessage
from ksmg.changes.planning import changes_body, needed, plan
from ksmg.changes.rendering import packets, write_copy

__all__ = [
    "Changes",
    "HeaderEdit",
    "Kind",
    "UnchangeableMessage",
    "changes_body",
    "needed",
    "packets",
    "plan",
    "write_copy",
]
