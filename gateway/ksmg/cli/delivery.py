"""Delivering a message out of a store."""

import shutil
import subprocess
from collections.abc import Sequence
from typing import BinaryIO

from ksmg.cli.failure import CommandFailure

SENDMAIL = "/usr/sbin/sendmail"
_SECONDS = 120
_HINT = "Is Postfix running? See 'ksmg status'."


def deliver(message: BinaryIO, sender: str, recipients: Sequence[str]) -> None:
    """Hands a message to Postfix: not filtered again (non_smtpd_milters), signed by OpenDKIM. Raises CommandFailure."""
    command = [SENDMAIL, "-i", "-f", sender, "--", *recipients]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stderr=subprocess.PIPE) as sending:
        try:
            if sending.stdin is not None:
                shutil.copyfileobj(message, sending.stdin)
        except BrokenPipeError:
            pass  # it ended early, and says why
        except BaseException:
            sending.kill()  # a part of a message must not pass for a whole one
            raise
        try:
            _, told = sending.communicate(timeout=_SECONDS)
        except subprocess.TimeoutExpired:
            sending.kill()
            raise CommandFailure("Postfix did not take the message in time.", _HINT) from None
    if sending.returncode:
        reason = told.decode("utf-8", "backslashreplace").strip() or f"exit code {sending.returncode}"
        raise CommandFailure(f"Postfix did not take the message: {reason}", _HINT)
