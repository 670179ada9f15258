"""Compaction of the element map beside applying: whoever dies or loses a connection, wherever, the map loads right.

The worker's own code over a store in memory that knows the few statements which it sends. What a map has to be is told
by the journal records that were committed, all of them, from the first one on.
"""

from __future__ import annotations

import contextlib
import copy
import random
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest

from neo4j_dr_operator import errors
from neo4j_dr_operator.graph import element_map
from neo4j_dr_operator.graph.element_map import ElementMap, MapChange
from neo4j_dr_operator.replication import checkpoint, link
from neo4j_dr_operator.replication.faults import Faults
from neo4j_dr_operator.replication.link import LinkState, LinkWriter

NAME = "primary>secondary"
SLICE = 32
TOP = 6 * SLICE
"""Ids are below: many times more than are used, so that they are used again, over several slices."""
Entries = dict[str, dict[int, int]]


class Died(BaseException):
    """The process is gone: nothing of it runs any more."""


@dataclass
class Content:
    """What a database holds of one link."""

    link: dict[str, Any]
    slices: dict[tuple[int, str, int], bytes] = field(default_factory=dict)
    log: dict[int, bytes] = field(default_factory=dict)


class Store:
    """The database. ``truth``: for every transaction, the map as the records say it."""

    def __init__(self, dice: random.Random) -> None:
        state = LinkState(NAME, 1, link.STREAMING, "c", 0, "source", "target")
        self.content = Content({**state.properties(), "lock": ""})
        self.dice, self.risk = dice, 0.0
        self.truth: dict[int, Entries] = {0: {"n": {}, "r": {}}}
        self.between: Callable[[], None] = lambda: None
        """Runs before each query of a reader."""
        self.met = Counter[str]()

    def row(self, query: str, **params: Any) -> list[Any]:
        """A reading query."""
        self.between()
        held = self.content
        if query == link._READ:
            return ["4:target:0", dict(held.link)]
        if query == checkpoint._SLICES:
            found = sorted(base for gen, kind, base in held.slices
                           if (gen, kind) == (params["gen"], params["kind"]) and base >= params["at"])[:2]  # fmt: skip
            return [found, [held.slices[params["gen"], params["kind"], base] for base in found]]
        assert query == checkpoint._RECORDS
        numbers = sorted(seq for seq in held.log if params["at"] < seq <= params["to"])[:3]
        return [numbers, [held.log[seq] for seq in numbers]]

    @contextlib.contextmanager
    def transaction(self, within: float | None = None) -> Iterator[Transaction]:
        """One that may go wrong at its end."""
        yield Transaction(self)

    def committed(self, content: Content) -> None:
        """Make a transaction's content the store's, or not, and tell it, or not."""
        fate = self.dice.choice(("die", "died", "lost", "unknown")) if self.dice.random() < self.risk else "well"
        self.met[fate] += 1
        if fate not in ("die", "lost"):
            seq = content.link["seq"]
            if seq not in self.truth:
                self.truth[seq] = after(self.truth[seq - 1], content.log.get(seq))
            self.content = content
        if fate in ("die", "died"):
            raise Died
        if fate != "well":
            raise errors.OutcomeUnknown("the connection was lost at COMMIT")


class Transaction:
    """Works on a copy."""

    def __init__(self, store: Store) -> None:
        self._store, self._content = store, copy.deepcopy(store.content)

    def send(self, look: Callable[[list[Any]], None], query: str, **params: Any) -> None:
        assert query == link._CAS
        held = self._content.link
        same = all(held[name] == params[name] for name in ("cursor", "epoch", "seq", "phase"))
        if same:
            held.update(params["new"], lock=params["nonce"])
        look([int(same)])

    def settle(self) -> None:
        """Everything was looked at."""

    def row(self, query: str, **params: Any) -> list[Any]:
        held = self._content
        if query == link._LOOK:
            return [dict(held.link)]
        if query in (checkpoint._PUT, checkpoint._ADD):
            for row in params["rows"]:
                held.slices[params["gen"], row["kind"], row["base"]] = row["d"]
            return [len(params["rows"])]
        if query == checkpoint._DROP_RECORDS:
            gone = [seq for seq in held.log if seq <= params["seq"]][: params["limit"]]
            for seq in gone:
                del held.log[seq]
            return [len(gone)]
        later = {checkpoint._DROP_LATER: True, checkpoint._DROP_EARLIER: False}[query]
        doomed = [key for key in held.slices if (key[0] > params["gen"] if later else key[0] < params["gen"])]
        for key in doomed[: params["limit"]]:
            del held.slices[key]
        return [len(doomed[: params["limit"]])]

    def commit(self, query: str | None = None, **params: Any) -> None:
        if query is not None:
            self._content.log[params["seq"]] = params["d"]
        self._store.committed(self._content)


def after(before: Entries, record: bytes | None) -> Entries:
    """The entries once a record has been replayed."""
    if record is None:
        return before
    change = MapChange.decode(record)
    made = {kind: dict(entries) for kind, entries in before.items()}
    for kind, drops, puts in (("n", change.node_drops, change.node_puts),
                              ("r", change.relationship_drops, change.relationship_puts)):  # fmt: skip
        for source in drops[0].tolist():
            made[kind].pop(source, None)
        made[kind].update(zip(puts[0][0].tolist(), puts[0][1].tolist(), strict=True))
    return made


def entries(elements: ElementMap) -> Entries:
    """What a map holds."""
    return {kind: dict(zip(*(column.tolist() for column in part.pairs()), strict=True))
            for kind, part in (("n", elements.nodes), ("r", elements.relationships))}  # fmt: skip


class Worker:
    """One that has attached: it applies and compacts until it dies, or is told that another one goes on."""

    def __init__(self, store: Store) -> None:
        database: Any = store
        loaded = checkpoint.load(database, NAME)
        assert entries(loaded.elements) == store.truth[loaded.state.seq]
        self.writer = LinkWriter(database, loaded.state, loaded.elements, Faults())
        self.writer.journal_records, self.writer.journal_bytes = loaded.records, loaded.record_bytes
        self._dice = store.dice

    def act(self) -> None:
        """Apply something, or take a step."""
        if self._dice.random() < 0.5:
            self.writer.write(self.writer.state, self._batch)
        else:
            checkpoint.step(self.writer, 5)

    def _batch(self, _: Any) -> MapChange:
        change = MapChange()
        for part, drops, puts in ((self.writer.map.nodes, change.node_drops, change.node_puts),
                                  (self.writer.map.relationships, change.relationship_drops,
                                   change.relationship_puts)):  # fmt: skip
            known = part.pairs()[0].tolist()
            gone = np.array(self._dice.sample(known, min(len(known), self._dice.randrange(4))), np.int64)
            used = set(known) - set(gone.tolist())
            fresh = {self._dice.randrange(TOP) for _ in range(self._dice.randrange(4))} - used
            sources = np.array([*fresh, *gone.tolist()[:1]], np.int64)
            sources = np.unique(sources)  # an id that was given up comes back at once, for another element
            targets = np.array([self._dice.randrange(TOP) for _ in sources], np.int64)
            part.drop(gone)
            part.put(sources, targets)
            drops.append(gone)
            puts.append((sources, targets))
        if self._dice.random() < 0.1:
            raise errors.TransientFailure("the batch was refused")
        return change


@pytest.fixture(autouse=True)
def _small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(element_map, "SLICE", SLICE)
    monkeypatch.setattr(checkpoint, "ElementMap", lambda: ElementMap((TOP,)))
    monkeypatch.setattr(checkpoint, "_STEP_BYTES", 1)
    monkeypatch.setattr(checkpoint, "_DELETES", 2)


def lived(store: Store, workers: list[Worker | None], steps: int) -> None:
    """Let workers act at random; the dead and the overtaken ones attach again."""
    for _ in range(steps):
        one = store.dice.randrange(len(workers))
        try:
            worker = workers[one] = workers[one] or Worker(store)
            for _ in range(store.dice.randrange(30)):
                worker.act()
        except (Died, errors.Stale) as end:
            store.met[type(end).__name__] += 1
            workers[one] = None
        except errors.DatabaseError:
            store.met["refused"] += 1


@pytest.mark.parametrize("many", [1, 2])
def test_the_map_loads_right_at_every_moment(many: int) -> None:
    met, compacted = Counter[str](), 0
    for seed in range(12):
        store = Store(random.Random(seed))
        store.risk = 0.03
        workers: list[Worker | None] = [None] * many
        ends = set()
        for _ in range(60):
            lived(store, workers, 1)
            ends.add(store.content.link["genSeq"])
            Worker(store)  # which looks
        met += store.met
        compacted += len(ends) - 1
    print(compacted, met)
    assert compacted > 30
    assert all(met[fate] > 10 for fate in ("die", "died", "lost", "unknown", "Died", "refused"))
    assert (met["Stale"] > 10) == (many > 1)


@pytest.mark.parametrize("seed", range(10))
def test_a_map_that_is_read_while_a_worker_goes_on_is_the_one_of_the_state_it_says(seed: int) -> None:
    store = Store(random.Random(seed))
    worker = Worker(store)
    busy = [False]

    def meanwhile() -> None:
        if not busy[0] and store.dice.random() < 0.7:
            busy[0] = True
            with contextlib.suppress(errors.TransientFailure):
                worker.act()
            busy[0] = False

    for _ in range(30):
        lived(store, [worker], 1)
        store.between = meanwhile
        Worker(store)
        store.between = lambda: None


@pytest.mark.parametrize("seed", range(5))
def test_a_generation_of_an_earlier_version_is_gone_on_with(seed: int) -> None:
    """It wrote every slice anew, and left some of the next generation behind when it died."""
    store = Store(random.Random(seed))
    worker = Worker(store)
    lived(store, [worker], 4)
    checkpoint.save(worker.writer)
    gen = worker.writer.state.gen
    store.content.slices[gen + 1, "n", 0] = worker.writer.map.relationships.slice(0)
    lived(store, [None], 6)
    assert (store.content.link["gen"], Worker(store).writer.state.gen) == (gen, gen)
    checkpoint.save(Worker(store).writer)
    Worker(store)


def test_only_slices_that_were_changed_are_written() -> None:
    store = Store(random.Random(1))
    writer = Worker(store).writer

    def put(source: int) -> None:
        sources = np.array([source], np.int64)

        def batch(_: Any) -> MapChange:
            writer.map.nodes.put(sources, sources)
            return MapChange(node_puts=[(sources, sources)])

        writer.write(writer.state, batch)

    def compacted() -> set[int]:
        store.content.slices = {}  # what is written now is all that will stand there
        while writer.compaction is not None or checkpoint.due(writer, 5):
            checkpoint.step(writer, 5)
        return {base // SLICE for _, _, base in store.content.slices}

    for at in range(6):
        put(SLICE * at)
    assert compacted() == set(range(6))
    assert not store.content.log
    for number in range(5):
        put(SLICE * (4 + number % 2))
    store.content.slices = {}
    checkpoint.step(writer, 5)
    put(SLICE * 2)  # behind its beginning: it stays in the journal until the next one
    while writer.compaction is not None:
        checkpoint.step(writer, 5)
    assert {base // SLICE for _, _, base in store.content.slices} == {4, 5}
    assert len(store.content.log) == writer.journal_records == 1
