"""Dumps: off; on at the console only, for a limited time, under a cap."""

import io
import os
from pathlib import Path

import pytest
from ksmg.diagnostics.console import NotOnConsole, require_console
from ksmg.diagnostics.dump_writer import keep
from ksmg.diagnostics.dumps import OFF, ON, Dumps, DumpsRefused, dump_files, state
from ksmg.policy import DataPolicy
from unit.moved_policy import moved_policy

HOUR = 3600.0
TTY1, SERIAL, PTS = os.makedev(4, 1), os.makedev(4, 64), os.makedev(136, 3)
LOCAL = {"Remote": "no", "Service": "login", "TTY": "tty1"}
SESSION = "0::/user.slice/user-0.slice/session-3.scope\n"


def machine(
    proc: Path, terminal: int, above: tuple[str, ...] = ("bash", "login", "systemd"), group: str = SESSION
) -> Path:
    """A /proc with a process 100 and those above it."""
    numbers = [100, *range(50, 50 + len(above) - 1), 1]
    for pid, name, parent in zip(numbers, ("ksmg", *above), (*numbers[1:], 0), strict=False):
        (proc / str(pid)).mkdir(parents=True)
        (proc / str(pid) / "stat").write_text(f"{pid} ({name}) S {parent} {pid} {pid} {terminal} 0 0")
    (proc / "100/cgroup").write_text(group)
    return proc


def ask(proc: Path, session: dict[str, str] = LOCAL) -> str:
    return require_console(100, proc, lambda _: session)


@pytest.mark.parametrize("terminal", [TTY1, SERIAL, os.makedev(229, 0), os.makedev(5, 1)])
def test_a_session_on_the_machines_own_terminals_is_the_console(tmp_path: Path, terminal: int) -> None:
    assert ask(machine(tmp_path, terminal)) == f"{os.major(terminal)}:{os.minor(terminal)}"


@pytest.mark.parametrize("service", ["getty@tty1", "serial-getty@ttyS0", "emergency", "rescue"])
def test_a_shell_of_the_consoles_own_service_is_the_console(tmp_path: Path, service: str) -> None:
    group = f"0::/system.slice/system-getty.slice/{service}.service\n"
    assert ask(machine(tmp_path, TTY1, ("bash", "systemd"), group), {})


@pytest.mark.parametrize("terminal", [0, PTS, os.makedev(4, 7), os.makedev(188, 0)])
def test_another_terminal_or_none_is_not_the_console(tmp_path: Path, terminal: int) -> None:
    with pytest.raises(NotOnConsole, match="terminal"):
        ask(machine(tmp_path, terminal))


@pytest.mark.parametrize("name", ["sshd", "sshd-session", "cron", "ksmg-web"])
def test_whatever_was_started_through_ssh_cron_or_web_is_not_the_console(tmp_path: Path, name: str) -> None:
    with pytest.raises(NotOnConsole, match="started through"):
        ask(machine(tmp_path, TTY1, ("bash", "su", "sudo", name, "systemd")))


@pytest.mark.parametrize("session", [{**LOCAL, "Remote": "yes"}, {**LOCAL, "Service": "sshd"}, {}])
def test_a_remote_session_that_took_a_terminal_is_not_the_console(tmp_path: Path, session: dict[str, str]) -> None:
    with pytest.raises(NotOnConsole, match="session"):
        ask(machine(tmp_path, TTY1, ("bash", "systemd")), session)


@pytest.mark.parametrize("group", ["0::/system.slice/ssh.service\n", "0::/system.slice/cron.service\n", "0::/\n"])
def test_a_process_of_another_service_is_not_the_console(tmp_path: Path, group: str) -> None:
    with pytest.raises(NotOnConsole, match="does not belong"):
        ask(machine(tmp_path, TTY1, ("bash", "systemd"), group))


class Switch(Dumps):
    """Dumps of a machine whose kernel is a file, and whose time stands still until it is set."""

    def __init__(self, policy: DataPolicy, pattern: Path) -> None:
        self.now = 1000.0
        pattern.write_text(OFF + "\n")
        super().__init__(policy, pattern, lambda: self.now, pattern.with_name("container"))

    def on(self, hours: int = 24) -> None:
        self.enable(hours, console=lambda: "4:1")


@pytest.fixture
def pattern(tmp_path: Path) -> Path:
    return tmp_path / "core_pattern"


@pytest.fixture
def moved(tmp_path: Path) -> DataPolicy:
    """An appliance below a temporary directory."""
    return moved_policy(tmp_path)


@pytest.fixture
def dumps(moved: DataPolicy, pattern: Path) -> Switch:
    return Switch(moved, pattern)


def enabled(pattern: Path) -> bool:
    return state(pattern=pattern, container=pattern.with_name("container")).enabled


def refuse() -> str:
    raise NotOnConsole("The terminal is not the machine's console.")


def test_away_from_the_console_nothing_changes(dumps: Switch, pattern: Path) -> None:
    with pytest.raises(NotOnConsole):
        dumps.enable(1, console=refuse)
    assert (enabled(pattern), dumps.noted()) == (False, {})


def test_in_a_container_the_kernel_is_left_alone(dumps: Switch, pattern: Path) -> None:
    pattern.with_name("container").write_text("lxc")
    with pytest.raises(DumpsRefused, match="another machine's"):
        dumps.on()
    assert pattern.read_text().strip() == OFF


@pytest.mark.parametrize("hours", [0, 25])
def test_dumps_are_on_for_a_day_at_most(dumps: Switch, hours: int) -> None:
    with pytest.raises(DumpsRefused, match="1 to 24"):
        dumps.on(hours)


def test_what_is_switched_on_at_the_console_is_on_until_its_time(dumps: Switch, pattern: Path) -> None:
    dumps.on(2)
    assert (pattern.read_text(), len(ON) < 128, dumps.over()) == (ON, True, False)
    dumps.now += 2 * HOUR
    assert dumps.over()


def test_a_restart_of_the_machine_ends_it(dumps: Switch, pattern: Path) -> None:
    dumps.on()
    pattern.write_text(OFF)
    assert dumps.over()


def test_switched_off_they_are_overwritten_and_gone(dumps: Switch, moved: DataPolicy, pattern: Path) -> None:
    dumps.on()
    place = Path(moved.row("traces").locations[-1].place)
    (core := place / "1-2-11-rspamd.core").write_bytes(b"memory")
    with core.open("rb") as opened:
        assert dumps.disable() == 1
        assert opened.read() == bytes(6)
    assert (list(place.iterdir()), enabled(pattern), dumps.over()) == ([], False, False)


def test_what_a_killed_process_left_half_written_goes_as_well(dumps: Switch, moved: DataPolicy) -> None:
    place = Path(moved.row("traces").locations[-1].place)
    (place / "1-2-11-rspamd.new").write_bytes(b"memory")
    (place / ".state.json.4711").write_bytes(b"{")
    assert dumps.over()
    assert (dumps.disable(), list(place.iterdir()), dumps.over()) == (0, [], False)


def test_a_reminder_is_due_twice_a_day(dumps: Switch) -> None:
    dumps.on()
    seen = []
    for _ in range(24):
        dumps.now += HOUR
        seen.append(dumps.due())
    assert seen.count(True) == 2
    assert seen.index(True) == 11


def test_dumps_stay_below_their_cap_and_the_newest_stays(dumps: Switch, moved: DataPolicy) -> None:
    dumps.on()
    place = Path(moved.row("traces").locations[-1].place)
    for number in range(9):
        keep(io.BytesIO(b"m" * 300), place / f"{number}-1-11-x.core", dump_files(moved), 1000)
        os.utime(place / f"{number}-1-11-x.core", (number, number))
        assert sum(path.stat().st_size for path in dump_files(moved)) <= 1000
    assert [path.stat().st_size for path in dump_files(moved)] == [250, 250, 250, 250]
    assert dump_files(moved)[-1].name.startswith("8-")
