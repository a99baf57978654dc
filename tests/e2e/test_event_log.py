"""The lines that message events leave in the log files."""

from e2e import samples
from e2e.appliance import Appliance
from e2e.conftest import Send
from e2e.waiting import until


def test_clean_mail_is_a_line_in_the_message_log(
    send_in: Send, appliance: Appliance, stranger: str, employee: str
) -> None:
    sample = samples.greeting(stranger, employee)
    send_in(sample)
    until(lambda: appliance.lines_with(sample.marker, appliance.log("ksmg-messages")), "line in ksmg-messages")


def test_clean_mail_is_not_important(send_in: Send, appliance: Appliance, stranger: str, employee: str) -> None:
    sample = samples.greeting(stranger, employee)
    send_in(sample)
    until(lambda: appliance.lines_with(sample.marker, appliance.log("ksmg-messages")), "line in ksmg-messages")
    assert appliance.lines_with(sample.marker, appliance.log("ksmg-important")) == []


def test_refused_mail_is_important(send_in: Send, appliance: Appliance, stranger: str, employee: str) -> None:
    sample = samples.infected("zipped", stranger, employee)
    send_in(sample)
    until(lambda: appliance.lines_with(sample.marker, appliance.log("ksmg-important")), "line in ksmg-important")


def test_mail_server_writes_its_own_log(send_in: Send, appliance: Appliance, stranger: str, employee: str) -> None:
    sample = samples.greeting(stranger, employee)
    send_in(sample)
    until(lambda: appliance.lines_with(sample.marker, appliance.log("maillog")), "line in maillog")
