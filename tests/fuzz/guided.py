"""`python -m fuzz.guided TARGET RUNS CORPUS ARTIFACTS`: one target under the coverage-guided fuzzer.

The fuzzer (atheris, which is libFuzzer) ends its process when it is done, so that each target has one of its own.
"""

import importlib
import sys
from pathlib import Path
from typing import Any

SEED = 20_261_124
LONGEST_INPUT = 2_048
LONGEST_RUN = 1_800
"""Seconds for one target."""


def main(target: str, runs: str, corpus: str, artifacts: str) -> None:
    """Fuzzes; prints libFuzzer's lines. Its exit code is not 0 when an input broke a promise."""
    atheris: Any = importlib.import_module("atheris")
    with atheris.instrument_imports(include=["ksmg.inspection", "ksmg.milter", "ksmg.mail"]):
        targets = importlib.import_module("fuzz.targets")
    function = targets.TARGETS[target]

    def one(data: bytes) -> None:
        targets.try_input(function, data)

    fresh = Path(artifacts) / f"{target}-corpus"
    fresh.mkdir(parents=True, exist_ok=True)
    options = [
        f"-runs={runs}",
        f"-seed={SEED}",
        f"-max_len={LONGEST_INPUT}",
        f"-max_total_time={LONGEST_RUN}",
        "-timeout=10",
        "-rss_limit_mb=2048",
        "-print_final_stats=1",
        f"-artifact_prefix={artifacts}/{target}-",
        str(fresh),
        corpus,
    ]
    atheris.Setup([sys.argv[0], *options], one)
    atheris.Fuzz()


if __name__ == "__main__":
    main(*sys.argv[1:])
