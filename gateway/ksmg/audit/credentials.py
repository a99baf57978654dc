"""Becoming somebody else in a child process: an account, or a service with its capabilities inside its namespaces."""

import ctypes
import json
import os
import struct
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

_CAPABILITY_VERSION_3 = 0x20080522
_PR_SET_KEEPCAPS = 8
_DECIDING = 1 << 1 | 1 << 2
"""CAP_DAC_OVERRIDE and CAP_DAC_READ_SEARCH: the capabilities that opening a file depends on."""
_CLONE_NEWNS = 0x00020000
_CLONE_NEWUSER = 0x10000000
_libc = ctypes.CDLL(None, use_errno=True)


@dataclass(frozen=True)
class Credentials:
    """Who a process is. `capabilities` are its effective ones as a set of bits; None for all that we have ourselves."""

    uid: int
    gid: int
    groups: frozenset[int]
    capabilities: int | None = 0


def as_somebody(who: Credentials, action: Callable[[int], Any], inside: int | None = None) -> Any:
    """The action's JSON-able answer, given by a child that has become `who`, within the mounts of the process `inside`.

    The action gets the directory of the child's descriptors: a service can have a /proc in which the child is not.
    Raises OSError when the child could not become that.
    """
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        answer: dict[str, Any] = {"error": "ended early", "number": 0}
        try:
            descriptors = os.open("/proc/self/fd", os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
            _enter(who, inside)
            answer = {"answer": action(descriptors)}
        except OSError as error:
            answer = {"error": error.strerror or str(error), "number": error.errno or 0}
        finally:
            with suppress(OSError):
                _send(writer, json.dumps(answer).encode())
            os._exit(0)
    os.close(writer)
    with open(reader, encoding="utf-8") as pipe:
        text = pipe.read()
    os.waitpid(child, 0)
    found = json.loads(text) if text else {"error": "ended early", "number": 0}
    if "error" in found:
        raise OSError(found["number"], found["error"])
    return found["answer"]


def _send(descriptor: int, data: bytes) -> None:
    while data:
        data = data[os.write(descriptor, data) :]


def _enter(who: Credentials, inside: int | None) -> None:
    """Mounts first, groups next, and the user namespace before the uid: in it only the service's own ids exist."""
    namespaces = _namespaces(inside) if inside else {}
    if "mnt" in namespaces:
        _check(_libc.setns(namespaces["mnt"], _CLONE_NEWNS))
    os.setgroups(sorted(who.groups))
    os.setresgid(who.gid, who.gid, who.gid)
    if "user" in namespaces:
        _check(_libc.setns(namespaces["user"], _CLONE_NEWUSER))
    if who.capabilities:
        _check(_libc.prctl(_PR_SET_KEEPCAPS, 1, 0, 0, 0))
    os.setresuid(who.uid, who.uid, who.uid)
    if who.capabilities is not None:
        _set_capabilities(who.capabilities)


def _namespaces(pid: int) -> dict[str, int]:
    """The namespaces of a process that are not our own, open."""
    found = {}
    for name in ("mnt", "user"):
        descriptor = os.open(f"/proc/{pid}/ns/{name}", os.O_RDONLY | os.O_CLOEXEC)
        if os.fstat(descriptor).st_ino != os.stat(f"/proc/self/ns/{name}").st_ino:
            found[name] = descriptor
    return found


def _set_capabilities(bits: int) -> None:
    """capset(2): of these, those that decide about files are permitted and effective, and no other."""
    header = struct.pack("=Ii", _CAPABILITY_VERSION_3, 0)
    held = bits & _DECIDING
    _check(_libc.capset(header, struct.pack("=6I", held, held, 0, 0, 0, 0)))


def _check(result: int) -> None:
    if result:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
