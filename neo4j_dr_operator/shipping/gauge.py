"""How far the source is, also while nothing is read because S3 does not take what was read."""

from __future__ import annotations

import threading
import time

from neo4j_dr_operator import errors
from neo4j_dr_operator.graph.bolt import Endpoint
from neo4j_dr_operator.graph.bolt_sync import Database
from neo4j_dr_operator.replication.stream import current
from neo4j_dr_operator.shipping.status import ShipperStatus

PERIOD, PATIENCE = 1.0, 2.5
"""Seconds between two looks, and without a word of the reader before there is any."""


class Gauge(threading.Thread):
    """Asks the source for its position while the reader does not."""

    def __init__(self, endpoint: Endpoint, status: ShipperStatus) -> None:
        super().__init__(name="gauge", daemon=True)
        self._database, self._status = Database(endpoint), status

    def run(self) -> None:
        """Forever."""
        rhythm = threading.Event()
        while not rhythm.wait(PERIOD):
            if time.time() - (self._status.read_at or 0.0) < PATIENCE:
                continue
            try:
                self._status.saw(current(self._database).tx)
            except (errors.DrError, ValueError):
                self._database.close()  # the reader's report says what is wrong
