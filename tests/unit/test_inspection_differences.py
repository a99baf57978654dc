"""What Python's own parser shows of a message is in the inspection's result as well, or the message is doubted."""

import email
import email.policy
from email.message import Message

import pytest
from fuzz.mail import messages
from hypothesis import example, given, settings
from ksmg.inspection.limits import Limits
from ksmg.inspection.walk import names_within, walk
from ksmg.mail.readable import readable
from ksmg.mail.structure import Problem, Structure

LIMITS = Limits()


def doubted(structure: Structure) -> bool:
    return any(problem is Problem.AMBIGUOUS for problem, _ in structure.problems)


def shown_names(message: Message) -> set[str]:
    """Names that Python's parser shows, white space and undecodable bytes left aside."""
    names = {name for part in message.walk() if (name := part.get_filename())}
    return {plain(name) for name in names} - {""}


def plain(name: str) -> str:
    return "".join(
        character for character in name if character.isascii() and character.isprintable() and character != " "
    )


@pytest.mark.parametrize("policy", [email.policy.compat32, email.policy.default], ids=["compat32", "default"])
@given(raw=messages())
@example(raw=b'Content-Type: a/b; name="a.exe"; name=b.exe\n\nx')
@settings(max_examples=300)
def test_every_name_that_python_shows_is_shown(policy: email.policy.Policy, raw: bytes) -> None:
    ours = walk(raw, len(raw), LIMITS)
    try:
        theirs = shown_names(email.message_from_bytes(raw, policy=policy))
    except (ValueError, LookupError, IndexError, AttributeError, TypeError, KeyError):
        return  # Python's parser fails for some
    names = {plain(name) for part in ours.parts for name in part.names}
    assert theirs <= names or doubted(ours)


@given(raw=messages())
@settings(max_examples=300)
def test_every_part_that_python_finds_is_found(raw: bytes) -> None:
    ours = walk(raw, len(raw), LIMITS)
    theirs = [part.get_content_type() for part in email.message_from_bytes(raw).walk() if not part.is_multipart()]
    leaves = [part for part in ours.parts if not part.container]
    empty = sum(part.container for part in ours.parts)  # Python shows a multipart without parts as a leaf
    assert len(theirs) <= len(leaves) + empty or doubted(ours)


@given(raw=messages())
@settings(max_examples=300)
def test_a_structure_is_sound(raw: bytes) -> None:
    found = walk(raw, len(raw), LIMITS)
    for number, part in enumerate(found.parts):
        assert part.number == number
        assert part.parent < number
        assert 0 <= part.start <= part.body <= part.end <= len(raw)
        assert all(name and name == readable(name) for name in part.names)


@given(raw=messages())
@settings(max_examples=300)
def test_names_alone_are_those_of_the_whole_walk(raw: bytes) -> None:
    assert names_within(raw, len(raw), LIMITS) == walk(raw, len(raw), LIMITS).attachment_names
