"""Every check of the gateway: the classes of this package's modules, found by looking."""

import importlib
import inspect
import pkgutil
from collections.abc import Iterator
from pathlib import Path

import ksmg.checks
from ksmg.checks.verdict import Check
from ksmg.engines.clamd import SOCKET as CLAMD_SOCKET
from ksmg.engines.rspamd import SOCKET as RSPAMD_SOCKET
from ksmg.engines.shared import Engines
from ksmg.settings import Settings


def check_classes() -> dict[str, type[Check]]:
    """The classes by their checks' names, in the order in which events list them."""
    return {found.name: found for found in sorted(_classes(), key=lambda found: (found.order, found.name))}


def make_checks(settings: Settings, clamd: Path = CLAMD_SOCKET, rspamd: Path = RSPAMD_SOCKET) -> list[Check]:
    """The checks, in the same order, over the same engines."""
    engines = Engines(settings, clamd, rspamd)
    return [found(engines) for found in check_classes().values()]


def _classes() -> Iterator[type[Check]]:
    for entry in pkgutil.iter_modules(ksmg.checks.__path__, f"{ksmg.checks.__name__}."):
        module = importlib.import_module(entry.name)
        for found in vars(module).values():
            ours = isinstance(found, type) and issubclass(found, Check) and found.__module__ == module.__name__
            if ours and not inspect.isabstract(found):
                yield found
