"""The window against what a restore would find: every point it promises is planned, every other one refused."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from neo4j_dr_operator.audit import check
from neo4j_dr_operator.audit.facts import Copy, Damaged, Piece
from neo4j_dr_operator.audit.window import Chapter, Gap, Window, window
from neo4j_dr_operator.backup.manifest import Manifest
from neo4j_dr_operator.backup.names import SnapshotName
from neo4j_dr_operator.backup.vault import ObjectAltered, ObjectMissing
from neo4j_dr_operator.errors import DrError
from neo4j_dr_operator.graph.position import Position
from neo4j_dr_operator.restore.chain import links
from neo4j_dr_operator.restore.point import Point
from neo4j_dr_operator.restore.refusals import RestoreRefused
from neo4j_dr_operator.shipping import names
from neo4j_dr_operator.shipping.chain import Tail
from tests.made_archive import ARCHIVE, MILLIS, MadeArchive, identifier

Step = Callable[[MadeArchive], object]


def steps() -> st.SearchStrategy[list[Step]]:
    """What befalls an archive."""
    return st.lists(
        st.one_of(
            st.integers(1, 3).map(lambda n: lambda made: made.ship(n)),
            st.integers(-3, 3).map(lambda n: lambda made: made.lose(n)),
            st.integers(1, 3).map(lambda n: lambda made: made.rest(n)),
            st.integers(0, 2).map(lambda n: lambda made: made.snapshot(behind=n)),
            st.integers(1, 3).map(lambda n: lambda made: made.snapshot(fast=n)),
            st.just(lambda made: made.promote()),
        ),
        max_size=12,
    )


def grown(some: list[Step]) -> MadeArchive:
    """An archive to which this happened."""
    made = MadeArchive()
    made.promote()
    made.snapshot()
    for step in some:
        step(made)
    return made


def chapters(made: MadeArchive, damaged: set[str]) -> list[Chapter]:
    """What an auditor knows of it; ``damaged``: objects that it could not use."""
    found = []
    for epoch in range(1, made.epoch + 1):
        prefix = names.folder(ARCHIVE, epoch)
        segments = {n: key for key in made.objects if key.startswith(prefix) and (n := names.number(key)) is not None}
        pieces: dict[int, Piece] = {}
        for number, key in segments.items():
            if key not in damaged:
                pieces[number] = check.segment(made.objects[key], ARCHIVE, epoch, number, 0)
        copies = []
        for key in made.snapshots:
            name = SnapshotName.of(key)
            if name is not None and name.epoch == epoch and key not in damaged:
                copies.append(Copy.of(check.manifest(made.objects[key], ARCHIVE, name), 0, 0))
        copies.sort(key=lambda copy: copy.name)
        mark = made.objects.get(names.watermark(ARCHIVE, epoch))
        bad = {number: "Altered" for number, key in segments.items() if key in damaged}
        found.append(
            Chapter(epoch, pieces, bad, copies, check.watermark(mark) if mark else None, max(segments, default=0))
        )
    return found


def planned(made: MadeArchive, damaged: set[str], millis: int) -> bool:
    """Whether the restore's own walk through the segments gives the point, by the rules of docs/restore.md."""
    manifests = [Manifest.decode(made.objects[key]) for key in made.snapshots if key not in damaged]
    epoch = max((e for e in range(1, made.epoch + 1) if e == 1 or _begin(made, damaged, e) <= millis), default=1)
    fitting = [each for each in manifests if each.epoch == epoch and each.latest <= millis]
    if not fitting:
        return False
    base = max(fitting, key=lambda each: each.name)
    whole = {key: data for key, data in made.objects.items() if key not in damaged}
    try:
        links(base, Point(millis=millis), _tail(made, epoch), whole.get, lambda number: None)
    except (RestoreRefused, ObjectMissing, ObjectAltered):
        return False
    return True


def _begin(made: MadeArchive, damaged: set[str], epoch: int) -> int:
    prefix = names.folder(ARCHIVE, epoch)
    for key in sorted(key for key in made.objects if key.startswith(prefix) and key.endswith(".seg")):
        if key not in damaged:
            return check.segment(made.objects[key], ARCHIVE, epoch, names.number(key) or 0, 0).begins
    starts = [Manifest.decode(made.objects[key]) for key in made.snapshots if key not in damaged]
    begins = [Position.decode(each.start).commit_millis for each in starts if each.epoch == epoch]
    return min(begins, default=0)


def _tail(made: MadeArchive, epoch: int) -> Tail:
    prefix = names.folder(ARCHIVE, epoch)
    last = max(key for key in made.objects if key.startswith(prefix) and key.endswith(".seg"))
    number = names.number(last) or 0
    piece = check.segment(made.objects[last], ARCHIVE, epoch, number, 0)
    mark = made.objects.get(names.watermark(ARCHIVE, epoch))
    covered = piece.covered
    if mark is not None and (told := check.watermark(mark)).sha256 == piece.sha256:
        covered = max(covered, told.covered)
    position = Position.decode(identifier(epoch, piece.end[0]))
    seen = Position.decode(identifier(epoch, max(piece.end[0], covered - MILLIS)))
    return Tail(number, piece.sha256, position, seen, covered)


@settings(max_examples=400, deadline=None)
@given(steps(), st.data())
def test_every_promised_point_is_planned_and_every_other_one_refused(some: list[Step], data: st.DataObject) -> None:
    made = grown(some)
    breakable = sorted(key for key in made.objects if key.endswith(".seg") and "/amendments/" not in key)
    damaged = data.draw(st.sets(st.sampled_from([*breakable, *made.snapshots]), max_size=2))
    known = chapters(made, damaged)
    if any(not chapter.pieces and not chapter.copies for chapter in known):
        return  # where nothing of an epoch can be read, nobody knows when it began: tested by itself
    found = window(known)
    for millis in range(MILLIS - 4, MILLIS + made.highest + 6):
        assert found.holds(millis) == planned(made, damaged, millis), millis - MILLIS
    _orderly(found)


def _orderly(found: Window) -> None:
    """Gaps and spans take turns, and every gap has a reason."""
    edges = [edge for span in found.spans for edge in (span.first, span.last)]
    assert edges == sorted(edges)
    for gap in found.gaps:
        assert not any(found.holds(millis) for millis in range(gap.last + 1, gap.first))
        assert found.holds(gap.last)
        assert found.holds(gap.first)
        reason, colon, sentence = gap.reason.partition(": ")
        assert reason in ("EpochBoundary", "Gap", "Altered", "Missing", "NotArchived")
        assert colon
        assert sentence


def test_a_window_in_words() -> None:
    made = grown([lambda made: made.ship(3), lambda made: made.lose(10), lambda made: made.ship(2)])
    assert (window(chapters(made, set())).earliest, window(chapters(made, set())).latest) == (MILLIS + 1, MILLIS + 4)
    made.snapshot()
    made.rest(5)
    found = window(chapters(made, set()))
    assert (found.earliest, found.latest, found.open) == (MILLIS + 1, MILLIS + made.tx, True)
    reason = "Gap: behind segment 3 of epoch 1 the database's log did not go back so far"
    assert found.gaps == [Gap(MILLIS + 4, MILLIS + 17, reason)]
    made.promote()
    made.ship(2)
    found = window(chapters(made, set()))
    assert not found.open, "the new epoch has no snapshot yet"
    made.snapshot()
    found = window(chapters(made, set()))
    assert found.open
    assert found.gaps[-1].reason == "EpochBoundary: epoch 2 can be restored from its first whole snapshot on"


def test_a_snapshot_that_holds_more_than_the_archive_covers_yet() -> None:
    """Its clock was ahead of the last commit: it gives its first point when something later is archived."""
    made = grown([lambda made: made.ship(3)])
    (chapter,) = chapters(made, set())
    assert not window([chapter]).pending
    (copy,) = chapter.copies
    early = replace(chapter, copies=[replace(copy, latest=MILLIS + 9)])
    assert window([early]).pending
    assert not window([early]).open
    assert not window([replace(early, tail=9)]).pending, "a hole is no matter of time"
    assert not window([replace(early, pieces={}, tail=0)]).pending, "nothing is shipped here"


def test_an_epoch_of_which_nothing_can_be_read_hides_what_was_before() -> None:
    """Nobody knows when it began, and so which points are of the epoch before."""
    made = grown([lambda made: made.ship(3)])
    assert window(chapters(made, set())).holds(MILLIS + 2)
    made.promote()
    assert window(chapters(made, set())).holds(MILLIS + 2)
    assert not window(chapters(made, {names.segment(ARCHIVE, 2, 1)})).holds(MILLIS + 2)


def test_a_damaged_segment_in_the_middle_and_one_at_the_end() -> None:
    made = grown([lambda made: made.ship(3), lambda made: made.ship(3), lambda made: made.ship(3)])
    middle, last = names.segment(ARCHIVE, 1, 4), names.segment(ARCHIVE, 1, 5)
    assert window(chapters(made, {middle})).latest == MILLIS + 4
    assert window(chapters(made, {last})).latest == MILLIS + 7
    made.snapshot()
    found = window(chapters(made, {middle}))
    assert found.gaps == [Gap(MILLIS + 4, MILLIS + 11, "Altered: segment 4 of epoch 1")]
    assert found.open


@pytest.mark.parametrize("shorter", [True, False])
def test_what_is_cut_and_what_is_changed(shorter: bool) -> None:
    made = grown([lambda made: made.ship(3)])
    for key in made.objects:
        data = made.objects[key]
        if not key.endswith((".seg", ".gz")) and key not in made.snapshots:
            continue
        for at in range(10, len(data) - 8):  # behind gzip's header, of which some bytes mean nothing
            broken = data[:at] if shorter else data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :]
            with pytest.raises(Damaged) as error:
                _checked(key, broken)
            if shorter:
                assert error.value.kind == "Truncated", (key, at)


def _checked(key: str, data: bytes) -> None:
    if (number := names.number(key)) is not None:
        check.segment(data, ARCHIVE, 1, number, 0)
    elif (name := SnapshotName.of(key)) is not None:
        check.manifest(data, ARCHIVE, name)
    else:
        sha256 = key.rpartition("/")[2].partition(".")[0]
        check.content(data, sha256, amendment=key.endswith(".seg"))


def test_an_object_under_the_name_of_another() -> None:
    made = grown([lambda made: made.ship(3), lambda made: made.snapshot()])
    second, third = (made.objects[names.segment(ARCHIVE, 1, number)] for number in (2, 3))
    for wrong, number in ((second, 3), (third, 2)):
        with pytest.raises(Damaged, match="it holds segment"):
            check.segment(wrong, ARCHIVE, 1, number, 0)
    names_ = [SnapshotName.of(key) for key in made.snapshots]
    assert names_[0] is not None
    with pytest.raises(Damaged, match="another snapshot"):
        check.manifest(made.objects[made.snapshots[1]], ARCHIVE, names_[0])
    for data in (b"", b"[]", b"{}", b'{"format":"neo4j-dr-watermark","version":1}', b'{"format":1,"version":2}'):
        for look in (check.watermark, check.marker):
            with pytest.raises(DrError):
                look(data)
