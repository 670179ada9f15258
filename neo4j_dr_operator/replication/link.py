"""The link node in the target, and the one way to write to the target: lock, compare, change, set, commit.

The node says how far the link has come. Every transaction of a worker first takes its write lock (``SET l.lock``) and
*then* compares, in this order: comparing first lets two writers both win. A transaction that finds other values than
this worker knows rolls back (:class:`~neo4j_dr_operator.errors.Stale`). The value of ``lock`` is new for every attempt,
so that after a lost acknowledgement the node itself tells whether *this* attempt went in, even when another worker
applied the same changes meanwhile.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, fields, replace
from typing import Any

from neo4j_dr_operator import errors
from neo4j_dr_operator.graph.bolt_sync import Database, Row, Transaction
from neo4j_dr_operator.graph.cypher import ALREADY_MADE, BOOKKEEPING, LINK, LOG, MAP
from neo4j_dr_operator.graph.element_map import ElementMap, MapChange
from neo4j_dr_operator.replication.faults import Faults

SEEDING, CATCHING_UP, STREAMING, HANDOVER, FROZEN, EMPTYING = (
    "seeding",
    "catching-up",
    "streaming",
    "handover",
    "frozen",
    "emptying",
)

SCHEMA = (
    f"CREATE CONSTRAINT neo4j_dr_link IF NOT EXISTS FOR (l:{LINK}) REQUIRE l.link IS UNIQUE",
    f"CREATE CONSTRAINT neo4j_dr_log IF NOT EXISTS FOR (l:{LOG}) REQUIRE (l.link, l.seq) IS UNIQUE",
    f"CREATE INDEX neo4j_dr_map IF NOT EXISTS FOR (m:{MAP}) ON (m.link, m.gen)",
    f"CREATE INDEX neo4j_dr_slice IF NOT EXISTS FOR (m:{MAP}) ON (m.link, m.gen, m.kind, m.base)",
)
"""What the bookkeeping needs in a target, in commands that may be repeated."""

_READ = f"OPTIONAL MATCH (l:{LINK} {{link: $link}}) RETURN elementId(l), properties(l)"
_HOME = f"OPTIONAL MATCH (l:{LINK} {{link: $link}}) RETURN split(elementId(l), ':')[1]"
_CREATE = f"CREATE (l:{BOOKKEEPING}:{LINK}) SET l = $values RETURN elementId(l)"
_LEFT = (
    f"OPTIONAL MATCH (r:{LOG}) WHERE r.link = $link AND r.seq >= 0 WITH coalesce(max(r.seq), 0) AS seq "
    f"OPTIONAL MATCH (m:{MAP}) WHERE m.link = $link AND m.gen >= 0 RETURN seq, coalesce(max(m.gen) + 1, 0)"
)
_BEGIN = f"MATCH (l:{LINK} {{link: $link}}) SET l += $values RETURN count(*)"
_CAS = (
    f"MATCH (l:{LINK} {{link: $link}}) SET l.lock = $nonce WITH l "
    "WHERE l.cursor = $cursor AND l.epoch = $epoch AND l.seq = $seq AND l.phase = $phase SET l += $new RETURN count(*)"
)
_LOOK = f"MATCH (l:{LINK} {{link: $link}}) SET l.look = true RETURN properties(l)"
_JOURNAL = f"CREATE (:{BOOKKEEPING}:{LOG} {{link: $link, seq: $seq, d: $d}}) RETURN 1"


@dataclass(frozen=True, slots=True)
class LinkState:
    """The link node's values. ``cursor``: last position applied; ``seq``: transactions applied to the target.

    ``scan_*``: next id to scan and end (exclusive) of the seeding scan. ``seed_barrier_tx``: the source transaction at
    which a seeded copy is exact. ``gen``, ``gen_seq``: which slices of the element map are valid, and the last journal
    record that all of them contain. ``heartbeat``, ``commit_millis``: ms since 1970, source clocks; 0 unknown.
    ``reseed``: the request that the copy was begun anew for last; ``swept``: what the map does not know has been
    removed for it. ``drained``: source transactions that came out of an archive, in the drain at ``drain_epoch``.
    """

    link: str
    epoch: int
    phase: str
    cursor: str
    cursor_tx: int = field(metadata={"name": "cursorTx"})
    source_db: str = field(metadata={"name": "sourceDb"})
    target_db: str = field(default="", metadata={"name": "targetDb"})
    seq: int = 0
    heartbeat: int = 0
    commit_millis: int = field(default=0, metadata={"name": "commitMillis"})
    scan_nodes: int = field(default=0, metadata={"name": "scanNodes"})
    scan_rels: int = field(default=0, metadata={"name": "scanRels"})
    scan_nodes_end: int = field(default=0, metadata={"name": "scanNodesEnd"})
    scan_rels_end: int = field(default=0, metadata={"name": "scanRelsEnd"})
    seed_barrier: str = field(default="", metadata={"name": "seedBarrier"})
    seed_barrier_tx: int = field(default=0, metadata={"name": "seedBarrierTx"})
    gen: int = 0
    gen_seq: int = field(default=0, metadata={"name": "genSeq"})
    reseed: str = ""
    swept: bool = False
    drain_epoch: int = field(default=0, metadata={"name": "drainEpoch"})
    drained: int = 0

    def properties(self) -> dict[str, Any]:
        """As they stand in the database."""
        return {name: getattr(self, attribute) for attribute, name in _NAMES.items()}

    @classmethod
    def of(cls, properties: dict[str, Any]) -> LinkState:
        """From the database's properties; absent ones (an older version wrote them) take their defaults."""
        return cls(**{attribute: properties[name] for attribute, name in _NAMES.items() if name in properties})


_NAMES = {item.name: item.metadata.get("name", item.name) for item in fields(LinkState)}


def streaming(state: LinkState) -> LinkState:
    """The same link as an exact copy that follows."""
    return replace(state, phase=STREAMING)


def prepare(database: Database) -> None:
    """Make the bookkeeping's schema. In spite of IF NOT EXISTS two workers race, or one and what a dead one has sent:
    one of them is told in one of several ways that it is made."""
    for statement in SCHEMA:
        try:
            database.write(statement)
        except errors.QueryFailed as error:
            if error.code not in ALREADY_MADE:
                raise


def read(database: Database, link: str) -> LinkState | None:
    """The link's state, None when the target has no such link."""
    _, properties = database.row(_READ, link=link)
    return None if properties is None else LinkState.of(properties)


def home(database: Database, state: LinkState) -> str:
    """The id of the database that holds the link, whatever the link says. Raises :class:`errors.LinkMissing`."""
    if (found := database.row(_HOME, link=state.link)[0]) is None:
        raise errors.LinkMissing(f"the database has no link {state.link}")
    return str(found)


def at_home(database: Database, state: LinkState) -> None:
    """Raise :class:`errors.TargetReplaced` for a link in another database than the one in which it was made."""
    found = home(database, state)
    if found != state.target_db:
        raise errors.TargetReplaced(
            f"the target is database {found}, and link {state.link} was made in database {state.target_db}"
        )


def create(database: Database, state: LinkState) -> LinkState:
    """Make the link node; the constraint lets only one worker do so. Raises :class:`errors.ConstraintViolated`.

    A link of that name that was here before may have left rows behind: the new one begins where they are out of date,
    to be deleted like any other that is.
    """
    with database.transaction() as tx:
        target = tx.row(_CREATE, values=state.properties())[0].split(":")[1]
        if target == state.source_db:
            raise errors.SameDatabase("source and target are the same database")
        seq, gen = tx.row(_LEFT, link=state.link)
        made = replace(state, target_db=target, seq=seq, gen_seq=seq, gen=gen)
        tx.row(_BEGIN, link=state.link, values=made.properties())
        tx.commit()
    return made


@dataclass(frozen=True, slots=True)
class _Attempt:
    """A transaction whose COMMIT was sent and not acknowledged."""

    nonce: str
    state: LinkState
    record_bytes: int


class LinkWriter:
    """The only writer of one worker to its target: the link's state, the element map, and both in step.

    After a call raised, the map is as of :attr:`state` again, or the outcome is undecided and every further call first
    finds out (see :meth:`decide`).
    """

    def __init__(self, database: Database, state: LinkState, elements: ElementMap, faults: Faults) -> None:
        self.database = database
        self.state = state
        self.map = elements
        self.faults = faults
        self.journal_records = 0
        self.journal_bytes = 0
        self.compaction: Iterator[None] | None = None
        """The one under way, a transaction a step (:func:`.checkpoint.step`)."""
        self._undecided: _Attempt | None = None

    @property
    def node_prefix(self) -> str:
        """What stands before the number in the target's node ids."""
        return f"4:{self.state.target_db}:"

    @property
    def relationship_prefix(self) -> str:
        """What stands before the number in the target's relationship ids."""
        return f"5:{self.state.target_db}:"

    def write(
        self,
        change: LinkState,
        body: Callable[[Transaction], MapChange | None] | None = None,
        within: float | None = None,
    ) -> None:
        """One transaction: compare with :attr:`state`, run ``body``, become ``change`` (its ``seq`` is set here).
        ``within``: its time limit in seconds, in place of the link's own.

        Raises :class:`errors.Stale` and whatever ``body`` raises, nothing written; connection errors at COMMIT leave it
        undecided.
        """
        self.decide()
        new = replace(change, seq=self.state.seq + 1)
        nonce = uuid.uuid4().hex
        size = 0
        journal: dict[str, Any] = {}
        committing = False
        try:
            with self.database.transaction(within) as tx:
                self._compare(tx, nonce, _difference(self.state, new))
                self.faults.at("begin")
                record = body(tx) if body is not None else None
                if record:
                    data = record.encode()
                    size = len(data)
                    journal = {"query": _JOURNAL, "link": new.link, "seq": new.seq, "d": data}
                tx.settle()
                self.faults.at("commit")
                committing = True
                tx.commit(**journal)
        except BaseException as error:
            # Only a commit that was sent can be in doubt. A constraint checked at commit is a clear no.
            if committing and not isinstance(error, errors.ConstraintViolated):
                self._undecided = _Attempt(nonce, new, size)
            else:
                self.map.undo()
            raise
        self.faults.at("committed")
        self._adopt(new, size)

    def guarded(self, query: str, **params: object) -> Any:
        """One more statement in a transaction of its own, only while this worker's state is the valid one.

        For bookkeeping that may be repeated (checkpoints, clean-up): the link's state does not change.
        """
        self.decide()
        with self.database.transaction() as tx:
            self._compare(tx, uuid.uuid4().hex, {})
            value = tx.row(query, link=self.state.link, **params)[0]
            self.faults.at("checkpoint")
            tx.commit()
        return value

    def decide(self) -> None:
        """Find out whether the last commit went in, by looking under the lock. Raises :class:`errors.Stale`."""
        if self._undecided is None:
            return
        attempt = self._undecided
        with self.database.transaction() as tx:  # never committed: the lock alone waits for a commit still under way
            found = tx.row(_LOOK, link=self.state.link)[0]
        self._undecided = None
        if found["lock"] == attempt.nonce:
            self._adopt(attempt.state, attempt.record_bytes)
            return
        self.map.undo()
        if LinkState.of(found) != self.state:
            raise errors.Stale(_other(self.state, LinkState.of(found)))

    def _adopt(self, state: LinkState, record_bytes: int) -> None:
        self.map.keep()
        self.state = state
        if record_bytes:
            self.journal_records += 1
            self.journal_bytes += record_bytes

    def _compare(self, tx: Transaction, nonce: str, new: dict[str, Any]) -> None:
        known = self.state

        def look(row: Row) -> None:
            if row[0] != 1:
                raise errors.Stale(
                    f"link {known.link} was moved on by another worker or another epoch than {known.epoch}"
                )

        tx.send(
            look,
            _CAS,
            link=known.link,
            nonce=nonce,
            cursor=known.cursor,
            epoch=known.epoch,
            seq=known.seq,
            phase=known.phase,
            new=new,
        )


def _difference(old: LinkState, new: LinkState) -> dict[str, Any]:
    before = old.properties()
    return {name: value for name, value in new.properties().items() if before[name] != value}


def _other(mine: LinkState, theirs: LinkState) -> str:
    return (
        f"link {mine.link} is at epoch {theirs.epoch}, phase {theirs.phase}, transaction {theirs.cursor_tx}; "
        f"this worker was at epoch {mine.epoch}, phase {mine.phase}, transaction {mine.cursor_tx}"
    )
