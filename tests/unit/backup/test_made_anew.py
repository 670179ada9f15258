"""A database that was made anew where nothing is shipped: the order of snapshots, and who goes by it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from neo4j_dr_operator.audit import check, findings
from neo4j_dr_operator.audit.facts import Copy, Finding
from neo4j_dr_operator.audit.ledger import Ledger
from neo4j_dr_operator.audit.window import window
from neo4j_dr_operator.backup.manifest import Manifest
from neo4j_dr_operator.backup.names import SnapshotName, in_order
from neo4j_dr_operator.backup.prune import prune
from neo4j_dr_operator.backup.retention import Retention
from neo4j_dr_operator.backup.status import BackupStatus
from neo4j_dr_operator.backup.vault import Vault
from neo4j_dr_operator.errors import ObjectStoreError, ObjectStoreUnreachable
from neo4j_dr_operator.restore.point import NEWEST, Point
from neo4j_dr_operator.restore.survey import Survey
from neo4j_dr_operator.shipping import names
from neo4j_dr_operator.shipping.chain import MARKER
from tests.made_archive import ARCHIVE, MILLIS, database, identifier
from tests.memory_bucket import MemoryBucket


def taken(owner: int, tx: int, at: int) -> Manifest:
    """A snapshot of that database, of nothing, ``at`` ms after :data:`MILLIS`."""
    position, millis = identifier(owner, tx), MILLIS + at
    return Manifest(
        ARCHIVE, 1, 0, "primary", database(owner), position, position, millis, millis, millis, 0, 0, (), (), ()
    )


OLD = (taken(1, 900, 10), taken(1, 950, 20))
NEW = (taken(2, 5, 30), taken(2, 7, 40))
ALL = (*OLD, *NEW)
IN_ORDER = [made.name for made in ALL]


def store(*manifests: Manifest) -> MemoryBucket:
    objects = {made.name.key(ARCHIVE): made.encode() for made in manifests}
    return MemoryBucket({names.marker(ARCHIVE): MARKER, **objects})


def vault(memory: MemoryBucket) -> Vault:
    def raised(error: ObjectStoreError) -> None:
        raise error

    return Vault(memory.bucket, ARCHIVE, None, raised)


def test_snapshots_of_the_new_database_follow_those_of_the_old_one() -> None:
    memory = store(*ALL)
    assert vault(memory).snapshots() == IN_ORDER
    assert vault(memory).names() == sorted(IN_ORDER) != IN_ORDER


def test_no_manifest_is_read_where_transactions_and_times_agree() -> None:
    memory = store(*OLD)
    assert vault(memory).snapshots() == [made.name for made in OLD]
    assert memory.requests["get"] == 0


@pytest.mark.parametrize("how", ["locked", "altered"])
def test_one_that_cannot_be_read_stays_with_the_one_before_it(how: str) -> None:
    memory = store(*ALL)
    for made, expected in ((NEW[1], IN_ORDER), (OLD[1], IN_ORDER), (NEW[0], IN_ORDER)):
        memory = store(*ALL)
        name = made.name.key(ARCHIVE)
        if how == "locked":
            memory.locked = {name}
        else:
            memory.objects[name] += b"x"
        assert vault(memory).snapshots() == expected


def test_a_store_that_does_not_answer_orders_nothing() -> None:
    memory = store(*ALL)

    def silent(method: str, name: str) -> None:
        if method == "get":
            raise ObjectStoreUnreachable("no answer")

    memory.before = silent
    with pytest.raises(ObjectStoreUnreachable):
        vault(memory).snapshots()


def test_a_clock_that_was_set_back_turns_nothing_round() -> None:
    """Of one database transactions say what came first, and where segments are shipped, these do."""
    one = [SnapshotName(1, 0, tx, created) for tx, created in ((1, 10), (2, 5), (3, 7))]
    assert in_order(one, lambda name: "a") == one
    shipped = [SnapshotName(1, 3, 900, 10), SnapshotName(1, 4, 5, 5), SnapshotName(2, 0, 1, 1)]
    assert in_order(reversed(shipped), lambda name: str(name)) == shipped


def test_retention_deletes_the_old_ones(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("time.time", lambda: (MILLIS + 50) / 1000)
    memory = store(*ALL)
    prune(memory.bucket, vault(memory), ARCHIVE, Retention(copies=2), BackupStatus(), lambda: True)
    assert vault(memory).names() == [made.name for made in NEW]


def test_the_newest_one_is_restored_and_each_point_from_its_own() -> None:
    memory = store(*ALL)
    survey = Survey(memory.bucket, vault(memory), ARCHIVE, lambda number: None)
    assert survey.plan(Point(snapshot=NEWEST), None).manifest == NEW[1]
    for made in ALL:
        assert survey.plan(Point(millis=made.latest), None).manifest == made


def test_the_auditor_misses_none_that_retention_has_deleted_and_promises_all_that_are_there() -> None:
    copies = {made.name: Copy.of(check.manifest(made.encode(), ARCHIVE, made.name), 0, 0) for made in ALL}
    known = Ledger(copies=copies)
    there = [made.name for made in NEW]
    assert findings.missing_snapshots(copies, there, known.database, pruned=True) == []
    assert findings.missing_snapshots(copies, IN_ORDER[:-1], known.database, pruned=True) == IN_ORDER[-1:]
    unread = Ledger(copies={name: copies[name] for name in IN_ORDER[:2]})
    assert findings.missing_snapshots(unread.copies, there, unread.database, pruned=True) == [], "nor by its time alone"
    found = window(known.chapters({}))
    assert [span.first - MILLIS for span in found.spans] == [10, 20, 30, 40]


def test_damage_of_the_old_database_is_contained() -> None:
    copies = {made.name: Copy.of(made, 0, 0) for made in NEW}
    name = OLD[1].name.key(ARCHIVE)
    known = Ledger(copies=copies, findings={name: Finding("Altered", name, "", 0)})
    assert findings.judged(known)[0].contained
    known.copies = {name: replace(copy, lacking=1) for name, copy in copies.items()}
    assert not findings.judged(known)[0].contained
