"""A worker process that does one job and ends: what waits, and what stops it (docs/architecture.md)."""

from __future__ import annotations

import logging
import random
import threading
from collections.abc import Callable
from typing import Protocol

import orjson

from neo4j_dr_operator import errors, process
from neo4j_dr_operator.backup.status import PERIOD, JobStatus
from neo4j_dr_operator.process import Lines, Work
from neo4j_dr_operator.replication.reader import RETRIED
from neo4j_dr_operator.replication.report import Problem
from neo4j_dr_operator.replication.stream import SourceFailure

log = logging.getLogger(__name__)

FIRST_PAUSE, LONGEST_PAUSE = 0.1, 5.0


class Stopped(errors.DrError):
    """The job was asked to end before it was done. What it has done serves the next try."""

    reason = "Stopped"


class Job(Protocol):
    """What such a process does."""

    def run(self) -> None:
        """Do it. Raises :class:`errors.DrError` for what no retry will mend."""
        ...


Renew = Callable[[bytes], None]
"""Takes another configuration line, of which counts what may change meanwhile. Called from another thread."""


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
    """Run one job; the exit code is 0 when it is done, 3 when it cannot be, 4 when its parent died.

    A job with a method ``renew`` is told what has changed of its configuration (:data:`Renew`).
    """
    patience = Patience(status)

    def started(line: bytes, _: Lines) -> Work:
        job = begin(line, patience)
        commands: dict[str, Callable[[process.Command], None]] = {"finish": lambda _: patience.stopping.set()}
        renew: Renew | None = getattr(job, "renew", None)
        if renew is not None:
            commands["renew"] = lambda command: _renewed(renew, command)
        return Work(job.run, commands)

    return process.serve(status, started, PERIOD)


def _renewed(renew: Renew, command: process.Command) -> None:
    try:
        renew(orjson.dumps(command["plan"]))
    except errors.DrError as error:  # it goes on as it was
        log.warning("%s: %s", error.reason, error.message)
