"""What worker processes are started with: from what the machine wants, the spec, and where the sites are. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from neo4j_dr_operator.api.disaster_recovery import DisasterRecoverySpec
from neo4j_dr_operator.failover.actions import DrainPlan, LinkPlan
from neo4j_dr_operator.failover.state import ControlState, Site, link_name
from neo4j_dr_operator.graph.bolt import Endpoint
from neo4j_dr_operator.objectstore.s3 import S3Address
from neo4j_dr_operator.recovery.site_runtime import SiteRuntime
from neo4j_dr_operator.replication.supervisor import LinkConfig
from neo4j_dr_operator.reporting.objectives import ship_plan
from neo4j_dr_operator.restore.drain_config import DrainConfig
from neo4j_dr_operator.shipping.supervision import ShipConfig
from neo4j_dr_operator.standbys.following import LINK_EPOCH


def link_config(
    plan: LinkPlan | None, spec: DisasterRecoverySpec, sites: Mapping[Site, SiteRuntime]
) -> LinkConfig | None:
    """The link that should run; None where none should, or an address is not known."""
    if plan is None:
        return None
    source, target = sites[plan.source].link_endpoint, sites[plan.target].link_endpoint
    if source is None or target is None:
        return None
    inverse = link_name(plan.target, plan.source) if plan.origin == "handover" else None
    made = LinkConfig(plan.name, plan.epoch, plan.origin, source, target, inverse, plan.barrier, reseed=plan.reseed)
    made = replace(made, supersedes=plan.supersedes)
    return _paced(made, spec)


def follower_config(
    link: str, source: Endpoint | None, target: Endpoint | None, spec: DisasterRecoverySpec, reseed: str | None = None
) -> LinkConfig | None:
    """The link of a follower, which fills its database where that is empty; None while an address is not known.

    `reseed`: the request to fill it anew, if there is one. It is for the copy that is there: where no link stands, the
    data is somebody else's, and nothing is filled for it.
    """
    if source is None or target is None:
        return None
    origin = "seed" if reseed is None else "attach"
    return _paced(LinkConfig(link, LINK_EPOCH, origin, source, target, reseed=reseed), spec)


def _paced(config: LinkConfig, spec: DisasterRecoverySpec) -> LinkConfig:
    """With what `spec.replication` says of every link."""
    replication = spec.replication
    return replace(
        config,
        batch_size=replication.batch_size,
        timeout=replication.timeout.seconds,
        retries=replication.retries,
        interval=replication.interval.seconds,
    )


def ship_config(
    dr: str,
    state: ControlState,
    spec: DisasterRecoverySpec,
    sites: Mapping[Site, SiteRuntime],
    archive: S3Address | None,
    resource: str | None = None,
) -> ShipConfig | None:
    """The shipper that should run into `archive`; None where none should, or the address of its site is not known.

    `resource`: UID of the resource whose archive it is.
    """
    plan = ship_plan(state)
    if plan is None or archive is None:
        return None
    source, shipping = sites[plan.site].link_endpoint, spec.replication.log_shipping
    if source is None:
        return None
    return ShipConfig(
        archive=dr,
        site=plan.site,
        epoch=plan.epoch,
        start=plan.start,
        source=source,
        destination=archive,
        interval=shipping.interval.seconds,
        timeout=spec.replication.timeout.seconds,
        encrypted=shipping.encryption.enabled,
        kms_key=shipping.encryption.kms_key_id,
        resource=resource,
    )


def drain_config(
    dr: str,
    plan: DrainPlan | None,
    spec: DisasterRecoverySpec,
    sites: Mapping[Site, SiteRuntime],
    archive: S3Address | None,
) -> DrainConfig | None:
    """The drain that should run from `archive`; None where none should, or an address is not known."""
    if plan is None or archive is None or (target := sites[plan.target].link_endpoint) is None:
        return None
    replication = spec.replication
    return DrainConfig(
        link=plan.name,
        epoch=plan.epoch,
        archive=dr,
        archive_epoch=plan.archive_epoch,
        source=archive,
        target=target,
        batch_size=replication.batch_size,
        timeout=replication.timeout.seconds,
    )
