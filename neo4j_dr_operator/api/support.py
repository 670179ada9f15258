"""What this version does not act on, though it can be written down. Pure: from a spec to the names of its fields.

``status.notYetSupported`` lists every such field that a spec sets. Where the field asks for *safety* (durability,
fencing, encryption, access), passing over it in silence would be a lie: then ``Ready`` is False as well.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

from neo4j_dr_operator.api.cluster import ClusterSpec
from neo4j_dr_operator.api.disaster_recovery import DisasterRecoverySpec
from neo4j_dr_operator.api.restore import RestoreSpec

Spec = TypeVar("Spec", DisasterRecoverySpec, ClusterSpec, RestoreSpec)


@dataclass(frozen=True)
class Missing(Generic[Spec]):
    """A field without behaviour: its path, whether a spec asks for something by it, and whether that is safety.

    ``only``: the one value of it that is not acted on, where every other one is.
    """

    path: str
    asked: Callable[[Spec], bool]
    safety: bool = False
    only: str = ""


RECOVERY: tuple[Missing[DisasterRecoverySpec], ...] = (
    Missing(
        "spec.secondaryClusters[].resources",
        lambda s: any(item.resources is not None for item in s.secondary_clusters or ()),
    ),
    Missing(
        "spec.secondaryClusters[].topology",
        lambda s: any(item.topology is not None for item in s.secondary_clusters or ()),
    ),
    Missing(
        "spec.crossRegion.replicationMode",
        lambda s: s.cross_region.replication_mode == "sync",
        safety=True,
        only="sync",
    ),
    Missing("spec.crossRegion.networking.vpcPeering", lambda s: s.cross_region.networking.vpc_peering is not None),
    Missing(
        "spec.crossRegion.networking.encryption.atRest",
        lambda s: s.cross_region.networking.encryption.at_rest,
        safety=True,
    ),
    Missing(
        "spec.crossRegion.networking.networkPolicies",
        lambda s: (policies := s.cross_region.networking.network_policies) is not None and policies.enabled,
        safety=True,
    ),
    Missing("spec.replication.compression", lambda s: s.replication.compression),
    Missing(
        "spec.replication.consistency", lambda s: s.replication.consistency == "strong", safety=True, only="strong"
    ),
    Missing(
        "spec.failover.rpo",
        lambda s: s.failover.rpo is not None and s.failover.rpo.seconds == 0,
        safety=True,
        only="0s",
    ),
    Missing("spec.failover.customChecks", lambda s: bool(s.failover.custom_checks)),
    Missing("spec.failover.quorum.enabled", lambda s: s.failover.quorum.enabled, safety=True),
    Missing("spec.failover.quorum.witnesses", lambda s: s.failover.quorum.witnesses is not None, safety=True),
    Missing(
        "spec.failover.fencing",
        lambda s: s.failover.fencing.enabled or s.failover.fencing.method is not None,
        safety=True,
    ),
    Missing("spec.monitoring.enabled", lambda s: not s.monitoring.enabled),
    Missing("spec.monitoring.prometheus.enabled", lambda s: not s.monitoring.prometheus.enabled),
    Missing("spec.monitoring.prometheus.serviceMonitor", lambda s: s.monitoring.prometheus.service_monitor),
    Missing("spec.monitoring.alerting", lambda s: s.monitoring.alerting.enabled),
    Missing("spec.backup.dedupe", lambda s: s.backup.enabled and not s.backup.dedupe),
)
"""Fields of a disaster recovery."""

CLUSTER: tuple[Missing[ClusterSpec], ...] = (
    Missing("spec.edition", lambda s: s.external is None and s.edition is not None),
    Missing("spec.image", lambda s: s.external is None and s.image is not None),
    Missing("spec.topology", lambda s: s.external is None and s.topology is not None),
    Missing("spec.storage", lambda s: s.external is None and s.storage is not None),
    Missing("spec.resources", lambda s: s.external is None and s.resources is not None),
    Missing("spec.auth.rbac", lambda s: s.auth.rbac.enabled, safety=True),
)
"""Fields of a cluster. What describes pods has no meaning for an external cluster, so it is no gap there."""

RESTORE: tuple[Missing[RestoreSpec], ...] = ()
"""Fields of a restore: all are acted on."""


@dataclass(frozen=True)
class Support:
    """What a spec asks for and does not get: all such fields, and those among them that ask for safety."""

    fields: tuple[str, ...] = ()
    safety: tuple[str, ...] = ()

    @property
    def sentence(self) -> str:
        """What ``Ready=False, reason: NotYetSupported`` says."""
        names = ", ".join(self.safety)
        return f"this version does not give what is asked for by {names}; take it out, or do not rely on it"


def support(spec: Spec, table: tuple[Missing[Spec], ...]) -> Support:
    """Compare a spec with a table; names come in the order of the table."""
    asked = [missing for missing in table if missing.asked(spec)]
    return Support(tuple(missing.path for missing in asked), tuple(missing.path for missing in asked if missing.safety))
