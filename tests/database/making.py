"""Random transactions on a database, from a seed: every kind of element, value and change, some of them taken back."""

from __future__ import annotations

import random
import struct
from collections.abc import Callable
from typing import Any

import neo4j
from neo4j._codec.packstream import Structure
from neo4j.exceptions import ConstraintError

from tests.database.values import NAMES, NANS, VALUES

LABELS = ["A", "B", "Unique", "Keyed", *NAMES]
TYPES = ["R", "S", *NAMES[:6]]
KEYS = ["a", "b", "c", *NAMES]
ZONES = ("Europe/Berlin", "America/St_Johns", "Asia/Kathmandu", "SystemV/PST8", "UTC", "Pacific/Apia")
SYSTEMS = (7203, 4326, 9157, 4979)
SCHEMA = (
    "CREATE CONSTRAINT making_unique IF NOT EXISTS FOR (n:Unique) REQUIRE n.u IS UNIQUE",
    "CREATE CONSTRAINT making_pair IF NOT EXISTS FOR (n:Keyed) REQUIRE (n.u, n.v) IS UNIQUE",
    "CREATE CONSTRAINT making_type IF NOT EXISTS FOR ()-[r:R]-() REQUIRE r.u IS UNIQUE",
)
DOMAIN = 40
"""How many values a unique property may take: few, so that they move between elements all the time."""
LATEST = 31_556_889_000_000_000
"""Seconds from 1970 to nearly the end of the year 999,999,999: with room for any offset."""


class Values:
    """Random property values."""

    def __init__(self, dice: random.Random) -> None:
        self._dice = dice
        self._kinds: list[Callable[[], Any]] = [
            self._integer, self._float, self._text, self._bytes, self._boolean, self._date, self._time,
            self._local_time, self._moment, self._zoned, self._local_moment, self._duration, self._point,
        ]  # fmt: skip

    def any(self) -> Any:
        """A value that the store takes: one of the table, a random one, or a list of one kind."""
        roll = self._dice.random()
        if roll < 0.15:
            name, value = self._dice.choice(list(VALUES.items()))
            return value if name != "long_text" else "x" * self._dice.choice((100, 5_000, 70_000))
        kind = self._dice.choice(self._kinds)
        if roll < 0.8 or kind == self._bytes:
            return kind()
        count = range(self._dice.choice((0, 1, 2, 7, 40)))
        if kind == self._point:  # a list holds points of one system
            system = self._dice.choice(SYSTEMS)
            return [self._point(system) for _ in count]
        return [kind() for _ in count]

    def _boolean(self) -> bool:
        return self._dice.random() < 0.5

    def _integer(self) -> int:
        return self._dice.choice((self._dice.randint(-(2**63), 2**63 - 1), self._dice.randint(-20, 130), -(2**63)))

    def _float(self) -> float:
        bits = self._dice.choice((self._dice.randbytes(8).hex(), "8000000000000000", "7ff0000000000000", *NANS))
        value: float = struct.unpack(">d", bytes.fromhex(bits))[0]
        return value

    def _finite(self) -> float:
        """A coordinate: servers refuse points that are nowhere."""
        wild = self._dice.uniform(-1, 1) * 10.0 ** self._dice.randint(-300, 300)
        return self._dice.choice((0.0, -0.0, 5e-324, wild, self._dice.uniform(-90, 90)))

    def _text(self) -> str:
        ranges = ((0, 0x7F), (0x80, 0x7FF), (0x800, 0xD7FF), (0xE000, 0xFFFF), (0x10000, 0x10FFFF))
        size = self._dice.choice((0, 1, 3, 20, 200))
        return "".join(chr(self._dice.randint(*self._dice.choice(ranges))) for _ in range(size))

    def _bytes(self) -> bytes:
        return self._dice.randbytes(self._dice.choice((0, 1, 7, 8, 9, 300)))

    def _seconds(self) -> int:
        return self._dice.choice((self._dice.randint(-LATEST, LATEST), self._dice.randint(-(2**31), 2**32), 0))

    def _nanoseconds(self) -> int:
        return self._dice.choice((0, 1, 999_999_999, self._dice.randrange(10**9)))

    def _date(self) -> Structure:
        return Structure(b"D", self._seconds() // 86_400)

    def _day(self) -> int:
        return self._dice.randrange(86_400) * 10**9 + self._nanoseconds()

    def _offset(self) -> int:
        return self._dice.choice((0, 3_600, -64_800, 64_800, 20_700, 3_723))

    def _time(self) -> Structure:
        return Structure(b"T", self._day(), self._offset())

    def _local_time(self) -> Structure:
        return Structure(b"t", self._day())

    def _moment(self) -> Structure:
        return Structure(b"I", self._seconds(), self._nanoseconds(), self._offset())

    def _zoned(self) -> Structure:
        return Structure(b"i", self._seconds(), self._nanoseconds(), self._dice.choice(ZONES))

    def _local_moment(self) -> Structure:
        return Structure(b"d", self._seconds(), self._nanoseconds())

    def _duration(self) -> Structure:
        month, day = self._dice.randint(-10_000, 10_000), self._dice.randint(-(10**6), 10**6)
        return Structure(b"E", month, day, self._dice.randint(-(10**12), 10**12), self._nanoseconds())

    def _point(self, system: int | None = None) -> Structure:
        system = system or self._dice.choice(SYSTEMS)
        place = [self._finite() % 90, self._dice.choice((0.0, -0.0, 45.5))]
        if system in (9157, 4979):
            return Structure(b"Y", system, *place, self._finite())
        return Structure(b"X", system, *place)


class Making:
    """Writes transactions. Knows which elements live, by the database's own ids."""

    def __init__(self, seed: int, session: neo4j.Session) -> None:
        self._dice = random.Random(seed)
        self._values = Values(self._dice)
        self._session = session
        self._nodes: list[int] = [row[0] for row in session.run(
            "MATCH (n) WHERE NOT n:__Neo4jDR RETURN id(n)").values()]  # fmt: skip
        self._rels: list[int] = [row[0] for row in session.run("MATCH ()-[r]->() RETURN id(r)").values()]
        self.taken_back = 0

    def transaction(self) -> None:
        """One transaction of one to many changes; one in ten, and all that break a constraint, are rolled back."""
        before = list(self._nodes), list(self._rels)
        size = self._dice.choice((1, 1, 2, 3, 5, 8, 13))
        tx = self._session.begin_transaction()
        try:
            for _ in range(size):
                self._change(tx)
            if self._dice.random() < 0.1:
                tx.rollback()
                self._back(before)
            else:
                tx.commit()
        except ConstraintError:
            tx.close()
            self._back(before)

    def _back(self, before: tuple[list[int], list[int]]) -> None:
        self._nodes, self._rels = before
        self.taken_back += 1

    def _change(self, tx: neo4j.Transaction) -> None:
        choices: list[tuple[float, Callable[[neo4j.Transaction], None]]] = [(3, self._node)]
        if self._nodes:
            choices += [(4, self._relationship), (2, self._update), (2, self._relabel), (1.2, self._delete),
                        (1, self._move), (0.5, self._again), (0.3, self._fleeting)]  # fmt: skip
        if self._rels:
            choices += [(2, self._update_relationship), (1, self._delete_relationship), (0.5, self._exchange)]
        weights, changes = zip(*choices, strict=True)
        self._dice.choices(changes, weights)[0](tx)

    def _labels(self) -> list[str]:
        return self._dice.sample(LABELS, self._dice.choice((0, 1, 1, 2, 5, 12)))

    def _properties(self) -> dict[str, Any]:
        keys = self._dice.sample(KEYS, self._dice.choice((0, 1, 2, 4)))
        found = {key: self._values.any() for key in keys}
        for key in ("u", "v"):
            if self._dice.random() < 0.5:
                found[key] = self._dice.randrange(DOMAIN)
        return found

    def _node(self, tx: neo4j.Transaction) -> None:
        text = "CREATE (n:$($labels)) SET n = $p RETURN id(n)"
        self._nodes.append(tx.run(text, labels=self._labels(), p=self._properties()).single(strict=True)[0])

    def _relationship(self, tx: neo4j.Transaction) -> None:
        """Also to the node itself, and beside others of the same type."""
        ends = {"a": self._dice.choice(self._nodes), "b": self._dice.choice(self._nodes)}
        if self._dice.random() < 0.2:
            ends["b"] = ends["a"]
        made = tx.run(
            "MATCH (a), (b) WHERE id(a) = $a AND id(b) = $b UNWIND range(1, $n) AS i "
            "CREATE (a)-[r:$($type)]->(b) SET r = CASE i WHEN 1 THEN $p ELSE {} END RETURN id(r)",
            type=self._dice.choice(TYPES), n=self._dice.choice((1, 1, 3)), p=self._properties(), **ends,
        )  # fmt: skip
        self._rels += [row[0] for row in made.values()]

    def _update(self, tx: neo4j.Transaction) -> None:
        text = self._dice.choice(("SET n = $p", "SET n += $p", "SET n = {}"))
        tx.run(f"MATCH (n) WHERE id(n) = $i {text}", i=self._dice.choice(self._nodes), p=self._properties()).consume()

    def _relabel(self, tx: neo4j.Transaction) -> None:
        text = "MATCH (n) WHERE id(n) = $i REMOVE n:$($less) SET n:$($more)"
        tx.run(text, i=self._dice.choice(self._nodes), less=self._labels(), more=self._labels()).consume()

    def _delete(self, tx: neo4j.Transaction) -> None:
        self._gone(tx, self._dice.choice(self._nodes))

    def _gone(self, tx: neo4j.Transaction, node: int) -> None:
        text = "MATCH (n) WHERE id(n) = $i OPTIONAL MATCH (n)-[r]-() WITH n, collect(DISTINCT id(r)) AS rels "
        rels = tx.run(text + "DETACH DELETE n RETURN rels", i=node).single(strict=True)[0]
        self._nodes.remove(node)
        self._rels = [rel for rel in self._rels if rel not in rels]

    def _move(self, tx: neo4j.Transaction) -> None:
        """Exchange the unique values of two nodes."""
        a, b = self._dice.choice(self._nodes), self._dice.choice(self._nodes)
        tx.run(
            "MATCH (a), (b) WHERE id(a) = $a AND id(b) = $b AND a <> b "
            "WITH a, b, a.u AS x, a.v AS y, b.u AS z, b.v AS w "
            "SET a.u = null, b.u = null SET a.v = w, b.v = y SET a.u = z, b.u = x", a=a, b=b,
        ).consume()  # fmt: skip

    def _again(self, tx: neo4j.Transaction) -> None:
        """Delete a node, and make another with its labels and properties."""
        node = self._dice.choice(self._nodes)
        seen = tx.run("MATCH (n) WHERE id(n) = $i RETURN labels(n), n.u, n.v", i=node).single(strict=True)
        self._gone(tx, node)
        made = tx.run("CREATE (n:$($labels)) SET n.u = $u, n.v = $v RETURN id(n)", labels=seen[0], u=seen[1], v=seen[2])
        self._nodes.append(made.single(strict=True)[0])

    def _fleeting(self, tx: neo4j.Transaction) -> None:
        """Make and delete within the transaction."""
        tx.run("CREATE (n:Fleeting)-[:R]->(n) WITH n DETACH DELETE n").consume()

    def _update_relationship(self, tx: neo4j.Transaction) -> None:
        text = self._dice.choice(("SET r = $p", "SET r += $p", "SET r = {}"))
        rel = self._dice.choice(self._rels)
        tx.run(f"MATCH ()-[r]->() WHERE id(r) = $i {text}", i=rel, p=self._properties()).consume()

    def _delete_relationship(self, tx: neo4j.Transaction) -> None:
        rel = self._dice.choice(self._rels)
        tx.run("MATCH ()-[r]->() WHERE id(r) = $i DELETE r", i=rel).consume()
        self._rels.remove(rel)

    def _exchange(self, tx: neo4j.Transaction) -> None:
        """Exchange the unique values of two relationships."""
        a, b = self._dice.choice(self._rels), self._dice.choice(self._rels)
        tx.run(
            "MATCH ()-[a]->(), ()-[b]->() WHERE id(a) = $a AND id(b) = $b AND a <> b WITH a, b, a.u AS x, b.u AS y "
            "SET a.u = null, b.u = null SET a.u = y, b.u = x", a=a, b=b,
        ).consume()  # fmt: skip
