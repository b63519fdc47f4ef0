"""Entry point of the command ``rematch``: what a user can mend is one message and an exit code, not a traceback."""

from __future__ import annotations

import sys


def main() -> None:
    """Run the command line; see docs/command-line.md for the exit codes."""
    from flows.cli import run_command_line  # noqa: PLC0415  keeps `python -m flows` and the script alike

    sys.exit(run_command_line(sys.argv[1:]))


if __name__ == "__main__":
    main()
