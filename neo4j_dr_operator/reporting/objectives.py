"""Conditions about what is asked for beside replication itself: the RPO, the archive, backups. Pure.

Their messages hold no number that moves while nothing happens: a status at rest is not written again. The numbers are
in ``status`` and in the metrics.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from neo4j_dr_operator.api.support import Support
from neo4j_dr_operator.failover import drains
from neo4j_dr_operator.failover.clocks import age
from neo4j_dr_operator.failover.state import ControlState, Site
from neo4j_dr_operator.failover.view import ShippingView
from neo4j_dr_operator.graph.retention import Headroom, headroom
from neo4j_dr_operator.reporting.claim import Claim

BEHIND_INTERVALS = 3
"""An archive whose age exceeds so many shipping intervals (and `BEHIND_LEAST`) is behind."""
BEHIND_LEAST = 30.0


@dataclass(frozen=True)
class Objectives:
    """What a spec asks for beside replication, and what is seen of it. Times in seconds.

    ``lag``: age of what the standby holds, None while unknown; ``ship_every``: the shipping interval, None without log
    shipping; ``archive``: where it goes, for people; ``ship_problem``: why no shipper can be started, as reason and
    sentence; ``backups``: the condition of snapshots; ``now``: wall time.
    """

    support: Support = field(default_factory=Support)
    rpo: float | None = None
    lag: float | None = None
    ship_every: float | None = None
    archive: str = ""
    shipping: ShippingView | None = None
    ship_problem: tuple[str, str] | None = None
    backups: Claim | None = None
    archives: Claim | None = None
    now: float = 0.0

    @property
    def archive_age(self) -> float | None:
        """Age in seconds of the moment up to which everything is archived; None while unknown."""
        if self.shipping is None or self.shipping.up_to is None:
            return None
        return age(self.shipping.up_to, self.now)

    @property
    def headroom(self) -> Headroom | None:
        """How long the log of the active site still holds what is not archived yet; None while unknown."""
        return self._held(self.archive_age)

    @property
    def link_headroom(self) -> Headroom | None:
        """The same for what the standby has not read yet; the shipper is who looks at the log."""
        return self._held(self.lag)

    def _held(self, behind: float | None) -> Headroom | None:
        if self.shipping is None or behind is None:
            return None
        return headroom(self.shipping.retention, self.now - behind, self.now)


@dataclass(frozen=True)
class ShipPlan:
    """Whose transactions are shipped, under which epoch, and from where on (None: where the last epoch ended)."""

    site: Site
    epoch: int
    start: str | None


def ship_plan(state: ControlState) -> ShipPlan | None:
    """The active site at its epoch, from the barrier of its promotion on; None until that is known.

    None, too, while the archive of a site that is being left is drained.
    """
    if state.epoch == 0 or (state.standby == "returning" and state.barrier is None):
        return None
    if state.operation is not None and drains.closing(state.operation):
        return None
    return ShipPlan(state.active, state.epoch, state.barrier)


def within_rpo(state: ControlState, objectives: Objectives) -> Claim:
    """Whether the standby lags no more than the recovery point objective allows."""
    kind, rpo, lag = "WithinRPO", objectives.rpo, objectives.lag
    if rpo is None:
        return Claim(kind, None, "NotConfigured", "spec.failover.rpo is not set")
    if state.epoch == 0:
        return Claim(kind, None, "Pending", "nothing has been adopted yet")
    if rpo == 0:
        return Claim(kind, False, "NotYetSupported", "an RPO of zero needs synchronous replication")
    if state.standby != "following":
        return Claim(kind, False, "NotFollowing", f"{state.standby_site} does not follow {state.active}")
    if lag is None:
        return Claim(kind, None, "LagUnknown", "the lag cannot be told at the moment")
    if lag <= rpo:
        return Claim(kind, True, "WithinRPO", f"{state.standby_site} lags by less than the {rpo:g} s allowed")
    return Claim(kind, False, "LagAboveRPO", f"{state.standby_site} lags by more than the {rpo:g} s allowed")


def _running_out(shipping: ShippingView) -> str:
    """No number in it that moves: the status has them."""
    kept = f" (it keeps {shipping.retention.policy})" if shipping.retention.policy else ""
    why = f" Nothing is shipped: {shipping.message}" if shipping.message else ""
    return (
        f"the transaction log of {shipping.site}{kept} will soon not hold what is not archived yet: a gap is near.{why}"
    )


def _unmeasured(shipping: ShippingView) -> str:
    if not shipping.retention.unmeasured:
        return ""
    return (
        f"; how long its transaction log holds what is not archived is not known until it has been pruned once, since "
        f"it keeps {shipping.retention.policy}"
    )


def log_shipping_healthy(state: ControlState, objectives: Objectives) -> Claim:
    """Whether the archive of transactions is being written, as asked."""
    kind, every, shipping = "LogShippingHealthy", objectives.ship_every, objectives.shipping
    if every is None:
        return Claim(kind, None, "NotConfigured", "spec.replication.logShipping.enabled is false")
    if objectives.ship_problem is not None:
        return Claim(kind, False, *objectives.ship_problem)
    if state.epoch == 0:
        return Claim(kind, False, "Pending", "nothing has been adopted yet")
    if state.operation is not None and drains.closing(state.operation):
        return Claim(kind, False, "FailingOver", f"the archive of {state.active} is drained before it is left")
    if shipping is None:
        return Claim(kind, False, "Starting", f"the shipper of {state.active} is being started")
    if (left := objectives.headroom) is not None and left.short:
        return Claim(kind, False, "RetentionRunningOut", _running_out(shipping))
    if shipping.reason is not None:
        return Claim(kind, False, shipping.reason, shipping.message)
    if shipping.state != "shipping":
        return Claim(kind, False, shipping.state.title().replace("-", ""), f"the shipper is {shipping.state}")
    age = objectives.archive_age
    if age is not None and age > max(BEHIND_LEAST, BEHIND_INTERVALS * every):
        return Claim(kind, False, "Behind", f"the archive is older than {BEHIND_INTERVALS} shipping intervals")
    return Claim(kind, True, "Shipping", f"{shipping.site} to {objectives.archive}{_unmeasured(shipping)}")
