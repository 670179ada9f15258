from __future__ import annotations

import math

from neo4j.time import DateTime, Duration
from pytz import FixedOffset, timezone

from tests.compare import Graph, canonical, differences


def test_values_are_told_apart_to_the_last_bit() -> None:
    berlin = timezone("Europe/Berlin")
    values = [
        None, True, 1, 1.0, 0.0, -0.0, math.nan, math.inf, "1", "", b"1", [], [1], [1.0], [True], Duration(days=1),
        Duration(seconds=86400), DateTime(2024, 10, 27, 2, 30), DateTime(2024, 10, 27, 2, 30, 0, 1),
        berlin.localize(DateTime(2024, 10, 27, 2, 30), is_dst=True),
        berlin.localize(DateTime(2024, 10, 27, 2, 30), is_dst=False),
        DateTime(2024, 10, 27, 2, 30, tzinfo=FixedOffset(60)),
    ]  # fmt: skip
    assert len({canonical(value) for value in values}) == len(values)
    assert canonical(math.nan) == canonical(float("nan"))
    assert canonical({"b": 1, "a": 2}) == canonical({"a": 2, "b": 1})


def ring(size: int, first: int) -> Graph:
    """Indistinguishable nodes in a circle, ids from ``first``."""
    nodes = {first + i: b"n" for i in range(size)}
    return Graph(nodes, [(first + i, first + (i + 1) % size, b"r") for i in range(size)])


def test_ids_do_not_count_but_structure_does() -> None:
    assert differences(ring(5, 0), ring(5, 100)) == []
    tail = ring(5, 0)
    tail.relationships[0] = (0, 2, b"r")
    assert differences(ring(5, 0), tail)
    twice = ring(5, 0)
    twice.relationships.append((0, 1, b"r"))
    assert differences(ring(5, 0), twice)
    assert differences(Graph({1: b"a", 2: b"b"}, [(1, 2, b"r")]), Graph({1: b"a", 2: b"b"}, [(2, 1, b"r")]))
    assert differences(Graph({1: b"a"}), Graph({1: b"b"}))
    assert differences(Graph({1: b"a", 2: b"a"}), Graph({1: b"a"}))
