"""Whole rounds of the real auditor over a store in memory, while others put and delete: what it makes of any order."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any
from unittest.mock import patch

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from neo4j_dr_operator.audit import ledger, run, store
from neo4j_dr_operator.audit.config import AuditConfig
from neo4j_dr_operator.audit.run import Audit
from neo4j_dr_operator.audit.status import AuditStatus
from neo4j_dr_operator.backup.process import Patience
from neo4j_dr_operator.backup.vault import Vault
from neo4j_dr_operator.errors import DrError, ObjectStoreError
from neo4j_dr_operator.graph.position import Position
from neo4j_dr_operator.objectstore.s3 import S3Address
from neo4j_dr_operator.replication.faults import Faults
from neo4j_dr_operator.restore.point import Point
from neo4j_dr_operator.restore.survey import Survey
from neo4j_dr_operator.shipping import names
from neo4j_dr_operator.shipping.reading import SegmentReader
from tests.made_archive import ARCHIVE, MILLIS, MadeArchive
from tests.memory_bucket import MemoryBucket

NOW, WEEK = 1_800_000_000, 7 * 86_400.0
Event = tuple[str, bytes | None]
"""A name, and what is put under it; None: it is deleted."""


class Puts(dict[str, bytes]):
    """The objects of an archive in the making, and every put and delete in its order."""

    def __init__(self) -> None:
        super().__init__()
        self.events: list[Event] = []

    def __setitem__(self, name: str, data: bytes) -> None:
        super().__setitem__(name, data)
        self.events.append((name, data))

    def remove(self, names: Iterable[str]) -> None:
        for name in names:
            del self[name]
            self.events.append((name, None))


class Auditor:
    """Rounds over one bucket; time goes on by so many seconds before each."""

    def __init__(self) -> None:
        self.memory = MemoryBucket({})
        self.now = NOW

    def round(self, seconds: int = 60, *, request: str = "", pruned: bool = True) -> dict[str, Any]:
        """One round; its report."""
        self.now += seconds
        status = AuditStatus()
        config = AuditConfig(ARCHIVE, S3Address("b", "", "r", None, "k", "s", None), WEEK, 1.0, request, None, pruned)
        with self._patched():
            Audit(config, status, Patience(status), Faults()).run()
        return {**status.line()["report"], "spans": status.window.spans if status.window else ()}

    @contextmanager
    def _patched(self) -> Iterator[None]:
        clock = patch.object(run.time, "time", lambda: float(self.now))
        with clock, patch.object(store, "Bucket", lambda *_: self.memory.bucket), patch.object(run, "READERS", 1):
            yield


def made_with(puts: Puts) -> MadeArchive:
    made = MadeArchive()
    puts.update(made.objects)
    made.objects = puts
    return made


STEPS = ("ship", "rest", "snapshot", "promote", "late", "prune", "lose")


def history(steps: list[str]) -> Puts:
    """Everything that shippers, backups and retention do, in an order in which it may reach the store.

    `late`: a promotion whose first segment is there before the last segments of the epoch before, and its watermark.
    """
    puts = Puts()
    made = made_with(puts)
    puts.events += puts.items()
    made.promote()
    for step in steps:
        match step:
            case "ship":
                made.ship(2)
            case "rest":
                made.rest(3)
            case "snapshot":
                made.snapshot(values=3)
            case "lose":
                made.lose(2)
            case "promote":
                made.promote()
            case "late":
                made.ship(1)
                made.ship(2)
                made.rest(2)
                made.promote()
                first = puts.events.pop()
                puts.events.insert(len(puts.events) - 3, first)
            case "prune" if made.snapshots and made.snapshots[-1] in puts:
                epoch = made.epoch
                old = [name for name in made.snapshots[:-1] if name in puts]
                before = [
                    names.segment(ARCHIVE, epoch, number)
                    for number in range(1, int(made.snapshots[-1].split("/")[-1].split("-")[0]) + 1)
                ]
                if f"/{epoch:010d}/" in made.snapshots[-1]:
                    puts.remove([*old, *(name for name in before if name in puts)])
    return puts


@settings(deadline=None, max_examples=150)
@given(
    st.lists(st.sampled_from(STEPS), max_size=14),
    st.lists(st.integers(0, 3), min_size=1, max_size=40),
    st.lists(st.sampled_from([60, 600, 20_000, 90_000]), min_size=1, max_size=8),
)
def test_whatever_happens_during_a_round_the_window_comes_right_without_a_list_of_everything(
    steps: list[str], pace: list[int], pauses: list[int]
) -> None:
    """So many events happen before each request. No round finds damage where there is none."""
    events = history(steps).events
    auditor = Auditor()
    objects = auditor.memory.objects
    asked = 0

    def happen(method: str, name: str) -> None:
        nonlocal asked
        asked += 1
        for _ in range(pace[asked % len(pace)]):
            if events:
                name, data = events.pop(0)
                objects.pop(name, None)
                if data is not None:
                    objects[name] = data

    auditor.memory.before = happen
    rounds = 0
    while events:
        report = auditor.round(pauses[rounds % len(pauses)])
        assert report["findings"] == []
        rounds += 1
        if sum(pace) == 0 or rounds > 200:
            pace = [1]
    auditor.round()
    auditor.round()
    report = auditor.round()
    fresh = Auditor()
    fresh.memory.objects.update((name, data) for name, data in objects.items() if "audit.json" not in name)
    expected = fresh.round()
    assert (report["spans"], report["findings"]) == (expected["spans"], [])


def audited(made: MadeArchive) -> Auditor:
    """An auditor that has looked once."""
    auditor = Auditor()
    auditor.memory.objects.update(made.objects)
    auditor.round()
    return auditor


def grown() -> MadeArchive:
    made = MadeArchive()
    made.promote()
    made.snapshot()
    made.ship(3)
    return made


def test_segments_that_are_put_while_everything_is_listed_for_one_that_is_gone_are_read() -> None:
    made = grown()
    auditor = audited(made)
    del auditor.memory.objects[names.segment(ARCHIVE, 1, 1)]  # retention

    def ship(method: str, name: str) -> None:
        if (method, name) == ("list", f"{ARCHIVE}/") and made.number < 6:
            auditor.memory.before = lambda method, name: None
            made.ship(2)
            auditor.memory.objects[names.segment(ARCHIVE, 1, made.number)] = made.objects[
                names.segment(ARCHIVE, 1, made.number)
            ]

    auditor.memory.before = ship
    auditor.round(80_000)
    auditor.memory.before = lambda method, name: None
    report = auditor.round()
    assert (report["window"]["latest"], report["window"]["open"]) == (MILLIS + made.tx, True)


def test_a_watermark_newer_than_the_list_hides_no_segment() -> None:
    made = grown()
    auditor = audited(made)

    def ship(method: str, name: str) -> None:
        if (method, name) == ("get", names.watermark(ARCHIVE, 1)) and made.number < 4:
            made.ship(2)
            made.rest(2)
            auditor.memory.objects.update(made.objects)

    auditor.memory.before = ship
    report = auditor.round()
    assert (report["window"]["latest"], report["window"]["open"]) == (MILLIS + made.tx, True)


def test_the_last_segments_of_an_epoch_are_read_though_the_next_one_has_begun() -> None:
    made = grown()
    auditor = audited(made)
    before = set(made.objects)
    made.ship(2)
    made.rest(4)
    late = {name: made.objects[name] for name in made.objects.keys() - before}
    made.promote()
    auditor.memory.objects.update((name, data) for name, data in made.objects.items() if name not in late)
    auditor.round()
    auditor.memory.objects.update(late)
    report = auditor.round()
    assert report["window"]["latest"] == MILLIS + made.tx - 1, "up to where the next epoch begins"
    auditor.memory.requests.clear()
    auditor.round(0)
    assert auditor.memory.requests == {"get": 4, "list": 4, "put": 1}
    made.promote()
    auditor.memory.objects.update(made.objects)
    for _ in range(2):
        auditor.round()
    auditor.memory.requests.clear()
    auditor.round(0)
    assert auditor.memory.requests == {"get": 4, "list": 4, "put": 1}, "an epoch that is over is not asked for"


def test_a_round_that_died_in_the_middle_is_gone_on_with() -> None:
    made = grown()
    for _ in range(40):
        made.ship(1)
    auditor = Auditor()
    auditor.memory.objects.update(made.objects)

    def die(method: str, name: str) -> None:
        if (method, name) == ("get", names.segment(ARCHIVE, 1, 36)):
            raise KeyboardInterrupt

    auditor.memory.before = die
    with patch.object(run, "SAVE_SECONDS", 0.0), pytest.raises(KeyboardInterrupt):
        auditor.round()
    auditor.memory.before = lambda method, name: None
    report = auditor.round()
    assert report["window"]["latest"] == MILLIS + made.tx


@pytest.mark.parametrize("when", ["chunks listed", "everything listed"])
def test_a_backup_that_ends_while_everything_is_listed_lacks_nothing(when: str) -> None:
    made = grown()
    auditor = audited(made)
    made.snapshot(values=7)

    def end(method: str, name: str) -> None:
        if (method, name) == ("list", f"{ARCHIVE}/"):
            auditor.memory.objects.update(made.objects)

    listed = auditor.memory.list

    def slow(prefix: str, after: str, limit: int) -> tuple[list[str], bool]:
        """One page holds what comes before the manifests; the backup ends before the next one is asked for."""
        found, more = listed(prefix, after, limit)
        rest = [name for name in found if "/snapshots/" in name]
        if prefix == f"{ARCHIVE}/" and rest and len(rest) < len(found):
            auditor.memory.objects.update(made.objects)
            return [name for name in found if name not in rest], True
        return found, more

    if when == "chunks listed":
        auditor.memory.list = slow  # type: ignore[method-assign]
    else:
        auditor.memory.before = end
    report = auditor.round(request="all of it")
    assert report["findings"] == []
    assert report["window"]["pending"] is False
    assert auditor.round()["objects"] == len([name for name in made.objects if "archive.json" not in name])


def test_a_chunk_that_is_put_anew_while_everything_is_listed_is_not_missing() -> None:
    made = grown()
    auditor = audited(made)
    name = next(name for name in made.objects if "/chunks/" in name)
    chunk = auditor.memory.objects.pop(name)

    def end(method: str, asked: str) -> None:
        if (method, asked) == ("get", name):
            auditor.memory.objects[name] = chunk

    auditor.memory.before = end
    assert auditor.round(request="all of it")["findings"] == []


def test_what_is_missing_is_told() -> None:
    made = grown()
    auditor = audited(made)
    for part in ("/chunks/", "000003.seg", "/amendments/"):
        name = next(name for name in made.objects if part in name)
        del auditor.memory.objects[name]
    report = auditor.round(request="all of it")
    assert [finding["kind"] for finding in report["findings"]] == ["Missing"] * 3


def test_a_bucket_whose_rules_are_not_told_is_not_one_without_rules() -> None:
    auditor = audited(grown())
    assert auditor.round(request="1")["rules"] is True
    auditor.memory.rules = {"old": "deletes objects after 9 days"}
    assert [finding["kind"] for finding in auditor.round(request="2")["findings"]] == ["Expiring"]
    auditor.memory.rules = None
    report = auditor.round(request="3")
    assert report["rules"] is False
    assert [finding["kind"] for finding in report["findings"]] == ["Expiring"], "it may still be there"
    assert auditor.round()["rules"] is False
    auditor.memory.rules = {}
    report = auditor.round(request="4")
    assert (report["rules"], report["findings"]) == (True, [])


def test_a_request_has_its_answer_where_nothing_was_put_and_where_nothing_can_be_read() -> None:
    """Whoever waits for the check would wait for ever."""
    empty = Auditor()
    assert (report := empty.round(request="1"))["request"] == "1"
    assert report["at"] is None
    empty.memory.objects.update(grown().objects)
    assert empty.round(request="1")["request"] == "1"
    locked = audited(grown())
    locked.memory.locked.add(ledger.name(ARCHIVE))
    assert (report := locked.round(request="2"))["request"] == "2"
    assert [finding["kind"] for finding in report["findings"]] == ["Unreadable"]


def test_the_oldest_snapshot_is_missing_where_nothing_is_to_be_deleted() -> None:
    made = grown()
    made.snapshot(values=3)
    made.snapshot(values=4)
    for pruned, expected in ((True, []), (False, ["Missing"])):
        auditor = audited(made)
        auditor.round(pruned=False)
        auditor.round(pruned=pruned)
        del auditor.memory.objects[made.snapshots[0]]
        report = auditor.round(pruned=pruned)
        assert [finding["kind"] for finding in report["findings"]] == expected


def test_what_retention_deleted_right_before_it_was_switched_off_is_not_missing() -> None:
    made = grown()
    made.snapshot(values=3)
    auditor = audited(made)
    del auditor.memory.objects[made.snapshots[0]]
    assert auditor.round(pruned=False)["findings"] == []


@settings(deadline=None, max_examples=100)
@given(
    st.lists(st.sampled_from(["ship", "rest", "snapshot", "promote", "lose"]), max_size=10),
    st.lists(st.tuples(st.integers(0, 10**6), st.sampled_from(["gone", "altered", "locked"])), max_size=3),
)
def test_the_window_holds_what_a_restore_accepts_and_nothing_else(
    steps: list[str], damage: list[tuple[int, str]]
) -> None:
    auditor = Auditor()
    objects, locked = auditor.memory.objects, auditor.memory.locked
    objects.update(history(steps))
    last = max(Position.decode(SegmentReader(data).trailer.position).tx for data in segments(objects))
    auditor.round()
    for where, kind in damage:
        there = sorted(objects.keys() - {names.marker(ARCHIVE), ledger.name(ARCHIVE)})
        if not there:
            break
        name = there[where % len(there)]
        if kind == "gone":
            del objects[name]
        elif kind == "altered":
            objects[name] = objects[name][:-9] + bytes([objects[name][-9] ^ 1]) + objects[name][-8:]
        else:
            locked.add(name)
    report = auditor.round(request="now full")
    for millis in range(MILLIS - 1, MILLIS + last + 5):
        told = any(span.first <= millis <= span.last for span in report["spans"])
        assert plannable(auditor.memory, millis) == told, millis


def segments(objects: dict[str, bytes]) -> list[bytes]:
    return [data for name, data in objects.items() if names.number(name) is not None]


def plannable(memory: MemoryBucket, millis: int) -> bool:
    """Whether a restore of the point would begin."""

    def refuse(error: ObjectStoreError) -> None:
        raise error

    try:
        survey = Survey(memory.bucket, Vault(memory.bucket, ARCHIVE, None, refuse), ARCHIVE, lambda number: None)
        survey.plan(Point(millis=millis), None)
    except DrError:
        return False
    return True
