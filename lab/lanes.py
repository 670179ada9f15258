"""Commands beside each other, each line with its lane's name before it: ``python -m lab.lanes NAME=COMMAND ...``.

A shell would start them with Ctrl-C ignored, and so would everything that they start. The exit code is that of the
first lane that failed, in the order given; all run to their end, whatever another does.
"""

from __future__ import annotations

import shlex
import subprocess
import sys
import threading
from collections.abc import Sequence
from typing import TextIO

USAGE = "usage: python -m lab.lanes NAME=COMMAND ...\n"


class Lane:
    """One command that runs."""

    def __init__(self, name: str, command: str, out: TextIO, lock: threading.Lock, width: int) -> None:
        self._process = subprocess.Popen(
            shlex.split(command),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
        )
        self._before, self._out, self._lock = f"{name:{width}} | ", out, lock
        self._thread = threading.Thread(target=self._tell, daemon=True)
        self._thread.start()

    def _tell(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            with self._lock:
                self._out.write(f"{self._before}{line.rstrip()}\n")
                self._out.flush()

    def end(self) -> int:
        """Wait for it, and until all its lines are told; its exit code."""
        code = self._process.wait()
        self._thread.join()
        return code


def run(commands: Sequence[tuple[str, str]], out: TextIO) -> int:
    """Run them all; see above. A Ctrl-C reaches all of them from the terminal and is waited for here."""
    lock, width = threading.Lock(), max(len(name) for name, _ in commands)
    lanes = [Lane(name, command, out, lock, width) for name, command in commands]
    codes = [_ended(lane) for lane in lanes]
    return next((code if code > 0 else 128 - code for code in codes if code), 0)


def _ended(lane: Lane) -> int:
    while True:
        try:
            return lane.end()
        except KeyboardInterrupt:
            continue


def main(arguments: Sequence[str]) -> int:
    """The exit code."""
    commands = [(name, command) for name, _, command in (each.partition("=") for each in arguments) if command]
    if not commands or len(commands) != len(arguments):
        sys.stderr.write(USAGE)
        return 2
    return run(commands, sys.stdout)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
