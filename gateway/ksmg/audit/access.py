"""Differences by trial: what each account, and each service in its sandbox, could do against what the policy says."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping

from ksmg.audit.difference import Difference, Kind, command, names
from ksmg.audit.promise import LIST, PASS, READ, ROOT, WRITE, Place
from ksmg.audit.trial import Found, Probe

_ORDER = (PASS, LIST, READ, WRITE)
TMPFILES = "/etc/tmpfiles.d/ksmg-data.conf"
"""The declaration of the places that the role `data_storage` writes from the policy."""

Results = Mapping[str, tuple[Found, ...]]
"""What each account, or each service, could do with each probe."""


def repair(path: str) -> str:
    """Gives a place its declared owner, mode and access list again."""
    return f"{command('setfacl', '-b', path)} && {command('systemd-tmpfiles', '--create', '--prefix', path, TMPFILES)}"


def account_differences(probes: tuple[Probe, ...], results: Results) -> Iterable[Difference]:
    """Differences of accounts, outside of any sandbox. One for all accounts that can do the same."""
    for number, probe in enumerate(probes):
        if not probe.place.optional or probe.samples:
            found = {account: answers[number] for account, answers in results.items()}
            may = {account: probe.place.may(account) for account in found}
            yield from _compare(probe, found, may, (Kind.CAN_MORE, Kind.CAN_LESS), repair(probe.place.path))


def service_differences(
    probes: tuple[Probe, ...], results: Results, promised: Callable[[str, Place], frozenset[str]]
) -> Iterable[Difference]:
    """Differences of services in their sandboxes; `promised` says what a service may do with a place."""
    for unit, answers in results.items():
        for probe, found in zip(probes, answers, strict=True):
            if not probe.place.keeps_data or (probe.place.optional and not probe.samples):
                continue
            may = {unit: promised(unit, probe.place)}
            kinds = (Kind.SERVICE_CAN_MORE, Kind.SERVICE_CAN_LESS)
            cure = f"{command('systemctl', 'cat', unit)}; {command('systemctl', 'restart', unit)}"
            yield from _compare(probe, {unit: found}, may, kinds, cure)


def _compare(
    probe: Probe,
    results: Mapping[str, Found],
    may: Mapping[str, frozenset[str]],
    kinds: tuple[Kind, Kind],
    cure: str,
) -> Iterable[Difference]:
    more: dict[frozenset[str], list[str]] = defaultdict(list)
    less: dict[frozenset[str], list[str]] = defaultdict(list)
    service = kinds[0] is Kind.SERVICE_CAN_MORE
    for who, found in results.items():
        allowed = may[who]
        did = found.rights
        if service:  # a place that is opened nowhere may still be passed on the way to another
            did, allowed = did - {PASS}, allowed - {PASS}
        more[(did | _of_files(found)) - allowed].append(who)
        less[_lacking(probe, allowed - did)].append(who)
    for kind, by_rights, text in ((kinds[0], more, "can"), (kinds[1], less, "cannot")):
        for rights, accounts in by_rights.items():
            if rights:
                said = f"{names(accounts)} {text} {_said(rights)}"
                yield Difference(kind, probe.place.path, _promise(probe.place), said, cure, probe.place.row)


def _of_files(found: Found) -> frozenset[str]:
    """Rights on files that lie there already count like rights on new ones."""
    return frozenset({READ} if found.readable else ()) | frozenset({WRITE} if found.writable else ())


def _lacking(probe: Probe, rights: frozenset[str]) -> frozenset[str]:
    """Without a canary it is not known whether a new file could be read; a shared directory has no files."""
    known = not probe.place.directory or (probe.canary is not None and probe.place.keeps_data)
    return rights if known else rights - {READ}


def _promise(place: Place) -> str:
    """Who may do what, as people read it."""
    allowed = [f"{account} {_said(rights)}" for account, rights in sorted(place.rights.items())]
    return "; ".join([*allowed, f"{ROOT} everything; nobody else"])


def _said(rights: frozenset[str]) -> str:
    return ", ".join(right for right in _ORDER if right in rights)
