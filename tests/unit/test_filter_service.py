"""The filter as a whole: started, sent a message while no engine runs, and ended in good order."""

import asyncio
import os
import signal
import socket
import struct
from collections.abc import Iterator
from pathlib import Path

import pytest
from ksmg.checks.catalogue import make_checks
from ksmg.filter.server import Server
from ksmg.filter.service import FilterService
from ksmg.mail.spool import Spool
from ksmg.milter.packets import Packet, PacketParser
from ksmg.milter.replies import ACCEPT
from ksmg.policy import DataPolicy
from ksmg.settings import Settings
from ksmg.stores.locations import open_message_events, open_system_events, spool_directory
from ksmg.stores.system_events import Name
from ksmg.system import systemd
from ksmg.system.account import WrongAccount, become, caller
from ksmg.system.syslog import Syslog
from unit.moved_policy import moved_policy

NEGOTIATION = Packet(b"O", struct.pack("!III", 6, 0x1FF, 0x1FFFFF))
MESSAGE = [Packet(b"M", b"<a@example.com>\0"), Packet(b"R", b"<b@example.org>\0"), Packet(b"E", b"body\r\n")]


@pytest.fixture
def policy(tmp_path: Path) -> DataPolicy:
    return moved_policy(tmp_path)


@pytest.fixture
def listening(tmp_path: Path) -> Iterator[socket.socket]:
    with socket.socket(socket.AF_UNIX) as opened:
        opened.bind(str(tmp_path / "socket"))
        opened.listen()
        yield opened


def left_in(directory: Path) -> list[Path]:
    return list(directory.iterdir())


async def ask(path: Path, *packets: Packet) -> Packet:
    """Sends packets on a new connection and returns the answer to the last one."""
    reader, writer = await asyncio.open_unix_connection(str(path))
    parser, answers = PacketParser(), list[Packet]()
    writer.write(b"".join(packet.encode() for packet in packets))
    async with asyncio.timeout(10):
        while len(answers) < 2 and (data := await reader.read(4096)):
            answers.extend(parser.feed(data))
    writer.close()
    await writer.wait_closed()
    return answers[-1]


async def test_without_engines_mail_waits_and_each_step_is_an_event(
    policy: DataPolicy, listening: socket.socket, tmp_path: Path
) -> None:
    (spool_directory(policy) / "left.eml").write_bytes(b"left by an earlier run")
    settings = Settings({"hostname": "gw.example.org"})
    checks = make_checks(settings, tmp_path / "clamd", tmp_path / "rspamd")
    service = FilterService(policy, settings, checks, Syslog("ksmg-filter", tmp_path / "log"))
    running = asyncio.create_task(service.run(listening))
    answer = await ask(tmp_path / "socket", NEGOTIATION, *MESSAGE)
    os.kill(os.getpid(), signal.SIGTERM)
    await running
    assert answer.data.startswith(b"451 4.7.1 ")
    (event,) = open_message_events(policy, settings).search()
    assert (event.action, event.node, event.sender) == ("tempfail", "gw.example.org", "a@example.com")
    assert {verdict["reason"] for verdict in event.verdicts if verdict["check"] != "content"} == {"unreachable"}
    names = [found.name for found in open_system_events(policy, settings).newest()]
    assert (names[0], set(names[1:-1]), names[-1]) == (Name.FILTER_STOPPED, {Name.ENGINE_DOWN}, Name.FILTER_STARTED)
    assert left_in(spool_directory(policy)) == []


async def test_the_end_waits_for_the_message_under_way_and_not_for_idle_connections(
    listening: socket.socket, tmp_path: Path
) -> None:
    judging, go_on = asyncio.Event(), asyncio.Event()

    async def process(*_: object) -> list[Packet]:
        judging.set()
        await go_on.wait()
        return [ACCEPT]

    server = Server(Spool(tmp_path), process)
    await server.start(listening)
    busy = asyncio.create_task(ask(tmp_path / "socket", NEGOTIATION, *MESSAGE))
    reader, writer = await asyncio.open_unix_connection(str(tmp_path / "socket"))
    await judging.wait()
    ending = asyncio.create_task(server.stop())
    assert await reader.read() == b""
    assert not ending.done()
    go_on.set()
    assert await busy == ACCEPT
    writer.close()
    await writer.wait_closed()


def test_systemd_is_told_when_it_wants_to_know(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    systemd.notify("READY=1")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as receiver:
        receiver.bind(str(tmp_path / "notify"))
        monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "notify"))
        systemd.notify("READY=1")
        assert receiver.recv(100) == b"READY=1"


@pytest.mark.parametrize(("limit", "interval"), [("", None), ("0", None), ("x", None), ("60000000", 30.0)])
def test_the_watchdog_is_fed_twice_as_often_as_needed(
    limit: str, interval: float | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WATCHDOG_USEC", limit)
    assert systemd.watchdog_interval() == interval


def test_sockets_for_another_process_are_not_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LISTEN_PID", "1")
    monkeypatch.setenv("LISTEN_FDS", "1")
    assert systemd.listening_sockets() == []


def test_only_root_can_become_another_account(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(WrongAccount, match="There is no account"):
        become("nobody-of-that-name")
    monkeypatch.setattr(os, "geteuid", lambda: 4711)
    with pytest.raises(WrongAccount, match="Only root and daemon"):
        become("daemon")


def test_the_caller_is_whoever_was_there_before_sudo(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "getuid", lambda: 0)
    monkeypatch.setenv("SUDO_UID", "1")
    assert caller() == "daemon"
    monkeypatch.setenv("SUDO_UID", "nonsense")
    assert caller() == "root"
