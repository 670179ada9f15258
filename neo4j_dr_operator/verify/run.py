"""One comparison from its beginning to its verdict."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from neo4j_dr_operator.graph.bolt import Endpoint
from neo4j_dr_operator.graph.cypher import LINK
from neo4j_dr_operator.replication import link
from neo4j_dr_operator.replication.link import LinkState
from neo4j_dr_operator.verify import stream
from neo4j_dr_operator.verify.follow import Followed
from neo4j_dr_operator.verify.live import Live, Stopped
from neo4j_dr_operator.verify.pace import Pace, Progress
from neo4j_dr_operator.verify.pairs import Enough, Pairing
from neo4j_dr_operator.verify.schema import PATIENCE, compare_schemas
from neo4j_dr_operator.verify.side import Side
from neo4j_dr_operator.verify.stopped import Moved, Standing
from neo4j_dr_operator.verify.verdict import CannotCompare, Verdict

TURNS = 4
"""Times that the way of comparing changes because the link stops or goes on."""
_LINKS = f"MATCH (l:{LINK}) RETURN collect(properties(l)), collect(split(elementId(l), ':')[1])"


@dataclass(frozen=True, slots=True)
class Options:
    """``limit``: differences after which it ends. ``rate``: elements a second at most, None for as fast as it goes.

    Seconds: ``reconnect`` for which a lost database is tried again, ``patience`` without a move after which the link
    counts as stopped, ``schema_patience`` in which a changed schema has to be carried over; ``schema``: whether it is
    compared at all.
    """

    limit: int = 20
    rate: float | None = None
    reconnect: float = 15.0
    patience: float = 10.0
    schema: bool = True
    schema_patience: float = PATIENCE


def verify(
    ends: Mapping[str, Endpoint],
    options: Options | None = None,
    tell: Callable[[Progress], None] = lambda _: None,
    standby: str | None = None,
) -> Verdict:
    """Compare the graphs of two databases that a link connects; nothing is written to either.

    ``ends``: databases by the names that people know them by. ``standby`` names the one whose source is then found
    among the others; without it the link is found, in whichever direction. Raises :class:`CannotCompare`: no link, one
    that does not stream, a database that cannot be reached for long.
    """
    options = options or Options()
    began = time.monotonic()
    sides = [Side(name, endpoint, options.reconnect) for name, endpoint in ends.items()]
    try:
        source, target, state = _roles(sides, standby)
        verdict = _compare(source, target, state, options, Pace(options.rate, tell))
    finally:
        for side in sides:
            side.close()
    verdict.seconds = time.monotonic() - began
    return verdict


def _roles(sides: Sequence[Side], standby: str | None) -> tuple[Side, Side, LinkState]:
    """The source and the target of the link that counts, and its state."""
    found = [(state, side) for side in sides if standby in (None, side.name) for state in _links(side)]
    if not found:
        who = f"{standby} is no standby" if standby else "none of these databases is a standby"
        raise CannotCompare(f"{who}: nothing is copied to it")
    state, target = max(found, key=lambda each: (each[0].epoch, each[0].phase == link.STREAMING))
    if state.phase != link.STREAMING:
        hint = {
            link.FROZEN: "the standby was promoted, and nothing follows it yet",
            link.HANDOVER: "the link is being turned round",
        }.get(state.phase, "the standby is not a whole copy yet")
        raise CannotCompare(f"link {state.link} is in phase {state.phase}: {hint}")
    target.identity = state.target_db
    for side in sides:
        if side is not target:
            side.identity = stream.current(side).database
            if side.identity == state.source_db:
                return side, target, state
    raise CannotCompare(f"link {state.link} in {target.name} was made from a database that is not among these")


def _links(side: Side) -> list[LinkState]:
    """The links of which a database is the standby; a copy of its files has links too, which are not its own."""
    every: list[dict[str, Any]]
    every, holders = side.row(_LINKS)
    states = [LinkState.of(properties) for properties in every]
    return [state for state, holder in zip(states, holders, strict=True) if state.target_db in ("", holder)]


def _compare(primary: Side, standby: Side, state: LinkState, options: Options, pace: Pace) -> Verdict:
    standing = False
    for _ in range(TURNS):
        verdict = Verdict(primary.place, standby.place, state.link, state.epoch, schema=options.schema)
        pairing = Pairing(primary, standby, Followed(standby, state.link), pace, options.limit, verdict)
        try:
            if standing:
                Standing(pairing).run()
            else:
                Live(pairing, options.patience).run()
            if options.schema:
                compare_schemas(pairing, 0.0 if standing else options.schema_patience)
        except Stopped:
            standing = True
            continue
        except Moved:
            standing = False
            continue
        except Enough:
            verdict.complete = False
        verdict.nodes, verdict.relationships = pairing.seen["node"], pairing.seen["relationship"]
        return verdict
    raise CannotCompare(f"link {state.link} stops and goes on by turns; see why with 'status', and run it again")
