"""Two graphs compared as wholes, up to the ids that databases give to elements. Shares nothing with the operator.

A node's first key is its labels and properties, exact to the last bit and to the type. Relationships are compared as a
multiset of (type, properties, key of the start, key of the end). Where several nodes share a key, keys are refined by
their surroundings (colour refinement) until nothing splits any more. For graphs whose nodes carry a unique property
that is an exact test; for others it is one that only very regular graphs could deceive.
"""

from __future__ import annotations

import hashlib
import struct
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

BOOKKEEPING = "__Neo4jDR"
Query = Callable[..., list[dict[str, Any]]]
PAGE = 50_000
_NODES = (
    f"MATCH (n) WHERE id(n) >= $at AND NOT n:`{BOOKKEEPING}` WITH n ORDER BY id(n) LIMIT $page "
    "RETURN id(n) AS id, labels(n) AS labels, properties(n) AS properties"
)
_RELATIONSHIPS = (
    "MATCH (a)-[r]->(b) WHERE id(r) >= $at WITH a, r, b ORDER BY id(r) LIMIT $page "
    "RETURN id(r) AS id, id(a) AS a, id(b) AS b, type(r) AS type, properties(r) AS properties"
)


@dataclass
class Graph:
    """Keys of all nodes by internal id, and all relationships as (start, end, key)."""

    nodes: dict[int, bytes] = field(default_factory=dict)
    relationships: list[tuple[int, int, bytes]] = field(default_factory=list)


def canonical(value: Any) -> str:
    """A text that is equal exactly when type and bits are: 0.0 differs from -0.0, 1 from 1.0, one NaN from another."""
    if value is None or isinstance(value, bool | int | str | bytes | bytearray):
        return f"{type(value).__name__}:{value!r}"
    if isinstance(value, float):
        return f"float:{struct.pack('>d', value).hex()}"
    if isinstance(value, list | tuple) and type(value) in (list, tuple):
        return "[" + ",".join(canonical(item) for item in value) + "]"
    if isinstance(value, dict):
        return "{" + ",".join(f"{key!r}={canonical(value[key])}" for key in sorted(value)) + "}"
    if hasattr(value, "tag") and hasattr(value, "fields"):  # a structure as it travels, see tests/database/raw.py
        return f"structure {value.tag!r}{canonical(list(value.fields))}"
    return f"{type(value).__name__}:{value!r}:{_zone(value)}:{getattr(value, 'srid', '')}"


def _zone(value: Any) -> str:
    zone = getattr(value, "tzinfo", None)
    if zone is None:
        return ""
    name = getattr(zone, "zone", None) or getattr(zone, "key", None)
    return f"{name}/{value.utcoffset()}"


def read(query: Query) -> Graph:
    """The whole graph behind ``query(text, **parameters) -> rows as dictionaries``, bookkeeping left out."""
    graph = Graph()
    for row in _paged(query, _NODES):
        graph.nodes[row["id"]] = _digest(canonical(sorted(row["labels"])), canonical(row["properties"]))
    for row in _paged(query, _RELATIONSHIPS):
        graph.relationships.append((row["a"], row["b"], _digest(row["type"], canonical(row["properties"]))))
    return graph


def _paged(query: Query, text: str) -> Iterable[dict[str, Any]]:
    at = 0
    while rows := query(text, at=at, page=PAGE):
        yield from rows
        at = rows[-1]["id"] + 1


def _digest(*parts: str | bytes) -> bytes:
    digest = hashlib.blake2b(digest_size=16)
    for part in parts:
        data = part.encode("utf-8", "surrogatepass") if isinstance(part, str) else part
        digest.update(len(data).to_bytes(8, "big") + data)
    return digest.digest()


def refined(graph: Graph, rounds: int = 8) -> dict[int, bytes]:
    """Node keys, told apart by their surroundings as far as that goes."""
    keys = dict(graph.nodes)
    for _ in range(rounds):
        kinds = len(set(keys.values()))
        if kinds == len(keys):
            break
        around: dict[int, list[bytes]] = defaultdict(list)
        for start, end, key in graph.relationships:
            around[start].append(b">" + key + keys[end])
            around[end].append(b"<" + key + keys[start])
        keys = {node: _digest(key, *sorted(around[node])) for node, key in keys.items()}
        if len(set(keys.values())) == kinds:
            break
    return keys


def differences(left: Graph, right: Graph) -> list[str]:
    """What differs, in words; empty when the graphs are equal."""
    found = []
    keys = refined(left), refined(right)
    for name, one, two in (
        ("nodes", Counter(keys[0].values()), Counter(keys[1].values())),
        ("relationships", _edges(left, keys[0]), _edges(right, keys[1])),
    ):
        missing, extra = one - two, two - one
        if missing or extra:
            found.append(
                f"{name}: {sum(missing.values())} only on the left, {sum(extra.values())} only on the right, "
                f"of {sum(one.values())} and {sum(two.values())}"
            )
    return found


def _edges(graph: Graph, keys: dict[int, bytes]) -> Counter[bytes]:
    return Counter(_digest(key, keys[start], keys[end]) for start, end, key in graph.relationships)


def assert_equal(left: Query, right: Query) -> tuple[int, int]:
    """Raise AssertionError unless both databases hold the same graph; gives the number of nodes and relationships."""
    one, two = read(left), read(right)
    found = differences(one, two)
    assert not found, "; ".join(found)
    return len(one.nodes), len(one.relationships)
