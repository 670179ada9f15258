"""Several standbys of one resource, as its controller handles them: laid out, followed, told of."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

from neo4j_dr_operator.api.disaster_recovery import DisasterRecoverySpec
from neo4j_dr_operator.failover.state import ControlState
from neo4j_dr_operator.reporting.causes import Cause
from neo4j_dr_operator.reporting.figures import remembering
from neo4j_dr_operator.reporting.publish import unattended_status
from neo4j_dr_operator.reporting.statuses import StatusWriter
from neo4j_dr_operator.standbys.follower_status import follower_cluster_status, secondary_items, undecided_items
from neo4j_dr_operator.standbys.followers import Followers, acquainted, essence
from neo4j_dr_operator.standbys.following import Moment
from neo4j_dr_operator.standbys.secondaries import Layout, as_pair, inherit, kept, layout_of


class Several:
    """What `spec.secondaryClusters` asks for. A resource of `secondaryClusterRef` has no followers, and tells none."""

    def __init__(self, followers: Followers, writer: StatusWriter, dr: tuple[str, str]) -> None:
        """`dr`: namespace and name of the resource."""
        self._followers, self._writer = followers, writer
        self._namespace, self._name = dr
        self._layout: Layout | None = None
        self.told: dict[str, Any] = {}
        """What a status says of them while nothing is decided."""

    def pair_of(
        self, spec: DisasterRecoverySpec, state: ControlState | None, regions: Mapping[str, str]
    ) -> DisasterRecoverySpec:
        """The resource as that of its pair; `regions` are those that clusters say of themselves. Raises LayoutRefused.

        While it is refused the layout stays the one before, and what is known of every name is kept.
        """
        if spec.secondary_clusters is None:
            return spec
        stored = self._writer.status.get("secondaryClusters") or []
        entries = inherit(spec.secondary_clusters, stored)
        self.told = {"secondaryClusters": kept(entries, stored)}
        self._layout = layout_of(spec, entries, stored, regions, state.secondary if state is not None else "")
        names = [entry["name"] for entry in entries]
        self.told = {"secondaryClusters": [each for each in kept(entries, stored) if each["name"] in names]}
        return as_pair(spec, self._layout)

    def stand_aside(self) -> None:
        """End every follower's link with a held cluster at one of its ends."""
        self._followers.stand_aside()

    def stands_aside(self, cluster: str) -> bool:
        """Whether no follower's link runs into or out of a cluster."""
        return self._followers.stands_aside(cluster)

    def pinned(self, state: ControlState) -> ControlState:
        """The state in which the standby of the pair stays the one it is, once there is an epoch."""
        if self._layout is None or state.epoch == 0 or state.secondary:
            return state
        return state.model_copy(update={"secondary": self._layout.secondary.name})

    async def follow(self, pair: DisasterRecoverySpec) -> float:
        """Follow what the followers refer to; the monotonic time at which that is due again. Raises KubernetesError."""
        for body, spec in await self._followers.follow(pair, self._layout):
            name, generation = body["metadata"]["name"], int(body["metadata"].get("generation") or 0)
            stored = self._writer.cluster_status(name) or {}
            document = unattended_status(spec, stored, generation, time.time())
            await self._writer.store_cluster(name, {**document, "recovery": None})
        return self._followers.due

    def refers_to(self, cluster: str) -> bool:
        """Whether a standby of that cluster is looked after, also while the spec that would end that is refused."""
        layout = self._layout
        return layout is not None and any(each.standby.cluster == cluster for each in layout.followers)

    def essence(self, at: Moment) -> object:
        """What was found of them, without what changes with every report."""
        return essence(self._followers.look(at))

    def acquainted(self, at: Moment) -> bool:
        """Whether enough has been seen to tell something of each."""
        return acquainted(self._followers.look(at))

    def act(self, at: Moment) -> None:
        """Bring marks and links to where each should stand."""
        self._followers.act(self._followers.look(at), at.state.epoch)

    def status(self, at: Moment, status: Mapping[str, Any]) -> dict[str, Any]:
        """What a resource's `status` says besides that of its pair."""
        if self._layout is None:
            return {}
        items = secondary_items(
            self._layout, self._followers.look(at), at.state, at.seen, status.get("replication") or []
        )
        return {"secondaryClusters": remembering(items, self._writer.status.get("secondaryClusters"), "name")}

    def undecided(self, at: Moment, status: Mapping[str, Any], found: Cause) -> dict[str, Any]:
        """The same while nothing can be decided because of `found`, and the gauges; every known name is kept."""
        self._followers.measure(self._followers.look(at))
        seen = self.status(at, status).get("secondaryClusters") or []
        return {key: undecided_items(items, seen, found) for key, items in self.told.items()}

    async def store_clusters(self, at: Moment) -> bool:
        """Store the statuses of the followers' clusters. False: one was changed meanwhile, so look again."""
        stored_all = True
        for each in self._followers.look(at):
            if each.cluster is None:
                continue
            body, spec = each.cluster
            name, generation = body["metadata"]["name"], int(body["metadata"].get("generation") or 0)
            stored = self._writer.cluster_status(name) or {}
            if each.standing.state == "refused" and stored.get("recovery") not in (None, self._name):
                continue  # it belongs to another resource, which says how it is
            document = follower_cluster_status(each, spec, at.state.epoch, stored, generation, self._name, at.wall)
            uid = body["metadata"].get("uid")
            stored_all = await self._writer.store_cluster(name, document, uid) and stored_all
        return stored_all

    async def close(self) -> None:
        """End every follower. No data is touched (P7)."""
        await self._followers.close()
