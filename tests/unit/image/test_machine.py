"""What the console says of a machine that stopped."""

from pathlib import Path

import pytest
from golden.machine import EmulatorFault, Machine

_PANIC = b"[   54.921920] Kernel panic - not syncing: Fatal exception in interrupt\n"


@pytest.mark.parametrize(
    ("trace", "kind"),
    [
        (b"[   54.918415] Oops: int3: 0000 [#1] PREEMPT SMP NOPTI\n", EmulatorFault),
        (b"[   54.918415] Oops: general protection fault: 0000 [#1] PREEMPT SMP NOPTI\n", TimeoutError),
    ],
)
def test_only_what_no_processor_does_is_blamed_on_the_emulator(
    tmp_path: Path, trace: bytes, kind: type[Exception]
) -> None:
    machine = Machine(tmp_path / "image.raw", tmp_path / "machine")
    machine._text = trace + _PANIC
    with pytest.raises(TimeoutError, match="Kernel panic") as caught:
        machine.wait_for("login: ", 1.0)
    assert caught.type is kind
