"""A site that a restore has taken: no link runs into it or out of it and nothing promotes it until people say so. Pure.

Two things tell of it: the hold of a restore that this operator carries out, and the note in the database, which
outlives every operator. What stands in a restored standby is a graph of another time, so it is no prefix of anything;
it becomes a standby again by the request `sync.reseed`, which names the restore that it ends: another one that comes
later is not ended by it. A request that would promote it is refused, an emergency as well.
"""

from __future__ import annotations

from dataclasses import replace

from neo4j_dr_operator.failover.actions import Decision
from neo4j_dr_operator.failover.reseed import line
from neo4j_dr_operator.failover.state import ControlState, Site
from neo4j_dr_operator.failover.view import RestoreMark, Seen
from neo4j_dr_operator.graph.note import spoken

RESTORED, UNDER_WAY = "Restored", "RestoreUnderWay"
LINK_REASONS = (RESTORED, UNDER_WAY)
"""What a link's worker says of a target that a restore has taken."""


def noted(state: ControlState, seen: Seen, site: Site) -> RestoreMark | None:
    """The restore whose note stands in a site, unless replication has been resumed over it."""
    mark = seen.sites[site].mark
    found = mark.restore if mark is not None else None
    return None if found is None or found.name == state.resumed else found


def taken(state: ControlState, seen: Seen, dr: str) -> ControlState:
    """The state in which the standby is what the note in it says; `dr` is the resource. Only while nothing is changed
    about who is active."""
    site = state.standby_site
    note, mark = noted(state, seen, site), seen.sites[site].mark
    if note is None:
        emptied = state.standby == "restored" and mark is not None and mark.restore is None
        update = {"standby": "seed", "standby_reason": "", "restored": ""}
        return state.model_copy(update=update) if emptied else state
    told = _sentence(note, site, dr.rpartition("/")[2])
    if (state.standby, state.restored, state.standby_reason) == ("restored", note.name, told):
        return state
    update = {"standby": "restored", "restored": note.name, "standby_reason": told}
    return state.model_copy(update={**update, "synced": None, "sync": None, "reseed": None})


def _sentence(note: RestoreMark, site: Site, name: str) -> str:
    resume = f"to have it follow again: {line(name, site)}"
    if note.complete:
        return f"{RESTORED}: {site} holds what restore {spoken(note.name)} has put there, and follows nobody; {resume}"
    return (
        f"{UNDER_WAY}: restore {spoken(note.name)} has begun in {site} and has not ended; when it has, or is given up "
        f"(its Neo4jRestore deleted), {resume}"
    )


def told(state: ControlState) -> tuple[str, str]:
    """Reason and sentence of a standby that is restored."""
    reason, _, sentence = state.standby_reason.partition(": ")
    return reason, sentence


def at_work(state: ControlState, seen: Seen, site: Site) -> str | None:
    """`Reason: sentence` while a restore has a site in hand."""
    note = noted(state, seen, site)
    name = seen.held.get(site) or (note.name if note is not None and not note.complete else None)
    return None if name is None else f"{UNDER_WAY}: restore {spoken(name)} is carried out in {site}"


def standby_limitation(state: ControlState, seen: Seen) -> str | None:
    """Why the standby must not be promoted, whoever asks: `Reason: sentence`, or None."""
    site = state.standby_site
    if state.standby == "restored":
        return state.standby_reason
    note, link = noted(state, seen, site), seen.link
    if note is not None and state.ticket is None:
        return f"{RESTORED}: {site} holds what restore {spoken(note.name)} has put there"
    if link is not None and link.target == site and link.reason in LINK_REASONS and state.ticket is None:
        return f"{link.reason}: {link.message}"
    return at_work(state, seen, site)


def active_limitation(state: ControlState, seen: Seen) -> str | None:
    """Why nothing but an emergency may take over from the active site: it was restored, and the standby was not."""
    note = noted(state, seen, state.active)
    if note is not None and note.complete:
        return (
            f"SourceRestored: {state.active} holds what restore {spoken(note.name)} has put there, and "
            f"{state.standby_site} what was there before"
        )
    return at_work(state, seen, state.active)


def halted(decision: Decision, seen: Seen) -> Decision:
    """The decision without its link where a restore has one of its ends in hand.

    Not in the middle of a change of the active site: a restore waits for its end before it holds anything.
    """
    state, link = decision.state, decision.link
    if link is None or not steps_aside(state):
        return decision
    why = at_work(state, seen, link.target) or at_work(state, seen, link.source)
    return decision if why is None else replace(decision, link=None, why=why)


def steps_aside(state: ControlState) -> bool:
    """Whether the links of a resource end when a restore holds one of its clusters."""
    return state.operation is None or state.operation.step in ("Detected", "Requested")
