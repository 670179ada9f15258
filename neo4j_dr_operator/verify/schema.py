"""Constraints and indexes of both sides, which the link carries over beside the data, now and then."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Mapping

from neo4j_dr_operator.replication import schema
from neo4j_dr_operator.replication.schema import Rule
from neo4j_dr_operator.verify.pace import Progress
from neo4j_dr_operator.verify.pairs import Pairing
from neo4j_dr_operator.verify.states import Aspect
from neo4j_dr_operator.verify.verdict import Difference, Subject

PATIENCE = schema.PERIOD + 10.0
"""Seconds in which a link that works carries a change of the schema over."""
POLL = 1.0


def compare_schemas(pairing: Pairing, patience: float) -> None:
    """Add what differs after ``patience`` seconds at most. Raises :class:`~.pairs.Enough`, CannotCompare."""
    end, waiting = time.monotonic() + patience, threading.Event()
    while True:
        primary, standby = (side.ask(schema.rules) for side in (pairing.primary, pairing.standby))
        if primary == standby or time.monotonic() >= end:
            break
        pairing.pace.tell(Progress("waiting for constraints and indexes"))
        waiting.wait(POLL)
    for difference in differences(primary, standby):
        pairing.found(difference)


def differences(primary: Mapping[str, Rule], standby: Mapping[str, Rule]) -> Iterator[Difference]:
    """What differs between two schemas, constraints first, by name (pure)."""
    every = {**standby, **primary}
    for name, rule in sorted(every.items(), key=lambda item: (item[1].kind != "CONSTRAINT", item[0])):
        here, there = primary.get(name), standby.get(name)
        if here == there:
            continue
        subject: Subject = "constraint" if rule.kind == "CONSTRAINT" else "index"
        if here is None or there is None:
            which, names = ("extra" if here is None else "missing"), (rule.statement,)
            yield Difference(subject, which, name if here else "", name if there else "", names)  # type: ignore[arg-type]
        else:
            aspect = Aspect("property", "statement", here.statement, there.statement)
            yield Difference(subject, "differs", name, name, (here.statement,), (aspect,))
