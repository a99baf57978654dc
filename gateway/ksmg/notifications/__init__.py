"""Telling the administrator, the sender or the recipients what was done with a message.

Nobody outside can be made to get one: a sender is told only about a message that came from inside, and only in our own
domains. Notifications have no envelope sender, say that they are automatic, and are never about automatic mail.
"""

from ksmg.notifications.addressees import addressees
from ksmg.notifications.limits import Limits
from ksmg.notifications.notice import Notice, compose
from ksmg.notifications.notifier import Notifier
from ksmg.notifications.template import DEFAULTS, PLACEHOLDERS, Template

__all__ = ["DEFAULTS", "PLACEHOLDERS", "Limits", "Notice", "Notifier", "Template", "addressees", "compose"]
