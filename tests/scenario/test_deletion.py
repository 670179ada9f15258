"""Deleting a resource deletes nothing else (P7): with the operator running, and with none."""

from __future__ import annotations

import json
import re
import time
from pathlib import Path
from typing import Any

import pytest

from tests.compare import Graph, assert_equal, read
from tests.scenario.world import CLUSTERS, DR, ROOT, World, wait_for

UNINSTALL = ROOT / "docs" / "uninstall.md"
KINDS = {"n4dr": DR, "n4c": CLUSTERS["primary"], "n4r": "restore"}
LOAD = (
    "UNWIND range(1, 300) AS i CREATE (:Person {uid: i, name: 'p' + i})-[:KNOWS {uid: i, since: date('2024-01-01')}]->"
    "(:Pet {uid: i, tags: ['a', 'b'], at: point({x: i, y: 1.5})})"
)


def graphs(world: World) -> dict[str, Graph]:
    """Both graphs with the databases' own ids: a standby that was filled a second time has other ones."""
    return {site: read(database.query) for site, database in world.sites.items()}


def replicating(world: World) -> dict[str, Graph]:
    """Set up, start, load, and wait until the standby holds it all."""
    world.sites["primary"].query(LOAD)
    world.set_up()
    world.operator.start()
    world.settled("primary")
    caught_up(world)
    return graphs(world)


def caught_up(world: World) -> None:
    """What is in the primary now is in the standby."""
    primary, secondary = world.sites["primary"], world.sites["secondary"]
    number = time.monotonic_ns()
    primary.query("CREATE (:Mark {uid: $n})", n=number)
    wait_for(
        "it is replicated", lambda: secondary.query("MATCH (m:Mark {uid: $n}) RETURN m.uid AS n", n=number), 30, 0.05
    )


def lease(world: World) -> dict[str, Any]:
    """The record in the witness."""
    key = f"witness/{world.namespace}/{DR}.json"
    return json.loads(world.s3.client().get_object(Bucket=world.namespace, Key=key)["Body"].read())


def cluster(world: World, site: str) -> dict[str, Any]:
    """The status of a cluster."""
    return world.status_of("n4c", CLUSTERS[site])


def ready(status: dict[str, Any]) -> dict[str, Any]:
    """Its condition Ready."""
    return next((item for item in status.get("conditions") or [] if item["type"] == "Ready"), {})


def test_the_recovery_is_deleted_and_made_again(dr: World) -> None:
    """Nothing changes in either graph, what ran for it ends and is said to; its successor takes over, not anew."""
    replicating(dr)
    dr.request("secondary")
    dr.settled("secondary", 90)
    held, workers = graphs(dr), dr.operator.workers()
    assert workers
    assert any(DR in name for name in dr.metrics())
    dr.kubectl("delete", "n4dr", DR, "--timeout=10s")
    wait_for("the worker ends", lambda: not dr.operator.workers(), 20)
    wait_for("its series vanish", lambda: not any(DR in name for name in dr.metrics()), 10)
    for site in dr.sites:
        status = wait_for("said", lambda s=site: c if "recovery" not in (c := cluster(dr, s)) else None, 20)
        assert (ready(status)["status"], ready(status)["reason"]) == ("Unknown", "NotReferred")
        assert status["role"] == ("primary" if site == "secondary" else "secondary")
    renewed = lease(dr)
    time.sleep(renewed["term"] + 1)
    assert lease(dr)["generation"] == renewed["generation"], "the lease of a deleted resource was renewed"
    assert not any(DR in name for name in dr.metrics())
    assert graphs(dr) == held
    dr.apply(dr.recovery_manifest())
    status = dr.settled("secondary", 60)
    assert (status["epoch"], status["activeCluster"]) == (2, CLUSTERS["secondary"])
    assert cluster(dr, "primary")["recovery"] == DR
    wait_for("looked at again", lambda: ready(cluster(dr, "primary"))["status"] == "True", 20)
    assert "NotReferred" not in json.dumps(cluster(dr, "primary"))
    assert graphs(dr) == held, "filled anew, or otherwise touched"
    dr.sites["secondary"].query("CREATE (:After {uid: 1})")
    wait_for("it follows", lambda: dr.sites["primary"].query("MATCH (a:After) RETURN a.uid AS n"), 30)
    assert_equal(*(site.query for site in dr.sites.values()))


def test_replaced_at_once(dr: World) -> None:
    """Deleted and created in one breath, again and again: the last one is served, by one worker."""
    held = replicating(dr)
    for _ in range(5):
        dr.kubectl("delete", "n4dr", DR, "--wait=false")
        dr.apply(dr.recovery_manifest())
    dr.settled("primary", 60)
    wait_for("one worker", lambda: len(dr.operator.workers()) == 1, 20)
    series = f'neo4j_disaster_recovery_health_status{{cluster="{DR}",namespace="{dr.namespace}",site="primary"}}'
    wait_for("its series are there", lambda: dr.metrics().get(series) == 1.0, 20)
    caught_up(dr)
    found = graphs(dr)
    for site, graph in held.items():
        assert graph.nodes.items() <= found[site].nodes.items()
        assert graph.relationships == found[site].relationships
    assert dr.status()["epoch"] == 1


def test_a_cluster_is_deleted_and_made_again(dr: World) -> None:
    """Replication, heartbeat and lease go on with what they had; the status names what is missing, and heals."""
    replicating(dr)
    workers = dr.operator.workers()
    dr.kubectl("delete", "n4c", CLUSTERS["primary"], "--timeout=10s")
    missing = dr.await_condition("Ready", "False", "ReferenceUnresolved", 20)
    assert CLUSTERS["primary"] in missing["message"]
    before = lease(dr)["generation"]
    caught_up(dr)
    wait_for("the lease is renewed", lambda: lease(dr)["generation"] > before + 1, 20)
    assert dr.operator.workers() == workers
    held = graphs(dr)
    dr.apply(dr.cluster_manifest("primary"))
    dr.await_condition("Ready", "True", seconds=30)
    wait_for("its status is back", lambda: cluster(dr, "primary").get("role") == "primary", 20)
    assert dr.operator.workers() == workers
    assert graphs(dr) == held
    assert dr.status()["epoch"] == 1


def test_a_restore_is_deleted(dr: World) -> None:
    replicating(dr)
    held = graphs(dr)
    dr.apply(restore(dr))
    wait_for("said", lambda: "status" in dr.get("n4r", "restore"), 20)
    dr.kubectl("delete", "n4r", "restore", "--timeout=10s")
    caught_up(dr)
    dr.sites["primary"].query("MATCH (m:Mark) WITH m ORDER BY m.uid DESC LIMIT 1 DELETE m")
    wait_for("replicated", lambda: graphs(dr)["secondary"] == held["secondary"], 20)
    assert graphs(dr)["primary"] == held["primary"]
    assert dr.status()["epoch"] == 1


def restore(world: World) -> dict[str, Any]:
    """A restore into the standby, as the guide writes it."""
    location = {"type": "s3", "bucket": world.namespace, "path": "/transaction-logs"}
    return {
        "apiVersion": "neo4j.neo4j.com/v1alpha1",
        "kind": "Neo4jRestore",
        "metadata": {"name": "restore"},
        "spec": {
            "clusterRef": CLUSTERS["secondary"],
            "source": {"type": "transaction-logs", "location": location},
            "pointInTime": "2025-01-15T10:30:00Z",
        },
    }


def escape(kind: str, name: str) -> str:
    """The line that the documentation prints for a resource that does not go away, filled in."""
    found = re.search(r"^kubectl patch .*finalizers.*$", UNINSTALL.read_text(), re.M)
    assert found is not None
    return found.group(0).replace("KIND", kind).replace("NAME", name)


@pytest.mark.parametrize("left", [None, "kopf.zalando.org/KopfFinalizerMarker"], ids=["plain", "old finalizer"])
def test_deleted_with_no_operator(dr: World, left: str | None) -> None:
    """Within seconds, each kind; where a finalizer was left by something else, the printed line ends it."""
    replicating(dr)
    dr.apply(restore(dr))
    held = graphs(dr)
    dr.operator.kill9()
    for kind, name in KINDS.items():
        began = time.monotonic()
        if left is not None:
            dr.kubectl("patch", kind, name, "--type=merge", "-p", json.dumps({"metadata": {"finalizers": [left]}}))
            dr.kubectl("delete", kind, name, "--wait=false")
            assert "deletionTimestamp" in dr.kubectl("get", kind, name, "-o", "json"), "nothing held it back"
            dr.shell(escape(kind, name), timeout=20)
        dr.kubectl("delete", kind, name, "--timeout=10s", "--ignore-not-found")
        assert time.monotonic() - began < 10
        assert dr.kubectl("get", kind, name, "--ignore-not-found") == ""
    assert graphs(dr) == held
    dr.operator.start()
    left_over = CLUSTERS["secondary"]
    wait_for(
        "the cluster that is left says so",
        lambda: "recovery" not in dr.get("n4c", left_over)["status"],
        30,
        0.2,
    )
    assert graphs(dr) == held
    forget(dr)
    assert graphs(dr) == held


def forget(world: World) -> None:
    """Run the statements that the documentation prints for a database that is to know nothing any more."""
    assert world.operator.stop() == 0
    block = re.search(r"```cypher\n(.*?)```", UNINSTALL.read_text(), re.S)
    assert block is not None
    for database in world.sites.values():
        for statement in block.group(1).split(";\n")[:-1]:
            database.query(statement)
        assert database.query("MATCH (n:__Neo4jDR) RETURN count(n) AS n") == [{"n": 0}]
        assert database.query("SHOW CONSTRAINTS") == []
        assert [row["type"] for row in database.query("SHOW INDEXES")] == ["LOOKUP", "LOOKUP"]


def test_a_clean_stop_with_many(dr: World) -> None:
    """SIGTERM with fifty resources, one of them replicating: ended within 5 s, no worker left."""
    replicating(dr)
    manifest = dr.recovery_manifest(automatic=False, quorum={}, healthCheck={})
    items = [{**manifest, "metadata": {"name": f"more-{number}"}} for number in range(49)]
    dr.apply({"apiVersion": "v1", "kind": "List", "items": items})

    def refused() -> bool:
        reasons = [ready(item.get("status") or {}).get("reason") for item in dr.all("n4dr")]
        return reasons.count("OwnedByAnother") == 49

    wait_for("all are looked at", refused, 120, 0.5)
    workers, began = dr.operator.workers(), time.monotonic()
    assert dr.operator.stop() == 0
    assert time.monotonic() - began < 5, f"took {time.monotonic() - began:.1f} s"
    assert not [pid for pid in workers if Path(f"/proc/{pid}").exists()]
