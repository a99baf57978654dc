"""Header fields that change: the subject's tag, marks, a rule's own fields; and no text becomes another field."""

import email.header
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from ksmg.changes import HeaderEdit, Kind, UnchangeableMessage, needed
from ksmg.changes.fields import HARD_LIMIT, field_value, header_name
from ksmg.changes.subject import subject_edits
from ksmg.checks.verdict import Finding, Status, Verdict
from ksmg.engines.failure import Reason
from ksmg.mail.readable import decoded_header
from ksmg.rules.treatment import Action, Cause, Decision, Treatment
from unit.changes_samples import changed, changes_of, inserting, message_of, parsed, simple, spool, tagging

PLAIN = simple("", "See you at nine.\r\n")


def tagged(value: bytes, *tags: str) -> bytes:
    (edit,) = subject_edits([(b"Subject", value)], tags or ("[SPAM]",))
    return edit.value


@pytest.mark.parametrize(
    ("value", "result"),
    [
        (b" Minutes", b" [SPAM] Minutes"),
        (b"", b" [SPAM]"),
        (b" =?utf-8?q?Gr=C3=BC=C3=9Fe?=", b" [SPAM] =?utf-8?q?Gr=C3=BC=C3=9Fe?="),
        (b" one\n two", b" [SPAM] one\n two"),
        (b"\n folded at once", b" [SPAM] folded at once"),
        (b" roh \xfc", b" [SPAM] roh \xfc"),
        (b" a\rb\0c", b" [SPAM] abc"),
        (b" " + b"x" * 80, b" [SPAM]\n " + b"x" * 80),
    ],
)
def test_a_tag_stands_before_the_subject_as_it_was(value: bytes, result: bytes) -> None:
    assert tagged(value) == result


@pytest.mark.parametrize("value", [b" [SPAM] x", b" =?utf-8?q?=5BSPAM=5D_x?=", b"\n [SPAM]"])
def test_a_subject_that_has_the_tag_is_not_tagged_again(value: bytes) -> None:
    assert list(subject_edits([(b"Subject", value)], ["[SPAM]"])) == []


def test_several_tags_are_each_put_once() -> None:
    assert tagged(b" [B] x", "[A]", "[B]", "[A]") == b" [A] [B] x"


@pytest.mark.parametrize("value", [b" Preis", b" =?utf-8?b?w7w=?="])
def test_a_tag_of_other_characters_is_shown_with_one_space_after_it(value: bytes) -> None:
    shown = str(email.header.make_header(email.header.decode_header(tagged(value, "[VERDÄCHTIG]").decode())))
    assert shown == f"[VERDÄCHTIG] {decoded_header(value)}"


def test_a_message_without_a_subject_gets_one() -> None:
    assert list(subject_edits([], ["[SPAM]"])) == [HeaderEdit(Kind.ADD, b"Subject", 1, b" [SPAM]")]


def test_each_of_several_subjects_is_tagged(tmp_path: Path) -> None:
    twice = PLAIN.replace(b"Subject: Minutes", b"Subject: Minutes\r\nX: y\r\nSUBJECT: Offer")
    content = changed(tmp_path, twice, tagging("[SPAM]"))
    assert b"Subject: [SPAM] Minutes\r\n" in content
    assert b"SUBJECT: [SPAM] Offer\r\n" in content


def test_a_subject_of_one_endless_word_is_broken_into_lines() -> None:
    assert all(len(line) < HARD_LIMIT for line in tagged(b" " + b"x" * 5000).split(b"\n"))


@given(st.binary(max_size=300))
def test_no_subject_breaks_out_of_its_field(value: bytes) -> None:
    for edit in subject_edits([(b"Subject", value.replace(b"\n", b"\n "))], ["[SPAM]"]):
        assert all(line[:1] == b" " for line in edit.value.split(b"\n"))
        assert not {13, 0} & set(edit.value)


@given(st.text(max_size=3000))
def test_any_text_becomes_a_value_of_folded_lines(text: str) -> None:
    value = field_value(text)
    lines = value.split(b"\n")
    assert all(line[:1] == b" " and len(line) < HARD_LIMIT and line.isascii() for line in lines)
    assert not {13, 0} & set(value)


@given(st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Zl", "Zp", "Zs"]), min_size=1, max_size=200))
def test_characters_of_every_script_survive_in_a_value(text: str) -> None:
    value = field_value(text).replace(b"\n", b"")
    if not text.isascii():
        assert str(email.header.make_header(email.header.decode_header(value.decode()))).strip() == text


@pytest.mark.parametrize(
    "name", ["", "a b", "a:b", "a\r\nb", "ü", "Content-Type", "mime-version", "Received", "X-KSMG-A"]
)
def test_a_name_that_a_rule_must_not_set_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match="field"):
        header_name(name)


def test_what_a_sender_writes_into_our_fields_is_removed(tmp_path: Path) -> None:
    forged = PLAIN.replace(
        b"Subject", b"X-Spam-Flag: NO\r\nx-ksmg-antispam: clean\r\nX-KSMG-Antispam: clean\r\nSubject"
    )
    content = changed(tmp_path, forged, tagging("[SPAM]"))
    assert parsed(content).get_all("X-KSMG-AntiSpam") == ["spam, score 8.3/15.0"]
    assert parsed(content).get_all("X-Spam-Flag") == ["YES"]


def test_a_forged_field_alone_makes_a_change_needed(tmp_path: Path) -> None:
    forged = spool(tmp_path, PLAIN.replace(b"Subject", b"X-KSMG-Unscanned: no\r\nSubject"))
    with forged, spool(tmp_path, PLAIN) as clean:
        assert needed(message_of(forged), Decision("Rule", Action.SKIP))
        assert not needed(message_of(clean), Decision("Rule", Action.SKIP))


def test_the_engines_evidence_stands_in_the_mark(tmp_path: Path) -> None:
    verdict = Verdict("antispam", evidence=("BAYES(2.0)", "PHISH\r\nBcc: x(1)"))
    changes = changes_of(tmp_path, PLAIN, tagging("[SPAM]"), verdicts=[verdict])
    assert changes.headers[-1].value == b" spam, score 8.3/15.0, BAYES(2.0), PHISH Bcc: x(1)"


def test_probable_spam_has_a_mark_and_no_flag(tmp_path: Path) -> None:
    changes = changes_of(tmp_path, PLAIN, tagging("[?]", status=Status.PROBABLE_SPAM))
    assert [edit.name for edit in changes.headers] == [b"Subject", b"X-KSMG-AntiSpam"]
    assert changes.headers[1].value.startswith(b" probable spam")


def test_an_unscanned_message_says_which_check_and_why(tmp_path: Path) -> None:
    cause = Cause("antivirus", Finding(Status.UNSCANNED), Treatment())
    verdict = Verdict("antivirus", reason=Reason.TIMEOUT)
    changes = changes_of(tmp_path, PLAIN, Decision("Rule", Action.SKIP, (cause,)), verdicts=[verdict])
    assert changes.headers == (HeaderEdit(Kind.ADD, b"X-KSMG-Unscanned", 1, b" antivirus (timeout)"),)


def test_fields_of_rule_and_treatment_are_added_each_once(tmp_path: Path) -> None:
    decision = tagging("[A]", headers=(("X-Class", "ü"), ("X-Class", "ü"), ("X-Spam-Flag", "YES")))
    content = changed(tmp_path, PLAIN, decision)
    assert parsed(content).get_all("X-Class") == ["ü"]
    assert parsed(content).get_all("X-Spam-Flag") == ["YES"]


def test_a_message_with_hundreds_of_fields_to_change_is_not_changed(tmp_path: Path) -> None:
    with pytest.raises(UnchangeableMessage):
        changes_of(tmp_path, PLAIN.replace(b"Subject", b"X-KSMG-A: b\r\n" * 300 + b"Subject"), tagging("[SPAM]"))


def test_a_tag_leaves_the_body_alone(tmp_path: Path) -> None:
    changes = changes_of(tmp_path, PLAIN, tagging("[SPAM]"))
    assert (changes.body, changes.marks) == (None, ("tagged",))


def test_a_rule_without_changes_makes_none(tmp_path: Path) -> None:
    assert changed(tmp_path, PLAIN, inserting()) == PLAIN
