"""What the statement says, and that each of its forms says it."""

import dataclasses
import json
import re
import zlib
from html.parser import HTMLParser
from importlib.resources import files

import pytest
from jsonschema import Draft202012Validator
from ksmg.policy import Row
from ksmg.statement.blocks import Page, Table
from ksmg.statement.facts import Statement
from ksmg.statement.forms import Form, rendered
from ksmg.statement.language import LANGUAGES, Language
from ksmg.statement.page import CHECK_COMMAND
from ksmg.statement.pdf import pdf
from ksmg.statement.pdf_fonts import Font
from unit.statement_sample import POLICY, PROVEN, sample

PROMISED = {
    "message_events": ["3 days and 1 GB", "23 GB", "500 MB"],
    "system_events": ["100,000 records"],
    "traces": ["150 MB per stream", "400 MB per stream", "23 GB per stream"],
    "backup": ["7 GB, oldest first"],
    "spam_quarantine": ["1 GB, oldest first"],
    "kata_quarantine": ["1 GB, oldest first"],
    "temporary": ["until the application restarts"],
    "directory_cache": ["deleted when the integration is switched off"],
    "kata_requests": ["not stored"],
    "mta_settings": ["deleted when the setting is removed; what is replaced is overwritten"],
    "mta_log": ["no time limit; 23 GB, oldest first"],
    "mta_queue": ["until the message is delivered"],
    "auth_log": ["at most 5 weeks, rotated weekly"],
    "ssh_keys": ["deleted when the setting is removed"],
    "settings": ["no limit"],
    "rules": ["no limit"],
    "statistics": ["no limit"],
}
"""How long each row is kept, in the words of the published statement."""


def markdown(statement: Statement, language: str = "en") -> str:
    return rendered(statement, Form.MARKDOWN, Language(language)).decode()


def section(statement: Statement, row: Row) -> str:
    """What the page says about one row."""
    return markdown(statement).partition(f"\n### {row.title}\n")[2].partition("\n##")[0]


def pdf_text(content: bytes) -> str:
    """What a PDF file draws, line after line."""
    streams = re.findall(rb"FlateDecode >>\nstream\n(.*?)\nendstream", content, re.DOTALL)
    drawn = re.findall(rb"Td \((.*?)\) Tj", b"\n".join(map(zlib.decompress, streams)))
    return re.sub(r"\\([()\\])", r"\1", b" ".join(drawn).decode("cp1252")).replace("\u00a0", " ")


class Reader(HTMLParser):
    """Notes what a browser would stumble over."""

    VOID = frozenset({"meta", "br", "wbr", "col"})

    def __init__(self, page: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.ids: list[str] = []
        self.links: list[str] = []
        self.tags: set[str] = set()
        self.said = ""
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        self.tags.add(tag)
        self.ids += [given["id"] or ""] if "id" in given else []
        self.links += [given["href"] or ""] if "href" in given else []
        self.open += [] if tag in self.VOID else [tag]

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.said += data


def test_every_row_is_promised() -> None:
    assert set(PROMISED) == {row.id for row in POLICY.rows}


@pytest.mark.parametrize("row", POLICY.rows, ids=lambda row: row.id)
def test_a_row_says_how_long_it_is_kept(row: Row) -> None:
    said = section(sample(), row)
    assert [promise for promise in PROMISED[row.id] if promise not in said] == []


@pytest.mark.parametrize("row", POLICY.rows, ids=lambda row: row.id)
def test_a_row_names_its_places_with_owner_and_mode(row: Row) -> None:
    said = section(sample(), row).replace("\\", "")
    for at in row.locations:
        assert f"| {at.place}<br>owner {at.owner}, group {at.group}, mode {at.mode:04o} |" in said


@pytest.mark.parametrize("row", POLICY.rows, ids=lambda row: row.id)
def test_a_row_says_who_reaches_it(row: Row) -> None:
    said = section(sample(), row)
    assert f"**In process**: {', '.join(row.in_process)}" in said
    assert f"**In transit**: {', '.join(row.in_transit) or 'nobody'}" in said
    assert all(f"{who} ({', '.join(rights)})" in said for at in row.locations for who, rights in at.at_rest.items())


def test_private_keys_are_shown_to_nobody() -> None:
    assert "view mail server settings, but not private keys" in section(sample(), POLICY.row("mta_settings"))


def test_what_is_kept_now_is_said() -> None:
    assert "37.8 kB<br>1 record<br>since 23 November 2026, 12:07" in section(sample(), POLICY.row("backup"))


def test_a_cap_that_users_set_is_said_beside_the_policys() -> None:
    said = section(sample(chosen={"message_events.days": 30}), POLICY.row("message_events"))
    assert "by default 3 days and 1 GB, oldest first<br>set here: 30 days and 1 GB |" in said


def test_a_cap_that_the_disk_lowers_is_said_beside_the_policys() -> None:
    assert "7 GB, oldest first<br>on this disk: 3.5 GB |" in section(sample(disk=0.5), POLICY.row("backup"))


def test_access_that_was_never_proven_is_said() -> None:
    said = markdown(sample(proof=None))
    assert "**Access last proven**: never on this appliance; `ksmg audit access` does it" in said
    assert "as stated" not in said


def test_a_difference_is_said_at_its_row() -> None:
    found = dataclasses.replace(PROVEN, differences=2, rows={**PROVEN.rows, "backup": 2})
    assert "24 November 2026, 03:11: 2 differences" in section(sample(found), POLICY.row("backup"))
    assert "24 November 2026, 03:11: as stated" in section(sample(found), POLICY.row("settings"))


def test_a_row_that_the_proof_left_out_is_not_proven() -> None:
    part = dataclasses.replace(PROVEN, rows={"backup": 0})
    assert "**Access last proven**: not proven yet" in section(sample(part), POLICY.row("settings"))


def test_dumps_that_are_on_are_said_loudly() -> None:
    assert "DUMPS ARE ON" in markdown(sample(dumps_on=True))
    assert "Dumps are off." in markdown(sample())


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("form", Form)
def test_the_same_facts_are_the_same_file(form: Form, language: str) -> None:
    assert rendered(sample(), form, Language(language)) == rendered(sample(), form, Language(language))


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize(("proof", "disk"), [(PROVEN, 1.0), (None, 0.3)])
def test_json_keeps_its_schema(language: str, proof: None, disk: float) -> None:
    schema = json.loads(files("ksmg.statement").joinpath("schema.json").read_text(encoding="utf-8"))
    Draft202012Validator.check_schema(schema)
    document = json.loads(rendered(sample(proof, disk=disk), Form.JSON, Language(language)))
    assert list(Draft202012Validator(schema).iter_errors(document)) == []


def test_json_has_the_same_names_and_numbers_in_every_language() -> None:
    english, french = (json.loads(rendered(sample(), Form.JSON, Language(code))) for code in LANGUAGES)
    assert [row["id"] for row in english["rows"]] == [row["id"] for row in french["rows"]]
    assert [row["places"][0]["kept"] for row in english["rows"] if row["places"]] == [
        row["places"][0]["kept"] for row in french["rows"] if row["places"]
    ]


@pytest.mark.parametrize("language", LANGUAGES)
def test_html_is_well_formed_and_its_links_lead_somewhere(language: str) -> None:
    read = Reader(rendered(sample(), Form.HTML, Language(language)).decode())
    assert read.open == []
    assert len(set(read.ids)) == len(read.ids)
    assert [link for link in read.links if link.removeprefix("#") not in read.ids] == []


def test_html_loads_and_runs_nothing() -> None:
    page = rendered(sample(), Form.HTML, Language("en")).decode()
    assert Reader(page).tags.isdisjoint({"script", "img", "link", "iframe", "object", "form"})
    assert "url(" not in page


def test_html_says_its_language_and_heads_its_tables() -> None:
    page = rendered(sample(), Form.HTML, Language("fr")).decode()
    assert '<html lang="fr">' in page
    assert page.count("<table>") == page.count("<caption>") == page.count("<thead>")
    assert '<th scope="col">' in page
    assert '<th scope="row">' in page


@pytest.mark.parametrize("form", [Form.HTML, Form.MARKDOWN])
def test_markup_in_a_name_is_text(form: Form) -> None:
    page = rendered(sample(hostname="<b>|x"), form, Language("en")).decode()
    assert "<b>" not in page.replace("\\<b\\>", "")


@pytest.mark.parametrize("language", LANGUAGES)
def test_markdown_tables_have_as_many_cells_in_each_line(language: str) -> None:
    for table in re.findall(r"(?:^\|.*\|$\n)+", markdown(sample(), language), re.MULTILINE):
        assert len({line.count(" | ") for line in table.splitlines() if "---" not in line}) == 1


@pytest.mark.parametrize("language", LANGUAGES)
def test_pdf_says_what_the_page_says(language: str) -> None:
    drawn = pdf_text(rendered(sample(), Form.PDF, Language(language)))
    say = Language(language).say
    assert all(str(at.place) in drawn for _, at in POLICY.locations())
    assert all(say(row.title).replace("\u00a0", " ") in drawn for row in POLICY.rows)
    assert CHECK_COMMAND in drawn


def test_pdf_finds_each_of_its_objects() -> None:
    content = rendered(sample(), Form.PDF, Language("en"))
    table = content[int(content.rpartition(b"startxref\n")[2].split()[0]) :]
    offsets = [int(line[:10]) for line in table.splitlines()[3:] if line.endswith(b" n ")]
    assert len(offsets) > 100
    assert all(content[at:].startswith(b"%d 0 obj\n" % number) for number, at in enumerate(offsets, 1))


def test_pdf_is_tagged_and_has_title_language_and_outline() -> None:
    content = rendered(sample(), Form.PDF, Language("fr"))
    assert b"/Lang (fr)" in content
    assert b"/Marked true" in content
    assert b"/DisplayDocTitle true" in content
    assert content.count(b"/Dest [") == len(POLICY.rows) + 8
    assert "Déclaration".encode("utf-16-be").hex().upper().encode() in content


def test_pdf_letters_of_french_are_in_the_font() -> None:
    drawn = pdf_text(rendered(sample(), Form.PDF, Language("fr")))
    assert "Déclaration de protection des données" in drawn
    assert "?" not in drawn


def test_pdf_counts_its_sheets() -> None:
    content = rendered(sample(), Form.PDF, Language("en"))
    sheets = content.count(b"/Type /Page ")
    assert [f"page {number} of {sheets}" in pdf_text(content) for number in range(1, sheets + 1)] == [True] * sheets


def test_pdf_parts_a_row_that_is_taller_than_a_sheet() -> None:
    lines = tuple(f"line {number}" for number in range(200))
    table = Table("Caption", ("Name", "Lines"), (("first", "x"), ("tall", "\n".join(lines))), (30, 70))
    drawn = pdf_text(pdf(Page("en", "Title", "Subtitle", "foot", "Contents", "page {page} of {pages}", 0.0, (table,))))
    assert [line for line in lines if f" {line} " not in drawn] == []


def test_pdf_breaks_a_word_that_is_wider_than_its_column() -> None:
    path = "/a-rather-long-directory" * 9
    lines = list(Font.REGULAR.wrapped(path, 9, 200))
    assert "".join(lines) == path
    assert all(Font.REGULAR.width(line, 9) <= 200 and line.endswith("/") for line in lines[:-1])
