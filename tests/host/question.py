"""Asks the appliance much in one SSH command: a program of `remote` goes over, and its JSON answer comes back."""

import base64
import json
import shlex
import zlib
from pathlib import Path
from typing import Any

from testinfra.host import Host

REMOTE = Path(__file__).with_name("remote")
START = "import base64,sys,zlib;exec(compile(zlib.decompress(base64.b64decode(sys.argv.pop(1))),'question','exec'))"

_answers: dict[tuple[str, str, str], Any] = {}


def ask(host: Host, program: str, argument: Any = None) -> Any:
    """The answer of `remote/<program>.py`; asked once per host and argument."""
    text = json.dumps(argument)
    key = (host.backend.get_pytest_id(), program, text)
    if key not in _answers:
        _answers[key] = ask_again(host, program, argument)
    return _answers[key]


def ask_again(host: Host, program: str, argument: Any = None) -> Any:
    """The answer of this moment."""
    done = host.run(command(program, argument))
    assert done.rc == 0, f"remote/{program}.py: {done.stderr.strip().splitlines()[-1:]}"
    return json.loads(done.stdout)


def command(program: str, argument: Any = None) -> str:
    """The line for a shell of the appliance that runs `remote/<program>.py` there."""
    source = (REMOTE / f"{program}.py").read_bytes()
    packed = base64.b64encode(zlib.compress(source, 9)).decode()
    return shlex.join(("python3", "-c", START, packed, json.dumps(argument)))
