"""What a restored graph is compared with before it is said to be complete: the element map of what was restored."""

from __future__ import annotations

import numpy as np

from neo4j_dr_operator import errors
from neo4j_dr_operator.graph.element_map import FlatMap
from neo4j_dr_operator.replication import seed
from neo4j_dr_operator.replication.link import LinkWriter

PORTION = 10_000
_NODES = "UNWIND $a AS a MATCH (n) WHERE elementId(n) = $x + a RETURN count(n)"
_RELATIONSHIPS = "UNWIND $a AS a MATCH ()-[r]->() WHERE elementId(r) = $x + a RETURN count(r)"


def counted(writer: LinkWriter) -> tuple[int, int]:
    """Nodes and relationships in the target: as many as were restored. Raises :class:`errors.TargetAltered`."""
    held = seed.counts(writer.database)
    known = writer.map.nodes.count(), writer.map.relationships.count()
    if held != known:
        raise errors.TargetAltered(
            f"the target holds {held[0]} nodes and {held[1]} relationships, and {known[0]} and {known[1]} were "
            "restored: somebody else wrote to it"
        )
    return held


def check(writer: LinkWriter, held: tuple[int, int], *, each: bool) -> str:
    """What was compared, in words. With ``each`` every one of them is looked for as well: since they are as many as
    were restored (``held``), the target holds those and no other.

    Values are not read again: what a chunk or a segment holds was compared with its checksum when it was read. May be
    repeated. Raises :class:`errors.TargetAltered`.
    """
    if not each:
        return f"{held[0]} nodes and {held[1]} relationships, as many as were restored"
    _present(writer, writer.map.nodes, _NODES, writer.node_prefix, "node")
    _present(writer, writer.map.relationships, _RELATIONSHIPS, writer.relationship_prefix, "relationship")
    return f"each of {held[0]} nodes and {held[1]} relationships that were restored is there, and no other"


def _present(writer: LinkWriter, elements: FlatMap, query: str, prefix: str, kind: str) -> None:
    targets = np.sort(elements.pairs()[1])
    for begin in range(0, len(targets), PORTION):
        some = targets[begin : begin + PORTION].tolist()
        found = writer.database.row(query, a=some, x=prefix)[0]
        if found != len(some):
            raise errors.TargetAltered(
                f"{len(some) - found} {kind}s that were restored are not in the target: somebody else wrote to it"
            )
