"""Constraints and indexes, which the change stream does not carry: compared and carried over beside it.

They are created on the target only once it is an exact copy (a seeding target mixes states of different times, which
no constraint would stand), dropped before created, and compared again every half minute, and once more when the link
ends. A constraint holds for the source's data from some moment on, so it is created only once the copy is past a
position that was read after it was seen: what stood in the stream before may break it. What fails is reported and tried
again; it never stops the data. Objects with names of the bookkeeping and indexes that belong to constraints are left
out. Only objects that the link made (or took over) are ever dropped; their names stand on the link node, noted before
they are created. Token lookup indexes, which every database is born with, are compared by what they are for.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from neo4j_dr_operator import errors
from neo4j_dr_operator.graph.bolt import Endpoint
from neo4j_dr_operator.graph.bolt_sync import Database
from neo4j_dr_operator.graph.cypher import BOOKKEEPING, LINK, escaped, quote
from neo4j_dr_operator.replication import stream
from neo4j_dr_operator.replication.link import FROZEN, LinkState
from neo4j_dr_operator.replication.report import Problem, Status
from neo4j_dr_operator.replication.stream import from_source

PERIOD = 30.0
BEHIND = 0.5
"""Seconds between two looks whether the copy is past the position behind which rules can be created."""
ENDING = 2.0
"""Seconds that the last comparison of a link may take: its worker is waited for no longer."""
DROPPING, HOLDING = 10.0, 15.0
"""Seconds that dropping may take, and for which the link may be held meanwhile."""
PATIENCE = 600.0
"""Seconds that building one constraint or index may take."""
SAID = 1000
"""Most characters of a report."""

_CONSTRAINTS = "SHOW CONSTRAINTS YIELD id, name, labelsOrTypes, createStatement"
_INDEXES = (
    "SHOW INDEXES YIELD id, name, type, entityType, owningConstraint, labelsOrTypes, createStatement, state "
    "WHERE owningConstraint IS NULL "
    "RETURN id, name, labelsOrTypes, createStatement, CASE type WHEN 'LOOKUP' THEN entityType ELSE '' END, state"
)
_MINE = f"MATCH (l:{LINK} {{link: $link}}) RETURN coalesce(l.schemaNames, [])"
_NOTE = (
    f"MATCH (l:{LINK} {{link: $link}}) WHERE l.epoch = $epoch SET l.schemaNames = $names RETURN count(*)"  # ours only
)
_HOLD = (
    f"MATCH (l:{LINK} {{link: $link}}) SET l.look = true WITH l WHERE l.epoch = $epoch AND l.phase <> $frozen "
    "RETURN count(*)"
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
    return {rule.key: rule for rule in _lives(database)}


def _lives(database: Database) -> dict[Rule, int]:
    """The user's constraints and indexes, each with its number: one that is dropped and made again has another."""
    found = {}
    for number, name, labels, statement in database.rows(_CONSTRAINTS):
        if not _ours(labels):
            found[Rule(CONSTRAINT, name, statement)] = number
    for number, name, labels, statement, lookup, state in database.rows(_INDEXES):
        if not _ours(labels):
            found[Rule(INDEX, name, statement, lookup, state == "FAILED")] = number
    return found


def _ours(labels: Iterable[str] | None) -> bool:
    return any(label.startswith(BOOKKEEPING) for label in labels or ())


def adopt(source: Database, target: Database, link: str, epoch: int) -> None:
    """Note as the link's own what the target has as the source has it: after a handover it was made as a copy.

    What only the target has was made when it was the source itself, and nobody else may hold it: it stays, and is told.
    """
    with from_source():
        held = rules(source)
    names = sorted(rule.name for key, rule in rules(target).items() if rule.same(held.get(key)))
    target.write(_NOTE, link=link, epoch=epoch, names=names)


def suspend(target: Database, link: str, epoch: int, held: Rules | None = None) -> None:
    """Drop the constraints that the link has made, but those that are ``held``; may be repeated.

    :func:`carry` makes them again: once the copy is exact, or past what they do not hold for. Raises as it does.
    """
    mine = set(target.row(_MINE, link=link)[0])
    for key, rule in rules(target).items():
        if rule.kind == CONSTRAINT and rule.name in mine and not rule.same((held or {}).get(key)):
            _drop(target, link, epoch, rule)


def _drop(target: Database, link: str, epoch: int, rule: Rule) -> None:
    """Drop it while the link is held at its epoch, so that nothing is dropped from what is being promoted.

    A schema command may not stand in a transaction that writes, so the one that holds the link stands beside it, and is
    rolled back. Raises :class:`errors.Stale` when the link is at another epoch, or frozen.
    """
    with target.transaction(HOLDING) as tx:
        if tx.row(_HOLD, link=link, epoch=epoch, frozen=FROZEN)[0] != 1:
            raise errors.Stale(f"link {link} has another epoch than {epoch}, or is frozen")
        target.write(f"DROP {rule.kind} {quote(rule.name)} IF EXISTS", within=DROPPING)


@dataclass(frozen=True, slots=True)
class Wanted:
    """The source's schema as last looked at: the number of each rule, and the source transaction from which on it is
    known to hold."""

    numbers: Mapping[Rule, int]
    since: Mapping[Rule, int]

    @classmethod
    def of(cls, source: Database, before: Wanted, link: LinkState) -> Wanted | None:
        """Look. A rule that is the same one as ``before`` holds since then.

        None: this is not what ``link`` has followed up to where it is, but another database, an older state of it, or a
        member that lags; what it has, or has not, says nothing. The position is read after the rules: what is committed
        behind it, is committed under them.
        """
        with from_source():
            numbers = _lives(source)
            head = stream.current(source)
        if head.database != link.source_db or head.tx < link.cursor_tx:
            return None
        since = {
            rule: before.since[rule] if before.numbers.get(rule) == at else head.tx for rule, at in numbers.items()
        }
        return cls(numbers, since)

    @property
    def rules(self) -> Rules:
        """By their keys."""
        return {rule.key: rule for rule in self.numbers}


def carry(
    source: Wanted, target: Database, link: str, epoch: int, ready: Callable[[int], bool]
) -> tuple[list[str], list[Rule]]:
    """Bring the target to the source's schema as far as it can be.

    ``ready``: whether the target is past a source transaction. What could not be done, with the reason; and what has
    to wait for the target. Raises :class:`errors.Stale` when the link is at another epoch.
    """
    mine = set(target.row(_MINE, link=link)[0])
    todo = plan(source.rules, rules(target), mine)
    problems = list(todo.differs)
    if not todo.drop and not todo.create:
        return problems, []
    create = [rule for rule in todo.create if ready(source.since[rule])]
    names = sorted(mine | {rule.name for rule in create})
    if target.write(_NOTE, link=link, epoch=epoch, names=names)[0][0] != 1:
        raise errors.Stale(f"link {link} has another epoch than {epoch}")
    for rule in (*todo.drop, *create):
        try:
            if rule in create:
                target.write(escaped(rule.statement))
            else:
                _drop(target, link, epoch, rule)
        except _REFUSALS as error:
            problems.append(f"{rule}: {error.message}")
    return problems, [rule for rule in todo.create if rule not in create]


class SchemaKeeper(threading.Thread):
    """Carries the schema over while the link streams, on connections of its own, and once more when it ends."""

    def __init__(self, source: Endpoint, target: Endpoint, link: str, epoch: int, status: Status) -> None:
        super().__init__(name="schema", daemon=True)
        self._source = Database(source)
        self._target = Database(target, timeout=PATIENCE, leading=True)
        self._link, self._epoch, self._status = link, epoch, status
        self._wanted = Wanted({}, {})
        self._wake = threading.Event()
        self._refused = threading.Event()
        self._ending = threading.Event()

    def hurry(self) -> None:
        """Compare now, the copy has become exact."""
        self._wake.set()

    def refused(self) -> None:
        """A constraint refused a batch. Those of the source's that are not known to hold already for what the batch
        holds are taken out until it is applied: dropped by now, or dropped and made again in between."""
        self._refused.set()
        self._wake.set()

    def end(self) -> None:
        """Compare once more, then end; waits for that, for a bounded time."""
        self._ending.set()
        self._wake.set()
        self.join(ENDING)

    def run(self) -> None:
        """While the link streams, until it ends."""
        while not self._ending.is_set():
            pause = BEHIND
            if self._status.state == "streaming":
                pause = self._once()
            self._wake.wait(pause)
            self._wake.clear()
        if self._status.state == "streaming":
            self._once()

    def _once(self) -> float:
        """Compare; seconds until the next time."""
        if (at := self._status.link) is None:
            return BEHIND
        try:
            source = Wanted.of(self._source, self._wanted, at)
            if source is None:
                return PERIOD
            if self._refused.is_set():
                self._refused.clear()
                held = {key: rule for key, rule in source.rules.items() if source.since[rule] <= at.cursor_tx}
                if any(rule.kind == CONSTRAINT and key not in held for key, rule in source.rules.items()):
                    self._status.schema_seen = 0  # before one goes: nobody takes the schemas for compared meanwhile
                suspend(self._target, self._link, self._epoch, held)
            problems, waiting = carry(source, self._target, self._link, self._epoch, self._past)
        except errors.DrError as error:
            self._source.close()
            self._target.close()
            self._status.schema = Problem.of(error)
            return PERIOD
        self._wanted = source
        self._status.schema = Problem("SchemaDiffers", "; ".join(problems)[:SAID]) if problems else None
        if waiting:
            self._status.schema_seen = 0
            return BEHIND
        self._status.schema_seen += 1
        return PERIOD

    def _past(self, transaction: int) -> bool:
        """Whether the copy has everything up to a source transaction, of which not each one is in the stream."""
        at = self._status.link
        if at is None:
            return False
        if at.cursor_tx >= transaction:
            return True
        with from_source():
            return stream.at_end(self._source, at.cursor)
