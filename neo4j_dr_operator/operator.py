"""Wiring: kopf's loop, the handlers, the metrics endpoint, and a clean stop."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import socket
import uuid
from dataclasses import dataclass

import kopf
from prometheus_client import start_http_server

from neo4j_dr_operator import handlers
from neo4j_dr_operator.handlers.memo import Memo
from neo4j_dr_operator.kube.client import Kube
from neo4j_dr_operator.metrics import Metrics

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Options:
    """How the operator was started. `namespace` None: all of them; `metrics_port` 0: no metrics."""

    namespace: str | None = None
    metrics_port: int = 8080
    liveness_port: int = 0


async def serve(options: Options) -> None:
    """Run until SIGTERM or SIGINT; leaves no child process behind."""
    metrics = Metrics()
    if options.metrics_port:
        start_http_server(options.metrics_port, registry=metrics.registry)
    memo = Memo(api=Kube(), metrics=metrics, operator=f"{socket.gethostname()}/{os.getpid()}/{uuid.uuid4().hex[:8]}")
    registry = kopf.OperatorRegistry()
    handlers.register(registry)
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    try:
        await kopf.operator(
            registry=registry,
            memo=memo,
            standalone=True,
            namespaces=[options.namespace] if options.namespace else [],
            clusterwide=options.namespace is None,
            liveness_endpoint=f"http://0.0.0.0:{options.liveness_port}/healthz" if options.liveness_port else None,
            stop_flag=stop,
        )
    finally:
        await memo.close()
