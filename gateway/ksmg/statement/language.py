"""The languages of the statement: texts, numbers, sizes and dates as each writes them.

A text is written in English where it is used; `LANGUAGE.json` beside this file has what it is in another language. The
policy's own words are texts as well. A test fails when one of either has no translation.
"""

import json
from collections.abc import Iterable
from datetime import datetime
from functools import cache
from importlib.resources import files
from typing import Any

LANGUAGES = ("en", "fr")
_MONTHS = (
    "January", "February", "March", "April", "May", "June",
    "July", "August", "September", "October", "November", "December",
)  # fmt: skip
_BYTES = {"en": ("B", "kB", "MB", "GB", "TB"), "fr": ("o", "ko", "Mo", "Go", "To")}
_DECIMAL = {"en": ".", "fr": ","}
_THOUSANDS = {"en": ",", "fr": "\u202f"}
"""French: a narrow space that no line breaks at."""
_BEFORE_UNIT = {"en": " ", "fr": "\u00a0"}


class Language:
    """One language. Every text that was asked for and has no translation is English, and in `missing`."""

    def __init__(self, code: str) -> None:
        self.code = code
        self.missing: list[str] = []

    def say(self, text: str, **values: object) -> str:
        """A text, its {placeholders} filled in."""
        return self._translated(text).format(**values) if values else self._translated(text)

    def say_all(self, texts: Iterable[str], between: str = ", ") -> str:
        """Several texts, one after the other."""
        return between.join(map(self.say, texts))

    def count(self, number: int, one: str, several: str) -> str:
        """A number of things, such as `3 records`."""
        singular = number == 1 or (self.code == "fr" and number == 0)
        return f"{self.number(number)} {self.say(one if singular else several)}"

    def number(self, number: int) -> str:
        """A whole number, its thousands apart."""
        return f"{number:,}".replace(",", _THOUSANDS[self.code])

    def decimal(self, number: float) -> str:
        """A number with one decimal, unless that is 0."""
        return f"{number:.1f}".removesuffix(".0").replace(".", _DECIMAL[self.code])

    def size(self, number: int) -> str:
        """Bytes in decimal multiples, as the data policy counts them; one decimal, where there is something to say."""
        value, unit = float(number), 0
        while round(value, 1) >= 1000 and unit < len(_BYTES[self.code]) - 1:
            value, unit = value / 1000, unit + 1
        return f"{self.decimal(value)}{_BEFORE_UNIT[self.code]}{_BYTES[self.code][unit]}"

    def date(self, moment: datetime) -> str:
        """A day."""
        day = "1er" if self.code == "fr" and moment.day == 1 else str(moment.day)
        return f"{day} {self.say(_MONTHS[moment.month - 1])} {moment.year}"

    def moment(self, moment: datetime) -> str:
        """A day and the time of the day, to the minute."""
        return self.say("{date}, {time}", date=self.date(moment), time=f"{moment:%H:%M}")

    def _translated(self, text: str) -> str:
        if self.code == "en":
            return text
        found = catalogue(self.code).get(text)
        if found is None:
            self.missing.append(text)
        return text if found is None else found


@cache
def catalogue(code: str) -> dict[str, str]:
    """The translations into a language, by the English text."""
    document: dict[str, Any] = json.loads(files("ksmg.statement").joinpath(f"{code}.json").read_text(encoding="utf-8"))
    return {english: text for part in document.values() for english, text in part.items()}
