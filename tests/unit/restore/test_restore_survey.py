"""Which snapshot a restore begins with, over archives of which something cannot be used: what the window says."""

from __future__ import annotations

import pytest

from neo4j_dr_operator.backup import names as snapshot_names
from neo4j_dr_operator.backup import suspects
from neo4j_dr_operator.backup.vault import Vault
from neo4j_dr_operator.errors import ObjectStoreError, ObjectStoreUnreachable
from neo4j_dr_operator.restore.point import Point
from neo4j_dr_operator.restore.survey import Survey
from tests.made_archive import ARCHIVE, MILLIS, MadeArchive
from tests.memory_bucket import MemoryBucket


def refuse(error: ObjectStoreError) -> None:
    raise error


def survey(memory: MemoryBucket) -> Survey:
    return Survey(memory.bucket, Vault(memory.bucket, ARCHIVE, None, refuse), ARCHIVE, lambda number: None)


def grown() -> tuple[MadeArchive, str, str]:
    """An older snapshot, a newer one, and a chunk that only the newer one needs."""
    made = MadeArchive()
    made.promote()
    made.snapshot(values=1)
    made.ship(2)
    before = set(made.objects)
    made.snapshot(values=2)
    made.ship(2)
    chunk = next(name for name in made.objects.keys() - before if "/chunks/" in name)
    return made, made.snapshots[-1], chunk


@pytest.mark.parametrize("what", ["manifest", "chunk"])
def test_a_snapshot_that_the_store_does_not_give_is_passed_over_as_a_damaged_one(what: str) -> None:
    made, newer, chunk = grown()
    memory = MemoryBucket(made.objects)
    point = Point(millis=MILLIS + made.tx)
    assert survey(memory).plan(point, None).manifest.name.key(ARCHIVE) == newer
    memory.locked = {newer if what == "manifest" else chunk}
    if what == "chunk":
        note = suspects.Note(locked=frozenset({snapshot_names.content(chunk) or ""}))
        memory.objects[suspects.name(ARCHIVE)] = note.encode()
    plan = survey(memory).plan(point, None)
    assert plan.manifest.name.key(ARCHIVE) == made.snapshots[0]
    assert len(plan.links) == 4


def test_where_no_snapshot_is_given_the_stores_reason_is_told() -> None:
    made, _, _ = grown()
    memory = MemoryBucket(made.objects)
    memory.locked = set(made.snapshots)
    with pytest.raises(ObjectStoreError, match="key is disabled"):
        survey(memory).plan(Point(millis=MILLIS + made.tx), None)


def test_a_store_that_does_not_answer_is_waited_for() -> None:
    """Passed over, the restore would take the long way, or be refused, for nothing."""
    made, newer, _ = grown()
    memory = MemoryBucket(made.objects)

    def silent(method: str, name: str) -> None:
        if name == newer:
            raise ObjectStoreUnreachable("no answer")

    memory.before = silent
    with pytest.raises(ObjectStoreUnreachable):
        survey(memory).plan(Point(millis=MILLIS + made.tx), None)
