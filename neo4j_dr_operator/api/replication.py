"""``spec.crossRegion`` and ``spec.replication``: where the sites are, how one follows the other, what is archived."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import ConfigDict, Field, model_validator

from neo4j_dr_operator.api.base import UNIQUE, Interval, Site, SpecModel, map_by, rule, rules
from neo4j_dr_operator.api.formats import Cidr, HostPort, Region, VpcId
from neo4j_dr_operator.api.storage import KEY_IN_REGION, S3Location, StoreEncryption


class VpcPeering(SpecModel):
    """The peering that joins the two networks. It is made outside; here it is only written down."""

    model_config = ConfigDict(
        json_schema_extra=rules(
            rule(
                "!self.enabled || (has(self.primaryVpcId) && has(self.secondaryVpcId))",
                "enabled: true needs primaryVpcId and secondaryVpcId",
            ),
            rule(
                "!has(self.primaryVpcId) || !has(self.secondaryVpcId) || self.primaryVpcId != self.secondaryVpcId",
                "must be another VPC than primaryVpcId",
                field=".secondaryVpcId",
            ),
        )
    )

    enabled: bool = Field(default=False, description="Whether the networks are peered.")
    primary_vpc_id: VpcId | None = Field(default=None, description="VPC of the primary site, such as vpc-12345678.")
    secondary_vpc_id: VpcId | None = Field(default=None, description="VPC of the secondary site.")


class Endpoints(SpecModel):
    """Addresses across regions; used where a cluster has no external.uri."""

    model_config = ConfigDict(
        json_schema_extra=rules(
            rule(
                "!has(self.primary) || !has(self.secondary) || self.primary != self.secondary",
                "must be another address than primary",
                field=".secondary",
            )
        )
    )

    primary: HostPort | None = Field(default=None, description="Host and port of primaryClusterRef; 7687 by default.")
    secondary: HostPort | None = Field(
        default=None, description="Host and port of secondaryClusterRef; 7687 by default."
    )

    def of(self, site: Site) -> str | None:
        """The address given for a site."""
        return self.primary if site == "primary" else self.secondary


class NetworkEncryption(SpecModel):
    """Encryption on the wire and on disk."""

    in_transit: bool = Field(default=False, description="TLS on every link, like replication.encryption.")
    at_rest: bool = Field(default=False, description="Encrypted volumes of both clusters.")


class NetworkPolicies(SpecModel):
    """NetworkPolicies of the two clusters."""

    model_config = ConfigDict(
        json_schema_extra=rules(
            rule("!self.enabled || self.allowedCIDRs.size() > 0", "enabled: true needs at least one of allowedCIDRs")
        )
    )

    enabled: bool = Field(default=False, description="Let only the networks below in.")
    allowed_cidrs: Annotated[list[Cidr], Field(max_length=64, alias="allowedCIDRs", json_schema_extra=UNIQUE)] = Field(
        default_factory=list, description="Networks that may reach the clusters, such as 10.0.0.0/8."
    )


class Networking(SpecModel):
    """How the regions reach each other."""

    vpc_peering: VpcPeering | None = Field(default=None, description="The peering that joins the networks.")
    endpoints: Endpoints = Field(default_factory=Endpoints, description="Addresses across regions.")
    encryption: NetworkEncryption = Field(default_factory=NetworkEncryption, description="Encryption of data.")
    network_policies: NetworkPolicies | None = Field(default=None, description="Who may reach the clusters.")


class CrossRegion(SpecModel):
    """Regions of the two sites and how they are kept alike."""

    model_config = ConfigDict(
        json_schema_extra=rules(
            rule(
                "!has(self.primaryRegion) || !has(self.secondaryRegion) || self.primaryRegion != self.secondaryRegion",
                "must be another region than primaryRegion",
                field=".secondaryRegion",
            )
        )
    )

    primary_region: Region | None = Field(
        default=None, description="Region of primaryClusterRef; must be the one its cluster names."
    )
    secondary_region: Region | None = Field(
        default=None, description="Region of secondaryClusterRef; must be the one its cluster names."
    )
    replication_mode: Literal["async", "sync"] = Field(
        default="async", description="async: a commit does not wait for the standby; sync: it does."
    )
    networking: Networking = Field(default_factory=Networking, description="How the regions reach each other.")


class LogShipping(SpecModel):
    """The archive of every transaction, as segments in an object store."""

    model_config = ConfigDict(
        json_schema_extra=rules(
            rule("!self.enabled || has(self.destination)", "is needed with enabled: true", field=".destination"),
            KEY_IN_REGION,
        )
    )

    enabled: bool = Field(default=False, description="Ship the active site's transactions.")
    destination: S3Location | None = Field(default=None, description="Where segments go.")
    interval: Interval = Field(
        default=Interval("1m"), description="A segment is closed at least so often while there is anything to ship."
    )
    audit_period: Interval = Field(
        default=Interval("168h"),
        description="Every object of the archive, and of the backups', is read and checked once in this time; what is "
        "new at once.",
    )
    compression: Literal["gzip"] = Field(default="gzip", description="Compression of segments.")
    encryption: StoreEncryption = Field(default_factory=StoreEncryption, description="Encryption by the store.")


class TopologyEdge(SpecModel):
    """One region and the region it follows."""

    region: Region = Field(description="Region of a secondary.")
    source: Region = Field(description="Region it follows: the primary's, or another secondary's.")


class ReplicationTopology(SpecModel):
    """Which region follows which."""

    model_config = ConfigDict(
        json_schema_extra=rules(
            rule(
                "self.secondaries.all(s, s.source == self.primary || self.secondaries.exists(t, t.region == s.source))",
                "source must be the primary's region or that of another secondary",
                field=".secondaries",
            ),
            rule(
                "self.secondaries.all(s, s.region != self.primary)",
                "the primary's region follows nobody",
                field=".secondaries",
            ),
            rule(
                "self.secondaries.all(s, s.source != s.region && "
                "!self.secondaries.exists(t, t.region == s.source && t.source == s.region))",
                "regions must not follow each other in a circle",
                field=".secondaries",
            ),
        )
    )

    primary: Region = Field(description="Region of the primary.")
    secondaries: Annotated[
        list[TopologyEdge], Field(min_length=1, max_length=16, json_schema_extra=map_by("region"))
    ] = Field(description="Every secondary region with its source.")

    @model_validator(mode="after")
    def _no_circle(self) -> Self:
        """Longer circles, which the API server's rules do not see. Raises ValueError."""
        source = {edge.region: edge.source for edge in self.secondaries}
        for region in source:
            at, steps = region, 0
            while at in source and steps <= len(source):
                at, steps = source[at], steps + 1
            if at in source:
                raise ValueError(f"secondaries: regions must not follow each other in a circle: {region}")
        return self


class Replication(SpecModel):
    """How the standby follows the primary."""

    interval: Interval = Field(
        default=Interval("5m"),
        description="Longest pause between two syncs; never a delay, since the change stream is followed at once.",
    )
    timeout: Interval = Field(
        default=Interval("30s"),
        description="Longest wait for a server of a link: for its next bytes, and for one transaction of usual size.",
    )
    retries: Annotated[int, Field(ge=0, le=100)] = Field(
        default=3,
        description="Failed attempts in a row before the link is reported as unhealthy, but no longer than timeout; it "
        "goes on trying all the same.",
    )
    batch_size: Annotated[int, Field(ge=1, le=100_000)] = Field(
        default=5000, description="Most changes applied in one transaction of the standby, unless one alone is larger."
    )
    compression: bool = Field(
        default=False,
        description="Bolt has no compression, so a link is never compressed and true is listed in "
        "status.notYetSupported. Segments and snapshots are always compressed.",
    )
    encryption: bool = Field(default=False, description="TLS on every link; an address of plain Bolt is refused.")
    consistency: Literal["eventual", "strong"] = Field(
        default="eventual", description="strong: a commit is acknowledged only once the standby has it."
    )
    mode: Literal["direct", "cascading"] = Field(
        default="direct",
        description="direct: every secondary follows the cluster of primaryClusterRef, also while that is standby "
        "itself; cascading: as topology says.",
    )
    topology: ReplicationTopology | None = Field(
        default=None, description="Which region follows which, whoever is active. A source is never exchanged."
    )
    reseed: Literal["automatic", "manual"] = Field(
        default="manual",
        description="Whether a standby that has lost its place in the primary's change stream is filled anew by itself "
        "(automatic), or only when sync.reseed asks for it (manual). A primary that was replaced or restored is never "
        "copied over the standby without a request.",
    )
    log_shipping: LogShipping = Field(default_factory=LogShipping, description="The archive of every transaction.")
