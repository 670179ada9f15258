"""What kopf's watch streams have heard from the API server: the ground of the readiness probe.

kopf tells nobody when a listing is over, so its requests are observed from the HTTP session that it is given.
"""

from __future__ import annotations

import asyncio
import dataclasses
import logging
import os
import time
from collections.abc import Callable, Iterable
from types import SimpleNamespace
from typing import Any

import aiohttp
import kopf

from neo4j_dr_operator.api.base import GROUP, VERSION

log = logging.getLogger(__name__)

ASK_AFTER = 5.0
"""Seconds without an answer after which the API server is asked; streams at rest hear from it once a minute only."""
ASK_TIMEOUT = 3.0
SILENCE = 15.0
"""Seconds without an answer after which the operator is not ready."""


def why_not_ready(unlisted: Iterable[str], silence: float | None) -> str | None:
    """One sentence saying why the operator is not ready, None when it is.

    `unlisted`: kinds (plural) not listed yet. `silence`: seconds since the API server answered, None for never.
    """
    if silence is None:
        return "the API server has not answered yet"
    missing = sorted(unlisted)
    if missing:
        return f"not listed yet: {', '.join(missing)}"
    if silence > SILENCE:
        return f"the API server has not answered for {silence:.0f} s"
    return None


def in_pod(found: kopf.ConnectionInfo | None) -> kopf.ConnectionInfo | None:
    """The API server by the address that every pod has in its environment: a name would need the cluster's DNS."""
    host, port = os.environ.get("KUBERNETES_SERVICE_HOST"), os.environ.get("KUBERNETES_SERVICE_PORT")
    if found is None or not host or not port:
        return found
    return dataclasses.replace(found, server=f"https://{f'[{host}]' if ':' in host else host}:{port}")


def anonymous(found: kopf.ConnectionInfo) -> bool:
    """Whether kopf read no credentials outside of a pod: it passes over `exec` and `tokenFile` of a kubeconfig."""
    known = (found.token, found.username, found.certificate_path, found.certificate_data)
    return not any(known) and not os.environ.get("KUBERNETES_SERVICE_HOST")


def signed_in(found: kopf.ConnectionInfo, **kwargs: Any) -> kopf.ConnectionInfo:
    """With the credentials that the official client makes of the kubeconfig, now: runs its plugin. Blocks."""
    made = kopf.login_via_client(**kwargs)
    if made is None:
        return found
    names = ("scheme", "token", "certificate_path", "private_key_path")
    return dataclasses.replace(found, **{name: getattr(made, name) for name in names})


class Streams:
    """The session of kopf's requests, and what was seen on it."""

    def __init__(self, plurals: Iterable[str], relisted: Callable[[str], None] = lambda _: None) -> None:
        """`plurals`: the kinds that have to be listed; `relisted` is called with one that is listed once more."""
        self._path = f"/apis/{GROUP}/{VERSION}"
        self._kinds, self._relisted = frozenset(plurals), relisted
        self._unlisted = set(self._kinds)
        self._answered: float | None = None
        self._server = ""
        self._session: aiohttp.ClientSession | None = None

    def register(self, registry: kopf.OperatorRegistry) -> None:
        """Give kopf its session; it asks again when the API server refuses the credentials (a token has expired)."""
        kopf.on.login(registry=registry)(self.login)

    async def login(self, **kwargs: Any) -> kopf.AiohttpSession | None:
        """The kubeconfig as usual (`KUBECONFIG`, then the default file), else the pod's service account."""
        found = kopf.login_with_kubeconfig(**kwargs) or in_pod(kopf.login_with_service_account(**kwargs))
        if found is None:
            return None
        if anonymous(found):  # a plugin of a cloud may take seconds
            found = await asyncio.to_thread(signed_in, found, **kwargs)
        trace = aiohttp.TraceConfig()
        trace.on_request_end.append(self._ended)
        self._server = found.server
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=0, ssl=found.as_ssl_context()),
            headers=found.as_http_headers(),
            proxy=found.proxy_url,
            trust_env=found.trust_env,
            trace_configs=[trace],
        )
        return kopf.AiohttpSession(
            server=found.server, default_namespace=found.default_namespace, aiohttp_session=self._session
        )

    async def _ended(
        self, session: aiohttp.ClientSession, context: SimpleNamespace, request: aiohttp.TraceRequestEndParams
    ) -> None:
        if request.response.status != 200:
            return
        self._answered = time.monotonic()
        *_, last = request.url.path.split("/")
        if last not in self._kinds or self._path not in request.url.path or "watch" in request.url.query:
            return
        if last not in self._unlisted and "continue" not in request.url.query:
            self._relisted(last)
        self._unlisted.discard(last)

    async def not_ready(self) -> str | None:
        """See `why_not_ready`; asks the API server first where it has been silent for `ASK_AFTER` seconds."""
        if self._answered is not None and time.monotonic() - self._answered > ASK_AFTER:
            await self._ask()
        silence = None if self._answered is None else time.monotonic() - self._answered
        return why_not_ready(self._unlisted, silence)

    async def _ask(self) -> None:
        """Read the discovery document of the group: valid credentials are enough. `_ended` notes the answer."""
        if self._session is None or self._session.closed:
            return
        try:
            url, limit = f"{self._server}{self._path}", aiohttp.ClientTimeout(total=ASK_TIMEOUT)
            async with self._session.get(url, timeout=limit) as answer:
                await answer.read()
        except (aiohttp.ClientError, TimeoutError) as error:
            log.debug("the API server does not answer: %s", type(error).__name__)
