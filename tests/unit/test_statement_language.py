"""The statement in two languages: every text has its translation, and numbers, sizes and dates are written as there."""

import ast
import re
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

import ksmg.statement
import pytest
from ksmg.statement import remarks, wording
from ksmg.statement.forms import Form, rendered
from ksmg.statement.language import _MONTHS, Language, catalogue
from unit.statement_sample import POLICY, sample

SOURCE = Path(ksmg.statement.__file__).parent
ASKED = {"say", "count"}
EN, FR = Language("en"), Language("fr")


def said_in_the_source() -> Iterator[str]:
    """Every text that a module of the statement asks a language for."""
    for module in SOURCE.glob("*.py"):
        for node in ast.walk(ast.parse(module.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call):
                name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
                constants = (given.value for given in node.args if isinstance(given, ast.Constant))
                yield from (text for text in constants if name in ASKED and isinstance(text, str))


def policy_texts() -> Iterator[str]:
    for account in POLICY.accounts.values():
        yield account.purpose
    for row in POLICY.rows:
        yield from (row.title, *row.holds, *row.permission_excludes)
    for outgoing in POLICY.outgoing:
        yield from outgoing.sends


def table_texts() -> Iterator[str]:
    for name, table in vars(wording).items():
        if isinstance(table, dict) and name.isupper():
            yield from table.values()
    for name, text in vars(remarks).items():
        if name.isupper():
            yield from [text] if isinstance(text, str) else text
    yield from _MONTHS


def places(text: str) -> list[str]:
    """What a translation has to keep: placeholders and commands."""
    return sorted(re.findall(r"\{\w+\}|`[^`]+`", text))


ALL_TEXTS = {*said_in_the_source(), *policy_texts(), *table_texts()}


def test_every_text_has_a_translation() -> None:
    assert [text for text in sorted(ALL_TEXTS) if not catalogue("fr").get(text)] == []


def test_no_translation_is_of_a_text_that_nobody_says() -> None:
    assert set(catalogue("fr")) - ALL_TEXTS == set()


@pytest.mark.parametrize("form", Form)
def test_no_form_asks_for_a_text_without_translation(form: Form) -> None:
    french = Language("fr")
    for statement in (sample(), sample(proof=None, disk=0.3, chosen={"message_events.days": 1}, dumps_on=True)):
        rendered(statement, form, french)
    assert french.missing == []


def test_a_translation_has_the_same_places() -> None:
    wrong = [english for english, french in catalogue("fr").items() if places(english) != places(french)]
    assert wrong == []


def test_french_marks_have_their_unbroken_space() -> None:
    loose = re.compile(r"(?<!\u00a0):(?=\s|$)|(?<!\u202f)[;!?](?=\s|$)|'")
    assert [text for text in catalogue("fr").values() if loose.search(re.sub(r"`[^`]*`", "", text))] == []


@pytest.mark.parametrize(
    ("number", "english", "french"),
    [(0, "0 B", "0\u00a0o"), (7_000_000_000, "7 GB", "7\u00a0Go"), (37_840, "37.8 kB", "37,8\u00a0ko"),
     (999_960, "1 MB", "1\u00a0Mo"), (150_000_000, "150 MB", "150\u00a0Mo")],
)  # fmt: skip
def test_sizes(number: int, english: str, french: str) -> None:
    assert (EN.size(number), FR.size(number)) == (english, french)


@pytest.mark.parametrize(
    ("number", "english", "french"),
    [(0, "0 records", "0 enregistrement"), (1, "1 record", "1 enregistrement"),
     (100_000, "100,000 records", "100\u202f000 enregistrements")],
)  # fmt: skip
def test_counts(number: int, english: str, french: str) -> None:
    assert (EN.count(number, "record", "records"), FR.count(number, "record", "records")) == (english, french)


def test_dates() -> None:
    assert EN.moment(datetime(2026, 11, 24, 7, 5)) == "24 November 2026, 07:05"
    assert FR.moment(datetime(2026, 8, 1, 7, 5)) == "1er août 2026 à 07:05"


def test_a_text_without_translation_is_english_and_noted() -> None:
    language = Language("fr")
    assert language.say("No such text") == "No such text"
    assert language.missing == ["No such text"]
