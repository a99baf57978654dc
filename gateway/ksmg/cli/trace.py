"""`ksmg trace`: how much each component traces, and what its trace says."""

import argparse
import collections
import itertools
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ksmg.cli.appliance import Appliance, store_appliance
from ksmg.cli.change_record import record_change
from ksmg.cli.output import print_json, print_table, size
from ksmg.cli.verb import Verbs, add_group, add_verb, positive
from ksmg.diagnostics import trace
from ksmg.diagnostics.trace import COMPONENTS, GROUP, Level
from ksmg.diagnostics.trace_file import TraceFile
from ksmg.retention.caps import effective_cap
from ksmg.settings.editing import change_setting
from ksmg.stores.locations import settings_file
from ksmg.stores.system_events import Name

_LEVELS = tuple(level.name.lower() for level in Level)


def add_parser(verbs: Verbs) -> None:
    """Adds the verb with its verbs."""
    group = add_group(verbs, "trace", "Trace what a component does, in more detail than its log; off unless set.")
    add_verb(group, "list", "List the components, their levels, and what is kept.", run_list, json=True)
    shown = add_verb(group, "show", "Print the newest lines of a trace.", run_show)
    _add_component(shown)
    shown.add_argument("--lines", metavar="N", type=positive, default=100, help="how many (100)")
    chosen = add_verb(group, "set", "Set the level of a component; in force within two seconds.", run_set)
    _add_component(chosen)
    chosen.add_argument("level", choices=_LEVELS)
    _add_component(add_verb(group, "delete", "Overwrite and delete the trace of a component.", run_delete))


def run_list(chosen: argparse.Namespace) -> int:
    """Prints levels, places, sizes and caps."""
    here = store_appliance()
    rows = [_row(here, component) for component in COMPONENTS]
    if chosen.json:
        print_json(rows)
    else:
        print_table(
            ("COMPONENT", "LEVEL", "KEPT", "CAP", "PLACE"),
            ((row["component"], row["level"], size(row["bytes"]), size(row["cap"]), row["place"]) for row in rows),
        )
    return 0


def run_show(chosen: argparse.Namespace) -> int:
    """Prints lines. It is a system event, because messages may be in them."""
    here = store_appliance()
    record_change(here, Name.TRACES_VIEWED, {"component": chosen.component})
    newest = collections.deque(_lines(_file(here, chosen.component)), chosen.lines)
    sys.stdout.writelines(line.decode("utf-8", "backslashreplace") for line in newest)
    return 0


def run_set(chosen: argparse.Namespace) -> int:
    """Changes the setting; running services see it themselves, and no mail waits for it."""
    here = store_appliance()
    key = f"{GROUP}.{chosen.component}"
    change_setting(settings_file(here.policy), key, chosen.level)
    detail = {"component": chosen.component, "before": here.settings.text(key), "after": chosen.level}
    record_change(here, Name.TRACES_CHANGED, detail)
    place = trace.location(here.policy, chosen.component).place
    if chosen.level == "off":
        print(f"{chosen.component} is not traced any more. 'ksmg trace delete {chosen.component}' erases what is kept.")
    else:
        print(f"{chosen.component} is traced at {chosen.level} to {place}/{chosen.component}.log.")
    return 0


def run_delete(chosen: argparse.Namespace) -> int:
    """Erases a trace."""
    here = store_appliance()
    file = _file(here, chosen.component)
    detail = {"component": chosen.component, "deleted": file.size()}
    file.erase()
    record_change(here, Name.TRACES_CHANGED, detail)
    print(f"The trace of {chosen.component} is deleted.")
    return 0


def _add_component(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("component", choices=tuple(COMPONENTS), metavar="COMPONENT", help=", ".join(COMPONENTS))


def _file(here: Appliance, component: str) -> TraceFile:
    return trace.trace_file(
        here.policy, component, lambda at: effective_cap(here.policy, here.settings, at.place).bytes
    )


def _row(here: Appliance, component: str) -> dict[str, Any]:
    file, place = _file(here, component), trace.location(here.policy, component).place
    level = here.settings.text(f"{GROUP}.{component}")
    return {"component": component, "level": level, "bytes": file.size(), "cap": file.cap, "place": str(place)}


def _lines(file: TraceFile) -> Iterator[bytes]:
    return itertools.chain.from_iterable(map(_lines_of, file.everything()))


def _lines_of(part: Path) -> Iterator[bytes]:
    with part.open("rb") as opened:
        yield from opened
