"""What a comparison found, for people and for programs. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import orjson

from neo4j_dr_operator.cli.document import API_VERSION
from neo4j_dr_operator.cli.text import Line, Span, clip, count, span_of_time
from neo4j_dr_operator.verify import states
from neo4j_dr_operator.verify.states import Aspect
from neo4j_dr_operator.verify.verdict import Difference, Place, Verdict

LONGEST = 60
"""Columns of a value that is shown."""


def lines(verdict: Verdict, *, values: bool) -> list[Line]:
    """The verdict for a terminal. ``values``: show the values of properties, not only their types."""
    word = Span("EQUAL", "good") if verdict.equal else Span("DIFFERENT", "bad")
    when = (
        f"at transaction {verdict.transaction:,}"
        if verdict.complete
        else f"by transaction {verdict.last_transaction:,}"
    )
    made: list[Line] = [
        (word, Span(f"   {verdict.primary.name} and {verdict.standby.name} {when}")),
        *(_row(name, text) for name, text in _facts(verdict)),
    ]
    for difference in verdict.differences:
        made += [(), *_shown(difference, values)]
    if not verdict.complete:
        made += [
            (),
            (Span(f"ended after {count(len(verdict.differences), 'difference')}; --limit shows more", "warn"),),
        ]
    return made


def _row(name: str, text: str) -> Line:
    return Span(f"{name:<12}", "dim"), Span(text)


def _facts(verdict: Verdict) -> Iterable[tuple[str, str]]:
    for role, place in (("Primary", verdict.primary), ("Standby", verdict.standby)):
        yield role, f"{place.name}   {place.address}"
    stopped = "; it does not move: compared where it stands" if verdict.stopped else ""
    yield "Link", f"{verdict.link}, epoch {verdict.epoch}{stopped}"
    elements = verdict.nodes + verdict.relationships
    schema = ", constraints and indexes" if verdict.schema and verdict.complete else ""
    what = f"{count(verdict.nodes, 'node')}, {count(verdict.relationships, 'relationship')}{schema}"
    rate = f", {elements / verdict.seconds:,.0f} elements/s" if elements and verdict.seconds else ""
    yield "Compared", f"{what} in {span_of_time(verdict.seconds)}{rate}"
    if verdict.rechecked:
        yield "Meanwhile", f"{count(verdict.rechecked, 'element')} looked at again, by the primary's change stream"
    if verdict.later:
        later = f"changed again while looked at: compared at a later transaction, up to {verdict.last_transaction:,}"
        yield "Later", f"{count(verdict.later, 'element')} {later}"


def _shown(difference: Difference, values: bool) -> Iterable[Line]:
    graph = difference.subject in ("node", "relationship")
    names = "".join(f":{name}" for name in difference.names) if graph else difference.primary or difference.standby
    which = {
        "missing": "missing on the standby",
        "extra": "only on the standby",
        "differs": "not the same",
    }[difference.which]
    why = f": {difference.why}" if difference.why else ""
    yield Span(f"{difference.subject} {clip(names, LONGEST)}", "bold"), Span(f"   {which}{why}", "bad")
    if graph:
        ids = (("primary", difference.primary), ("standby", difference.standby))
        yield (Span("   " + "   ".join(f"{side} {id_}" for side, id_ in ids if id_), "dim"),)
    else:
        yield (Span(f"   {difference.names[0]}", "dim"),)
    for aspect in difference.aspects:
        what = f"property {clip(aspect.name, LONGEST)}" if aspect.what == "property" and graph else aspect.what
        here, there = (_value(aspect, side, values or not graph) for side in (aspect.primary, aspect.standby))
        yield (Span(f"   {what}: {here} on the primary, {there} on the standby"),)


def _value(aspect: Aspect, value: Any, values: bool) -> str:
    if aspect.what != "property":
        return clip(", ".join(map(str, value)) if isinstance(value, list) else str(value), LONGEST) or "none"
    kind = states.type_name(value)
    return f"{kind} {clip(states.text(value).decode(), LONGEST)}" if values and value is not None else kind


def report(verdict: Verdict, *, values: bool) -> dict[str, Any]:
    """The document: kind VerificationReport. Values are in it only if asked for, in the form of the archive's."""
    return {
        "apiVersion": API_VERSION,
        "kind": "VerificationReport",
        "equal": verdict.equal,
        "complete": verdict.complete,
        "position": {
            "transaction": verdict.transaction,
            "lastTransaction": verdict.last_transaction,
            "identifier": verdict.position,
        },
        "link": {"name": verdict.link, "epoch": verdict.epoch, "stopped": verdict.stopped},
        "primary": _place(verdict.primary),
        "standby": _place(verdict.standby),
        "compared": {
            "nodes": verdict.nodes,
            "relationships": verdict.relationships,
            "schema": verdict.schema and verdict.complete,
            "again": verdict.rechecked,
            "later": verdict.later,
            "seconds": round(verdict.seconds, 3),
        },
        "differences": [_told(difference, values) for difference in verdict.differences],
    }


def _place(place: Place) -> dict[str, str]:
    return {"cluster": place.name, "address": place.address, "database": place.database}


def _told(difference: Difference, values: bool) -> dict[str, Any]:
    return {
        "subject": difference.subject,
        "which": difference.which,
        "primary": difference.primary or None,
        "standby": difference.standby or None,
        "names": list(difference.names),
        "why": difference.why or None,
        "aspects": [_aspect(aspect, values) for aspect in difference.aspects],
    }


def _aspect(aspect: Aspect, values: bool) -> dict[str, Any]:
    told: dict[str, Any] = {"what": aspect.what, "name": aspect.name or None}
    if aspect.what != "property":
        return told | {"primary": aspect.primary, "standby": aspect.standby}
    told |= {"primaryType": states.type_name(aspect.primary), "standbyType": states.type_name(aspect.standby)}
    if values:
        told |= {side: orjson.loads(states.text(getattr(aspect, side))) for side in ("primary", "standby")}
    return told
