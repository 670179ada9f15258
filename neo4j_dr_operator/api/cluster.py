"""``Neo4jEnterpriseCluster``: one Neo4j cluster, which the operator runs or, with ``external``, only speaks to."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import ConfigDict, Field

from neo4j_dr_operator.api.base import (
    UNIQUE,
    Checks,
    Form,
    Rule,
    SpecModel,
    StatusModel,
    constant,
    map_by,
    rule,
    rules,
)
from neo4j_dr_operator.api.conditions import Conditions
from neo4j_dr_operator.api.formats import BoltUri, HostPort, Name, Quantity, Region, SecretName

ClusterRole = Literal["primary", "secondary"]

_RUN_BY_OPERATOR = "Used when the operator runs the cluster itself; not acted on for external clusters."


class Image(SpecModel):
    """Container image of the database."""

    repo: Annotated[
        str,
        Field(min_length=1, max_length=255),
        Form(
            r"^[a-z0-9][a-z0-9.-]*(:[0-9]{1,5}/[a-z0-9]+)?([a-z0-9._-]*[a-z0-9])?(/[a-z0-9]([a-z0-9._-]*[a-z0-9])?)*$",
            "must be a repository without its tag, such as neo4j or registry.example.com:5000/team/neo4j",
        ),
    ] = Field(description="Repository, such as neo4j.")
    tag: Annotated[
        str,
        Field(min_length=1, max_length=128),
        Form(r"^[A-Za-z0-9_][A-Za-z0-9_.-]*$", "must be letters, digits, _, . and -, such as 5.26-enterprise"),
    ] = Field(description="Tag, such as 5.26-enterprise.")


class Topology(SpecModel):
    """Number of servers by their part in the cluster."""

    primaries: Annotated[int, Field(ge=1, le=99)] = Field(description="Servers that vote on writes.")
    secondaries: Annotated[int, Field(ge=0, le=99)] = Field(
        default=0, description="Servers that only serve reads; 0 by default."
    )


class Storage(SpecModel):
    """Volume of each server. Neither can a volume shrink nor move to another class."""

    model_config = ConfigDict(
        json_schema_extra=rules(
            rule(
                "!isQuantity(self.size) || !isQuantity(oldSelf.size) || "
                "quantity(self.size).compareTo(quantity(oldSelf.size)) >= 0",
                "cannot shrink",
                field=".size",
            ),
            rule(
                "has(self.className) == has(oldSelf.className)",
                "cannot be given or taken away later",
                field=".className",
            ),
        )
    )

    class_name: Annotated[SecretName, Checks(constant("class of a volume"))] | None = Field(
        default=None, description="StorageClass; by default the cluster's default."
    )
    size: Quantity = Field(description="Size of one volume as a Kubernetes quantity, such as 500Gi.")


class ResourceList(SpecModel):
    """Amounts of computing resources."""

    cpu: Quantity | None = Field(default=None, description="Cores, such as 500m.")
    memory: Quantity | None = Field(default=None, description="Memory, such as 2Gi.")


def _within(amount: str) -> Rule:
    """What is reserved may not be more than the limit."""
    both = f"has(self.requests) && has(self.requests.{amount}) && has(self.limits) && has(self.limits.{amount})"
    low, high = f"self.requests.{amount}", f"self.limits.{amount}"
    return rule(
        f"!({both} && isQuantity({low}) && isQuantity({high})) || quantity({low}).compareTo(quantity({high})) <= 0",
        f"must not be more than limits.{amount}",
        field=f".requests.{amount}",
    )


class Resources(SpecModel):
    """Computing resources of each server."""

    model_config = ConfigDict(json_schema_extra=rules(_within("cpu"), _within("memory")))

    requests: ResourceList | None = Field(default=None, description="What is reserved.")
    limits: ResourceList | None = Field(default=None, description="What may be used at most.")


class External(SpecModel):
    """Where to reach a cluster that the operator does not run. No pods are made for it."""

    model_config = ConfigDict(
        json_schema_extra=rules(
            rule(
                "!has(self.caSecret) || self.uri.contains('+s://')",
                "is for TLS: write uri as bolt+s:// or neo4j+s://, or leave caSecret out",
                field=".caSecret",
            )
        )
    )

    uri: BoltUri = Field(description="Address: bolt://, bolt+s://, neo4j:// or neo4j+s://, host and port, no more.")
    replication_uri: BoltUri | None = Field(
        default=None, description="Address that replication links use where it differs from uri."
    )
    ca_secret: SecretName | None = Field(
        default=None, description="Secret whose key ca.crt holds the private CA (PEM) that signed the server's key."
    )


class AccessRole(SpecModel):
    """A role of people who work with the cluster through the Kubernetes API."""

    name: Name = Field(description="Name of the role.")
    permissions: Annotated[
        list[
            Annotated[
                str,
                Field(min_length=1, max_length=128),
                Form(
                    r"^[a-z]([a-z-]*[a-z])?:([a-z]([a-z-]*[a-z])?|[*])$",
                    "must be SUBJECT:ACTION or SUBJECT:*, such as cluster:failover",
                ),
            ]
        ],
        Field(min_length=1, max_length=64, json_schema_extra=UNIQUE),
    ] = Field(description="What it may do, as subject:action, such as cluster:failover or disaster-recovery:*.")


class Rbac(SpecModel):
    """Roles of people."""

    model_config = ConfigDict(
        json_schema_extra=rules(
            rule("!self.enabled || self.roles.size() > 0", "enabled: true needs at least one of roles")
        )
    )

    enabled: bool = Field(default=False, description="Make the roles below.")
    roles: Annotated[list[AccessRole], Field(max_length=32, json_schema_extra=map_by("name"))] = Field(
        default_factory=list, description="The roles."
    )


class Auth(SpecModel):
    """How the operator signs in, and who may do what."""

    admin_secret: SecretName = Field(
        description="Secret with the keys username and password, or NEO4J_AUTH as user/password."
    )
    rbac: Rbac = Field(default_factory=Rbac, description="Roles of people.")


class ClusterDisasterRecovery(SpecModel):
    """The cluster's place in disaster recovery."""

    enabled: bool = Field(default=False, description="Whether the cluster takes part in disaster recovery.")
    role: ClusterRole | None = Field(
        default=None, description="Role to begin with. From the first epoch on status.role says who is primary."
    )
    region: Region | None = Field(default=None, description="Region the cluster runs in.")
    primary_endpoint: HostPort | None = Field(
        default=None, description="Address of the primary as this cluster reaches it: host and port, 7687 by default."
    )


class ClusterSpec(SpecModel):
    """Desired state of a cluster."""

    edition: Literal["enterprise", "community"] | None = Field(
        default=None, description=f"Edition of Neo4j. {_RUN_BY_OPERATOR}"
    )
    image: Image | None = Field(default=None, description=f"Container image. {_RUN_BY_OPERATOR}")
    topology: Topology | None = Field(default=None, description=f"Servers of the cluster. {_RUN_BY_OPERATOR}")
    storage: Storage | None = Field(default=None, description=f"Volumes of the servers. {_RUN_BY_OPERATOR}")
    resources: Resources | None = Field(default=None, description=f"Computing resources. {_RUN_BY_OPERATOR}")
    external: External | None = Field(
        default=None, description="Set for a cluster that the operator does not run: where to reach it."
    )
    auth: Auth = Field(description="Credentials of an administrator of the database.")
    read_only: bool | None = Field(
        default=None,
        description="True makes the database refuse writes of clients, never those of replication; false or nothing "
        "opens it where the cluster is primary. A promotion that is newer ends it.",
    )
    disaster_recovery: ClusterDisasterRecovery = Field(
        default_factory=ClusterDisasterRecovery, description="The cluster's place in disaster recovery."
    )


class ClusterStatus(StatusModel):
    """Observed state of a cluster."""

    role: ClusterRole | None = Field(default=None, description="Role at this epoch.")
    phase: str | None = Field(default=None, description="One word for where the cluster is, such as Pending or Ready.")
    address: str | None = Field(default=None, description="Address the operator uses.")
    epoch: int | None = Field(default=None, description="Newest epoch seen; it only grows.")
    recovery: Name | None = Field(default=None, description="Disaster recovery resource this cluster belongs to.")
    not_yet_supported: list[str] = Field(
        default_factory=list, description="Fields of the spec that this version does not act on."
    )
    message: str | None = Field(default=None, description="What is happening, for people.")
    observed_generation: int | None = Field(default=None, description="metadata.generation that this status speaks of.")
    conditions: Conditions = Field(
        default_factory=list, description="Ready: reachable with its credentials. ReadOnly: seen to refuse writes."
    )
