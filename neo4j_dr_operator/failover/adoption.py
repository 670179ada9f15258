"""Taking over what is already there: the highest epoch wins; no spec decides while any epoch is known (P7). Pure."""

from __future__ import annotations

from typing import Literal

from neo4j_dr_operator.failover.actions import Decision
from neo4j_dr_operator.failover.state import SITES, ControlState, Site, other
from neo4j_dr_operator.failover.view import Desired, Mark, Seen
from neo4j_dr_operator.health.verdict import Verdict


def foreign(seen: Seen, dr: str) -> str | None:
    """Why nothing may be touched: a database that belongs to another resource, or None."""
    for site in SITES:
        mark = seen.sites[site].mark
        if mark is not None and mark.dr not in (None, dr):
            return f"OwnedByAnother: the database of {site} belongs to {mark.dr}; nothing is touched"
        if mark is not None and mark.site not in (None, *SITES):
            return f"OtherStandby: the database of {site} is the one of standby {mark.site}; {_FIRST}"
    return None


def unfit(seen: Seen) -> str | None:
    """Why two databases without a history must not be paired, or None. Nothing has been written to either so far."""
    first, second = (seen.sites[site].survey for site in SITES)
    if first is None or second is None:
        return "Adopting: looking at what the databases hold"
    if first.database and first.database == second.database:
        return f"SameDatabase: both clusters are one database, or one is a copy of the other's files; {_TWO}"
    if not second.empty:
        return f"TargetNotEmpty: {not_empty('secondary')}"
    for site, survey in zip(SITES, (first, second), strict=True):
        if not survey.capture:
            return f"ChangeCaptureDisabled: the database of {site} has no change data capture; {_CAPTURE}"
    return None


def not_empty(site: Site) -> str:
    """The sentence for a standby that would have to be overwritten."""
    return (
        f"the database of {site} holds data, and only an empty one is filled; empty it, or name another cluster: "
        "what it holds is never overwritten"
    )


_FIRST = (
    "the standby that takes over cannot be exchanged: give the one that it was before the lowest priority number, or "
    "empty the database"
)
_TWO = "let primaryClusterRef and secondaryClusterRef lead to two databases: look at spec.external.uri of both clusters"
_CAPTURE = "use Neo4j Enterprise 5.23 or newer, which the operator lets record its changes"


def replaced(state: ControlState, seen: Seen) -> ControlState:
    """The state in which a site that was active once is to be filled, where an empty database has taken its place.

    There is nothing to compare and nothing to lose. What opened the epoch has to be known by then: it is looked for
    while the site is returning.
    """
    view = seen.sites[state.standby_site]
    away = state.standby in ("joining", "diverged", "lost") or (state.standby == "returning" and state.barrier)
    if not away or view.verdict is not Verdict.UP or view.mark is None or view.survey is None:
        return state
    if view.mark.role != "absent" or view.mark.links or view.mark.restore is not None or not view.survey.empty:
        return state
    return state.model_copy(update={"standby": "seed", "standby_reason": ""})


def superseded(state: ControlState, seen: Seen) -> bool:
    """Whether a database knows an epoch above everything this state can explain: the state is an old copy.

    An API server restored from a backup brings back a status from before a promotion; the databases know better.
    """
    known = state.operation.epoch if state.operation is not None else state.epoch
    return any(view.mark is not None and view.mark.epoch > known for view in seen.sites.values())


def adopt(state: ControlState, desired: Desired, seen: Seen, dr: str) -> Decision:
    """The state of a resource that has none, or an old one: new, or re-created over databases that have a history.

    Databases and witness each may know an epoch. Both databases, or one of them and the witness, must have been heard;
    one alone could be the stale one.
    """
    taken = foreign(seen, dr)
    if taken is not None:
        return Decision(state, taken)
    marks = {site: mark for site in SITES if (mark := seen.sites[site].mark) is not None}
    witness_heard = desired.witness and seen.witness is not None and seen.witness.reachable
    if len(marks) < 2 and not (marks and witness_heard):
        unheard = " and ".join(site for site in SITES if site not in marks)
        return Decision(state, f"Adopting: waiting to hear from {unheard}, which may know a newer epoch")
    witness_epoch = seen.witness.epoch if witness_heard and seen.witness is not None else 0
    epoch = max([witness_epoch, *(mark.epoch for mark in marks.values())])
    if epoch == 0 and len(marks) < 2:
        return Decision(state, "Adopting: no epoch is known, but the site not heard may know one")
    if epoch == 0 and (why := unfit(seen)) is not None:
        return Decision(state, why)
    if epoch == 0:
        fresh = state.model_copy(update={"epoch": 1, "active": "primary", "standby": "seed"})
        return Decision(fresh, "Adopted: new databases; the primary of the spec is active at epoch 1")
    active = _active(marks, seen)
    if active is None:
        return Decision(state, f"Adopting: epoch {epoch} is known but the site that was active has not been heard")
    standby_mark = marks.get(other(active))
    barrier = marks[active].barrier if active in marks else None
    adopted = state.model_copy(
        update={
            "epoch": epoch,
            "active": active,
            "standby": _standing(standby_mark, epoch),
            "barrier": barrier,
            "restricted": list(SITES),
            "standby_reason": "",
            "restored": "",
            "resumed": "",
            "operation": None,
            "synced": None,
            "sync": None,
        }
    )
    return Decision(adopted, f"Adopted: {active} is active at epoch {epoch}, as the databases say")


def _active(marks: dict[Site, Mark], seen: Seen) -> Site | None:
    primaries = [site for site, mark in marks.items() if mark.role == "primary"]
    witness = seen.witness
    if witness is not None and witness.reachable and witness.holder is not None:
        newest = max((marks[site].epoch for site in primaries), default=0)
        if witness.epoch > newest and len(marks) < 2:
            return witness.holder if witness.holder in marks and witness.holder in primaries else None
    return max(primaries, key=lambda site: marks[site].epoch, default=None)


def _standing(mark: Mark | None, epoch: int) -> Literal["seed", "following", "returning", "joining", "restored"]:
    """Where the other site stands. A link that streams was never frozen by a promotion, at whatever epoch it is."""
    if mark is None:
        return "seed" if epoch == 1 else "returning"
    if mark.restore is not None:
        return "restored"
    if mark.inbound_phase == "streaming" and mark.role != "primary":
        return "following"
    if mark.inbound_phase == "handover" and mark.inbound_epoch == epoch:
        return "joining"
    if mark.inbound_phase in ("seeding", "catching-up"):
        return "seed"
    return "seed" if epoch == 1 and mark.inbound_phase is None else "returning"
