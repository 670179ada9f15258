"""``Neo4jRestore``: bring a cluster's graph to a point in time. Accepted, not acted on yet; the status says so."""

from __future__ import annotations

from typing import Literal

from pydantic import ConfigDict, Field

from neo4j_dr_operator.api.base import AskedInstant, Instant, SpecModel, StatusModel, immutable
from neo4j_dr_operator.api.conditions import Conditions
from neo4j_dr_operator.api.formats import Name
from neo4j_dr_operator.api.storage import S3Location


class RestoreSource(SpecModel):
    """What to restore from."""

    type: Literal["transaction-logs"] = Field(description="Kind of source: transaction-logs, as shipped by a recovery.")
    location: S3Location = Field(description="Where the source lies.")


class RestoreOptions(SpecModel):
    """How to restore."""

    validate_consistency: bool = Field(default=True, description="Compare the graph with its source afterwards.")
    skip_indexes: bool = Field(default=False, description="Leave indexes out; constraints are always restored.")


class RestoreSpec(SpecModel):
    """A restore, which runs once: none of it can be changed."""

    model_config = ConfigDict(json_schema_extra=immutable("spec of a restore"))

    cluster_ref: Name = Field(description="Neo4jEnterpriseCluster to restore into, in the same namespace.")
    source: RestoreSource = Field(description="What to restore from.")
    point_in_time: AskedInstant = Field(description="Restore every transaction committed up to this time (RFC 3339).")
    options: RestoreOptions = Field(default_factory=RestoreOptions, description="How to restore.")


class RestoreCounts(StatusModel):
    """What a restore has brought back."""

    transactions: int | None = Field(default=None, description="Transactions replayed.")
    nodes: int | None = Field(default=None, description="Nodes in the restored graph.")
    relationships: int | None = Field(default=None, description="Relationships in the restored graph.")


class RestoreStatus(StatusModel):
    """Observed state of a restore."""

    phase: str | None = Field(default=None, description="One word for where the restore is, such as Pending.")
    restored_to: Instant | None = Field(default=None, description="Commit time of the last transaction restored.")
    counts: RestoreCounts | None = Field(default=None, description="What has been brought back.")
    not_yet_supported: list[str] = Field(
        default_factory=list, description="Fields of the spec that this version does not act on."
    )
    message: str | None = Field(default=None, description="What is happening, for people.")
    observed_generation: int | None = Field(default=None, description="metadata.generation that this status speaks of.")
    conditions: Conditions = Field(default_factory=list, description="Complete and Failed.")
