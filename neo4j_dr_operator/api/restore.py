"""``Neo4jRestore``: bring a cluster's graph to a point in time, once."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import ConfigDict, Field

from neo4j_dr_operator.api.base import AskedInstant, Form, Instant, SpecModel, StatusModel, constant, rule, rules
from neo4j_dr_operator.api.conditions import Conditions
from neo4j_dr_operator.api.formats import Name
from neo4j_dr_operator.api.storage import S3Location

_LABEL = "[a-z0-9]([-a-z0-9]*[a-z0-9])?"

ArchiveName = Annotated[
    str,
    Field(min_length=3, max_length=127),
    Form(
        f"^{_LABEL}/{_LABEL}$",
        "must be NAMESPACE/NAME of the disaster recovery resource that wrote the archive",
    ),
]
"""An archive among those at one location."""

DatabaseId = Annotated[
    str,
    Field(min_length=36, max_length=36),
    Form(
        "^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$",
        "must be the UUID of a database in lower-case letters, such as 7a1d5c3e-0f2b-4a68-9c11-2f0e6b7d8a90",
    ),
]
"""UUID of a Neo4j database, as in its element ids."""

DatabaseName = Annotated[
    str,
    Field(min_length=3, max_length=63),
    Form("^[A-Za-z][A-Za-z0-9.-]*$", "must be the name of a database: a letter, then letters, digits, dots and dashes"),
]
"""Name of a database in a server."""

ChangeId = Annotated[
    str,
    Field(min_length=1, max_length=256),
    Form("^[A-Za-z0-9_-]+=*$", "must be a change identifier, as the source's change stream or a status gives it"),
]
"""A position in a database's change stream."""


class RestoreSource(SpecModel):
    """What to restore from."""

    type: Literal["transaction-logs", "backup"] = Field(
        description="transaction-logs: the newest snapshot before the point, and every transaction from there to the "
        "point. backup: a snapshot alone, the newest at or before pointInTime, or the newest there is."
    )
    location: S3Location = Field(
        description="Where the archive lies: the destination of spec.replication.logShipping or spec.backup of the "
        "resource that wrote it. Nothing else of that resource is needed."
    )
    archive: ArchiveName | None = Field(
        default=None, description="Which archive at the location, NAMESPACE/NAME; needed where several lie there."
    )
    database: DatabaseId | None = Field(
        default=None, description="UUID of the database that the archive has to be of; any by default."
    )


class RestoreOptions(SpecModel):
    """How to restore."""

    validate_consistency: bool = Field(
        default=True,
        description="Read the restored graph once more before it is said to be complete, and see that it holds every "
        "node and relationship that was restored, and no other. False: only their numbers are compared.",
    )
    skip_indexes: bool = Field(default=False, description="Leave indexes out; constraints are always restored.")
    overwrite: DatabaseName | None = Field(
        default=None,
        description="Name of the target's database, such as neo4j: everything that it holds is deleted first. Not "
        "needed for an empty one, nor for a standby that follows what the archive is of.",
    )
    force: bool = Field(
        default=False, description="True allows a target that is the active cluster of a disaster recovery."
    )


_POINTS = "[has(self.pointInTime), has(self.position), has(self.transaction), self.latest].filter(p, p).size()"


class RestoreSpec(SpecModel):
    """A restore, which runs once: none of it can be changed."""

    model_config = ConfigDict(
        json_schema_extra=rules(
            constant("spec of a restore"),
            rule(
                f"self.source.type != 'transaction-logs' || {_POINTS} == 1",
                "exactly one of pointInTime, position, transaction and latest: true is needed",
            ),
            rule(
                f"self.source.type != 'backup' || ({_POINTS} <= 1 && !has(self.position) && !has(self.transaction))",
                "of source.type: backup, only pointInTime or latest: true can be asked for; position and transaction "
                "need source.type: transaction-logs",
            ),
            rule("!has(self.epoch) || has(self.transaction)", "is for transaction", field=".epoch"),
        )
    )

    cluster_ref: Name = Field(description="Neo4jEnterpriseCluster to restore into, in the same namespace.")
    source: RestoreSource = Field(description="What to restore from.")
    point_in_time: AskedInstant | None = Field(
        default=None, description="Restore every transaction committed up to this time (RFC 3339, with any offset)."
    )
    position: ChangeId | None = Field(
        default=None, description="Restore up to this position of the source's change stream, itself included."
    )
    transaction: Annotated[int, Field(ge=1)] | None = Field(
        default=None, description="Restore up to the transaction of this number in the source, itself included."
    )
    epoch: Annotated[int, Field(ge=1)] | None = Field(
        default=None, description="Epoch in which transaction is counted; the newest that has it by default."
    )
    latest: bool = Field(default=False, description="True restores everything that the archive holds.")
    options: RestoreOptions = Field(default_factory=RestoreOptions, description="How to restore.")


class RestoreCounts(StatusModel):
    """What a restore has brought back."""

    transactions: int | None = Field(default=None, description="Transactions replayed over the snapshot.")
    nodes: int | None = Field(default=None, description="Nodes in the restored graph.")
    relationships: int | None = Field(default=None, description="Relationships in the restored graph.")


class RestoreStatus(StatusModel):
    """Observed state of a restore."""

    phase: str | None = Field(
        default=None,
        description="Pending, Surveying, Emptying, Loading, Replaying, Checking, Indexing, Complete or Failed.",
    )
    percent: int | None = Field(default=None, description="Share of the elements and changes dealt with.")
    rate: int | None = Field(default=None, description="Elements and changes a second, over the last seconds.")
    estimated_seconds_left: int | None = Field(default=None, description="Seconds that it may still take.")
    started_at: Instant | None = Field(default=None, description="When it first began to look at its target.")
    completed_at: Instant | None = Field(default=None, description="When it ended.")
    archive: str | None = Field(default=None, description="Archive it restores from, NAMESPACE/NAME.")
    snapshot: str | None = Field(default=None, description="Snapshot it begins with.")
    schema_as_of: str | None = Field(
        default=None,
        description="As of when its constraints and indexes are: they are looked at every 30 s and with each snapshot.",
    )
    restored_to: Instant | None = Field(default=None, description="Commit time of the last transaction restored.")
    position: str | None = Field(default=None, description="Change identifier of the last transaction restored.")
    transaction: int | None = Field(default=None, description="Number of that transaction in the source.")
    counts: RestoreCounts | None = Field(default=None, description="What has been brought back.")
    check: str | None = Field(default=None, description="What the check has compared and found.")
    remarks: list[str] = Field(
        default_factory=list, description="Constraints and indexes that could not be made as they were, and why."
    )
    resume: str | None = Field(
        default=None,
        description="Line to type when the cluster, a standby, is to follow its primary again: what was restored is "
        "replaced then.",
    )
    message: str | None = Field(default=None, description="What is happening, for people.")
    observed_generation: int | None = Field(default=None, description="metadata.generation that this status speaks of.")
    conditions: Conditions = Field(default_factory=list, description="Complete and Failed.")
