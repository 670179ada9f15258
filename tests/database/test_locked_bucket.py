"""A bucket with versions and object lock, as ``examples/archive`` makes it: all works, and nothing can be lost."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import pytest
from botocore.exceptions import ClientError

from lab import Lab, MinIO, Neo4j
from neo4j_dr_operator.failover.keeper import WitnessKeeper
from neo4j_dr_operator.objectstore.s3 import S3, S3Address
from tests.database.archive_process import BackUp, Restore
from tests.database.raw import same
from tests.database.shipping_process import Ship, Store
from tests.scenario.world import wait_for

BUCKET = "locked"


@pytest.fixture(scope="module")
def locked(lab: Lab) -> Iterator[Store]:
    """A bucket in which no version can be deleted for a day."""
    server = lab.add(MinIO("minio-locked"))
    client = server.client()
    client.create_bucket(Bucket=BUCKET, ObjectLockEnabledForBucket=True)
    retention = {"DefaultRetention": {"Mode": "GOVERNANCE", "Days": 1}}
    client.put_object_lock_configuration(
        Bucket=BUCKET, ObjectLockConfiguration={"ObjectLockEnabled": "Enabled", "Rule": retention}
    )
    yield Store(server, bucket=BUCKET)
    server.stop()


def test_the_archive_works_under_object_lock_and_what_retention_deletes_is_there(
    source: Neo4j, target: Neo4j, locked: Store, ship: Ship, back_up: BackUp, restore: Restore
) -> None:
    """Segments, watermarks that are replaced, snapshots, deletes: the bucket takes them all, and keeps each version."""
    shipper = ship(to=locked, interval=0.2)
    shipper.shipping()
    for number in range(3):
        source.query("UNWIND range(1, 50) AS i CREATE (:A {uid: $n * 1000 + i})", n=number)
        shipper.shipped()
        assert back_up(to=locked, retention="1").done()["state"] == "finished"
    first = wait_for("a watermark", locked.watermark, 20)
    wait_for("another one", lambda: (locked.watermark() or first)["covered"] > first["covered"], 20)
    assert shipper.errors == []

    client = locked.server.client()
    listed = client.list_object_versions(Bucket=BUCKET)
    deleted = [item["Key"] for item in listed["DeleteMarkers"] if item["IsLatest"]]
    assert any("/snapshots/" in key for key in deleted), "retention has deleted"
    held = {item["Key"]: item["VersionId"] for item in listed["Versions"]}
    assert set(deleted) <= set(held), "and each of them is still there"
    with pytest.raises(ClientError) as refused:
        client.delete_object(Bucket=BUCKET, Key=deleted[0], VersionId=held[deleted[0]])
    assert refused.value.response["Error"]["Code"] in ("AccessDenied", "ObjectLocked", "InvalidRequest")

    restore(of=locked, point={"end": True}).done()
    same(source, target)


def test_the_witness_lives_in_the_bucket_of_the_archive(locked: Store) -> None:
    """It does by default: made, renewed, moved to the other site, each version kept."""
    server = locked.server
    store = S3(S3Address(BUCKET, "", None, server.endpoint, server.access_key, server.secret_key), 5.0)

    async def live() -> None:
        keeper = WitnessKeeper(store, "ns/dr", "one")
        assert await keeper.take("primary", 1, 3.0, force=True) is None
        await keeper.renew("primary", 1, 3.0)
        assert await keeper.take("secondary", 2, 3.0, force=True) is None
        await keeper.refresh()
        assert keeper.view().reachable
        assert (keeper.view().holder, keeper.view().epoch) == ("secondary", 2)

    asyncio.run(live())
    store.close()
    listed = server.client().list_object_versions(Bucket=BUCKET, Prefix="witness/")
    assert len(listed["Versions"]) == 3
