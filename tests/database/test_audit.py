"""The auditor on a real S3: what is missing, cut short or altered is told within one pass, and the window is true."""

from __future__ import annotations

import gzip
import signal
import uuid
from collections.abc import Iterator
from typing import Any

import orjson
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lab import S3, Lab, MinIO, Neo4j
from neo4j_dr_operator.backup import names as snapshot_names
from neo4j_dr_operator.backup.manifest import Manifest
from neo4j_dr_operator.objectstore.refusals import BucketNotFound
from neo4j_dr_operator.restore.point import moment
from neo4j_dr_operator.shipping import names
from tests.database.archive_process import BackUp, Restore
from tests.database.audit_process import AuditProcess, AuditWith, audited, plannable
from tests.database.raw import same
from tests.database.shipping_process import ARCHIVE as REAL
from tests.database.shipping_process import PATH, Ship, Store
from tests.made_archive import ARCHIVE, MILLIS, MadeArchive


def whole_pass() -> str:
    """A request for one; none is made twice."""
    return f"{uuid.uuid4().hex} full"


@pytest.fixture(scope="module")
def minio(lab: Lab) -> Iterator[MinIO]:
    """A store that knows lifecycle rules."""
    server = lab.add(MinIO("minio-rules"))
    yield server
    server.stop()


@pytest.fixture
def audit(store: Store) -> Iterator[AuditWith]:
    """Start an auditor; all are killed in the end."""
    running: list[AuditProcess] = []

    def begin(**options: Any) -> AuditProcess:
        running.append(AuditProcess(store, **options))
        return running[-1]

    yield begin
    for worker in running:
        worker.kill()


def key(name: str) -> str:
    """The key of an archive's object."""
    return f"{PATH.strip('/')}/{name}"


def fill(store: Store, made: MadeArchive) -> None:
    """Put an archive made by hand."""
    for name, data in made.objects.items():
        store.put(key(name), data)


def grown() -> MadeArchive:
    """Two epochs, three snapshots, a watermark."""
    made = MadeArchive()
    made.promote()
    made.snapshot()
    for count in (3, 2, 4):
        made.ship(count)
    made.snapshot(values=3)
    made.ship(2)
    made.promote()
    made.ship(3)
    made.snapshot()
    made.ship(3)
    made.ship(2)
    made.rest(4)
    return made


def promised(report: dict[str, Any], millis: int) -> bool:
    """Whether the window of a report holds a point."""
    window = report["window"]
    if window["earliest"] is None or not window["earliest"] <= millis <= window["latest"]:
        return False
    return not any(gap["last"] < millis < gap["first"] for gap in window["gaps"])


def kept(store: Store, made: MadeArchive, report: dict[str, Any], *, edges: bool = True) -> int:
    """Every point of the window can be planned, every other one is refused; how many can be. ``edges``: looked at
    where the window begins or ends, and on both sides of that."""
    points = range(MILLIS - 1, MILLIS + made.highest + 3)
    told = [millis for millis in points if promised(report, millis)]
    asked = [
        millis
        for millis in points
        if not edges or len({promised(report, each) for each in range(millis - 1, millis + 2)}) > 1
    ]
    assert plannable(store, ARCHIVE, asked) == [millis for millis in asked if millis in told]
    return len(told)


KINDS = {
    "archive.json": (names.marker(ARCHIVE), True),
    "the first segment": (names.segment(ARCHIVE, 1, 1), False),
    "a segment": (names.segment(ARCHIVE, 1, 4), True),
    "the last segment": (names.segment(ARCHIVE, 2, 5), True),
    "the first one of an epoch": (names.segment(ARCHIVE, 2, 1), False),
    "the watermark": (names.watermark(ARCHIVE, 2), False),
    "the first manifest": ("snapshots/0000000001/000000000001-", False),
    "one that an older one stands in for": ("snapshots/0000000001/000000000005-", True),
    "the last manifest": ("snapshots/0000000002/", True),
    "a chunk": ("chunks/", True),
    "an amendment": ("amendments/", True),
}
"""What the name of an object holds; whether it cannot have been deleted by retention, nor be done without."""
SAME = ("archive.json", "the first segment", "the first one of an epoch", "one that an older one stands in for")
"""Kinds without which every point can be restored all the same; the auditor puts the first one again itself."""


@pytest.mark.parametrize("kind", KINDS)
def test_whatever_is_done_to_an_object_is_told_within_one_pass(store: Store, kind: str) -> None:
    made = grown()
    fill(store, made)
    first = audited(store, archive=ARCHIVE)
    assert (first["findings"], first["window"]["open"]) == ([], True)
    whole = kept(store, made, first)
    holds, missed = KINDS[kind]
    if kind == "an amendment":  # of the newest snapshot: for another one an older snapshot stands in
        holds = Manifest.decode(made.objects[made.snapshots[-1]]).amendments[0].sha256
    name = next(name for name in sorted(made.objects) if holds in name)
    data = made.objects[name]
    middle = len(data) // 2
    changes = {
        "Missing": None,
        "Truncated": data[:middle],
        "Altered": data[:middle] + bytes([data[middle] ^ 4]) + data[middle + 1 :],
        "another object": next(value for each, value in made.objects.items() if each != name and value != data),
    }
    for what, change in changes.items():
        store.put(key(name), change)
        report = audited(store, archive=ARCHIVE, request=whole_pass())
        found = {finding["name"]: finding["kind"] for finding in report["findings"]}
        if what == "Missing" and not missed:
            assert found == {}
        else:
            alike = (what, "Altered") if what == "Truncated" else (what,)
            assert found.keys() == {name}
            assert found[name] in (("Altered", "Truncated") if what == "another object" else alike)
        left = kept(store, made, report)
        print(f"{kind}, {what}: {whole} points, then {left}; {report['requests']}, {report['damaged']}")
        assert left == whole if kind in SAME else left < whole
        store.put(key(name), data)
        healed = audited(store, archive=ARCHIVE, request=whole_pass())
        assert healed["findings"] == [], what
        assert kept(store, made, healed) == whole


@settings(max_examples=10, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
@given(st.data())
def test_the_window_is_what_restores_find(s3: S3, data: st.DataObject) -> None:
    """Archives of any past, with up to two objects deleted or altered."""
    made = MadeArchive()
    made.promote()
    for _ in range(data.draw(st.integers(2, 8))):
        step = data.draw(st.sampled_from(["ship", "ship", "lose", "rest", "snapshot", "snapshot", "promote"]))
        getattr(made, step)(*([data.draw(st.integers(1, 3))] if step in ("ship", "lose", "rest") else []))
    store = Store(s3)
    fill(store, made)
    for name in data.draw(st.sets(st.sampled_from(sorted(made.objects)[1:]), max_size=2)):
        whole = made.objects[name]
        store.put(key(name), data.draw(st.sampled_from([None, whole[: len(whole) // 2]])))
    report = audited(store, archive=ARCHIVE)
    kept(store, made, report, edges=False)


def test_a_round_reads_a_share_and_lists_little(store: Store) -> None:
    """In a week each object once; what is new at once; no list of everything but once a day."""
    made = grown()
    for _ in range(200):
        made.ship(1)
    made.snapshot(values=60)
    fill(store, made)
    first = audited(store, archive=ARCHIVE)
    assert first["checked"] >= 200
    assert first["requests"]["list"] <= 6
    at_rest = audited(store, archive=ARCHIVE)
    print(f"{first['objects']} objects, {first['bytes']} bytes: first {first['requests']}, then {at_rest['requests']}")
    share = at_rest["checked"]
    assert share <= 1, "an object for each ten minutes, so far"
    assert at_rest["requests"] == {"get": 4 + share, "list": 4, "put": 1}, "there was an epoch before"
    made.ship(5)
    made.snapshot()
    fill(store, made)
    more = audited(store, archive=ARCHIVE)
    assert 3 <= more["checked"] <= 4, "two segments and a manifest"
    assert more["objects"] == at_rest["objects"] + 4, "its amendment is new"
    request = whole_pass()
    everything = audited(store, archive=ARCHIVE, request=request)
    assert everything["checked"] >= more["objects"]
    assert everything["request"] == request
    assert audited(store, archive=ARCHIVE, request=request)["checked"] <= 1, "that was carried out"
    listed = audited(store, archive=ARCHIVE, request="a look")
    assert listed["request"] == "a look"
    assert listed["checked"] <= 6, "manifests"


def test_an_auditor_that_is_killed_goes_on_where_it_was(store: Store, audit: AuditWith) -> None:
    made = grown()
    fill(store, made)
    hurt = names.segment(ARCHIVE, 1, 4)
    store.put(key(hurt), b"nothing of ours")
    for fault in ("listed:1", "read:5", "saved:1"):
        killed = audit(archive=ARCHIVE, environment={"NEO4J_DR_FAULT": fault})
        assert killed.ended() == -signal.SIGKILL, killed.log
    report = audit(archive=ARCHIVE).done()
    assert [finding["name"] for finding in report["findings"]] == [hurt]
    assert report["checked"] < report["objects"], "what the killed one had read is known"
    kept(store, made, report)


def test_what_nobody_wrote_is_named_and_harms_nothing(store: Store) -> None:
    made = grown()
    fill(store, made)
    store.put(key(f"{ARCHIVE}/chunks/readme.txt"), b"hello")
    report = audited(store, archive=ARCHIVE)
    assert [(each["kind"], each["contained"]) for each in report["findings"]] == [("Foreign", True)]
    assert report["damaged"] is None
    kept(store, made, report)


def test_a_rule_of_the_bucket_that_deletes_is_told_before_it_does(minio: MinIO) -> None:
    store, made = Store(minio), grown()
    fill(store, made)
    rule = {"ID": "tidy", "Status": "Enabled", "Filter": {"Prefix": PATH.strip("/")}, "Expiration": {"Days": 90}}
    client = minio.client()
    client.put_bucket_lifecycle_configuration(Bucket=store.bucket, LifecycleConfiguration={"Rules": [rule]})
    report = audited(store, archive=ARCHIVE)
    (told,) = report["findings"]
    assert (told["kind"], told["contained"], report["damaged"]) == ("Expiring", False, None)
    assert told["message"] == "the bucket's lifecycle rule tidy deletes objects after 90 days"
    kept(store, made, report)
    client.delete_bucket_lifecycle(Bucket=store.bucket)
    assert audited(store, archive=ARCHIVE, request="again")["findings"] == []


def test_an_empty_place_stays_empty_and_a_lost_or_foreign_ledger_costs_a_pass(store: Store) -> None:
    assert audited(store)["objects"] == 0
    assert store.objects() == {}
    made = grown()
    fill(store, made)
    whole = audited(store, archive=ARCHIVE)
    ledger = key(f"{ARCHIVE}/audit.json.gz")
    for data in (None, b"", b"x" * 99, gzip.compress(b"{}"), gzip.compress(orjson.dumps({"version": 2}))):
        store.put(ledger, data)
        again = audited(store, archive=ARCHIVE)
        assert (again["objects"], again["window"]) == (whole["objects"], whole["window"])


def test_a_store_that_refuses_us_is_not_taken_for_a_damaged_archive(store: Store, audit: AuditWith) -> None:
    fill(store, grown())
    refused = audit(archive=ARCHIVE, destination={"secretKey": "a-wrong-key"})
    assert refused.ended() == 3
    assert refused.report["error"]["reason"] == "CredentialsRejected"
    assert refused.report["window"] is None
    with pytest.raises(BucketNotFound):
        audited(Store(store.server, bucket="no-such-bucket"), archive=ARCHIVE)


def test_a_new_base_heals_and_the_window_goes_on(
    source: Neo4j, target: Neo4j, store: Store, ship: Ship, back_up: BackUp, restore: Restore
) -> None:
    """A segment altered by hand: points before are restored, points in the gap refused; behind the new base all is
    well. A chunk altered by hand: it is put again."""
    shipper = ship(interval=0.2)
    shipper.shipping()
    source.query("UNWIND range(1, 10000) AS i CREATE (:A {uid: i})")
    back_up().done()
    times = []
    for value in range(3):
        source.query("MATCH (a:A {uid: 7}) SET a.value = $value", value=value)
        times.append(round(shipper.shipped()["upTo"] * 1000))
    segments = sorted(name for name in store.objects() if name.endswith(".seg") and "/amendments/" not in name)
    hurt = segments[-2]
    data = store.objects()[hurt]
    store.put(hurt, data[:-6] + bytes([data[-6] ^ 1]) + data[-5:])  # its checksum: other bytes may make it look cut
    report = audited(store)
    assert [finding["contained"] for finding in report["findings"]] == [False]
    assert report["damaged"].startswith(report["findings"][0]["name"])
    before, inside = report["window"]["latest"], times[2]
    assert before < inside
    restore(point={"time": moment(before)}).done()
    assert target.query("MATCH (a:A {uid: 7}) RETURN a.value AS value")[0]["value"] in (0, 1)
    target.reset()
    assert restore(point={"time": moment(inside)}).refused()["reason"] == "ArchiveObjectAltered"
    target.reset()
    newest = back_up().done()["snapshot"]
    source.query("MATCH (a:A {uid: 7}) SET a.value = 99")
    shipper.shipped()
    refs = Manifest.decode(store.objects()[key(newest)]).chunks
    chunk = key(snapshot_names.chunk(REAL, refs[-1].sha256))  # of ids that nobody has written to since
    whole = store.objects()[chunk]
    store.put(chunk, whole[:-9])
    told = audited(store, request=whole_pass())
    assert {finding["kind"] for finding in told["findings"]} == {"Altered", "Truncated"}
    assert told["damaged"].startswith(chunk.removeprefix(key("")))
    back_up().done()
    assert store.objects()[chunk] == whole, "put again, with the bytes that it had"
    source.query("CREATE (:Later)")
    shipper.shipped()
    healed = audited(store)
    assert [finding["contained"] for finding in healed["findings"]] == [True]
    assert healed["damaged"] is None
    assert healed["window"]["open"]
    assert len(healed["window"]["gaps"]) == 1
    restore(point={"time": moment(healed["window"]["latest"])}).done()
    assert target.query("MATCH (a:A {uid: 7}) RETURN a.value AS value") == [{"value": 99}]


def test_a_shipper_goes_on_behind_a_damaged_end_and_a_new_base_heals(
    source: Neo4j, target: Neo4j, store: Store, ship: Ship, back_up: BackUp, restore: Restore
) -> None:
    """The last segment altered: a gap. The last one deleted: shipped again."""
    first = ship(interval=0.2)
    first.shipping()
    back_up().done()
    source.query("UNWIND range(1, 50) AS i CREATE (:A {uid: i})")
    first.shipped()
    assert first.finish() == 0
    last = max(name for name in store.objects() if name.endswith(".seg") and "/amendments/" not in name)
    store.put(last, None)
    again = ship(interval=0.2)
    again.shipped()
    assert again.report["gap"] is None
    assert audited(store, request=whole_pass())["findings"] == [], "what was gone is there again"
    restore(point={"end": True}).done()
    same(source, target)
    target.reset()
    assert again.finish() == 0
    data = store.objects()[last]
    store.put(last, data[: len(data) // 2])
    third = ship(interval=0.2)
    third.shipping()
    assert third.report["gap"] is not None
    source.query("CREATE (:B)")
    third.shipped()
    told = audited(store, request=whole_pass())
    assert [finding["kind"] for finding in told["findings"]] == ["Truncated"]
    back_up().done()
    source.query("CREATE (:C)")
    third.shipped()
    healed = audited(store)
    assert (healed["damaged"], healed["window"]["open"]) == (None, True)
    restore(point={"end": True}).done()
    same(source, target)
