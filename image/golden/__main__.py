"""``python -m golden image|deb``: the builder's command line, called by the Makefile."""

from __future__ import annotations

import argparse
import signal
import sys
from pathlib import Path

from golden import pipeline
from golden.problem import Problem
from golden.target import REPOSITORY

INTERRUPTED = 130
DISK_CURE = "Free space, or correct the permissions there, and run it again: finished stages are kept."


def main() -> int:
    """Run one command; exit code 0, 1 for a problem, 130 when interrupted."""
    parser = argparse.ArgumentParser(prog="golden", description="Builds the appliance's golden image.")
    parser.add_argument(
        "command",
        choices=["image", "deb", "boot"],
        help="image: the bootable disk; deb: the gateway's Debian package alone",
    )
    parser.add_argument(
        "--site", default="example", help="folder below inventory/, or a path within the repository (default: example)"
    )
    parser.add_argument("--out", type=Path, default=REPOSITORY / "out", help="folder for the results (default: out)")
    arguments = parser.parse_args()
    for end in (signal.SIGINT, signal.SIGTERM):
        signal.signal(end, signal.default_int_handler)
    commands = {"image": pipeline.image, "deb": pipeline.gateway_package, "boot": pipeline.boot}
    try:
        return commands[arguments.command](arguments.site, arguments.out)
    except OSError as error:
        print(f"Error: {error.filename or 'A file'}: {error.strerror or error}.", DISK_CURE, sep="\n", file=sys.stderr)
        return 1
    except Problem as problem:
        print(
            "\n".join(part for part in (problem.output, f"Error: {problem.sentence}", problem.cure) if part),
            file=sys.stderr,
        )
        return 1
    except KeyboardInterrupt:
        print("Interrupted: nothing is left running or mounted; finished stages stay in the cache.", file=sys.stderr)
        return INTERRUPTED


if __name__ == "__main__":
    sys.exit(main())
