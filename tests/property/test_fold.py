"""Random histories of a small graph, folded in random batches and applied by the rules, against the graph itself."""

from __future__ import annotations

import random
import uuid
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from neo4j_dr_operator.graph.position import Position
from neo4j_dr_operator.replication.changes import Chunk
from neo4j_dr_operator.replication.fold import Fold, Net

DB = uuid.UUID(int=7)
LABELS = ("A", "B", "C")


class Model:
    """A graph with reused ids; every transaction gives its net changes as change data capture does."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)
        self.nodes: dict[int, tuple[tuple[str, ...], dict[str, Any]]] = {}
        self.rels: dict[int, tuple[str, int, int, dict[str, Any]]] = {}

    def _free(self, used: dict[int, Any]) -> int:
        return self.random.choice([i for i in range(len(used) + 3) if i not in used])

    def _labels(self) -> tuple[str, ...]:
        return tuple(sorted(self.random.sample(LABELS, self.random.randrange(4))))

    def transaction(self, size: int) -> list[tuple[str, str, int, Any, int, int, Any]]:
        """(kind, operation, id, labels or type before, start, end, after) in the order of the stream."""
        nodes, rels = dict(self.nodes), dict(self.rels)
        for _ in range(size):
            self._step()
        changes: list[tuple[str, str, int, Any, int, int, Any]] = []
        # an id freed and used again inside one transaction is not shown apart: Neo4j does not hand it out so early
        for i in self.nodes.keys() - nodes.keys():
            labels, properties = self.nodes[i]
            changes.append(("4", "c", i, list(labels), 0, 0, {"labels": list(labels), "properties": properties}))
        for i in self.rels.keys() - rels.keys():
            kind, a, b, properties = self.rels[i]
            changes.append(("5", "c", i, kind, a, b, {"properties": properties}))
        for i in self.nodes.keys() & nodes.keys():
            if self.nodes[i] != nodes[i]:
                labels, properties = self.nodes[i]
                after = {"labels": list(labels), "properties": properties}
                changes.append(("4", "u", i, list(nodes[i][0]), 0, 0, after))
        for i in self.rels.keys() & rels.keys():
            if self.rels[i] != rels[i]:
                kind, a, b, properties = self.rels[i]
                changes.append(("5", "u", i, kind, a, b, {"properties": properties}))
        for i in rels.keys() - self.rels.keys():
            changes.append(("5", "d", i, *rels[i][:3], 0))
        for i in nodes.keys() - self.nodes.keys():
            changes.append(("4", "d", i, list(nodes[i][0]), 0, 0, 0))
        return changes

    def _step(self) -> None:
        dice = self.random.random()
        if dice < 0.3 or not self.nodes:
            i = self._free(self.nodes | self._gone_nodes)
            self.nodes[i] = (self._labels(), {"v": self.random.random()})
        elif dice < 0.5:
            i = self._free(self.rels | self._gone_rels)
            a, b = self.random.choice(list(self.nodes)), self.random.choice(list(self.nodes))
            self.rels[i] = (self.random.choice("XY"), a, b, {"v": self.random.random()})
        elif dice < 0.65:
            i = self.random.choice(list(self.nodes))
            self.nodes[i] = (self._labels(), {"v": self.random.random()})
        elif dice < 0.75 and self.rels:
            i = self.random.choice(list(self.rels))
            self.rels[i] = (*self.rels[i][:3], {"v": self.random.random()})
        elif dice < 0.85 and self.rels:
            self._gone_rels[i := self.random.choice(list(self.rels))] = None
            del self.rels[i]
        else:
            self._gone_nodes[i := self.random.choice(list(self.nodes))] = None
            del self.nodes[i]
            for r in [r for r, rel in self.rels.items() if i in rel[1:3]]:
                self._gone_rels[r] = None
                del self.rels[r]

    _gone_nodes: dict[int, Any]
    _gone_rels: dict[int, Any]

    def next(self, size: int) -> list[tuple[str, str, int, Any, int, int, Any]]:
        """One transaction; ids it frees are free for the next ones."""
        self._gone_nodes, self._gone_rels = {}, {}
        return self.transaction(size)


def chunk(transactions: list[list[tuple[str, str, int, Any, int, int, Any]]], first: int) -> Chunk:
    """Columns of whole transactions."""
    rows = [(first + n, *change) for n, tx in enumerate(transactions) for change in tx]
    text = f"tx{first + len(transactions)}"
    position = Position(text, 5, str(DB), first + len(transactions), 0, 0)
    return Chunk(
        more=False, cursor=text, position=position,
        ids=[text] * len(rows), txs=[row[0] for row in rows], operations=[row[2] for row in rows],
        elements=[f"{row[1]}:{DB}:{row[3]}" for row in rows], names=[row[4] for row in rows],
        starts=[f"4:{DB}:{row[5]}" for row in rows], ends=[f"4:{DB}:{row[6]}" for row in rows],
        afters=[row[7] for row in rows],
    )  # fmt: skip


class Replica:
    """What applying a net change set does, by the rules of the protocol; strict about everything that is exact."""

    def __init__(self) -> None:
        self.nodes: dict[int, tuple[tuple[str, ...], dict[str, Any]]] = {}
        self.rels: dict[int, tuple[str, int, int, dict[str, Any]]] = {}

    def apply(self, net: Net) -> None:
        """Old fates first, then new ones."""
        idem = net.idempotent
        for i in net.deleted_relationships + (net.created_relationships.ids if idem else []):
            if not idem or i in self.rels:
                del self.rels[i]
        for i in net.deleted_nodes:
            attached = [r for r, rel in self.rels.items() if i in rel[1:3]]
            assert idem or not attached
            for r in attached:
                del self.rels[r]
            if not idem or i in self.nodes:
                del self.nodes[i]
        made = net.created_nodes
        for i, key, properties in zip(made.ids, made.keys, made.properties, strict=True):
            assert idem or i not in self.nodes
            self.nodes[i] = (tuple(made.names[key]), properties)
        for i, properties in zip(net.updated_nodes.ids, net.updated_nodes.properties, strict=True):
            self.nodes[i] = (self.nodes[i][0], properties)
        changed = net.relabelled_nodes
        for i, key, properties in zip(changed.ids, changed.keys, changed.properties, strict=True):
            if idem:
                if i in self.nodes:
                    self.nodes[i] = (tuple(changed.names[key]), properties)
                continue
            removed, added = changed.names[key]
            labels = set(self.nodes[i][0])
            assert labels >= set(removed)
            assert not labels & set(added)
            self.nodes[i] = (tuple(sorted(labels - set(removed) | set(added))), properties)
        rels = net.created_relationships
        for i, a, b, key, properties in zip(rels.ids, rels.starts, rels.ends, rels.keys, rels.properties, strict=True):
            assert i not in self.rels
            if idem and not (a in self.nodes and b in self.nodes):
                continue
            assert a in self.nodes
            assert b in self.nodes
            self.rels[i] = (rels.names[key], a, b, properties)
        for i, properties in zip(net.updated_relationships.ids, net.updated_relationships.properties, strict=True):
            if not idem or i in self.rels:
                self.rels[i] = (*self.rels[i][:3], properties)


SHAPE = st.lists(st.tuples(st.integers(1, 8), st.booleans(), st.booleans()), min_size=1, max_size=25)


@settings(max_examples=300, deadline=None)
@given(st.integers(0, 2**32), SHAPE)
def test_folded_batches_give_the_graph_at_every_boundary(seed: int, shape: list[tuple[int, bool, bool]]) -> None:
    model, replica = Model(seed), Replica()
    batch: list[list[Any]] = []
    fold = Fold(idempotent=False)
    for number, (size, cut_chunk, cut_batch) in enumerate(shape):
        batch.append(model.next(size))
        if cut_chunk or cut_batch:
            fold.add(chunk(batch, number - len(batch) + 1))
            batch = []
        if cut_batch:
            net = fold.net()
            replica.apply(net)
            assert (replica.nodes, replica.rels) == (model.nodes, model.rels)
            assert net.changes <= fold.changes
            fold = Fold(idempotent=False)


@settings(max_examples=500, deadline=None)
@given(st.integers(0, 2**32), SHAPE, st.integers(0, 10), st.integers(0, 2**32))
def test_a_scan_spread_over_a_history_ends_exact(
    seed: int, shape: list[tuple[int, bool, bool]], before: int, order: int
) -> None:
    """Seeding: every node, then every relationship is read at its own moment; labels and properties even apart."""
    model, replica, chooser = Model(seed), Replica(), random.Random(order)
    for _ in range(before):
        model.next(6)
    states = [(dict(model.nodes), dict(model.rels))]
    history = []
    for size, _, _ in shape:
        history.append(model.next(size))
        states.append((dict(model.nodes), dict(model.rels)))
    _scan(replica, states, chooser)
    at = 0
    while at < len(history):
        step = chooser.randint(1, 5)
        fold = Fold(idempotent=True)
        fold.add(chunk(history[at : at + step], at))
        replica.apply(fold.net())
        at += step
    assert (replica.nodes, replica.rels) == (model.nodes, model.rels)


def _scan(replica: Replica, states: list[Any], chooser: random.Random) -> None:
    last = len(states) - 1
    middle = chooser.randint(0, last)
    end_nodes = max(states[0][0], default=-1) + 1
    end_rels = max(states[0][1], default=-1) + 1
    moments = sorted(chooser.randint(0, middle) for _ in range(end_nodes))
    for i, moment in zip(range(end_nodes), moments, strict=True):
        later = chooser.randint(moment, middle)  # labels are read at one moment, properties at another
        if i in states[moment][0] and i in states[later][0]:
            replica.nodes[i] = (states[moment][0][i][0], states[later][0][i][1])
        elif i in states[moment][0]:
            replica.nodes[i] = (states[moment][0][i][0], {})
    moments = sorted(chooser.randint(middle, last) for _ in range(end_rels))
    for i, moment in zip(range(end_rels), moments, strict=True):
        if i in states[moment][1]:
            kind, a, b, _ = states[moment][1][i]
            later = chooser.randint(moment, last)
            properties = states[later][1].get(i, (0, 0, 0, {}))[3]
            if a in replica.nodes and b in replica.nodes:
                replica.rels[i] = (kind, a, b, properties)
