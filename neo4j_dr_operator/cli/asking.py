"""Asking the operator for something by an annotation, as `kubectl rollout restart` does, and following it.

The value is new each time, so that the same line works every time, and tells this request from others in the status.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import TYPE_CHECKING, TypeVar

from neo4j_dr_operator.api.base import GROUP, VERSION
from neo4j_dr_operator.api.kinds import DISASTER_RECOVERY
from neo4j_dr_operator.cli import reading
from neo4j_dr_operator.cli.command import Exit, Failure, Session
from neo4j_dr_operator.cli.raw import Document
from neo4j_dr_operator.cli.watching import Watching

if TYPE_CHECKING:
    from neo4j_dr_operator.kube.user import UserKube

T = TypeVar("T")
TICK = 1.0
"""Seconds between two looks at the time while nothing is seen."""


def chosen(session: Session, kube: UserKube) -> tuple[str, Document]:
    """The namespace, and the resource that is named, or the only one there. Raises Failure."""
    options = session.options
    if options.all_namespaces:
        raise Failure(f"{options.command} speaks of one resource: give -n/--namespace", Exit.USAGE)
    namespace = session.namespace(kube)
    assert namespace is not None
    if options.name is not None:
        return namespace, reading.read_one(kube, namespace, options.name).recovery
    found = [snapshot.recovery for snapshot in reading.read_all(kube, namespace)]
    if not found:
        raise Failure(reading.none_there(namespace))
    if len(found) > 1:
        names = ", ".join(str(each["metadata"]["name"]) for each in found)
        raise Failure(f"which one? There are {names}", Exit.USAGE)
    return namespace, found[0]


def ask(kube: UserKube, namespace: str, name: str, annotation: str, more: str = "") -> str:
    """Set the annotation to a new value, and return it; `more` stands behind the time. Raises KubernetesError."""
    value = datetime.now(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z") + more
    kube.annotate(GROUP, VERSION, DISASTER_RECOVERY.plural, namespace, name, {annotation: value})
    return value


def follow(
    session: Session, kube: UserKube, name: str, look: Callable[[Document], T | None], seconds: float | None
) -> T | None:
    """What `look` finds in the resource as soon as it finds something; None after `seconds`. Raises Failure."""
    watching = Watching(kube, session.namespace(kube), name)
    end = None if seconds is None else time.monotonic() + seconds
    try:
        while True:
            recoveries = watching.view.recoveries
            if recoveries is not None and not recoveries:
                raise Failure(f"{name} is gone")
            found = next((look(body) for body in (recoveries or {}).values()), None)
            if found is not None:
                return found
            if end is not None and time.monotonic() >= end:
                return None
            watching.wait(TICK)
    finally:
        watching.close()
