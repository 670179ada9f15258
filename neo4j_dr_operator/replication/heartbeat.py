"""Heartbeats and round trips on a connection of their own, so that applying never delays them."""

from __future__ import annotations

import queue
import threading
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field, replace

from neo4j_dr_operator import errors
from neo4j_dr_operator.graph.bolt import Endpoint
from neo4j_dr_operator.graph.bolt_sync import Database
from neo4j_dr_operator.graph.cypher import SITE
from neo4j_dr_operator.graph.position import Position
from neo4j_dr_operator.process import Lines
from neo4j_dr_operator.replication.report import Status
from neo4j_dr_operator.replication.stream import CURRENT

PERIOD = 1.0
LONGEST = 5.0
"""A heartbeat that took longer than this many seconds says nothing, and one that has waited longer is not written."""
PATIENCE = 2.0
"""A way that stays silent for so many seconds is taken for lost, until a new connection over it answers."""
AGAIN = 0.2
"""Pause in seconds between two looks at a way that is lost."""
LATE = 60_000
"""A heartbeat that is older than the one that stands there, by less than so many ms, was late on its way and changes
nothing. By more: the writer's clock was set back, and what stands there is what is wrong."""

_BEAT = (
    f"MATCH (s:{SITE} {{key: 'site'}}) SET s.lock = $lock WITH s WHERE s.epoch = $epoch AND s.role = 'primary' "
    "SET s.heartbeat = CASE WHEN s.heartbeat > $at AND s.heartbeat - $at < $late THEN s.heartbeat ELSE $at END "
    "RETURN count(*)"
)


@dataclass(frozen=True, slots=True)
class Beat:
    """A heartbeat to write: ``at`` in ms of the writer's clock; ``asked``: monotonic seconds of this process."""

    number: int
    epoch: int
    at: int
    asked: float = field(default_factory=time.monotonic)


class Pulse(threading.Thread):
    """Writes heartbeats as they are asked for, measures a round trip each second, and sees a lost way come back."""

    def __init__(
        self, endpoint: Endpoint, status: Status, lines: Lines, back: Callable[[float], None] = lambda _: None
    ) -> None:
        """``back``: called when the way is there again, with the seconds after which silence means a dead connection.

        A firewall that has forgotten a connection swallows it without a word, and TCP after an outage waits longer and
        longer: whoever waits on an old connection would wait out its whole time limit.
        """
        super().__init__(name="pulse", daemon=True)
        self._database = Database(endpoint, timeout=min(endpoint.timeout, LONGEST))
        self._way = Database(replace(endpoint, timeout=min(endpoint.timeout, PATIENCE)))
        self._back = back
        self._lost = False
        self._status, self._lines = status, lines
        self._beats: queue.SimpleQueue[Beat] = queue.SimpleQueue()

    def ask(self, beat: Beat) -> None:
        """Write it soon, unless a newer one is asked for before; a line says how it went."""
        self._beats.put(beat)

    def run(self) -> None:
        """Forever."""
        due = time.monotonic()
        while True:
            due = self.step(due)

    def step(self, due: float) -> float:
        """Write what is asked for until ``due`` (monotonic seconds), and measure then; gives when to measure next."""
        if (beat := self._asked(due)) is not None:
            self._answer(beat, self._write(beat))
        if time.monotonic() < due:
            return due
        self._measure()
        return time.monotonic() + (AGAIN if self._lost else PERIOD)

    def _asked(self, due: float) -> Beat | None:
        """The newest heartbeat that was asked for; None: by ``due`` none was that still says something.

        What waited while the way was silent is not written when it is there again: those who asked have given it up.
        """
        try:
            beat = self._beats.get(timeout=max(0.0, due - time.monotonic()))
            while not self._beats.empty():  # nobody else takes any
                self._answer(beat, {"ok": False, "error": "a newer one was asked for before it could be written"})
                beat = self._beats.get()
        except queue.Empty:
            return None
        if time.monotonic() - beat.asked <= LONGEST:
            return beat
        self._answer(beat, {"ok": False, "error": f"it could not be written within {LONGEST:g} s"})
        return None

    def _answer(self, beat: Beat, result: dict[str, object]) -> None:
        self._lines.write({"heartbeat": {"id": beat.number, **result}})

    def _write(self, beat: Beat) -> dict[str, object]:
        for attempt in (
            1,
            2,
        ):  # the first may meet a connection that died while it was idle
            try:
                rows = self._database.write(_BEAT, epoch=beat.epoch, at=beat.at, late=LATE, lock=uuid.uuid4().hex)
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
            # The first opens the connection where there is none, so that it is idle and open for the second.
            self._status.head = self._newest()
            began = time.perf_counter()
            self._way.row("RETURN 1")
            self._status.latency = time.perf_counter() - began
        except errors.DrError:
            self._way.close()
            self._status.latency = self._status.head = None
            self._lost = True
        else:
            if self._lost:
                self._lost = False
                self._database.close()
                self._back(PATIENCE)

    def _newest(self) -> int | None:
        """The source's newest transaction; None where its stream has no answer, which the reader reports."""
        try:
            return Position.decode(self._way.row(CURRENT)[0]).tx
        except errors.DatabaseUnreachable:
            raise
        except (errors.DatabaseError, ValueError):
            return None
