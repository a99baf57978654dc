"""`ksmg status`: whether everything works, on one page."""

import argparse
import asyncio
import subprocess
from datetime import UTC, datetime, timedelta
from typing import Any

from ksmg.audit.proof import last_proof
from ksmg.checks.catalogue import make_checks
from ksmg.cli.appliance import Appliance, appliance
from ksmg.cli.certificates import certificate_rows
from ksmg.cli.failure import ExitCode
from ksmg.cli.output import local_time, print_json, print_table, size
from ksmg.cli.verb import Verbs, add_verb
from ksmg.diagnostics import dumps, trace
from ksmg.engines.failure import EngineFailure
from ksmg.retention.measure import Cap, Holding, measure
from ksmg.stores.locations import (
    gateway_account,
    open_system_events,
)
from ksmg.system.account import become

STARTED_BY_SOCKET = {
    "ksmg-filter.service": "ksmg-filter.socket",
    "ksmg-web.service": "ksmg-web.socket",
    "ksmg-inspect.service": "ksmg-inspect.socket",
    "ksmg-submit.service": "ksmg-submit.socket",
}
"""Services that are in order as well when only their socket waits."""
UNITS = (
    *STARTED_BY_SOCKET,
    "postfix.service",
    "opendkim.service",
    "nginx.service",
    "clamav-daemon.service",
    "clamav-freshclam.service",
    "rspamd.service",
    "rsyslog.service",
)
GOOD_STATES = ("active", "waiting")
_LOGS = "/var/log"
"""Places below it are shown by their path, the others by their row."""
_WARN_BEFORE = timedelta(days=14)
_GOOD_CERTIFICATES = ("ours", "given")


def add_parser(verbs: Verbs) -> None:
    """Adds the verb."""
    add_verb(verbs, "status", "Show whether the appliance works.", run, json=True)


def run(chosen: argparse.Namespace) -> int:
    """Prints the state. Exit code 5 when a service or an engine does not work."""
    state = collect()
    if chosen.json:
        print_json(state)
    else:
        _print(state)
    return ExitCode.DONE if state["healthy"] else ExitCode.UNHEALTHY


def collect() -> dict[str, Any]:
    """The state of everything. What only root may see comes first; then root becomes the gateway's account."""
    here = appliance()
    certificates = certificate_rows(here)
    queue = _queue_length()
    diagnostics = _diagnostics(here)
    services = _services()
    stores = _stores(here)
    become(gateway_account(here.policy))
    engines = asyncio.run(_engines(here))
    working = all(service["state"] in GOOD_STATES for service in services) and all(
        engine["works"] for engine in engines
    )
    proof = last_proof(open_system_events(here.policy, here.settings))
    return {
        "healthy": working,
        "warnings": [*_warnings(here, engines, certificates), *_access_warnings(proof)],
        "services": services,
        "engines": engines,
        "stores": stores,
        "access": proof,
        "queue": queue,
        "diagnostics": diagnostics,
        "certificates": certificates,
        "admin_password_set": here.settings["admin_password_hash"] is not None,
    }


def _services() -> list[dict[str, str]]:
    asked = (*UNITS, *STARTED_BY_SOCKET.values())
    shown = subprocess.run(["systemctl", "is-active", *asked], capture_output=True, text=True, check=False)
    states = dict(zip(asked, shown.stdout.split() or ["unknown"] * len(asked), strict=False))
    return [{"unit": unit, "state": _service_state(unit, states)} for unit in UNITS]


def _service_state(unit: str, states: dict[str, str]) -> str:
    state = states.get(unit, "unknown")
    waiting = state == "inactive" and states.get(STARTED_BY_SOCKET.get(unit, "")) == "active"
    return "waiting" if waiting else state


def _diagnostics(here: Appliance) -> dict[str, Any]:
    """Whether dumps are made, and which components are traced."""
    found = dumps.state(here.policy)
    return {"dumps": found.enabled, "dumps_until": found.until, "traces": trace.levels(here.settings)}


def _queue_length() -> int | None:
    """Messages in Postfix's queue; None when Postfix does not say."""
    try:
        shown = subprocess.run(["postqueue", "-j"], capture_output=True, check=False, timeout=30)
    except (OSError, subprocess.TimeoutExpired):
        return None
    return len(shown.stdout.splitlines()) if shown.returncode == 0 else None


async def _engines(here: Appliance) -> list[dict[str, Any]]:
    found = []
    for check in make_checks(here.settings):
        try:
            detail, works = await check.probe(), True
        except EngineFailure as failure:
            detail, works = str(failure), False
        found.append({"check": check.name, "works": works, "detail": detail, "outdated": check.outdated})
    return found


def _stores(here: Appliance) -> list[dict[str, Any]]:
    """Every place that has a cap, with the policy's and the one that this disk can bear."""
    return [
        _store(here, holding) for holding in measure(here.policy, here.settings) if {*_limits(holding.cap)} != {None}
    ]


def _limits(cap: Cap) -> tuple[int | None, int | None]:
    return cap.bytes, cap.records


def _name(here: Appliance, holding: Holding) -> str:
    """The row's, when this is its first place."""
    return holding.row if holding.place == here.policy.place(holding.row) else holding.place.name


def _store(here: Appliance, holding: Holding) -> dict[str, Any]:
    name = str(holding.place) if holding.place.is_relative_to(_LOGS) else _name(here, holding)
    return {
        "store": f"{name}/{holding.stream}" if holding.stream else name,
        "bytes": holding.bytes,
        "records": holding.records,
        "cap_bytes": holding.cap.bytes,
        "cap_records": holding.cap.records,
        "effective_bytes": holding.effective.bytes,
        "effective_records": holding.effective.records,
    }


def _warnings(here: Appliance, engines: list[dict[str, Any]], certificates: list[dict[str, str]]) -> list[str]:
    found = []
    if not here.settings_found:
        found.append("no settings: the safe defaults are in force")
    if here.settings["admin_password_hash"] is None:
        found.append("no administrator password is set: the web interface is locked")
    found += [
        f"{engine['check']}: signatures outdated ({engine['detail']})" for engine in engines if engine["outdated"]
    ]
    found += [f"certificate {c['name']} is {c['state']}" for c in certificates if c["state"] not in _GOOD_CERTIFICATES]
    soon = (datetime.now(UTC) + _WARN_BEFORE).strftime("%Y-%m-%d")
    found += [f"certificate {c['name']} ends on {c['expires']}" for c in certificates if "" < c["expires"] < soon]
    return found


def _print(state: dict[str, Any]) -> None:
    print("Everything works." if state["healthy"] else "Something does not work.")
    for warning in state["warnings"]:
        print(f"Warning: {warning}")
    print()
    print_table(("SERVICE", "STATE"), ((service["unit"], service["state"]) for service in state["services"]))
    print()
    print_table(
        ("ENGINE", "STATE", "DETAIL"),
        ((engine["check"], "works" if engine["works"] else "down", engine["detail"]) for engine in state["engines"]),
    )
    print()
    shown = [store for store in state["stores"] if store["bytes"] or "/" not in store["store"]]
    print_table(("STORE", "KEPT", "CAP", "ON THIS DISK"), map(_store_row, shown))
    print()
    print_table(
        ("CERTIFICATE", "STATE", "ENDS"),
        ((c["name"], c["state"], c["expires"] or "-") for c in state["certificates"]),
    )
    print()
    print(f"Queue: {'unknown' if state['queue'] is None else state['queue']} messages")
    print(f"Access: {_access(state['access'])}")
    _print_diagnostics(state["diagnostics"])


def _access_warnings(proof: dict[str, Any] | None) -> list[str]:
    if not proof or not proof["differences"]:
        return []
    return [f"access: {proof['differences']} differences from the data policy; 'ksmg audit access' names them"]


def _access(proof: dict[str, Any] | None) -> str:
    if proof is None:
        return "never proven; 'ksmg audit access' does it"
    result = f"{proof['differences']} differences" if proof["differences"] else "as the data policy says"
    return f"{result}, tried on {local_time(proof['time'])} as {proof['accounts']} accounts"


def _print_diagnostics(diagnostics: dict[str, Any]) -> None:
    until = f" until {local_time(diagnostics['dumps_until'])}" if diagnostics["dumps_until"] else ""
    print(f"Dumps: {f'ON{until}' if diagnostics['dumps'] else 'off'}")
    traced = ", ".join(f"{component} ({level})" for component, level in diagnostics["traces"].items())
    print(f"Traces: {traced or 'off'}")


def _store_row(store: dict[str, Any]) -> tuple[str, str, str, str]:
    kept = size(store["bytes"]) + (f", {store['records']}" if store["records"] is not None else "")
    return store["store"], kept, _cap(store, "cap"), _cap(store, "effective")


def _cap(store: dict[str, Any], which: str) -> str:
    records, kept = store[f"{which}_records"], store[f"{which}_bytes"]
    return size(kept) if records is None else f"{records} records"
