"""Is the primary dead? Three views are asked, and only proof of absence counts as DOWN (P6). Pure.

With one operator for both sides the second view is the change stream as the standby's worker sees it: while it
answers, the database lives, whatever the operator's own probes say (the same guard as Patroni's
`primary_race_backoff`). The third is the witness: its lease is renewed only after a heartbeat write on the active site
succeeded, so a lease that has run out says that nobody could write there for a whole term.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from neo4j_dr_operator.failover import restored
from neo4j_dr_operator.failover.state import ControlState
from neo4j_dr_operator.failover.view import Desired, Seen
from neo4j_dr_operator.health.verdict import Verdict

Opinion = Literal["UP", "DOWN", "UNKNOWN"]


@dataclass(frozen=True)
class Vote:
    """One view of the active site, with what it rests on."""

    voter: str
    opinion: Opinion
    evidence: str

    def __str__(self) -> str:
        return f"{self.voter}: {self.opinion} ({self.evidence})"


@dataclass(frozen=True)
class Ballot:
    """All votes on the active site."""

    probe: Vote
    stream: Vote
    witness: Vote

    @property
    def votes(self) -> tuple[Vote, Vote, Vote]:
        """In the order in which they are shown."""
        return (self.probe, self.stream, self.witness)

    @property
    def dead(self) -> bool:
        """All three say DOWN.

        The witness's silence and the operator's probe rest on one observer when no worker tries the source, so the
        stream must have been tried and have failed: UNKNOWN is no second view.
        """
        return all(vote.opinion == "DOWN" for vote in self.votes)

    @property
    def alive(self) -> str | None:
        """The evidence that the active site lives, or None."""
        for vote in (self.probe, self.stream):
            if vote.opinion == "UP":
                return f"{vote.voter}: {vote.evidence}"
        return None


def ballot(state: ControlState, seen: Seen, stream_silence: float) -> Ballot:
    """Ask the three views. `stream_silence`: seconds without an answer after which the stream proves nothing."""
    return Ballot(_probe(state, seen), _stream(state, seen, stream_silence), _witness(state, seen))


def _probe(state: ControlState, seen: Seen) -> Vote:
    view = seen.sites[state.active]
    if view.verdict is Verdict.DOWN and (unproven := _unproven(state, seen)) is not None:
        return Vote("operator's probe", "UNKNOWN", unproven)
    opinion: Opinion = (
        "DOWN" if view.verdict is Verdict.DOWN else "UNKNOWN" if view.verdict is Verdict.UNKNOWN else "UP"
    )
    return Vote("operator's probe", opinion, view.evidence)


def _unproven(state: ControlState, seen: Seen) -> str | None:
    """Why silence of the active site proves nothing: it has not been seen at this address, which may be wrong."""
    address, reached = seen.sites[state.active].address, state.reached.get(state.active)
    if not address or reached is None or reached == address:
        return None
    return f"{state.active} was never seen at {address}, only at {reached}: the new address may be wrong"


def _stream(state: ControlState, seen: Seen, silence: float) -> Vote:
    link, voter = seen.link, "standby's stream"
    if link is None or not follows(state, seen):
        return Vote(voter, "UNKNOWN", "no link is running")
    if link.read_age is not None and link.read_age <= silence:
        return Vote(voter, "UP", "the change stream answers")
    if link.reason == "SourceUnreachable":
        return Vote(voter, "DOWN", f"the change stream cannot be reached: {link.message}")
    return Vote(voter, "UNKNOWN", f"the worker says {link.reason or link.state}")


def _witness(state: ControlState, seen: Seen) -> Vote:
    witness, voter = seen.witness, "witness"
    if witness is None:
        return Vote(voter, "UNKNOWN", "none is configured")
    if not witness.reachable:
        return Vote(voter, "UNKNOWN", f"unreachable: {witness.message}")
    foreign = witness.holder not in (None, state.active)
    if witness.epoch > state.epoch or (foreign and (witness.epoch == state.epoch or not witness.expired)):
        return Vote(voter, "UNKNOWN", f"held by {witness.holder} at epoch {witness.epoch}")
    if witness.expired:
        return Vote(voter, "DOWN", "the lease was not renewed for a whole term")
    return Vote(voter, "UP", f"the lease of {state.active} holds at epoch {witness.epoch}")


def follows(state: ControlState, seen: Seen) -> bool:
    """Whether a link out of the active site is there, whatever its state: without one nobody asks its stream."""
    return seen.link is not None and seen.link.source == state.active


def promotion_limitation(state: ControlState, seen: Seen) -> str | None:
    """Why the standby must not be promoted without its source, or None: it is reachable and a consistent prefix."""
    standby = state.standby_site
    view = seen.sites[standby]
    if (restored_there := restored.standby_limitation(state, seen)) is not None:
        return restored_there
    if state.standby != "following":
        return {
            "seed": f"StandbySeeding: {standby} has not been filled to a consistent position yet",
            "diverged": f"StandbyDiverged: {standby} holds transactions that {state.active} does not",
            "lost": f"StandbyLost: {state.standby_reason}",
        }.get(state.standby, f"StandbyReturning: {standby} does not follow {state.active} yet")
    if view.verdict is not Verdict.UP:
        return f"StandbyUnavailable: {standby} is {view.verdict}: {view.evidence}"
    return None


def failover_limitation(state: ControlState, desired: Desired, seen: Seen) -> str | None:
    """Why an automatic failover could not happen now, as `Reason: sentence`, or None when it could."""
    if not desired.automatic:
        return "AutomaticDisabled: spec.failover.automatic is false; planned and emergency failovers work"
    if desired.unmet is not None:
        return desired.unmet
    if not desired.witness:
        return "NoWitness: set spec.failover.quorum.witness; without a third vote nothing is promoted by itself"
    if seen.witness is None or not seen.witness.reachable:
        return f"{seen.witness.reason}: {seen.witness.message}" if seen.witness else "WitnessUnreachable: not read yet"
    if (unproven := _unproven(state, seen)) is not None:
        return f"AddressUnproven: {unproven}"
    if seen.witness.epoch > state.epoch:
        return f"WitnessAhead: the witness is at epoch {seen.witness.epoch}, held by {seen.witness.holder}"
    if (restored_here := restored.active_limitation(state, seen)) is not None:
        return restored_here
    if (restored_there := restored.standby_limitation(state, seen)) is not None:
        return restored_there
    link = seen.link
    broken = link is not None and (link.source, link.epoch, link.state) == (state.active, state.epoch, "failed")
    if broken and link is not None and link.reason != "Stale":
        return f"StandbyBroken: {link.reason}: {link.message}"
    if state.standby == "following" and not follows(state, seen):
        return f"NoLink: no link runs from {state.active} to {state.standby_site}"
    if state.ticket is not None:
        return f"StandbyReseeding: {state.standby_site} is being filled anew from {state.active}"
    return promotion_limitation(state, seen)
