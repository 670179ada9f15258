"""The stored document of one restore: read, written where it differs, and the events beside it."""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping
from typing import Any, Protocol

from neo4j_dr_operator.api.base import GROUP, VERSION
from neo4j_dr_operator.api.kinds import RESTORE
from neo4j_dr_operator.cluster.endpoint import Secrets
from neo4j_dr_operator.errors import Conflict, Gone, KubernetesError, NotFound
from neo4j_dr_operator.kube.status import StatusApi, same
from neo4j_dr_operator.restore import publish

log = logging.getLogger(__name__)

Body = Mapping[str, Any]
FIGURES_EVERY = 5.0
"""Seconds between two writes of the status that change nothing but figures."""


class Api(Secrets, StatusApi, Protocol):
    """What is needed of the Kubernetes API; `kube.client.Kube` in the operator."""


class StatusKeeper:
    """One resource as last known. Methods raise KubernetesError unless they say otherwise, Gone once it was deleted."""

    def __init__(self, api: Api, body: Body) -> None:
        """Start with the body of an event."""
        self.body = body
        self._api = api
        meta = body["metadata"]
        self._namespace, self._name, self._uid = meta["namespace"], meta["name"], meta["uid"]
        self._told = float("-inf")

    @property
    def status(self) -> Mapping[str, Any]:
        """What is stored."""
        return self.body.get("status") or {}

    @property
    def _generation(self) -> int:
        return int(self.body["metadata"].get("generation") or 0)

    def update(self, body: Body) -> None:
        """Take in a newer body; versions of one object only grow."""
        if int(body["metadata"]["resourceVersion"]) > int(self.body["metadata"]["resourceVersion"]):
            self.body = body

    # -- what to say -----------------------------------------------------------------------------------------------

    def waiting(self, reason: str, message: str) -> dict[str, Any]:
        """A status that says why it cannot go on at the moment."""
        return publish.waiting(self.status, reason, message, self._generation, time.time())

    async def begin(self, message: str) -> bool:
        """The worker is about to be started for the first time. False: another operator has told how it ended."""
        began = publish.at_work(self.status, {"state": "surveying"}, self._generation, time.time())
        return await self._tell({**began, "startedAt": publish.timestamp(time.time())}, "RestoreStarted", message)

    async def progress(self, report: Mapping[str, Any], *, only_looking: bool) -> None:
        """How far a worker is. Raises Gone alone: whatever else, the next report says it again."""
        status = publish.at_work(self.status, report, self._generation, time.time(), only_looking=only_looking)
        if time.monotonic() - self._told < FIGURES_EVERY and not publish.worth_storing(self.status, status):
            return
        await self.soon(status)

    async def end_well(self, report: Mapping[str, Any], resume: str | None) -> None:
        """It is complete."""
        status = publish.complete(self.status, report, resume, self._generation, time.time())
        await self._tell(status, publish.RESTORED, status["message"])

    async def end_badly(self, reason: str, message: str, resume: str | None) -> None:
        """It has failed, or was refused."""
        log.info("restore %s/%s: %s: %s", self._namespace, self._name, reason, message)
        status = publish.failed(self.status, reason, message, resume, self._generation, time.time())
        await self._tell(status, reason, status["message"], kind="Warning")

    # -- how -------------------------------------------------------------------------------------------------------

    async def event(self, kind: str, reason: str, message: str) -> None:
        """Post an event. Raises nothing: the status says the same."""
        try:
            await self._api.event(self.body, kind, reason, message)
        except KubernetesError as error:
            log.warning("restore %s/%s: event %s was not posted: %s", self._namespace, self._name, reason, error.reason)

    async def _tell(self, status: Mapping[str, Any], reason: str, message: str, kind: str = "Normal") -> bool:
        """Store it as :meth:`store` does; the event is posted where that was done."""
        if not await self.store(status):
            return False
        await self.event(kind, reason, message)
        return True

    async def soon(self, status: Mapping[str, Any]) -> None:
        """Store it if the API server takes it now. Raises Gone alone."""
        try:
            await self.store(status)
        except Gone:
            raise
        except KubernetesError as error:
            log.warning("restore %s/%s: %s: %s", self._namespace, self._name, error.reason, error)

    async def store(self, status: Mapping[str, Any]) -> bool:
        """Store what differs, over a newer version where there is one. False: another operator has told how it ended,
        and that stays as it is."""
        while publish.worth_storing(self.status, status, ()):
            if publish.ended(self.status):
                return False
            where = GROUP, VERSION, RESTORE.plural, self._namespace, self._name
            try:
                stored = await self._api.patch_status(*where, status, self.body["metadata"]["resourceVersion"])
                self.update(stored)
                self._told = time.monotonic()
                return True
            except (Conflict, NotFound):
                self.update(await same(self._api, *where, self._uid))
        return True
