"""One restore: look at everything first, load the snapshot, replay what follows it, make the schema, note the end.

The target says how far it is: every transaction takes the link's lock, compares, writes and moves on, as replication
does (docs/replication.md). So a restore that dies anywhere goes on where it was, and two of them cannot meet.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace

from neo4j_dr_operator import errors
from neo4j_dr_operator.backup import chunks
from neo4j_dr_operator.backup.manifest import AmendmentRef, ChunkRef, Manifest
from neo4j_dr_operator.backup.process import Patience
from neo4j_dr_operator.backup.vault import Vault
from neo4j_dr_operator.graph.bolt_sync import Database, Transaction
from neo4j_dr_operator.graph.element_map import MapChange
from neo4j_dr_operator.graph.position import Position
from neo4j_dr_operator.objectstore.objects import Bucket
from neo4j_dr_operator.replication import checkpoint, link, portions, seed
from neo4j_dr_operator.replication.apply import Batch, apply, select_relationships
from neo4j_dr_operator.replication.changes import Chunk
from neo4j_dr_operator.replication.faults import Faults
from neo4j_dr_operator.replication.fold import Nodes, Relationships, folded
from neo4j_dr_operator.replication.link import LinkState, LinkWriter
from neo4j_dr_operator.restore import reading, schema, target
from neo4j_dr_operator.restore.config import RestoreConfig
from neo4j_dr_operator.restore.point import Point
from neo4j_dr_operator.restore.reading import Replay
from neo4j_dr_operator.restore.status import RestoreStatus
from neo4j_dr_operator.restore.survey import Plan, Survey, find
from neo4j_dr_operator.restore.target import Noted

POINTS = ("begin", "commit", "committed", "page", "checkpoint", "surveyed", "loaded", "replayed", "ended")
"""Where a test can have the process killed: as in replication, and between the parts of a restore."""
LOSSES = 5
"""How often another worker may have been at it: then there is another one, not only what a dead one sent."""


class Restore:
    """One restore, by the main thread of its process."""

    def __init__(self, config: RestoreConfig, status: RestoreStatus, patience: Patience, faults: Faults) -> None:
        """Nothing is sent yet. Raises errors of the configuration."""
        self._config, self._status, self._patience, self._faults = config, status, patience, faults
        self._target = Database(config.target)
        self._bucket = Bucket(config.source, config.timeout, None)

    def run(self) -> None:
        """Until it is done. Raises :class:`errors.DrError` for what no retry will mend."""
        losses = 0
        while True:
            try:
                self._carry()
                return
            except errors.Stale:
                losses += 1
                if losses == LOSSES or self._patience.stopping.wait(1.0):
                    raise
            except errors.DrError as error:
                self._patience.trouble(error)
            self._target.close()

    def _carry(self) -> None:
        """From looking to the end; what it leaves behind when it fails is where the next attempt goes on."""
        config, status = self._config, self._status
        status.become("surveying")
        status.done = status.checked = 0
        note = target.noted(self._target, config.restore, config.asked)
        if note is not None and note.complete:
            self._leave(note)
            return
        archive = note.archive if note else find(self._bucket, config.archive)
        vault = Vault(self._bucket, archive, None, self._patience.trouble)
        plan = self._plan(vault, archive, note)
        self._faults.at("surveyed")
        if note is None:
            note = self._note(archive, plan)
            try:
                target.begin(self._target, note, plan.manifest)
            except errors.ConstraintViolated as error:
                raise errors.Stale(f"another worker has begun restore {config.restore}") from error
        writer = self._attach()
        self._load(writer, vault, plan.manifest)
        self._replay(writer, plan)
        self._finish(writer, note, plan.manifest)

    def _plan(self, vault: Vault, archive: str, note: Noted | None) -> Plan:
        status = self._status
        survey = Survey(self._bucket, vault, archive, self._checked)
        point = note.point if note else self._config.point
        plan = survey.plan(point, self._config.database, note.snapshot if note else None)
        status.archive, status.epoch = archive, plan.manifest.epoch
        status.snapshot = plan.manifest.name.key(archive)
        status.segments, status.total = len(plan.links), plan.total
        return plan

    def _checked(self, _: int) -> None:
        self._status.checked += 1
        self._patience.well()

    def _note(self, archive: str, plan: Plan) -> Noted:
        point = plan.point
        return Noted(
            restore=self._config.restore,
            archive=archive,
            snapshot=plan.manifest.name.key(archive),
            asked=self._config.asked,
            millis=-1 if point.millis is None else point.millis,
            tx=-1 if point.tx is None else point.tx,
        )

    def _attach(self) -> LinkWriter:
        loaded = checkpoint.load(self._target, target.link_name(self._config.restore))
        writer = LinkWriter(self._target, loaded.state, loaded.elements, self._faults)
        writer.journal_records, writer.journal_bytes = loaded.records, loaded.record_bytes
        checkpoint.clean(writer)
        self._well(writer)
        return writer

    # -- the snapshot ----------------------------------------------------------------------------------------------

    def _load(self, writer: LinkWriter, vault: Vault, manifest: Manifest) -> None:
        """Bring the target to the snapshot's position, from wherever it is before that."""
        if writer.state.phase == link.SEEDING:
            self._status.become("loading")
            self._chunks(writer, vault, [ref for ref in manifest.chunks if ref.kind == "nodes"])
            self._chunks(writer, vault, [ref for ref in manifest.chunks if ref.kind == "relationships"])
            self._move(writer, replace(writer.state, phase=link.CATCHING_UP))
        if writer.state.phase == link.CATCHING_UP:
            self._status.become("amending")
            self._amend(writer, vault, manifest)
            end = Position.decode(manifest.position)
            millis = end.commit_millis or writer.state.commit_millis
            state = replace(writer.state, cursor=end.text, cursor_tx=end.tx, commit_millis=millis, phase=link.STREAMING)
            self._move(writer, state)
        self._status.done = max(self._status.done, manifest.elements)
        self._faults.at("loaded")

    def _chunks(self, writer: LinkWriter, vault: Vault, refs: Sequence[ChunkRef]) -> None:
        def rows(ref: ChunkRef) -> Nodes | Relationships:
            text = vault.chunk(ref)
            return chunks.nodes(text) if ref.kind == "nodes" else chunks.relationships(text)

        nodes = bool(refs) and refs[0].kind == "nodes"
        place = writer.state.scan_nodes if nodes else writer.state.scan_rels
        left = [ref for ref in refs if ref.after > place]
        self._status.done += sum(ref.count for ref in refs if ref.after <= place)
        for ref, found in reading.ahead(left, rows):
            state = writer.state
            state = replace(state, scan_nodes=ref.after) if nodes else replace(state, scan_rels=ref.after)
            self._write(writer, lambda state=state, found=found: writer.write(state, _creating(writer, found)))  # type: ignore[misc]
            self._status.done += ref.count

    def _amend(self, writer: LinkWriter, vault: Vault, manifest: Manifest) -> None:
        """Everything committed while the snapshot was read, over what was seen of it already."""
        everything = Point(tx=manifest.tx)
        for ref, data in reading.ahead(_behind(manifest.amendments, writer.state), vault.amendment):
            after = writer.state.cursor_tx
            for chunk in reading.transactions(f"amendment {ref.sha256}", data, after, everything):
                self._apply(writer, [chunk])

    # -- what follows it -------------------------------------------------------------------------------------------

    def _replay(self, writer: LinkWriter, plan: Plan) -> None:
        self._status.become("replaying")
        with self._reading(writer, plan) as replay:
            held: list[Chunk] = []
            size = 0
            for chunk in replay:
                if held and size + len(chunk) > self._config.batch_size:
                    self._together(writer, held)
                    held, size = [], 0
                held.append(chunk)
                size += len(chunk)
            self._together(writer, held)
        self._faults.at("replayed")

    @contextmanager
    def _reading(self, writer: LinkWriter, plan: Plan) -> Iterator[Replay]:
        replay = Replay(plan.links, self._fetch, writer.state.cursor_tx, plan.point)
        replay.start()
        try:
            yield replay
        finally:
            replay.stop()
            replay.join()

    def _fetch(self, name: str) -> bytes | None:
        while True:
            try:
                held = self._bucket.get(name)
                return None if held is None else held.body
            except errors.ObjectStoreError as error:
                self._patience.trouble(error)

    def _together(self, writer: LinkWriter, held: list[Chunk]) -> None:
        if held:
            for some in portions.transactions(held):
                self._apply(writer, some)

    # -- writing ---------------------------------------------------------------------------------------------------

    def _apply(self, writer: LinkWriter, some: Sequence[Chunk]) -> None:
        """Whole transactions in one of the target's; in more where its memory does not do for one."""
        net = folded(some, idempotent=writer.state.phase == link.CATCHING_UP)
        try:
            self._write(writer, lambda: apply(writer, net))
        except errors.MemoryExhausted as error:
            if (halves := portions.halves(some)) is None:
                raise portions.too_large(net.changes, net.size) from error
            for half in halves:
                self._apply(writer, half)
            return
        self._status.done += net.changes
        self._status.transactions += net.transactions

    def _move(self, writer: LinkWriter, state: LinkState) -> None:
        self._write(writer, lambda: writer.write(state))

    def _write(self, writer: LinkWriter, work: Callable[[], None]) -> None:
        """Do it once, whatever happens to the connection meanwhile."""
        before = writer.state.seq
        while True:
            try:
                writer.decide()
                if writer.state.seq == before:
                    work()
                if checkpoint.due(writer):
                    checkpoint.save(writer)
                break
            except errors.MemoryExhausted:
                raise
            except errors.DatabaseError as error:
                self._patience.trouble(error)
                self._target.close()
        self._well(writer)

    def _well(self, writer: LinkWriter) -> None:
        state, status = writer.state, self._status
        status.position, status.position_tx = state.cursor, state.cursor_tx
        status.restored_to = state.commit_millis or None
        self._patience.well()

    # -- the end ---------------------------------------------------------------------------------------------------

    def _finish(self, writer: LinkWriter, note: Noted, manifest: Manifest) -> None:
        status = self._status
        status.become("checking")
        held = seed.counts(self._target)
        known = writer.map.nodes.count(), writer.map.relationships.count()
        if held != known:
            raise errors.TargetAltered(
                f"the target holds {held[0]} nodes and {held[1]} relationships, and {known[0]} and {known[1]} were "
                "restored: somebody else wrote to it"
            )
        status.become("indexing")
        status.schema = schema.make(self._config.target, manifest.schema, indexes=not self._config.skip_indexes)
        done = target.end(writer, note, *held)
        self._faults.at("ended")
        self._leave(done)

    def _leave(self, note: Noted) -> None:
        """Clean up behind a complete restore, if asked to, and say what it was."""
        status = self._status
        if self._config.clean and link.read(self._target, target.link_name(note.restore)) is not None:
            target.clean(self._attach())
        status.archive, status.snapshot = note.archive, note.snapshot
        status.nodes, status.relationships = note.nodes, note.relationships
        status.position, status.position_tx = note.position, Position.decode(note.position).tx
        status.restored_to = note.at or None
        self._patience.well()


def _creating(writer: LinkWriter, rows: Nodes | Relationships) -> Callable[[Transaction], MapChange]:
    """What creates the elements of one chunk; relationships with an end that no chunk holds are left out, because the
    amendments bring them."""

    def body(tx: Transaction) -> MapChange:
        batch = Batch(writer, tx)
        if isinstance(rows, Nodes):
            batch.create_nodes(rows)
        else:
            nodes = writer.map.nodes
            known = (nodes.find(rows.starts) >= 0) & (nodes.find(rows.ends) >= 0)
            batch.create_relationships(select_relationships(rows, known))
        writer.faults.at("page")
        return batch.change

    return body


def _behind(refs: Sequence[AmendmentRef], state: LinkState) -> list[AmendmentRef]:
    """Those that hold anything that the target lacks."""
    return [ref for ref in refs if Position.decode(ref.to).tx > state.cursor_tx]
