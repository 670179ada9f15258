"""Where a follower stands: whether its link runs, how far behind it is, whether its copy could take over. Pure.

A follower is never promoted, so it has no part in the machine: nothing here changes who may write. Its link runs
while its source is known to hold nothing but what the active site holds or held: a source that is being filled itself
is no exact copy yet, and one that was deposed may have gone its own way until it has been compared.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from neo4j_dr_operator.api.cluster import ClusterSpec
from neo4j_dr_operator.failover.clocks import age
from neo4j_dr_operator.failover.reseed import HEALED, MENDED
from neo4j_dr_operator.failover.state import ControlState, Site
from neo4j_dr_operator.failover.view import Mark, Seen, SiteView
from neo4j_dr_operator.graph.note import spoken
from neo4j_dr_operator.health.verdict import Verdict
from neo4j_dr_operator.recovery.desired import Body
from neo4j_dr_operator.reporting.causes import Cause
from neo4j_dr_operator.reporting.figures import figures
from neo4j_dr_operator.standbys.secondaries import Follower

LINK_EPOCH = 1
"""The epoch of every follower's link. Nothing ever raises it: an epoch of the pair says who may write, and a follower's
source stays its source. Two workers of one link exclude each other by position and sequence."""

FILLING = ("seeding", "reseeding", "catching-up")
"""States of a link whose target is no exact copy yet."""


@dataclass(frozen=True)
class LinkReport:
    """A follower's link as its worker last reported. Times in seconds since 1970.

    `reason`: None also while what is wrong has not lasted for `replication.retries` attempts. `reseed`: the request for
    which the copy was last filled anew.
    """

    state: str = "waiting"
    position: str | None = None
    heartbeat: float | None = None
    read_at: float | None = None
    caught_up: bool = False
    reason: str | None = None
    message: str = ""
    seed: Mapping[str, Any] | None = None
    figures: Mapping[str, Any] = field(default_factory=dict, compare=False)
    reseed: str | None = None

    @classmethod
    def of(cls, report: Mapping[str, Any]) -> LinkReport:
        """From a worker's report, empty before the first."""
        error, beat = report.get("error") or {}, report.get("heartbeat")
        return cls(
            report.get("state") or "starting",
            report.get("cursor"),
            float(beat) / 1000 if beat else None,
            report.get("readAt"),
            bool(report.get("caughtUp")),
            None if report.get("retrying") else error.get("reason"),
            error.get("message") or "",
            report.get("seed"),
            figures(report),
            report.get("reseed"),
        )


@dataclass(frozen=True)
class Source:
    """What a follower follows. `usable`: whether its stream may be read; `trouble`: what is wrong with it, if anything.

    `lag`: how far behind the active site it is itself, in seconds; None while that is not known.
    """

    name: str
    usable: bool
    trouble: Cause | None = None
    lag: float | None = None


@dataclass(frozen=True)
class Moment:
    """What the pair says at one moment. `lag`: of its standby; `rpo`, `lag` and `wall` in seconds.

    `reseed`: whether a copy that has lost its place may be filled anew by itself.
    """

    state: ControlState
    seen: Seen
    lag: float | None
    beating: bool
    wall: float
    rpo: float | None
    reseed: bool = False


@dataclass(frozen=True)
class FollowerView:
    """All that is seen of one follower. `problem`: what keeps its cluster from being reached, or was refused there."""

    follower: Follower
    site: SiteView = field(default_factory=SiteView)
    link: LinkReport | None = None
    problem: Cause | None = None


@dataclass(frozen=True)
class Standing:
    """What follows from it.

    `mark`: whether its site node has to be written; `run`: whether its link should run; `renew`: whether its copy is to
    be filled anew.

    `ready`: it is an exact copy, no further behind than the RPO allows, and its source answers. `lag`: seconds behind
    the active site, None while unknown; `exact`: whether others may follow it.
    """

    state: str
    mark: bool
    run: bool
    exact: bool
    ready: bool
    reason: str
    message: str
    lag: float | None = None
    renew: bool = False


@dataclass(frozen=True)
class Stood:
    """One follower as it was found, with its cluster as last seen and the address in use (empty: not known)."""

    view: FollowerView
    standing: Standing
    cluster: tuple[Body, ClusterSpec] | None = None
    address: str = ""

    @property
    def follower(self) -> Follower:
        """Which one it is."""
        return self.view.follower


def source_site(site: Site, state: ControlState, seen: Seen, lag: float | None) -> Source:
    """One of the two sites as a source; `lag`: that of the pair's standby."""
    view = seen.sites[site]
    if state.epoch == 0:
        return Source(site, False, ("Pending", "nothing has been adopted yet"))
    gone = ("SourceDown", f"{site}: {view.evidence}") if view.verdict is Verdict.DOWN else None
    if site == state.active:
        return Source(site, True, gone, 0.0)
    match state.standby:
        case "following" | "joining":
            return Source(site, True, gone, lag)
        case "seed":
            return Source(site, False, ("SourceSeeding", f"{site} is being filled and is no exact copy yet"))
        case "returning":
            return Source(site, False, ("SourceReturning", f"{site} has not been compared with {state.active} yet"))
        case "restored":
            return Source(site, False, ("SourceRestored", f"{site}: {state.standby_reason.partition(': ')[2]}"))
        case _:
            return Source(site, False, ("SourceDiverged", f"{site}: {state.standby_reason}"))


def source_follower(view: FollowerView, standing: Standing) -> Source:
    """Another follower as a source."""
    name = view.follower.name
    trouble: Cause | None = None
    if view.site.verdict is Verdict.DOWN:
        trouble = ("SourceDown", f"{name}: {view.site.evidence}")
    elif not standing.exact:
        trouble = ("SourceSeeding", f"{name} is no exact copy yet: {standing.message}")
    elif not standing.ready:
        trouble = ("SourceNotReady", f"{name}: {standing.reason}: {standing.message}")
    return Source(name, standing.exact, trouble, standing.lag)


def lag_of(link: LinkReport | None, source: Source, beating: bool, wall: float) -> float | None:
    """Seconds between now and the moment up to which a follower holds everything of the *active* site; None: unknown.

    While heartbeats are written there (`beating`) it is the age of the newest one that has come down the cascade: the
    link node of each standby carries it on. Else it is the source's own lag, once everything of the source was applied.
    """
    if link is None or link.state != "streaming":
        return None
    if beating and link.heartbeat is not None:
        return age(link.heartbeat, wall)
    if not beating and link.caught_up and link.read_at is not None and source.lag is not None:
        seen = age(link.read_at, wall)
        return None if seen is None else source.lag + seen
    return None


def stand(view: FollowerView, source: Source, at: Moment, dr: str) -> Standing:
    """Where a follower stands; `dr` is the resource as its databases know it."""
    state, site, link, mark = at.state, view.site, view.link, view.site.mark
    exact = _exact(link, mark)
    told = link.state if link is not None else "waiting"
    refused = _refused(view, dr)
    if refused is not None:
        return Standing("refused", False, False, False, False, *refused)
    known = mark is not None
    write = known and state.epoch > 0 and site.verdict is Verdict.UP
    write = write and (mark is not None and (mark.role == "absent" or mark.epoch < state.epoch))
    run = source.usable and known and mark is not None and mark.role != "absent"
    lag = lag_of(link, source, at.beating, at.wall)
    reason, message = _reason(view, source, exact, lag, at.rpo)
    lost = link is not None and link.state == "failed" and link.reason in HEALED
    renew = run and lost and (at.reseed or not exact)
    return Standing(told if run else "waiting", write, run, exact, reason == "Following", reason, message, lag, renew)


def _exact(link: LinkReport | None, mark: Mark | None) -> bool:
    """Whether it is the source as it was after some transaction; a worker at work knows better than the last probe."""
    if link is not None and link.state in ("streaming", *FILLING):
        return link.state == "streaming"
    return mark is not None and mark.inbound_phase == "streaming"


def _refused(view: FollowerView, dr: str) -> Cause | None:
    """Why nothing may be written to a follower's database, or None."""
    name, mark, survey = view.follower.name, view.site.mark, view.site.survey
    if mark is None:
        return None
    if mark.dr not in (None, dr):
        return "OwnedByAnother", f"the database of {name} belongs to {mark.dr}; nothing is touched"
    if mark.role == "primary" or mark.site not in (None, name):
        return "OtherStandby", f"the database of {name} is the one of {mark.site} in this resource; nothing is touched"
    if mark.restore is not None:
        held = f"the database of {name} holds what restore {spoken(mark.restore.name)} has put there"
        return "Restored", f"{held}; to have it filled anew, empty it"
    if mark.role == "absent" and survey is not None and not survey.empty:
        return "TargetNotEmpty", f"the database of {name} holds data, and only an empty one is filled; {_EMPTY}"
    others = [link for link in mark.links if link != view.follower.link]
    if mark.inbound_phase is None and others:
        return (
            "SourceChanged",
            f"the database of {name} is filled by {others[0]}, and cannot go on from another source; {_EMPTY}",
        )
    return None


_EMPTY = "empty it, name another cluster, or put the resource back: what it holds is never overwritten"


def _reason(view: FollowerView, source: Source, exact: bool, lag: float | None, rpo: float | None) -> tuple[str, str]:
    """Of everything that is wrong, what has to be mended first; `Following` when nothing is."""
    name, site, link = view.follower.name, view.site, view.link
    if view.problem is not None:
        return view.problem
    if site.verdict is not Verdict.UP and site.reason:
        return site.reason, site.evidence
    if site.verdict is not Verdict.UP:
        return "Unknown", f"{name}: {site.evidence}"
    if link is not None and link.reason == "SourceUnreachable" and source.usable:
        return "SourceDown", f"{source.name}: {link.message}"
    if source.trouble is not None:
        return source.trouble
    if link is not None and link.reason in MENDED:
        by_itself = "set spec.replication.reseed: automatic, or " if link.reason in HEALED else ""
        return link.reason or "", f"{link.message}; {by_itself}empty the database of {name} to have it filled anew"
    if link is not None and link.reason is not None:
        return link.reason, link.message
    if link is None:
        return "Starting", f"the link from {source.name} is being started"
    if not exact or link.state != "streaming":
        return link.state.title().replace("-", ""), f"the link from {source.name} is {link.state}"
    if rpo is not None and lag is not None and lag > rpo:
        return "LagAboveRPO", f"it lags by more than the {rpo:g} s allowed"
    return "Following", f"an exact copy, behind {source.name}; it does not take over by itself"
