"""Wiring: kopf's loop, the handlers, metrics and probes, and a clean stop."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import signal
import socket
import uuid
from dataclasses import dataclass

import kopf
from prometheus_client import start_http_server

from neo4j_dr_operator import handlers, probes
from neo4j_dr_operator.api.base import GROUP, VERSION
from neo4j_dr_operator.api.kinds import KINDS
from neo4j_dr_operator.errors import KubernetesError
from neo4j_dr_operator.handlers.memo import Memo
from neo4j_dr_operator.handlers.streams import Streams
from neo4j_dr_operator.kube.client import Kube
from neo4j_dr_operator.metrics import Metrics

log = logging.getLogger(__name__)

KINDS_PAUSE = 2.0
"""Seconds between two looks for kinds that the API server does not serve yet."""


@dataclass(frozen=True)
class Options:
    """How the operator was started. `namespace` None: all of them; a port of 0: none is opened."""

    namespace: str | None = None
    metrics_port: int = 8080
    liveness_port: int = 0


async def serve(options: Options) -> None:
    """Run until SIGTERM or SIGINT; leaves no child process behind."""
    metrics = Metrics()
    if options.metrics_port:
        start_http_server(options.metrics_port, every_address(), registry=metrics.registry)
    kube = Kube()
    memo = Memo(api=kube, metrics=metrics, operator=f"{socket.gethostname()}/{os.getpid()}/{uuid.uuid4().hex[:8]}")
    streams = Streams((kind.plural for kind in KINDS), memo.presence.relisted)
    registry = kopf.OperatorRegistry()
    handlers.register(registry)
    streams.register(registry)
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)

    async def end(**_: object) -> None:
        # kopf has put its signal handlers over ours, and waits 5 s for every task that is left, also its own on `stop`
        stop.set()
        await memo.close()

    kopf.on.cleanup(registry=registry)(end)
    try:
        async with probes.serving(options.liveness_port, streams.not_ready):
            await _kinds_served(kube, stop)
            if not stop.is_set():
                memo.start()
                await kopf.operator(
                    registry=registry,
                    memo=memo,
                    standalone=True,
                    namespaces=[options.namespace] if options.namespace else [],
                    clusterwide=options.namespace is None,
                    stop_flag=stop,
                )
    finally:
        await memo.close()
        kube.close()


def every_address() -> str:
    """What to bind to be reached over IPv6 and IPv4; IPv4 alone where the host lacks IPv6 or keeps them apart."""
    try:
        with socket.socket(socket.AF_INET6, socket.SOCK_STREAM) as tried:
            tried.bind(("::", 0))
            alone = tried.getsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY)
    except OSError:
        return "0.0.0.0"
    return "0.0.0.0" if alone else "::"


async def _kinds_served(kube: Kube, stop: asyncio.Event) -> None:
    """Return when the API server serves every kind, or when `stop` is set.

    kopf would look once and never see a kind that is installed later: it is given no right to watch definitions.
    """
    said = ""
    while not stop.is_set():
        try:
            missing = {kind.plural for kind in KINDS} - await kube.served(GROUP, VERSION)
            reason = f"no CustomResourceDefinition of {', '.join(sorted(missing))}" if missing else ""
        except KubernetesError as error:
            reason = error.message
        if not reason:
            return
        if reason != said:
            log.warning("waiting: %s", reason)
            said = reason
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(stop.wait(), KINDS_PAUSE)
