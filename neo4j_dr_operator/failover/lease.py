"""The lease in the witness object: what it says, when it may change, when its silence counts. Pure.

The object is written with conditional puts only, its generation only grows and it is never deleted, so that a fencing
number never restarts (the flaw of Litestream's S3 leaser, which deletes on release). Expiry is judged by the observer's
own monotonic clock: unchanged for a whole term *while it could be read*; unreachable time is not silence.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from pydantic import BaseModel, ConfigDict
from pydantic.alias_generators import to_camel

from neo4j_dr_operator.failover.state import Site

LONGEST_TERM = 30.0
"""Seconds, the upper bound of a lease's term."""


class WitnessRecord(BaseModel):
    """The witness object. `term`: seconds a renewal lasts; `renewed_at`: for people, never compared."""

    model_config = ConfigDict(alias_generator=to_camel, populate_by_name=True, extra="ignore")

    version: int = 1
    dr: str
    generation: int
    epoch: int
    holder: Site
    term: float
    operator: str = ""
    renewed_at: str = ""

    def renewed(self, term: float, operator: str, at: str) -> WitnessRecord:
        """The next generation of the same grant."""
        return self.model_copy(
            update={"generation": self.generation + 1, "term": term, "operator": operator, "renewed_at": at}
        )


@dataclass(frozen=True)
class Watch:
    """How long one generation has been seen unchanged. Times are monotonic seconds of this observer."""

    record: WitnessRecord | None = None
    etag: str | None = None
    unchanged_since: float = 0.0
    read_at: float = float("-inf")
    reachable: bool = False
    message: str = "not read yet"
    reason: str = "WitnessUnreachable"

    def read(self, record: WitnessRecord | None, etag: str | None, asked: float, at: float) -> Watch:
        """After a successful read that was asked at `asked` and answered at `at`.

        The silence of a generation (or of a missing record) begins when it was first seen. A gap in which the witness
        could not be read, or was not, begins it anew: while nobody could write there, and while this process did not
        run, nobody renewed.
        """
        seen = self.record
        same = record.generation == seen.generation if record is not None and seen is not None else record is seen
        gap = 2 * (record.term if record is not None else LONGEST_TERM)
        unbroken = self.reachable and same and at - self.read_at <= gap
        return Watch(record, etag, self.unchanged_since if unbroken else at, at, True, "")

    def failed(self, message: str, reason: str = "WitnessUnreachable") -> Watch:
        """After a read or write that did not reach the witness, or was refused; `reason` is a word for that."""
        return replace(self, reachable=False, message=message, reason=reason)

    def expired(self) -> bool:
        """Whether the lease has run out, as of the last read. A missing record must be missing for the longest term."""
        term = self.record.term if self.record is not None else LONGEST_TERM
        return self.reachable and self.read_at - self.unchanged_since >= term


def term_for(interval: float, consecutive_failures: int) -> float:
    """Length of the lease in seconds: half the detection time, so that expiry never delays a confirmed failure.

    Bounded to 3..30 s: shorter would make a slow write of the heartbeat look like a death.
    """
    return min(LONGEST_TERM, max(3.0, interval * consecutive_failures / 2))


def grant(
    current: WitnessRecord | None, expired: bool, dr: str, site: Site, epoch: int, term: float, force: bool
) -> WitnessRecord | str:
    """The record that moves the lease to `site` at `epoch`, or the reason why it may not move.

    A higher epoch wins always; a living holder keeps its lease unless `force` (a planned or emergency failover, whose
    fence is another one).
    """
    if current is None and not expired and not force:
        return "no lease has been granted yet, and its absence has not lasted"
    if current is None:
        return WitnessRecord(dr=dr, generation=1, epoch=epoch, holder=site, term=term)
    if current.dr != dr:
        return f"the witness object belongs to {current.dr}"
    if current.epoch > epoch:
        return f"the witness is at epoch {current.epoch} already, held by {current.holder}"
    if current.epoch == epoch and current.holder != site:
        return f"epoch {epoch} was granted to {current.holder}"
    if current.holder != site and not expired and not force:
        return f"the lease of {current.holder} holds"
    return WitnessRecord(dr=dr, generation=current.generation + 1, epoch=epoch, holder=site, term=term)
