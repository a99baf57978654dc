"""The forms of the statement, each made from the same facts."""

import enum
from collections.abc import Callable

from ksmg.statement.document import document
from ksmg.statement.facts import Statement
from ksmg.statement.html import html
from ksmg.statement.language import Language
from ksmg.statement.markdown import markdown
from ksmg.statement.page import page
from ksmg.statement.pdf import pdf


class Form(enum.Enum):
    """A form; the value is the ending of its files."""

    HTML = "html"
    """One page for a browser."""
    PDF = "pdf"
    """For paper."""
    MARKDOWN = "md"
    """Text with marks, readable as it is."""
    JSON = "json"
    """For machines."""


def rendered(statement: Statement, form: Form, language: Language) -> bytes:
    """The statement in a form and a language; the same facts are the same bytes."""
    return _MADE_BY[form](statement, language)


_MADE_BY: dict[Form, Callable[[Statement, Language], bytes]] = {
    Form.HTML: lambda statement, language: html(page(statement, language)),
    Form.PDF: lambda statement, language: pdf(page(statement, language)),
    Form.MARKDOWN: lambda statement, language: markdown(page(statement, language)),
    Form.JSON: document,
}
