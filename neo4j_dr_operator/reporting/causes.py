"""Why a resource is not ready: of everything that is wrong, what has to be mended first. Pure.

A reason is one word and names the fault itself (`AuthenticationFailed`), never only its effect, so that the same word
stands in the condition, in the event and in `docs/troubleshooting.md`.
"""

from __future__ import annotations

from neo4j_dr_operator.failover.state import SITES, ControlState, Site
from neo4j_dr_operator.failover.view import LinkView, Seen
from neo4j_dr_operator.health.verdict import Verdict

Cause = tuple[str, str]
"""A reason and a sentence."""

DECIDED = (
    "OwnedByAnother",
    "OtherStandby",
    "SameDatabase",
    "TargetNotEmpty",
    "ChangeCaptureDisabled",
    "Restored",
    "RestoreUnderWay",
)
"""Refusals of the machine, which are the first word of its sentence."""
PASSING = ("Stale",)
"""What a link reports while it is being brought to another epoch."""


def refused(why: str) -> Cause | None:
    """The refusal that a decision's sentence begins with, if it does."""
    reason, colon, sentence = why.partition(": ")
    return (reason, sentence) if colon and reason in DECIDED else None


def of_site(site: Site, seen: Seen) -> Cause | None:
    """What is wrong with one site: what leads to it, else what its probes fail with."""
    if site in seen.unresolved:
        return seen.unresolved[site]
    view = seen.sites[site]
    if view.verdict is Verdict.UP or not view.reason:
        return None
    return view.reason, view.evidence


def of_link(state: ControlState, seen: Seen) -> Cause | None:
    """What the link of this epoch cannot go on for."""
    link: LinkView | None = seen.link
    if link is None or link.reason is None or link.reason in PASSING:
        return None
    return (link.reason, link.message) if (link.source, link.epoch) == (state.active, state.epoch) else None


def cause(state: ControlState, seen: Seen, why: str) -> Cause | None:
    """What keeps the resource from being ready, or None: then it is, or is on its way there.

    What was found wrong with a site itself comes before what a link through it reports; the primary comes first.
    """
    decided = refused(why)
    if decided is not None:
        return decided
    order = SITES if state.epoch == 0 else (state.active, state.standby_site)
    for site in order:
        found = of_site(site, seen)
        if found is not None and (state.epoch == 0 or site == state.active):
            return found
    if "witness" in seen.unresolved:
        return seen.unresolved["witness"]
    if state.epoch == 0:
        return None
    standby = of_site(state.standby_site, seen) if state.standby in ("seed", "following", "joining") else None
    return standby or of_link(state, seen) or seen.blocked
