"""Ends a run when its owner is gone: ``python -m lab.watchdog RUN``, started by the run itself.

Standard input is a pipe whose other end only the owner holds, so its end is the owner's end, SIGKILL included. A run
that ends by itself, or is to be kept, terminates the watchdog first.
"""

from __future__ import annotations

import sys
from pathlib import Path

from lab import run


def main(path: Path) -> None:
    """Wait for the owner's end, then clear the run away unless it is kept."""
    while sys.stdin.buffer.read(1024):
        pass
    found = run.owner(path)
    if path.exists() and not (found is not None and found[1]):
        run.end(path)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
