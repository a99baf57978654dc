"""The finished image file, its system partition mounted read-only."""

import os
from pathlib import Path

ROOT = Path(os.environ["KSMG_IMAGE_ROOT"])


def test_the_machine_id_is_empty() -> None:
    assert (ROOT / "etc/machine-id").read_bytes() == b""
