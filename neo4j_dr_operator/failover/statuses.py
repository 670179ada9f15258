"""Writing statuses: only what changed, only over the version it was made from."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any, Protocol

from neo4j_dr_operator.api.base import GROUP, VERSION
from neo4j_dr_operator.api.kinds import CLUSTER, DISASTER_RECOVERY
from neo4j_dr_operator.errors import Conflict, NotFound
from neo4j_dr_operator.failover.actions import Consume

log = logging.getLogger(__name__)

VOLATILE = ("position", "lagSeconds", "seed")
"""Fields of `status.replication` that alone never cause a write: they change with every heartbeat."""


class ResourceApi(Protocol):
    """The calls on custom objects: `kube.client.Kube` in the operator."""

    async def get(self, group: str, version: str, plural: str, namespace: str, name: str) -> dict[str, Any]:
        """The object as it is now."""
        ...

    async def patch_status(
        self,
        group: str,
        version: str,
        plural: str,
        namespace: str,
        name: str,
        status: Mapping[str, Any],
        resource_version: str,
    ) -> dict[str, Any]:
        """Merge the status over the given version."""
        ...

    async def patch_json(
        self, group: str, version: str, plural: str, namespace: str, name: str, patch: list[dict[str, Any]]
    ) -> dict[str, Any]:
        """Apply a JSON patch."""
        ...

    async def event(self, body: Mapping[str, Any], kind: str, reason: str, message: str) -> None:
        """Post an event about an object."""
        ...


def without_nulls(value: Any) -> Any:
    """The form in which the API server keeps a merge-patched document: nulls are gone."""
    if isinstance(value, Mapping):
        return {key: without_nulls(item) for key, item in value.items() if item is not None}
    return [without_nulls(item) for item in value] if isinstance(value, list) else value


def _steady(status: Mapping[str, Any]) -> dict[str, Any]:
    """A status without its volatile numbers; lag stays in as whole steps of ten seconds."""
    replication = []
    for item in status.get("replication") or []:
        kept = {key: value for key, value in item.items() if key not in VOLATILE}
        kept["lag"] = int((item.get("lagSeconds") or 0) // 10)
        seed = item.get("seed") or {}
        kept["seed"] = [int(10 * seed.get(n, 0) / max(1, seed.get(f"{n}End", 0))) for n in ("nodes", "rels")]
        replication.append(kept)
    return {**without_nulls(status), "replication": replication, "shipping": _steady_shipping(status)}


def _steady_shipping(status: Mapping[str, Any]) -> dict[str, Any]:
    """The shipper without what each segment changes; the time of the last one counts in steps of ten minutes."""
    shipping = status.get("shipping") or {}
    kept = {key: shipping.get(key) for key in ("state", "site", "epoch", "message")}
    return {**kept, "shippedAt": str(shipping.get("shippedAt"))[:15]}


class StatusWriter:
    """The stored documents of one resource and its clusters, as this operator last knew them."""

    def __init__(self, api: ResourceApi, namespace: str, name: str) -> None:
        """Nothing known yet."""
        self._api, self._namespace, self._name = api, namespace, name
        self.body: Mapping[str, Any] = {}
        self.status: Mapping[str, Any] = {}
        self._version = ""
        self._clusters: dict[str, tuple[str, Mapping[str, Any]]] = {}

    def update(self, body: Mapping[str, Any]) -> None:
        """Take in the body of an event, unless a newer one is known (versions of one object only grow)."""
        if self._version and int(body["metadata"]["resourceVersion"]) < int(self._version):
            return
        self.body = body
        self.status = body.get("status") or {}
        self._version = body["metadata"]["resourceVersion"]

    def update_cluster(self, name: str, body: Mapping[str, Any]) -> None:
        """Take in the body of a cluster's event."""
        self._clusters[name] = (body["metadata"]["resourceVersion"], body.get("status") or {})

    async def store(self, status: Mapping[str, Any]) -> bool:
        """Store the status where it differs from what is stored. False: another operator moved the machine meanwhile.

        A conflict over something else (a spec patch, an annotation) is tried again over the fresh version.
        """
        if _steady(status) == _steady(self.status):
            return True
        for _ in range(5):
            try:
                stored = await self._api.patch_status(
                    GROUP, VERSION, DISASTER_RECOVERY.plural, self._namespace, self._name, status, self._version
                )
                break
            except Conflict:
                fresh = await self._api.get(GROUP, VERSION, DISASTER_RECOVERY.plural, self._namespace, self._name)
                moved = (fresh.get("status") or {}).get("control") != self.status.get("control")
                self._version, self.status = fresh["metadata"]["resourceVersion"], fresh.get("status") or {}
                if moved:
                    return False
        else:
            return False
        self._version, self.status = stored["metadata"]["resourceVersion"], stored.get("status") or {}
        return True

    async def fresh_control(self) -> Any:
        """The machine's state as the API server has it now."""
        fresh = await self._api.get(GROUP, VERSION, DISASTER_RECOVERY.plural, self._namespace, self._name)
        return (fresh.get("status") or {}).get("control")

    async def store_cluster(self, name: str, status: Mapping[str, Any]) -> None:
        """Store a cluster's status where it differs. A conflict is left to the next round."""
        known = self._clusters.get(name)
        if known is None or without_nulls(status) == without_nulls(known[1]):
            return
        try:
            stored = await self._api.patch_status(
                GROUP, VERSION, CLUSTER.plural, self._namespace, name, status, known[0]
            )
        except (Conflict, NotFound):
            try:
                stored = await self._api.get(GROUP, VERSION, CLUSTER.plural, self._namespace, name)
            except NotFound:
                self._clusters.pop(name, None)
                return
        self.update_cluster(name, stored)

    async def consume(self, action: Consume, cluster: str | None) -> None:
        """Take a request out of the spec, if it still has the value that was handled."""
        plural, name = (CLUSTER.plural, cluster) if cluster else (DISASTER_RECOVERY.plural, self._name)
        try:
            await self._api.patch_json(GROUP, VERSION, plural, self._namespace, name, self._removal(action))
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
            case _:
                return drop("/spec/readOnly", True)

    async def event(self, kind: str, reason: str, message: str) -> None:
        """Post an event about the resource."""
        await self._api.event(self.body, kind, reason, message)
