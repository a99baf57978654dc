"""Content filter: size, number, names and true types."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from ksmg.checks.content import Content
from ksmg.checks.file_masks import FileMasks
from ksmg.checks.type_groups import GROUPS
from ksmg.checks.verdict import Status, Verdict
from ksmg.engines.failure import Reason
from ksmg.mail.structure import Part, Problem
from unit.checks_sample import Sample, member, part, structure

EXE = "application/x-dosexec"


async def judge(*parts: Part, problems: tuple[Any, ...] = (), **options: Any) -> Verdict:
    sample = Sample(structure=structure(*parts, problems=problems))
    return await Content(sample.engines()).check(sample.message(), Content.parse_options(options))


async def test_without_options_everything_is_permitted_and_nothing_looked_into() -> None:
    sample = Sample()
    assert (await Content(sample.engines()).check(sample.message(), ())).findings == ()
    assert sample.asked == []


@pytest.mark.parametrize(("permitted", "status"), [(1000, Status.CLEAN), (999, Status.SIZE)])
async def test_a_message_may_be_as_large_as_permitted(permitted: int, status: Status) -> None:
    assert (await judge(max_size=permitted)).status is status


@pytest.mark.parametrize(("permitted", "status"), [(2, Status.CLEAN), (1, Status.COUNT)])
async def test_as_many_attachments_as_permitted(permitted: int, status: Status) -> None:
    assert (await judge(part(1, "a"), part(2, "b"), max_attachments=permitted)).status is status


async def test_a_forbidden_name_is_found_with_its_part() -> None:
    (finding,) = (await judge(part(1, "a.txt"), part(2, "b.exe"), forbidden_names=["*.exe"])).findings
    assert (finding.status, finding.detail, finding.parts) == (Status.NAME, "b.exe", (2,))


async def test_every_name_that_a_client_may_show_counts() -> None:
    assert (await judge(part(1, "a.txt", "a.exe"), forbidden_names=["*.exe"])).status is Status.NAME


async def test_a_name_in_an_archive_counts() -> None:
    (finding,) = (await judge(part(1, "a.zip", members=(member("x/y.exe"),)), forbidden_names=["*.exe"])).findings
    assert (finding.detail, finding.parts) == ("a.zip/x/y.exe", (1,))


async def test_a_type_counts_by_content_and_not_by_name() -> None:
    (finding,) = (await judge(part(1, "a.txt", true_type=EXE), forbidden_types=["executables"])).findings
    assert (finding.status, finding.detail, finding.parts) == (Status.TYPE, f"a.txt ({EXE})", (1,))


async def test_a_type_in_an_archive_counts() -> None:
    archive = part(1, "a.zip", members=(member("x.txt", EXE),))
    assert (await judge(archive, forbidden_types=[EXE])).status is Status.TYPE


async def test_a_file_that_is_declared_as_the_messages_text_counts() -> None:
    text = part(1, true_type=EXE, content_type="text/plain", disposition="")
    assert (await judge(text, forbidden_types=["executables"])).status is Status.TYPE


async def test_the_messages_own_text_is_no_file() -> None:
    text = part(1, true_type="text/html", content_type="text/html", disposition="")
    assert (await judge(text, forbidden_types=["text/*"])).findings == ()


@pytest.mark.parametrize(
    ("group", "found"), [("office-macros", part(1, "a.doc", macro=True)), ("encrypted", part(1, "a", encrypted=True))]
)
async def test_macros_and_encryption_are_groups(group: str, found: Part) -> None:
    assert (await judge(found, forbidden_types=[group])).status is Status.TYPE
    assert (await judge(part(1, "a.doc"), forbidden_types=[group])).findings == ()


async def test_findings_of_each_kind_are_given_the_gravest_first() -> None:
    verdict = await judge(
        part(1, "a.exe", true_type=EXE), forbidden_types=[EXE], forbidden_names=["*.exe"], max_size=1, max_attachments=0
    )
    assert [finding.status for finding in verdict.findings] == list(Content.statuses)


async def test_what_could_not_be_looked_into_leaves_the_message_unscanned() -> None:
    verdict = await judge(part(1, "a.zip"), problems=((Problem.MEMBERS, "a.zip"),), forbidden_names=["*.exe"])
    assert (verdict.status, verdict.reason) == (Status.UNSCANNED, Reason.LIMIT)


async def test_a_size_is_compared_without_looking_into_the_message() -> None:
    assert (await judge(problems=((Problem.MEMBERS, "a.zip"),), max_size=10**6)).findings == ()


@pytest.mark.parametrize(
    "name",
    [
        "A.EXE",
        "a.exe.",
        "a.exe ",
        "ａ.ｅｘｅ",
        "a.e\u00adxe",
        "a.\u202eexe",
        "..\\..\\a.exe",
        "../a.exe",
        "C:a.exe",
        "a.exe:stream",
        "a.exe::$DATA",
        "a.ex\x00e",
    ],
)
def test_a_mask_fits_what_a_name_becomes_on_a_computer(name: str) -> None:
    assert FileMasks(["*.exe"]).match(name)


@pytest.mark.parametrize("name", ["a.exe.txt", "exe", "a.exes", ""])
def test_a_mask_fits_nothing_else(name: str) -> None:
    assert not FileMasks(["*.exe"]).match(name)


@given(st.text(max_size=40))
def test_a_suffix_is_found_after_any_name(name: str) -> None:
    assert FileMasks(["*.exe"]).match(f"{name}.exe")


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        ({"max_size": 0}, "max_size must be a whole number"),
        ({"max_attachments": -1}, "max_attachments must be a whole number"),
        ({"forbidden_names": "*.exe"}, "forbidden_names must be a list"),
        ({"forbidden_names": [""]}, "forbidden_names must be a list of texts, none of them empty"),
        ({"forbidden_types": ["programs"]}, f"forbidden_types must be .* {', '.join(GROUPS)}; not programs"),
    ],
)
def test_wrong_options_are_named(options: dict[str, object], complaint: str) -> None:
    with pytest.raises(ValueError, match=complaint):
        Content.parse_options(options)


def test_equal_options_are_one() -> None:
    first, second = (Content.parse_options({"forbidden_names": names}) for names in (["a", "b"], ["b", "a"]))
    assert (first == second, hash(first) == hash(second)) == (True, True)
