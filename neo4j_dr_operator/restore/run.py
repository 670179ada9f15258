"""One restore: look at everything first, load the snapshot, replay what follows it, make the schema, note the end.

The target says how far it is: every transaction takes the link's lock, compares, writes and moves on, as replication
does (docs/replication.md). So a restore that dies anywhere goes on where it was, and two of them cannot meet.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from neo4j_dr_operator import errors
from neo4j_dr_operator.backup import chunks
from neo4j_dr_operator.backup.manifest import AmendmentRef, ChunkRef, Manifest
from neo4j_dr_operator.backup.process import Patience
from neo4j_dr_operator.backup.vault import Vault
from neo4j_dr_operator.graph.bolt_sync import Database, Transaction
from neo4j_dr_operator.graph.element_map import MapChange
from neo4j_dr_operator.graph.note import link_name
from neo4j_dr_operator.graph.position import Position
from neo4j_dr_operator.objectstore.objects import Bucket
from neo4j_dr_operator.replication import checkpoint, link, seed
from neo4j_dr_operator.replication.apply import Batch, select_relationships
from neo4j_dr_operator.replication.faults import Faults
from neo4j_dr_operator.replication.fold import Net, Nodes, Relationships
from neo4j_dr_operator.replication.link import LinkState, LinkWriter
from neo4j_dr_operator.restore import check, emptying, reading, schema, target
from neo4j_dr_operator.restore.config import RestoreConfig
from neo4j_dr_operator.restore.point import Point
from neo4j_dr_operator.restore.reading import Replay
from neo4j_dr_operator.restore.sink import Sink, attach
from neo4j_dr_operator.restore.status import RestoreStatus
from neo4j_dr_operator.restore.survey import Plan, Survey, find
from neo4j_dr_operator.restore.target import Noted

POINTS = (
    "begin", "commit", "committed", "page", "checkpoint", "surveyed", "noted", "emptying", "emptied", "loaded",
    "replayed", "ended",
)  # fmt: skip
"""Where a test can have the process killed: as in replication, and between the parts of a restore."""
LOSSES = 5
"""How often another worker may have been at it: then there is another one, not only what a dead one sent."""


class Restore:
    """One restore, by the main thread of its process."""

    def __init__(self, config: RestoreConfig, status: RestoreStatus, patience: Patience, faults: Faults) -> None:
        """Nothing is sent yet. Raises errors of the configuration."""
        self._config, self._status, self._patience, self._faults = config, status, patience, faults
        self._target = Database(config.target, leading=True)
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
        note = target.noted(self._target, config)
        if note is not None and note.complete:
            self._leave(note)
            return
        archive = note.archive if note else find(self._bucket, config.archive)
        vault = Vault(self._bucket, archive, None, self._patience.trouble)
        plan = self._plan(vault, archive, note)
        chosen = schema.choose(vault, plan)
        status.schema_of = chosen.told
        self._faults.at("surveyed")
        if note is None:
            note = self._note(archive, plan)
            try:
                target.begin(self._target, note, plan.manifest, force=config.force)
            except errors.ConstraintViolated as error:
                raise errors.Stale(f"another worker has begun restore {config.restore}") from error
            self._faults.at("noted")
        sink = self._attach()
        self._empty(sink, note)
        self._load(sink, vault, plan.manifest)
        self._replay(sink, plan)
        self._finish(sink.writer, note, chosen)

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
            overwrite=self._config.overwrite,
        )

    def _attach(self) -> Sink:
        writer = attach(self._target, link_name(self._config.restore), self._faults)
        checkpoint.clean(writer)
        self._written(writer.state)
        return Sink(writer, self._patience, self._written, self._applied)

    def _written(self, state: LinkState) -> None:
        status = self._status
        status.position, status.position_tx = state.cursor, state.cursor_tx
        status.restored_to = state.commit_millis or None
        self._patience.well()

    def _applied(self, net: Net) -> None:
        self._status.done += net.changes
        self._status.transactions += net.transactions

    def _empty(self, sink: Sink, note: Noted) -> None:
        """Make room. Without ``overwrite`` only the schema goes: the target was seen to be empty."""
        writer, status = sink.writer, self._status
        if writer.state.phase != link.EMPTYING:
            return
        if note.overwrite:
            status.become("emptying")
            held = sum(seed.counts(self._target))
            status.total += held
            emptying.empty(writer, self._config.batch_size, sink.write, self._deleted)
            status.done = held
        else:
            emptying.drop_schema(writer)
        sink.move(replace(writer.state, phase=link.SEEDING, scan_nodes=0, scan_rels=0))
        self._faults.at("emptied")

    def _deleted(self, elements: int) -> None:
        self._status.done += elements

    # -- the snapshot ----------------------------------------------------------------------------------------------

    def _load(self, sink: Sink, vault: Vault, manifest: Manifest) -> None:
        """Bring the target to the snapshot's position, from wherever it is before that."""
        writer = sink.writer
        if writer.state.phase == link.SEEDING:
            self._status.become("loading")
            self._chunks(sink, vault, [ref for ref in manifest.chunks if ref.kind == "nodes"])
            self._chunks(sink, vault, [ref for ref in manifest.chunks if ref.kind == "relationships"])
            sink.move(replace(writer.state, phase=link.CATCHING_UP))
        if writer.state.phase == link.CATCHING_UP:
            self._status.become("amending")
            self._amend(sink, vault, manifest)
            end = Position.decode(manifest.position)
            millis = end.commit_millis or writer.state.commit_millis
            state = replace(writer.state, cursor=end.text, cursor_tx=end.tx, commit_millis=millis, phase=link.STREAMING)
            sink.move(state)
        self._status.done = max(self._status.done, manifest.elements)
        self._faults.at("loaded")

    def _chunks(self, sink: Sink, vault: Vault, refs: Sequence[ChunkRef]) -> None:
        def rows(ref: ChunkRef) -> Nodes | Relationships:
            text = vault.chunk(ref)
            return chunks.nodes(text) if ref.kind == "nodes" else chunks.relationships(text)

        writer = sink.writer
        nodes = bool(refs) and refs[0].kind == "nodes"
        place = writer.state.scan_nodes if nodes else writer.state.scan_rels
        left = [ref for ref in refs if ref.after > place]
        self._status.done += sum(ref.count for ref in refs if ref.after <= place)
        for ref, found in reading.ahead(left, rows):
            state = writer.state
            state = replace(state, scan_nodes=ref.after) if nodes else replace(state, scan_rels=ref.after)
            sink.write(lambda state=state, found=found: writer.write(state, _creating(writer, found)))  # type: ignore[misc]
            self._status.done += ref.count

    def _amend(self, sink: Sink, vault: Vault, manifest: Manifest) -> None:
        """Everything committed while the snapshot was read, over what was seen of it already."""
        everything, writer = Point(tx=manifest.tx), sink.writer
        for ref, data in reading.ahead(_behind(manifest.amendments, writer.state), vault.amendment):
            after = writer.state.cursor_tx
            for chunk in reading.transactions(f"amendment {ref.sha256}", data, after, everything):
                sink.apply([chunk])

    # -- what follows it -------------------------------------------------------------------------------------------

    def _replay(self, sink: Sink, plan: Plan) -> None:
        self._status.become("replaying")
        segments = reading.segments(plan.links, self._fetch)
        with Replay(segments, sink.writer.state.cursor_tx, plan.point).running() as replay:
            sink.replay(replay, self._config.batch_size)
        self._faults.at("replayed")

    def _fetch(self, name: str) -> bytes | None:
        while True:
            try:
                held = self._bucket.get(name)
                return None if held is None else held.body
            except errors.ObjectStoreError as error:
                self._patience.trouble(error)

    # -- the end ---------------------------------------------------------------------------------------------------

    def _finish(self, writer: LinkWriter, note: Noted, chosen: schema.Chosen) -> None:
        status = self._status
        status.become("checking")
        held = check.counted(writer)
        status.check = check.check(writer, held, each=self._config.validate)
        status.become("indexing")
        made = schema.make(self._config.target, chosen.rules, indexes=not self._config.skip_indexes)
        status.schema = [*chosen.remarks, *made]
        done = target.end(writer, note, *held)
        self._faults.at("ended")
        self._leave(done)

    def _leave(self, note: Noted) -> None:
        """Clean up behind a complete restore, if asked to, and say what it was."""
        status = self._status
        if self._config.clean and link.read(self._target, link_name(note.restore)) is not None:
            target.clean(self._attach().writer)
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
