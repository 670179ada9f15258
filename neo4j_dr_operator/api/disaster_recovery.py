"""``Neo4jDisasterRecovery``: what a user asks for when two clusters are to stand in for each other."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import ConfigDict, Field

from neo4j_dr_operator.api.base import (
    Interval,
    Name,
    Region,
    S3Location,
    Site,
    SpecModel,
    immutable,
    rule,
    rules,
)


class CrossRegion(SpecModel):
    """Regions of the two sites and how they are kept alike."""

    primary_region: Region | None = Field(default=None, description="Region of primaryClusterRef.")
    secondary_region: Region | None = Field(default=None, description="Region of secondaryClusterRef.")
    replication_mode: Literal["async"] = Field(
        default="async", description="async: a commit does not wait for the standby."
    )


class Replication(SpecModel):
    """How the standby follows the primary."""

    interval: Interval = Field(
        default=Interval("5m"),
        description="Longest pause between two syncs; never a delay, since the change stream is followed at once.",
    )
    timeout: Interval = Field(default=Interval("30s"), description="Time limit of one query of a link.")
    retries: Annotated[int, Field(ge=0, le=100)] = Field(
        default=3, description="Failed attempts in a row before the link is reported as unhealthy; it goes on trying."
    )
    batch_size: Annotated[int, Field(ge=1, le=100_000)] = Field(
        default=5000, description="Most changes applied in one transaction of the standby, unless one alone is larger."
    )


class HealthCheck(SpecModel):
    """How the sites are probed."""

    interval: Interval = Field(default=Interval("30s"), description="Time from the start of one probe to the next.")
    timeout: Interval = Field(default=Interval("10s"), description="Time limit of one probe.")
    consecutive_failures: Annotated[int, Field(ge=1, le=100)] = Field(
        default=3, description="Failed probes in a row that make a site DOWN."
    )


class Quorum(SpecModel):
    """Who votes, besides the two sites, on which of them may write."""

    witness: S3Location | None = Field(
        default=None,
        description="Where the lease on the right to write is kept. Best outside both regions. Without a witness there "
        "is no automatic promotion; planned and emergency failovers need none.",
    )


class Failover(SpecModel):
    """When and how the right to write moves. target and emergency are requests: each is carried out once."""

    automatic: bool = Field(default=False, description="Promote the standby when a majority finds the primary dead.")
    target: Site | None = Field(
        default=None,
        description="Request: make this site (primary: primaryClusterRef, secondary: secondaryClusterRef) the active "
        "one. Taken out of the spec once carried out.",
    )
    emergency: bool | None = Field(
        default=None,
        description="With target: do not wait for the old primary to agree; what it had not sent is lost, and counted. "
        "Taken out of the spec once carried out.",
    )
    health_check: HealthCheck = Field(default_factory=HealthCheck, description="How the sites are probed.")
    quorum: Quorum = Field(default_factory=Quorum, description="Who votes on which site may write.")


class Sync(SpecModel):
    """Which way data flows after a failover."""

    direction: Literal["forward", "reverse"] | None = Field(
        default=None,
        description="Request: forward, from primaryClusterRef to secondaryClusterRef; reverse, the other way. Never "
        "towards the active site. Taken out of the spec once carried out.",
    )


class Prometheus(SpecModel):
    """Metrics for Prometheus."""

    enabled: bool = Field(default=True, description="Publish the metrics of this resource.")
    service_monitor: bool = Field(default=False, description="Make a ServiceMonitor where its kind is installed.")


class Monitoring(SpecModel):
    """What is published about this resource."""

    enabled: bool = Field(default=True, description="Publish anything at all.")
    prometheus: Prometheus = Field(default_factory=Prometheus, description="Metrics for Prometheus.")


class DisasterRecoverySpec(SpecModel):
    """Two clusters that stand in for each other."""

    model_config = ConfigDict(
        json_schema_extra=rules(
            rule(
                "self.primaryClusterRef != self.secondaryClusterRef",
                "must name another cluster than primaryClusterRef",
                field=".secondaryClusterRef",
            )
        )
    )

    primary_cluster_ref: Name = Field(
        description="Neo4jEnterpriseCluster, in the same namespace, that is primary to begin with; its site is called "
        "primary ever after.",
        json_schema_extra=immutable("primaryClusterRef"),
    )
    secondary_cluster_ref: Name = Field(
        description="Neo4jEnterpriseCluster, in the same namespace, that is standby to begin with; its site is called "
        "secondary ever after.",
        json_schema_extra=immutable("secondaryClusterRef"),
    )
    cross_region: CrossRegion = Field(default_factory=CrossRegion, description="Regions of the two sites.")
    replication: Replication = Field(default_factory=Replication, description="How the standby follows the primary.")
    failover: Failover = Field(default_factory=Failover, description="When and how the right to write moves.")
    sync: Sync = Field(default_factory=Sync, description="Which way data flows after a failover.")
    monitoring: Monitoring = Field(default_factory=Monitoring, description="What is published about this resource.")

    def cluster_of(self, site: Site) -> str:
        """Name of the cluster that a site refers to."""
        return self.primary_cluster_ref if site == "primary" else self.secondary_cluster_ref
