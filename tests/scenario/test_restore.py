"""Restores as people ask for them: the guide's manifest onto the standby, and from nothing but a bucket."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from typing import Any

from lab import Neo4j
from tests.apiserver.door import printed
from tests.compare import differences, read
from tests.scenario.test_archive import PATH, begin, created, segments
from tests.scenario.test_reseed import copied
from tests.scenario.world import CLUSTERS, DR, World, instant, wait_for

LOAD = (
    "UNWIND range(1, 300) AS i CREATE (:Person {uid: i, name: 'p' + i})-[:KNOWS {uid: i, since: date('2024-01-01')}]->"
    "(:Pet {uid: i, tags: ['a', 'b'], at: point({x: i, y: 1.5})})"
)
NOTE = "MATCH (r:__Neo4jDRRestore) RETURN r.restore AS restore, coalesce(r.complete, false) AS complete"
PLACE = "MATCH (l:__Neo4jDRLink) WHERE l.link STARTS WITH 'restore:' RETURN l.phase AS phase"
INDIA = timezone(timedelta(hours=5, minutes=30))


def restore(world: World, name: str, cluster: str, at: float | None, **options: Any) -> dict[str, Any]:
    """The guide's manifest, with this world's bucket; the time as somebody in India would write it."""
    body = printed("09-point-in-time-recovery")
    body["metadata"] = {"name": name}
    spec = body["spec"]
    spec["clusterRef"] = cluster
    spec["source"]["location"] |= {
        "bucket": world.namespace,
        "endpoint": world.s3.endpoint,
        "credentialsSecret": "archive-keys",
    }
    if at is None:
        del spec["pointInTime"]
        spec["latest"] = True
    else:
        spec["pointInTime"] = datetime.fromtimestamp(at / 1000, INDIA).isoformat(timespec="milliseconds")
    spec["options"] |= options
    return body


def status(world: World, name: str) -> dict[str, Any]:
    """The status of a restore, empty while there is none."""
    return world.status_of("n4r", name)


def truth(world: World, name: str) -> dict[str, tuple[str, str]]:
    """Status and reason of both conditions."""
    return {c["type"]: (c["status"], c["reason"]) for c in status(world, name).get("conditions") or []}


def ended(world: World, *names: str) -> list[str]:
    """How restores ended, once all have: the reasons."""

    def look() -> list[str] | None:
        found = [truth(world, name) for name in names]
        over = [next((r for s, r in each.values() if s == "True"), None) for each in found]
        return [reason for reason in over if reason] if all(over) else None

    return wait_for(f"the end of {', '.join(names)}", look, 90, 0.3)


def refused(world: World, name: str, reason: str) -> str:
    """The message of a restore that was refused for this reason."""
    assert ended(world, name) == [reason], status(world, name)
    assert truth(world, name) == {"Complete": ("False", reason), "Failed": ("True", reason)}
    events = world.kubectl("get", "events", f"--field-selector=involvedObject.name={name}", "-o=jsonpath={..reason}")
    assert events.split() == [reason]
    return str(status(world, name)["message"])


def now(world: World) -> float:
    """A moment between two commits of the primary, on its clock."""
    ask = lambda: world.sites["primary"].query("RETURN datetime().epochMillis AS at")[0]["at"]  # noqa: E731
    at = ask()
    wait_for("the next millisecond", lambda: ask() > at + 1, 5, 0.002)
    return at + 1


def based(world: World) -> None:
    """The archive holds the snapshot that its chain starts from."""
    client, prefix = world.s3.client(), f"{PATH.strip('/')}/{world.namespace}/{DR}/snapshots/"
    there = lambda: client.list_objects_v2(Bucket=world.namespace, Prefix=prefix).get("KeyCount")  # noqa: E731
    wait_for("a snapshot in the archive", there, 60, 0.2)


def written(world: World) -> float:
    """A graph, a moment, and a mistake behind it, all of it in the archive; the moment."""
    begin(world)
    world.await_condition("LogShippingHealthy", "True", "Shipping")
    based(world)
    primary = world.sites["primary"]
    primary.query(LOAD)
    primary.query(
        "MATCH (p:Person) WHERE p.uid % 3 = 0 SET p.name = 'renamed' CREATE (p)-[:OWNS]->(:Thing {uid: p.uid})"
    )
    return now(world)


def mistaken(world: World, number: int = 1) -> None:
    """What should not have been done, archived."""
    primary = world.sites["primary"]
    primary.query("MATCH (p:Person) WHERE p.uid % 2 = 0 DETACH DELETE p")
    primary.query("CREATE (:Mistake {uid: $n})", n=number)
    wait_for("it is archived", lambda: number in created(segments(world, 1), "Mistake"), 30)


def test_onto_the_standby_that_is_named(dr: World) -> None:
    at = written(dr)
    primary, secondary = dr.sites["primary"], dr.sites["secondary"]
    good = read(primary.query)
    mistaken(dr)
    dr.apply(restore(dr, "active", CLUSTERS["primary"], at, overwrite="neo4j"))
    assert DR in refused(dr, "active", "ActivePrimary")
    dr.apply(restore(dr, "late", CLUSTERS["secondary"], at + 3_600_000))
    assert "nearest before" in refused(dr, "late", "PointAfterEnd")
    assert dr.await_condition("ReplicationHealthy", "True")["status"] == "True"
    both = [restore(dr, name, CLUSTERS["secondary"], at) for name in ("one", "two")]
    dr.apply({"apiVersion": "v1", "kind": "List", "items": both})
    primary.query("UNWIND range(1, 50) AS i CREATE (:Meanwhile {uid: i})")
    reasons = dict(zip(("one", "two"), ended(dr, "one", "two"), strict=True))
    assert sorted(reasons.values()) == ["RestoreUnderWay", "Restored"], reasons
    name = next(name for name, reason in reasons.items() if reason == "Restored")
    assert f"{dr.namespace}/{name}" in refused(dr, "two" if name == "one" else "one", "RestoreUnderWay")
    done = status(dr, name)
    assert differences(good, read(secondary.query)) == []
    assert (done["phase"], done["percent"], done["archive"]) == ("Complete", 100, f"{dr.namespace}/{DR}")
    assert done["counts"]["nodes"] == len(good.nodes)
    assert "each of" in done["check"]
    assert instant(done["restoredTo"]) * 1000 <= at
    assert dr.status()["activeSite"] == "primary"
    dr.shell(done["resume"])
    copied(dr)


def test_from_a_bucket_when_everything_else_is_gone(dr: World) -> None:
    """No primary, no resource; another cluster that holds something, a wrong password, an operator that is killed. Then
    all of it, up to a position, and the snapshot alone."""
    primary = dr.sites["primary"]
    primary.query("CREATE CONSTRAINT person FOR (n:Person) REQUIRE n.uid IS UNIQUE")
    primary.query("CREATE INDEX pet FOR (n:Pet) ON (n.uid)")
    primary.query("CREATE (:Before {uid: 1})")
    at = written(dr)
    good = read(primary.query)
    position = primary.query("CALL db.cdc.current() YIELD id RETURN id")[0]["id"]
    mistaken(dr)
    last = read(dr.sites["primary"].query)
    dr.operator.kill9()
    for kind in ("n4dr", "n4c"):
        dr.kubectl("delete", kind, "--all", "--timeout=10s")
    dr.sites["primary"].stop()
    target = dr.sites["secondary"]
    dr.secret("fresh-admin", username=target.user, password="not the password")
    fresh = dr.cluster_manifest("secondary")
    fresh["metadata"]["name"], fresh["spec"]["auth"]["adminSecret"] = "fresh", "fresh-admin"
    del fresh["spec"]["disasterRecovery"]
    dr.operator.start(NEO4J_DR_FAULT="loaded:1")
    dr.apply(restore(dr, "whole", "fresh", at))
    waits(dr, "whole", "ReferenceUnresolved", "fresh, which does not exist")
    dr.apply(fresh)
    waits(dr, "whole", "AuthenticationFailed", "fresh-admin")
    dr.secret("fresh-admin", username=target.user, password=target.password)
    assert "options.overwrite: neo4j" in refused(dr, "whole", "TargetNotEmpty")

    dr.apply(restore(dr, "given-up", "fresh", at, overwrite="neo4j"))
    wait_for("the snapshot is loaded", lambda: target.query(PLACE) == [{"phase": "streaming"}], 60)
    dr.kubectl("delete", "n4r", "given-up", "--timeout=10s")
    wait_for("its worker ends", lambda: not dr.operator.workers(), 20)
    assert [n["complete"] for n in target.query(NOTE)] == [False]
    dr.apply(restore(dr, "polite", "fresh", at))
    assert "given-up had begun and never ended" in refused(dr, "polite", "RestoreUnderWay")

    dr.apply(restore(dr, "again", "fresh", at, overwrite="neo4j"))
    whose = lambda: [n["restore"].split("/")[1] for n in target.query(NOTE)]  # noqa: E731
    wait_for("it has begun", lambda: whose() == ["again"], 60)
    wait_for("the snapshot is loaded", lambda: target.query(PLACE) == [{"phase": "streaming"}], 60)
    assert [n["complete"] for n in target.query(NOTE)] == [False]
    dr.operator.kill9()
    assert truth(dr, "again")["Complete"][0] == "False"
    dr.operator.start()
    assert ended(dr, "again") == ["Restored"]
    assert differences(good, read(target.query)) == []
    done = status(dr, "again")
    assert "resume" not in done
    assert done["startedAt"] < done["completedAt"]
    events = dr.kubectl("get", "events", "--field-selector=involvedObject.name=again", "-o=jsonpath={..reason}").split()
    assert sorted(events) == ["RestoreStarted", "Restored"]
    assert [n["complete"] for n in target.query(NOTE)] == [True]

    target.reset()
    dr.apply(restore(dr, "all", "fresh", None))
    assert ended(dr, "all") == ["Restored"], "it is empty: nothing has to be given up"
    assert differences(last, read(target.query)) == []
    assert rules(target) == ["person", "pet"]
    assert status(dr, "all")["schemaAsOf"]

    target.reset()
    bare = restore(dr, "bare", "fresh", None, skipIndexes=True, validateConsistency=False)
    del bare["spec"]["latest"]
    dr.apply(bare | {"spec": bare["spec"] | {"position": position}})
    assert ended(dr, "bare") == ["Restored"]
    assert differences(good, read(target.query)) == []
    assert rules(target) == ["person"]
    assert "as many as were restored" in status(dr, "bare")["check"]

    target.reset()
    alone = restore(dr, "alone", "fresh", None)
    alone["spec"]["source"]["type"] = "backup"
    dr.apply(alone)
    assert ended(dr, "alone") == ["Restored"]
    there = "MATCH (n) WHERE NOT n:__Neo4jDR RETURN labels(n) AS labels, n.uid AS uid"
    assert target.query(there) == [{"labels": ["Before"], "uid": 1}]


def rules(server: Neo4j) -> list[str]:
    """Names of the users' constraints and indexes, without token lookup."""
    rows = server.query("SHOW INDEXES YIELD name, type, labelsOrTypes WHERE type <> 'LOOKUP' RETURN *")
    return sorted(row["name"] for row in rows if not row["labelsOrTypes"][0].startswith("__Neo4jDR"))


def waits(world: World, name: str, reason: str, words: str) -> None:
    """It is not refused: it says what is missing, and goes on by itself."""
    wait_for(
        f"{name} waits for {reason}",
        lambda: truth(world, name) == {"Complete": ("False", reason), "Failed": ("False", reason)} or None,
        30,
    )
    told = status(world, name)
    assert words in told["message"]
    assert told["phase"] == "Pending"
