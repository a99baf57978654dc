"""Content filter: size of the message, number of attachments, their names and what they are by content."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from ksmg.checks.file_masks import FileMasks
from ksmg.checks.options import chosen_options, words
from ksmg.checks.type_groups import GROUPS, ForbiddenTypes
from ksmg.checks.verdict import Check, Finding, Status, Verdict, named
from ksmg.engines.failure import Reason
from ksmg.mail.message import Message
from ksmg.mail.structure import Member, Part, Structure
from ksmg.settings.table import optional, whole

_LARGEST = 2_000_000_000


@dataclass(frozen=True)
class ContentOptions:
    """What a rule permits. Without options, anything."""

    max_size: int | None = None
    """Bytes of the message, as received."""
    max_attachments: int | None = None
    forbidden_names: frozenset[str] = frozenset()
    """Masks, such as `*.exe`."""
    forbidden_types: frozenset[str] = frozenset()
    """Media types, `image/*`, or names of groups."""
    masks: FileMasks = field(init=False, compare=False, repr=False)
    types: ForbiddenTypes = field(init=False, compare=False, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "masks", FileMasks(self.forbidden_names))  # frozen: made once, here
        object.__setattr__(self, "types", ForbiddenTypes(self.forbidden_types))

    @property
    def looks_inside(self) -> bool:
        """Whether more than the size is wanted."""
        return self.max_attachments is not None or bool(self.forbidden_names or self.forbidden_types)


class Content(Check):
    """Compares a message with what a rule permits."""

    name = "content"
    description = "limits size, number, names and true types of attachments, in archives too"
    statuses = (Status.TYPE, Status.NAME, Status.SIZE, Status.COUNT)
    order = 40

    @classmethod
    def parse_options(cls, document: Mapping[str, Any]) -> ContentOptions:
        """`max_size`, `max_attachments`, `forbidden_names` and `forbidden_types`."""
        known = {
            "max_size": optional(whole(1, _LARGEST)),
            "max_attachments": optional(whole(0, 1_000_000)),
            "forbidden_names": words(str),
            "forbidden_types": words(_type),
        }
        return ContentOptions(**chosen_options(cls.name, document, **known))

    async def check(self, message: Message, options: Any) -> Verdict:
        """What the rule does not permit. A message that cannot be looked into is unscanned when a rule asks for it."""
        wanted = options or ContentOptions()
        findings = list(_size(message.spooled.size, wanted))
        if not wanted.looks_inside:
            return Verdict(self.name, tuple(findings))
        structure = await message.structure()
        findings = [*_forbidden(structure, wanted), *findings, *_count(structure, wanted)]
        if structure.problems:
            detail = named([f"{problem.value}: {detail}" for problem, detail in structure.problems])
            findings.append(Finding(Status.UNSCANNED, detail))
        return Verdict(self.name, tuple(findings), reason=Reason.LIMIT if structure.problems else None)

    async def probe(self) -> str:
        """It has no engine."""
        return "built in"


def _type(name: str) -> str:
    name = name.lower()
    if name not in GROUPS and "/" not in name:
        raise ValueError(f"must be media types such as application/pdf, or groups: {', '.join(GROUPS)}; not {name}")
    return name


def _size(size: int, options: ContentOptions) -> Iterator[Finding]:
    if options.max_size is not None and size > options.max_size:
        yield Finding(Status.SIZE, f"{size} bytes, permitted are {options.max_size}")


def _count(structure: Structure, options: ContentOptions) -> Iterator[Finding]:
    count = len(structure.attachments)
    if options.max_attachments is not None and count > options.max_attachments:
        yield Finding(Status.COUNT, f"{count} attachments, permitted are {options.max_attachments}")


def _forbidden(structure: Structure, options: ContentOptions) -> Iterator[Finding]:
    if options.forbidden_types:
        yield from _found(Status.TYPE, structure, lambda part: _types(part, options.types))
    if options.forbidden_names:
        yield from _found(Status.NAME, structure, lambda part: _names(part, options.masks))


def _found(status: Status, structure: Structure, look: Callable[[Part], Iterator[str]]) -> Iterator[Finding]:
    found = {part.number: names for part in structure.parts if (names := list(look(part)))}
    if found:
        yield Finding(status, named([name for names in found.values() for name in names]), tuple(found))


def _names(part: Part, masks: FileMasks) -> Iterator[str]:
    yield from (name for name in part.names if masks.match(name))
    yield from (f"{part.name}/{member.path}" for member in part.members if masks.match(member.path))


def _types(part: Part, types: ForbiddenTypes) -> Iterator[str]:
    """A text that only claims to be one counts too; the text of the message itself does not."""
    shown = part.attachment or not part.true_type.startswith("text/")
    if shown and types.forbid(part):
        yield _described(part.name, part)
    yield from (_described(f"{part.name}/{m.path}", m) for m in part.members if types.forbid(m))


def _described(name: str, file: Part | Member) -> str:
    return f"{name or 'without a name'} ({file.true_type or 'unknown'})"
