"""`python -m fuzz.generated EXAMPLES`: mail made by hypothesis, always the same, through the walk and the readers."""

import sys

from hypothesis import HealthCheck, given, settings

from fuzz.mail import messages
from fuzz.targets import open_file, try_input, walk_mime


def main(examples: str) -> int:
    """Tries so many messages and prints how many it were. Raises what an input raises."""
    count = 0

    @settings(
        max_examples=int(examples),
        deadline=None,
        derandomize=True,
        database=None,
        suppress_health_check=list(HealthCheck),
    )
    @given(messages())
    def run(raw: bytes) -> None:
        nonlocal count
        count += 1
        try_input(walk_mime, raw)
        try_input(open_file, raw)

    run()
    print(f"executed {count}")
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
