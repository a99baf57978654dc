"""The whole inspection of one message: the walk, and what is in every part that can hold files."""

import time
from dataclasses import replace

from ksmg.inspection.budget import Budget, Exceeded
from ksmg.inspection.contents import Opener
from ksmg.inspection.fields import Content
from ksmg.inspection.limits import Limits
from ksmg.inspection.openable import opens
from ksmg.inspection.walk import Body, OutOfTime, walk_bodies
from ksmg.mail.structure import Part, Problem, Structure


def examine(content: Content, size: int, limits: Limits) -> Structure:
    """Looks into a message within the limits. Raises MemoryError when it needs more than the process may have."""
    deadline = time.monotonic() + limits.seconds
    try:
        structure, bodies = walk_bodies(content, size, limits, deadline)
    except OutOfTime:
        return Structure((), ((Problem.TIME, f"more than {limits.seconds:g} s"),))
    budget = Budget(limits, deadline)
    for problem, detail in structure.problems:
        budget.note(problem, detail)
    parts = list(structure.parts)
    try:
        for part, body in zip(structure.parts, bodies, strict=True):
            if opens(part):
                _open(parts, part, body, budget)
    except Exceeded:
        pass  # the budget has noted what was exceeded; what was found until then is told
    return Structure(tuple(parts), tuple(budget.problems))


def _open(parts: list[Part], part: Part, body: Body, budget: Budget) -> None:
    opener = Opener(budget)
    found = None
    try:
        found = opener.open(body.decoded(), part.name)
    finally:
        members = tuple(opener.members)
        kind = found.true_type if found else part.true_type
        encrypted = any(member.encrypted for member in members) or bool(found and found.encrypted)
        macro = any(member.macro for member in members) or bool(found and found.macro)
        parts[part.number] = replace(part, true_type=kind, encrypted=encrypted, macro=macro, members=members)
