"""What handlers share: the clusters seen so far and the controllers that run."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

from neo4j_dr_operator.failover.controller import Api, RecoveryController, Wiring
from neo4j_dr_operator.metrics import Metrics

Body = Mapping[str, Any]
Key = tuple[str, str]


class Memo:
    """One per operator process; passed to every handler."""

    def __init__(self, api: Api, metrics: Metrics, operator: str) -> None:
        """`operator` names this process in the witness."""
        self.api, self.metrics = api, metrics
        self.clusters: dict[Key, Body] = {}
        self.controllers: dict[Key, RecoveryController] = {}
        self._wiring = Wiring(api, operator, lambda namespace, name: self.clusters.get((namespace, name)))

    def cluster_changed(self, key: Key, body: Body | None) -> None:
        """A cluster appeared, changed, or (None) is gone."""
        if body is None:
            self.clusters.pop(key, None)
        else:
            self.clusters[key] = body
        for (namespace, _), controller in self.controllers.items():
            if namespace == key[0] and controller.refers_to(key[1]):
                if body is not None:
                    controller.update_cluster(key[1], body)
                controller.wake()

    def referred(self, key: Key) -> bool:
        """Whether a disaster recovery resource refers to a cluster."""
        namespace, name = key
        return any(own == namespace and controller.refers_to(name) for (own, _), controller in self.controllers.items())

    def recovery_changed(self, key: Key, body: Body) -> None:
        """A disaster recovery resource appeared or changed."""
        controller = self.controllers.get(key)
        if controller is not None:
            controller.update(body)
            return
        controller = RecoveryController(self._wiring, self.metrics.of(*key), body)
        self.controllers[key] = controller
        for (namespace, name), cluster in self.clusters.items():
            if namespace == key[0] and controller.refers_to(name):
                controller.update_cluster(name, cluster)

    async def recovery_gone(self, key: Key) -> None:
        """A disaster recovery resource was deleted: what runs for it ends, the data stays (P7)."""
        controller = self.controllers.pop(key, None)
        if controller is not None:
            await controller.close()

    async def close(self) -> None:
        """End every controller."""
        controllers = list(self.controllers.values())
        self.controllers.clear()
        await asyncio.gather(*(controller.close() for controller in controllers))
