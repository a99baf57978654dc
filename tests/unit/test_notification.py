"""Notifications: told to those who may hear, about mail of people only, and few enough."""

import asyncio
from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from ksmg.checks.verdict import Finding, Status
from ksmg.mail.envelope import Client, Envelope
from ksmg.mail.facts import Neighbourhood
from ksmg.mail.message import Message
from ksmg.mail.spool import SpooledMessage
from ksmg.mail.structure import Structure
from ksmg.notifications import DEFAULTS, PLACEHOLDERS, Limits, Notifier, Template, addressees, compose
from ksmg.notifications.limits import HOUR
from ksmg.rules.treatment import Action, Cause, Decision, Notified, Treatment
from ksmg.submission import SubmissionFailure
from unit.changes_samples import parsed, simple, spool

OURS = Neighbourhood(["10.0.0.0/8"], ["example.test"])
ADMIN, SENDER, RECIPIENT = Notified.ADMINISTRATOR, Notified.SENDER, Notified.RECIPIENT
ALL = Decision(
    "Rule",
    Action.REJECT,
    (Cause("antivirus", Finding(Status.INFECTED, "Eicar"), Treatment(Action.REJECT, notify=frozenset(Notified))),),
)
INSIDE, OUTSIDE = "10.1.1.1", "192.0.2.1"
MAIL = simple("", "Hello\r\n")


def received(spooled: SpooledMessage, client: str, sender: str, *recipients: str) -> Message:
    async def inspect(_: SpooledMessage) -> Structure:
        raise AssertionError

    to = [recipient.encode() for recipient in recipients or ("boris@example.test",)]
    envelope = Envelope(Client(client), sender.encode(), (), to)
    return Message(envelope, spooled, OURS.facts(envelope), inspect)


def told(tmp_path: Path, content: bytes, client: str, sender: str, *recipients: str) -> dict[Notified, tuple[str, ...]]:
    with spool(tmp_path, content) as spooled:
        message = received(spooled, client, sender, *recipients)
        numbers = range(len(message.facts.recipients))
        return dict(addressees(message, ALL, numbers, OURS, "admin@example.test"))


def test_a_sender_outside_is_never_told(tmp_path: Path) -> None:
    for sender in ("anna@partner.test", "forged@example.test", "sub@a.example.test"):
        assert SENDER not in told(tmp_path, MAIL, OUTSIDE, sender)


def test_a_sender_inside_is_told_only_at_an_address_of_ours(tmp_path: Path) -> None:
    assert told(tmp_path, MAIL, INSIDE, "eva@example.test")[SENDER] == ("eva@example.test",)
    assert SENDER not in told(tmp_path, MAIL, INSIDE, "eva@partner.test")


def test_recipients_outside_are_never_told(tmp_path: Path) -> None:
    found = told(tmp_path, MAIL, INSIDE, "eva@example.test", "anna@partner.test", "Boris@EXAMPLE.test")
    assert found[RECIPIENT] == ("Boris@EXAMPLE.test",)


@pytest.mark.parametrize(
    "field",
    [
        "Auto-Submitted: auto-replied",
        "Auto-Submitted: auto-generated; x=y",
        "Precedence: bulk",
        "Precedence: LIST",
        "List-Id: <a.partner.test>",
        "List-Unsubscribe: <mailto:a@b>",
        "X-Loop: a",
    ],
)
def test_about_automatic_mail_only_the_administrator_hears(tmp_path: Path, field: str) -> None:
    assert told(tmp_path, simple(f"{field}\n", ""), INSIDE, "eva@example.test").keys() == {ADMIN}


@pytest.mark.parametrize("sender", ["", "MAILER-DAEMON@example.test", "owner-a@example.test", "a-bounces@example.test"])
def test_about_bounces_only_the_administrator_hears(tmp_path: Path, sender: str) -> None:
    assert told(tmp_path, MAIL, INSIDE, sender).keys() == {ADMIN}


def test_a_field_that_says_that_a_person_wrote_changes_nothing(tmp_path: Path) -> None:
    content = simple("Auto-Submitted: no\nPrecedence: first-class\n", "")
    assert told(tmp_path, content, INSIDE, "eva@example.test").keys() == {ADMIN, SENDER, RECIPIENT}


def test_about_a_notification_nobody_is_told(tmp_path: Path) -> None:
    notice = compose("boris@example.test", "Subject", "Text", "gw1.example.test")
    assert told(tmp_path, notice.content, INSIDE, "eva@example.test") == {}


def test_a_decision_that_tells_nobody_tells_nobody(tmp_path: Path) -> None:
    with spool(tmp_path, MAIL) as spooled:
        message = received(spooled, INSIDE, "eva@example.test")
        assert addressees(message, Decision("Rule", Action.REJECT), [0], OURS, "admin@example.test") == {}


def test_without_a_postmaster_there_is_no_administrator(tmp_path: Path) -> None:
    with spool(tmp_path, MAIL) as spooled:
        assert addressees(received(spooled, OUTSIDE, "a@b.c"), ALL, [], OURS, None) == {}


@given(st.text(max_size=40), st.text(max_size=40))
def test_no_address_becomes_a_field_of_a_notification(
    tmp_path_factory: pytest.TempPathFactory, local: str, domain: str
) -> None:
    with spool(tmp_path_factory.mktemp("m"), MAIL) as spooled:
        message = received(spooled, INSIDE, "eva@example.test")
        found = addressees(message, ALL, [], OURS, f"{local}@{domain}")
    for address in found.get(ADMIN, ()):
        notice = parsed(compose(address, "s", "t", "gw1.example.test").content)
        assert len(notice.get_all("To", [])) == 1
        assert not notice.defects


def test_a_notification_is_automatic_and_has_no_way_back() -> None:
    message = parsed(compose("boris@example.test", "Grüße", "Zeile ü\n--\n", "gw1.example.test", now=0).content)
    assert (message["Auto-Submitted"], message["X-KSMG-Notification"]) == ("auto-generated", "gw1.example.test")
    assert (message["To"], message["Subject"]) == ("boris@example.test", "Grüße")
    assert message["Date"] == "Thu, 01 Jan 1970 00:00:00 +0000"
    assert message.get_content().replace("\r\n", "\n") == "Zeile ü\n--\n"


@given(st.dictionaries(st.sampled_from(sorted(PLACEHOLDERS)), st.text(max_size=200)))
def test_no_value_becomes_a_field_or_a_part(values: dict[str, str]) -> None:
    subject, text = DEFAULTS[ADMIN].render(values)
    message = parsed(compose("boris@example.test", subject, text, "gw1.example.test").content)
    assert [name for name in message if name in ("Bcc", "Cc", "To")] == ["To"]
    assert (message.get_content_type(), message.defects) == ("text/plain", [])
    assert message.get_content().startswith("The mail gateway")


@pytest.mark.parametrize("text", ["$unknown", "100 $", "${sender", "x" * 20_001])
def test_a_text_with_a_wrong_placeholder_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"has|is longer"):
        Template("s", text)


def test_a_text_may_have_any_placeholder_and_a_dollar_sign() -> None:
    template = Template("$subject", "$$5 " + " ".join(f"${{{name}}}" for name in PLACEHOLDERS))
    assert template.render({"subject": "a\r\nBcc: b"})[0] == "a Bcc: b"
    assert template.render({})[1].startswith("$5 ")


def test_an_address_hears_so_often_in_an_hour_and_no_more() -> None:
    now = [0.0]
    limits = Limits(per_address=2, per_hour=3, clock=lambda: now[0])
    assert [limits.take("a@b.c"), limits.take("A@B.C"), limits.take("a@b.c")] == [True, True, False]
    assert [limits.take("d@e.f"), limits.take("g@h.i")] == [True, False]
    assert limits.suppressed == 2
    now[0] = HOUR
    assert limits.take("a@b.c")


def test_what_limits_remember_is_bounded() -> None:
    limits = Limits(per_hour=5)
    for number in range(1000):
        limits.take(f"a{number}@b.c")
    assert (len(limits._sent), len(limits._of)) == (5, 5)


class Post:
    """Takes notifications instead of Postfix."""

    def __init__(self, failure: Exception | None = None) -> None:
        self.failure = failure
        self.taken: list[tuple[str, Sequence[str], bytes]] = []
        self.failures: list[str] = []

    async def submit(self, file: Path, sender: str, recipients: Sequence[str]) -> str:
        if self.failure:
            raise self.failure
        self.taken.append((sender, recipients, await asyncio.to_thread(file.read_bytes)))
        return "4XyZ1"


async def sent(tmp_path: Path, post: Post) -> None:
    notifier = Notifier(
        "gw1.example.test", "admin@example.test", OURS, tmp_path, post.submit, post.failures.append, Limits()
    )
    with spool(tmp_path, MAIL) as spooled:
        message = received(spooled, INSIDE, "eva@example.test", "boris@example.test", "ida@example.test")
        notices = notifier.notices(message, ALL, [0, 1], "01a2-b3")
    notifier.send(notices)
    await notifier.finish()
    assert not await asyncio.to_thread(lambda: list(tmp_path.iterdir()))


async def test_each_is_told_on_its_own_and_nothing_comes_back(tmp_path: Path) -> None:
    post = Post()
    await sent(tmp_path, post)
    assert sorted(recipient for _, (recipient,), _ in post.taken) == [
        "admin@example.test",
        "boris@example.test",
        "eva@example.test",
        "ida@example.test",
    ]
    assert {sender for sender, _, _ in post.taken} == {""}


async def test_a_recipient_does_not_see_the_others(tmp_path: Path) -> None:
    post = Post()
    await sent(tmp_path, post)
    contents = {recipient: content for _, (recipient,), content in post.taken}
    assert b"ida@" not in contents["boris@example.test"]
    assert b"antivirus: infected: Eicar" in contents["boris@example.test"]
    assert b"ksmg explain 01a2-b3" in contents["admin@example.test"]


@pytest.mark.parametrize(
    "failure", [SubmissionFailure("Postfix is down"), OSError("disk full"), RuntimeError("defect")]
)
async def test_a_failure_is_told_and_stops_nothing(tmp_path: Path, failure: Exception) -> None:
    post = Post(failure)
    await sent(tmp_path, post)
    assert len(post.failures) == 4
