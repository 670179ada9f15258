"""A copy that lost its position, or was written to, is brought back to its source in place."""

from __future__ import annotations

import random
import signal

from lab import Neo4j
from tests.compare import assert_equal
from tests.database.conftest import Start
from tests.database.load import Load, prepare
from tests.database.test_links import link_of

KILLS = 12
POINTS = ("page", "page", "begin", "commit", "committed", "checkpoint")


def followed(source: Neo4j, start: Start, nodes: int, relationships: int) -> None:
    """A link that has followed and ended, its schema carried over."""
    prepare(source, nodes, relationships)
    worker = start()
    worker.streaming()
    worker.caught_up()
    assert worker.finish() == 0


def test_after_a_gap_only_what_differs_is_written(source: Neo4j, target: Neo4j, start: Start) -> None:
    followed(source, start, 6_000, 6_000)
    kept = target.query("MATCH (n:Old) WHERE n.uid IN [10, 20] RETURN n.uid AS uid, elementId(n) AS id ORDER BY uid")
    source.query("CALL lab.cdc.configure({mode: 'OFF'})")
    # unique values trade places, relationships move, nodes go and their ids come back as others
    source.query("MATCH (a:Old {uid: 1}), (b:Old {uid: 5900}) SET a.uid = -1, b.uid = 1 SET a.uid = 5900")
    source.query("MATCH (a:Old {uid: 2})-[r]->(b) DELETE r CREATE (b)-[:LINK {w: -1}]->(a)")
    source.query("MATCH (n:Old) WHERE n.uid % 50 = 7 DETACH DELETE n")
    source.query(
        "UNWIND range(1, 60) AS i CREATE (:New {uid: i, zero: -0.0, nan: 0.0 / 0.0})-[:NEXT]->(:Old {uid: -i})"
    )
    source.query("CALL lab.cdc.configure({mode: 'FULL'})")
    lost = start("attach")
    assert lost.ended() == 3
    assert lost.report["error"]["reason"] == "CaptureInterrupted"
    writers = [Load(source, seed, pause=0.005, others=6_000) for seed in (1, 2)]
    for writer in writers:
        writer.start()
    worker = start(batch=500, reseed="first")
    worker.streaming(90)
    for writer in writers:
        writer.stop()
    worker.caught_up()
    assert "reseeding" in worker.states
    assert worker.report["reseed"] == "first"
    assert_equal(source.query, target.query)
    again = target.query("MATCH (n:Old) WHERE n.uid IN [10, 20] RETURN n.uid AS uid, elementId(n) AS id ORDER BY uid")
    assert [row["id"] for row in again] == [row["id"] for row in kept if row["uid"] in {each["uid"] for each in again}]
    assert worker.finish() == 0
    same = start("attach", reseed="first")  # told once more, it is not done once more
    same.caught_up()
    assert same.states[-1] == "streaming"
    assert "reseeding" not in same.states
    same.wait(lambda report: report["schema"] is None)
    names = {row["name"] for row in target.query("SHOW CONSTRAINTS YIELD name")}
    assert "old_uid" in names


def test_another_database_altogether(source: Neo4j, target: Neo4j, start: Start) -> None:
    followed(source, start, 3_000, 3_000)
    source.reset(fresh=True)
    empty = start("attach", reseed="first")
    assert empty.ended() == 3
    assert empty.report["error"]["reason"] == "SourceEmpty"
    assert target.query("MATCH (n:Old) RETURN count(n) AS n") == [{"n": 3_000}]
    source.query("UNWIND range(1, 2000) AS i CREATE (:Other {uid: i})-[:MADE {at: i}]->(:Old {uid: 2999 - i})")
    worker = start("attach", batch=500, reseed="second")
    worker.caught_up()
    assert_equal(source.query, target.query)
    state = link_of(target)
    assert (state["reseed"], state["phase"]) == ("second", "streaming")


def test_what_somebody_else_did_to_the_copy_is_undone(source: Neo4j, target: Neo4j, start: Start) -> None:
    followed(source, start, 2_000, 2_000)
    target.query("MATCH (n:Old) WHERE n.uid < 50 DETACH DELETE n")
    target.query("UNWIND range(1, 90) AS i CREATE (:Foreign {i: i})-[:X]->(:Foreign)")  # some under ids of the deleted
    target.query("MATCH (a:Foreign {i: 5}), (b:Old {uid: 100}) CREATE (a)-[:X]->(b), (b)-[:LINK]->(b)")
    target.query("MATCH (n:Old {uid: 101}) SET n.uid = 101.0, n:Changed")
    target.query("MATCH (:Old {uid: 102})-[r]-() SET r.w = 'x'")
    worker = start("attach", batch=500, reseed="mend")
    worker.caught_up()
    assert_equal(source.query, target.query)
    source.query("MATCH (n:Old) WHERE n.uid % 10 = 0 DETACH DELETE n")
    worker.caught_up()
    assert_equal(source.query, target.query)


def test_a_copy_that_was_loaded_into_another_database(source: Neo4j, target: Neo4j, start: Start) -> None:
    """What a dump of the standby is once it was loaded: the same ids, in a database with another one of its own."""
    followed(source, start, 3_000, 3_000)
    ids = "MATCH (n:Old) RETURN n.uid AS uid, elementId(n) AS id ORDER BY uid"
    before = target.query(ids)
    target.query("MATCH (l:__Neo4jDRLink) SET l.targetDb = randomUUID()")
    source.query("MATCH (n:Old {uid: 7}) SET n.z = 7")
    refused = start("attach")
    assert refused.ended() == 3
    assert refused.report["error"]["reason"] == "TargetReplaced"
    worker = start("attach", batch=500, reseed="loaded")
    worker.caught_up()
    assert_equal(source.query, target.query)
    assert target.query(ids) == before, "nothing was made anew"


def test_rows_of_a_link_that_is_gone_are_not_its_successors(source: Neo4j, target: Neo4j, start: Start) -> None:
    environment = {"NEO4J_DR_JOURNAL_RECORDS": "4"}
    prepare(source, 2_000, 2_000)
    first = start(batch=400, environment=environment)
    first.streaming()
    first.caught_up()
    assert first.finish() == 0
    left = target.query("MATCH (n:__Neo4jDRLog|__Neo4jDRMap) RETURN DISTINCT labels(n) AS l")
    assert len(left) == 2, "a journal and a map are left"
    target.query("MATCH (l:__Neo4jDRLink) DELETE l")
    source.query("MATCH (n:Old) WHERE n.uid % 7 = 0 DETACH DELETE n")
    worker = start("seed", reseed="found")
    worker.caught_up()
    assert worker.errors == []
    worker.kill()
    source.query("UNWIND range(1, 60) AS i CREATE (:New {uid: i})-[:NEXT]->(:Old {uid: -i})")
    again = start("attach")
    again.caught_up()
    source.query("MATCH (n:Old) WHERE n.uid % 5 = 0 SET n.z = 1 WITH n WHERE n.uid < 0 DETACH DELETE n")
    again.caught_up()
    assert_equal(source.query, target.query)


def test_graphs_are_equal_however_often_reseeding_is_killed(source: Neo4j, target: Neo4j, start: Start) -> None:
    followed(source, start, 6_000, 6_000)
    source.query("CALL lab.cdc.configure({mode: 'OFF'})")
    source.query("MATCH (n:Old) WHERE n.uid % 3 = 0 SET n.z = -n.z")
    source.query("MATCH (n:Old)-[r]->() WHERE n.uid % 4 = 0 DELETE r")
    source.query("MATCH (n:Old) WHERE n.uid % 11 = 0 DETACH DELETE n")
    source.query("CALL lab.cdc.configure({mode: 'FULL'})")
    writer = Load(source, 1, pause=0.01, others=6_000)
    writer.start()
    places = []
    for number in range(KILLS):
        chooser = random.Random(number)
        fault = f"{chooser.choice(POINTS)}:{chooser.randint(1, 3)}"
        environment = {"NEO4J_DR_FAULT": fault, "NEO4J_DR_JOURNAL_RECORDS": "5"}
        killed = start("attach", batch=700, reseed="again", environment=environment)
        assert killed.ended(60) == -signal.SIGKILL, f"seed {number}, {fault}: {killed.report}\n{killed.log}"
        state = link_of(target)
        places.append((state["scanNodes"], state["scanRels"]))
        print(f"seed {number}: killed at {fault}, nodes {places[-1][0]}, relationships {places[-1][1]}")
    assert places == sorted(places)  # never back to the start: the request is carried out once
    last = start("attach", batch=300, reseed="again")
    last.streaming(90)
    writer.stop()
    last.caught_up()
    assert_equal(source.query, target.query)
