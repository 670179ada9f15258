"""Emptying a target before a restore, in bounded transactions that a killed worker goes on behind.

Relationships go first, then nodes, range by range of their internal ids: a transaction deletes what stands under
``size`` ids at most, and the link's place moves on with it. The site node and this restore's own bookkeeping stay;
what other links kept there goes, because it speaks of elements that are gone.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from neo4j_dr_operator import errors
from neo4j_dr_operator.graph.bolt_sync import Transaction
from neo4j_dr_operator.graph.cypher import BOOKKEEPING, LINK, LOG, MAP, quote
from neo4j_dr_operator.replication import scan, schema, seed
from neo4j_dr_operator.replication.link import LinkState, LinkWriter
from neo4j_dr_operator.replication.scan import NODES_END, RELATIONSHIPS_END

PASSES = 3
"""Times that everything is gone through while somebody else writes to the target."""
_OF_OTHERS = f"(n:{LINK} OR n:{LOG} OR n:{MAP}) AND n.link <> $link"
_NODES = (
    f"UNWIND range($a, $b) AS i MATCH (n) WHERE elementId(n) = $x + i AND (NOT n:{BOOKKEEPING} OR {_OF_OTHERS}) "
    "DETACH DELETE n RETURN count(*)"
)
_RELATIONSHIPS = "UNWIND range($a, $b) AS i MATCH ()-[r]->() WHERE elementId(r) = $x + i DELETE r RETURN count(*)"

Write = Callable[[Callable[[], None]], None]
"""Does something once, whatever happens to the connection meanwhile."""


def empty(writer: LinkWriter, size: int, write: Write, deleted: Callable[[int], None]) -> None:
    """Drop the users' schema, then delete everything of theirs. May be begun again after any crash.

    ``deleted`` is told how many elements went. Raises :class:`errors.TargetAltered` when somebody else keeps writing.
    """
    drop_schema(writer)
    for _ in range(PASSES):
        _Pass(writer, size, write, deleted).run()
        if not any(seed.counts(writer.database)):
            return
        write(lambda: writer.write(replace(writer.state, scan_rels=0, scan_nodes=0)))
    raise errors.TargetAltered("the target is being written to by somebody else while it is emptied")


def drop_schema(writer: LinkWriter) -> None:
    """Drop constraints and indexes of users: what the target gets is the snapshot's. May be repeated."""
    for rule in schema.rules(writer.database).values():
        if not rule.lookup:
            writer.database.write(f"DROP {rule.kind} {quote(rule.name)} IF EXISTS")


class _Pass:
    """Once through all ids, from where the link says that a pass has come."""

    def __init__(self, writer: LinkWriter, size: int, write: Write, deleted: Callable[[int], None]) -> None:
        self._writer, self._size, self._write, self._deleted = writer, size, write, deleted

    def run(self) -> None:
        """Relationships, then nodes."""
        writer = self._writer
        self._range(
            _RELATIONSHIPS,
            writer.relationship_prefix,
            (writer.state.scan_rels, scan.end(writer.database, RELATIONSHIPS_END)),
            lambda after: replace(writer.state, scan_rels=after),
        )
        self._range(
            _NODES,
            writer.node_prefix,
            (writer.state.scan_nodes, scan.end(writer.database, NODES_END)),
            lambda after: replace(writer.state, scan_nodes=after),
        )

    def _range(self, query: str, prefix: str, ids: tuple[int, int], moved: Callable[[int], LinkState]) -> None:
        first, end = ids
        size = self._size
        while first < end:
            after = min(first + size, end)
            try:
                self._delete(query, prefix, first, after, moved)
            except errors.MemoryExhausted:
                if size == 1:
                    raise
                size = max(1, size // 4)
                continue
            first = after

    def _delete(self, query: str, prefix: str, first: int, after: int, moved: Callable[[int], LinkState]) -> None:
        writer, gone = self._writer, [0]

        def body(tx: Transaction) -> None:
            gone[0] = tx.row(query, x=prefix, a=first, b=after - 1, link=writer.state.link)[0]
            writer.faults.at("emptying")

        self._write(lambda: writer.write(moved(after), body))
        self._deleted(gone[0])
