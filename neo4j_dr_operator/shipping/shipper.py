"""The shipper's protocol: attach to the chain in S3, read on from its end, cut segments, put them one by one."""

from __future__ import annotations

import contextlib
import logging
import random
import threading
import time
from collections.abc import Iterator

from neo4j_dr_operator import errors
from neo4j_dr_operator.graph.bolt_sync import Database
from neo4j_dr_operator.graph.position import Position
from neo4j_dr_operator.objectstore.objects import Bucket
from neo4j_dr_operator.replication.changes import Chunk
from neo4j_dr_operator.replication.faults import Faults
from neo4j_dr_operator.replication.reader import LOCKED_OUT, RETRIED, Reader
from neo4j_dr_operator.replication.report import Problem
from neo4j_dr_operator.replication.stream import SourceFailure
from neo4j_dr_operator.shipping.chain import Chain, NotEncrypted, SegmentConflict, Tail
from neo4j_dr_operator.shipping.config import ShipperConfig
from neo4j_dr_operator.shipping.opening import OpenSegment, without_transactions
from neo4j_dr_operator.shipping.present import decoded, present
from neo4j_dr_operator.shipping.reading import ArchiveBroken, VersionUnknown
from neo4j_dr_operator.shipping.schema_watch import SchemaWatch
from neo4j_dr_operator.shipping.segment import CONTINUATION, Segment, Start
from neo4j_dr_operator.shipping.status import ShipperStatus

log = logging.getLogger(__name__)

BATCH = 5000
"""Changes of one query; four times as many are read ahead at most, the source's log keeps the rest."""
LONGEST_PAUSE, LONGEST_WAIT = 1.0, 0.5
"""Seconds between two looks at a stream that had nothing new, and at what else there is to do."""
FIRST_BACKOFF, LONGEST_BACKOFF = 0.1, 5.0
PROBE_AGAIN = 30.0
"""Seconds until a store that did not encrypt is asked again."""
LOSSES = 3
"""How often in a row a position has to be refused before it is given up: a member that lags refuses it, too."""
MARGIN_MILLIS = 5000
"""What was committed so long before the source's clock is visible in its change stream."""
POINTS = ("attached", "read", "put", "stored")
"""Where a test can have the process killed: after attaching, with transactions in the open segment, right before a put
is sent, right after its answer."""


class Shipper:
    """One archive at one epoch, by the main thread of its process."""

    def __init__(self, config: ShipperConfig, status: ShipperStatus, faults: Faults) -> None:
        """Nothing is sent yet. Raises errors of the configuration."""
        self._config, self._status, self._faults = config, status, faults
        self._start = None if config.start is None else decoded(config.start)
        self._source = Database(config.source)
        bucket = Bucket(config.destination, config.timeout, config.encryption)
        status.traffic = bucket.traffic
        self._chain = Chain(bucket, config.archive, config.epoch, config.encryption)
        self._schema = SchemaWatch(config, self._chain)
        self._noted = 0
        """The transaction as of which the schema was noted, until the archive is known to reach it."""
        self._finishing = threading.Event()
        self._lost: Position | None = None
        self._losses = 0
        self._backoff = FIRST_BACKOFF
        self._mark_at = 0.0
        if self._start is not None:
            status.behind = self._start.tx

    def finish(self) -> None:
        """Ship what is committed by now, then end."""
        self._finishing.set()

    def run(self) -> None:
        """Until finished. Raises :class:`errors.DrError` for what no retry will mend."""
        while True:
            try:
                self._follow(self._attach())
                return
            except errors.DrError as error:
                pause = self._trouble(error)
                if self._finishing.is_set() and isinstance(error, SourceFailure):
                    return  # what it could give is in S3
                time.sleep(pause)

    # -- trouble ---------------------------------------------------------------------------------------------------

    def _trouble(self, error: errors.DrError) -> float:
        """Report it; seconds until the next try. Raises the error itself when no retry will mend it."""
        pause = self._pause(error.cause if isinstance(error, SourceFailure) else error)
        if pause is None:
            raise error
        problem = Problem.of(error)
        if problem not in (self._status.problem, self._status.source_problem):
            log.warning("%s: %s", problem.reason, problem.message)
        if isinstance(error, SourceFailure):
            self._status.source_problem = problem
            self._source.close()
        else:
            self._status.problem = problem
        self._status.changed.set()
        return pause

    def _pause(self, error: errors.DrError) -> float | None:
        match error:
            case SegmentConflict():
                return random.uniform(1.0, 2.0)
            case NotEncrypted():
                return PROBE_AGAIN
            case errors.PositionLost():
                return 1.0
            case _ if isinstance(error, LOCKED_OUT):
                return LONGEST_BACKOFF  # this process knows when the server may be asked again; another one would ask
            case errors.DatabaseError() if not isinstance(error, RETRIED):
                return None
            case errors.ObjectStoreUnreachable() | errors.DatabaseError():
                pass
            case errors.ObjectStoreError():
                return LONGEST_BACKOFF  # somebody has to mend it
            case _:
                return None
        pause, self._backoff = self._backoff, min(self._backoff * 2, LONGEST_BACKOFF)
        return pause * random.uniform(0.5, 1.0)

    def _well(self) -> None:
        self._status.problem = None
        self._backoff = FIRST_BACKOFF

    # -- attaching -------------------------------------------------------------------------------------------------

    def _attach(self) -> Tail:
        """The end of the chain as it stands in S3, which is made if there is none."""
        self._status.become("attaching")
        self._chain.probe()
        self._chain.mark_format()
        try:
            tail = self._chain.tail()
        except VersionUnknown:
            raise
        except ArchiveBroken as error:
            self._claim(None)
            tail = self._open_behind(error)
        self._claim(tail)
        if tail is None:
            tail = self._open()
        elif self._lost is not None and tail.number == self._status.segment:
            tail = self._open_after_gap(tail, self._lost)
        self._lost = None
        self._schema.attach()
        status = self._status
        self._well()
        status.segment, status.position, status.behind = tail.number, tail.position, tail.seen.tx
        status.saw(tail.seen.tx)
        self._covered(tail)
        status.become("shipping")
        self._faults.at("attached")
        return tail

    def _claim(self, tail: Tail | None) -> None:
        """Nothing is put into another resource's archive. The source is asked only where it may be a new one. Raises
        :class:`~neo4j_dr_operator.shipping.ownership.ArchiveForeign`."""
        resource = self._config.resource
        if resource is None:
            return
        owner = self._chain.owner()
        if owner is None or not owner.knows(resource, tail.position.database if tail else None):
            self._chain.claim(resource, present(self._source)[0].database)

    def _open(self) -> Tail:
        """The first segment of the epoch: without transactions, it fixes where the epoch begins.

        An operation that was called off spends an epoch, and the same database goes on: where its archive ended, so
        that nothing is missing, and not at a barrier that lies behind that.
        """
        start, at = Start("promotion"), self._start
        if at is None:
            start, at = Start("first"), present(self._source)[0]
        left = self._left()
        if left is not None and left.same_stream(at) and (left.tx >= at.tx if self._start else left.tx <= at.tx):
            start, at = Start(CONTINUATION), left
        return self._put(*without_transactions(self._config, 1, None, start, at, time.time()))

    def _left(self) -> Position | None:
        """Where the epoch before this one ended; None where there is none, or its end cannot be read."""
        try:
            before = self._chain.before()
        except ArchiveBroken as error:
            log.warning("%s: the end of the epoch before: %s", error.reason, error.message)
            return None
        return before[1].position if before is not None else None

    def _open_behind(self, error: ArchiveBroken) -> Tail:
        """The end of the chain is damaged: go on behind it, so that what is committed now is not lost as well. What is
        gone is shipped again; what cannot be read lies before a gap. Raises ``error`` where nothing can be read."""
        remains = self._chain.remains()
        if remains is None:
            raise error
        log.warning("%s: the end of epoch %d is damaged: %s", error.reason, self._config.epoch, error.message)
        tail, whole = remains
        return tail if whole else self._open_after_gap(tail, tail.position)

    def _open_after_gap(self, tail: Tail, lost: Position) -> Tail:
        """A segment without transactions that says what is lost; the chain of checksums goes on."""
        start, at = Start("gap", lost.text), present(self._source)[0]
        number = tail.number + 1
        opened = self._put(*without_transactions(self._config, number, tail.sha256, start, at, time.time()))
        self._losses = 0
        self._status.gap = number
        return opened

    # -- going on --------------------------------------------------------------------------------------------------

    def _follow(self, tail: Tail) -> None:
        """Ship what follows ``tail`` until asked to finish. Raises SourceFailure after what was read is in S3."""
        segment = OpenSegment(self._config, tail)
        goal: int | None = None
        with self._reading(tail.seen) as reader:
            while True:
                if self._schema.due():
                    self._note(segment.tail)
                looked, idle = self._status.read_at, self._status.caught_up
                try:
                    chunks = reader.take(min(LONGEST_WAIT, segment.due_in(time.monotonic()) or LONGEST_WAIT))
                except SourceFailure as failure:
                    self._cut(segment)
                    self._given_up(failure, segment)
                    raise
                for chunk in chunks or ():
                    segment = self._take(segment, chunk)
                if segment.due_in(time.monotonic()) == 0.0 or chunks is None:
                    segment = self._cut(segment)
                if chunks is None:
                    if self._noted:
                        with contextlib.suppress(errors.ObjectStoreError):
                            self._chain.put_watermark(segment.tail)
                    return
                if not segment.filled:
                    self._quiet(segment, looked if idle and not chunks else None)
                if self._finishing.is_set():
                    if goal is None:
                        self._note(segment.tail)
                        goal = self._goal()
                    if segment.cursor.tx >= goal or self._status.source_problem is not None:
                        reader.stop()

    @contextlib.contextmanager
    def _reading(self, cursor: Position) -> Iterator[Reader]:
        pause = min(LONGEST_PAUSE, self._config.interval / 4)
        reader = Reader(self._source, cursor.text, BATCH, self._config.interval, self._status, pause=pause)
        reader.start()
        try:
            yield reader
        finally:
            reader.stop()
            reader.join()

    def _take(self, segment: OpenSegment, chunk: Chunk) -> OpenSegment:
        """Add a chunk; the segment that is open then."""
        self._losses = 0
        self._status.saw(chunk.position.tx)
        try:
            segment.add(chunk, time.monotonic(), time.time())
        except ValueError as error:
            raise errors.ReplicationError(f"a transaction cannot be written: {error}") from error
        if segment.filled:
            self._faults.at("read")
        return self._cut(segment) if segment.due_in(time.monotonic()) == 0.0 else segment

    def _cut(self, segment: OpenSegment) -> OpenSegment:
        """Put it if there is anything in it; the one that is open then."""
        if not segment.filled:
            return segment
        return OpenSegment(self._config, self._put(*segment.close()))

    def _put(self, segment: Segment, tail: Tail) -> Tail:
        """Put a segment, whatever happens to the store meanwhile; ``tail`` is the end of the chain then.

        Raises SegmentConflict when another shipper was first, NotEncrypted when it is in S3 in clear.
        """
        self._faults.at("put")
        unencrypted: NotEncrypted | None = None
        while True:
            try:
                self._chain.put(segment)
                break
            except NotEncrypted as error:
                unencrypted = error
                break
            except errors.ObjectStoreError as error:
                time.sleep(self._trouble(error))
        self._faults.at("stored")
        status = self._status
        status.segments += 1
        status.bytes += len(segment.data)
        status.shipped_at = time.time()
        status.segment, status.position, status.behind = tail.number, tail.position, tail.seen.tx
        self._mark_at = time.monotonic() + self._config.interval
        self._covered(tail)
        self._reached(tail)
        if unencrypted is not None:
            raise NotEncrypted(f"segment {tail.number} is in S3 in clear: {unencrypted.message}")
        self._well()
        status.changed.set()
        return tail

    def _covered(self, tail: Tail) -> None:
        """All up to ``tail`` is in S3. Never ahead of this host's clock, whatever the source's says."""
        self._status.covered = tail.covered
        self._status.up_to = max(self._status.up_to or 0.0, min(tail.covered / 1000, time.time()))

    def _quiet(self, segment: OpenSegment, looked: float | None) -> None:
        """There is nothing to ship; when the stream was ``looked`` at there was not either."""
        self._status.behind = segment.cursor.tx
        if looked is None:
            return
        self._status.up_to = max(self._status.up_to or 0.0, looked)
        noted = 0 < self._noted <= segment.cursor.tx
        if not noted and (time.monotonic() < self._mark_at or self._finishing.is_set()):
            return
        self._mark_at = time.monotonic() + self._config.interval
        try:
            end, clock = present(self._source)
            if end.tx == segment.cursor.tx and end.same_stream(segment.cursor):
                segment.quiet(clock - MARGIN_MILLIS, time.time())
            self._chain.put_watermark(segment.tail)
            self._status.covered = segment.tail.covered
            self._reached(segment.tail)
            self._well()
        except (SourceFailure, errors.ObjectStoreError) as error:
            self._mark_at = time.monotonic() + self._trouble(error)

    def _note(self, tail: Tail) -> None:
        """Look at the schema, and put what has changed. What fails is told and tried again; no segment waits for it.

        An answer that does not come is told by who reads the stream, or puts. Raises NotEncrypted.
        """
        problem: Problem | None = None
        try:
            if self._status.source_problem is None:
                self._noted = self._schema.look(tail.number) or self._noted
        except NotEncrypted:
            raise
        except (SourceFailure, errors.ObjectStoreError) as error:
            self._schema.again(LONGEST_BACKOFF)
            cause = error.cause if isinstance(error, SourceFailure) else error
            if not isinstance(cause, (*RETRIED, errors.ObjectStoreUnreachable)):
                problem = Problem.of(error)
                log.warning("the schema was not noted: %s: %s", problem.reason, problem.message)
        self._status.schema_problem = problem

    def _reached(self, tail: Tail) -> None:
        """The archive is known to hold everything up to ``tail``."""
        if tail.seen.tx >= self._noted:
            self._noted = 0

    def _goal(self) -> int:
        """The last transaction to ship when finishing: 0 when the source cannot say."""
        try:
            return present(self._source)[0].tx
        except SourceFailure as error:
            self._status.source_problem = Problem.of(error)
            return 0

    def _given_up(self, failure: SourceFailure, segment: OpenSegment) -> None:
        """Note a position that is lost for good: the next attachment begins after a gap."""
        if isinstance(failure.cause, errors.PositionLost):
            self._losses += 1
            if self._losses >= LOSSES:
                self._lost = segment.cursor
