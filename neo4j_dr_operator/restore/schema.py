"""The schema at the point: which of those that the archive holds it is, and made in the target once the graph is
complete."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from neo4j_dr_operator import errors
from neo4j_dr_operator.backup.names import SnapshotName
from neo4j_dr_operator.backup.vault import Vault
from neo4j_dr_operator.graph.bolt import Endpoint
from neo4j_dr_operator.graph.bolt_sync import Database
from neo4j_dr_operator.replication.schema import CONSTRAINT, PATIENCE, Rule, plan, rules
from neo4j_dr_operator.restore.chain import Link
from neo4j_dr_operator.restore.point import Point, moment
from neo4j_dr_operator.restore.survey import Plan
from neo4j_dr_operator.shipping import names
from neo4j_dr_operator.shipping.reading import ArchiveBroken
from neo4j_dr_operator.shipping.schema import PERIOD, SchemaName, SchemaRef

_REFUSALS = (errors.QueryFailed, errors.NotSupported, errors.ConstraintViolated)
_AWAIT = "CALL db.awaitIndexes($seconds)"


@dataclass(frozen=True)
class Chosen:
    """The rules to make; ``told``: whose they are, in words; ``remarks``: what stood in the way of better ones."""

    rules: tuple[SchemaRef, ...]
    told: str
    remarks: tuple[str, ...] = ()


def choose(vault: Vault, plan: Plan) -> Chosen:
    """The newest schema that was noted at or before the point, else the snapshot's.

    A note that is damaged is passed over, and told: the graph is whole without it. Raises ObjectStoreError.
    """
    manifest, remarks = plan.manifest, []
    for name in reversed(usable(vault.schemas(manifest.epoch), manifest.name, plan.links, plan.point)):
        try:
            note = vault.schema(name)
        except ArchiveBroken as error:
            remarks.append(f"{error.message}; an older schema was taken")
            continue
        if note.database == manifest.database:
            told = f"as seen at {moment(note.seen)}, transaction {name.tx} ({name.key(manifest.archive)})"
            return Chosen(note.rules, f"{told}; what changed within {PERIOD:.0f} s is not known", tuple(remarks))
    told = f"that of the snapshot, transaction {manifest.tx}; no change of it was noted from there to the point"
    return Chosen(manifest.schema, told, tuple(remarks))


def usable(found: Iterable[SchemaName], base: SnapshotName, links: Sequence[Link], point: Point) -> list[SchemaName]:
    """The notes of the base's epoch that tell of what stands behind it and at or before the point, rising (pure).

    Behind a gap into an earlier state numbers of transactions come again, but segments' do not.
    """
    last = names.number(links[-1].name) if links else None
    return sorted(
        name
        for name in found
        if name.epoch == base.epoch
        and name.segment >= base.segment
        and name.tx > base.tx
        and (last is None or name.segment <= last)
        and point.admits([name.seen], [name.tx])
    )


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
