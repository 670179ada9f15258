"""The schema of a snapshot, made in the target once the graph is complete."""

from __future__ import annotations

from collections.abc import Sequence

from neo4j_dr_operator import errors
from neo4j_dr_operator.backup.manifest import SchemaRef
from neo4j_dr_operator.graph.bolt import Endpoint
from neo4j_dr_operator.graph.bolt_sync import Database
from neo4j_dr_operator.replication.schema import CONSTRAINT, PATIENCE, Rule, plan, rules

_REFUSALS = (errors.QueryFailed, errors.NotSupported, errors.ConstraintViolated)
_AWAIT = "CALL db.awaitIndexes($seconds)"


def make(endpoint: Endpoint, wanted: Sequence[SchemaRef], *, indexes: bool) -> list[str]:
    """Make what is missing and wait until indexes can be used; in words, what could not be done. May be repeated.

    Without ``indexes`` constraints only. Raises database errors that are no refusal of a rule.
    """
    source = {
        rule.key: rule
        for rule in (Rule(ref.kind, ref.name, ref.statement, ref.lookup) for ref in wanted)
        if indexes or rule.kind == CONSTRAINT or rule.lookup
    }
    with Database(endpoint, timeout=PATIENCE, leading=True) as database:
        todo = plan(source, rules(database), set())
        problems = list(todo.differs)
        for rule in todo.create:
            try:
                database.write(rule.statement)
            except _REFUSALS as error:
                problems.append(f"{rule}: {error.message}")
        try:
            for _ in database.rows(_AWAIT, seconds=round(PATIENCE)):
                continue
        except _REFUSALS as error:
            problems.append(f"indexes are not ready: {error.message}")
        return problems
