"""Several standbys on real servers: the guide's chain of three regions, a fourth behind it, standbys in direct mode."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from lab import S3, ControlPlane, Lab, Neo4j
from tests.compare import assert_equal
from tests.guide import manifest
from tests.scenario.world import World, wait_for, world
from tests.scenario.writer import Writer, missing

WEST, EU, AP = "secondary-us-west", "secondary-eu-west", "secondary-ap-south"
REGIONS = {"primary": "us-east-1", "secondary": "us-west-2", EU: "eu-west-1", AP: "ap-south-1"}
CLUSTERS = {
    "primary": "primary-cluster",
    "secondary": "secondary-cluster-west",
    EU: "secondary-cluster-eu",
    AP: "secondary-cluster-ap",
}


@pytest.fixture(scope="module")
def further(lab: Lab) -> tuple[Neo4j, Neo4j]:
    """Two more regions' databases."""
    pair = Neo4j("eu"), Neo4j("ap")
    lab.start(*pair)
    return pair


@pytest.fixture
def regions(
    lab: Lab,
    plane: ControlPlane,
    databases: tuple[Neo4j, Neo4j],
    further: tuple[Neo4j, Neo4j],
    s3: S3,
    tmp_path: Path,
) -> Iterator[World]:
    """Four clusters in place, no resource yet."""
    for database in further:
        database.resume()
        database.reset()
    with world(plane, databases, s3, tmp_path, lab.run.ports.free()) as made:
        made.recovery = "multi-region-dr"
        made.sites |= dict(zip((EU, AP), further, strict=True))
        plane.kubectl("create", "namespace", made.namespace)
        for site, database in made.sites.items():
            made.secret(f"{site}-admin", username=database.user, password=database.password)
            made.secret(f"{site}-ca", **{"ca.crt": database.ca_pem or ""})
            made.apply(cluster(site, database))
        yield made


def cluster(site: str, database: Neo4j) -> dict[str, Any]:
    return {
        "apiVersion": "neo4j.neo4j.com/v1alpha1",
        "kind": "Neo4jEnterpriseCluster",
        "metadata": {"name": CLUSTERS[site]},
        "spec": {
            "external": {"uri": database.uri, "caSecret": f"{site}-ca"},
            "disasterRecovery": {
                "enabled": True,
                "role": "primary" if site == "primary" else "secondary",
                "region": REGIONS[site],
            },
            "auth": {"adminSecret": f"{site}-admin"},
        },
    }


def with_ap(printed: dict[str, Any], source: str = REGIONS[EU]) -> dict[str, Any]:
    """The guide's resource with a fourth region, which follows the third, or another ``source``; whoever loses its
    place is filled anew."""
    spec = printed["spec"]
    item = {"name": AP, "clusterRef": CLUSTERS[AP], "region": REGIONS[AP]}
    topology = spec["replication"]["topology"]
    edge = {"region": REGIONS[AP], "source": source}
    longer = {**topology, "secondaries": [*topology["secondaries"], edge]}
    more = {
        "secondaryClusters": [*spec["secondaryClusters"], item],
        "replication": {**spec["replication"], "topology": longer, "reseed": "automatic"},
    }
    return {**printed, "spec": {**spec, **more}}


def standby(of: World, name: str) -> dict[str, Any]:
    """What the resource says of one standby."""
    return next((item for item in of.status().get("secondaryClusters") or [] if item["name"] == name), {})


def await_standby(of: World, name: str, ready: bool, reason: str | None = None, seconds: float = 90) -> dict[str, Any]:
    def look() -> dict[str, Any] | None:
        found = standby(of, name)
        return found if (found.get("failoverReady") is ready and reason in (None, found.get("reason"))) else None

    return wait_for(f"{name} ready={ready} {reason or ''}", look, seconds, 0.2)


def cluster_status(of: World, site: str) -> dict[str, Any]:
    return of.status_of("n4c", CLUSTERS[site])


def everywhere(of: World, query: str, *sites: str) -> None:
    """Wait until the query is true in each."""
    for site in sites:
        wait_for(f"{query} at {site}", lambda s=site: of.sites[s].query(query)[0]["there"], 60, 0.2)


@pytest.fixture
def active() -> list[str]:
    """Where the writer writes to."""
    return ["primary"]


@pytest.fixture
def writer(regions: World, active: list[str]) -> Iterator[Writer]:
    """A client that writes while it is not paused."""
    made = Writer(regions.sites, lambda: active[0])
    made.pause()
    yield made
    made.stop()


def hand_over(regions: World, writer: Writer, active: list[str]) -> None:
    """The second region becomes the primary, and what is written there comes to every other one."""
    writer.pause()  # an old primary that follows is open, and a client that goes on there alters it
    regions.request("secondary")
    regions.settled("secondary")
    active[0] = "secondary"
    writer.resume()
    regions.sites["secondary"].query("CREATE (:After {uid: 1})")
    everywhere(regions, "RETURN EXISTS { (:After {uid: 1}) } AS there", "primary", EU, AP)


def test_the_guides_cascade(regions: World, writer: Writer, active: list[str]) -> None:
    """The manifest as printed; a chain that grows and shrinks; a switchover; deaths along the chain."""
    primary, west = regions.sites["primary"], regions.sites["secondary"]
    primary.query("UNWIND range(1, 400) AS i CREATE (:Person {uid: i})-[:KNOWS {uid: i}]->(:Pet {uid: -i})")
    printed = yaml.safe_load(manifest("multi-region setup"))
    regions.apply(printed)
    regions.operator.start()
    found = await_standby(regions, EU, True, "Following")
    assert (found["source"], found["state"], "site" in found) == ("secondary", "streaming", False)
    assert standby(regions, WEST)["site"] == "secondary"
    assert "notYetSupported" not in regions.status() or regions.status()["notYetSupported"] == []
    told = wait_for("lag told", lambda: s if (s := standby(regions, EU)).get("lagSeconds") is not None else None, 30)
    assert 0 <= told["lagSeconds"] < 30, "behind the primary, by its heartbeats through the cascade"
    status = wait_for("its cluster tells", lambda: s if (s := cluster_status(regions, EU)).get("role") else None, 30)
    assert (status["role"], status["epoch"], status["recovery"]) == ("secondary", 1, "multi-region-dr")
    assert {c["type"]: c["status"] for c in status["conditions"]} == {"Ready": "True", "ReadOnly": "False"}

    # a region is added, behind the last one, while the chain is written to and every worker is killed
    writer.resume()
    regions.apply(with_ap(printed))
    wait_for("both links and the new one run", lambda: len(regions.operator.workers()) == 3, 60)
    killed = set(regions.operator.workers())
    for pid in killed:
        os.kill(pid, signal.SIGKILL)
    wait_for("three others run", lambda: len(set(regions.operator.workers()) - killed) == 3, 60)
    # the gauge first: a status may still be the one from before the deaths
    gauge = series(regions, "standby_ready", AP)
    wait_for("its gauge says ready", lambda: regions.metrics().get(gauge) == 1, 60)
    assert await_standby(regions, AP, True, "Following")["source"] == EU
    assert 0 <= regions.metrics()[series(regions, "standby_lag_seconds", AP)] < 30

    # the third region loses what its change stream was: only the fourth has to be filled anew, and is
    eu = regions.sites[EU]
    eu.query("CALL lab.cdc.configure({mode: 'OFF'})")
    applied = eu.query("MATCH (l:`__Neo4jDRLink`) RETURN l.seq AS seq")[0]["seq"]
    everywhere(regions, f"MATCH (l:`__Neo4jDRLink`) RETURN l.seq > {applied} AS there", EU)
    eu.query("CALL lab.cdc.configure({mode: 'FULL'})")
    again = "MATCH (l:`__Neo4jDRLink`) RETURN sum(CASE WHEN l.reseed > '' THEN 1 ELSE 0 END) > 0 AS there"
    everywhere(regions, again, AP)
    await_standby(regions, AP, True, "Following")
    assert not regions.sites[EU].query(again)[0]["there"]

    # the second region takes over; the third goes on following it, the fourth the third
    hand_over(regions, writer, active)
    assert (await_standby(regions, EU, True)["source"], standby(regions, WEST)["state"]) == ("secondary", "active")
    wait_for("the epoch came down", lambda: cluster_status(regions, AP).get("epoch") == 2, 30)

    # the third region dies: only the fourth suffers, and goes on when it is back
    regions.sites[EU].kill9()
    found = await_standby(regions, AP, False, "SourceDown")
    assert found["message"].startswith(EU)
    await_standby(regions, EU, False)
    assert regions.condition("Ready")["status"] == "True"
    regions.sites[EU].start()
    await_standby(regions, AP, True, "Following")
    log = writer.stop()
    for database in regions.sites.values():
        wait_for("everything acknowledged is here", lambda d=database: not missing(log, d), 60, 0.2)
    assert len(log.acknowledged) > 20
    for database in (west, regions.sites[EU], regions.sites[AP]):
        assert_equal(primary.query, database.query)

    # the fourth region is taken away again: its link ends, its data stays, its cluster belongs to nobody
    regions.apply(printed)
    wait_for("its link ended", lambda: len(regions.operator.workers()) == 2, 30)
    wait_for("its cluster is let go", lambda: cluster_status(regions, AP).get("phase") == "Unattended", 30)
    west.query("CREATE (:Later {uid: 1})")
    everywhere(regions, "RETURN EXISTS { (:Later {uid: 1}) } AS there", "primary", EU)
    assert regions.sites[AP].query("RETURN EXISTS { (:After) } AND NOT EXISTS { (:Later) } AS there")[0]["there"]
    assert series(regions, "standby_ready", AP) not in regions.metrics()


def test_two_standbys_follow_one(regions: World, writer: Writer, active: list[str]) -> None:
    """A tree: two children of one standby, each with a link of its own. One child's death is nothing to the other;
    their parent's is both's, and both go on behind it when it is the primary."""
    primary, west = regions.sites["primary"], regions.sites["secondary"]
    primary.query("UNWIND range(1, 400) AS i CREATE (:Person {uid: i})-[:KNOWS {uid: i}]->(:Pet {uid: -i})")
    regions.apply(with_ap(yaml.safe_load(manifest("multi-region setup")), REGIONS["secondary"]))
    regions.operator.start()
    for child in (EU, AP):
        assert await_standby(regions, child, True, "Following")["source"] == "secondary"
    writer.resume()
    assert len(regions.operator.workers()) == 3

    # one child dies: its sister goes on, and so does the link that both hang on
    regions.sites[EU].kill9()
    await_standby(regions, EU, False)
    primary.query("CREATE (:Without {uid: 1})")
    everywhere(regions, "RETURN EXISTS { (:Without {uid: 1}) } AS there", "secondary", AP)
    assert standby(regions, AP)["failoverReady"] is True
    regions.sites[EU].start()
    await_standby(regions, EU, True, "Following")

    # their parent dies, and comes back
    west.kill9()
    for child in (EU, AP):
        await_standby(regions, child, False, "SourceDown")
    west.start()
    for child in (EU, AP):
        await_standby(regions, child, True, "Following")

    # every worker dies, and their parent becomes the primary
    for pid in regions.operator.workers():
        os.kill(pid, signal.SIGKILL)
    for child in (EU, AP):
        await_standby(regions, child, True, "Following")
    hand_over(regions, writer, active)
    for child in (EU, AP):
        assert await_standby(regions, child, True)["source"] == "secondary"
    log = writer.stop()
    for database in regions.sites.values():
        wait_for("everything acknowledged is here", lambda d=database: not missing(log, d), 60, 0.2)
    assert len(log.acknowledged) > 20
    for database in (primary, regions.sites[EU], regions.sites[AP]):
        assert_equal(west.query, database.query)


def series(of: World, name: str, item: str) -> str:
    labels = f'cluster="{of.recovery}",namespace="{of.namespace}",standby="{item}"'
    return f"neo4j_disaster_recovery_{name}{{{labels}}}"


def test_direct_followers_stay_with_the_primarys_cluster(regions: World) -> None:
    """Two followers of the primary's cluster: one that holds data is refused, one follows on through a switchover."""
    primary = regions.sites["primary"]
    primary.query("UNWIND range(1, 100) AS i CREATE (:Person {uid: i})")
    regions.sites[AP].query("CREATE (:Mine {uid: 1})")
    spec = with_ap(yaml.safe_load(manifest("multi-region setup")))
    del spec["spec"]["replication"]
    regions.apply(spec)
    regions.operator.start()
    assert await_standby(regions, EU, True)["source"] == "primary"
    assert await_standby(regions, AP, False, "TargetNotEmpty")["state"] == "refused"
    assert regions.sites[AP].query("MATCH (n) RETURN labels(n) AS l") == [{"l": ["Mine"]}]
    regions.await_condition("Ready", "True")
    regions.request("secondary")
    regions.settled("secondary")
    regions.sites["secondary"].query("CREATE (:After {uid: 1})")
    everywhere(regions, "RETURN EXISTS { (:After {uid: 1}) } AS there", "primary", EU)
    assert await_standby(regions, EU, True)["source"] == "primary"
    for site in ("secondary", EU):
        assert_equal(primary.query, regions.sites[site].query)

    # made anew with other priorities, the resource must not take one standby's database for another's
    regions.kubectl("delete", "n4dr", regions.recovery)
    swapped = [{**item, "priority": 10 - item.get("priority", 3)} for item in spec["spec"]["secondaryClusters"][:2]]
    regions.apply({**spec, "spec": {**spec["spec"], "secondaryClusters": swapped}})
    told = regions.await_condition("Ready", "False", "OtherStandby")["message"]
    assert f"is the one of standby {EU}" in told
    assert await_standby(regions, WEST, False, "OtherStandby")["state"] == "refused"
    assert regions.sites["secondary"].query("RETURN EXISTS { (:After {uid: 1}) } AS there")[0]["there"]
    regions.apply(spec)
    status = regions.settled("secondary")
    assert status["epoch"] == 2, "as the databases say"
    regions.sites["secondary"].query("CREATE (:Later {uid: 1})")
    everywhere(regions, "RETURN EXISTS { (:Later {uid: 1}) } AS there", "primary", EU)
