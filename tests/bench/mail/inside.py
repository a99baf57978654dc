"""``python3 -m bench.mail.inside ROUNDS SECONDS SIZES [PEER...]``: the benchmark itself, first process of the chamber.

In each round every peer is set up, sent mail of every size, and ended. What is measured goes to the results as one JSON
line for each run, as soon as there is one.
"""

from __future__ import annotations

import dataclasses
import json
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from bench.mail import daemons, filter, postfix
from bench.mail.daemons import DaemonError
from bench.mail.load import ADDRESS, SERVER
from bench.mail.measure import Run, Runner, synced_writes
from bench.mail.peers import NOTHING, OURS, OURS_COPIES, PEERS, PLAIN, Peer
from bench.mail.results import FLAT_OUT, HALF_LOAD, RUNS

RESULTS = Path("/srv/results", RUNS)
LOGS = RESULTS.with_name("log")
FIRST, WARM_UP = 40, 1.5
"""Messages of the very first run with a peer, and seconds of the one after it."""
LATENCY_PEERS = (PLAIN, NOTHING, OURS, OURS_COPIES)
_SYSLOG = f"""global(workDirectory="/var/spool/rsyslog")
module(load="imuxsock" sysSock.rateLimit.interval="0")
*.* action(type="omfile" file="{postfix.LOG}")
"""
_HOSTS = "127.0.0.1 localhost\n"


class Benchmark:
    """The peers in turn. Remembers how fast each was, so that every run takes about the same time."""

    def __init__(self, sizes: Sequence[str], seconds: float) -> None:
        self._sizes = sizes
        self._seconds = seconds
        self._rates: dict[tuple[str, str], float] = {}
        self._runner = Runner()

    def round(self, peers: Sequence[Peer]) -> Iterator[tuple[Peer, str, str, Run]]:
        """Every peer once: peer, size, kind of run, run."""
        for peer in peers:
            set_up(peer)
            try:
                for size in self._sizes:
                    yield from ((peer, size, kind, run) for kind, run in self._measure(peer, size))
            finally:
                tear_down()

    def _measure(self, peer: Peer, size: str) -> Iterator[tuple[str, Run]]:
        rate = self._rates.get((peer.name, size)) or self._runner.run(size, FIRST).rate
        rate = self._runner.run(size, max(FIRST, int(rate * WARM_UP))).rate
        run = self._runner.run(size, max(FIRST, int(rate * self._seconds)))
        self._rates[peer.name, size] = run.rate
        yield FLAT_OUT, run
        if peer.name in LATENCY_PEERS:
            half = run.rate / 2
            run = self._runner.run(size, int(half * self._seconds), half)
            synced = synced_writes(postfix.LOG.parent) if peer.name == OURS_COPIES else []
            yield HALF_LOAD, dataclasses.replace(run, synced=synced)


def set_up(peer: Peer) -> None:
    """Start what the peer consists of, its next hop and its name server."""
    postfix.LOG.write_text("")
    daemons.start("log", ["rsyslogd", "-n", "-f", "/etc/rsyslog-bench.conf"])
    daemons.wait(lambda: Path("/dev/log").exists(), "The log daemon does not start")
    names = ["--host-record=mx.partner.test," + ADDRESS, "--txt-record=partner.test,v=spf1 ip4:198.51.100.0/24 -all"]
    daemons.start("dns", ["dnsmasq", "--keep-in-foreground", "--no-resolv", "--no-hosts", "--address=/#/", *names])
    daemons.start("sink", ["smtp-sink", "-u", "nobody", f"127.0.0.1:{postfix.SINK_PORT}", "1000"])
    daemons.wait_for("sink", postfix.SINK_PORT)
    for part in peer.parts:
        part()
    postfix.start(peer.milters, peer.content_filter, peer.settings)
    for member in daemons.members():
        daemons.settle(member)


def tear_down() -> None:
    """End everything of the peer."""
    for member in daemons.members():
        daemons.end(member)


def furnish() -> None:
    """Accounts, addresses and files that all peers need."""
    commands = (
        ["ip", "link", "set", "lo", "up"],
        ["ip", "address", "add", f"{ADDRESS}/32", "dev", "lo"],
        ["ip", "address", "add", f"{SERVER[0]}/32", "dev", "lo"],
        ["useradd", "--system", "--user-group", "--uid", "470", filter.ACCOUNT],
        ["usermod", "--append", "--groups", "amavis", filter.ACCOUNT],
        ["usermod", "--append", "--groups", filter.ACCOUNT, "amavis"],
        ["chown", "--recursive", f"{filter.ACCOUNT}:", "/var/lib/rspamd"],
    )
    for command in commands:
        subprocess.run(command, check=True)
    for folder, owner in (("clamav", filter.ACCOUNT), ("rspamd", filter.ACCOUNT), ("amavis", "amavis")):
        _own(Path("/run", folder), owner)
    _own(Path("/tmp/amavis"), "amavis")
    _own(Path("/tmp/ksmgtmp"), filter.ACCOUNT)
    Path("/etc/rsyslog-bench.conf").write_text(_SYSLOG)
    Path("/etc/hosts").write_text(_HOSTS)
    Path("/etc/resolv.conf").write_text("nameserver 127.0.0.1\n")
    Path("/var/spool/rsyslog").mkdir(exist_ok=True)


def _own(folder: Path, owner: str) -> None:
    folder.mkdir(mode=0o755)
    subprocess.run(["chown", f"{owner}:", str(folder)], check=True)


def main(arguments: Sequence[str]) -> int:
    """Run the rounds."""
    rounds, seconds, sizes, *names = arguments
    peers = [peer for peer in PEERS if peer.name in names]
    furnish()
    benchmark = Benchmark(sizes.split(","), float(seconds))
    try:
        with RESULTS.open("w", buffering=1) as results:
            for number in range(1, int(rounds) + 1):
                for peer, size, kind, run in benchmark.round(peers):
                    facts = {"round": number, "peer": peer.name, "size": size, "kind": kind, **dataclasses.asdict(run)}
                    results.write(json.dumps(facts) + "\n")
                    print(_line(number, peer, size, kind, run), flush=True)
    except DaemonError as error:
        print(f"Error: {error}", file=sys.stderr)
        subprocess.run(["cp", "--recursive", "--no-target-directory", "/var/log", str(LOGS)], check=False)
        print(f"What the daemons wrote is in {LOGS.name} beside the results.", file=sys.stderr)
        return 1
    return 0


def _line(number: int, peer: Peer, size: str, kind: str, run: Run) -> str:
    all_cpu, filter_cpu = run.cpu_per_message * 1000, run.member_per_message(filter.MEMBER) * 1000
    return (
        f"  {number}  {peer.name:<20} {size:>4} {kind:<9} {run.rate:8.1f} msg/s {all_cpu:8.2f} ms CPU"
        f" (filter {filter_cpu:5.2f})  others {run.foreign:4.0%}"
    )


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
