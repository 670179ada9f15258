"""What is kept of backups in the status, beside what lies in the store itself: records of `status.control.keeping`."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from neo4j_dr_operator.failover.record import Record

JobKind = Literal["base", "scheduled", "requested"]
"""base: what the log archive starts from; scheduled: when it is due; requested: by `kubectl neo4j-dr backup now`."""


AnswerState = Literal["Running", "Completed", "Failed", "Refused"]
ANSWERS = 3
"""So many requests are remembered."""


class Job(Record):
    """A snapshot under way; at most one is. Times in seconds since 1970.

    `number`: rises with each; `where`: place of the archive, as text; `owner`: the operator whose worker takes it, and
    which `renewed` this record last then; `due`: the time of the schedule that it settles; `request`: whose request it
    is; `damage`: what it is to heal.
    """

    number: int
    kind: JobKind
    where: str
    epoch: int
    at: float
    owner: str
    renewed: float
    due: float | None = None
    request: str = ""
    damage: str = ""
    why: str = ""


class Outcome(Record):
    """How a snapshot ended. `reason` and `message`: why it failed; of one that is there, why nothing was deleted.

    `bytes`: what was put; `saved`: bytes of what was there already, before compression.
    """

    number: int
    kind: JobKind
    where: str
    epoch: int
    began: float
    ended: float
    snapshot: str | None = None
    bytes: int = 0
    saved: int = 0
    reason: str = ""
    message: str = ""

    @property
    def good(self) -> bool:
        """Whether there is a snapshot."""
        return self.snapshot is not None


class Trouble(Record):
    """The failures of one kind of snapshot in a row: how often, when last, and why."""

    times: int
    at: float
    reason: str
    message: str


class Answer(Record):
    """What became of a request, known by its value."""

    request: str
    state: AnswerState
    at: float
    snapshot: str | None = None
    message: str = ""


class Keeping(Record):
    """Everything that has to be known of backups after a restart of the operator.

    `number`: of the last job; `schedule`: the one that counts, with its zone; `since`: its times up to then are
    settled; `answers`: to the last requests, newest first; `last`: how the last job ended; `good`: the last snapshot of
    each place; `base_trouble`, `trouble`: failures of the base, and of scheduled ones; `healed`: the damage for which a
    base was taken last. No maps here: a merge patch takes no entry out of one.
    """

    number: int = 0
    job: Job | None = None
    schedule: str = ""
    since: float = 0.0
    answers: list[Answer] = Field(default_factory=list)
    last: Outcome | None = None
    good: list[Outcome] = Field(default_factory=list)
    base_trouble: Trouble | None = None
    trouble: Trouble | None = None
    healed: str = ""

    def answer(self, request: str) -> Answer | None:
        """What became of a request."""
        return next((each for each in self.answers if each.request == request), None)

    def answered(self, answer: Answer) -> list[Answer]:
        """The answers with another one, which takes the place of an earlier one to the same request."""
        return [answer, *(each for each in self.answers if each.request != answer.request)][:ANSWERS]

    def newest(self, where: str) -> Outcome | None:
        """The last snapshot that was taken for a place."""
        return next((each for each in self.good if each.where == where), None)
