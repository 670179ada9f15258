"""What retention may delete, and what pruning leaves of an archive."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from neo4j_dr_operator.backup import names as snapshot_names
from neo4j_dr_operator.backup import suspects
from neo4j_dr_operator.backup.manifest import Manifest
from neo4j_dr_operator.backup.names import SnapshotName
from neo4j_dr_operator.backup.prune import prune
from neo4j_dr_operator.backup.retention import Copy, Kept, Piece, Retention, keepable
from neo4j_dr_operator.backup.status import BackupStatus
from neo4j_dr_operator.backup.vault import Vault
from neo4j_dr_operator.errors import ConfigInvalid, ObjectStoreError, ObjectStoreUnreachable
from neo4j_dr_operator.objectstore.refusals import CredentialsExpired
from neo4j_dr_operator.shipping import names
from neo4j_dr_operator.shipping.reading import ArchiveBroken
from tests.made_archive import ARCHIVE, MILLIS, MadeArchive, identifier
from tests.memory_bucket import MemoryBucket

HOUR, DAY = 3_600_000, 86_400_000

histories = st.lists(st.sampled_from(["segment", "snapshot", "damaged", "failover", "day"]), min_size=1, max_size=60)


def history(steps: list[str]) -> tuple[list[Copy], list[Piece], int]:
    """Copies, segments, and the time of the end."""
    copies, pieces, epoch, number, tx, now = [], [], 1, 0, 0, 0
    for step in steps:
        now += 1000
        if step == "segment":
            number, tx = number + 1, tx + 1
            pieces.append(Piece(epoch, number))
        elif step in ("snapshot", "damaged"):
            copies.append(Copy(SnapshotName(epoch, number, tx, now), now, step == "snapshot"))
        elif step == "failover":
            epoch, number, tx = epoch + 1, 0, 0
        else:
            now += DAY
    return copies, pieces, now


@settings(deadline=None)  # on a machine that does other work
@given(histories, st.one_of(st.builds(Retention, millis=st.integers(0, 9).map(lambda days: days * DAY)),
                            st.builds(Retention, copies=st.integers(1, 5))))  # fmt: skip
def test_retention_deletes_nothing_that_a_point_of_the_window_needs(steps: list[str], retention: Retention) -> None:
    copies, pieces, now = history(steps)
    kept = keepable(copies, pieces, retention, now)
    whole = [copy for copy in copies if copy.whole]
    if retention.copies is not None:
        needed, older = whole[-retention.copies :], whole[: -retention.copies]
    else:
        begin = now - (retention.millis or 0)
        older = [copy for copy in whole if copy.until <= begin]
        needed, older = older[-1:] + [copy for copy in whole if copy.until > begin], older[:-1]
    assert set(needed) <= set(kept.copies)
    assert not set(older) & set(kept.copies)
    assert list(kept.copies) == copies[len(copies) - len(kept.copies) :], "the newest ones, damaged ones among them"
    for copy in needed:
        behind = {piece for piece in pieces if piece.epoch == copy.name.epoch and piece.number > copy.name.segment}
        assert behind <= kept.pieces
    for epoch in {piece.epoch for piece in pieces}:
        numbers = [piece.number for piece in kept.pieces if piece.epoch == epoch]
        assert numbers
        assert sorted(numbers) == list(range(min(numbers), max(numbers) + 1)), "no hole"
    if not whole:
        assert (list(kept.copies), kept.pieces) == (copies, set(pieces)), "nothing goes that no whole snapshot replaces"


def test_retention_deletes_what_nothing_needs() -> None:
    copies, pieces, now = history(["snapshot", "segment", "segment", "day", "snapshot", "segment", "failover",
                                      "segment", "segment", "snapshot"])  # fmt: skip
    kept = keepable(copies, pieces, Retention(copies=1), now)
    assert kept == Kept((copies[-1],), frozenset({Piece(1, 3), Piece(2, 2)}))


def test_retention_by_age_leaves_segments_alone_until_a_snapshot_is_as_old() -> None:
    """What was shipped before the first snapshot is of no use to a restore; a standby may still lack it."""
    copies, pieces, now = history(["segment", "segment", "snapshot", "segment", "snapshot"])
    age = now - min(copy.until for copy in copies)
    assert keepable(copies, pieces, Retention(millis=age + 1), now).pieces == frozenset(pieces)
    assert keepable(copies, pieces, Retention(millis=age), now).pieces < frozenset(pieces)
    assert keepable(copies, pieces, Retention(copies=2), now).pieces < frozenset(pieces)


def test_a_snapshot_that_lacks_something_is_neither_the_first_of_the_days_nor_one_of_so_many() -> None:
    copies, pieces, now = history(["snapshot", "segment", "snapshot", "segment", "damaged", "day", "segment",
                                      "snapshot"])  # fmt: skip
    assert keepable(copies, pieces, Retention(millis=DAY // 2), now) == Kept(tuple(copies[1:]), frozenset(pieces[1:]))
    assert keepable(copies, pieces, Retention(copies=2), now).copies == tuple(copies[1:])
    assert keepable(copies, pieces, Retention(copies=3), now).copies == tuple(copies)


@settings(deadline=None)  # on a machine that does other work
@given(
    st.lists(st.tuples(st.integers(1, 40), st.integers(0, 12), st.integers(-100, 100), st.booleans()), max_size=30),
    st.integers(1, 72),
)
def test_pruning_never_leaves_the_window_shorter_than_retention(
    taken: list[tuple[int, int, int, bool]], hours: int
) -> None:
    """By the operator's clock, whatever the source's is set to when a snapshot is taken, and however long that takes.

    Each snapshot: hours since the one before, hours that it is read for, hours by which the source's clock is fast, and
    whether it is whole.
    """
    now, ended, first = MILLIS, dict[SnapshotName, int](), None
    copies: list[Copy] = []
    for number, (pause, reading, fast, whole) in enumerate(taken, 1):
        created, now = now + pause * HOUR, now + (pause + reading) * HOUR
        shown = now + fast * HOUR
        start, end = (identifier(1, at + fast * HOUR - MILLIS) for at in (created, now))
        made = Manifest("ns/dr", 1, number, "primary", "", start, end, shown, shown, created, 0, 0, (), (), ())
        copies.append(Copy.of(made, whole=whole))
        ended[made.name] = now
        first = now if first is None and whole else first
        copies = list(keepable(copies, [], Retention(millis=hours * HOUR), now).copies)
        if first is not None:
            reached = min(ended[copy.name] for copy in copies if copy.whole)
            assert reached <= max(first, now - hours * HOUR)


def pruned(made: MadeArchive, retention: str, monkeypatch: pytest.MonkeyPatch) -> BackupStatus:
    """What is there is what retention leaves of it, now being the moment after its last transaction."""
    monkeypatch.setattr("time.time", lambda: (MILLIS + made.tx) / 1000)
    bucket, status = MemoryBucket(made.objects).bucket, BackupStatus()
    vault = Vault(bucket, ARCHIVE, None, lambda error: None)
    prune(bucket, vault, ARCHIVE, Retention.parse(retention), status, lambda: True)
    return status


@pytest.mark.parametrize("damage", ["gone", "noted", "locked", None])
def test_what_the_first_kept_days_need_stays_while_the_newer_snapshot_lacks_something(
    damage: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = MadeArchive()
    made.promote()
    older = made.snapshot()
    made.ship(3)
    before = set(made.objects)
    newer = made.snapshot(values=3)
    made.rest(2 * DAY)
    youngest = made.snapshot()
    chunk = next(name for name in made.objects.keys() - before if "/chunks/" in name)
    sha256 = snapshot_names.content(chunk) or ""
    match damage:
        case "gone":
            del made.objects[chunk]
        case "noted":
            made.objects[suspects.name(ARCHIVE)] = suspects.Note(damaged=frozenset({sha256})).encode()
        case "locked":
            made.objects[suspects.name(ARCHIVE)] = suspects.Note(locked=frozenset({sha256})).encode()
    whole = dict(made.objects)
    status = pruned(made, "1d", monkeypatch)
    left = [name for name in made.snapshots if name in made.objects]
    if damage is None:
        assert left == [newer, youngest]
        assert status.pruned == len(whole) - len(made.objects) > 1
        assert names.segment(ARCHIVE, 1, 1) not in made.objects
    else:
        assert left == [older, newer, youngest]
        assert whole.keys() - made.objects.keys() == {names.segment(ARCHIVE, 1, 1)}
    for name in left:
        lacking = {each for each in _needed(made.objects[name]) if each not in made.objects}
        assert lacking == ({chunk} if damage == "gone" and name == newer else set())


def four(monkeypatch: pytest.MonkeyPatch) -> tuple[MadeArchive, MemoryBucket, Vault]:
    """An archive with four snapshots; now is the moment after the last one."""
    made = MadeArchive()
    made.promote()
    for _ in range(4):
        made.snapshot()
    monkeypatch.setattr("time.time", lambda: (MILLIS + made.tx) / 1000)
    memory = MemoryBucket(made.objects)

    def raised(error: ObjectStoreError) -> None:
        raise error

    return made, memory, Vault(memory.bucket, ARCHIVE, None, raised)


@pytest.mark.parametrize("how", ["altered", "locked", "gone"])
def test_a_snapshot_that_cannot_be_read_stops_retention_for_contents_only_and_only_while_it_stays(
    how: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody knows what it is made of."""
    made, memory, vault = four(monkeypatch)
    oldest, second, unread, newest = made.snapshots

    def gone(method: str, name: str) -> None:  # behind the list
        if (method, name) == ("get", unread):
            made.objects.pop(name, None)

    match how:
        case "altered":
            made.objects[unread] += b"x"
        case "locked":
            memory.locked = {unread}
        case "gone":
            memory.before = gone
    before, status = dict(made.objects), BackupStatus()
    with pytest.raises((ArchiveBroken, ObjectStoreError)):
        prune(memory.bucket, vault, ARCHIVE, Retention(copies=2), status, lambda: True)
    deleted = before.keys() - made.objects.keys() - {unread}
    assert deleted == {oldest, names.segment(ARCHIVE, 1, 1), names.segment(ARCHIVE, 1, 2)}
    assert status.pruned == 3

    prune(memory.bucket, vault, ARCHIVE, Retention(copies=1), status, lambda: True)
    assert [name for name in made.snapshots if name in made.objects] == [newest]
    contents = {name for name in made.objects if "/chunks/" in name or "/amendments/" in name}
    assert contents == _needed(made.objects[newest])
    assert second not in made.objects


@pytest.mark.parametrize("error", [CredentialsExpired("over"), ObjectStoreUnreachable("no answer")])
def test_a_store_that_gives_no_snapshot_at_all_deletes_none(
    error: ObjectStoreError, monkeypatch: pytest.MonkeyPatch
) -> None:
    made, memory, vault = four(monkeypatch)
    before = dict(made.objects)

    def refused(method: str, name: str) -> None:
        if "/snapshots/" in name and method == "get":
            raise error

    memory.before = refused
    with pytest.raises(type(error)):
        prune(memory.bucket, vault, ARCHIVE, Retention(copies=1), BackupStatus(), lambda: True)
    assert made.objects == before


def _needed(data: bytes) -> set[str]:
    manifest = Manifest.decode(data)
    chunks = {snapshot_names.chunk(ARCHIVE, ref.sha256) for ref in manifest.chunks}
    return chunks | {snapshot_names.amendment(ARCHIVE, ref.sha256) for ref in manifest.amendments}


def test_retention_is_an_age_or_a_number() -> None:
    assert Retention.parse("30d") == Retention(millis=30 * DAY)
    assert Retention.parse("12h").millis == DAY // 2
    assert Retention.parse("7") == Retention(copies=7)
    for wrong in ("", "d", "0", "-1", "30 d", "1.5d", "7x"):
        with pytest.raises(ConfigInvalid):
            Retention.parse(wrong)
