"""kopf handlers, one thin module a kind; nothing is decided here.

Only event handlers are used: they are level-triggered, leave no annotation and no finalizer on anybody's resource, so
that nothing leaks into one (P8) and no deletion ever waits for the operator (P7).
"""

from __future__ import annotations

import kopf

from neo4j_dr_operator.handlers import cluster, disaster_recovery, restore, settings


def register(registry: kopf.OperatorRegistry) -> None:
    """Register every handler of the operator."""
    for module in (settings, cluster, disaster_recovery, restore):
        module.register(registry)
