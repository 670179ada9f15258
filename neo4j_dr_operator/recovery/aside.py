"""One resource's links, stepping aside while a restore holds one of its clusters.

What a round decides follows from `Seen.held` (`failover/restored.py`); here is what happens beside the rounds: a round
that cannot be decided must not keep a link running, and a hold counts as taken only when the links have really ended.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from neo4j_dr_operator.api.disaster_recovery import DisasterRecoverySpec
from neo4j_dr_operator.failover.restored import steps_aside
from neo4j_dr_operator.failover.state import SITES, ControlState, Site
from neo4j_dr_operator.recovery.holds import Holds
from neo4j_dr_operator.replication.supervisor import LinkSupervisor


class Others(Protocol):
    """The links of further standbys: :class:`neo4j_dr_operator.standbys.several.Several`."""

    def stand_aside(self) -> None:
        """End every link with a held cluster at one of its ends."""
        ...

    def stands_aside(self, cluster: str) -> bool:
        """Whether none of them runs into or out of a cluster."""
        ...


class Aside:
    """What a controller asks about holds. `spec` and `state` are those of its last round, None before the first."""

    def __init__(
        self,
        holds: Holds,
        namespace: str,
        links: LinkSupervisor,
        others: Others,
        spec: Callable[[], DisasterRecoverySpec | None],
        state: Callable[[], ControlState | None],
        look: Callable[[], None],
    ) -> None:
        """`look` is called when a hold was taken or released: what a site holds may be another thing since."""
        self._holds, self._namespace, self._links, self._others = holds, namespace, links, others
        self._spec, self._state, self._look = spec, state, look
        self._before: dict[Site, str] = {}

    def held(self) -> dict[Site, str]:
        """The restores that hold a site of the pair, by name."""
        spec = self._spec()
        if spec is None:
            return {}
        found = {site: self._holds.held(self._namespace, spec.cluster_of(site)) for site in SITES}
        return {site: restore for site, restore in found.items() if restore is not None}

    def step(self) -> None:
        """End what a hold forbids, whatever else this round comes to."""
        held = self.held()
        if held != self._before:
            self._before = held
            self._look()
        if held and self._free():
            self._links.want(None)
        self._others.stand_aside()
        self._holds.noticed()

    def stands_aside(self, namespace: str, cluster: str) -> bool:
        """See :class:`neo4j_dr_operator.recovery.holds.Holder`."""
        spec = self._spec()
        if namespace != self._namespace or spec is None:
            return True
        mine = cluster in [spec.cluster_of(site) for site in SITES]
        return (not mine or (self._free() and self._links.stopped)) and self._others.stands_aside(cluster)

    def _free(self) -> bool:
        """Whether no change of the active site needs the link."""
        state = self._state()
        return state is None or steps_aside(state)
