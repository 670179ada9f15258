"""Taking a snapshot of a live graph: scanned by id ranges, with the change stream recorded beside it.

Nothing is locked and no writer waits. What is in the store by the end of any attempt serves the next one, since a chunk
is named by its contents; only the manifest, written last, makes a snapshot.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from collections.abc import Set as AbstractSet
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, TypeVar

from neo4j_dr_operator import errors
from neo4j_dr_operator.backup import chunks, suspects
from neo4j_dr_operator.backup.amendments import Amendments
from neo4j_dr_operator.backup.chunks import Chunk, Cutter, Kind
from neo4j_dr_operator.backup.config import BackupConfig
from neo4j_dr_operator.backup.leave import Leave
from neo4j_dr_operator.backup.manifest import ChunkRef, EncryptionRef, Manifest
from neo4j_dr_operator.backup.process import Patience
from neo4j_dr_operator.backup.prune import prune
from neo4j_dr_operator.backup.retention import Retention
from neo4j_dr_operator.backup.status import BackupStatus
from neo4j_dr_operator.backup.vault import Vault
from neo4j_dr_operator.graph.bolt_sync import Database
from neo4j_dr_operator.graph.position import Position
from neo4j_dr_operator.objectstore.objects import Bucket
from neo4j_dr_operator.replication import scan
from neo4j_dr_operator.replication.faults import Faults
from neo4j_dr_operator.replication.reader import Reader
from neo4j_dr_operator.replication.report import Problem
from neo4j_dr_operator.replication.seed import Start, reached
from neo4j_dr_operator.replication.stream import SourceFailure, from_source
from neo4j_dr_operator.shipping import schema_watch
from neo4j_dr_operator.shipping.chain import Chain, Tail
from neo4j_dr_operator.shipping.present import present
from neo4j_dr_operator.shipping.reading import ArchiveBroken
from neo4j_dr_operator.shipping.segment import Segment
from neo4j_dr_operator.shipping.shipper import MARGIN_MILLIS

BATCH = 5000
"""Changes of one query of the stream."""
UPLOADS, WAITING = 4, 8
"""Chunks that are put at a time, and that wait for it."""
TAKE_SECONDS = 0.2
POINTS = ("attached", "chunk", "stored", "scanned", "manifest", "done")
"""Where a test can have the process killed: before the scan, before and after a chunk is put, after the scan, right
before the manifest is put and right after."""

_QUERIES: dict[Kind, tuple[str, str]] = {"nodes": (scan.NODES, "4"), "relationships": (scan.RELATIONSHIPS, "5")}
T = TypeVar("T")


@dataclass
class _Feed:
    """What the reader of the stream tells; see :class:`~neo4j_dr_operator.replication.reader.Feed`."""

    source_problem: Problem | None = None
    caught_up: bool = False
    pending: int = 0
    read_at: float | None = None
    changed: threading.Event = field(default_factory=threading.Event)


class Snapshot:
    """One snapshot, by the main thread of its process."""

    def __init__(self, config: BackupConfig, status: BackupStatus, patience: Patience, faults: Faults) -> None:
        """Nothing is sent yet. Raises errors of the configuration."""
        self._config, self._status, self._patience, self._faults = config, status, patience, faults
        self._source, self._stream = Database(config.source), Database(config.source)
        self._bucket = Bucket(config.destination, config.timeout, config.encryption)
        self._chain = Chain(self._bucket, config.archive, config.epoch, config.encryption)
        self._vault = Vault(self._bucket, config.archive, config.encryption, self._trouble)
        self._known: set[str] = set()
        """Chunks that are not put again. Others that are ``_present`` may lie there in clear, or under another key."""
        self._present: AbstractSet[str] = frozenset()
        self._damaged: frozenset[str] = frozenset()
        self._last = 0
        self._refs: list[ChunkRef] = []
        self._puts: deque[tuple[Future[int], int]] = deque()
        self._feed = _Feed()
        self._retention = config.retention
        """What may be deleted in the end; None as soon as nothing may."""
        self._leave = Leave(config.leave)
        self._created = round(time.time() * 1000)

    def run(self) -> None:
        """Take it, then delete what retention allows. Raises :class:`errors.DrError` for what no retry will mend."""
        tail = self._stored(self._attach)
        start, clock = self._asked(self._begin)
        self._stored(lambda: self._claim(start))
        self._status.total = start.nodes_end + start.rels_end
        self._faults.at("attached")
        amendments = Amendments(self._config, start.position, self._created, self._amend)
        with self._reading(start.position) as reader, self._putting() as pool:
            self._status.become("scanning")
            self._scan("nodes", start.nodes_end, pool, reader, amendments)
            self._scan("relationships", start.rels_end, pool, reader, amendments)
            self._settle(0)
            self._faults.at("scanned")
            self._status.become("catching-up")
            barrier, now = self._asked(lambda: present(self._source))
            self._catch_up(reader, amendments, max(barrier.tx, _known_tx(tail, start.position)))
        amendments.close()
        first, last = start.position.commit_millis, max(barrier.commit_millis, amendments.latest)
        latest = max(min(clock, first + MARGIN_MILLIS) if first else clock, amendments.latest)
        covered = _covered(last, now, int(time.time() * 1000))
        self._put(self._manifest(start, amendments, latest, covered))
        if self._retention is not None:
            self._prune(self._retention)

    def renew(self, line: bytes) -> None:
        """Go on with other credentials, with another leave to delete, and to go on. Connections that work are kept.

        Called from another thread. Raises ConfigInvalid.
        """
        config = BackupConfig.parse(line)
        self._retention = config.retention
        self._leave.renew(config.leave)
        if config.destination != self._bucket.address:
            self._bucket.renew(config.destination)
        self._source.renew(config.source)

    # -- beginning -------------------------------------------------------------------------------------------------

    def _attach(self) -> Tail | None:
        """The end of the epoch's segments, if any can be read; what the store has is known then."""
        self._chain.probe()
        self._chain.mark_format()
        try:
            tail = self._chain.tail()
            self._last = tail.number if tail else 0
        except ArchiveBroken:  # its number is enough: what stands in it was committed before this
            tail, self._last = None, self._chain.number()
        self._damaged = suspects.read(self._bucket, self._config.archive).damaged
        self._present = self._vault.contents().keys() - self._damaged
        self._known = self._vault.proven(self._present)
        return tail

    def _claim(self, start: Start) -> None:
        """Nothing is put into another resource's archive, nor deleted from it. Raises ArchiveForeign."""
        if self._config.resource is not None:
            self._chain.claim(self._config.resource, start.position.database)

    def _begin(self) -> tuple[Start, int]:
        """Where the scan begins, and the source's clock after that (ms since 1970)."""
        start = Start.of(self._source)
        return start, present(self._source)[1]

    @contextmanager
    def _reading(self, start: Position) -> Iterator[Reader]:
        reader = Reader(self._stream, start.text, BATCH, 1.0, self._feed)
        reader.start()
        try:
            yield reader
        finally:
            reader.stop()
            reader.join()

    @contextmanager
    def _putting(self) -> Iterator[ThreadPoolExecutor]:
        """Threads that put chunks. What fails beside them ends them, too, however long the store has not answered."""
        with ThreadPoolExecutor(UPLOADS, "put") as pool:
            try:
                yield pool
            except errors.DrError:
                self._patience.stopping.set()
                pool.shutdown(wait=False, cancel_futures=True)
                raise

    # -- scanning --------------------------------------------------------------------------------------------------

    def _scan(self, kind: Kind, end: int, pool: ThreadPoolExecutor, reader: Reader, amendments: Amendments) -> None:
        query, mark = _QUERIES[kind]
        prefix = f"{mark}:{amendments.position.database}:"
        cutter, at = Cutter(kind, 0), 0
        while at < end:
            try:
                reached(self._source, amendments.start)
                pages = iter(scan.Pages(self._source, query, prefix, range(at, end), chunks.SPAN))
                while True:
                    with from_source():
                        page = next(pages, None)
                    if page is None:
                        break
                    self._cut(cutter.add(page.after, _whole(kind, page.columns)), pool)
                    self._status.done += page.after - at
                    at = page.after
                    self._patience.well()
                    self._take(reader, amendments, 0.0)
            except SourceFailure as error:
                self._patience.trouble(error)
                self._source.close()
        self._cut(cutter.close(end), pool)

    def _cut(self, found: Iterator[Chunk], pool: ThreadPoolExecutor) -> None:
        status = self._status
        try:
            for chunk in found:
                self._refs.append(
                    ChunkRef(chunk.sha256, chunk.kind, chunk.first, chunk.after, chunk.count, len(chunk.plain))
                )
                status.chunks += 1
                if chunk.kind == "nodes":
                    status.nodes += chunk.count
                else:
                    status.relationships += chunk.count
                if chunk.sha256 in self._known:
                    status.saved += len(chunk.plain)
                    continue
                self._known.add(chunk.sha256)
                self._settle(WAITING)
                self._faults.at("chunk")
                replace, unproven = chunk.sha256 in self._damaged, chunk.sha256 in self._present
                put = pool.submit(self._vault.put_chunk, chunk, replace=replace, unproven=unproven)
                self._puts.append((put, len(chunk.plain)))
        except ValueError as error:
            raise errors.ReplicationError(f"an element cannot be written: {error}") from error

    def _settle(self, most: int) -> None:
        """Wait until at most so many chunks are under way. Raises what a put raised."""
        while len(self._puts) > most:
            put, size = self._puts.popleft()
            if taken := put.result():
                self._status.bytes += taken
                self._status.chunks_new += 1
            else:
                self._status.saved += size
            self._faults.at("stored")

    # -- the stream beside it --------------------------------------------------------------------------------------

    def _take(self, reader: Reader, amendments: Amendments, wait: float) -> None:
        while taken := reader.take(wait):
            for chunk in taken:
                amendments.add(chunk)
            self._status.transactions = amendments.transactions
            wait = 0.0

    def _catch_up(self, reader: Reader, amendments: Amendments, tx: int) -> None:
        while amendments.position.tx < tx:
            self._take(reader, amendments, TAKE_SECONDS)
            self._patience.well()
            self._status.problem = self._feed.source_problem

    def _amend(self, segment: Segment) -> None:
        self._status.bytes += self._vault.put_amendment(segment)
        self._status.amendments += 1

    # -- the end ---------------------------------------------------------------------------------------------------

    def _manifest(self, start: Start, amendments: Amendments, latest: int, covered: int) -> Manifest:
        """See :class:`Manifest` for the two times."""
        self._asked(lambda: present(self._source))  # so that whoever answers has got there
        rules = self._asked(lambda: schema_watch.rules(self._source))
        config, wished = self._config, self._config.encryption
        return Manifest(
            archive=config.archive,
            epoch=config.epoch,
            segment=self._last,
            site=config.site,
            database=start.position.database,
            start=start.position.text,
            position=amendments.position.text,
            latest=latest,
            covered=covered,
            created=self._created,
            nodes_end=start.nodes_end,
            relationships_end=start.rels_end,
            schema=rules,
            chunks=tuple(self._refs),
            amendments=tuple(amendments.refs),
            encryption=EncryptionRef(wished.algorithm, wished.key_id) if wished is not None else None,
        )

    def _put(self, manifest: Manifest) -> None:
        self._faults.at("manifest")
        self._leave.wait(self._patience.stopping)
        status = self._status
        status.bytes += self._vault.put_manifest(manifest)
        status.snapshot, status.position = manifest.name.key(self._config.archive), manifest.position
        status.position_tx, status.latest = manifest.tx, manifest.latest
        self._faults.at("done")

    def _prune(self, retention: Retention) -> None:
        self._status.become("pruning")
        try:
            prune(self._bucket, self._vault, self._config.archive, retention, self._status, self._may_delete)
        except (errors.ObjectStoreError, ArchiveBroken) as error:  # the snapshot is there all the same
            self._status.prune_problem = Problem.of(error)

    def _may_delete(self) -> bool:
        return self._retention is not None and self._leave.held

    # -- patience --------------------------------------------------------------------------------------------------

    def _asked(self, work: Callable[[], T]) -> T:
        """The source's answer, whenever it comes."""
        while True:
            try:
                return work()
            except SourceFailure as error:
                self._patience.trouble(error)
                self._source.close()

    def _trouble(self, error: errors.ObjectStoreError) -> None:
        """A put that failed is made again once that makes sense, and with leave: it may be the manifest's."""
        self._patience.trouble(error)
        self._leave.wait(self._patience.stopping)

    def _stored(self, work: Callable[[], T]) -> T:
        """The store's answer, whenever it comes."""
        while True:
            try:
                return work()
            except errors.ObjectStoreError as error:
                self._patience.trouble(error)


def _whole(kind: Kind, columns: list[list[Any]]) -> list[list[Any]]:
    """Without relationships that were deleted while they were read: the stream tells the same."""
    if kind == "nodes" or not columns or (all(columns[1]) and min((*columns[2], *columns[3], 0)) >= 0):
        return columns
    rows = [row for row in zip(*columns, strict=True) if row[1] and row[2] >= 0 and row[3] >= 0]
    return [list(column) for column in zip(*rows, strict=True)]


def _covered(last: int, clock: int, here: int) -> int:
    """What :attr:`Manifest.covered` says: by the latest commit that was seen and by the source's clock, never ahead of
    this host's (all ms since 1970). A source whose clock is fast, and is set right, commits at those times once more.
    """
    return min(max(last, clock - MARGIN_MILLIS), here)


def _known_tx(tail: Tail | None, start: Position) -> int:
    """The transaction at which the epoch's segments end, where they are of the same database."""
    return tail.position.tx if tail is not None and tail.position.same_stream(start) else 0
