"""A virtual machine for a finished image: QEMU with UEFI firmware, its serial console in a file with times.

The disk file is never written: the machine works on an overlay of its own, which can be kept between two boots.
"""

from __future__ import annotations

import os
import re
import shutil
import socket
import subprocess
import tempfile
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

FIRMWARE = Path("/usr/share/OVMF")
ESCAPES = re.compile(rb"\x1b\[[0-9;?]*[A-Za-z]|\x1b[()][A-Z0-9]|\r")
DEAD_END = re.compile(rb"the boot stops here|Kernel panic|emergency mode|Start PXE")
EMULATOR_FAULT = re.compile(rb"Oops: int3")
"""A processor took a breakpoint out of its cache after the kernel had patched it away: no real one does that."""
PROMPT, MONITOR_LIMIT = b"(qemu) ", 10.0
CLUSTER = "64k"
"""Size of a disk's clusters. What is discarded within one of them stays in the file."""
FORWARDED = {2222: 22, 2525: 25, 8443: 443}


class EmulatorFault(TimeoutError):
    """The machine stopped because of QEMU, and not because of what ran in it."""


@dataclass(frozen=True)
class Hardware:
    """What the machine has: memory in MiB, processors, the network device's QEMU options, Secure Boot, its clock.

    ``clock`` is what the clock says at power-on: a UTC time in ISO 8601, or ``utc`` for the host's.
    """

    memory: int = 3072
    processors: int = 2
    network: Sequence[str] = ("user,id=net0",)
    mac: str = "52:54:00:6b:73:6d"
    secure_boot: bool = False
    accelerator: str = "tcg,thread=multi"
    clock: str = "utc"


def command(disk: Path, variables: Path, monitor: Path, hardware: Hardware) -> list[str]:
    """Arguments of QEMU for a disk overlay, the firmware's variables, and a monitor socket."""
    code = FIRMWARE / ("OVMF_CODE_4M.secboot.fd" if hardware.secure_boot else "OVMF_CODE_4M.fd")
    secure = ["-global", "driver=cfi.pflash01,property=secure,value=on"] if hardware.secure_boot else []
    return [
        "qemu-system-x86_64",
        "-accel",
        hardware.accelerator,
        "-cpu",
        "max",
        "-M",
        "q35" + (",smm=on" if hardware.secure_boot else ""),
        "-smp",
        str(hardware.processors),
        "-m",
        str(hardware.memory),
        "-rtc",
        f"base={hardware.clock}",
        "-nodefaults",
        "-display",
        "none",
        "-serial",
        "stdio",
        "-monitor",
        f"unix:{monitor},server=on,wait=off",
        "-device",
        "virtio-rng-pci",
        "-drive",
        f"if=pflash,format=raw,unit=0,file={code},readonly=on",
        "-drive",
        f"if=pflash,format=raw,unit=1,file={variables}",
        "-drive",
        f"if=virtio,format=qcow2,file={disk},cache=unsafe,discard=unmap",
        *(word for device in hardware.network for word in ("-netdev", device)),
        "-device",
        f"virtio-net-pci,netdev=net0,mac={hardware.mac},romfile=",
        *secure,
    ]


def run_here(image: Path) -> None:
    """Boot an image with its console on this terminal; ports 22, 25 and 443 are 2222, 2525 and 8443 of this machine.

    Replaces this process. The image is not written; the machine's disk goes with it.
    """
    folder = Path(tempfile.mkdtemp(prefix="ksmg-machine-"))
    ports = ",".join(f"hostfwd=tcp:127.0.0.1:{here}-:{there}" for here, there in FORWARDED.items())
    machine = Machine(image, folder, Hardware(network=(f"user,id=net0,{ports}",)))
    machine.create()
    arguments = command(machine.disk, machine.variables, folder / "monitor", machine.hardware)
    os.execvp(arguments[0], arguments)


@dataclass
class Machine:
    """A running machine. ``folder`` keeps its overlay, firmware variables and console log."""

    image: Path
    folder: Path
    hardware: Hardware = field(default_factory=Hardware)
    prefix: Sequence[str] = ()  # argument list that enters a network namespace

    def __post_init__(self) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        self.disk, self.variables = self.folder / "disk.qcow2", self.folder / "variables.fd"
        self.log = self.folder / "console.log"
        self._text = b""
        self._seen: list[tuple[float, int]] = []
        self._process: subprocess.Popen[bytes] | None = None

    def create(self, cluster: str = CLUSTER) -> None:
        """A fresh overlay and fresh firmware variables: the next start is a first boot.

        With clusters as small as a file system's blocks each block that is discarded is gone; a first boot, which
        discards the whole disk, takes some 15 s longer then.
        """
        kind = "qcow2" if self.image.suffix == ".qcow2" else "raw"
        make = ["qemu-img", "create", "-q", "-f", "qcow2", "-o", f"cluster_size={cluster}", "-F", kind]
        subprocess.run([*make, "-b", str(self.image.resolve()), str(self.disk)], check=True)
        shutil.copy(FIRMWARE / "OVMF_VARS_4M.fd", self.variables)

    def start(self) -> None:
        """Power on."""
        self._text, self._seen = b"", []
        arguments = [*self.prefix, *command(self.disk, self.variables, self.folder / "monitor", self.hardware)]
        self.started = time.monotonic()
        self._process = subprocess.Popen(
            arguments, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
        )
        threading.Thread(target=self._read, daemon=True).start()

    def wait_for(self, pattern: str, limit: float) -> float:
        """Seconds from power-on until the console shows ``pattern``. Raises TimeoutError with the console's end.

        Does not wait any longer once the boot has stopped for good; EmulatorFault, when that was QEMU's doing.
        """
        wanted, end = re.compile(pattern.encode()), time.monotonic() + limit
        while time.monotonic() < end:
            match = wanted.search(self._text)
            if match:
                return next(at for at, size in self._seen if size >= match.end())
            if self._process is None or self._process.poll() is not None or DEAD_END.search(self._text):
                kind = EmulatorFault if EMULATOR_FAULT.search(self._text) else TimeoutError
                raise kind(f"the machine stopped before {pattern!r}:\n{self.console()[-1500:]}")
            time.sleep(0.05)
        raise TimeoutError(f"no {pattern!r} within {limit} s:\n{self.console()[-1500:]}")

    def console(self) -> str:
        """What the serial console has shown since power-on."""
        return self._text.decode(errors="replace")

    def type(self, text: str) -> None:
        """Type a line on the serial console."""
        assert self._process
        assert self._process.stdin
        self._process.stdin.write(text.encode() + b"\n")
        self._process.stdin.flush()

    def power_off(self) -> None:
        """Pull the plug."""
        if self._process:
            self._process.kill()
            self._process.wait()
            self._process = None

    def press_power_button(self) -> None:
        """Ask the system to switch itself off."""
        with socket.socket(socket.AF_UNIX) as monitor:
            monitor.settimeout(MONITOR_LIMIT)
            monitor.connect(str(self.folder / "monitor"))
            monitor.sendall(b"system_powerdown\n")
            answer = b""
            while answer.count(PROMPT) < 2:  # the greeting's, and the one after the command
                answer += monitor.recv(4096)

    def wait_for_power_off(self, limit: float) -> None:
        """Wait until the machine has switched itself off. Raises subprocess.TimeoutExpired."""
        if self._process:
            self._process.wait(limit)
            self._process = None

    def _read(self) -> None:
        process = self._process
        assert process
        assert process.stdout
        with self.log.open("wb") as log:
            # a pipe is a BufferedReader, which typeshed calls IO[bytes]
            while chunk := process.stdout.read1(65536):  # type: ignore[attr-defined]
                at = time.monotonic() - self.started
                clean = ESCAPES.sub(b"", chunk)
                self._text += clean
                self._seen.append((at, len(self._text)))
                log.write(clean.replace(b"\n", f"\n[{at:7.1f}] ".encode()))
                log.flush()
