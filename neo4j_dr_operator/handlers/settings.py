"""How kopf behaves in this operator."""

from __future__ import annotations

import logging
from typing import Any

import kopf


def register(registry: kopf.OperatorRegistry) -> None:
    """Register the start-up handler that sets everything."""
    kopf.on.startup(registry=registry)(configure)


async def configure(settings: kopf.OperatorSettings, **_: Any) -> None:
    """Bounded requests; nothing posted or stored by kopf itself: events are told by the controllers."""
    settings.posting.enabled = False
    settings.posting.level = logging.WARNING
    # definitions and namespaces are not watched: that takes rights over the whole cluster, and nothing follows from it
    settings.scanning.disabled = True
    # a stream that ends in an error takes kopf down, and its way down can hang: then the process is to be started anew
    settings.process.ultimate_exiting_timeout = 20
    settings.networking.request_timeout = 30
    settings.networking.connect_timeout = 5
    settings.persistence.finalizer = "neo4j.neo4j.com/kopf"
