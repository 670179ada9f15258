"""What a batch of a standby's own stream says of the primary's heartbeat: the newest one that has come through."""

from __future__ import annotations

import uuid
from typing import Any

import pytest

from neo4j_dr_operator.graph.position import Position
from neo4j_dr_operator.replication.changes import Chunk
from neo4j_dr_operator.replication.fold import Fold

DB = uuid.UUID(int=7)


def heartbeat(*nodes: tuple[str, dict[str, Any]]) -> int | None:
    """Fold one transaction that wrote these bookkeeping nodes: kind and properties."""
    labels = [["__Neo4jDR", f"__Neo4jDR{kind}"] for kind, _ in nodes]
    afters = [{"labels": has, "properties": kept} for has, (_, kept) in zip(labels, nodes, strict=True)]
    count = len(nodes)
    elements = [f"4:{DB}:{i}" for i in range(count)]
    position = Position("c", 5, str(DB), 7, 0, 0)
    chunk = Chunk(
        False,
        "c",
        position,
        ["c"] * count,
        [7] * count,
        ["u"] * count,
        elements,
        labels,
        [""] * count,
        [""] * count,
        afters,
    )
    fold = Fold(idempotent=False)
    fold.add(chunk)
    net = fold.net()
    assert (net.changes, net.created_nodes.ids, net.updated_nodes.ids) == (0, [], [])
    return net.heartbeat


@pytest.mark.parametrize(
    ("nodes", "newest"),
    [
        ([("Site", {"heartbeat": 5})], 5),
        ([("Link", {"heartbeat": 6, "phase": "streaming"})], 6),
        ([("Link", {"heartbeat": 6, "phase": "catching-up"})], None),
        ([("Link", {"heartbeat": 6, "phase": "frozen"})], None),
        ([("Link", {"heartbeat": 9, "phase": "streaming"}), ("Site", {"heartbeat": 5})], 9),
        ([("Log", {"heartbeat": 9, "phase": "streaming"})], None),
        ([("Link", {"phase": "streaming"})], None),
    ],
)
def test_only_an_exact_copy_speaks_for_the_primary(nodes: list[tuple[str, dict[str, Any]]], newest: int | None) -> None:
    assert heartbeat(*nodes) == newest
