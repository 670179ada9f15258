"""What a keeper of a status needs of the Kubernetes API, for whoever keeps one."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol


class StatusApi(Protocol):
    """The calls by which a status is kept: `kube.client.Kube` in the operator."""

    async def get(self, group: str, version: str, plural: str, namespace: str, name: str) -> dict[str, Any]:
        """The object as it is now. Raises NotFound."""
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
        """Merge the status over the given version. Raises Conflict."""
        ...

    async def event(self, body: Mapping[str, Any], kind: str, reason: str, message: str) -> None:
        """Post an event about an object."""
        ...
