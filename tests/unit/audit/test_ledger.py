"""What an auditor remembers, what it reads next, and what it makes of what it finds."""

from __future__ import annotations

import gzip
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from neo4j_dr_operator.audit import check, due, findings
from neo4j_dr_operator.audit.facts import KINDS, Content, Copy, Finding, Mark, Piece
from neo4j_dr_operator.audit.ledger import Ledger
from neo4j_dr_operator.backup import names as snapshot_names
from neo4j_dr_operator.backup import suspects
from neo4j_dr_operator.backup.names import SnapshotName
from neo4j_dr_operator.objectstore.lifecycle import endangering
from neo4j_dr_operator.shipping import names
from tests.made_archive import ARCHIVE, MadeArchive

NOW, WEEK = 1_700_000_000, 604_800.0
numbers = st.integers(0, 2**40)
places = st.tuples(numbers, st.integers(0, 2**63 - 1), numbers)
hexes = st.text("0123456789abcdef", min_size=16, max_size=16)


@st.composite
def pieces(draw: st.DrawFn) -> dict[int, Piece]:
    """Segments of any past, with holes."""
    made = {}
    for number in draw(st.sets(st.integers(1, 50), max_size=8)):
        covered = draw(numbers)
        made[number] = Piece(
            number=number,
            database=draw(st.sampled_from(["a", "b"])),
            begin=draw(places),
            end=draw(places),
            covered=covered,
            last=draw(st.none() | numbers),
            created=draw(numbers),
            sha256=draw(hexes),
            previous=draw(hexes | st.just("")),
            start=draw(st.sampled_from(["", "first", "gap"])),
            regressed=draw(st.booleans()),
            size=draw(numbers),
            at=draw(numbers),
        )
    return made


ledgers = st.builds(
    Ledger,
    at=numbers,
    listed=numbers,
    done=st.text(max_size=5),
    doing=st.text(max_size=5),
    since=numbers,
    pieces=st.dictionaries(st.integers(1, 5), pieces(), max_size=3),
    marks=st.dictionaries(st.integers(1, 5), st.builds(Mark, numbers, hexes, numbers), max_size=2),
    contents=st.dictionaries(hexes, st.builds(Content, st.booleans(), numbers, numbers, numbers), max_size=6),
    noted=st.booleans(),
)


@given(ledgers)
def test_a_ledger_comes_back_as_it_was_put(ledger: Ledger) -> None:
    ledger.tails = {epoch: max(held, default=0) for epoch, held in ledger.pieces.items()}
    name = SnapshotName(1, 2, 3, 4)
    ledger.copies = {name: Copy(name, "a", 5, 6, 7, 8, 9, 10, 11)}
    ledger.findings = {"x": Finding("Altered", "x", "it is odd", 12)}
    assert Ledger.decode(ledger.encode()) == ledger


def test_a_ledger_that_is_not_ours_is_none() -> None:
    whole = Ledger().encode()
    assert Ledger.decode(whole) == Ledger()
    for data in (b"", whole[:-3], whole[:20] + b"x" + whole[21:], gzip.compress(b"[]"), gzip.compress(b"{}")):
        assert Ledger.decode(data) is None
    later = orjson.loads(gzip.decompress(whole)) | {"version": 2}
    assert Ledger.decode(gzip.compress(orjson.dumps(later))) is None
    column = orjson.loads(gzip.decompress(whole))
    column["contents"]["at"] = [1]
    assert Ledger.decode(gzip.compress(orjson.dumps(column))) is None


def test_a_ledger_of_a_busy_month_is_small() -> None:
    """A segment a minute for thirty days."""
    made = MadeArchive()
    made.promote()
    made.ship(1)
    first = check.segment(made.objects[names.segment(ARCHIVE, 1, 2)], ARCHIVE, 1, 2, NOW)
    held = {}
    for number in range(1, 43_201):
        end = (number * 7, 3, 1_700_000_000_000 + number * 60_000 + number % 977)
        digits = f"{(number * 0x9E3779B97F4A7C15) % 2**64:016x}"
        held[number] = replace(first, number=number, begin=end, end=end, covered=end[2], sha256=digits, at=NOW + number)
    ledger = Ledger(pieces={1: held}, tails={1: 43_200})
    data = ledger.encode()
    print(f"{len(data) / 43_200:.1f} bytes a segment")
    assert len(data) < 43_200 * 40


def ledger(count: int, *, at: int) -> Ledger:
    """So many chunks, read one after the other, each a second after the one before."""
    contents = {f"{n:064x}": Content(False, NOW - int(WEEK), at + n) for n in range(count)}
    return Ledger(at=NOW, listed=NOW, contents=contents)


def test_everything_is_read_once_in_a_period_however_rounds_come() -> None:
    known, now, reads = ledger(500, at=NOW - 500), NOW, 0
    while now < NOW + WEEK:
        now += 617
        work = due.due(known, [], now, WEEK)
        assert len(work) <= 2, "a share, not a burst"
        for sha256 in work.contents:
            known.contents[sha256] = replace(known.contents[sha256], at=now)
            reads += 1
        known.at = now
    assert min(known.ages()) >= NOW
    assert 500 <= reads <= 1100


def test_after_a_long_absence_the_oldest_come_first_and_what_is_over_its_time_at_once() -> None:
    known = ledger(100, at=NOW - 3600)
    work = due.due(known, [], NOW + 61_000, WEEK)
    assert work.contents == tuple(f"{n:064x}" for n in range(11))
    assert len(due.due(known, [], NOW + int(WEEK) + 100, WEEK)) == 100
    assert len(due.due(known, [], NOW, WEEK)) == 0


def test_new_and_damaged_objects_are_read_at_once_and_everything_where_that_is_asked() -> None:
    known = ledger(5, at=NOW)
    hurt = snapshot_names.chunk(ARCHIVE, "f" * 64)
    known.findings = {hurt: Finding("Altered", hurt, "", NOW), "lifecycle rule x": Finding("Expiring", "x", "", NOW)}
    new = [names.segment(ARCHIVE, 1, 7), SnapshotName(1, 2, 3, 4).key(ARCHIVE), f"{ARCHIVE}/other"]
    work = due.due(known, new, NOW, WEEK)
    assert (work.segments, work.snapshots, work.contents) == (((1, 7),), (SnapshotName(1, 2, 3, 4),), ("f" * 64,))
    assert known.begin("r full", NOW + 10)
    assert len(due.due(known, [], NOW + 10, WEEK, full=True)) == 6
    known.contents = {sha256: replace(each, at=NOW + 11) for sha256, each in known.contents.items()}
    assert known.begin("r full", NOW + 12), "it is gone on with"
    assert len(due.due(known, [], NOW, WEEK, full=True)) == 1, "what was read since it was asked for is not read again"
    known.end("r full")
    assert not known.begin("r full", NOW + 600)
    assert not known.begin("", NOW + 600)
    known.end("")
    assert known.done == "r full"


def test_when_everything_is_listed() -> None:
    known = Ledger()
    assert due.listing(known, NOW, WEEK)
    known.listed = NOW
    assert not due.listing(known, NOW + 86_399, WEEK)
    assert due.listing(known, NOW + 86_400, WEEK)
    assert [due.pause(seconds) for seconds in (1.0, 3600.0, WEEK, 1e9)] == [2.0, 3.6, 600.0, 600.0]


@pytest.mark.parametrize(
    ("name", "ours"),
    [
        ("archive.json", True),
        ("audit.json.gz", True),
        ("damage.json", True),
        ("encryption-probe", True),
        ("0000000001/000000000001.seg", True),
        ("0000000001/watermark.json", True),
        ("snapshots/0000000001/000000000001-00000000000000000001-000000000000001.json", True),
        (f"chunks/aa/{'a' * 64}.gz", True),
        (f"amendments/{'a' * 64}.seg", True),
        ("0000000001/readme.txt", False),
        ("watermark.json", False),
        ("chunks/x", False),
        ("thesis.docx", False),
    ],
)
def test_what_the_format_knows(name: str, ours: bool) -> None:
    assert due.known(ARCHIVE, f"{ARCHIVE}/{name}") is ours


def test_what_is_missing() -> None:
    assert findings.missing_segments({3, 4, 6}, None, 7) == [5, 7]
    assert findings.missing_segments({3, 4, 6}, 3, 6) == [5]
    assert findings.missing_segments({4}, 0, 4) == [1, 2, 3]
    assert findings.missing_segments({4}, 4, 4) == []
    first, second, third = (SnapshotName(1, n, n, n) for n in (1, 2, 3))

    def gone(known: list[SnapshotName], there: list[SnapshotName], *, pruned: bool = True) -> list[SnapshotName]:
        return findings.missing_snapshots(known, there, Ledger().database, pruned=pruned)

    assert gone([first, second, third], [second, third]) == [], "retention takes the oldest"
    assert gone([first, second, third], [second, third], pruned=False) == [first], "there is none"
    assert gone([first, second, third], [first, third]) == [second]
    assert gone([first, second], [first]) == [second]
    assert gone([first], []) == [first], "and never the last one"


def copy(name: SnapshotName, lacking: int = 0) -> Copy:
    return Copy(name, "a", 0, 0, 0, 0, 0, 0, lacking)


def test_what_a_new_snapshot_would_heal_and_what_it_has_healed() -> None:
    base, later = SnapshotName(2, 5, 50, 1), SnapshotName(2, 9, 90, 2)
    segment = names.segment(ARCHIVE, 2, 8)
    chunk = snapshot_names.chunk(ARCHIVE, "a" * 64)
    mark = names.watermark(ARCHIVE, 2)

    def judge(name: str, kind: Any, *copies: Copy) -> tuple[bool, bool]:
        known = Ledger(copies={each.name: each for each in copies})
        known.findings = {name: Finding(kind, name, "it is odd", NOW)}
        (found,) = findings.judged(known)
        return found.contained, findings.damaged([found]) is not None

    assert judge(segment, "Missing", copy(base)) == (False, True)
    assert judge(segment, "Missing", copy(base), copy(later)) == (True, False)
    assert judge(segment, "Missing", copy(base), copy(later, lacking=1)) == (False, True), "that one is damaged itself"
    assert judge(names.segment(ARCHIVE, 1, 8), "Altered", copy(base)) == (True, False), "of an epoch before"
    assert judge(chunk, "Altered", copy(base), copy(later, lacking=1)) == (False, True)
    assert judge(chunk, "Altered", copy(base, lacking=1), copy(later)) == (True, False)
    assert judge(later.key(ARCHIVE), "Truncated", copy(base)) == (False, True)
    assert judge(base.key(ARCHIVE), "Truncated", copy(later)) == (True, False)
    assert judge(mark, "Altered", copy(later)) == (False, False), "the shipper puts it again"
    assert judge(segment, "Unreadable", copy(base)) == (False, False), "for people"
    assert judge("lifecycle rule x", "Expiring", copy(later)) == (False, False)
    assert judge(f"{ARCHIVE}/x", "Foreign") == (True, False)
    assert judge(names.marker(ARCHIVE), "Missing") == (False, True)
    text = findings.damaged([Finding("Altered", segment, "it is odd", NOW)])
    assert text == f"{segment}: it is odd (found 2023-11-14T22:13:20.000Z)"


def test_the_worst_comes_first() -> None:
    kinds: list[Any] = ["Foreign", "Expiring", "Unreadable", "Altered", "Truncated", "Missing"]
    known = Ledger(findings={kind: Finding(kind, f"{ARCHIVE}/{kind}", "", NOW) for kind in kinds})
    assert [each.kind for each in findings.judged(known)] == list(reversed(kinds))


def test_links_that_do_not_hold() -> None:
    made = MadeArchive()
    made.promote()
    made.ship(2)
    made.ship(2)
    made.lose(3)
    held = {n: check.segment(made.objects[names.segment(ARCHIVE, 1, n)], ARCHIVE, 1, n, 0) for n in range(1, 5)}
    assert findings.broken_links(held) == []
    assert findings.broken_links({**held, 2: replace(held[2], sha256="0" * 16)}) == [2]
    assert findings.broken_links({**held, 2: replace(held[2], end=(9, 9, 9))}) == [2]
    assert findings.broken_links({**held, 3: replace(held[3], end=(9, 9, 9))}) == [], (
        "a gap says that it goes on nowhere"
    )
    assert findings.broken_links({1: held[1], 3: held[3]}) == [], "a hole is another matter"


def test_what_is_noted_for_backups_and_restores() -> None:
    note = suspects.Note(frozenset({"b", "a"}), frozenset({"c"}))
    assert suspects.Note.decode(note.encode()) == note
    assert note.unusable == {"a", "b", "c"}
    assert note.encode() == suspects.Note(frozenset({"a", "b"}), frozenset({"c"})).encode()
    older = b'{"format":"neo4j-dr-damage","version":1,"contents":["a"]}\n'
    assert suspects.Note.decode(older) == suspects.Note(frozenset({"a"}))
    for data in (b"", b"{}", b"[]", b'{"format":"neo4j-dr-damage","version":2,"contents":["a"]}'):
        assert suspects.Note.decode(data) == suspects.Note()


def test_what_is_only_locked_is_not_noted_as_damaged() -> None:
    """A backup deletes what is damaged, to put it anew: a chunk whose key is disabled may be good."""
    made = {kind: snapshot_names.chunk(ARCHIVE, f"{number:064x}") for number, kind in enumerate(KINDS)}
    note = findings.unusable(Finding(kind, name, "", NOW) for kind, name in made.items() if kind != "Expiring")
    assert note.damaged == {f"{KINDS.index(kind):064x}" for kind in ("Missing", "Truncated", "Altered")}
    assert note.locked == {f"{KINDS.index('Unreadable'):064x}"}


def rule(**more: Any) -> dict[str, Any]:
    return {"ID": "r", "Status": "Enabled", "Filter": {"Prefix": ""}, **more}


@pytest.mark.parametrize(
    ("made", "does"),
    [
        (rule(Expiration={"Days": 90}), "deletes objects after 90 days"),
        (rule(Expiration={"Date": datetime(2030, 1, 2, tzinfo=UTC)}), "deletes objects on 2030-01-02"),
        (rule(Expiration={"Days": 9}, Filter={"Prefix": "logs/ns/dr/chunks/"}), "deletes objects after 9 days"),
        (rule(Expiration={"Days": 9}, Filter={"Prefix": "logs/"}), "deletes objects after 9 days"),
        ({"Status": "Enabled", "Prefix": "logs", "Expiration": {"Days": 9}}, "deletes objects after 9 days"),
        (rule(Transitions=[{"Days": 1, "StorageClass": "GLACIER"}]), "moves objects to GLACIER"),
        (
            rule(Expiration={"Days": 9}, Filter={"And": {"Prefix": "logs", "ObjectSizeLessThan": 9}}),
            "deletes objects after 9 days",
        ),
        (rule(Expiration={"Days": 9}, Filter={"Prefix": "elsewhere/"}), None),
        (rule(Expiration={"Days": 9}, Filter={"Tag": {"Key": "a", "Value": "b"}}), None),
        (rule(Expiration={"Days": 9}, Filter={"And": {"Prefix": "", "Tags": [{"Key": "a", "Value": "b"}]}}), None),
        (rule(Expiration={"Days": 9}, Status="Disabled"), None),
        (rule(Expiration={"ExpiredObjectDeleteMarker": True}), None),
        (rule(NoncurrentVersionExpiration={"NoncurrentDays": 30}), None),
        (rule(AbortIncompleteMultipartUpload={"DaysAfterInitiation": 2}), None),
        (rule(Transitions=[{"Days": 30, "StorageClass": "STANDARD_IA"}]), None),
    ],
)
def test_rules_of_a_bucket(made: dict[str, Any], does: str | None) -> None:
    found = endangering([made], "logs/ns/dr/")
    assert list(found.values()) == ([does] if does else [])
