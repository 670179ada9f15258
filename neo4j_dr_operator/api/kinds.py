"""The kinds of the API: names, models and columns, for whoever talks to the API server."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from neo4j_dr_operator.api.base import API_VERSION, GROUP, Rule, SpecModel, StatusModel, matches, rule
from neo4j_dr_operator.api.cluster import ClusterSpec, ClusterStatus
from neo4j_dr_operator.api.disaster_recovery import DisasterRecoverySpec
from neo4j_dr_operator.api.recovery_status import DisasterRecoveryStatus
from neo4j_dr_operator.api.restore import RestoreSpec, RestoreStatus

CATEGORY = "neo4j"


@dataclass(frozen=True)
class Column:
    """One column of ``kubectl get``; ``wide`` ones show with ``-o wide`` only."""

    name: str
    json_path: str
    type: Literal["string", "integer", "number", "boolean", "date"] = "string"
    description: str = ""
    wide: bool = False


@dataclass(frozen=True)
class Kind:
    """One custom resource. ``rules`` are CEL rules at the root, the only place that sees ``metadata.name``."""

    kind: str
    plural: str
    singular: str
    short: str
    description: str
    spec: type[SpecModel]
    status: type[StatusModel]
    columns: tuple[Column, ...]
    rules: tuple[Rule, ...] = ()

    @property
    def crd_name(self) -> str:
        """Name of the CustomResourceDefinition."""
        return f"{self.plural}.{GROUP}"

    @property
    def api_version(self) -> str:
        """``apiVersion`` of its objects."""
        return API_VERSION


def _condition(type_: str, name: str | None = None) -> Column:
    path = f'.status.conditions[?(@.type=="{type_}")].status'
    return Column(name or type_, path, description=f"Status of the condition {type_}.")


def _name(length: int, why: str) -> Rule:
    """Rule on ``metadata.name``, of which Kubernetes itself asks less. Only for new objects: a name never changes, and
    one from before the rule must go on taking status."""
    form = matches(r"^[a-z]([-a-z0-9]*[a-z0-9])?$", "self.metadata.name")
    return rule(
        f"oldSelf.hasValue() || (self.metadata.name.size() <= {length} && {form})",
        f"metadata.name must be a letter and then lower-case letters, digits and -, at most {length} characters: {why}",
        old_may_lack=True,
    )


_AGE = Column("Age", ".metadata.creationTimestamp", "date")
_PHASE = Column("Phase", ".status.phase", description="Where it is.")
_MESSAGE = Column("Message", ".status.message", description="What is happening.", wide=True)

CLUSTER = Kind(
    kind="Neo4jEnterpriseCluster",
    plural="neo4jenterpriseclusters",
    singular="neo4jenterprisecluster",
    short="n4c",
    description="One Neo4j cluster, which the operator runs or, with spec.external, only speaks to.",
    spec=ClusterSpec,
    status=ClusterStatus,
    columns=(
        Column("Role", ".status.role", description="Role at this epoch."),
        _PHASE,
        _condition("ReadOnly", "Read-only"),
        Column("Region", ".spec.disasterRecovery.region", description="Region the cluster runs in."),
        _AGE,
        Column("Address", ".status.address", description="Address the operator uses.", wide=True),
        _MESSAGE,
    ),
    rules=(_name(52, "pods and Services are named after it"),),
)

DISASTER_RECOVERY = Kind(
    kind="Neo4jDisasterRecovery",
    plural="neo4jdisasterrecoveries",
    singular="neo4jdisasterrecovery",
    short="n4dr",
    description="Two clusters that stand in for each other: one is written to, the other follows.",
    spec=DisasterRecoverySpec,
    status=DisasterRecoveryStatus,
    columns=(
        _PHASE,
        Column("Active", ".status.activeCluster", description="Cluster that may be written to."),
        Column("Lag", ".status.replication[*].lagSeconds", "number", "Seconds the standby is behind."),
        _condition("ReplicationSynced", "Synced"),
        _condition("Ready"),
        Column("Epoch", ".status.epoch", "integer", "Number of the present right to write."),
        _AGE,
        _MESSAGE,
    ),
    rules=(_name(56, "the Service NAME-active, which is not made yet, will be named after it"),),
)

RESTORE = Kind(
    kind="Neo4jRestore",
    plural="neo4jrestores",
    singular="neo4jrestore",
    short="n4r",
    description="Bring the graph of a cluster to a point in time.",
    spec=RestoreSpec,
    status=RestoreStatus,
    columns=(
        _PHASE,
        Column("Cluster", ".spec.clusterRef", description="Cluster restored into."),
        Column("Point", ".spec.pointInTime", description="Point in time asked for."),
        Column("Percent", ".status.percent", "integer", "Share of the work that is done."),
        Column("Restored to", ".status.restoredTo", description="Commit time of the last transaction restored."),
        _condition("Complete"),
        _AGE,
        _MESSAGE,
    ),
)

KINDS = (CLUSTER, DISASTER_RECOVERY, RESTORE)
