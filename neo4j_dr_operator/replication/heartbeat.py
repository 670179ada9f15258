"""Heartbeats and round trips on a connection of their own, so that applying never delays them."""

from __future__ import annotations

import queue
import threading
import time
import uuid
from dataclasses import dataclass

from neo4j_dr_operator import errors
from neo4j_dr_operator.graph.bolt import Endpoint
from neo4j_dr_operator.graph.bolt_sync import Database
from neo4j_dr_operator.graph.cypher import SITE
from neo4j_dr_operator.replication.report import Lines, Status

PERIOD = 1.0
LONGEST = 5.0
"""A heartbeat that took longer than this many seconds says nothing."""

_BEAT = (
    f"MATCH (s:{SITE} {{key: 'site'}}) SET s.lock = $lock WITH s "
    "WHERE s.epoch = $epoch AND s.role = 'primary' SET s.heartbeat = $at RETURN count(*)"
)


@dataclass(frozen=True, slots=True)
class Beat:
    """A heartbeat to write: ``at`` in ms of the writer's clock."""

    number: int
    epoch: int
    at: int


class Pulse(threading.Thread):
    """Writes heartbeats as they are asked for, and measures a round trip each second."""

    def __init__(self, endpoint: Endpoint, status: Status, lines: Lines) -> None:
        super().__init__(name="pulse", daemon=True)
        self._database = Database(endpoint, timeout=min(endpoint.timeout, LONGEST))
        self._status, self._lines = status, lines
        self._beats: queue.SimpleQueue[Beat] = queue.SimpleQueue()

    def ask(self, beat: Beat) -> None:
        """Write it soon; a line says how it went."""
        self._beats.put(beat)

    def run(self) -> None:
        """Forever."""
        due = time.monotonic()
        while True:
            try:
                beat = self._beats.get(timeout=max(0.0, due - time.monotonic()))
            except queue.Empty:
                self._measure()
                due = time.monotonic() + PERIOD
            else:
                self._lines.write({"heartbeat": {"id": beat.number, **self._write(beat)}})

    def _write(self, beat: Beat) -> dict[str, object]:
        for attempt in (
            1,
            2,
        ):  # the first may meet a connection that died while it was idle
            try:
                rows = self._database.write(_BEAT, epoch=beat.epoch, at=beat.at, lock=uuid.uuid4().hex)
            except errors.DatabaseUnreachable as error:
                self._database.close()
                if attempt == 2 or isinstance(error, errors.TimedOut):
                    return {"ok": False, "error": error.message}
            except errors.DrError as error:
                return {"ok": False, "error": error.message}
            else:
                if rows[0][0] == 1:
                    return {"ok": True, "error": None}
                return {
                    "ok": False,
                    "error": f"the source is not the primary of epoch {beat.epoch}",
                }
        return {"ok": False, "error": "not written"}

    def _measure(self) -> None:
        try:
            self._database.row(
                "RETURN 1"
            )  # opens the connection where there is none, so that it is idle and open below
            began = time.perf_counter()
            self._database.row("RETURN 1")
            self._status.latency = time.perf_counter() - began
        except errors.DrError:
            self._database.close()
            self._status.latency = None
