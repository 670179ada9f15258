"""What a comparison found (pure)."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from neo4j_dr_operator.errors import DrError
from neo4j_dr_operator.verify.states import Aspect


class CannotCompare(DrError):
    """A comparison could not be made, or not to its end; nothing is known about the graphs."""

    reason = "CannotCompare"


Subject = Literal["node", "relationship", "constraint", "index"]
Which = Literal["missing", "extra", "differs"]


@dataclass(frozen=True, slots=True)
class Difference:
    """One element, or one rule of the schema, that is not the same on both sides.

    ``which``: missing on the standby, extra there, or there with other contents (``aspects``). ``primary`` and
    ``standby`` are element ids, or a rule's name; empty where there is none. ``names``: labels or type, or the rule's
    statement. ``why`` is empty, or says how it can have come about.
    """

    subject: Subject
    which: Which
    primary: str
    standby: str
    names: tuple[str, ...]
    aspects: tuple[Aspect, ...] = ()
    why: str = ""


@dataclass(frozen=True, slots=True)
class Place:
    """One side: the name that people know it by, its address, its database's id."""

    name: str
    address: str
    database: str


@dataclass(slots=True)
class Verdict:
    """The outcome. ``docs/verify.md`` says exactly what it proves.

    Elements are equal, or differ, at source transaction ``transaction`` (change identifier ``position``); those
    (``later`` of them) that changed again while they were looked at, at one up to ``last_transaction``. ``complete`` is
    False when the comparison ended early because it had found as many differences as were asked for, each at some
    transaction from the first to the last of the two. ``stopped``: the
    link did not move, and was compared where it stood. ``nodes`` and ``relationships``: of the primary, compared.
    """

    primary: Place
    standby: Place
    link: str
    epoch: int
    transaction: int = 0
    last_transaction: int = 0
    position: str = ""
    stopped: bool = False
    complete: bool = True
    nodes: int = 0
    relationships: int = 0
    later: int = 0
    rechecked: int = 0
    seconds: float = 0.0
    schema: bool = True
    differences: list[Difference] = field(default_factory=list)

    @property
    def equal(self) -> bool:
        """Whether no difference was found."""
        return not self.differences
