"""Two real databases compared while writes go on, and every kind of difference found by name."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from collections.abc import Iterator
from typing import Any

import pytest

from lab import Neo4j, Proxies
from neo4j_dr_operator.verify.pace import Progress
from neo4j_dr_operator.verify.run import Options, verify
from neo4j_dr_operator.verify.verdict import CannotCompare
from tests.compare import assert_equal
from tests.database.conftest import Start
from tests.database.load import Load, prepare
from tests.database.process import ROOT, Address, endpoint
from tests.database.values import VALUES
from tests.database.verified import compared, way
from tests.scenario.world import wait_for

ELEMENTS = 40_000
SMALL, LARGE = 10_000, 60_000


def test_equal_graphs_are_equal_while_they_are_written_to(source: Neo4j, target: Neo4j, start: Start) -> None:
    prepare(source, ELEMENTS // 2, ELEMENTS // 2)
    worker = start()
    worker.streaming()
    writers = [Load(source, seed, others=ELEMENTS // 2) for seed in (1, 2)]
    for writer in writers:
        writer.start()
    worker.wait(lambda report: report["transactions"] > 100)
    before = sum(writer.transactions for writer in writers)
    verdict = compared(source, target, Options(schema_patience=40.0))
    during = sum(writer.stop() for writer in writers) - before
    print(f"{verdict.seconds:.2f} s, {during} transactions meanwhile, {verdict.rechecked} looked at again")
    assert verdict.equal, verdict.differences
    assert (verdict.primary.name, verdict.primary.address) == ("west", source.uri)
    assert (verdict.standby.name, verdict.standby.address) == ("east", target.uri)
    assert verdict.complete
    assert not verdict.stopped
    assert verdict.nodes + verdict.relationships >= ELEMENTS
    assert during > 50
    assert verdict.rechecked > 0
    assert verdict.last_transaction >= verdict.transaction > 0
    worker.caught_up()
    nodes, relationships = assert_equal(source.query, target.query)
    verdict = compared(source, target)
    assert (verdict.nodes, verdict.relationships) == (nodes, relationships)
    assert verdict.transaction == verdict.last_transaction


# -- what differs ------------------------------------------------------------------------------------------------------


@pytest.fixture
def copied(source: Neo4j, target: Neo4j, start: Start) -> Iterator[tuple[Neo4j, Neo4j]]:
    """A pair in step, its link at work, with a few elements to spoil."""
    source.query("CREATE INDEX by_name FOR (n:A) ON (n.name)")
    source.query("CREATE CONSTRAINT unique_uid FOR (n:A) REQUIRE n.uid IS UNIQUE")
    source.query(
        "UNWIND range(1, 3000) AS i CREATE (a:A:`x y` {uid: i, name: 'n' + i, zero: 0.0, one: 1, list: [1, 2]})"
        "-[:TO {w: i}]->(b:B {uid: -i}), (a)-[:TO {w: -i}]->(b)"
    )
    source.query("UNWIND range(1, 100) AS i CREATE (:C {uid: i})")
    source.query("CREATE (n:Every) SET n = $values", values=VALUES)
    worker = start()
    worker.streaming()
    worker.caught_up()
    worker.wait(lambda _: len(target.query("SHOW INDEXES YIELD name WHERE name IN ['by_name', 'unique_uid']")) == 2)
    yield source, target
    worker.kill()


def element(database: Neo4j, pattern: str, k: int) -> str:
    (row,) = database.query(f"MATCH {pattern} RETURN elementId(x) AS id", k=k)
    return str(row["id"])


NODE, TIE = "(x:A {uid: $k})", "()-[x:TO {w: $k}]->()"
PLANTED: list[tuple[str, str, str, str, list[tuple[str, str, Any, Any]]]] = [
    # what is done to the standby, to which element, what is said of it, and of what in it
    ("another value", f"MATCH {NODE} SET x.name = 'other'", NODE, "differs", [("property", "name", "n$k", "other")]),
    ("a sign", f"MATCH {NODE} REMOVE x.zero; MATCH {NODE} SET x.zero = $minus", NODE, "differs",
     [("property", "zero", 0.0, -0.0)]),
    ("a type", f"MATCH {NODE} SET x.one = 1.0", NODE, "differs", [("property", "one", 1, 1.0)]),
    ("a type in a list", f"MATCH {NODE} SET x.list = [1.0, 2.0]", NODE, "differs",
     [("property", "list", [1, 2], [1.0, 2.0])]),
    ("a property less", f"MATCH {NODE} REMOVE x.zero", NODE, "differs", [("property", "zero", 0.0, None)]),
    ("a property more", f"MATCH {NODE} SET x.more = 1", NODE, "differs", [("property", "more", None, 1)]),
    ("a label more", f"MATCH {NODE} SET x:C", NODE, "differs", [("labels", "", ["A", "x y"], ["A", "C", "x y"])]),
    ("a label less", f"MATCH {NODE} REMOVE x:`x y`", NODE, "differs", [("labels", "", ["A", "x y"], ["A"])]),
    ("a relationship's values", f"MATCH {TIE} SET x.w = $k * 1.0, x.v = 1", TIE, "differs",
     [("property", "v", None, 1), ("property", "w", "$k", "$k.0")]),
    ("a node more", "CREATE (:A {uid: 7000 + $k})", "(x:A {uid: 7000 + $k})", "extra", []),
    ("a relationship more", "MATCH (a:A {uid: $k}) CREATE (a)-[:TO {w: 7000 + $k}]->(a)",
     "()-[x:TO {w: 7000 + $k}]->()", "extra", []),
    ("a node less", "MATCH (x:C {uid: $k}) DELETE x", "(x:C {uid: $k})", "missing", []),
    ("a relationship less", f"MATCH {TIE} DELETE x", TIE, "missing", []),
]  # fmt: skip


def test_every_planted_difference_is_found_and_named(copied: tuple[Neo4j, Neo4j]) -> None:
    source, target = copied
    assert compared(source, target).equal
    writer = Load(source, 5, pause=0.002)
    writer.start()
    wanted, named = {}, {}
    for k, (name, harm, pattern, which, aspects) in enumerate(PLANTED, 1):
        primary = "" if which == "extra" else element(source, pattern, k)
        standby = element(target, pattern, k) if which == "differs" else ""
        for statement in harm.split(";"):  # 0.0 overwritten by -0.0 at once is no change to the server
            target.query(statement, k=k, minus=-0.0)
        if which == "extra":
            standby = element(target, pattern, k)
        shown = [(what, prop, said(one, k), said(two, k)) for what, prop, one, two in aspects]
        wanted[primary, standby], named[primary, standby] = (which, shown), name
    verdict = compared(source, target, Options(limit=100, schema_patience=1.0))
    found = {
        (each.primary, each.standby): (
            each.which,
            [(a.what, a.name, repr(a.primary), repr(a.standby)) for a in each.aspects],
        )
        for each in verdict.differences
    }
    assert {named.get(ids, ids): found.get(ids) for ids in found.keys() | wanted.keys()} == {
        named[ids]: wanted[ids] for ids in wanted
    }
    assert verdict.complete
    assert writer.stop() > 0
    some = compared(source, target, Options(limit=3, schema_patience=1.0))
    assert (len(some.differences), some.complete) == (3, False)


def test_an_element_that_never_rests_is_judged_all_the_same(copied: tuple[Neo4j, Neo4j]) -> None:
    source, target = copied
    ended, counts = threading.Event(), [0]

    def hurry() -> None:
        with source.driver() as driver, driver.session(database="neo4j") as session:
            while not ended.is_set():
                session.run("MATCH (x:A) WHERE x.uid IN [1, 2, 3] SET x.n = coalesce(x.n, 0) + 1").consume()
                counts[0] += 1

    hurrying = threading.Thread(target=hurry, daemon=True)
    hurrying.start()
    try:
        wait_for("writes", lambda: counts[0] > 20, 30)
        before = counts[0]
        verdict = compared(source, target)
        assert verdict.equal, verdict.differences
        assert verdict.rechecked >= 3
        target.query("MATCH (x:A {uid: 2}) SET x:C")  # which no update of its properties takes away
        (found,) = compared(source, target).differences
        assert [(a.what, a.primary, a.standby) for a in found.aspects] == [("labels", ["A", "x y"], ["A", "C", "x y"])]
        print(f"{counts[0] - before} changes of three elements meanwhile; {verdict.later} compared later")
        assert counts[0] - before > 20
    finally:
        ended.set()
        hurrying.join(30)


def said(value: Any, k: int) -> str:
    text = repr(value)
    return text.replace("'$k'", str(k)).replace("'$k.0'", f"{k}.0").replace("$k", str(k))


def test_a_schema_that_differs_is_named(copied: tuple[Neo4j, Neo4j]) -> None:
    source, target = copied
    target.query("DROP INDEX by_name")
    target.query("DROP CONSTRAINT unique_uid")
    target.query("CREATE INDEX foreign FOR (n:Z) ON (n.z)")
    source.query("CREATE INDEX of_b FOR (n:B) ON (n.uid)")
    target.query("CREATE INDEX of_b FOR (n:B) ON (n.other)")
    found = compared(source, target, Options(schema_patience=0.5)).differences
    assert [(each.subject, each.which, each.primary, each.standby) for each in found] == [
        ("constraint", "missing", "unique_uid", ""),
        ("index", "missing", "by_name", ""),
        ("index", "extra", "", "foreign"),
        ("index", "differs", "of_b", "of_b"),
    ]
    assert compared(source, target, Options(schema=False)).equal


# -- what does not go well ---------------------------------------------------------------------------------------------


def test_a_link_that_stopped_is_compared_where_it_stands(copied: tuple[Neo4j, Neo4j], start: Start) -> None:
    source, target = copied
    worker = start("attach")
    worker.streaming()
    target.query("MATCH (x:A {uid: 5}) DETACH DELETE x")
    target.query("MATCH (x:A {uid: 7}) SET x.name = 'other'")
    source.query("MATCH (x:A {uid: 5}) SET x.name = 'later'")
    assert worker.ended() == 3
    assert worker.report["error"]["reason"] == "TargetAltered"
    # the standby is never told of these, and must not be blamed for lacking them
    source.query("MATCH (x:A) WHERE x.uid <= 20 SET x.name = 'later', x:Later")
    source.query("MATCH (x:A)-[t:TO]->() WHERE x.uid > 10 AND x.uid <= 40 SET t.w = 0")
    source.query("MATCH (x:A) WHERE x.uid > 10 AND x.uid <= 30 DETACH DELETE x")
    source.query("UNWIND range(1, 30) AS i CREATE (:New {uid: i})-[:TO {w: -i * 1000}]->(:New)")
    verdict = compared(source, target, Options(patience=0.5, schema_patience=0.0))
    assert verdict.stopped
    (row,) = target.query("MATCH (l:__Neo4jDRLink) RETURN l.cursorTx AS tx")
    assert verdict.transaction == verdict.last_transaction == row["tx"]
    assert sorted((each.subject, each.which, each.names) for each in verdict.differences) == [
        ("node", "differs", ("A", "x y")),
        ("node", "missing", ("A", "x y")),
        ("relationship", "missing", ("TO",)),
        ("relationship", "missing", ("TO",)),
    ]
    (named,) = (each for each in verdict.differences if each.which == "differs")
    assert [(a.name, a.primary, a.standby) for a in named.aspects] == [("name", "n7", "other")]


def test_a_link_that_is_no_whole_copy_is_refused(source: Neo4j, target: Neo4j, start: Start) -> None:
    with pytest.raises(CannotCompare, match="none of these databases is a standby"):
        compared(source, target)
    source.query("CREATE (:A {uid: 1})")
    worker = start()
    worker.streaming()
    worker.caught_up()
    worker.kill()
    target.query("MATCH (l:__Neo4jDRLink) SET l.phase = 'seeding'")
    with pytest.raises(CannotCompare, match="phase seeding: the standby is not a whole copy yet"):
        compared(source, target)


@pytest.mark.parametrize("side", ["source", "target"])
def test_a_connection_that_breaks_is_found_again_or_said(
    source: Neo4j, target: Neo4j, proxies: Proxies, copied: tuple[Neo4j, Neo4j], side: str
) -> None:
    server = source if side == "source" else target
    link = proxies.proxy("localhost", server.port)
    through = Address(f"bolt+s://{link.address}", server.user, server.password, server.ca_pem)
    ends = (through, target) if side == "source" else (source, through)
    told: list[str] = []

    def cut_once(progress: Progress) -> None:
        if not told:
            link.cut()
            threading.Timer(0.7, link.restore).start()
        told.append(progress.doing)

    pair = {"east": way(ends[0]), "west": way(ends[1])}
    assert verify(pair, Options(reconnect=10.0, schema_patience=1.0), cut_once).equal
    assert told
    name = "east" if side == "source" else "west"
    with pytest.raises(CannotCompare, match=f"^{name} at bolt.s://{link.address}: "):
        verify(pair, Options(reconnect=0.5), lambda _: link.cut())
    link.restore()


def test_nothing_is_written_to_either_side(copied: tuple[Neo4j, Neo4j]) -> None:
    source, target = copied
    for database in (source, target):
        database.query("CALL dbms.setConfigValue('server.databases.read_only', 'neo4j')", "system")
    try:
        verdict = compared(source, target, Options(patience=0.5))
    finally:
        for database in (source, target):
            database.query("CALL dbms.setConfigValue('server.databases.read_only', '')", "system")
    assert verdict.equal


def test_memory_does_not_grow_with_the_graph(source: Neo4j, target: Neo4j, start: Start) -> None:
    worker = start()
    worker.streaming()
    peaks: list[int] = []
    for total, more in ((SMALL, SMALL), (LARGE, LARGE - SMALL)):
        source.query(
            "UNWIND range(1, $n) AS i CALL (i) { CREATE (:Wide {uid: i, text: $pad + i}) } IN TRANSACTIONS",
            n=more,
            pad="x" * 1_000,
        )
        worker.caught_up(120)
        peak, seconds, nodes = _apart(source, target)
        assert nodes == total
        print(f"{nodes} nodes of 1 kB: {seconds:.1f} s, {nodes / seconds:.0f} a second, peak {peak >> 10} MiB")
        peaks.append(peak)
    assert peaks[1] - peaks[0] < (LARGE - SMALL) * 200 / 1024  # a fifth of what was added; KiB


def _apart(source: Neo4j, target: Neo4j) -> tuple[int, float, int]:
    """Compare in a process of its own; its peak of resident memory in KiB, seconds, nodes."""
    program = (
        "import json, resource, sys\n"
        "from neo4j_dr_operator.graph.bolt import Endpoint\n"
        "from neo4j_dr_operator.verify.run import verify\n"
        "verdict = verify({name: Endpoint(**end) for name, end in json.load(sys.stdin).items()})\n"
        "assert verdict.equal, verdict\n"
        "print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, verdict.seconds, verdict.nodes)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program],
        input=json.dumps({"east": endpoint(source), "west": endpoint(target)}),
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
        cwd=ROOT,
    )
    assert done.returncode == 0, done.stderr
    peak, seconds, nodes = done.stdout.split()
    return int(peak), float(seconds), int(nodes)
