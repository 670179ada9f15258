"""What is wrong is said once, by its name, with where and what to do; nothing is written until it is mended.

Each fault is there before the operator has seen the databases. It must be named by `Ready` and by one event, leave both
databases without a trace of the operator, and heal by itself within seconds once somebody has mended it.
"""

from __future__ import annotations

import json
import socket
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest

from tests.compare import assert_equal, read
from tests.scenario.faults import FAULTS, Fault, insist, query, reach, sign_in
from tests.scenario.world import CLUSTERS, DR, World, wait_for

NAMED_WITHIN, HEALED_WITHIN = 20, 25
"""Seconds, on a busy machine."""
TRACES = ("MATCH (n:__Neo4jDR) RETURN n", "SHOW CONSTRAINTS YIELD name RETURN name")


def told(world: World, name: str = DR) -> list[tuple[str, str, str]]:
    """Every event about a resource: reason, kind, message; in no order."""
    items = world.all("events")
    return [(e["reason"], e["type"], e["message"]) for e in items if e["involvedObject"]["name"] == name]


def untouched(world: World) -> bool:
    """Whether neither database holds a trace of the operator."""
    return not any(server.query(text) for server in world.sites.values() for text in TRACES)


def cluster_condition(world: World, site: str) -> dict[str, Any]:
    """`Ready` of a cluster, empty while there is none."""
    found = [each for each in world.all("n4c") if each["metadata"]["name"] == CLUSTERS[site]]
    status = (found[0].get("status") or {}) if found else {}
    return next((c for c in status.get("conditions") or [] if c["type"] == "Ready"), {})


@pytest.fixture(params=FAULTS)
def fault(request: pytest.FixtureRequest) -> Fault:
    """One of the faults."""
    return FAULTS[request.param]


def test_a_fault_is_named_once_and_heals_by_itself(dr: World, fault: Fault) -> None:
    dr.sites["primary"].query("UNWIND range(1, 50) AS i CREATE (:Person {uid: i})-[:KNOWS]->(:Pet {uid: i})")
    dr.set_up()
    fault.cause(dr)
    before = {site: read(server.query) for site, server in dr.sites.items()}
    dr.operator.start()
    found = dr.await_condition("Ready", "False", fault.reason, NAMED_WITHIN)
    for words in fault.says:
        assert words in found["message"], found["message"]
    if fault.reason != "ReferenceUnresolved" or "adminSecret" in found["message"]:
        wait_for("a cluster says it too", lambda: fault.reason in reasons_of_clusters(dr), 10)
    time.sleep(6)  # several rounds, probes and looks at Secrets
    assert dr.condition("Ready")["reason"] == fault.reason
    events = [event for event in told(dr) if event[0] == fault.reason]
    assert len(events) == 1, told(dr)
    assert events[0][1] == "Warning"
    assert all(words in events[0][2] for words in fault.says), events
    assert untouched(dr)
    assert {site: read(server.query) for site, server in dr.sites.items()} == before
    assert dr.status().get("epoch") is None
    fault.mend(dr)
    dr.settled("primary", HEALED_WITHIN)
    dr.await_condition("Ready", "True", seconds=10)
    wait_for("the recovery is told", lambda: ("Replicating", "Normal") in {event[:2] for event in told(dr)}, 10)
    assert len([event for event in told(dr) if event[0] == fault.reason]) == 1
    assert_equal(*(server.query for server in dr.sites.values()))
    for site in CLUSTERS:
        wait_for(f"{site} is ready", lambda s=site: cluster_condition(dr, s).get("status") == "True", 10)


def reasons_of_clusters(world: World) -> set[str]:
    """The reasons of both clusters' `Ready`."""
    return {cluster_condition(world, site).get("reason", "") for site in CLUSTERS}


@pytest.fixture
def callers() -> Iterator[tuple[int, list[str]]]:
    """A port on which somebody listens, and who has connected to it."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        seen: list[str] = []
        end = threading.Event()

        def accept() -> None:
            listening.settimeout(0.2)
            while not end.is_set():
                try:
                    connection, peer = listening.accept()
                except TimeoutError:
                    continue
                seen.append(str(peer))
                connection.close()

        thread = threading.Thread(target=accept, daemon=True)
        thread.start()
        yield listening.getsockname()[1], seen
        end.set()
        thread.join(5)


def test_nothing_is_connected_to_where_plain_bolt_is_refused(dr: World, callers: tuple[int, list[str]]) -> None:
    """Neither the operator's way nor the links', although the address was used before TLS was asked for."""
    port, seen = callers
    dr.set_up()
    reach(dr, "secondary", f"bolt://localhost:{port}")
    dr.operator.start()
    wait_for("the address is used while it may be", lambda: seen, 20)
    insist(dr, True)
    found = dr.await_condition("Ready", "False", "PlainBoltRefused", 15)
    assert f"write bolt+s://localhost:{port} into spec.external.uri of secondary-cluster" in found["message"]
    time.sleep(1)
    seen.clear()
    time.sleep(6)
    assert seen == []
    manifest = dr.cluster_manifest("secondary")
    manifest["spec"]["external"]["replicationUri"] = f"bolt://localhost:{port}"
    dr.apply(manifest)
    wait_for(
        "the links' own address is refused",
        lambda: "spec.external.replicationUri of secondary-cluster" in dr.condition("Ready")["message"],
        15,
    )
    assert seen == []
    reach(dr, "secondary")
    dr.settled("primary", HEALED_WITHIN)


def test_a_certificate_that_expires_is_no_death(dr: World) -> None:
    """It is named, nothing is promoted, and replication goes on by itself with the next certificate.

    The server is restarted to show it, so the checks must not take a restart for death: ten may fail.
    """
    dr.set_up(healthCheck={"interval": "2s", "timeout": "4s", "consecutiveFailures": 10})
    dr.operator.start()
    dr.settled("primary")
    dr.await_condition("FailoverReady", "True")
    primary = dr.sites["primary"]
    try:
        primary.show("expired")
        found = dr.await_condition("Ready", "False", "CertificateExpired", 30)
        assert "renew the server's certificate" in found["message"]
        end = time.monotonic() + 30  # half as long again as dead servers are waited for
        while time.monotonic() < end:
            status = dr.status()
            assert (status["activeSite"], status["epoch"]) == ("primary", 1)
            assert status["failover"].get("history", []) == []
    finally:
        primary.show("good")
    primary.query("CREATE (:After {uid: 1})")
    dr.await_condition("Ready", "True", seconds=HEALED_WITHIN)
    wait_for("replicated", lambda: dr.sites["secondary"].query("MATCH (a:After) RETURN a.uid AS n"), 20)
    assert_equal(*(server.query for server in dr.sites.values()))


def test_a_wrong_address_is_no_death(dr: World) -> None:
    """Somebody writes a wrong address over the right one: all views fall silent at once, and nothing is promoted."""
    dr.set_up()
    dr.operator.start()
    dr.settled("primary")
    dr.await_condition("FailoverReady", "True")
    reach(dr, "primary", "bolt+s://localhost:9")
    dr.await_condition("PrimaryAvailable", "False", "Down", 30)
    assert "primary-cluster at bolt+s://localhost:9" in dr.await_condition("Ready", "False")["message"]
    dr.operator.kill9()
    dr.operator.start()
    dr.await_condition("FailoverReady", "False", "AddressUnproven", 30)
    end = time.monotonic() + 15  # three leases
    while time.monotonic() < end:
        status = dr.status()
        assert (status["activeSite"], status["epoch"]) == ("primary", 1)
        assert status["failover"].get("history", []) == []
    reach(dr, "primary")
    dr.await_condition("Ready", "True", seconds=HEALED_WITHIN)
    dr.await_condition("FailoverReady", "True", seconds=HEALED_WITHIN)


def test_a_resource_at_odds_decides_nothing_and_says_so(dr: World) -> None:
    """A wrong region on one cluster switches automatic failover off: every condition says so, and no number is old."""
    dr.set_up()
    dr.operator.start()
    dr.settled("primary")
    dr.await_condition("FailoverReady", "True")
    manifest = dr.cluster_manifest("secondary")
    manifest["spec"]["disasterRecovery"]["region"] = "eu-west-1"
    dr.apply(manifest)
    ready = dr.await_condition("Ready", "False", "RegionMismatch", 10)
    status = dr.status()
    told = {c["type"]: c for c in status["conditions"]}
    assert told["FailoverReady"] == ready | {
        "type": "FailoverReady",
        "lastTransitionTime": told["FailoverReady"]["lastTransitionTime"],
    }
    for kind in ("ReplicationSynced", "SyncComplete"):
        assert (told[kind]["status"], told[kind]["reason"]) == ("Unknown", "RegionMismatch")
    for kind in ("PrimaryAvailable", "StandbyAvailable", "ReplicationHealthy"):
        assert told[kind]["status"] == "True", kind
    assert {c["observedGeneration"] for c in told.values()} == {status["observedGeneration"]}
    assert (status["phase"], status["activeSite"], status["epoch"]) == ("Undecided", "primary", 1)
    health = f'neo4j_disaster_recovery_health_status{{cluster="{DR}",namespace="{dr.namespace}",site="primary"}}'
    assert dr.metrics()[health] == 1
    dr.sites["primary"].kill9()
    try:
        dr.await_condition("PrimaryAvailable", "False", "Down", 30)
        status = dr.status()
        assert {item["site"]: item["verdict"] for item in status["health"]} == {"primary": "DOWN", "secondary": "UP"}
        assert dr.metrics()[health] == 0
        wait_for("its cluster says it too", lambda: cluster_condition(dr, "primary")["status"] == "False", 10)
        dr.await_condition("ReplicationHealthy", "False", seconds=30)
        assert (dr.status()["phase"], dr.status()["epoch"]) == ("Undecided", 1)
        dr.apply(dr.cluster_manifest("secondary"))
        wait_for("what it could not decide is decided", lambda: dr.status()["activeSite"] == "secondary", 60)
    finally:
        dr.sites["primary"].start()
    dr.settled("secondary")


@pytest.mark.parametrize("site", ["primary", "secondary"])
def test_credentials_are_rotated_in_either_order(dr: World, site: str) -> None:
    dr.set_up()
    dr.operator.start()
    dr.settled("primary")
    server, other = dr.sites[site], dr.sites["secondary" if site == "primary" else "primary"]
    query(dr, site, "CREATE OR REPLACE USER operator SET PASSWORD 'first-4711' CHANGE NOT REQUIRED", "system")
    sign_in(dr, site, "operator", "first-4711")
    rounds = (("second-4711", "database first"), ("third-4711", "Secret first"))
    for number, (password, order) in enumerate(rounds):
        steps = [
            lambda p=password: query(dr, site, f"ALTER USER operator SET PASSWORD '{p}' CHANGE NOT REQUIRED", "system"),
            lambda p=password: sign_in(dr, site, "operator", p),
        ]
        for step in steps if order == "database first" else reversed(steps):
            step()
            time.sleep(4)
        dr.sites["primary"].query("CREATE (:Turn {uid: $n})", n=number)
        wait_for(
            f"replicated after {order}",
            lambda n=number: dr.sites["secondary"].query("MATCH (t:Turn {uid: $n}) RETURN t.uid AS n", n=n),
            HEALED_WITHIN,
        )
        dr.await_condition("Ready", "True", seconds=HEALED_WITHIN)
    assert dr.status()["epoch"] == 1
    assert_equal(server.query, other.query)


def test_a_witness_that_refuses_is_named_and_heals(dr: World) -> None:
    """Replication needs none, so `Ready` stays; `FailoverReady` and one event say what is to be done."""
    dr.set_up()
    good = {"AWS_ACCESS_KEY_ID": dr.s3.access_key, "AWS_SECRET_ACCESS_KEY": dr.s3.secret_key}
    dr.operator.start()
    dr.settled("primary")
    dr.await_condition("FailoverReady", "True")
    dr.secret("witness-keys", **(good | {"AWS_SECRET_ACCESS_KEY": "wrong-4711"}))
    dr.operator.kill9()
    dr.operator.start()
    found = dr.await_condition("FailoverReady", "False", "WitnessRefused", 30)
    assert "credentialsSecret" in found["message"]
    assert dr.condition("Ready")["status"] == "True"
    dr.secret("witness-keys", **good)
    dr.await_condition("FailoverReady", "True", seconds=HEALED_WITHIN)
    manifest = dr.recovery_manifest()
    manifest["spec"]["failover"]["quorum"]["witness"]["bucket"] = "no-such-bucket"
    dr.apply(manifest)
    found = dr.await_condition("FailoverReady", "False", "WitnessMissing", 30)
    assert "no-such-bucket" in found["message"]
    assert dr.condition("Ready")["status"] == "True"
    dr.apply(dr.recovery_manifest())
    dr.await_condition("FailoverReady", "True", seconds=HEALED_WITHIN)
    wait_for("both are told", lambda: {"WitnessRefused", "WitnessMissing"} <= {event[0] for event in told(dr)}, 10)
    assert [event[0] for event in told(dr)].count("WitnessRefused") == 1


def test_a_lost_reference_stops_nothing_that_runs(dr: World) -> None:
    """The admin Secret of a running pair is deleted: it is said, and replication and failover go on with what they
    had."""
    dr.set_up()
    dr.operator.start()
    dr.settled("primary")
    dr.kubectl("delete", "secret", "primary-admin")
    dr.kubectl("patch", "n4c", CLUSTERS["primary"], "--type=merge", "-p", '{"spec":{"edition":"community"}}')
    dr.await_condition("Ready", "False", "ReferenceUnresolved", 20)
    dr.sites["primary"].query("CREATE (:Still {uid: 1})")
    wait_for("replicated", lambda: dr.sites["secondary"].query("MATCH (s:Still) RETURN s.uid AS n"), 20)
    dr.request("secondary")
    wait_for("switched over", lambda: dr.status().get("activeSite") == "secondary", 60, 0.2)
    sign_in(dr, "primary")
    dr.settled("secondary", 60)
    dr.await_condition("Ready", "True", seconds=HEALED_WITHIN)


def test_one_database_has_one_owner_and_others_are_served(dr: World) -> None:
    """A second resource over the same pair is refused; one that leads nowhere is told so; the first goes on."""
    dr.set_up()
    dr.operator.start()
    dr.settled("primary")
    for name, refs in (("thief", CLUSTERS), ("nowhere", {"primary": "no-such", "secondary": "cluster"})):
        manifest = dr.recovery_manifest()
        manifest["metadata"]["name"] = name
        manifest["spec"]["primaryClusterRef"], manifest["spec"]["secondaryClusterRef"] = refs.values()
        dr.apply(manifest)

    def ready(name: str) -> dict[str, Any]:
        status = dr.status_of("n4dr", name)
        return next((c for c in status.get("conditions") or [] if c["type"] == "Ready"), {})

    wait_for("the second is refused", lambda: ready("thief").get("reason") == "OwnedByAnother", 20)
    assert f"{dr.namespace}/{DR}" in ready("thief")["message"]
    wait_for("the third is told", lambda: ready("nowhere").get("reason") == "ReferenceUnresolved", 20)
    dr.sites["primary"].query("CREATE (:Served {uid: 1})")
    wait_for("replicated", lambda: dr.sites["secondary"].query("MATCH (s:Served) RETURN s.uid AS n"), 20)
    assert dr.condition("Ready")["status"] == "True"
    for site in CLUSTERS:
        stored = json.loads(dr.kubectl("get", "n4c", CLUSTERS[site], "-o", "json"))["status"]
        assert (stored["recovery"], cluster_condition(dr, site)["status"]) == (DR, "True")
    for name, reason in (("thief", "OwnedByAnother"), ("nowhere", "ReferenceUnresolved")):
        assert [event[0] for event in told(dr, name)].count(reason) == 1
    owners = [server.query("MATCH (s:__Neo4jDRSite) RETURN s.dr AS dr") for server in dr.sites.values()]
    assert owners == [[{"dr": f"{dr.namespace}/{DR}"}]] * 2


def test_addresses_are_taken_in_their_order_and_shown(dr: World) -> None:
    """The resource's endpoints where a cluster has no address, then what the standby knows of the primary."""
    dr.set_up()
    for site in CLUSTERS:
        manifest = dr.cluster_manifest(site)
        del manifest["spec"]["external"]
        manifest["spec"]["disasterRecovery"]["primaryEndpoint"] = "told.invalid:7001"
        dr.kubectl("delete", "n4c", CLUSTERS[site])
        dr.apply(manifest)
    dr.operator.start()

    def shown() -> dict[str, tuple[str, str, bool]]:
        return {e["site"]: (e["address"], e["source"], e["encrypted"]) for e in dr.status().get("endpoints") or []}

    service = f"neo4j://secondary-cluster.{dr.namespace}.svc.cluster.local:7687"
    wait_for(
        "what is known without the resource",
        lambda: (
            shown()
            == {
                "primary": ("neo4j://told.invalid:7001", "spec.disasterRecovery.primaryEndpoint", False),
                "secondary": (service, "Service", False),
            }
        ),
        20,
    )
    manifest = dr.recovery_manifest()
    manifest["spec"]["replication"] = {"encryption": True}
    networking = {"endpoints": {"primary": "one.invalid", "secondary": "two.invalid:7002"}}
    manifest["spec"]["crossRegion"]["networking"] = networking
    dr.apply(manifest)
    source = "spec.crossRegion.networking.endpoints"
    wait_for(
        "the resource's own, under TLS",
        lambda: (
            shown()
            == {
                "primary": ("neo4j+s://one.invalid:7687", f"{source}.primary", True),
                "secondary": ("neo4j+s://two.invalid:7002", f"{source}.secondary", True),
            }
        ),
        20,
    )
    for site in CLUSTERS:
        dr.apply(dr.cluster_manifest(site))
    dr.settled("primary", HEALED_WITHIN)
    uris = {site: (server.uri, "spec.external.uri", True) for site, server in dr.sites.items()}
    wait_for("the clusters' own", lambda: shown() == uris, 10)
