"""``spec.failover``: when and how the right to write moves."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import ConfigDict, Field

from neo4j_dr_operator.api.base import Duration, Interval, Site, SpecModel, map_by, rule, rules
from neo4j_dr_operator.api.formats import NOT_BLANK, Name, Text
from neo4j_dr_operator.api.storage import S3Location


class HealthCheck(SpecModel):
    """How the sites are probed."""

    interval: Interval = Field(default=Interval("30s"), description="Time from the start of one probe to the next.")
    timeout: Interval = Field(default=Interval("10s"), description="Time limit of one probe.")
    consecutive_failures: Annotated[int, Field(ge=1, le=100)] = Field(
        default=3, description="Failed probes in a row that make a site DOWN."
    )


class CustomCheck(SpecModel):
    """A query whose answer says something about the health of a site. It never causes a failover by itself."""

    model_config = ConfigDict(
        json_schema_extra=rules(
            rule("has(self.expectedResult) || has(self.maxLag)", "needs expectedResult or maxLag to compare with")
        )
    )

    name: Name = Field(description="Name of the check.")
    cypher_query: Annotated[str, Field(min_length=1, max_length=8192), NOT_BLANK] = Field(
        description="Query, read-only."
    )
    expected_result: Text | None = Field(default=None, description="The one value it must return, as text.")
    max_lag: Duration | None = Field(default=None, description="The most lag it may return.")
    timeout: Interval = Field(default=Interval("5s"), description="Time limit of the query; 5s by default.")


class Quorum(SpecModel):
    """Who votes, besides the two sites, on which of them may write."""

    enabled: bool = Field(
        default=False,
        description="A majority of the voters must agree that the primary is gone. They are not counted yet: while it "
        "is true nothing is promoted by itself.",
    )
    witnesses: Annotated[int, Field(ge=1, le=9)] | None = Field(
        default=None, description="Voters wanted: the two sites and the witness make 3."
    )
    witness: S3Location | None = Field(
        default=None,
        description="Where the lease on the right to write is kept, by default beside the archive of "
        "replication.logShipping. Best outside both regions. With neither there is no automatic promotion; planned and "
        "emergency failovers need none.",
    )


class Fencing(SpecModel):
    """What must have been seen to keep the old primary from writing before another one is promoted."""

    enabled: bool = Field(
        default=False,
        description="Promote by itself only when the fence has been observed. It is not observed yet: while it is true "
        "nothing is promoted by itself.",
    )
    method: Literal["api"] | None = Field(
        default=None, description="api: through the Kubernetes API of the old primary's region."
    )


class Failover(SpecModel):
    """When and how the right to write moves. target and emergency are requests: each is carried out once."""

    automatic: bool = Field(
        default=False,
        description="Promote the standby when probes, change stream and witness all find the primary dead.",
    )
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
    rpo: Duration | None = Field(
        default=None, description="Recovery point objective: the most lag that WithinRPO=True allows."
    )
    rto: Interval | None = Field(
        default=None,
        description="Recovery time objective: the longest that a failover should take; each record in the history says "
        "whether it did.",
    )
    custom_checks: Annotated[list[CustomCheck], Field(max_length=32, json_schema_extra=map_by("name"))] = Field(
        default_factory=list, description="Queries of your own that say whether a site is well."
    )
    quorum: Quorum = Field(default_factory=Quorum, description="Who votes on which site may write.")
    fencing: Fencing = Field(default_factory=Fencing, description="What keeps the old primary from writing.")
