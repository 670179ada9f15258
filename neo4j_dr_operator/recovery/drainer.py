"""The drain of one resource: its worker process, and whether it gets on."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any

from neo4j_dr_operator.failover.view import DrainView
from neo4j_dr_operator.restore.drain_config import DrainConfig
from neo4j_dr_operator.workers import Supervisor

_PROGRESS = ("state", "cursorTx", "transactions", "goalTx")
"""What of a report shows that the drain gets on."""


class Drainer:
    """Runs the wanted drain once what writes to its archive has ended."""

    def __init__(self, changed: Callable[[], None], clock: Callable[[], float] = time.monotonic) -> None:
        """`changed` is called after every report and every end; `clock` gives monotonic seconds."""
        self._supervisor: Supervisor[DrainConfig] = Supervisor("drain", changed, job=True)
        self._clock = clock
        self._progress: tuple[object, ...] = ()
        self._since = clock()

    def want(self, config: DrainConfig | None, *, shipping: bool) -> None:
        """Set what should run; `shipping`: whether a shipper does or will, whose last segment has to be waited for."""
        self._supervisor.want(None if shipping else config)

    def view(self) -> DrainView | None:
        """The drain as last reported, None while none is wanted."""
        worker = self._supervisor.worker or self._supervisor.last
        if worker is None:
            return None
        report, epoch = worker.report, worker.config.epoch
        progress = (epoch, *(report.get(name) for name in _PROGRESS))
        if progress != self._progress:
            self._progress, self._since = progress, self._clock()
        return drain_view(epoch, report, self._clock() - self._since)

    async def close(self) -> None:
        """End the worker; what it has applied stays."""
        await self._supervisor.close()


def drain_view(epoch: int, report: Mapping[str, Any], quiet: float) -> DrainView:
    """A worker's report as the machine is told; `quiet`: seconds since one was different."""
    error = report.get("error") or {}
    return DrainView(
        epoch=epoch,
        state=report.get("state") or "starting",
        cursor=report.get("cursor"),
        transactions=int(report.get("transactions") or 0),
        quiet=quiet,
        reason=error.get("reason"),
        message=error.get("message") or "",
    )
