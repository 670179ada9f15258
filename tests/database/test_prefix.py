"""What a reader sees on a copy that follows: at every moment one of the source's own states, in their order.

Several clients write at once. Some of them take a number from one node in every transaction, so that their order is
known, and what they do follows from the number: what the source held after each is worked out here, without asking it.
Others move amounts between accounts, whose sum is constant. Nodes are made and deleted all the time, on ids that were
used before. The reader takes the link's lock first, as a worker does, so that what it reads is of one moment: without
it 5.26 reads each record as it finds it, on the source as well.
"""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import neo4j
import pytest

from lab import Neo4j
from tests.database.conftest import Start
from tests.database.process import FORWARD
from tests.database.raw import same
from tests.scenario.world import wait_for

COUNTING, MOVING = 3, 2
KEPT = 7
"""Newest items of each counter that are there."""
ACCOUNTS, AMOUNT = 12, 1_000
SNAPSHOTS = 40
"""Different states that the reader has to have met while writing goes on."""
PAUSE = 0.01
"""Seconds between two looks of the reader, which the worker waits for."""

SETUP = (
    "CREATE (:Order {seq: 0}) WITH 1 AS one UNWIND range(0, $counting - 1) AS w CREATE (:Counter {w: w, n: 0}) "
    "WITH count(*) AS some UNWIND range(0, $accounts - 1) AS k CREATE (:Account {k: k, v: $amount})"
)
COUNT = (
    "MATCH (o:Order) SET o.seq = o.seq + 1 WITH o.seq AS seq MATCH (c:Counter {w: $w}) SET c.n = c.n + 1, c.at = seq "
    "CREATE (c)-[:HAS {n: c.n}]->(i:Item {w: $w, n: c.n, seq: seq}) WITH c, i, seq "
    "OPTIONAL MATCH (old:Item {w: $w, n: c.n - $kept}) DETACH DELETE old RETURN seq, id(i) AS id"
)
MOVE = "MATCH (a:Account {k: $a}), (b:Account {k: $b}) SET a.v = a.v - $x, b.v = b.v + $x"
LOCK = "MATCH (l:__Neo4jDRLink {link: $link}) SET l.look = true"
SNAPSHOT = (
    "MATCH (o:Order) RETURN o.seq AS seq, "
    "COLLECT { MATCH (c:Counter) WHERE c.n > 0 RETURN [c.w, c.n, c.at] } AS counters, "
    "COLLECT { MATCH (i:Item) RETURN [i.w, i.n, i.seq] } AS items, "
    "COLLECT { MATCH (c:Counter)-[h:HAS]->(i:Item) RETURN [c.w, h.n, i.n] } AS has, "
    "COLLECT { MATCH (a:Account) RETURN a.v } AS amounts"
)


class Client(threading.Thread):
    """One client in a session of its own, until stopped."""

    def __init__(self, database: Neo4j, act: Callable[[neo4j.Session], None], pause: float = 0.0) -> None:
        """``pause``: seconds between two acts."""
        super().__init__(daemon=True)
        self._driver, self._act, self._pause = database.driver(), act, pause
        self._halt = threading.Event()
        self.failure: Exception | None = None
        self.done = 0

    def run(self) -> None:
        try:
            with self._driver, self._driver.session(database="neo4j") as session:
                while not self._halt.is_set():
                    self._act(session)
                    self.done += 1
                    self._halt.wait(self._pause)
        except (neo4j.exceptions.Neo4jError, neo4j.exceptions.DriverError) as failure:
            self.failure = failure

    def stop(self) -> int:
        """End it; how often it has acted."""
        self._halt.set()
        self.join(30)
        if self.failure is not None:
            raise self.failure
        return self.done


@dataclass
class History:
    """What was written, by number, and which ids the items had."""

    by: dict[int, int] = field(default_factory=dict)
    ids: list[int] = field(default_factory=list)

    def counting(self, number: int) -> Callable[[neo4j.Session], None]:
        """What the client of counter ``number`` does."""

        def act(session: neo4j.Session) -> None:
            row = session.run(COUNT, w=number, kept=KEPT).single(strict=True)
            self.by[row["seq"]] = number
            self.ids.append(row["id"])

        return act

    def state(self, seq: int) -> tuple[list[list[int]], list[list[int]], list[list[int]]]:
        """Counters, items and what is between them after transaction ``seq``, by what was acknowledged."""
        made: dict[int, list[int]] = {}
        for at in range(1, seq + 1):
            made.setdefault(self.by[at], []).append(at)
        items = [
            [counter, n, at]
            for counter, moments in sorted(made.items())
            for n, at in list(enumerate(moments, 1))[-KEPT:]
        ]
        counters = [[counter, len(moments), moments[-1]] for counter, moments in sorted(made.items())]
        return counters, items, [[counter, n, n] for counter, n, _ in items]


def moving(seed: int) -> Callable[[neo4j.Session], None]:
    """Moves something from one account to another."""
    dice = random.Random(seed)

    def act(session: neo4j.Session) -> None:
        a, b = sorted(dice.sample(range(ACCOUNTS), 2))  # in one order everywhere: nobody gets in a deadlock
        session.run(MOVE, a=a, b=b, x=dice.randint(-50, 50)).consume()

    return act


def snapshot(session: neo4j.Session) -> dict[str, Any]:
    """Everything, as of one moment between two transactions of the link."""
    with session.begin_transaction() as tx:
        tx.run(LOCK, link=FORWARD).consume()
        row = tx.run(SNAPSHOT).single(strict=True).data()
        tx.rollback()
    return row


def used_before(source: Neo4j) -> set[int]:
    """Make nodes and delete them; their ids, which a server started anew hands out again: once it has looked for what
    is free, which it does beside its work."""
    ids = source.query("UNWIND range(1, 3000) AS i CREATE (n:Gone)-[:R]->(n) RETURN collect(id(n)) AS ids")[0]["ids"]
    source.query("MATCH (n:Gone) DETACH DELETE n")
    source.stop()
    source.start()
    probe = "CREATE (n:Gone) WITH n, id(n) AS id DELETE n RETURN id"
    wait_for("an id used again", lambda: source.query(probe)[0]["id"] in ids, 60)
    return set(ids)


@pytest.mark.usefixtures("ids_from_zero")
@pytest.mark.parametrize("batch", [40, 5_000], ids=["small batches", "large batches"])
def test_every_state_of_the_copy_is_one_of_the_sources(source: Neo4j, target: Neo4j, start: Start, batch: int) -> None:
    freed = used_before(source)
    source.query(SETUP, counting=COUNTING, accounts=ACCOUNTS, amount=AMOUNT)
    for label, key in (("Counter", "w"), ("Item", "n"), ("Account", "k")):
        source.query(f"CREATE INDEX FOR (n:{label}) ON (n.{key})")
    worker = start(batch=batch, environment={"NEO4J_DR_JOURNAL_RECORDS": "40"})
    worker.streaming()
    worker.caught_up()
    history, seen = History(), list[dict[str, Any]]()
    writers = [Client(source, history.counting(number)) for number in range(COUNTING)]
    writers += [Client(source, moving(seed)) for seed in range(MOVING)]
    reader = Client(target, lambda session: seen.append(snapshot(session)), PAUSE)
    for client in (*writers, reader):
        client.start()
    began = time.monotonic()
    _meet(seen, SNAPSHOTS // 2)
    worker.kill()
    worker = start("attach", batch=batch)
    _meet(seen, SNAPSHOTS + 2)
    written = sum(client.stop() for client in writers)
    rate = written / (time.monotonic() - began)
    worker.caught_up(120)
    reader.stop()
    _check(seen, history)
    met, last = {one["seq"] for one in seen}, max(history.by)
    again = len(freed & set(history.ids)) + len(history.ids) - len(set(history.ids))
    print(
        f"{rate:.0f} transactions a second, {len(seen)} looks met {len(met)} of {last} states; {again} ids used again"
    )
    assert len(met - {0, last}) >= SNAPSHOTS
    assert again > 0
    assert seen[-1]["seq"] == last
    same(source, target)


def _meet(seen: list[dict[str, Any]], many: int) -> None:
    """Until the reader has met so many different states."""
    wait_for(f"{many} states", lambda: len({one["seq"] for one in list(seen)}) >= many, 120)


def _check(seen: list[dict[str, Any]], history: History) -> None:
    before = 0
    for one in seen:
        assert one["seq"] >= before, "the copy went back"
        before = one["seq"]
        found = tuple(sorted(one[part]) for part in ("counters", "items", "has"))
        assert found == history.state(one["seq"]), f"at {one['seq']}"
        assert (len(one["amounts"]), sum(one["amounts"])) == (ACCOUNTS, ACCOUNTS * AMOUNT), f"at {one['seq']}"
