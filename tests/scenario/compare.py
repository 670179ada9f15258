"""Two databases compared element by element, by somebody who knows nothing of the operator but its label."""

from __future__ import annotations

from collections import Counter
from typing import Any

from lab import Neo4j

NODES = "MATCH (n) WHERE NOT n:`__Neo4jDR` RETURN labels(n) AS labels, properties(n) AS properties"
RELATIONSHIPS = (
    "MATCH (a)-[r]->(b) RETURN type(r) AS type, properties(r) AS properties, "
    "labels(a) AS from_labels, a.uid AS from_uid, labels(b) AS to_labels, b.uid AS to_uid"
)


def _frozen(value: Any) -> Any:
    if isinstance(value, dict):
        return tuple(sorted((key, _frozen(item)) for key, item in value.items()))
    if isinstance(value, list):
        return tuple(_frozen(item) for item in value)
    return (type(value).__name__, repr(value))


def content(database: Neo4j) -> tuple[Counter[Any], Counter[Any]]:
    """Every node and every relationship, the ends by label and uid."""
    nodes = Counter(
        (tuple(sorted(row["labels"])), _frozen(row["properties"])) for row in database.query(NODES)
    )
    relationships = Counter(
        (
            row["type"],
            _frozen(row["properties"]),
            (tuple(sorted(row["from_labels"])), row["from_uid"]),
            (tuple(sorted(row["to_labels"])), row["to_uid"]),
        )
        for row in database.query(RELATIONSHIPS)
    )
    return nodes, relationships


def assert_same_graph(one: Neo4j, two: Neo4j) -> None:
    """AssertionError naming the first differences."""
    for kind, left, right in zip(("nodes", "relationships"), content(one), content(two), strict=True):
        only_left, only_right = left - right, right - left
        assert not only_left, f"{kind} only in the first: {only_left.most_common(3)}"
        assert not only_right, f"{kind} only in the second: {only_right.most_common(3)}"
