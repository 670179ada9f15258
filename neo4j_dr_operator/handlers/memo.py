"""What handlers share: the clusters seen so far and the controllers that run."""

from __future__ import annotations

import asyncio
import logging
import weakref
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from neo4j_dr_operator.api.kinds import CLUSTER, DISASTER_RECOVERY, RESTORE
from neo4j_dr_operator.errors import KubernetesError
from neo4j_dr_operator.handlers.presence import Known, Presence
from neo4j_dr_operator.handlers.unattended import let_go
from neo4j_dr_operator.metrics import Metrics
from neo4j_dr_operator.recovery.controller import Api, RecoveryController, Wiring
from neo4j_dr_operator.recovery.holds import Holds
from neo4j_dr_operator.restore.resource import World
from neo4j_dr_operator.restore.restores import Restores, outlived

log = logging.getLogger(__name__)

Body = Mapping[str, Any]
Key = tuple[str, str]


class Memo:
    """One per operator process; passed to every handler."""

    def __init__(self, api: Api, metrics: Metrics, operator: str) -> None:
        """`operator` names this process in the witness."""
        self.api, self.metrics = api, metrics
        self.clusters: dict[Key, Body] = {}
        self.controllers: dict[Key, RecoveryController] = {}
        self._locks: weakref.WeakValueDictionary[Key, asyncio.Lock] = weakref.WeakValueDictionary()
        self.holds = Holds()
        self.recoveries: dict[Key, Body] = {}
        self.presence = Presence(api, self._known, self._gone)
        self.restores = Restores(World(api, self._seen, self._recoveries_in, self.holds, self._doubted(RESTORE.plural)))
        doubted = self._doubted(DISASTER_RECOVERY.plural)
        self._wiring = Wiring(api, operator, self._seen, self.holds, self.restores.reading, doubted)
        self._looking: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin to look for what was deleted without an event."""
        self._looking = asyncio.create_task(self.presence.run(), name="presence")

    def _doubted(self, plural: str) -> Callable[[str, str, str], None]:
        return lambda namespace, name, uid: self.presence.doubt(Known(plural, namespace, name, uid))

    def _known(self) -> Iterator[Known]:
        for key, controller in self.controllers.items():
            yield Known(DISASTER_RECOVERY.plural, *key, controller.uid)
        for key, uid in self.restores.running():
            yield Known(RESTORE.plural, *key, uid)
        for key, body in self.clusters.items():
            yield Known(CLUSTER.plural, *key, body["metadata"]["uid"])

    async def _gone(self, each: Known) -> None:
        """As if the event had come."""
        key = each.namespace, each.name
        match each.plural:
            case DISASTER_RECOVERY.plural:
                await self.recovery_gone(key, each.uid)
            case RESTORE.plural:
                await self.restores.gone(key, each.uid)
            case _:
                await self.cluster_gone(key, each.uid)

    def _seen(self, namespace: str, name: str) -> Body | None:
        return self.clusters.get((namespace, name))

    def _recoveries_in(self, namespace: str) -> list[Body]:
        return [body for key, body in self.recoveries.items() if key[0] == namespace]

    async def cluster_changed(self, key: Key, body: Body) -> None:
        """A cluster appeared or changed."""
        if outlived(body, self.clusters.get(key)):
            return
        self.clusters[key] = body
        if not self._told(key, body):
            await self._let_go(body)

    async def cluster_gone(self, key: Key, uid: str) -> None:
        """A cluster was deleted."""
        known = self.clusters.get(key)
        if known is None or known["metadata"]["uid"] != uid:
            return  # a successor of the same name is there already
        del self.clusters[key]
        self._told(key, None)

    def _told(self, key: Key, body: Body | None) -> bool:
        """Tell whoever refers to a cluster; whether anybody does."""
        referred = False
        for (namespace, _), controller in self.controllers.items():
            if namespace == key[0] and controller.refers_to(key[1]):
                referred = True
                controller.update_cluster(key[1], body)
        self.restores.cluster_changed(key)
        return referred

    def _serial(self, key: Key) -> asyncio.Lock:
        """One change at a time of one name: events of an object and of its successor may come beside each other."""
        return self._locks.setdefault(key, asyncio.Lock())

    async def recovery_changed(self, key: Key, body: Body) -> None:
        """A disaster recovery resource appeared or changed. One of another uid takes the place of a deleted one."""
        async with self._serial(key):
            if outlived(body, self.recoveries.get(key)):
                return
            self.recoveries[key] = body
            controller = self.controllers.get(key)
            if controller is not None and controller.uid == body["metadata"]["uid"]:
                controller.update(body)
                self._referred_anew(key, controller)
                return
            if controller is not None:
                await controller.close()
            controller = RecoveryController(self._wiring, self.metrics.of(*key), body)
            self.controllers[key] = controller
            self._referred_anew(key, controller)

    def _referred_anew(self, key: Key, controller: RecoveryController) -> None:
        """A resource may name clusters that were seen before it did."""
        for (namespace, name), cluster in self.clusters.items():
            if namespace == key[0] and controller.refers_to(name):
                controller.update_cluster(name, cluster)

    async def recovery_gone(self, key: Key, uid: str) -> None:
        """A disaster recovery resource was deleted: what runs for it ends, the data stays (P7)."""
        async with self._serial(key):
            controller = self.controllers.get(key)
            if controller is None or controller.uid != uid:
                return  # a successor of the same name runs already
            del self.controllers[key]
            self.recoveries.pop(key, None)
            await controller.close()
        for (namespace, _), body in list(self.clusters.items()):
            if namespace == key[0] and (body.get("status") or {}).get("recovery") == key[1]:
                await self._let_go(body)

    async def _let_go(self, body: Body) -> None:
        try:
            await let_go(self.api, body)
        except KubernetesError as error:
            log.warning("%s: %s: %s", body["metadata"]["name"], error.reason, error)

    async def close(self) -> None:
        """End every controller, restores first."""
        if self._looking is not None:
            self._looking.cancel()
        await self.restores.close()
        controllers = list(self.controllers.values())
        self.controllers.clear()
        await asyncio.gather(*(controller.close() for controller in controllers))
