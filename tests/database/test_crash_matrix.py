"""Every call to a database that a link worker makes is a place to die: before, between request and answer, after.

Nobody lists the places. A worker is killed at the first point that no worker before it was killed at, the next one goes
on from what it left, and so on until one passes through everything unharmed: then every point that was passed was
struck. Meanwhile the source goes on being changed. In the end the graphs are compared element by element.
"""

from __future__ import annotations

import contextlib
import itertools
import os
import signal
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from lab import Neo4j
from neo4j_dr_operator.replication.faults import MOMENTS
from tests.compare import assert_equal
from tests.database import call_sites
from tests.database.forking import Forked, Forker
from tests.database.process import FORWARD, REVERSE, LinkProcess
from tests.database.test_links import promote

EXEMPT = {
    "lost.explained": "asks why a position is lost, after which the worker ends: nothing is under way",
    "seed.nodes NODES": "given to the threads that read pages, which die at it",
    "seed.relationships RELATIONSHIPS": "the same",
    "scan.__iter__ RELATIONSHIPS": "only compared with",
}
"""Functions that the script cannot make happen, and uses of a statement that do not ask it themselves; and why that is
no loss."""
STILL = 1_200
"""Nodes that stay as they are: more pages alike than a scan passes without noting its place. What is between them are
more relationships than a scan reads at once; until then there are fewer."""
HUGE = 450_000
"""Bytes of each of so many nodes, more than a page has, that their transaction is streamed instead of collected."""
RECORDS = "3"
"""Journal records until the map is compacted."""
LIVES = 1500
SEED = os.environ.get("NEO4J_DR_SEED") or str(int(time.time()) // 86_400)
"""Chooses at which of its moments a call is struck; another one every day."""
ALL = os.environ.get("NEO4J_DR_CRASHES") == "all"
"""Strike each call at each of its moments."""


@pytest.fixture(scope="module")
def forker() -> Iterator[Forker]:
    """Where the workers of this module come from."""
    process = Forker()
    yield process
    process.close()


class Life(LinkProcess):
    """A forked worker that strikes where it is told."""

    def __init__(self, forker: Forker, *ends: Neo4j, **options: Any) -> None:
        self._forker = forker
        super().__init__(*ends, batch=40, timeout=5.0, **options)

    def _launch(self, program: str, environment: Any) -> Forked:
        assert program == "link"
        return self._forker.fork(environment)

    def lives_through(self, seconds: float = 30.0) -> bool:
        """Whether it is still alive when it has applied everything committed before this call."""
        since, end = time.time(), time.monotonic() + seconds
        while time.monotonic() < end:
            if self.process.poll() is not None:
                return False
            report = self.report
            if report and report["caughtUp"] and report["readAt"] > since and report["error"] is None:
                return True
            time.sleep(0.005)
        raise AssertionError(f"neither dead nor caught up: {self.report}\n{self.log[-2000:]}")


class Hunt:
    """Kills workers until none dies any more. ``killed`` and ``cuts`` are the points struck so far, in order."""

    def __init__(self, forker: Forker, directory: Path, kill: str) -> None:
        self._forker, self._kill = forker, kill
        self._kills, self._cuts, self._passed = (directory / name for name in ("kills", "cuts", "passed"))
        self._rounds = itertools.count(1)
        self.lives = self.harmed = 0

    @property
    def killed(self) -> list[str]:
        """Moment and call, a tab between them."""
        return self._kills.read_text().splitlines() if self._kills.exists() else []

    @property
    def passed(self) -> list[str]:
        """Every point that any worker came by."""
        return self._passed.read_text().splitlines()

    def change(self, source: Neo4j) -> None:
        """A round of every kind of change, some twenty transactions."""
        number = next(self._rounds)
        for text in CHANGES:
            source.query(text, n=number)
        if number % 3 == 0:
            source.query(f"CREATE INDEX made_{number} FOR (n:Made) ON (n.p{number})")
            source.query(f"DROP INDEX made_{number - 3} IF EXISTS")

    def through(self, source: Neo4j, target: Neo4j, *, cutting: bool = False, **options: Any) -> int:
        """Workers one after the other until one lives through three rounds of changes; how many died."""
        for died in range(LIVES):
            if self._one(source, target, cutting, options):
                return died
        raise AssertionError(f"still dying after {LIVES} workers: {self.killed[-5:]}")

    def _one(self, source: Neo4j, target: Neo4j, cutting: bool, options: dict[str, Any]) -> bool:
        before = len(self.killed)
        orders = f"record:{self._passed} {self._kill}:{self._kills}"
        if cutting:
            spared = [point for point in self.passed if not (point.startswith("sent\t") and point.endswith("COMMIT"))]
            self._cuts.write_text("".join(f"{point}\n" for point in spared))
            orders += f" cut:{self._cuts}"
        environment = {"NEO4J_DR_CALLS": orders, "NEO4J_DR_JOURNAL_RECORDS": RECORDS}
        worker = Life(self._forker, source, target, environment=environment, **options)
        self.lives += 1
        try:
            worker.send(do="heartbeat", id=1, epoch=options.get("epoch", 1), at=int(time.time() * 1000))
            for passed in range(4):
                if passed or self.lives % 8 == 0:
                    self.change(source)
                if not worker.lives_through():
                    break
            else:
                with contextlib.suppress(BrokenPipeError):  # ending makes calls, too, and so does what it has just met
                    worker.send(do="finish")
            code = worker.ended()
            assert code in (0, -signal.SIGKILL), worker.log
            assert len(self.killed) == before + (code != 0), worker.log
            return code == 0
        finally:
            worker.kill()


CHANGES = (
    "UNWIND range(1, 12) AS i CREATE (:U:New {u: $n * 100 + i, at: i})-[:R {w: i}]->(:Made {u: -$n * 100 - i})",
    "MATCH (a:U) WITH a ORDER BY a.u DESC LIMIT 8 MATCH (b:Made) WITH a, b ORDER BY b.u LIMIT 8 "
    "CREATE (a)-[:S {n: $n}]->(b)",
    "MATCH (n:Made) WITH n ORDER BY n.u LIMIT 15 SET n.seen = $n, n.zero = -0.0",
    "MATCH (n:U) WITH n ORDER BY n.u LIMIT 5 SET n:Old, n.old = $n, n.zero = -0.0 REMOVE n:New",
    "MATCH ()-[r:S]->() WITH r ORDER BY r.n DESC LIMIT 6 SET r.seen = $n, r.zero = -0.0",
    "MATCH ()-[r:S]->() WITH r ORDER BY r.n LIMIT 5 DELETE r",
    "MATCH ()-[r:R|S]->() WITH r ORDER BY elementId(r) SKIP 60 DELETE r",
    "MATCH (n:Made) WITH n ORDER BY n.u LIMIT 7 DETACH DELETE n",
    "MATCH (n:U:Old) WITH n ORDER BY n.u LIMIT 7 DETACH DELETE n",
    "MATCH (a:U)-[r]->() WITH a, r ORDER BY a.u DESC LIMIT 2 "
    "WITH collect(a) AS two, collect(a.u) AS values, collect(r) AS rels "
    "FOREACH (n IN two | SET n.u = -1 - n.u) FOREACH (r IN rels | SET r.swapped = $n) WITH two, values "
    "CALL (two, values) { WITH two[0] AS a, two[1] AS b SET a.u = values[1], b.u = values[0] }",
    "UNWIND range(1, 50) AS i CREATE (:Wide {n: $n})",
    "MATCH (n:Wide) WHERE n.n < $n DELETE n",
)
"""A round: elements created, connected, updated, relabelled, deleted alone and with what hangs on them; unique values
swapped while relationships are updated; more in one transaction than a batch holds."""


def empty(target: Neo4j) -> None:
    """As before the first worker."""
    target.query("MATCH (n) CALL (n) { DETACH DELETE n } IN TRANSACTIONS OF 5000 ROWS")
    for kind, many in (("CONSTRAINT", "CONSTRAINTS"), ("INDEX", "INDEXES")):
        for row in target.query(f"SHOW {many} YIELD name, type WHERE type <> 'LOOKUP'"):
            target.query(f"DROP {kind} `{row['name']}` IF EXISTS")


def test_a_worker_may_die_at_every_call(source: Neo4j, target: Neo4j, forker: Forker, tmp_path: Path) -> None:
    began = time.monotonic()
    source.query("CREATE CONSTRAINT u FOR (n:U) REQUIRE n.u IS UNIQUE")
    source.query("CREATE (:__Neo4jDR:__Neo4jDRSite {key: 'site', role: 'primary', epoch: 1})")
    hunt = Hunt(forker, tmp_path, "kill" if ALL else f"kill@{SEED}")
    hunt.change(source)
    counts = Counter[str]()
    while died := hunt.through(source, target):
        counts["seeding and following"] += died
        assert_equal(source.query, target.query)
        empty(target)
    source.query("UNWIND range(1, 45) AS i CREATE (:Huge {t: $t})", t="t" * HUGE)
    counts["a transaction too large to collect"] = hunt.through(source, target)
    assert_equal(source.query, target.query)
    source.query("MATCH (n:Huge) DELETE n")
    counts["after connections lost at COMMIT"] = hunt.through(source, target, cutting=True)
    assert_equal(source.query, target.query)
    counts["re-seeding"] = reseed(hunt, source, target)
    counts["resuming over a restore"] = resume(hunt, source, target)
    counts["handing over"] = hand_over(hunt, source, target)
    killed, passed = hunt.killed, hunt.passed
    moments = Counter(point.partition("\t")[0] for point in killed)
    print(
        f"seed {SEED}: {len(killed)} of {len(passed)} kill points at {len(calls(killed))} calls, {hunt.lives} workers, "
        f"{time.monotonic() - began:.1f} s; {dict(counts)}; {dict(moments)}; "
        f"{len(call_sites.sites())} calls in the sources with {len(call_sites.uses())} uses of statements, "
        f"{len(EXEMPT)} exempt"
    )
    assert len(set(killed)) == len(killed) == counts.total()
    assert calls(killed) == calls(passed)
    assert set(moments) == set(MOMENTS)
    if ALL:
        assert set(killed) == set(passed)
    assert call_sites.missing(calls(killed), set(EXEMPT)) == [], "\n".join(sorted(killed))


def reseed(hunt: Hunt, source: Neo4j, target: Neo4j) -> int:
    """The position lost, the copy altered, and brought back in place, until that passes without a death."""
    total = 0
    source.query("UNWIND range(1, $n) AS i CREATE (s:Still {i: i})-[:Still {i: i}]->(s)", n=STILL)
    for request in itertools.count(1):
        source.query("CALL lab.cdc.configure({mode: 'OFF'})")
        hunt.change(source)
        source.query("CALL lab.cdc.configure({mode: 'FULL'})")
        target.query("MATCH (n:Made) WITH n LIMIT 3 CREATE (n)-[:Stray]->(:Stray)")
        target.query("MATCH (n:Made) WITH n ORDER BY n.u LIMIT 2 DETACH DELETE n")
        died = hunt.through(source, target, reseed=str(request))
        assert_equal(source.query, target.query)
        total += died
        if not died:
            break
    return total


def resume(hunt: Hunt, source: Neo4j, target: Neo4j) -> int:
    """The copy becomes what a restore has put there, under its name, until replication is resumed without a death. The
    source was restored, too, so that both notes are dealt with."""
    total = 0
    for number in itertools.count(1):
        restore, request = f"ns/r/{number}", f"resume {number}"
        for server in (source, target):
            server.query("CREATE (:__Neo4jDR:__Neo4jDRRestore {restore: $r, complete: true})", r=restore)
        target.query("MATCH (n:__Neo4jDRLink {link: $l}) SET n.link = $r", l=FORWARD, r=f"restore:{restore}")
        target.query("MATCH (n:__Neo4jDRMap) WHERE n.link = $l SET n.link = $r", l=FORWARD, r=f"restore:{restore}")
        target.query("MATCH (n:__Neo4jDRLog) WHERE n.link = $l SET n.link = $r", l=FORWARD, r=f"restore:{restore}")
        target.query("UNWIND range(1, 5) AS s CREATE (:__Neo4jDR:__Neo4jDRLog {link: $l, seq: s, d: ''})", l=FORWARD)
        hunt.change(source)
        died = hunt.through(source, target, reseed=request, supersedes=restore)
        assert_equal(source.query, target.query)
        assert target.query("MATCH (n:__Neo4jDR) WHERE n.link STARTS WITH 'restore:' RETURN n.link AS l") == []
        total += died
        if not died:
            break
    return total


def hand_over(hunt: Hunt, source: Neo4j, target: Neo4j) -> int:
    """There and back again until a whole handover passes without a death; how many died."""
    sites, total = (source, target), 0
    for epoch in itertools.count(2):
        old, new = sites[epoch % 2], sites[1 - epoch % 2]
        inverse, name = (FORWARD, REVERSE) if new is target else (REVERSE, FORWARD)
        barrier = promote(new, epoch, inverse)
        died = hunt.through(new, old, origin="handover", link=name, epoch=epoch, inverse=inverse, barrier=barrier)
        assert_equal(new.query, old.query)
        total += died
        if not died:
            break
    return total


def calls(points: list[str]) -> set[str]:
    """The calls that the points belong to."""
    return {point.partition("\t")[2] for point in points}
