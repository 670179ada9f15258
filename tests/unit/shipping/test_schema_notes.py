"""Notes of the schema: bytes and names, which of them a restore takes, what retention and auditors make of them."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from made_segments import DATABASE, MILLIS, identifier

from neo4j_dr_operator.audit import due
from neo4j_dr_operator.audit.facts import Copy as Seen
from neo4j_dr_operator.audit.facts import Finding
from neo4j_dr_operator.audit.findings import damaged, judged
from neo4j_dr_operator.audit.ledger import Ledger
from neo4j_dr_operator.backup.names import SnapshotName
from neo4j_dr_operator.backup.retention import Copy, Kept
from neo4j_dr_operator.restore.chain import Link
from neo4j_dr_operator.restore.point import Point
from neo4j_dr_operator.restore.schema import usable
from neo4j_dr_operator.shipping import names
from neo4j_dr_operator.shipping.reading import ArchiveBroken, VersionUnknown
from neo4j_dr_operator.shipping.schema import SchemaName, SchemaNote, SchemaRef

RULES = (SchemaRef("CONSTRAINT", "ü`", "CREATE CONSTRAINT …"), SchemaRef("INDEX", "l", "…", "NODE"))
NOTE = SchemaNote("ns/dr", 3, 12, "primary", DATABASE, identifier(9), MILLIS, MILLIS + 5, RULES)
KEY = f"ns/dr/schema/0000000003/000000000012-00000000000000000009-00{MILLIS}.json"
BASE = SnapshotName(3, 10, 100, 0)


def test_a_note_is_read_as_it_was_written() -> None:
    assert NOTE.name.key("ns/dr") == KEY
    assert SchemaName.of(f"any/path/{KEY}") == NOTE.name
    assert SchemaNote.decode(NOTE.encode(), NOTE.name, "ns/dr") == NOTE
    with pytest.raises(ArchiveBroken):
        SchemaNote.decode(NOTE.encode(), replace(NOTE.name, tx=8), "ns/dr")
    with pytest.raises(ArchiveBroken):
        SchemaNote.decode(NOTE.encode(), NOTE.name, "ns/other")
    with pytest.raises(VersionUnknown):
        SchemaNote.decode(NOTE.encode().replace(b'"version":1', b'"version":2'), NOTE.name, "ns/dr")


@given(st.data())
def test_no_altered_byte_of_a_note_passes(data: st.DataObject) -> None:
    whole = NOTE.encode()
    at = data.draw(st.integers(0, len(whole) - 1))
    other = data.draw(st.integers(0, 255).filter(lambda byte: byte != whole[at]))
    cut_off = data.draw(st.booleans())
    with pytest.raises(ArchiveBroken):
        SchemaNote.decode(whole[:at] if cut_off else whole[:at] + bytes([other]) + whole[at + 1 :], NOTE.name, "ns/dr")


def test_the_notes_of_a_point_stand_behind_its_snapshot_and_before_it() -> None:
    before, there = SchemaName(3, 9, 90, 900), SchemaName(3, 10, 100, 1000)
    first, second, third = SchemaName(3, 11, 120, 1200), SchemaName(3, 11, 130, 1300), SchemaName(3, 12, 140, 1400)
    other = SchemaName(4, 1, 125, 1250)
    found = [third, other, second, before, first, there]
    links = [Link(names.segment("ns/dr", 3, number), "", 1) for number in (11, 12)]
    assert usable(found, BASE, links, Point(millis=1300)) == [first, second]
    assert usable(found, BASE, links, Point(millis=1299)) == [first]
    assert usable(found, BASE, links, Point(tx=139)) == [first, second]
    assert usable(found, BASE, links, Point(tx=140)) == [first, second, third]
    assert usable(found, BASE, links[:1], Point(millis=9999)) == [first, second], "what stands behind a gap is another"
    assert usable(found, BASE, [], Point(tx=100)) == []


def test_retention_keeps_the_notes_behind_the_oldest_snapshot() -> None:
    kept = Kept((Copy(BASE, 0, frozenset()),), frozenset())
    assert [kept.needs_schema(name) for name in (
        SchemaName(2, 99, 999, 0), SchemaName(3, 10, 99, 0), SchemaName(3, 10, 100, 0), SchemaName(4, 0, 1, 0)
    )] == [False, False, True, True]  # fmt: skip
    assert Kept((), frozenset()).needs_schema(NOTE.name)


def test_a_damaged_note_asks_for_a_snapshot_that_does_without_it() -> None:
    assert due.known("ns/dr", KEY)
    ledger = Ledger(findings={KEY: Finding("Altered", KEY, "its checksum does not fit", 0)})
    assert KEY in (damaged(judged(ledger)) or "")
    for tx, contained in ((9, False), (10, True)):
        name = SnapshotName(3, 12, tx, 0)
        ledger.copies = {name: Seen(name, DATABASE, 0, 0, 0, 0, 0, 0)}
        assert [each.contained for each in judged(ledger)] == [contained]
