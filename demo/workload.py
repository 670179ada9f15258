"""What the writer writes: transaction ``n`` is always the same, so that a log can be replayed and a run repeated.

The first ``BASE`` transactions are large and make the graph that is there before anything is replicated. Each later
one creates an order with two relationships, and some change or delete what earlier ones made. A transaction's own
node ``t<n>`` is never touched again: it tells whether the transaction is there.
"""

from __future__ import annotations

import math
import random
from typing import Any

from neo4j.spatial import CartesianPoint, WGS84Point
from neo4j.time import Date, DateTime, Duration

from demo.ledger import pack

BASE = 6
"""Number of transactions that make the first graph."""
CHUNK = 400
"""People a base transaction makes; with twice as many relationships."""
LABELS = ("Gift", "Express", "Odd label `with` ticks", "Größe")


def operations(n: int) -> list[list[Any]]:
    """The operations of transaction ``n`` (from 1), in the form of the ledger."""
    dice = random.Random(f"transaction {n}")
    return _base(n, dice) if n <= BASE else _order(n, dice)


def _marker(n: int, kind: str) -> list[Any]:
    return ["node", f"t{n}", ["Thing", "Transaction"], {"n": n, "kind": kind}]


def _base(n: int, dice: random.Random) -> list[list[Any]]:
    first = (n - 1) * CHUNK
    people = [["node", f"p{i}", ["Person", "Thing"], _person(i, dice)] for i in range(first, first + CHUNK)]
    knows = [
        ["rel", f"k{i}-{j}", "KNOWS", f"p{i}", f"p{dice.randrange(first + CHUNK)}", {"weight": pack(dice.random())}]
        for i in range(first, first + CHUNK)
        for j in range(2)
    ]
    return [_marker(n, "base"), *people, *knows]


def _person(i: int, dice: random.Random) -> dict[str, Any]:
    return {
        "name": f"Person {i}",
        "born": pack(Date(1940 + i % 60, 1 + i % 12, 1 + i % 28)),
        "home": pack(WGS84Point((dice.uniform(-180, 180), dice.uniform(-90, 90)))),
        "scores": [dice.getrandbits(62) - (1 << 61) for _ in range(i % 4)],
        "picture": pack(dice.randbytes(i % 17)),
    }


def _order(n: int, dice: random.Random) -> list[list[Any]]:
    labels = sorted(["Thing", "Order", *dice.sample(LABELS, dice.randrange(3))])
    ops = [
        _marker(n, "order"),
        ["node", f"o{n}", labels, _amounts(n, dice)],
        ["rel", f"m{n}", "MADE", f"t{n}", f"o{n}", {}],
        ["rel", f"b{n}", "BY", f"o{n}", f"p{dice.randrange(BASE * CHUNK)}", {"share": pack(dice.random())}],
    ]
    if n % 3 == 0:
        changed = {"state": "changed", "rate": pack(dice.random()), "note": None}
        ops.append(["set", f"o{n - 5}", changed, ["Changed"], ["Gift"]])
    if n % 4 == 0:
        ops.append(["setrel", f"b{n - 7}", f"o{n - 7}", {"share": pack(-dice.random()), "by": n}])
    if n % 5 == 0:
        ops.append(["deleterel", f"b{n - 9}", f"o{n - 9}"])
    if n % 7 == 0:
        ops.append(["delete", f"o{n - 13}"])
    return ops


def _amounts(n: int, dice: random.Random) -> dict[str, Any]:
    odd = (math.nan, -0.0, math.inf, 5e-324, 0.1 + 0.2)
    return {
        "n": n,
        "rate": pack(odd[n % 5] if n % 11 == 0 else dice.random()),
        "big": dice.choice((2**63 - 1, -(2**63), n)),
        "note": f"line one\nline two \x00 \N{GRINNING FACE} {n}",
        "at": pack(DateTime(2025, 3, 30, n % 24, n % 60, dice.randrange(60), dice.randrange(10**9))),
        "takes": pack(Duration(months=n % 5, days=-(n % 3), seconds=n, nanoseconds=dice.randrange(10**9))),
        "spot": pack(CartesianPoint((dice.random(), -dice.random(), 1e-300))),
        "ready": n % 2 == 0,
    }
