"""What the operator says of resources before any database is reached: in their status, at the first reconcile."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from lab import ControlPlane, Lab
from neo4j_dr_operator.api.kinds import KINDS
from tests.apiserver.door import printed
from tests.guide import find, manifest
from tests.scenario.world import Operator, wait_for

ROOT = Path(__file__).parents[2]
NAMESPACE = "statuses"
WITHIN = 15.0


@pytest.fixture(scope="module")
def plane(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ControlPlane]:
    """An API server with the operator at work on one namespace."""
    plane = ControlPlane("statuses")
    with Lab(plane) as lab:
        plane.kubectl("apply", "-f", str(ROOT / "crds"))
        plane.established(*(kind.crd_name for kind in KINDS))
        plane.kubectl("create", "namespace", NAMESPACE)
        log = tmp_path_factory.mktemp("operator") / "operator.log"
        operator = Operator(plane, NAMESPACE, log, lab.run.ports.free()).start()
        try:
            yield plane
        finally:
            assert operator.stop() == 0


def apply(plane: ControlPlane, document: dict[str, Any], **spec: Any) -> str:
    """Apply into the namespace; kind/name."""
    document = json.loads(json.dumps(document))
    document["metadata"]["namespace"] = NAMESPACE
    document["spec"].update(spec)
    plane.kubectl("apply", "--validate=strict", "-f", "-", input=json.dumps(document))
    return f"{document['kind'].lower()}/{document['metadata']['name']}"


def get(plane: ControlPlane, what: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(plane.kubectl("-n", NAMESPACE, "get", what, "-o", "json").stdout)
    return found


def condition(plane: ControlPlane, what: str, type_: str, reason: str) -> dict[str, Any]:
    """The condition once it has that reason."""

    def look() -> dict[str, Any] | None:
        found = (get(plane, what).get("status") or {}).get("conditions") or []
        return next((c for c in found if (c["type"], c["reason"]) == (type_, reason)), None)

    return wait_for(f"{what}: {type_} with {reason}", look, WITHIN)


def cluster(name: str, role: str, region: str, disaster_recovery: dict[str, Any] | None = None) -> dict[str, Any]:
    printed: dict[str, Any] = yaml.safe_load(manifest("primary cluster setup"))
    printed["metadata"]["name"] = name
    printed["spec"]["disasterRecovery"] = {"enabled": True, "role": role, "region": region} | (disaster_recovery or {})
    return printed


def recovery(name: str, **spec: Any) -> dict[str, Any]:
    return {
        "apiVersion": "neo4j.neo4j.com/v1alpha1",
        "kind": "Neo4jDisasterRecovery",
        "metadata": {"name": name},
        "spec": {"primaryClusterRef": f"{name}-a", "secondaryClusterRef": f"{name}-b", **spec},
    }


def test_a_cluster_nobody_refers_to_says_so_and_what_is_not_acted_on(plane: ControlPlane) -> None:
    what = apply(plane, cluster("lonely", "primary", "us-east-1"))
    assert "refers to this cluster" in condition(plane, what, "Ready", "NotReferred")["message"]
    status = get(plane, what)["status"]
    assert status["phase"] == "Unattended"
    assert status["notYetSupported"] == ["spec.edition", "spec.image", "spec.topology", "spec.storage"]
    assert status["observedGeneration"] == get(plane, what)["metadata"]["generation"]


def test_a_restore_waits_for_what_it_refers_to(plane: ControlPlane) -> None:
    """Nothing of that is a failure: it is told, one after the other, and the restore goes on by itself."""
    what = apply(plane, printed("09-point-in-time-recovery"))

    def waits(words: str) -> bool:
        status = get(plane, what).get("status") or {}
        truth = {c["type"]: (c["status"], c["reason"]) for c in status.get("conditions") or []}
        unresolved = ("False", "ReferenceUnresolved")
        return words in status.get("message", "") and truth == {"Complete": unresolved, "Failed": unresolved}

    missing = "spec.clusterRef names secondary-cluster, which does not exist in statuses: create it"
    wait_for("it waits for its cluster", lambda: waits(missing), WITHIN)
    apply(plane, cluster("secondary-cluster", "secondary", "us-west-2"))
    wait_for("it waits for its Secret", lambda: waits("names Secret neo4j-admin-secret, which does not"), WITHIN)
    secret = {"metadata": {"name": "neo4j-admin-secret", "namespace": NAMESPACE}, "stringData": {"username": "neo4j"}}
    plane.kubectl("apply", "-f", "-", input=json.dumps({"apiVersion": "v1", "kind": "Secret", **secret}))
    wait_for("it waits for a key", lambda: waits("Secret neo4j-admin-secret lacks keys"), 30)
    found = get(plane, what)
    assert (found["status"]["phase"], "startedAt" in found["status"]) == ("Pending", False)
    assert found["status"]["observedGeneration"] == found["metadata"]["generation"]
    row = plane.kubectl("-n", NAMESPACE, "get", what, "--no-headers").stdout.split()
    assert row[1:4] == ["Pending", "secondary-cluster", "2025-01-15T10:30:00Z"]
    plane.kubectl("-n", NAMESPACE, "delete", "secret/neo4j-admin-secret", what, "--timeout=10s")
    plane.kubectl("-n", NAMESPACE, "delete", "n4c", "secondary-cluster", "--timeout=10s")


def test_a_restore_that_was_deleted_is_another_one_when_it_is_made_again(plane: ControlPlane) -> None:
    document = printed("09-point-in-time-recovery") | {"metadata": {"name": "again"}}
    what = apply(plane, document, clusterRef="first")
    assert "first" in condition(plane, what, "Complete", "ReferenceUnresolved")["message"]
    plane.kubectl("-n", NAMESPACE, "delete", what, "--timeout=10s")
    apply(plane, document, clusterRef="second")
    assert "second" in condition(plane, what, "Complete", "ReferenceUnresolved")["message"]
    plane.kubectl("-n", NAMESPACE, "delete", what, "--timeout=10s")


def test_a_cluster_that_does_not_exist_is_named(plane: ControlPlane) -> None:
    what = apply(plane, recovery("nobody", replication={"compression": True}))
    ready = condition(plane, what, "Ready", "ReferenceUnresolved")
    assert ready["status"] == "False"
    status = get(plane, what)["status"]
    assert status["notYetSupported"] == ["spec.replication.compression"], "told whatever else is missing"
    assert {site["verdict"] for site in status["health"]} == {"UNKNOWN"}
    apply(plane, recovery("nobody", replication={"compression": False}))
    gone = lambda: not get(plane, what)["status"].get("notYetSupported")  # noqa: E731
    wait_for("it is that of the spec that is there", gone, WITHIN)
    assert "spec.primaryClusterRef names nobody-a, which does not exist in statuses" in ready["message"]


@pytest.mark.parametrize(
    ("name", "first", "second", "spec", "reason", "sentence"),
    [
        (
            "regions",
            {},
            {},
            {"crossRegion": {"secondaryRegion": "eu-west-1"}},
            "RegionMismatch",
            "spec.crossRegion.secondaryRegion is eu-west-1, but regions-b says spec.disasterRecovery.region: us-west-2",
        ),
        (
            "roles",
            {"role": "secondary"},
            {},
            {},
            "RoleMismatch",
            "roles-a, which says spec.disasterRecovery.role: secondary; to begin with it must be primary",
        ),
        (
            "disabled",
            {},
            {"enabled": False},
            {},
            "DisasterRecoveryDisabled",
            "disabled-b, which takes no part: set its spec.disasterRecovery.enabled: true",
        ),
    ],
)
def test_resources_at_odds_are_told_and_heal(
    plane: ControlPlane,
    name: str,
    first: dict[str, Any],
    second: dict[str, Any],
    spec: dict[str, Any],
    reason: str,
    sentence: str,
) -> None:
    apply(plane, cluster(f"{name}-a", "primary", "us-east-1", first))
    apply(plane, cluster(f"{name}-b", "secondary", "us-west-2", second))
    what = apply(plane, recovery(name, **spec))
    assert sentence in condition(plane, what, "Ready", reason)["message"]
    told = {c["type"]: (c["status"], c["reason"]) for c in get(plane, what)["status"]["conditions"]}
    assert told["FailoverReady"] == ("False", reason)
    assert told["ReplicationSynced"] == told["SyncComplete"] == ("Unknown", reason)
    apply(plane, cluster(f"{name}-a", "primary", "us-east-1"))
    apply(plane, cluster(f"{name}-b", "secondary", "us-west-2"))
    apply(plane, recovery(name, crossRegion={"primaryRegion": "us-east-1", "secondaryRegion": "us-west-2"}))
    healed = condition(plane, what, "Ready", "ReferenceUnresolved")  # what is left: the Secret is not there
    assert "neo4j-admin-secret" in healed["message"]


def held(item: dict[str, Any]) -> dict[str, Any]:
    """What an item of `status.secondaryClusters` keeps of its name."""
    return {key: item[key] for key in ("name", "clusterRef", "region", "priority") if key in item}


def inherited(plane: ControlPlane, what: str) -> list[dict[str, Any]]:
    return [held(item) for item in get(plane, what)["status"]["secondaryClusters"]]


def test_several_standbys_are_remembered_by_name(plane: ControlPlane) -> None:
    what = apply(plane, yaml.safe_load(manifest("multi-region setup")))
    assert "primary-cluster" in condition(plane, what, "Ready", "ReferenceUnresolved")["message"]
    status = get(plane, what)["status"]
    west, eu = status["secondaryClusters"]
    assert [entry["clusterRef"] for entry in (west, eu)] == ["secondary-cluster-west", "secondary-cluster-eu"]
    fragment = yaml.safe_load(find("resource scaling", "yaml")[0].text)
    plane.kubectl("-n", NAMESPACE, "patch", *what.split("/"), "--type=merge", "-p", json.dumps(fragment))
    message = condition(plane, what, "Ready", "InvalidTopology")["message"]
    assert "names eu-west-1, and no item of secondaryClusters is there" in message
    assert inherited(plane, what) == [held(west), held(eu)], "nothing is given up by a mistake"
    fragment["spec"]["replication"] = {"mode": "direct", "topology": None}
    plane.kubectl("-n", NAMESPACE, "patch", *what.split("/"), "--type=merge", "-p", json.dumps(fragment))
    condition(plane, what, "Ready", "ReferenceUnresolved")
    assert inherited(plane, what) == [held(west)], "the item inherits"
    fragment["spec"]["secondaryClusters"][0]["clusterRef"] = "another-cluster"
    plane.kubectl("-n", NAMESPACE, "patch", *what.split("/"), "--type=merge", "-p", json.dumps(fragment))
    message = condition(plane, what, "Ready", "InvalidTopology")["message"]
    assert "clusterRef is another-cluster, but the standby of that name is secondary-cluster-west" in message
    assert inherited(plane, what) == [held(west)], "what it inherited is not exchanged"
    unknown = json.dumps({"spec": {"secondaryClusters": [{"name": "nobody-knows"}]}})
    refused = plane.kubectl("-n", NAMESPACE, "patch", *what.split("/"), "--type=merge", "-p", unknown, check=False)
    assert "clusterRef" in refused.stderr


@pytest.mark.parametrize(
    ("field", "value", "sentence"),
    [
        ("schedule", "0 0 31 2 *", "no month named has such a day of month, so it never comes due"),
        ("timeZone", "Europe/Atlantis", "Europe/Atlantis"),
    ],
)
def test_a_backup_that_could_never_be_taken_is_refused_by_the_status(
    plane: ControlPlane, field: str, value: str, sentence: str
) -> None:
    """The form is right, so that the API server takes it."""
    what = apply(plane, recovery(f"never-{field.lower()}", backup={field: value}))
    message = condition(plane, what, "Ready", "InvalidSpec")["message"]
    assert f"spec.backup.{field}" in message
    assert sentence in message


def test_what_only_the_operator_can_see_is_refused_by_the_status(plane: ControlPlane) -> None:
    regions = ["r1", "r2", "r3"]
    circle = [{"region": r, "source": s} for r, s in zip(regions, ["r2", "r3", "r1"], strict=True)]
    topology = {"primary": "r0", "secondaries": circle}
    what = apply(plane, recovery("circle", replication={"mode": "cascading", "topology": topology}))
    ready = condition(plane, what, "Ready", "InvalidSpec")
    assert "spec.replication.topology" in ready["message"]
    assert "in a circle" in ready["message"]
