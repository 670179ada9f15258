"""Writing statuses: only what changed, only over the version it was made from."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Protocol

from neo4j_dr_operator.api.base import GROUP, VERSION
from neo4j_dr_operator.api.kinds import CLUSTER, DISASTER_RECOVERY
from neo4j_dr_operator.archives import audit_status
from neo4j_dr_operator.archives.backup_status import steady
from neo4j_dr_operator.errors import Conflict, NotFound
from neo4j_dr_operator.failover.actions import Consume
from neo4j_dr_operator.health.verdict import SiteHealth
from neo4j_dr_operator.kube.status import StatusApi, same
from neo4j_dr_operator.reporting import figures

log = logging.getLogger(__name__)

BACKLOG = 1000
"""Transactions that are not shipped yet below which they are taken for none."""
LEFT_STEP = 3600
"""Seconds by which what is left of a log has to change until that is written."""
VOLATILE = ("position", "lagSeconds", "retentionSecondsLeft", "seed", *figures.VOLATILE)
"""Fields of a link in the status that alone never cause a write: they change with every heartbeat."""


class ResourceApi(StatusApi, Protocol):
    """The calls on custom objects: what keeps a status, and what changes the rest."""

    async def patch_json(
        self, group: str, version: str, plural: str, namespace: str, name: str, patch: list[dict[str, Any]]
    ) -> dict[str, Any]:
        """Apply a JSON patch."""
        ...


def without_nulls(value: Any) -> Any:
    """The form in which the API server keeps a merge-patched document: nulls are gone."""
    if isinstance(value, Mapping):
        return {key: without_nulls(item) for key, item in value.items() if item is not None}
    return [without_nulls(item) for item in value] if isinstance(value, list) else value


def changes(stored: Mapping[str, Any], patch: Mapping[str, Any]) -> bool:
    """Whether a merge patch (RFC 7386) would change a stored document. What it does not mention counts for nothing."""
    for key, value in patch.items():
        kept = stored.get(key)
        if value is None:
            if kept is not None:
                return True
        elif isinstance(value, Mapping):
            if not isinstance(kept, Mapping) or changes(kept, value):
                return True
        elif without_nulls(value) != kept:
            return True
    return False


def _steady(status: Mapping[str, Any]) -> dict[str, Any]:
    """A status without its volatile numbers; lag stays in as whole steps of ten seconds, speed by magnitude."""
    made = {**status, "shipping": _steady_shipping(status), "backup": steady(status.get("backup"))}
    made["recovery"] = audit_status.steady(status.get("recovery"))
    for links in ("replication", "secondaryClusters"):
        if links == "replication" or links in status:
            made[links] = [_steady_link(item) for item in status.get(links) or []]
    return made


def _steady_link(item: Mapping[str, Any]) -> dict[str, Any]:
    kept = {key: value for key, value in item.items() if key not in VOLATILE}
    lag = item.get("lagSeconds")
    kept["lag"] = -1 if lag is None else int(lag // 10)
    kept["left"] = _left_steps(item)
    kept["figures"] = figures.steps(item)
    kept["seed"] = figures.filling_steps(item.get("seed"))
    return kept


def _left_steps(item: Mapping[str, Any]) -> int:
    left = item.get("retentionSecondsLeft")
    return -1 if left is None else int(left) // LEFT_STEP


def _steady_shipping(status: Mapping[str, Any]) -> dict[str, Any]:
    """The shipper without what each segment changes; the time of the last one counts in steps of ten minutes.

    So does the age of the archive, which between two segments grows by whatever interval is asked for; while nothing
    can be shipped nothing is at rest, and it counts in steps of ten seconds, as that of a link does.
    """
    shipping = status.get("shipping") or {}
    kept = {key: shipping.get(key) for key in ("state", "site", "epoch", "message", "gap", "retentionPolicy")}
    kept["left"] = _left_steps(shipping)
    age, calm = shipping.get("ageSeconds"), shipping.get("state") == "shipping" and not shipping.get("message")
    kept["age"] = -1 if age is None else int(age // (600 if calm else 10))
    kept["backlog"] = figures.magnitude(shipping.get("backlogTransactions"), BACKLOG)
    return {**kept, "shippedAt": str(shipping.get("shippedAt"))[:15]}


def asked(body: Mapping[str, Any]) -> Any:
    """What a body asks for, and who asked: everything in it but its status and the traces of writing that."""
    meta = body.get("metadata") or {}
    owners = [item for item in meta.get("managedFields") or [] if item.get("subresource") != "status"]
    return body.get("spec"), meta.get("uid"), meta.get("generation"), meta.get("annotations"), owners


@dataclass(frozen=True)
class _Cluster:
    """A cluster as last known."""

    version: str
    uid: str
    status: Mapping[str, Any]
    asked: Any
    pruned: Mapping[str, Any] | None = None


class StatusWriter:
    """The stored documents of one resource and its clusters, as this operator last knew them.

    The resource is the one of the first body: what is read or written later under its name is it, or Gone is raised.
    """

    def __init__(self, api: ResourceApi, namespace: str, name: str) -> None:
        """Nothing known yet."""
        self._api, self._namespace, self._name = api, namespace, name
        self._where = GROUP, VERSION, DISASTER_RECOVERY.plural, namespace, name
        self.body: Mapping[str, Any] = {}
        self.status: Mapping[str, Any] = {}
        self.control: Any = None
        """The machine's state as stored with the last status; `status` may hold what another operator made of it."""
        self._version, self._uid = "", ""
        self._pruned: Mapping[str, Any] | None = None
        """What was stored last, if definitions older than this operator kept only a part of it."""
        self._clusters: dict[str, _Cluster] = {}

    def update(self, body: Mapping[str, Any]) -> bool:
        """Take in the body of an event, unless a newer one is known (versions of one object only grow).

        True when it says something that this operator has not written itself.
        """
        self._uid = self._uid or body["metadata"]["uid"]
        if self._version and int(body["metadata"]["resourceVersion"]) < int(self._version):
            return False
        status = body.get("status") or {}
        news = status != self.status or asked(body) != asked(self.body)
        self.body, self.status, self._version = body, status, body["metadata"]["resourceVersion"]
        self._pruned = None if news else self._pruned
        return news

    def update_cluster(self, name: str, body: Mapping[str, Any] | None) -> bool:
        """Take in the body of a cluster's event (None: it is gone), unless a newer one is known. True as above."""
        if body is None:
            return self._clusters.pop(name, None) is not None
        known, version = self._clusters.get(name), body["metadata"]["resourceVersion"]
        if known is not None and int(version) < int(known.version):
            return False
        made = _Cluster(version, body["metadata"]["uid"], body.get("status") or {}, asked(body))
        if known is not None and (made.status, made.asked) == (known.status, known.asked):
            self._clusters[name] = replace(known, version=version)
            return False
        self._clusters[name] = made
        return True

    def since(self, site: str, health: SiteHealth) -> float:
        """Wall seconds since when the verdict on a site is what it is: as told before, by whichever process."""
        for item in self.status.get("health") or []:
            if item.get("site") == site and item.get("verdict") == health.verdict and item.get("since"):
                return datetime.fromisoformat(item["since"].replace("Z", "+00:00")).timestamp()
        return health.since

    def cluster_status(self, name: str) -> Mapping[str, Any] | None:
        """The status of a cluster as last stored or seen, None for one that is not known."""
        known = self._clusters.get(name)
        return None if known is None else known.status

    async def store(self, status: Mapping[str, Any]) -> bool:
        """Store the status where it differs from what is stored. False: another operator moved the machine meanwhile.

        A conflict over something else (a spec patch, an annotation) is tried again over the fresh version. Events are
        taken in while the API server is waited for: what counts is the machine's state that `status` was made from.
        Raises Gone.
        """
        wanted, made_from = _steady(status), self.status.get("control")
        if not changes(_steady(self.status), wanted) or wanted == self._pruned:
            self.control = made_from
            return True
        for _ in range(5):
            try:
                stored = await self._api.patch_status(*self._where, status, self._version)
                break
            except (Conflict, NotFound):
                self._know(await same(self._api, *self._where, self._uid))
                if self.status.get("control") != made_from:
                    return False
        else:
            return False
        self.control = (stored.get("status") or {}).get("control")
        if self._know(stored):
            self._pruned = wanted if changes(_steady(self.status), wanted) else None
        return True

    def _know(self, body: Mapping[str, Any]) -> bool:
        """Take in an answer, unless an event has brought a newer version meanwhile."""
        if int(body["metadata"]["resourceVersion"]) < int(self._version):
            return False
        self._version, self.status = body["metadata"]["resourceVersion"], body.get("status") or {}
        return True

    async def fresh_control(self) -> Any:
        """The machine's state as the API server has it now. Raises Gone."""
        fresh = await same(self._api, *self._where, self._uid)
        return (fresh.get("status") or {}).get("control")

    async def store_cluster(self, name: str, status: Mapping[str, Any], uid: str | None = None) -> bool:
        """Store a cluster's status where it differs. False: it was changed meanwhile, so look again.

        `uid`: of the object that the status was made from; one that was made again under its name is not told of it.
        """
        known = self._clusters.get(name)
        if (
            known is None
            or (uid is not None and known.uid != uid)
            or not changes(known.status, status)
            or status == known.pruned
        ):
            return True
        try:
            stored = await self._api.patch_status(
                GROUP, VERSION, CLUSTER.plural, self._namespace, name, status, known.version
            )
        except (Conflict, NotFound):
            try:
                fresh = await self._api.get(GROUP, VERSION, CLUSTER.plural, self._namespace, name)
            except NotFound:
                self._clusters.pop(name, None)
                return True
            self.update_cluster(name, fresh)
            return False
        kept = stored.get("status") or {}
        pruned = status if changes(kept, status) else None
        self._clusters[name] = _Cluster(stored["metadata"]["resourceVersion"], known.uid, kept, asked(stored), pruned)
        return True

    async def consume(self, action: Consume, cluster: str | None) -> None:
        """Take a request out of the spec, if it is that of the same object still and has the value that was handled."""
        plural, name, uid = DISASTER_RECOVERY.plural, self._name, self._uid
        if cluster is not None:
            if (known := self._clusters.get(cluster)) is None:
                return  # deleted: its successor asks for itself
            plural, name, uid = CLUSTER.plural, cluster, known.uid
        patch = [{"op": "test", "path": "/metadata/uid", "value": uid}, *self._removal(action)]
        try:
            await self._api.patch_json(GROUP, VERSION, plural, self._namespace, name, patch)
        except Conflict:
            log.debug("%s/%s: %s was changed before it was taken out", self._namespace, name, action.field)

    def _removal(self, action: Consume) -> list[dict[str, Any]]:
        def drop(path: str, value: Any) -> list[dict[str, Any]]:
            return [{"op": "test", "path": path, "value": value}, {"op": "remove", "path": path}]

        match action.field:
            case "target":
                patch = drop("/spec/failover/target", action.value)
                emergency = ((self.body.get("spec") or {}).get("failover") or {}).get("emergency")
                return patch if emergency is None else patch + drop("/spec/failover/emergency", emergency)
            case "emergency":
                return drop("/spec/failover/emergency", True)
            case "sync":
                return drop("/spec/sync/direction", action.value)
            case "reseed":
                return drop("/spec/sync/reseed", action.value)
            case _:
                return drop("/spec/readOnly", True)

    async def event(self, kind: str, reason: str, message: str) -> None:
        """Post an event about the resource."""
        await self._api.event(self.body, kind, reason, message)
