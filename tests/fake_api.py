"""An API server for unit tests: objects with versions, uids and optimistic locking, and room for what comes between."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from typing import Any

from neo4j_dr_operator.api.base import GROUP, VERSION
from neo4j_dr_operator.api.kinds import DISASTER_RECOVERY, KINDS
from neo4j_dr_operator.errors import Conflict, NotFound, NotServed
from neo4j_dr_operator.reporting.statuses import without_nulls

NAMESPACE = "production"
RECOVERY = DISASTER_RECOVERY.plural
SECRETS = {"username": "neo4j", "password": "x"}


def merged(stored: Any, patch: Any) -> Any:
    """A merge patch (RFC 7386) applied."""
    if not isinstance(patch, Mapping):
        return patch
    kept = dict(stored) if isinstance(stored, Mapping) else {}
    for key, value in patch.items():
        kept[key] = merged(kept.get(key), value)
    return without_nulls(kept)


class FakeApi:
    """`between` is called once, when a call named by its key comes: before a read is answered, after a write was."""

    def __init__(self) -> None:
        self.objects: dict[tuple[str, str], dict[str, Any]] = {}
        self.between: dict[str, Callable[[], None]] = {}
        self.calls: list[str] = []
        self.written: list[dict[str, Any]] = []
        self.stored = asyncio.Event()
        self.served = True
        self._version = 100

    # -- what people do ---------------------------------------------------------------------------------------------

    def create(self, plural: str, name: str, spec: Mapping[str, Any], **status: Any) -> dict[str, Any]:
        """A new object, with a uid of its own."""
        self._version += 1
        version = str(self._version)
        meta = {"namespace": NAMESPACE, "name": name, "uid": f"u{version}", "generation": 1, "resourceVersion": version}
        return self._keep(plural, {"metadata": meta, "spec": dict(spec), "status": status} | _kind(plural))

    def change(self, plural: str, name: str, **changes: Any) -> dict[str, Any]:
        """A merge patch; a changed spec is another generation."""
        old = self.objects[plural, name]
        made = merged(old, changes)
        self._version += 1
        grown = int(made["spec"] != old["spec"])
        version = {"resourceVersion": str(self._version), "generation": old["metadata"]["generation"] + grown}
        return self._keep(plural, made | {"metadata": made["metadata"] | version})

    def delete(self, plural: str, name: str) -> None:
        """Gone."""
        del self.objects[plural, name]

    def _keep(self, plural: str, body: dict[str, Any]) -> dict[str, Any]:
        self.objects[plural, body["metadata"]["name"]] = body
        return body

    # -- what the operator asks -------------------------------------------------------------------------------------

    def _comes(self, what: str) -> None:
        self.calls.append(what)
        if (happens := self.between.pop(what, None)) is not None:
            happens()

    def _found(self, plural: str, name: str) -> dict[str, Any]:
        if (plural, name) not in self.objects:
            raise NotFound(f"{plural} {name} not found")
        return self.objects[plural, name]

    async def get(self, group: str, version: str, plural: str, namespace: str, name: str) -> dict[str, Any]:
        self._comes(f"get {plural}")
        if not self.served:
            raise NotServed("404 page not found")
        return self._found(plural, name)

    async def patch_status(
        self,
        group: str,
        version: str,
        plural: str,
        namespace: str,
        name: str,
        status: Mapping[str, Any],
        over: str,
    ) -> dict[str, Any]:
        meta = self._found(plural, name)["metadata"]
        if meta["resourceVersion"] != over:
            raise Conflict("changed")
        stored = self.change(plural, name, status=status)
        if plural == RECOVERY:
            self.written.append(stored["status"])
            self.stored.set()
        self._comes(f"patch {plural}")
        return stored

    async def patch_json(self, *_: Any) -> dict[str, Any]:
        raise AssertionError("nothing is to be taken out of a spec")

    async def secret(self, namespace: str, name: str) -> dict[str, str]:
        self._comes("secret")
        return SECRETS

    async def event(self, body: Mapping[str, Any], kind: str, reason: str, message: str) -> None:
        self.calls.append(f"event {reason}")


def _kind(plural: str) -> dict[str, Any]:
    kind = next(each.kind for each in KINDS if each.plural == plural)
    return {"apiVersion": f"{GROUP}/{VERSION}", "kind": kind}
