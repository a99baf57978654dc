"""Handing mail to Postfix: copies for some recipients, messages released from a store, notifications.

The filter and the command have no way into the queue. They pass an open file to `ksmg-submit.service` (`client`), which
speaks SMTP to a door of Postfix that only it can reach (`smtp`), and answers when Postfix has the message in its queue.
Its `ledger` sees to it that nobody gets a copy twice when a sender comes back after a crash.
"""

from ksmg.submission.client import submit, submit_now
from ksmg.submission.protocol import SOCKET, SubmissionFailure

__all__ = ["SOCKET", "SubmissionFailure", "submit", "submit_now"]
