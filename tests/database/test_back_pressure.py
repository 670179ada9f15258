"""A target that takes nothing for a while: what the worker holds stays bounded, and it goes on by itself."""

from __future__ import annotations

import time

from lab import Neo4j
from neo4j_dr_operator.replication.pace import AHEAD_BYTES
from tests.database.conftest import Start
from tests.database.process import LinkProcess
from tests.database.raw import same
from tests.database.test_orders import resident

ROWS, WIDE = 2_400, 100_000
MEMORY = 3 * AHEAD_BYTES
"""What a worker may grow by: what it reads ahead, a page on its way, and the same once more as objects."""


def test_what_is_read_ahead_of_a_blocked_target_is_bounded(source: Neo4j, target: Neo4j, start: Start) -> None:
    """Somebody holds the link's lock while several times what may be held is written in the source."""
    worker = start(batch=200)
    worker.streaming()
    before = resident(worker)
    with target.driver() as driver, driver.session(database="neo4j") as session:
        other = session.begin_transaction()
        other.run("MATCH (l:__Neo4jDRLink) SET l.look = true").consume()
        for first in range(0, ROWS, 20):
            source.query("UNWIND range($a, $a + 19) AS i CREATE (:Wide {i: i, t: $t})", a=first, t="t" * WIDE)
        worker.wait(lambda report: report["error"] is not None, 60)
        worker.wait(lambda report: report["pending"] * WIDE >= AHEAD_BYTES, 120)
        held = _settled(worker)
        grown = resident(worker) - before
        assert target.query("MATCH (n:Wide) RETURN count(n) AS n") == [{"n": 0}]
        other.rollback()
    print(f"{ROWS * WIDE >> 20} MiB behind a lock: {held} changes held, {grown >> 20} MiB more")
    assert held < ROWS * 2 / 3
    assert grown < MEMORY < ROWS * WIDE
    worker.caught_up(120)
    assert same(source, target) == (ROWS, 0)
    for database in (source, target):
        database.query("MATCH (n:Wide) CALL (n) { DELETE n } IN TRANSACTIONS OF 50 ROWS")


def _settled(worker: LinkProcess) -> int:
    """Changes read and not applied, once their number has not moved for two seconds."""
    last, since = -1, time.monotonic()
    while time.monotonic() - since < 2:
        now: int = worker.report["pending"]
        if now != last:
            last, since = now, time.monotonic()
        time.sleep(0.05)
    return last
