"""Status of ``Neo4jDisasterRecovery``: projections for people and programs, and the machine's own state.

Numbers have no bounds here: a clock that was set back must not get a whole status, epoch included, refused.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import ConfigDict, Field
from pydantic.alias_generators import to_camel

from neo4j_dr_operator.api.base import Instant, Site, StatusModel, map_by
from neo4j_dr_operator.api.conditions import Conditions

Verdict = Literal["UP", "DOWN", "DEGRADED", "UNKNOWN"]
FailoverKind = Literal["switchover", "failover", "emergency"]
Direction = Literal["forward", "reverse"]
FailoverResult = Literal["Completed", "RolledBack", "Refused", "Cancelled"]

CONDITION_TYPES = (
    "Ready",
    "ReplicationHealthy",
    "ReplicationSynced",
    "SyncComplete",
    "LogShippingHealthy",
    "BackupHealthy",
    "ArchiveHealthy",
    "FailoverReady",
    "WithinRPO",
    "PrimaryAvailable",
    "StandbyAvailable",
    "SplitBrain",
)
"""Every condition of a disaster recovery resource."""

_BY_SITE = map_by("site")


class SeedProgress(StatusModel):
    """How far the filling of a standby is. The ends are internal ids of the source: close to, not equal to, counts."""

    nodes: int = Field(default=0, description="Nodes scanned so far.")
    nodes_end: int = Field(default=0, description="Where the scan of nodes ends.")
    rels: int = Field(default=0, description="Relationships scanned so far.")
    rels_end: int = Field(default=0, description="Where the scan of relationships ends.")
    phase: str | None = Field(
        default=None, description="sweeping (only when filled anew), nodes, relationships, catching-up."
    )
    percent: int | None = Field(default=None, description="Share of the ids dealt with; 99 at most until it is exact.")
    rate: int | None = Field(default=None, description="Ids a second, over the last seconds.")
    estimated_seconds_left: int | None = Field(
        default=None, description="Seconds that the scan may still take; catching up with the stream comes on top."
    )
    elapsed_seconds: int | None = Field(default=None, description="Seconds since the worker that fills it was started.")


class LinkError(StatusModel):
    """The last thing that went wrong on a link, also when it is over."""

    reason: str = Field(description="One word; docs/troubleshooting.md says what to do.")
    message: str = Field(default="", description="The same, for people.")
    at: Instant = Field(description="When it began.")


class LinkFigures(StatusModel):
    """How far behind, how fast, and what went wrong last."""

    lag_transactions: int | None = Field(
        default=None,
        description="Transactions of its source that the standby does not hold yet, heartbeats included; unset while "
        "the source cannot be asked.",
    )
    changes_per_second: float | None = Field(
        default=None, description="Changes of elements applied a second, over the last ten seconds."
    )
    bytes_per_second: int | None = Field(
        default=None, description="Bytes read from the source a second, over the last ten seconds, TLS not counted."
    )
    last_error: LinkError | None = Field(default=None, description="What went wrong last, and when that began.")


class SiteReplication(LinkFigures):
    """Replication towards one site."""

    site: Site = Field(description="The standby site.")
    cluster: str | None = Field(default=None, description="Cluster of that site.")
    state: str | None = Field(default=None, description="State of the link, such as seeding, catching-up, streaming.")
    lag_seconds: float | None = Field(
        default=None, description="Age of the newest change of the primary that the standby holds, in seconds."
    )
    position: str | None = Field(default=None, description="Change identifier applied last.")
    retention_seconds_left: int | None = Field(
        default=None,
        description="Seconds until the primary's transaction log drops what is not applied yet, if nothing more is; "
        "unset while unknown. Looked at by the log shipper.",
    )
    seed: SeedProgress | None = Field(default=None, description="Progress of the first copy, while it runs.")
    message: str | None = Field(default=None, description="What keeps the link from working, for people.")


class SiteEndpoint(StatusModel):
    """Where one site is reached."""

    site: Site = Field(description="The site.")
    cluster: str | None = Field(default=None, description="Cluster of that site.")
    address: str | None = Field(default=None, description="Address in use: scheme, host and port.")
    source: str | None = Field(default=None, description="Field that the address comes from, or Service.")
    encrypted: bool | None = Field(default=None, description="Whether the connection is under TLS.")


class ShippingStatus(StatusModel):
    """The archive of transactions as it grows."""

    state: str | None = Field(default=None, description="State of the shipper, such as shipping.")
    site: Site | None = Field(default=None, description="Site whose transactions are shipped.")
    epoch: int | None = Field(default=None, description="Epoch that segments are written under.")
    segment: int | None = Field(default=None, description="Number of the last segment in this epoch.")
    position: str | None = Field(default=None, description="Change identifier at its end.")
    shipped_at: Instant | None = Field(default=None, description="When it was stored.")
    age_seconds: float | None = Field(
        default=None, description="Age of the newest moment up to which everything is archived, in seconds."
    )
    backlog_transactions: int | None = Field(default=None, description="Transactions not archived yet.")
    retention_policy: str | None = Field(
        default=None, description="db.tx_log.rotation.retention_policy of the active site."
    )
    retention_seconds_left: int | None = Field(
        default=None,
        description="Seconds until the transaction log drops what is not archived yet, if nothing more is; unset while "
        "unknown: the policy says no age, and the log was not seen to be pruned.",
    )
    gap: int | None = Field(
        default=None,
        description="Number of the last segment in this epoch that begins behind transactions which are in no archive.",
    )
    message: str | None = Field(default=None, description="What keeps the shipper from working, for people.")


class RecoveryGap(StatusModel):
    """A span of time that cannot be restored to."""

    # ``from_time`` is ``from`` outside, which is a keyword here; ``to_time`` goes with it.
    model_config = ConfigDict(alias_generator=lambda name: to_camel(name.removesuffix("_time")))

    from_time: Instant | None = Field(default=None, description="Last moment before it.")
    to_time: Instant | None = Field(default=None, description="First moment after it.")
    reason: str | None = Field(default=None, description="Why it is there.")


class RecoveryFinding(StatusModel):
    """Something that is wrong with an object of an archive, or that will delete it."""

    kind: str = Field(
        description="Missing, Truncated, Altered, Unreadable, Expiring (a rule of the bucket deletes it), or Foreign "
        "(it is none of ours, and harms nothing)."
    )
    location: str | None = Field(default=None, description="Archive that it is found in.")
    name: str | None = Field(default=None, description="The object's key below the location's path.")
    message: str | None = Field(default=None, description="What was seen, for people.")
    found_at: Instant | None = Field(default=None, description="When it was first seen.")
    contained: bool | None = Field(
        default=None, description="Whether what was committed since the newest whole snapshot does without it."
    )


class RecoveryVerify(StatusModel):
    """What became of a kubectl neo4j-dr archive verify."""

    request: str = Field(description="Value of the annotation neo4j.neo4j.com/archive-verify-requested-at.")
    state: str = Field(description="Running, Completed or Failed.")
    percent: int | None = Field(default=None, description="Share of the objects to read that have been read.")
    completed_at: Instant | None = Field(default=None, description="When it was done.")
    message: str | None = Field(default=None, description="Why it could not be done, or found nothing, for people.")


class RecoveryWindow(StatusModel):
    """The points in time that can be restored to, kept true by reading the archive again and again."""

    location: str | None = Field(default=None, description="Archive that the window is of.")
    earliest: Instant | None = Field(default=None, description="The first one.")
    latest: Instant | None = Field(
        default=None, description="The last one; at rest it is written at every tenth minute only."
    )
    gaps: list[RecoveryGap] = Field(default_factory=list, description="Spans between them that cannot.")
    checked_at: Instant | None = Field(default=None, description="When the archive was last looked at.")
    oldest_unchecked_at: Instant | None = Field(
        default=None, description="Since when the object that was not read for longest has not been."
    )
    objects: int | None = Field(default=None, description="Segments, manifests, chunks and amendments.")
    bytes: int | None = Field(default=None, description="What those take that were read.")
    findings: list[RecoveryFinding] = Field(default_factory=list, description="What is wrong, the worst first.")
    findings_total: int | None = Field(default=None, description="How many there are; not all of them are named.")
    lifecycle_rules: str | None = Field(
        default=None,
        description="Read, or Unknown where a store does not tell which rules of its bucket delete objects.",
    )
    verify: RecoveryVerify | None = Field(default=None, description="The check that was asked for last.")


class RunningBackup(StatusModel):
    """The snapshot that is being taken."""

    kind: str | None = Field(
        default=None,
        description="base: what the log archive starts from; scheduled; requested: by kubectl neo4j-dr backup now.",
    )
    why: str | None = Field(default=None, description="Why a base is taken.")
    started_at: Instant | None = Field(default=None, description="When it began.")
    state: str | None = Field(default=None, description="attaching, scanning, catching-up or pruning.")
    percent: int | None = Field(default=None, description="Share of the ids that have been read.")
    estimated_seconds_left: int | None = Field(default=None, description="Seconds that the reading may still take.")
    bytes: int | None = Field(default=None, description="Bytes that were put so far.")
    bytes_deduplicated: int | None = Field(
        default=None, description="Bytes that were there already and were not put again, before compression."
    )
    message: str | None = Field(default=None, description="What it waits for, for people.")


class BackupRequest(StatusModel):
    """What became of a kubectl neo4j-dr backup now."""

    request: str = Field(description="Value of the annotation neo4j.neo4j.com/backup-requested-at.")
    state: str = Field(description="Running, Completed, Failed or Refused.")
    at: Instant | None = Field(default=None, description="Since when.")
    snapshot: str | None = Field(default=None, description="The snapshot that came of it.")
    message: str | None = Field(default=None, description="Why it was refused or failed, for people.")


class BackupStatus(StatusModel):
    """Snapshots taken."""

    destination: str | None = Field(default=None, description="Where snapshots go.")
    last_snapshot: str | None = Field(
        default=None, description="Name of the newest one that this resource has taken, below the path of destination."
    )
    last_completed_at: Instant | None = Field(default=None, description="When it was complete.")
    last_duration_seconds: float | None = Field(default=None, description="How long it took, in seconds.")
    last_bytes: int | None = Field(default=None, description="Bytes that were put for it.")
    last_bytes_deduplicated: int | None = Field(
        default=None, description="Bytes that were there already and were not put again, before compression."
    )
    next_at: Instant | None = Field(default=None, description="When the next one is due.")
    snapshots: int | None = Field(default=None, description="Snapshots that are there.")
    running: RunningBackup | None = Field(default=None, description="The one that is being taken.")
    requests: list[BackupRequest] = Field(
        default_factory=list, description="The last ones asked for by hand, newest first."
    )
    message: str | None = Field(default=None, description="What keeps backups from working, for people.")


class KnownSecondary(LinkFigures):
    """One of several standbys: what later items of its name inherit, and where it stands."""

    name: str = Field(description="Name of the standby.")
    cluster_ref: str | None = Field(default=None, description="Its cluster.")
    region: str | None = Field(default=None, description="Its region.")
    priority: int | None = Field(default=None, description="Its priority.")
    site: Site | None = Field(
        default=None, description="secondary for the one that takes over; nothing for the others, which only follow."
    )
    source: str | None = Field(default=None, description="Whom it follows: primary, secondary, or another standby.")
    state: str | None = Field(
        default=None, description="State of its link, such as seeding or streaming; active, waiting or refused."
    )
    lag_seconds: float | None = Field(
        default=None, description="Age of the newest change of the active site that it holds, in seconds."
    )
    position: str | None = Field(default=None, description="Change identifier of its source applied last.")
    seed: SeedProgress | None = Field(default=None, description="Progress of the first copy, while it runs.")
    failover_ready: bool | None = Field(
        default=None,
        description="Whether its copy is exact, near enough (failover.rpo) and fed, so that it could take over. Only "
        "the one with site: secondary does so.",
    )
    reason: str | None = Field(default=None, description="Why it is ready or not, in one word.")
    message: str | None = Field(default=None, description="The same, for people.")


class SiteHealth(StatusModel):
    """What the probes say of one site."""

    site: Site = Field(description="The site.")
    verdict: Verdict = Field(default="UNKNOWN", description="UP, DOWN, DEGRADED or UNKNOWN; only DOWN promotes.")
    evidence: str | None = Field(default=None, description="What the verdict rests on.")
    since: Instant | None = Field(default=None, description="When the verdict last changed.")
    address: str | None = Field(default=None, description="Address that is probed.")


class FailoverStep(StatusModel):
    """One step of a failover."""

    name: str = Field(description="Name of the step, such as Fencing.")
    at: Instant = Field(description="When it began.")


class FailoverRecord(StatusModel):
    """One switchover or failover: what was asked, what was done, what it cost."""

    # ``from_site`` is ``from`` outside, which is a keyword here; ``to_site`` goes with it.
    model_config = ConfigDict(alias_generator=lambda name: to_camel(name.removesuffix("_site")))

    epoch: int = Field(description="Epoch that it made, or was to make.")
    kind: FailoverKind = Field(description="switchover: planned; failover: automatic; emergency: by order.")
    from_site: Site | None = Field(default=None, description="Site that was active before.")
    to_site: Site | None = Field(default=None, description="Site that was to be active.")
    result: FailoverResult | None = Field(default=None, description="How it ended; unset while it runs.")
    reason: str | None = Field(default=None, description="Why it began, or why it ended as it did.")
    started_at: Instant | None = Field(default=None, description="When it began.")
    completed_at: Instant | None = Field(default=None, description="When it ended.")
    duration_seconds: float | None = Field(default=None, description="Time from beginning to end, in seconds.")
    within_rto: bool | None = Field(
        default=None,
        alias="withinRTO",
        description="Whether it took no longer than failover.rto; unset without one, and for what was not completed.",
    )
    steps: list[FailoverStep] = Field(default_factory=list, description="Steps in order, each with its beginning.")
    fenced_by: str | None = Field(default=None, description="What kept the old primary from writing, such as time.")
    applied_position: str | None = Field(default=None, description="Change identifier applied last before promotion.")
    drained_from_archive: int | None = Field(
        default=None,
        description="Transactions that the standby lacked and took from the archive before it was promoted; unset "
        "where the archive was not asked: without log shipping, and where the old primary could be read to its end.",
    )
    drain_problem: str | None = Field(default=None, description="Why no more was taken from the archive.")
    lost_transactions: int | None = Field(
        default=None, description="Transactions lost; unset until the old primary has been seen again."
    )
    lost_seconds: float | None = Field(
        default=None, description="Span of commit times lost, in seconds; unset until known."
    )
    evidence: list[str] = Field(default_factory=list, description="What the decision rested on.")


class HandledRequest(StatusModel):
    """The request carried out last; the same one, left over or applied again, counts no second time."""

    target: Site | None = Field(default=None, description="failover.target of the request.")
    emergency: bool | None = Field(default=None, description="failover.emergency of the request.")
    epoch: int | None = Field(default=None, description="Epoch that resulted.")
    result: FailoverResult | None = Field(default=None, description="How it ended.")
    at: Instant | None = Field(default=None, description="When it was carried out.")


class RememberedRequests(StatusModel):
    """Values of the spec that count no more: carried out, or there when the resource was first seen."""

    target: Site | None = Field(default=None, description="failover.target, while it stands in the spec.")
    target_declared: Site | None = Field(
        default=None, description="failover.target as applied last; unset while something else wrote the present one."
    )
    emergency: bool | None = Field(default=None, description="Whether failover.emergency stood beside target.")
    direction: Direction | None = Field(default=None, description="sync.direction, while it stands in the spec.")
    direction_declared: Direction | None = Field(
        default=None, description="sync.direction as applied last; unset while something else wrote the present one."
    )


class FailoverStatus(StatusModel):
    """Requests and what became of them."""

    remembered: RememberedRequests | None = Field(
        default=None, description="Values of the spec that are no new requests."
    )
    last_handled: HandledRequest | None = Field(default=None, description="The request carried out last.")
    history: list[FailoverRecord] = Field(
        default_factory=list, description="Switchovers and failovers in order, newest last; the oldest are dropped."
    )


class DisasterRecoveryStatus(StatusModel):
    """Observed state of a disaster recovery."""

    phase: str | None = Field(
        default=None, description="One word for where it is, such as Seeding, Replicating, FailingOver."
    )
    active_cluster: str | None = Field(default=None, description="Cluster that may be written to.")
    active_region: str | None = Field(default=None, description="Region of that cluster.")
    active_site: Site | None = Field(default=None, description="Site of that cluster.")
    epoch: int | None = Field(default=None, description="Number of the present right to write; it only grows.")
    message: str | None = Field(default=None, description="What is happening, for people.")
    observed_generation: int | None = Field(default=None, description="metadata.generation that this status speaks of.")
    replication: Annotated[list[SiteReplication], Field(json_schema_extra=_BY_SITE)] = Field(
        default_factory=list, description="Replication, one entry for each site that follows."
    )
    health: Annotated[list[SiteHealth], Field(json_schema_extra=_BY_SITE)] = Field(
        default_factory=list, description="What the probes say, one entry a site."
    )
    endpoints: Annotated[list[SiteEndpoint], Field(json_schema_extra=_BY_SITE)] = Field(
        default_factory=list, description="Where the sites are reached, one entry a site."
    )
    shipping: ShippingStatus | None = Field(default=None, description="The archive of transactions.")
    recovery: RecoveryWindow | None = Field(default=None, description="Points in time that can be restored to.")
    backup: BackupStatus | None = Field(default=None, description="Snapshots taken.")
    secondary_clusters: Annotated[list[KnownSecondary], Field(json_schema_extra=map_by("name"))] = Field(
        default_factory=list, description="Standbys of spec.secondaryClusters, with what they inherited."
    )
    not_yet_supported: list[str] = Field(
        default_factory=list, description="Fields of the spec that this version does not act on."
    )
    failover: FailoverStatus = Field(default_factory=FailoverStatus, description="Requests and what became of them.")
    control: dict[str, Any] | None = Field(
        default=None,
        description="Internal: the operator's own state, from which everything else here is derived. Not for other "
        "programs, and not to be edited.",
    )
    conditions: Conditions = Field(default_factory=list, description=f"Conditions: {', '.join(CONDITION_TYPES)}.")
