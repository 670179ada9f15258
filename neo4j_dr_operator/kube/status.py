"""What a keeper of a status needs of the Kubernetes API, for whoever keeps one."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

from neo4j_dr_operator.errors import Gone, NotFound, NotServed


class Objects(Protocol):
    """Where custom objects are read: `kube.client.Kube` in the operator."""

    async def get(self, group: str, version: str, plural: str, namespace: str, name: str) -> dict[str, Any]:
        """The object as it is now. Raises NotFound."""
        ...


class StatusApi(Objects, Protocol):
    """The calls by which a status is kept."""

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
        """Merge the status over the given version, which no successor of the object has. Raises Conflict, NotFound."""
        ...

    async def event(self, body: Mapping[str, Any], kind: str, reason: str, message: str) -> None:
        """Post an event about an object."""
        ...


async def same(
    api: Objects, group: str, version: str, plural: str, namespace: str, name: str, uid: str
) -> dict[str, Any]:
    """The object of that uid as it is now. Raises Gone once it was deleted, whatever bears its name by then."""
    try:
        found = await api.get(group, version, plural, namespace, name)
    except NotServed:
        raise
    except NotFound as error:
        raise Gone(f"{plural} {namespace}/{name} is gone", status=error.status) from error
    if found["metadata"]["uid"] != uid:
        raise Gone(f"{plural} {namespace}/{name} is gone: the one of that name is another")
    return found
