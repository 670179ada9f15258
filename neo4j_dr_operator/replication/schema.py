"""Constraints and indexes, which the change stream does not carry: compared and carried over beside it.

They are created on the target only once it is an exact copy (a seeding target mixes states of different times, which
no constraint would stand), dropped before created, and compared again every half minute. What fails is reported and
tried again; it never stops the data. Objects with names of the bookkeeping, lookup indexes and indexes that belong to
constraints are left out. Only objects that the link made (or took over) are ever dropped; their names stand on the
link node, noted before they are created.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass

from neo4j_dr_operator import errors
from neo4j_dr_operator.graph.bolt import Endpoint
from neo4j_dr_operator.graph.bolt_sync import Database
from neo4j_dr_operator.graph.cypher import BOOKKEEPING, LINK, quote
from neo4j_dr_operator.replication.report import Problem, Status
from neo4j_dr_operator.replication.stream import from_source

PERIOD = 30.0
PATIENCE = 600.0
"""Seconds that building one constraint or index may take."""

_CONSTRAINTS = "SHOW CONSTRAINTS YIELD name, labelsOrTypes, createStatement"
_INDEXES = (
    "SHOW INDEXES YIELD name, type, owningConstraint, labelsOrTypes, createStatement "
    "WHERE owningConstraint IS NULL AND type <> 'LOOKUP' RETURN name, labelsOrTypes, createStatement"
)
_MINE = f"MATCH (l:{LINK} {{link: $link}}) RETURN coalesce(l.schemaNames, [])"
_NOTE = (
    f"MATCH (l:{LINK} {{link: $link}}) WHERE l.epoch = $epoch SET l.schemaNames = $names RETURN count(*)"  # ours only
)


@dataclass(frozen=True, slots=True)
class Rule:
    """A constraint or an index by its name."""

    kind: str
    name: str
    statement: str


@dataclass(frozen=True, slots=True)
class Plan:
    """What to do, in this order: drop, then create constraints, then indexes."""

    drop: tuple[Rule, ...]
    create: tuple[Rule, ...]


def plan(source: dict[str, Rule], target: dict[str, Rule], mine: set[str]) -> Plan:
    """What brings the target's schema to the source's without touching what the link did not make (pure)."""
    gone = tuple(rule for name, rule in target.items() if name in mine and source.get(name) != rule)
    dropped = {rule.name for rule in gone}
    missing = [rule for name, rule in source.items() if name not in target or name in dropped]
    return Plan(
        gone,
        tuple(sorted(missing, key=lambda rule: (rule.kind != "CONSTRAINT", rule.name))),
    )


def rules(database: Database) -> dict[str, Rule]:
    """The user's constraints and indexes by name."""
    found: dict[str, Rule] = {}
    for kind, query in (("CONSTRAINT", _CONSTRAINTS), ("INDEX", _INDEXES)):
        for name, labels, statement in database.rows(query):
            if not any(label.startswith(BOOKKEEPING) for label in labels or ()):
                found[name] = Rule(kind, name, statement)
    return found


def adopt_all(target: Database, link: str, epoch: int) -> None:
    """Note everything that the target has as the link's own: after a handover its schema is a copy of the source's."""
    target.write(_NOTE, link=link, epoch=epoch, names=sorted(rules(target)))


def carry(source: Database, target: Database, link: str, epoch: int) -> list[str]:
    """Compare once and carry over. The result names what could not be done, with the reason."""
    with from_source():
        wanted = rules(source)
    mine = set(target.row(_MINE, link=link)[0])
    todo = plan(wanted, rules(target), mine)
    if not todo.drop and not todo.create:
        return []
    names = sorted(mine | {rule.name for rule in todo.create})
    if target.write(_NOTE, link=link, epoch=epoch, names=names)[0][0] != 1:
        raise errors.Stale(f"link {link} has another epoch than {epoch}")
    problems = []
    for command, rule in [(f"DROP {rule.kind} {quote(rule.name)} IF EXISTS", rule) for rule in todo.drop] + [
        (rule.statement, rule) for rule in todo.create
    ]:
        try:
            target.write(command)
        except (
            errors.QueryFailed,
            errors.NotSupported,
            errors.ConstraintViolated,
            errors.TransientFailure,
        ) as error:
            problems.append(f"{rule.kind.lower()} {rule.name}: {error.message}")
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
            self._status.schema = Problem("SchemaDiffers", "; ".join(problems)[:1000]) if problems else None
