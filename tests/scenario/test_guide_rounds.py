"""The guide's own lines, three times round on one resource, with no other line (DESIGN, requests)."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

from tests.compare import assert_equal
from tests.guide import commands
from tests.scenario.world import World, wait_for
from tests.scenario.writer import Writer, missing

GIT_SECONDS = 2.0
"""Between two applies."""


def caught_up(world: World, writer: Writer) -> None:
    """Everything acknowledged is on the standby too."""
    active = world.status()["activeSite"]
    standby = world.sites["secondary" if active == "primary" else "primary"]
    wait_for("the standby holds everything acknowledged", lambda: not missing(writer.log, standby), 30, 0.2)


def planned(world: World, writer: Writer) -> None:
    for line in commands("planned failover")[:3]:
        world.shell(line)
    world.settled("secondary")
    assert world.shell(commands("planned failover")[3]) == "primary"


def failback(world: World) -> None:
    for line in commands("failback"):
        world.shell(line)
    world.settled("primary")


def emergency(world: World, writer: Writer) -> None:
    writer.pause()
    caught_up(world, writer)
    for line in commands("emergency failover"):
        world.shell(line)
    world.settled("secondary")
    writer.resume()


def automatic(world: World, writer: Writer) -> None:
    writer.pause()
    caught_up(world, writer)
    world.sites["primary"].kill9()
    wait_for("the standby took over", lambda: world.status().get("activeSite") == "secondary", 60, 0.2)
    world.sites["primary"].start()
    world.settled("secondary")
    writer.resume()


def test_three_rounds_of_the_printed_lines(dr: World) -> None:
    dr.sites["primary"].query("UNWIND range(1, 3000) AS i CREATE (:Person {uid: i})-[:KNOWS {uid: i}]->(:Pet {uid: i})")
    dr.set_up()
    dr.operator.start()
    dr.settled("primary")
    epochs = [dr.status()["epoch"]]
    writer = Writer(dr.sites, lambda: dr.status().get("activeSite", "primary"))
    for _ in range(3):
        for move in (planned, emergency, automatic):
            move(dr, writer)
            failback(dr)
            epochs.append(dr.status()["epoch"])
    log = writer.stop()
    caught_up(dr, writer)
    assert epochs == sorted(set(epochs))
    assert len(log.acknowledged) > 100
    assert missing(log, dr.sites["primary"]) == []
    assert_equal(*(site.query for site in dr.sites.values()))
    history = dr.status()["failover"]["history"]
    assert [entry["kind"] for entry in history] == [
        kind for _ in range(3) for first in ("switchover", "emergency", "failover") for kind in (first, "switchover")
    ]
    assert {entry["result"] for entry in history} == {"Completed"}
    assert all(entry["lostTransactions"] == 0 for entry in history)
    assert "target" not in dr.kubectl("get", "n4dr", "cross-region-dr", "-o", "jsonpath={.spec.failover}")


def test_what_is_made_right_before_a_switchover_stays_on_both_sides(dr: World) -> None:
    dr.set_up()
    dr.operator.start()
    dr.settled("primary")
    old, new = dr.sites["primary"], dr.sites["secondary"]
    old.query("CREATE (:Person {uid: 1})")
    old.query("CREATE CONSTRAINT person_uid FOR (n:Person) REQUIRE n.uid IS UNIQUE")
    old.query("CREATE INDEX person_name FOR (n:Person) ON (n.name)")
    dr.request("secondary")
    dr.settled("secondary")
    names = "SHOW INDEXES YIELD name, labelsOrTypes WHERE labelsOrTypes = ['Person'] RETURN name ORDER BY name"
    rules = [{"name": "person_name"}, {"name": "person_uid"}]
    assert new.query(names) == rules
    new.query("CREATE INDEX person_age FOR (n:Person) ON (n.age)")
    wait_for("the link back carries the schema", lambda: len(old.query(names)) == 3, 60)
    assert old.query(names) == [{"name": "person_age"}, *rules]


def test_nothing_flips_back_while_git_applies_the_first_manifest(dr: World) -> None:
    dr.set_up()
    first = [dr.recovery_manifest(), dr.cluster_manifest("primary"), dr.cluster_manifest("secondary")]
    dr.operator.start()
    dr.settled("primary")
    writer = Writer(dr.sites, lambda: dr.status().get("activeSite", "primary"))
    stop, applied = threading.Event(), [0]

    def git() -> None:
        while not stop.wait(GIT_SECONDS):
            for manifest in first:
                dr.apply(manifest)
            applied[0] += 1

    def applies() -> None:
        """Two more of them, each with its time to do harm."""
        enough = applied[0] + 3
        wait_for("two more applies", lambda: applied[0] >= enough or sync.done(), 60)

    with ThreadPoolExecutor(1) as pool:
        sync = pool.submit(git)
        try:
            planned(dr, writer)
            stayed = dr.status()["failover"]["history"]
            applies()
            assert dr.status()["failover"]["history"] == stayed
            failback(dr)
            applies()
        finally:
            stop.set()
        sync.result()
    log = writer.stop()
    caught_up(dr, writer)
    assert [entry["kind"] for entry in dr.status()["failover"]["history"]] == ["switchover", "switchover"]
    assert missing(log, dr.sites["primary"]) == []
    assert_equal(*(site.query for site in dr.sites.values()))
