"""The catalogue: a check is there because its file is."""

import sys
from collections.abc import Iterator
from pathlib import Path

import ksmg.checks
import pytest
from ksmg.checks import catalogue
from ksmg.checks.antispam import Antispam
from ksmg.checks.authentication import Authentication
from ksmg.checks.links import Links
from ksmg.checks.verdict import Check, Status
from ksmg.engines.failure import EngineFailure, Reason
from ksmg.engines.once import Once
from ksmg.mail.message import Message
from ksmg.rules.modules import installed, parse_modules
from ksmg.settings import Settings
from unit.checks_sample import NOWHERE, Sample, assessment

NAMES = ["antivirus", "antispam", "links", "content", "authentication"]
COLOUR = '''
"""Colour of the message."""
from ksmg.checks.verdict import Check, Status, Verdict, found


class Colour(Check):
    """Finds colours."""

    name = "colour"
    description = "finds colours"
    statuses = (Status.TYPE,)

    async def check(self, message, options):
        """Always red."""
        return found(self.name, Status.TYPE, "red")

    async def probe(self):
        """Works."""
        return "works"
'''


@pytest.fixture
def colour(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A check whose file was put beside the others."""
    (tmp_path / "colour.py").write_text(COLOUR)
    monkeypatch.setattr(ksmg.checks, "__path__", [*ksmg.checks.__path__, str(tmp_path)])
    yield
    sys.modules.pop("ksmg.checks.colour", None)
    if hasattr(ksmg.checks, "colour"):
        delattr(ksmg.checks, "colour")


def test_the_checks_are_these_in_this_order() -> None:
    assert list(catalogue.check_classes()) == NAMES


def test_every_check_can_be_made_and_parses_no_options() -> None:
    for check in catalogue.make_checks(Settings({}), NOWHERE, NOWHERE):
        hash(check.parse_options({}))


@pytest.mark.parametrize("check", catalogue.check_classes().values(), ids=lambda check: check.name)
def test_every_check_says_what_it_can_find(check: type[Check]) -> None:
    assert check.description
    assert set(check.statuses).isdisjoint({Status.CLEAN, Status.UNSCANNED})


@pytest.mark.parametrize("check", catalogue.check_classes().values(), ids=lambda check: check.name)
def test_every_check_names_an_unknown_option(check: type[Check]) -> None:
    with pytest.raises(ValueError, match=f"^wrong is not an option of {check.name}"):
        check.parse_options({"wrong": 1})


def test_no_status_belongs_to_two_checks() -> None:
    statuses = [status for check in catalogue.check_classes().values() for status in check.statuses]
    assert len(statuses) == len(set(statuses))


@pytest.mark.usefixtures("colour")
def test_a_file_beside_the_others_is_a_check() -> None:
    assert list(catalogue.check_classes()) == [*NAMES, "colour"]


@pytest.mark.usefixtures("colour")
async def test_such_a_check_is_asked_and_probed_like_the_others() -> None:
    made = catalogue.make_checks(Settings({}), NOWHERE, NOWHERE)[-1]
    assert (await made.check(Sample().message(), ())).detail == "red"
    assert await made.probe() == "works"


@pytest.mark.usefixtures("colour")
def test_rules_know_such_a_check() -> None:
    assert "colour" in parse_modules({"colour": {"on": {"type": "reject"}}}, installed())


async def test_the_engine_is_asked_once_for_all_checks_that_want_to_know() -> None:
    sample = Sample(assessment=assessment("R_SPF_FAIL"))
    engines, message = sample.engines(), sample.message()
    for check in (Antispam(engines), Authentication(engines), Links(engines)):
        await check.check(message, ())
    assert sample.asked == ["rspamd", "clamd"]


async def test_another_message_is_asked_about_anew() -> None:
    sample = Sample()
    engines = sample.engines()
    for _ in range(2):
        await Antispam(engines).check(sample.message(), ())
    assert sample.asked == ["rspamd"] * 2


async def test_a_failure_is_shared_too() -> None:
    calls: list[Message] = []

    async def fail(message: Message) -> None:
        calls.append(message)
        raise EngineFailure(Reason.ERROR, "broken")

    once, message = Once(fail), Sample().message()
    for _ in range(2):
        with pytest.raises(EngineFailure):
            await once(message)
    assert calls == [message]


async def test_answers_go_with_their_messages() -> None:
    async def answer(_: Message) -> int:
        return 1

    once, message = Once(answer), Sample().message()
    await once(message)
    del message
    assert len(once._answers) == 0


async def test_a_message_over_an_engines_limit_is_not_given_to_it() -> None:
    sample = Sample()
    engines, message = sample.engines(), sample.message()
    message.spooled.size = engines.settings.number("antispam.size_limit") + 1
    with pytest.raises(EngineFailure) as failure:
        await engines.assess(message)
    assert (failure.value.reason, sample.asked) == (Reason.LIMIT, [])
