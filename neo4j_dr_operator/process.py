"""The shell of every worker process: a configuration line in, reports out, and an end with its parent.

Threads: commands (standard input), reports (standard output), and whatever the work starts; the work is done by the
main thread. The process ends at once when its standard input ends: its parent died. The parent's side is
:mod:`neo4j_dr_operator.workers`.
"""

from __future__ import annotations

import gc
import io
import logging
import os
import sys
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import orjson

from neo4j_dr_operator import memory
from neo4j_dr_operator.errors import DrError

log = logging.getLogger(__name__)

EXIT_FINISHED, EXIT_FAILED, EXIT_ORPHANED = 0, 3, 4
PERIOD = 0.5
"""Seconds between two reports of a worker that has no other wish."""
_VENDORS = ("neo4j", "botocore", "boto3", "urllib3")
"""Clients that log every failure themselves; ours is reported once, in our words."""


class Reported(Protocol):
    """A worker's status, as its shell sees it. Setting ``changed`` makes the reporter speak at once."""

    changed: threading.Event

    def line(self) -> dict[str, Any]:
        """The report."""
        ...

    def become(self, state: str) -> None:
        """Enter a state; the reporter says so at once."""
        ...

    def fail(self, error: DrError) -> tuple[str, str]:
        """The worker cannot go on: state ``failed``. Reason and message as the report shows them."""
        ...


class Lines:
    """Standard output as a stream of JSON lines, one at a time from any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()

    def write(self, value: dict[str, Any]) -> None:
        """One line, at once."""
        with self._lock:
            sys.stdout.buffer.write(orjson.dumps(value) + b"\n")
            sys.stdout.buffer.flush()


class Reporter(threading.Thread):
    """Writes the status until the process ends."""

    def __init__(self, status: Reported, lines: Lines, period: float = PERIOD) -> None:
        """``period``: seconds between two reports while nothing changes."""
        super().__init__(name="report", daemon=True)
        self._status, self._lines, self._period = status, lines, period

    def run(self) -> None:
        """Forever."""
        while True:
            self._lines.write(self._status.line())
            self._status.changed.wait(self._period)
            self._status.changed.clear()


Command = Mapping[str, Any]


@dataclass(frozen=True)
class Work:
    """What a worker does. ``run`` raises :class:`DrError` for what no retry will mend; ``commands``: what to do at a
    line ``{"do": …}``, called from another thread; each may raise KeyError, TypeError or ValueError for one that makes
    no sense."""

    run: Callable[[], None]
    commands: Mapping[str, Callable[[Command], None]]


def serve(status: Reported, begin: Callable[[bytes, Lines], Work], period: float = PERIOD) -> int:
    """Run one worker. ``begin`` is given the configuration line, and what to write other lines than reports with.

    The exit code is 0 when the work is done, 3 when it cannot be, 4 when the parent died.
    """
    logging.basicConfig(stream=sys.stderr, level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s %(message)s")
    for vendor in _VENDORS:
        logging.getLogger(vendor).setLevel(logging.CRITICAL)
    lines = Lines()
    stdin = io.FileIO(0, closefd=False)  # unbuffered: a thread that waits in a buffered reader blocks the exit
    try:
        work = begin(stdin.readline(), lines)
        gc.collect()
        gc.freeze()
        gc.set_threshold(100_000, 50, 50)  # collections over large lists of rows are pure loss
        commands = {"memory": _allot, **work.commands}
        threading.Thread(target=_obey, args=(commands, stdin), name="commands", daemon=True).start()
        Reporter(status, lines, period).start()
        work.run()
    except DrError as error:
        return _failed(status, lines, error)
    except Exception as error:  # the boundary of the process: a mistake of ours is reported like any other failure
        log.exception("the worker failed")
        return _failed(status, lines, DrError(f"{type(error).__name__} in the worker"))
    status.become("finished")
    lines.write(status.line())
    return EXIT_FINISHED


def _allot(command: Command) -> None:
    """What the parent sends to every worker: its part of the container's memory."""
    memory.MINE.bytes = int(command["bytes"])


def _obey(commands: Mapping[str, Callable[[Command], None]], stdin: io.RawIOBase) -> None:
    """Standard input until it ends, and with it the process."""
    while line := stdin.readline():
        try:
            command = orjson.loads(line)
            if (act := commands.get(command["do"])) is not None:
                act(command)
            else:
                log.warning("unknown command")
        except (ValueError, KeyError, TypeError):
            log.warning("a command line makes no sense")
    os._exit(EXIT_ORPHANED)


def _failed(status: Reported, lines: Lines, error: DrError) -> int:
    log.error("%s: %s", *status.fail(error))
    lines.write(status.line())
    return EXIT_FAILED
