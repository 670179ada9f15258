"""The few calls the operator makes to the API server, from asyncio, with our errors.

The official client blocks, so every call runs in a thread with a time limit of its own. Bodies are plain dictionaries:
what is read and written is decided by the models in `api/`.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

import urllib3
from kubernetes import client, config

from neo4j_dr_operator.errors import Conflict, KubernetesError, KubernetesUnreachable, NotFound, NotServed
from neo4j_dr_operator.threads import Threads

MERGE = "application/merge-patch+json"
JSON_PATCH = "application/json-patch+json"
CALLS = 16
"""Most calls at a time; more wait for their turn."""


class Kube:
    """One API server. `timeout`: seconds a single call may take."""

    def __init__(self, timeout: float = 10.0) -> None:
        """Read the kubeconfig (`KUBECONFIG`, then the default file) or, inside a pod, its service account.

        Raises KubernetesError when neither is there.
        """
        try:
            config.load_config()  # type: ignore[no-untyped-call]
        except config.ConfigException as error:
            raise KubernetesError("no kubeconfig and not inside a pod") from error
        settings = client.Configuration.get_default_copy()
        settings.retries = urllib3.Retry(0)
        settings.connection_pool_maxsize = CALLS
        api = client.ApiClient(settings)
        self._custom, self._core = client.CustomObjectsApi(api), client.CoreV1Api(api)
        self._timeout, self._threads = timeout, Threads("kubernetes", CALLS)

    def close(self) -> None:
        """Make no more calls."""
        self._threads.close()

    async def _call(self, call: Callable[[], Any]) -> Any:
        try:
            return await self._threads.run(call)
        except client.ApiException as error:
            raise translated(error) from error
        except (urllib3.exceptions.HTTPError, OSError) as error:
            raise KubernetesUnreachable(f"the API server cannot be reached: {type(error).__name__}") from error

    async def served(self, group: str, version: str) -> set[str]:
        """Plural names of the kinds that the API server serves in this group and version, empty when it knows none."""
        try:
            answer = await self._call(
                lambda: self._custom.get_api_resources(group, version, _request_timeout=self._timeout)
            )
        except NotFound:
            return set()
        return {resource.name for resource in answer.resources if "/" not in resource.name}

    async def get(self, group: str, version: str, plural: str, namespace: str, name: str) -> dict[str, Any]:
        """A custom object as it is now. Raises NotFound."""
        found: dict[str, Any] = await self._call(
            lambda: self._custom.get_namespaced_custom_object(
                group, version, namespace, plural, name, _request_timeout=self._timeout
            )
        )
        return found

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
        """Merge `status` into the status subresource, if the object is still at `resource_version`.

        Returns the object as stored. Raises Conflict when somebody else was first, or it was made again: no version of
        an object is one of its successor's.
        """
        body = {"metadata": {"resourceVersion": resource_version}, "status": dict(status)}
        stored: dict[str, Any] = await self._call(
            lambda: self._custom.patch_namespaced_custom_object_status(
                group, version, namespace, plural, name, body, _content_type=MERGE, _request_timeout=self._timeout
            )
        )
        return stored

    async def patch_json(
        self, group: str, version: str, plural: str, namespace: str, name: str, patch: list[dict[str, Any]]
    ) -> dict[str, Any]:
        """Apply a JSON patch (RFC 6902) to a custom object; a failed `test` raises Conflict."""
        try:
            stored: dict[str, Any] = await self._call(
                lambda: self._custom.patch_namespaced_custom_object(
                    group,
                    version,
                    namespace,
                    plural,
                    name,
                    patch,
                    _content_type=JSON_PATCH,
                    _request_timeout=self._timeout,
                )
            )
        except KubernetesError as error:
            if error.status == 422:  # a failed test is told like any other patch that cannot be applied
                raise Conflict(error.message, status=422) from error
            raise
        return stored

    async def secret(self, namespace: str, name: str) -> dict[str, str]:
        """The decoded keys of a Secret; values that are no text are left out. Raises NotFound."""
        answer = await self._call(
            lambda: self._core.read_namespaced_secret(name, namespace, _request_timeout=self._timeout)
        )
        return decoded(answer.to_dict().get("data") or {})

    async def event(self, body: Mapping[str, Any], kind: str, reason: str, message: str) -> None:
        """Post one event about an object; `kind` is Normal or Warning."""
        meta, now = body["metadata"], datetime.now(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
        event = client.CoreV1Event.from_dict(
            {
                "apiVersion": "v1",
                "kind": "Event",
                "metadata": {"generateName": f"{meta['name']}-", "namespace": meta["namespace"]},
                "type": kind,
                "reason": reason,
                "message": message[:1024],
                "firstTimestamp": now,
                "lastTimestamp": now,
                "count": 1,
                "source": {"component": "neo4j-dr-operator"},
                "involvedObject": {
                    "apiVersion": body["apiVersion"],
                    "kind": body["kind"],
                    "name": meta["name"],
                    "namespace": meta["namespace"],
                    "uid": meta["uid"],
                },
            }
        )
        assert event is not None
        await self._call(
            lambda: self._core.create_namespaced_event(meta["namespace"], event, _request_timeout=self._timeout)
        )


def decoded(data: Mapping[str, str]) -> dict[str, str]:
    """The keys of a Secret as text; values that are no text are left out."""
    found: dict[str, str] = {}
    for key, value in data.items():
        try:
            found[key] = base64.b64decode(value).decode()
        except UnicodeDecodeError:
            continue
    return found


def translated(error: client.ApiException) -> KubernetesError:
    """An answer of the API server that is a refusal, as our error; `status` is the HTTP code."""
    status = int(error.status or 0)
    try:
        answer = json.loads(error.body or "{}")
    except ValueError:
        answer = {}
    message, details = answer.get("message", ""), answer.get("details") or {}
    text = f"the API server answered {status} {error.reason or ''}: {message}"[:500]
    if status == 409:
        return Conflict(text, status=status)
    if status == 404:
        return (NotFound if details.get("name") else NotServed)(text, status=status)
    if status >= 500 or status == 429 or status == 0:
        return KubernetesUnreachable(text, status=status)
    return KubernetesError(text, status=status)
