"""The trace of the command: which verb was given, what became of it, and what engines and Postfix said meanwhile."""

import os
import sys
from collections.abc import Sequence

from ksmg.diagnostics import trace
from ksmg.diagnostics.levels import start_traces
from ksmg.policy import DataPolicy
from ksmg.settings import Settings
from ksmg.stores.locations import gateway_account
from ksmg.system.account import become, caller

_trace = trace.Trace("command")
_ACCOUNT: list[str] = []
"""The gateway's account, once the appliance is known."""


def start_command_traces(policy: DataPolicy, settings: Settings) -> None:
    """Puts the levels of the settings in force, when there is one."""
    chosen = trace.levels(settings)
    if chosen:
        start_traces(policy, settings, _stopped)
        _ACCOUNT[:] = [gateway_account(policy)]
    trace.apply(chosen)


def trace_command(arguments: Sequence[str], code: int) -> None:
    """A line for a command that ended. What root did is written by a process that has become the gateway's account."""
    if not _trace.enabled:
        return
    level = trace.Level.ERROR if code else trace.Level.INFO
    text = f"{caller()}: ksmg {_shown(arguments)}: exit code {code}"
    if os.geteuid() != 0:
        _trace.write(text, level)
    elif (child := os.fork()) == 0:
        try:
            become(_ACCOUNT[0])
            _trace.write(text, level)
            trace.stop()
        finally:
            os._exit(0)
    else:
        os.waitpid(child, 0)


def _shown(arguments: Sequence[str]) -> str:
    """The verb, and at debug its arguments; never the person that `subject` is about, who may just have been erased."""
    whole = _trace.detailed and "subject" not in arguments[:1]
    return " ".join(arguments if whole else arguments[:1])


def _stopped(component: str, cause: str) -> None:
    print(f"ksmg: The trace of {component} cannot be written: {cause}", file=sys.stderr)
