"""``Neo4jDisasterRecovery``: what a user asks for when clusters are to stand in for each other."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import ConfigDict, Field

from neo4j_dr_operator.api.backup import Backup
from neo4j_dr_operator.api.base import Checks, Site, SpecModel, constant, map_by, rule, rules
from neo4j_dr_operator.api.cluster import Resources, Topology
from neo4j_dr_operator.api.failover import Failover
from neo4j_dr_operator.api.formats import Name, Region
from neo4j_dr_operator.api.monitoring import Monitoring
from neo4j_dr_operator.api.replication import CrossRegion, Replication
from neo4j_dr_operator.api.storage import S3Location


class Sync(SpecModel):
    """Which way data flows after a failover."""

    direction: Literal["forward", "reverse"] | None = Field(
        default=None,
        description="Request: forward, from primaryClusterRef to secondaryClusterRef; reverse, the other way. Never "
        "towards the active site. Taken out of the spec once carried out.",
    )
    reseed: Site | None = Field(
        default=None,
        description="Request: fill this site anew from the active one; what it holds and the active site does not is "
        "deleted. Never the active site. Taken out of the spec once accepted.",
    )


class SecondaryCluster(SpecModel):
    """One of several standbys. An item whose name is known from before inherits what it leaves out."""

    model_config = ConfigDict(
        json_schema_extra=rules(
            rule(
                "has(self.clusterRef) || oldSelf.hasValue()",
                "is needed where the name is new",
                field=".clusterRef",
                old_may_lack=True,
            )
        )
    )

    name: Name = Field(description="Name of the standby in this resource.")
    cluster_ref: Annotated[Name, Checks(constant("clusterRef"))] | None = Field(
        default=None, description="Neo4jEnterpriseCluster in the same namespace. Needed when the name is new."
    )
    region: Region | None = Field(
        default=None, description="Region of that cluster; by default what the cluster itself says."
    )
    priority: Annotated[int, Field(ge=1, le=100)] | None = Field(
        default=None,
        description="The item with the lowest number (then the first one) is the site secondary, which takes over; "
        "that is settled at the first epoch. The others only follow.",
    )
    resources: Resources | None = Field(default=None, description="Computing resources while it is a standby.")
    topology: Topology | None = Field(default=None, description="Servers while it is a standby.")


_SECONDARIES = rules(
    rule(
        "self.all(a, !has(a.clusterRef) || self.exists_one(b, has(b.clusterRef) && b.clusterRef == a.clusterRef))",
        "each clusterRef must be named once",
    ),
    rule(
        "self.all(a, !has(a.priority) || self.exists_one(b, has(b.priority) && b.priority == a.priority))",
        "each priority must be given once",
    ),
)
_SPEC_RULES = rules(
    rule(
        "has(self.secondaryClusterRef) != has(self.secondaryClusters)",
        "exactly one of secondaryClusterRef and secondaryClusters must be given",
        field=".secondaryClusterRef",
    ),
    rule(
        "!has(self.secondaryClusterRef) || self.primaryClusterRef != self.secondaryClusterRef",
        "must name another cluster than primaryClusterRef",
        field=".secondaryClusterRef",
    ),
    rule(
        "!has(self.secondaryClusters) || "
        "self.secondaryClusters.all(s, !has(s.clusterRef) || s.clusterRef != self.primaryClusterRef)",
        "must name other clusters than primaryClusterRef",
        field=".secondaryClusters",
    ),
    rule(
        "has(self.secondaryClusterRef) == has(oldSelf.secondaryClusterRef)",
        "cannot be given or taken away later: create another resource instead",
        field=".secondaryClusterRef",
    ),
    rule(
        "!has(self.replication.topology) || !has(self.crossRegion.primaryRegion) || "
        "self.replication.topology.primary == self.crossRegion.primaryRegion",
        "must be the region that crossRegion.primaryRegion names",
        field=".replication.topology.primary",
    ),
    rule(
        "(self.replication.mode == 'cascading') == has(self.replication.topology)",
        "is needed with mode: cascading, and only there",
        field=".replication.topology",
    ),
    rule(
        "!has(self.replication.topology) || !has(self.secondaryClusters) || "
        "!self.secondaryClusters.all(s, has(s.region)) || "
        "self.replication.topology.secondaries.all(t, self.secondaryClusters.exists(s, s.region == t.region))",
        "must name regions of secondaryClusters only",
        field=".replication.topology.secondaries",
    ),
    rule(
        "!has(self.secondaryClusters) || !has(self.crossRegion.secondaryRegion)",
        "is the region of secondaryClusterRef: with secondaryClusters, each item names its own",
        field=".crossRegion.secondaryRegion",
    ),
    rule(
        "!has(self.secondaryClusters) || !has(self.crossRegion.networking.endpoints.secondary)",
        "is the address of secondaryClusterRef: with secondaryClusters, each cluster names its own",
        field=".crossRegion.networking.endpoints.secondary",
    ),
)


class DisasterRecoverySpec(SpecModel):
    """Clusters that stand in for each other."""

    model_config = ConfigDict(json_schema_extra=_SPEC_RULES)

    primary_cluster_ref: Annotated[Name, Checks(constant("primaryClusterRef"))] = Field(
        description="Neo4jEnterpriseCluster, in the same namespace, that is primary to begin with; its site is called "
        "primary ever after.",
    )
    secondary_cluster_ref: Annotated[Name, Checks(constant("secondaryClusterRef"))] | None = Field(
        default=None,
        description="Neo4jEnterpriseCluster, in the same namespace, that is standby to begin with; its site is called "
        "secondary ever after.",
    )
    secondary_clusters: (
        Annotated[
            list[SecondaryCluster],
            Field(min_length=1, max_length=16, json_schema_extra=map_by("name") | _SECONDARIES),
        ]
        | None
    ) = Field(
        default=None,
        description="Several standbys, instead of secondaryClusterRef. An item that is taken away is let go of; its "
        "data stays.",
    )
    cross_region: CrossRegion = Field(default_factory=CrossRegion, description="Regions of the two sites.")
    replication: Replication = Field(default_factory=Replication, description="How the standby follows the primary.")
    failover: Failover = Field(default_factory=Failover, description="When and how the right to write moves.")
    sync: Sync = Field(default_factory=Sync, description="Which way data flows after a failover.")
    monitoring: Monitoring = Field(default_factory=Monitoring, description="What is published about this resource.")
    backup: Backup = Field(default_factory=Backup, description="Snapshots on a schedule.")

    def cluster_of(self, site: Site) -> str:
        """Name of the cluster that a site refers to; empty for a secondary that is one of several."""
        return self.primary_cluster_ref if site == "primary" else self.secondary_cluster_ref or ""

    def region_of(self, site: Site) -> str | None:
        """Region given for a site."""
        regions = self.cross_region
        return regions.primary_region if site == "primary" else regions.secondary_region

    @property
    def witness(self) -> S3Location | None:
        """Where the lease is kept: where the quorum says, else beside the archive of transactions."""
        shipping = self.replication.log_shipping
        return self.failover.quorum.witness or (shipping.destination if shipping.enabled else None)

    @property
    def encrypted_links(self) -> bool:
        """Whether plain Bolt is refused."""
        return self.replication.encryption or self.cross_region.networking.encryption.in_transit
