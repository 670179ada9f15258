"""The API server as a person at a terminal has it: their kubeconfig, their context, their rights.

Calls block and have a time limit each. What the operator itself needs is in `client.py`.
"""

from __future__ import annotations

import json
import os
import socket
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import urllib3
import yaml
from kubernetes import client, config
from kubernetes.config import kube_config

from neo4j_dr_operator.errors import KubernetesError, KubernetesUnreachable, NoKubeconfig, NotFound, WatchExpired
from neo4j_dr_operator.kube.client import decoded, translated

T = TypeVar("T")
WATCH_SECONDS = 45
"""How long the API server lets one watch run; it is begun anew where it ended."""
WATCH_SILENCE = 60.0
"""Seconds without a byte after which a watch counts as broken; a living one ends before."""
_SERVICE_ACCOUNT = Path("/var/run/secrets/kubernetes.io/serviceaccount/namespace")


@dataclass(frozen=True)
class Event:
    """One event of a watch: ADDED, MODIFIED, DELETED or BOOKMARK, with the object."""

    type: str
    object: dict[str, Any]


class Watch:
    """Events as they come, until the API server ends the watch. Read in one thread; any may call `stop`."""

    def __init__(
        self, answer: urllib3.HTTPResponse, call: Callable[[Callable[[], bytes | None]], bytes | None]
    ) -> None:
        """`call` runs a read and turns the client's exceptions into ours."""
        self._answer, self._call = answer, call

    def __iter__(self) -> Iterator[Event]:
        """Raises WatchExpired when the version it began at is forgotten, KubernetesUnreachable when the line breaks."""
        lines = _lines(self._answer)
        try:
            while (line := self._call(lambda: next(lines, None))) is not None:
                yield _event(line)
        finally:
            self._answer.close()

    def stop(self) -> None:
        """Break the line: whoever reads is woken by KubernetesUnreachable, or by the end."""
        try:
            self._answer.shutdown()
        except (ValueError, RuntimeError, OSError):  # it has ended by itself
            return


class UserKube:
    """One context of a kubeconfig, or the service account of a pod."""

    def __init__(self, kubeconfig: str | None = None, context: str | None = None, timeout: float = 10.0) -> None:
        """Read the kubeconfig (`kubeconfig`, else `KUBECONFIG`, else the default file), else the service account.

        `timeout`: seconds one call may take. Raises NoKubeconfig when there is none, or not that context.
        """
        settings = client.Configuration()
        self.namespace = _configure(settings, kubeconfig, context)
        settings.retries = urllib3.Retry(0)
        api = client.ApiClient(settings)
        self._custom, self._core = client.CustomObjectsApi(api), client.CoreV1Api(api)
        self.server, self._timeout = str(settings.host), timeout

    def get(self, group: str, version: str, plural: str, namespace: str, name: str) -> dict[str, Any]:
        """A custom object. Raises NotFound, also when the kind is not there."""
        found: Any = self._call(
            lambda: self._custom.get_namespaced_custom_object(
                group, version, namespace, plural, name, _request_timeout=self._timeout
            )
        )
        return dict(found)

    def annotate(
        self, group: str, version: str, plural: str, namespace: str, name: str, annotations: dict[str, str]
    ) -> None:
        """Set annotations of a custom object; others stay. Raises NotFound."""
        body = {"metadata": {"annotations": annotations}}
        self._call(
            lambda: self._custom.patch_namespaced_custom_object(
                group, version, namespace, plural, name, body, _request_timeout=self._timeout
            )
        )

    def secret(self, namespace: str, name: str) -> dict[str, str]:
        """The decoded keys of a Secret; values that are no text are left out. Raises NotFound."""
        answer = self._call(lambda: self._core.read_namespaced_secret(name, namespace, _request_timeout=self._timeout))
        return decoded(answer.to_dict().get("data") or {})

    def list(
        self, group: str, version: str, plural: str, namespace: str | None, name: str | None = None
    ) -> tuple[list[dict[str, Any]], str]:
        """The objects of a namespace (None: of all), or the one of that name, and the version of the list.

        Raises NotFound when the kind is not there; a namespace that is not there has no objects.
        """
        answer = self._call(lambda: self._listed(group, version, plural, namespace, name, self._timeout))
        return list(answer["items"]), str(answer["metadata"]["resourceVersion"])

    def watch(
        self, group: str, version: str, plural: str, namespace: str | None, name: str | None, since: str
    ) -> Watch:
        """Begin to watch what happens to the objects after the version `since`.

        Raises WatchExpired when `since` is too old (also later, while the events are read): list again.
        """
        extra = {
            "watch": True,
            "resource_version": since,
            "timeout_seconds": WATCH_SECONDS,
            "allow_watch_bookmarks": True,
            "_preload_content": False,
        }
        limits = (self._timeout, WATCH_SILENCE)
        answer = self._call(lambda: self._listed(group, version, plural, namespace, name, limits, **extra))
        if answer.status >= 400:
            self._call(lambda: _refuse(answer))
        return Watch(answer, self._call)

    def _listed(
        self, group: str, version: str, plural: str, namespace: str | None, name: str | None, timeout: Any, **extra: Any
    ) -> Any:
        if name is not None:
            extra["field_selector"] = f"metadata.name={name}"
        if namespace is None:
            return self._custom.list_custom_object_for_all_namespaces(
                group, version, plural, _request_timeout=timeout, **extra
            )
        return self._custom.list_namespaced_custom_object(
            group, version, namespace, plural, _request_timeout=timeout, **extra
        )

    def _call(self, call: Callable[[], T]) -> T:
        try:
            return call()
        except client.ApiException as error:
            raise translated(error) from error
        except (urllib3.exceptions.HTTPError, OSError) as error:
            sentence = f"the API server at {self.server} cannot be reached: {_cause(error)}"
            raise KubernetesUnreachable(sentence) from error


def _configure(settings: client.Configuration, kubeconfig: str | None, context: str | None) -> str:
    """Fill the settings; returns the context's namespace."""
    chosen = kubeconfig or os.environ.get("KUBECONFIG") or None
    default = Path(kube_config.KUBE_CONFIG_DEFAULT_LOCATION).expanduser()
    try:
        if chosen is None and not default.exists() and context is None and _SERVICE_ACCOUNT.exists():
            config.load_incluster_config(client_configuration=settings)  # type: ignore[no-untyped-call]
            return _SERVICE_ACCOUNT.read_text().strip() or "default"
        # nothing is written back: the file belongs to the user
        config.load_kube_config(chosen, context, settings, persist_config=False)  # type: ignore[no-untyped-call]
        every, active = config.list_kube_config_contexts(chosen)  # type: ignore[no-untyped-call]
    except config.ConfigException as error:
        raise NoKubeconfig(str(error)) from error
    except yaml.YAMLError as error:
        raise NoKubeconfig("it is not YAML") from error
    except (OSError, ValueError, TypeError, KeyError, AttributeError) as error:  # from a loader that met a damaged file
        raise NoKubeconfig(f"it cannot be read ({type(error).__name__}: {error})") from error
    named = next((entry for entry in every if entry["name"] == context), active) if context else active
    return str((named.get("context") or {}).get("namespace") or "default")


def _refuse(answer: Any) -> None:
    raise client.ApiException(http_resp=answer)


def _lines(answer: urllib3.HTTPResponse) -> Iterator[bytes]:
    """The lines of a streamed answer as they come."""
    buffer = b""
    for chunk in answer.stream(amt=None, decode_content=False):
        buffer += chunk
        *complete, buffer = buffer.split(b"\n")
        yield from (line for line in complete if line.strip())


def _event(line: bytes) -> Event:
    try:
        event = json.loads(line)
        kind, body = str(event["type"]), event["object"]
    except (ValueError, KeyError, TypeError) as error:
        raise KubernetesUnreachable("the API server's watch was cut in the middle of a line") from error
    if kind != "ERROR":
        return Event(kind, body)
    code, message = int(body.get("code") or 0), str(body.get("message") or "")
    if code == 410:
        raise WatchExpired(message, status=code)
    if code == 404:
        raise NotFound(message, status=code)
    failure = KubernetesUnreachable if code >= 500 or code == 429 else KubernetesError
    raise failure(f"the watch ended with {code}: {message}", status=code)


def _cause(error: BaseException) -> str:
    """The innermost error in words: what a person can act on."""
    reason = getattr(error, "reason", None)
    if isinstance(reason, BaseException):
        return _cause(reason)
    if isinstance(error, ConnectionRefusedError) or isinstance(error.__cause__, ConnectionRefusedError):
        return "connection refused"
    if isinstance(error, socket.gaierror) or isinstance(error.__cause__, socket.gaierror):
        return "its name cannot be resolved"
    if isinstance(error, urllib3.exceptions.TimeoutError | TimeoutError):
        return "no answer in time"
    return f"{type(error).__name__}: {error}"[:300]
