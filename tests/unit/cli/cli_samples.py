"""Documents as the operator stores them, one for each situation that has a golden picture."""

from __future__ import annotations

import copy
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from neo4j_dr_operator.cli.facts import Snapshot

NOW = datetime(2026, 3, 14, 3, 0, 0, tzinfo=UTC)
Body = dict[str, Any]


def condition(type_: str, status: str, reason: str, message: str = "", since: str = "2026-03-14T02:00:00Z") -> Body:
    return {
        "type": type_,
        "status": status,
        "reason": reason,
        "message": message,
        "lastTransitionTime": since,
        "observedGeneration": 2,
    }


def put(body: Body, *changed: Body) -> None:
    """Set conditions of a body, each in the place of the one of its type."""
    stored = body["status"]["conditions"]
    for new in changed:
        places = [i for i, old in enumerate(stored) if old["type"] == new["type"]]
        if places:
            stored[places[0]] = new
        else:
            stored.append(new)


def cluster(name: str, region: str, *, role: str, read_only: Body | None = None, **spec: Any) -> Body:
    return {
        "apiVersion": "neo4j.neo4j.com/v1alpha1",
        "kind": "Neo4jEnterpriseCluster",
        "metadata": {"name": name, "namespace": "neo4j-production", "generation": 1, "resourceVersion": "7"},
        "spec": {
            "external": {"uri": f"bolt+s://{name}.example.com:7687"},
            "auth": {"adminSecret": "neo4j-admin-secret"},
            "disasterRecovery": {"enabled": True, "role": role, "region": region},
            **spec,
        },
        "status": {
            "role": role,
            "phase": "Ready",
            "address": f"bolt+s://{name}.example.com:7687",
            "conditions": [
                condition("Ready", "True", "Up", "answered in 3 ms"),
                read_only or condition("ReadOnly", "False", "Writable", "the database takes writes"),
            ],
        },
    }


STANDBY_OPEN = "a standby takes the replicator's writes; it has no commit guard that would refuse only clients"


def healthy() -> Snapshot:
    recovery: Body = {
        "apiVersion": "neo4j.neo4j.com/v1alpha1",
        "kind": "Neo4jDisasterRecovery",
        "metadata": {
            "name": "cross-region-dr",
            "namespace": "neo4j-production",
            "generation": 2,
            "resourceVersion": "41",
            "creationTimestamp": "2026-03-01T03:00:00Z",
            "annotations": {"kubectl.kubernetes.io/last-applied-configuration": "{}", "team": "graph"},
            "managedFields": [
                {"manager": "kubectl", "operation": "Apply", "time": "2026-03-14T01:00:00Z"},
                {"manager": "neo4j-dr-operator", "subresource": "status", "time": "2026-03-14T02:59:48Z"},
            ],
        },
        "spec": {
            "primaryClusterRef": "primary-cluster",
            "secondaryClusterRef": "secondary-cluster",
            "crossRegion": {"primaryRegion": "us-east-1", "secondaryRegion": "us-west-2"},
            "failover": {"automatic": True, "rpo": "5m"},
            "replication": {"logShipping": {"enabled": True}},
            "backup": {"enabled": True, "schedule": "0 2 * * *"},
        },
        "status": {
            "phase": "Replicating",
            "activeSite": "primary",
            "activeCluster": "primary-cluster",
            "activeRegion": "us-east-1",
            "epoch": 3,
            "message": "secondary follows primary at epoch 3",
            "observedGeneration": 2,
            "replication": [
                {
                    "site": "secondary",
                    "cluster": "secondary-cluster",
                    "state": "streaming",
                    "lagSeconds": 0.4,
                    "lagTransactions": 2,
                    "position": "AB1234",
                }
            ],
            "health": [
                {"site": "primary", "verdict": "UP", "evidence": "answered in 3 ms", "since": "2026-03-13T23:48:00Z"},
                {
                    "site": "secondary",
                    "verdict": "UP",
                    "evidence": "answered in 71 ms",
                    "since": "2026-03-14T02:12:30Z",
                },
            ],
            "endpoints": [
                {
                    "site": "primary",
                    "cluster": "primary-cluster",
                    "address": "bolt+s://primary-cluster.example.com:7687",
                    "source": "spec.external.uri",
                    "encrypted": True,
                },
                {
                    "site": "secondary",
                    "cluster": "secondary-cluster",
                    "address": "bolt+s://secondary-cluster.example.com:7687",
                    "source": "spec.external.uri",
                    "encrypted": True,
                },
            ],
            "shipping": {
                "state": "shipping",
                "epoch": 3,
                "site": "primary",
                "segment": 42,
                "position": "AB1230",
                "shippedAt": "2026-03-14T02:59:30Z",
                "ageSeconds": 30.2,
                "backlogTransactions": 118,
            },
            "recovery": {"earliest": "2026-03-01T03:00:10Z", "latest": "2026-03-14T02:59:30Z", "gaps": []},
            "backup": {
                "lastSnapshot": "20260314T020000Z",
                "lastCompletedAt": "2026-03-14T02:03:11Z",
                "nextAt": "2026-03-15T02:00:00Z",
                "snapshots": 13,
            },
            "failover": {
                "lastHandled": {"target": "primary", "emergency": False, "epoch": 3, "result": "Completed"},
                "history": [
                    {
                        "epoch": 2,
                        "kind": "failover",
                        "from": "primary",
                        "to": "secondary",
                        "result": "Completed",
                        "startedAt": "2026-03-12T11:00:00Z",
                        "completedAt": "2026-03-12T11:00:41Z",
                        "durationSeconds": 41.2,
                        "withinRTO": True,
                        "fencedBy": "time",
                        "drainedFromArchive": 12,
                        "drainProblem": "ArchiveGap: behind segment 7",
                        "lostTransactions": 3,
                        "lostSeconds": 0.9,
                        "reason": "every view said DOWN",
                    },
                    {
                        "epoch": 3,
                        "kind": "switchover",
                        "from": "secondary",
                        "to": "primary",
                        "result": "Completed",
                        "startedAt": "2026-03-13T11:00:00Z",
                        "completedAt": "2026-03-13T11:00:04Z",
                        "durationSeconds": 4.25,
                        "fencedBy": "read-only",
                        "lostTransactions": 0,
                    },
                ],
            },
            "control": {"epoch": 3, "secretish": "internal"},
            "conditions": [
                condition("Ready", "True", "Replicating", "secondary follows primary at epoch 3"),
                condition("ReplicationHealthy", "True", "Streaming", "primary to secondary"),
                condition(
                    "ReplicationSynced",
                    "False",
                    "PrimaryWritable",
                    "the primary takes writes; set readOnly on its cluster to bring both to one final position",
                ),
                condition("SyncComplete", "False", "NotRequested", "no sync was requested since the last promotion"),
                condition("LogShippingHealthy", "True", "Shipping"),
                condition("FailoverReady", "True", "StandbyReady", "secondary can take over by itself"),
                condition("WithinRPO", "True", "WithinRPO", "secondary lags by less than the 300 s allowed"),
                condition("BackupHealthy", "True", "Completed"),
                condition("PrimaryAvailable", "True", "Up", "primary: answered in 3 ms"),
                condition("StandbyAvailable", "True", "Up", "secondary: answered in 71 ms"),
                condition("SplitBrain", "False", "OneWriter", "only primary takes writes"),
            ],
        },
    }
    standby = condition("ReadOnly", "False", "Standby", STANDBY_OPEN)
    clusters = {
        "primary-cluster": cluster("primary-cluster", "us-east-1", role="primary"),
        "secondary-cluster": cluster("secondary-cluster", "us-west-2", role="secondary", read_only=standby),
    }
    return Snapshot(recovery, clusters)


def _changed() -> tuple[Body, Body, Snapshot]:
    """A healthy snapshot to change, with its recovery and status at hand."""
    snapshot = copy.deepcopy(healthy())
    recovery = snapshot.recovery
    assert isinstance(recovery, dict)
    return recovery, recovery["status"], snapshot


def seeding() -> Snapshot:
    recovery, status, snapshot = _changed()
    status.update(phase="Seeding", epoch=1, message="secondary is being seeded from primary at epoch 1")
    status["replication"] = [
        {
            "site": "secondary",
            "state": "seeding",
            "seed": {"nodes": 2_000_000, "nodesEnd": 2_000_000, "rels": 1_100_000, "relsEnd": 5_400_000},
        }
    ]
    status["failover"] = {"history": []}
    status["shipping"] = status["recovery"] = status["backup"] = None
    recovery["spec"].update(replication={}, backup={})
    put(
        recovery,
        condition("Ready", "False", "Seeding", status["message"]),
        condition("ReplicationHealthy", "False", "Seeding", "the link is seeding"),
        condition("FailoverReady", "False", "StandbySeeding", "secondary has not been filled to a position yet"),
        condition("LogShippingHealthy", "Unknown", "NotConfigured", "spec.replication.logShipping.enabled is false"),
        condition("BackupHealthy", "Unknown", "NotConfigured", "spec.backup.enabled is false"),
        condition("WithinRPO", "Unknown", "LagUnknown"),
    )
    return snapshot


def primary_down() -> Snapshot:
    recovery, status, snapshot = _changed()
    recovery["spec"]["failover"]["automatic"] = False
    status.update(phase="Degraded", message="primary is DOWN")
    status["replication"][0].update(
        state="streaming", lagSeconds=312.0, message="primary-cluster.example.com:7687: connection refused"
    )
    status["health"][0] = {
        "site": "primary",
        "verdict": "DOWN",
        "evidence": "at least 3 probes in a row failed: connection refused",
        "since": "2026-03-14T02:54:48Z",
    }
    down = "primary: at least 3 probes in a row failed: connection refused"
    put(
        recovery,
        condition("Ready", "False", "PrimaryUnavailable", down[9:], "2026-03-14T02:54:48Z"),
        condition("ReplicationHealthy", "False", "SourceUnreachable", "connection refused", "2026-03-14T02:54:40Z"),
        condition("PrimaryAvailable", "False", "Down", down, "2026-03-14T02:54:48Z"),
        condition("WithinRPO", "False", "LagExceedsRPO", "312 s behind, 300 s allowed", "2026-03-14T02:59:48Z"),
        condition("FailoverReady", "False", "AutomaticDisabled", "spec.failover.automatic is false"),
    )
    return snapshot


def failing_over() -> Snapshot:
    recovery, status, snapshot = _changed()
    status.update(phase="FailingOver", message="Fencing: the lease of primary is taken")
    status["health"][0].update(verdict="DOWN", evidence="at least 3 probes in a row failed: timed out")
    start = NOW.timestamp() - 41
    status["control"] = {
        "operation": {
            "kind": "failover",
            "source": "primary",
            "target": "secondary",
            "epoch": 4,
            "step": "Fencing",
            "steps": [
                {"name": "Detected", "at": start},
                {"name": "Confirmed", "at": start + 31.5},
                {"name": "Fencing", "at": start + 33},
            ],
            "evidence": [
                "operator's probe: DOWN (at least 3 probes in a row failed: timed out)",
                "standby's stream: DOWN (the change stream cannot be reached: timed out)",
                "witness: DOWN (the lease was not renewed for a whole term)",
            ],
            "fencedBy": "time",
        }
    }
    put(
        recovery,
        condition("Ready", "False", "Fencing", status["message"]),
        condition("PrimaryAvailable", "False", "Down", "primary: at least 3 probes in a row failed: timed out"),
    )
    return snapshot


def diverged() -> Snapshot:
    recovery, status, snapshot = _changed()
    reason = "7 transactions of secondary are not in primary"
    status.update(phase="Diverged", message=f"Diverged: {reason}")
    status["replication"] = [{"site": "secondary", "state": "diverged"}]
    status["failover"]["history"][1].update(kind="emergency", fencedBy="request", lostTransactions=7, lostSeconds=2.5)
    put(
        recovery,
        condition("Ready", "False", "Diverged", status["message"]),
        condition("ReplicationHealthy", "False", "NoLink", "no link is running"),
        condition("StandbyAvailable", "False", "Diverged", reason),
        condition("FailoverReady", "False", "StandbyDiverged", "secondary holds transactions that primary does not"),
        condition("SplitBrain", "True", "Diverged", reason),
    )
    held = condition("ReadOnly", "True", "ReadOnly", "the database was seen to refuse writes")
    put(dict(snapshot.clusters["secondary-cluster"]), held)
    return snapshot


def restored() -> Snapshot:
    recovery, status, snapshot = _changed()
    said = (
        "secondary holds what restore neo4j-production/back has put there, and follows nobody; to have it follow "
        "again: kubectl patch neo4jdisasterrecovery cross-region-dr --type=merge -p "
        '\'{"spec":{"sync":{"reseed":"secondary"}}}\''
    )
    status.update(phase="Restored", message=f"Restored: {said}")
    status["replication"] = [{"site": "secondary", "state": "restored"}]
    kinds = ("Ready", "ReplicationHealthy", "ReplicationSynced", "FailoverReady", "StandbyAvailable")
    put(recovery, *(condition(kind, "False", "Restored", said) for kind in kinds))
    return snapshot


def refused_spec() -> Snapshot:
    recovery, status, snapshot = _changed()
    recovery["metadata"]["generation"] = status["observedGeneration"] = 3
    status["message"] = "spec.crossRegion.secondaryRegion: secondary-cluster says eu-west-1"
    put(recovery, condition("Ready", "False", "InvalidSpec", status["message"]))
    return snapshot


def not_yet_supported() -> Snapshot:
    recovery, status, snapshot = _changed()
    recovery["spec"]["failover"]["fencing"] = {"enabled": True, "method": "api"}
    status["notYetSupported"] = ["failover.fencing", "monitoring.alerting", "backup"]
    status["message"] = "asked for and not given yet: spec.failover.fencing"
    put(recovery, condition("Ready", "False", "NotYetSupported", status["message"]))
    body = dict(snapshot.clusters["primary-cluster"])
    body["status"]["notYetSupported"] = ["topology", "storage"]
    return snapshot


def brand_new() -> Snapshot:
    recovery, _, snapshot = _changed()
    del recovery["status"]
    recovery["metadata"]["creationTimestamp"] = "2026-03-14T02:59:50Z"
    recovery["metadata"]["managedFields"] = []
    recovery["metadata"]["generation"] = 1
    return Snapshot(recovery, {"primary-cluster": snapshot.clusters["primary-cluster"]}, {"secondary-cluster": "gone"})


def read_only_synced() -> Snapshot:
    recovery, status, snapshot = _changed()
    sentence = "the standby holds everything up to AB1300, the end of the read-only primary"
    put(recovery, condition("ReplicationSynced", "True", "FinalPositionApplied", sentence))
    body = dict(snapshot.clusters["primary-cluster"])
    body["spec"]["readOnly"] = True
    put(body, condition("ReadOnly", "True", "ReadOnly", "the database was seen to refuse writes"))
    status["replication"][0].update(lagSeconds=0.0, lagTransactions=0)
    return snapshot


def hostile() -> Snapshot:
    """Control characters wherever a text may stand, and fields of types that nobody expects."""
    recovery, status, snapshot = _changed()
    clear, link, turned = "\x1b[2J\x1b[H", "\x1b]8;;http://evil.example\x07click\x1b]8;;\x07", "\u202egnp.exe"
    status["message"] = f"{clear}ALL FINE\r\nroot# {link}"
    status["phase"] = f"Repli\x9b31mcating{turned}"
    status["activeCluster"] = f"primary\n{clear}"
    status["health"][0].update(evidence=f"\x07\x08\x7f{clear}", verdict="UP\x1b[8m", since="yesterday", address=7)
    status["health"].append("text where an object belongs")
    status["replication"] = [{"site": "secondary", "state": 5, "lagSeconds": "many", "message": f"x{clear}" * 3}]
    status["failover"]["history"] = [None, {"kind": f"switch{clear}", "result": "Completed", "startedAt": 12}]
    status["shipping"] = {"state": f"{clear}fine", "ageSeconds": True, "bytes": float("inf"), "segments": -1}
    status["recovery"] = {"gaps": [{"from": clear, "to": turned, "reason": "\u2028\u200b"}]}
    status["endpoints"] = {"site": "primary"}
    status["control"] = {"operation": {"kind": clear, "steps": [{"name": clear, "at": 1e300}], "target": None}}
    status["notYetSupported"] = [clear, 7]
    put(recovery, condition(f"Evil{clear}", f"True{clear}", clear, "漢字 " * 30 + clear, "not a time"))
    return snapshot


SAMPLES: dict[str, Callable[[], Snapshot]] = {
    sample.__name__: sample
    for sample in (
        healthy,
        seeding,
        primary_down,
        failing_over,
        diverged,
        restored,
        refused_spec,
        not_yet_supported,
        brand_new,
        read_only_synced,
        hostile,
    )
}
