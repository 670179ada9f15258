"""Made-up change streams, the same for the same seed."""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import Any

from neo4j_dr_operator.graph.position import Position
from neo4j_dr_operator.replication.changes import Chunk

UUID = "a42cc1ff-4d57-46fb-aa27-300dd87bbdfc"
LABELS = (["Person"], ["Account", "Asset"], ["Company", "Customer", "Party"])
TYPES = ("KNOWS", "OWNS")


@dataclass(frozen=True)
class Mix:
    """A workload: shares of nodes created, relationships created and nodes updated; the rest deletes relationships."""

    name: str
    nodes: float
    relationships: float
    updates: float
    per_transaction: int
    """Changes of one source transaction."""


SOCIAL = Mix("social graph", 0.60, 0.25, 0.10, 5)
UPDATES = Mix("update-heavy", 0.10, 0.05, 0.80, 5)
TINY = Mix("tiny transactions", 0.60, 0.25, 0.10, 1)
MIXES = (SOCIAL, UPDATES, TINY)


class Source:
    """Hands out ids as a record store does: in sequence."""

    def __init__(self, seed: int, mix: Mix = SOCIAL) -> None:
        self._mix = mix
        self._random = random.Random(seed)
        self._nodes: dict[int, tuple[list[str], int]] = {}
        self._ids: list[int] = []
        self._rels: dict[int, tuple[str, int, int]] = {}
        self._rel_ids: list[int] = []
        self._next = self._tx = 0

    def _properties(self) -> dict[str, Any]:
        self._next += 1
        n = self._next
        return {"key": n, "name": f"customer {n}", "mail": f"c{n}@example.com", "score": n * 0.5, "active": n % 2 == 0}

    def _any(self) -> int:
        ids = self._ids
        if self._random.random() < 0.4:
            return ids[-1 - self._random.randrange(min(2000, len(ids)))]
        return ids[self._random.randrange(len(ids))]

    def _change(self) -> tuple[str, str, Any, str, str, Any]:
        """(operation, element id, labels or type, start, end, after)."""
        dice, mix = self._random.random(), self._mix
        if dice < mix.nodes or len(self._ids) < 10:
            i = self._next
            labels = LABELS[i % 3]
            after = {"labels": labels, "properties": self._properties()}
            self._nodes[i] = (labels, 0)
            self._ids.append(i)
            return "c", f"4:{UUID}:{i}", labels, "", "", after
        if dice < mix.nodes + mix.relationships:
            i, a, b = self._next, self._any(), self._any()
            self._next += 1
            kind = TYPES[i % 2]
            self._rels[i] = (kind, a, b)
            self._rel_ids.append(i)
            for end in (a, b):
                self._nodes[end] = (self._nodes[end][0], self._nodes[end][1] + 1)
            after = {"properties": {"since": i, "w": 0.5}}
            return "c", f"5:{UUID}:{i}", kind, f"4:{UUID}:{a}", f"4:{UUID}:{b}", after
        if dice < mix.nodes + mix.relationships + mix.updates or len(self._rel_ids) < 100:
            i = self._any()
            labels = self._nodes[i][0]
            return "u", f"4:{UUID}:{i}", labels, "", "", {"labels": labels, "properties": self._properties()}
        at = self._random.randrange(len(self._rel_ids))
        i = self._rel_ids[at]
        self._rel_ids[at] = self._rel_ids[-1]
        self._rel_ids.pop()
        kind, a, b = self._rels.pop(i)
        return "d", f"5:{UUID}:{i}", kind, f"4:{UUID}:{a}", f"4:{UUID}:{b}", 0

    def chunk(self, changes: int) -> Chunk:
        """The next ``changes`` changes, in transactions of the mix's size."""
        rows = [self._change() for _ in range(changes)]
        txs = []
        for n in range(changes):
            self._tx += n % self._mix.per_transaction == 0
            txs.append(self._tx)
        cursor = f"tx {self._tx}"
        return Chunk(
            more=True,
            cursor=cursor,
            position=Position(cursor, 5, UUID, self._tx, 0, 0),
            ids=[cursor] * changes,
            txs=txs,
            operations=[row[0] for row in rows],
            elements=[row[1] for row in rows],
            names=[row[2] for row in rows],
            starts=[row[3] for row in rows],
            ends=[row[4] for row in rows],
            afters=[row[5] for row in rows],
        )
