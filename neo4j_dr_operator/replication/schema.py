"""Constraints and indexes, which the change stream does not carry: compared and carried over beside it.

They are created on the target only once it is an exact copy (a seeding target mixes states of different times, which
no constraint would stand), dropped before created, and compared again every half minute. What fails is reported and
tried again; it never stops the data. Objects with names of the bookkeeping and indexes that belong to constraints are
left out. Only objects that the link made (or took over) are ever dropped; their names stand on the link node, noted
before they are created. Token lookup indexes, which every database is born with, are compared by what they are for.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable
from dataclasses import dataclass

from neo4j_dr_operator import errors
from neo4j_dr_operator.graph.bolt import Endpoint
from neo4j_dr_operator.graph.bolt_sync import Database
from neo4j_dr_operator.graph.cypher import BOOKKEEPING, LINK, escaped, quote
from neo4j_dr_operator.replication.report import Problem, Status
from neo4j_dr_operator.replication.stream import from_source

PERIOD = 30.0
PATIENCE = 600.0
"""Seconds that building one constraint or index may take."""
SAID = 1000
"""Most characters of a report."""

_CONSTRAINTS = "SHOW CONSTRAINTS YIELD name, labelsOrTypes, createStatement"
_INDEXES = (
    "SHOW INDEXES YIELD name, type, entityType, owningConstraint, labelsOrTypes, createStatement, state "
    "WHERE owningConstraint IS NULL "
    "RETURN name, labelsOrTypes, createStatement, CASE type WHEN 'LOOKUP' THEN entityType ELSE '' END, state"
)
_MINE = f"MATCH (l:{LINK} {{link: $link}}) RETURN coalesce(l.schemaNames, [])"
_NOTE = (
    f"MATCH (l:{LINK} {{link: $link}}) WHERE l.epoch = $epoch SET l.schemaNames = $names RETURN count(*)"  # ours only
)
_REFUSALS = (errors.QueryFailed, errors.NotSupported, errors.ConstraintViolated, errors.TransientFailure)
CONSTRAINT, INDEX = "CONSTRAINT", "INDEX"


@dataclass(frozen=True, slots=True)
class Rule:
    """A constraint or an index by its name. ``lookup``: NODE or RELATIONSHIP for a token lookup index, else empty."""

    kind: str
    name: str
    statement: str
    lookup: str = ""
    failed: bool = False

    @property
    def key(self) -> str:
        """What it is compared under: its name, or what a lookup index is for."""
        return f"lookup {self.lookup}" if self.lookup else self.name

    def same(self, other: Rule | None) -> bool:
        """Whether both do the same: a lookup index whatever it is called."""
        return other is not None and (self.lookup or self.statement) == (other.lookup or other.statement)

    def __str__(self) -> str:
        return f"{self.kind.lower()} {self.name}"


Rules = dict[str, Rule]


@dataclass(frozen=True, slots=True)
class Plan:
    """What to do, in this order: drop, then create constraints, then indexes; and what cannot be mended, in words."""

    drop: tuple[Rule, ...]
    create: tuple[Rule, ...]
    differs: tuple[str, ...] = ()


def plan(source: Rules, target: Rules, mine: set[str]) -> Plan:
    """What brings the target's schema to the source's without touching what the link did not make (pure).

    A token lookup index is nobody's: what the source has dropped is dropped. What somebody else made in the target
    stays, and is told: where the source has another thing by that name, and where it is a constraint, which can refuse
    what the source allows.
    """
    gone, differs = [], []
    for key, rule in target.items():
        wanted = source.get(key)
        if rule.same(wanted):
            if rule.failed:
                differs.append(f"{rule} could not be built in the target")
        elif rule.lookup or rule.name in mine:
            gone.append(rule)
        elif wanted is not None:
            differs.append(f"{wanted} differs from the {rule} that somebody made in the target")
        elif rule.kind == CONSTRAINT:
            differs.append(f"{rule} was made in the target by somebody else")
    dropped = {rule.key for rule in gone}
    missing = [rule for key, rule in source.items() if key not in target or key in dropped]
    create = sorted(missing, key=lambda rule: (rule.kind != CONSTRAINT, rule.name))
    return Plan(tuple(gone), tuple(create), tuple(differs))


def rules(database: Database) -> Rules:
    """The user's constraints and indexes by their keys."""
    found = []
    for name, labels, statement in database.rows(_CONSTRAINTS):
        if not _ours(labels):
            found.append(Rule(CONSTRAINT, name, statement))
    for name, labels, statement, lookup, state in database.rows(_INDEXES):
        if not _ours(labels):
            found.append(Rule(INDEX, name, statement, lookup, state == "FAILED"))
    return {rule.key: rule for rule in found}


def _ours(labels: Iterable[str] | None) -> bool:
    return any(label.startswith(BOOKKEEPING) for label in labels or ())


def adopt_all(target: Database, link: str, epoch: int) -> None:
    """Note everything that the target has as the link's own: after a handover its schema is a copy of the source's."""
    names = sorted(rule.name for rule in rules(target).values())
    target.write(_NOTE, link=link, epoch=epoch, names=names)


def suspend(target: Database, link: str) -> None:
    """Drop the constraints that the link has made, before its copy mixes states of different times.

    :func:`carry` makes them again once the copy is exact. May be repeated.
    """
    mine = set(target.row(_MINE, link=link)[0])
    for rule in rules(target).values():
        if rule.kind == CONSTRAINT and rule.name in mine:
            target.write(_drop(rule))


def _drop(rule: Rule) -> str:
    return f"DROP {rule.kind} {quote(rule.name)} IF EXISTS"


def carry(source: Database, target: Database, link: str, epoch: int) -> list[str]:
    """Compare once and carry over. The result names what could not be done, with the reason."""
    with from_source():
        wanted = rules(source)
    mine = set(target.row(_MINE, link=link)[0])
    todo = plan(wanted, rules(target), mine)
    problems = list(todo.differs)
    if not todo.drop and not todo.create:
        return problems
    names = sorted(mine | {rule.name for rule in todo.create})
    if target.write(_NOTE, link=link, epoch=epoch, names=names)[0][0] != 1:
        raise errors.Stale(f"link {link} has another epoch than {epoch}")
    commands = [(_drop(rule), rule) for rule in todo.drop] + [(escaped(rule.statement), rule) for rule in todo.create]
    for command, rule in commands:
        try:
            target.write(command)
        except _REFUSALS as error:
            problems.append(f"{rule}: {error.message}")
    return problems


class SchemaKeeper(threading.Thread):
    """Carries the schema over while the link streams, on connections of its own."""

    def __init__(self, source: Endpoint, target: Endpoint, link: str, epoch: int, status: Status) -> None:
        super().__init__(name="schema", daemon=True)
        self._source = Database(source)
        self._target = Database(target, timeout=PATIENCE)
        self._link, self._epoch, self._status = link, epoch, status
        self._wake = threading.Event()

    def hurry(self) -> None:
        """Compare now: a constraint refused a batch, so the target may have one that the source has dropped."""
        self._wake.set()

    def run(self) -> None:
        """Forever, while the link streams."""
        while True:
            if self._status.state == "streaming":
                self._once()
                self._wake.wait(PERIOD)
            else:
                self._wake.wait(0.5)
            self._wake.clear()

    def _once(self) -> None:
        try:
            problems = carry(self._source, self._target, self._link, self._epoch)
        except errors.DrError as error:
            self._source.close()
            self._target.close()
            self._status.schema = Problem.of(error)
        else:
            self._status.schema = Problem("SchemaDiffers", "; ".join(problems)[:SAID]) if problems else None
            self._status.schema_seen += 1
