"""A graph as the checker compares it: every element by its ``uid``, every value to the last bit."""

from __future__ import annotations

import itertools
import struct
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import neo4j
from neo4j.spatial import Point
from neo4j.time import Date, DateTime, Duration, Time

from demo.ledger import Entry, unpack_all

# the operator's bookkeeping is no part of anybody's graph
NODES = "MATCH (n) WHERE NOT n:__Neo4jDR RETURN labels(n) AS labels, properties(n) AS properties"
RELATIONSHIPS = """
MATCH (a)-[r]->(b) WHERE NOT (a:__Neo4jDR OR b:__Neo4jDR)
RETURN type(r) AS type, a.uid AS start, b.uid AS end, properties(r) AS properties"""
NUMBERS = "MATCH (t:Transaction) RETURN collect(t.n) AS numbers"


def exact(value: Any) -> str:
    """A text that is equal for two values only if type and every bit are."""
    match value:
        case float():
            return f"float {struct.pack('>d', value).hex()}"
        case bytes() | bytearray():
            return f"bytes {value.hex()}"
        case list():
            return f"[{', '.join(map(exact, value))}]"
        case DateTime() | Time():
            return f"{type(value).__name__} {value.iso_format()} {value.tzinfo}"
        case Date():
            return f"Date {value.iso_format()}"
        case Duration():
            return f"Duration {value.months} {value.days} {value.seconds} {value.nanoseconds}"
        case Point():
            return f"Point {value.srid} {struct.pack(f'>{len(value)}d', *value).hex()}"
        case _:
            return f"{type(value).__name__} {value!r}"


@dataclass(frozen=True)
class Node:
    """Labels in order, and properties as exact texts."""

    labels: tuple[str, ...]
    properties: dict[str, str]


@dataclass(frozen=True)
class Relationship:
    """Type, the uids of both ends, and properties as exact texts."""

    type: str
    start: str
    end: str
    properties: dict[str, str]


Element = Node | Relationship


@dataclass
class Graph:
    """Elements by ``node UID`` or ``relationship UID``; ``strange``: what has no uid, or one that is not its own."""

    elements: dict[str, Element] = field(default_factory=dict)
    strange: list[str] = field(default_factory=list)

    def add(self, kind: str, uid: Any, element: Element) -> None:
        """Take in an element that was read from a database."""
        name = f"{kind} {uid}"
        if not isinstance(uid, str) or name in self.elements:
            self.strange.append(f"{name}: {element}")
        else:
            self.elements[name] = element

    @property
    def size(self) -> str:
        """For people: how many of each."""
        nodes = sum(isinstance(element, Node) for element in self.elements.values())
        return f"{nodes:,} nodes, {len(self.elements) - nodes:,} relationships"


def numbers(driver: neo4j.Driver) -> set[int]:
    """The numbers of the transactions that a database holds."""
    with driver.session(database="neo4j") as session:
        return set(session.run(NUMBERS).single(strict=True)["numbers"])


def dump(driver: neo4j.Driver) -> Graph:
    """The whole graph of a database, in one transaction."""
    made = Graph()
    with driver.session(database="neo4j", fetch_size=5000) as session, session.begin_transaction() as transaction:
        for row in transaction.run(NODES):
            properties = {key: exact(value) for key, value in row["properties"].items()}
            made.add("node", row["properties"].get("uid"), Node(tuple(sorted(row["labels"])), properties))
        for row in transaction.run(RELATIONSHIPS):
            properties = {key: exact(value) for key, value in row["properties"].items()}
            relationship = Relationship(row["type"], str(row["start"]), str(row["end"]), properties)
            made.add("relationship", row["properties"].get("uid"), relationship)
    return made


class Replay:
    """The graph that a list of transactions makes, worked out without a database."""

    def __init__(self) -> None:
        self._nodes: dict[str, tuple[set[str], dict[str, str]]] = {}
        self._ends: dict[str, tuple[str, str, str]] = {}
        self._properties: dict[str, dict[str, str]] = {}
        self._at: dict[str, set[str]] = {}

    def graph(self, entries: list[Entry]) -> Graph:
        """Play the transactions in order."""
        for name, *arguments in itertools.chain.from_iterable(entry.ops for entry in entries):
            getattr(self, f"_{name}")(*arguments)
        elements: dict[str, Element] = {
            f"node {uid}": Node(tuple(sorted(labels)), properties) for uid, (labels, properties) in self._nodes.items()
        }
        for uid, ends in self._ends.items():
            elements[f"relationship {uid}"] = Relationship(*ends, self._properties[uid])
        return Graph(elements)

    def _node(self, uid: str, labels: list[str], properties: dict[str, Any]) -> None:
        self._nodes[uid] = (set(labels), {"uid": exact(uid)})
        self._at[uid] = set()
        _change(self._nodes[uid][1], properties)

    def _rel(self, uid: str, kind: str, start: str, end: str, properties: dict[str, Any]) -> None:
        if start in self._nodes and end in self._nodes:
            self._ends[uid], self._properties[uid] = (kind, start, end), {"uid": exact(uid)}
            self._at[start].add(uid)
            self._at[end].add(uid)
            _change(self._properties[uid], properties)

    def _set(self, uid: str, properties: dict[str, Any], added: list[str], removed: list[str]) -> None:
        if uid in self._nodes:
            labels, present = self._nodes[uid]
            labels |= set(added)
            labels -= set(removed)
            _change(present, properties)

    def _setrel(self, uid: str, start: str, properties: dict[str, Any]) -> None:
        if uid in self._ends:
            _change(self._properties[uid], properties)

    def _delete(self, uid: str) -> None:
        if uid in self._nodes:
            for relationship in list(self._at[uid]):
                self._deleterel(relationship, uid)
            del self._nodes[uid], self._at[uid]

    def _deleterel(self, uid: str, start: str) -> None:
        if uid in self._ends:
            _, first, last = self._ends.pop(uid)
            del self._properties[uid]
            self._at[first].discard(uid)
            self._at[last].discard(uid)


def _change(present: dict[str, str], properties: dict[str, Any]) -> None:
    for key, value in unpack_all(properties).items():
        if value is None:
            present.pop(key, None)
        else:
            present[key] = exact(value)


def differences(expected: Graph, found: Graph) -> Iterator[str]:
    """Every difference, in words; none when the graphs are the same."""
    yield from (f"unexpected: {element}" for element in found.strange)
    for name in expected.elements.keys() | found.elements.keys():
        left, right = expected.elements.get(name), found.elements.get(name)
        if right is None:
            yield f"{name} is missing"
        elif left is None:
            yield f"{name} should not be there"
        elif left != right:
            yield f"{name}: {_difference(left, right)}"


def _difference(left: Element, right: Element) -> str:
    for key in left.properties.keys() | right.properties.keys():
        one, two = left.properties.get(key), right.properties.get(key)
        if one != two:
            return f"property {key} is {two or 'missing'} and should be {one or 'absent'}"
    return f"{right} should be {left}"
