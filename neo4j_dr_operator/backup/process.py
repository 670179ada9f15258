"""A worker process that does one job and ends: configuration line in, reports out (docs/architecture.md).

Threads: commands (standard input), reports (standard output), and whatever the job starts; the job is done by the main
thread. The process ends at once when its standard input ends: its parent died.
"""

from __future__ import annotations

import gc
import io
import logging
import os
import random
import sys
import threading
from collections.abc import Callable
from typing import Protocol

import orjson

from neo4j_dr_operator import errors
from neo4j_dr_operator.backup.status import PERIOD, JobStatus
from neo4j_dr_operator.replication.reader import RETRIED
from neo4j_dr_operator.replication.report import Lines, Problem, Reporter
from neo4j_dr_operator.replication.stream import SourceFailure

log = logging.getLogger(__name__)

EXIT_FINISHED, EXIT_FAILED, EXIT_ORPHANED = 0, 3, 4
FIRST_PAUSE, LONGEST_PAUSE = 0.1, 5.0


class Stopped(errors.DrError):
    """The job was asked to end before it was done. What it has done serves the next try."""

    reason = "Stopped"


class Job(Protocol):
    """What such a process does."""

    def run(self) -> None:
        """Do it. Raises :class:`errors.DrError` for what no retry will mend."""
        ...


class Patience:
    """Waits out what may pass, and says so in the status meanwhile."""

    def __init__(self, status: JobStatus) -> None:
        self._status = status
        self._pause = FIRST_PAUSE
        self.stopping = threading.Event()

    def well(self) -> None:
        """Something succeeded. Raises :class:`Stopped`."""
        self._pause = FIRST_PAUSE
        self._status.problem = None
        if self.stopping.is_set():
            raise Stopped("the job was asked to stop")

    def trouble(self, error: errors.DrError) -> None:
        """Wait until another try makes sense. Raises ``error`` when none does, :class:`Stopped`."""
        cause = error.cause if isinstance(error, SourceFailure) else error
        if not isinstance(cause, (*RETRIED, errors.ObjectStoreUnreachable)):
            raise error
        problem = Problem.of(error)
        if problem != self._status.problem:
            log.warning("%s: %s", problem.reason, problem.message)
        self._status.problem = problem
        self._status.changed.set()
        pause, self._pause = self._pause, min(self._pause * 2, LONGEST_PAUSE)
        if self.stopping.wait(pause * random.uniform(0.5, 1.0)):
            raise Stopped("the job was asked to stop")


def serve(status: JobStatus, begin: Callable[[bytes, Patience], Job]) -> int:
    """Run one job; the exit code is 0 when it is done, 3 when it cannot be, 4 when its parent died."""
    logging.basicConfig(stream=sys.stderr, level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s %(message)s")
    for vendor in ("neo4j", "botocore", "boto3", "urllib3"):
        logging.getLogger(vendor).setLevel(logging.CRITICAL)
    lines, patience = Lines(), Patience(status)
    stdin = io.FileIO(0, closefd=False)  # unbuffered: a thread that waits in a buffered reader blocks the exit
    try:
        job = begin(stdin.readline(), patience)
        gc.collect()
        gc.freeze()
        gc.set_threshold(100_000, 50, 50)  # collections over large lists of rows are pure loss
        threading.Thread(target=_commands, args=(patience, stdin), name="commands", daemon=True).start()
        Reporter(status, lines, PERIOD).start()
        job.run()
    except errors.DrError as error:
        return _failed(status, lines, error)
    except Exception as error:  # the boundary of the process: a mistake of ours is reported like any other failure
        log.exception("the job failed")
        return _failed(status, lines, errors.DrError(f"{type(error).__name__} in the worker"))
    status.become("finished")
    lines.write(status.line())
    return EXIT_FINISHED


def _commands(patience: Patience, stdin: io.RawIOBase) -> None:
    """Standard input until it ends, and with it the process."""
    while line := stdin.readline():
        try:
            if orjson.loads(line)["do"] == "finish":
                patience.stopping.set()
            else:
                log.warning("unknown command")
        except (ValueError, KeyError, TypeError):
            log.warning("a command line makes no sense")
    os._exit(EXIT_ORPHANED)


def _failed(status: JobStatus, lines: Lines, error: errors.DrError) -> int:
    status.problem = Problem.of(error)
    log.error("%s: %s", status.problem.reason, status.problem.message)
    status.become("failed")
    lines.write(status.line())
    return EXIT_FAILED
