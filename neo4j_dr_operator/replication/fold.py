"""Many source transactions folded into one net change set (pure).

Per element at most one *old* fate (an update or the delete of what was there before) and one *new* fate (a creation)
remain: created and updated is created; created and deleted is nothing; deleted and created again (ids are reused) is
both. The net state is the source's state at a transaction boundary, so it satisfies every constraint of the source,
and applying old fates before new ones never breaks one in the middle. No batch ever has to be split.

``idempotent`` folding serves a target that may already be ahead of the stream (seeding, see ``docs/replication.md``):
there a creation may meet an element that the scan has seen, so created and deleted stays a delete, and an update
carries all labels instead of a difference.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from neo4j_dr_operator.graph.cypher import BOOKKEEPING, LINK, SITE
from neo4j_dr_operator.graph.position import Position
from neo4j_dr_operator.replication.changes import Chunk

Properties = dict[str, Any]
STREAMING = "streaming"
"""Phase of a link node whose database is an exact copy: only then is what it says of the primary true of all of it."""
ID_AT = 39
"""Where the number starts in an element id: ``4:<36 characters of uuid>:<number>``."""


class Names:
    """Values seen so far, each with a number: label sets travel once a batch."""

    __slots__ = ("index", "values")

    def __init__(self) -> None:
        self.index: dict[Any, int] = {}
        self.values: list[Any] = []

    def number(self, key: Any, value: Any) -> int:
        """The number of ``key``; ``value`` is what travels for it."""
        found = self.index.get(key)
        if found is None:
            found = self.index[key] = len(self.values)
            self.values.append(value)
        return found


@dataclass(slots=True)
class Nodes:
    """Node rows of one statement: source ids, numbers into ``names``, properties."""

    ids: list[int] = field(default_factory=list)
    keys: list[int] = field(default_factory=list)
    properties: list[Properties] = field(default_factory=list)
    names: list[Any] = field(default_factory=list)

    def part(self, rows: slice) -> Nodes:
        """Some of the rows."""
        return Nodes(self.ids[rows], self.keys[rows], self.properties[rows], self.names)


@dataclass(slots=True)
class Relationships:
    """Relationship rows of one statement: source ids, ends as source ids, numbers into ``names``, properties."""

    ids: list[int] = field(default_factory=list)
    starts: list[int] = field(default_factory=list)
    ends: list[int] = field(default_factory=list)
    keys: list[int] = field(default_factory=list)
    properties: list[Properties] = field(default_factory=list)
    names: list[str] = field(default_factory=list)

    def part(self, rows: slice) -> Relationships:
        """Some of the rows; columns that are empty stay so."""
        return Relationships(
            self.ids[rows], self.starts[rows], self.ends[rows], self.keys[rows], self.properties[rows], self.names
        )


@dataclass(slots=True)
class Net:
    """A net change set. Column meanings as in :class:`Nodes` and :class:`Relationships`; ids are source ids.

    ``size``: bytes of what was folded, as it was read; 0 unknown. ``relabelled_nodes.names`` holds (labels removed,
    labels added) when exact; all labels when idempotent.
    """

    cursor: str
    position: Position
    changes: int
    transactions: int
    heartbeat: int | None
    idempotent: bool
    deleted_relationships: list[int]
    deleted_nodes: list[int]
    created_nodes: Nodes
    updated_nodes: Nodes
    relabelled_nodes: Nodes
    created_relationships: Relationships
    updated_relationships: Relationships
    size: int = 0


class Fold:
    """Takes chunks of the stream in order, gives their :class:`Net`. Made anew for every batch."""

    def __init__(self, *, idempotent: bool) -> None:
        self.idempotent = idempotent
        self.changes = 0
        self.transactions = 0
        self.size = 0
        self.heartbeat: int | None = None
        self._last: Chunk | None = None
        self._created_nodes: dict[int, dict[str, Any]] = {}
        self._updated_nodes: dict[int, tuple[Sequence[str], dict[str, Any]]] = {}
        self._deleted_nodes: dict[int, None] = {}
        self._created_rels: dict[int, tuple[str, int, int, Properties]] = {}
        self._updated_rels: dict[int, Properties] = {}
        self._deleted_rels: dict[int, None] = {}

    def add(self, chunk: Chunk) -> None:
        """Fold one more chunk in."""
        self._last = chunk
        self.size += chunk.size
        seen_tx = -1
        for tx, operation, element, names, start, end, after in zip(
            chunk.txs,
            chunk.operations,
            chunk.elements,
            chunk.names,
            chunk.starts,
            chunk.ends,
            chunk.afters,
            strict=True,
        ):
            if element[0] == "4":
                if BOOKKEEPING in names or (after and BOOKKEEPING in after["labels"]):
                    self._bookkeeping(names, after)
                    continue
                self._node(operation, int(element[ID_AT:]), names, after)
            else:
                self._relationship(operation, int(element[ID_AT:]), names, start, end, after)
            self.changes += 1
            if tx != seen_tx:
                seen_tx = tx
                self.transactions += 1

    def _bookkeeping(self, names: Sequence[str], after: Any) -> None:
        """Take the heartbeat: of the site node, or, down a cascade, what the source's own link has brought it."""
        if not after:
            return
        properties = after["properties"]
        if SITE in after["labels"] or (LINK in after["labels"] and properties.get("phase") == STREAMING):
            beat = properties.get("heartbeat")
            if isinstance(beat, int):
                self.heartbeat = max(beat, self.heartbeat or 0)

    def _node(self, operation: str, element: int, labels: Sequence[str], after: Any) -> None:
        created = self._created_nodes
        if operation == "c":
            created[element] = after
            if self.idempotent:
                self._updated_nodes.pop(element, None)
        elif operation == "u":
            if element in created:
                created[element] = after
            elif element in self._updated_nodes:
                self._updated_nodes[element] = (self._updated_nodes[element][0], after)
            else:
                self._updated_nodes[element] = (labels, after)
        elif created.pop(element, None) is None or self.idempotent:
            self._updated_nodes.pop(element, None)
            self._deleted_nodes[element] = None

    def _relationship(self, operation: str, element: int, kind: str, start: str, end: str, after: Any) -> None:
        created = self._created_rels
        if operation == "c":
            created[element] = (
                kind,
                int(start[ID_AT:]),
                int(end[ID_AT:]),
                after["properties"],
            )
            if self.idempotent:
                self._updated_rels.pop(element, None)
        elif operation == "u":
            if element in created:
                created[element] = (*created[element][:3], after["properties"])
            else:
                self._updated_rels[element] = after["properties"]
        elif created.pop(element, None) is None or self.idempotent:
            self._updated_rels.pop(element, None)
            self._deleted_rels[element] = None

    def net(self) -> Net:
        """The net change set of what was added; at least one chunk was."""
        if self._last is None:
            raise ValueError("nothing was folded")
        updated, relabelled = self._node_updates()
        return Net(
            cursor=self._last.cursor,
            position=self._last.position,
            changes=self.changes,
            transactions=self.transactions,
            heartbeat=self.heartbeat,
            idempotent=self.idempotent,
            deleted_relationships=list(self._deleted_rels),
            deleted_nodes=list(self._deleted_nodes),
            created_nodes=self._node_creations(),
            updated_nodes=updated,
            relabelled_nodes=relabelled,
            created_relationships=self._relationship_creations(),
            updated_relationships=Relationships(
                ids=list(self._updated_rels),
                properties=list(self._updated_rels.values()),
            ),
            size=self.size,
        )

    def _node_creations(self) -> Nodes:
        rows, names = Nodes(), Names()
        for element, after in self._created_nodes.items():
            labels = after["labels"]
            rows.ids.append(element)
            rows.keys.append(names.number(tuple(labels), labels))
            rows.properties.append(after["properties"])
        rows.names = names.values
        return rows

    def _node_updates(self) -> tuple[Nodes, Nodes]:
        same, changed, names = Nodes(), Nodes(), Names()
        for element, (before, after) in self._updated_nodes.items():
            labels = after["labels"]
            if self.idempotent:
                rows, key = changed, names.number(tuple(labels), labels)
            elif before == labels or set(before) == set(labels):
                rows, key = same, 0
            else:
                removed, added = (
                    sorted(set(before) - set(labels)),
                    sorted(set(labels) - set(before)),
                )
                rows, key = (
                    changed,
                    names.number((tuple(removed), tuple(added)), [removed, added]),
                )
            rows.ids.append(element)
            rows.keys.append(key)
            rows.properties.append(after["properties"])
        changed.names = names.values
        return same, changed

    def _relationship_creations(self) -> Relationships:
        rows, names = Relationships(), Names()
        for element, (kind, start, end, properties) in self._created_rels.items():
            rows.ids.append(element)
            rows.starts.append(start)
            rows.ends.append(end)
            rows.keys.append(names.number(kind, kind))
            rows.properties.append(properties)
        rows.names = names.values
        return rows


def folded(chunks: Sequence[Chunk], *, idempotent: bool) -> Net:
    """The net change set of ``chunks``, at least one."""
    fold = Fold(idempotent=idempotent)
    for chunk in chunks:
        fold.add(chunk)
    return fold.net()
