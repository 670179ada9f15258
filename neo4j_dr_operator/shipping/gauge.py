"""How far the source is, also while nothing is read because S3 takes nothing; and how far back its log goes."""

from __future__ import annotations

import threading
import time

from neo4j_dr_operator import errors
from neo4j_dr_operator.graph.bolt import Endpoint
from neo4j_dr_operator.graph.bolt_sync import Database
from neo4j_dr_operator.graph.position import Position
from neo4j_dr_operator.graph.retention import Pace, Retention
from neo4j_dr_operator.replication.stream import current
from neo4j_dr_operator.shipping.status import ShipperStatus

PERIOD, PATIENCE = 1.0, 2.5
"""Seconds between two looks, and without a word of the reader before there is any."""
LOOK, ASK = 10.0, 600.0
"""Seconds between two looks at the log's oldest entry, and at the policy that prunes it."""

_EARLIEST = "CALL db.cdc.earliest() YIELD id RETURN id"
_POLICY = "SHOW SETTINGS 'db.tx_log.rotation.retention_policy' YIELD value RETURN value"


class Gauge(threading.Thread):
    """Asks the source for its position while the reader does not, and how far back its log goes."""

    def __init__(self, endpoint: Endpoint, status: ShipperStatus) -> None:
        super().__init__(name="gauge", daemon=True)
        self._database, self._status = Database(endpoint), status
        self._pace = Pace()
        self._policy: str | None = None
        self._look_at = self._ask_at = 0.0

    def run(self) -> None:
        """Forever."""
        rhythm = threading.Event()
        while not rhythm.wait(PERIOD):
            try:
                if time.time() - (self._status.read_at or 0.0) >= PATIENCE:
                    self._status.saw(current(self._database).tx)
                if time.monotonic() >= self._look_at:
                    self._look(time.monotonic())
            except (errors.DrError, ValueError):
                self._database.close()  # the reader's report says what is wrong

    def _look(self, now: float) -> None:
        """How far back the log goes."""
        self._look_at = now + LOOK
        if now >= self._ask_at:
            self._ask_at = now + ASK
            try:
                self._policy = str(self._database.row(_POLICY)[0])
            except (errors.PermissionDenied, errors.NotSupported, errors.QueryFailed):
                self._policy = None  # this user may not know
        oldest = Position.decode(self._database.row(_EARLIEST)[0]).commit_millis / 1000
        pace = self._pace.saw(oldest, now) if oldest else None
        self._status.retention = Retention(self._policy, oldest or None, pace)
