"""What a standby lacks and the archive of its dead primary has, applied before the standby is promoted.

The link in the target says how far it is and decides alone: whatever came from the stream, and whatever a drain before
this one took, stands before its cursor (docs/replication.md, "Draining from the archive").
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

from neo4j_dr_operator import errors
from neo4j_dr_operator.backup.process import Patience
from neo4j_dr_operator.backup.status import JobStatus
from neo4j_dr_operator.graph.bolt_sync import Database
from neo4j_dr_operator.graph.position import Position
from neo4j_dr_operator.objectstore.objects import Bucket
from neo4j_dr_operator.replication import link
from neo4j_dr_operator.replication.faults import Faults
from neo4j_dr_operator.replication.fold import Net
from neo4j_dr_operator.replication.link import LinkState, LinkWriter
from neo4j_dr_operator.replication.report import Problem
from neo4j_dr_operator.restore.beyond import Beyond
from neo4j_dr_operator.restore.drain_config import DrainConfig
from neo4j_dr_operator.restore.point import Point
from neo4j_dr_operator.restore.reading import Replay
from neo4j_dr_operator.restore.refusals import ArchiveMissing, WrongDatabase
from neo4j_dr_operator.restore.sink import Sink, attach, begun
from neo4j_dr_operator.shipping import names
from neo4j_dr_operator.shipping.chain import Chain, Tail
from neo4j_dr_operator.shipping.reading import ArchiveBroken, SegmentReader
from neo4j_dr_operator.shipping.segment import CONTINUATION

POINTS = ("begin", "commit", "committed", "checkpoint", "attached", "found", "drained")
"""Where a test can have the process killed: as in replication, and between the parts of a drain."""
LOSSES = 5
"""How often another worker may have been at the link: then there is another one."""
STORE_PATIENCE = 15.0
"""Seconds for which a store that does not answer is asked again: nobody can write while a drain runs."""
STORE_TIMEOUT = 5.0
"""Seconds to wait for one answer of the store, at most."""
T = TypeVar("T")


class LinkTaken(errors.Stale):
    """The link is not at the epoch of this drain, or no exact copy: nothing may be applied."""


@dataclass
class DrainStatus(JobStatus):
    """``transactions``: taken from the archive in this drain, also by processes before this one. ``goal_tx``: the last
    one that the archive had when it was looked at. ``done`` and ``total`` count transaction numbers."""

    epoch: int = 0
    cursor: str | None = None
    cursor_tx: int | None = None
    transactions: int = 0
    goal_tx: int | None = None

    def more(self) -> dict[str, Any]:
        """See :class:`JobStatus`."""
        return {
            "epoch": self.epoch,
            "cursor": self.cursor,
            "cursorTx": self.cursor_tx,
            "transactions": self.transactions,
            "goalTx": self.goal_tx,
        }


class Drain:
    """One drain, by the main thread of its process."""

    def __init__(self, config: DrainConfig, status: DrainStatus, patience: Patience, faults: Faults) -> None:
        """Nothing is sent yet. Raises errors of the configuration."""
        self._config, self._status, self._patience, self._faults = config, status, patience, faults
        self._target = Database(config.target, leading=True)
        self._bucket = Bucket(config.source, min(config.timeout, STORE_TIMEOUT), None)
        status.epoch = config.epoch

    def run(self) -> None:
        """Until everything that the archive had is applied. Raises :class:`errors.DrError` for what no retry mends;
        what was applied by then stays: whole transactions, in the order of commit."""
        losses = 0
        while True:
            try:
                self._carry()
                return
            except (LinkTaken, errors.ObjectStoreError):
                raise
            except errors.ReadOnlyRefused as error:  # the operator opens a standby that it finds closed
                self._status.problem = Problem.of(error)
                if self._patience.stopping.wait(1.0):
                    raise
            except errors.Stale:
                losses += 1
                if losses == LOSSES or self._patience.stopping.wait(1.0):
                    raise
            except errors.DrError as error:
                self._patience.trouble(error)
            self._target.close()

    def _carry(self) -> None:
        config, status = self._config, self._status
        status.become("attaching")
        writer = self._attach()
        self._faults.at("attached")
        status.become("surveying")
        cursor = Position.decode(writer.state.cursor)
        chain = Chain(self._bucket, config.archive, config.archive_epoch, None)
        tail = self._tail(chain, cursor)
        status.goal_tx = tail.position.tx
        status.total = max(0, tail.position.tx - cursor.tx)
        for epoch, end in self._way(chain, tail, cursor):
            place = Position.decode(writer.state.cursor)
            if end.position.tx <= place.tx:
                continue
            beyond = Beyond(config.archive, epoch, end, place, self._fetch)
            first = beyond.first()
            self._faults.at("found")
            status.become("draining")
            self._take(writer, beyond, first, cursor, end)
        self._faults.at("drained")

    def _attach(self) -> LinkWriter:
        config = self._config
        state = link.read(self._target, config.link)
        if state is None:
            raise errors.LinkMissing(f"the target has no link {config.link}")
        self._mine(state)
        writer = attach(self._target, config.link, self._faults)
        self._mine(writer.state)
        self._written(writer.state)
        return writer

    def _mine(self, state: LinkState) -> None:
        if (state.epoch, state.phase) != (self._config.epoch, link.STREAMING):
            raise LinkTaken(
                f"link {state.link} is at epoch {state.epoch}, phase {state.phase}; this drain is of epoch "
                f"{self._config.epoch}"
            )

    def _take(self, writer: LinkWriter, beyond: Beyond, first: int, cursor: Position, tail: Tail) -> None:
        """Apply what the target lacks, up to the end that was read."""

        def applied(_: Net) -> None:
            self._status.done = writer.state.cursor_tx - cursor.tx

        sink = Sink(writer, self._patience, self._written, applied)
        if writer.state.drain_epoch != self._config.epoch:
            sink.move(begun(writer.state, self._config.epoch))
        bound = Point(tx=tail.position.tx)
        with Replay(beyond.segments(first), writer.state.cursor_tx, bound).running() as replay:
            sink.replay(replay, self._config.batch_size, drained=True)

    def _written(self, state: LinkState) -> None:
        status = self._status
        status.cursor, status.cursor_tx = state.cursor, state.cursor_tx
        status.transactions = state.drained if state.drain_epoch == self._config.epoch else 0
        self._patience.well()

    # -- the archive -----------------------------------------------------------------------------------------------

    def _way(self, chain: Chain, tail: Tail, cursor: Position) -> list[tuple[int, Tail]]:
        """Epochs to be taken, the oldest first, each with its end: one that continues another may begin behind the
        position, which that one holds then."""
        way = [(chain.epoch, tail)]
        while (begin := self._continued(chain)) is not None and begin.tx > cursor.tx:
            before = self._asked(chain.before)
            if before is None or before[1].position.database != cursor.database:
                break
            chain = before[0]
            way.insert(0, (chain.epoch, before[1]))
        return way

    def _continued(self, chain: Chain) -> Position | None:
        """Where an epoch begins that goes on where another ended; None for any other, and where it cannot be told."""
        data = self._fetch(names.segment(self._config.archive, chain.epoch, 1))
        try:
            header = SegmentReader(data).header if data is not None else None
            goes_on = header is not None and header.start is not None and header.start.reason == CONTINUATION
            return Position.decode(header.position) if goes_on and header is not None else None
        except (ArchiveBroken, ValueError):
            return None

    def _tail(self, chain: Chain, cursor: Position) -> Tail:
        config = self._config
        tail = self._asked(chain.tail)
        if tail is None:
            raise ArchiveMissing(f"archive {config.archive} holds nothing of epoch {config.archive_epoch}")
        if tail.position.database != cursor.database:
            raise WrongDatabase(
                f"the archive's end is of database {tail.position.database}, the standby a copy of {cursor.database}"
            )
        return tail

    def _fetch(self, name: str) -> bytes | None:
        held = self._asked(lambda: self._bucket.get(name))
        return None if held is None else held.body

    def _asked(self, call: Callable[[], T]) -> T:
        """What the store answers, asked again for :data:`STORE_PATIENCE` seconds. Raises ObjectStoreError."""
        until: float | None = None
        while True:
            try:
                return call()
            except errors.ObjectStoreUnreachable as error:
                now = time.monotonic()
                until = until or now + STORE_PATIENCE
                if now >= until:
                    raise
                self._patience.trouble(error)
