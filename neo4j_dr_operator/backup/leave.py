"""Leave to go on with a backup, which runs out unless it is renewed.

An operator that does not reach the API server may still reach the store, and so may its worker, while another operator
takes the job over: of two backups in one archive each could delete what the other one has found or put there.
"""

from __future__ import annotations

import threading
import time

from neo4j_dr_operator.backup.process import Stopped

LEAVE = 20.0
"""Seconds for which it holds: two renewals of a job (every 10 s), less than the 30 s after which that is taken over."""
LOOK = 0.2
"""Seconds after which one that waits looks again."""


class Leave:
    """Held for :data:`LEAVE` seconds after ``value`` has changed, whatever it says; for ever where it is None."""

    def __init__(self, value: float | None) -> None:
        self._value, self._at = value, time.monotonic()

    def renew(self, value: float | None) -> None:
        """What its giver says now; the same once more renews nothing."""
        if value != self._value:
            self._value, self._at = value, time.monotonic()

    @property
    def held(self) -> bool:
        """Whether what is not to be done by two may be done now."""
        return self._value is None or time.monotonic() - self._at <= LEAVE

    def wait(self, stopping: threading.Event) -> None:
        """Until it is held. Raises :class:`Stopped`."""
        while not self.held:
            if stopping.wait(LOOK):
                raise Stopped("the job was asked to stop")
