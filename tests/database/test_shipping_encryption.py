"""What is to be encrypted: the store's answer counts. versitygw encrypts nothing in silence, MinIO does as asked."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from lab import Lab, MinIO, Neo4j
from tests.database.archive_process import BackUp, Restore
from tests.database.load import prepare
from tests.database.raw import same
from tests.database.relay import Relay
from tests.database.shipping_process import ARCHIVE, PATH, Ship, Store, the_same

ARN = "arn:aws:kms:us-east-1:123456789012:key/12345678-1234-1234-1234-123456789012"


@pytest.fixture(scope="module")
def minio(lab: Lab) -> Iterator[MinIO]:
    """A store that encrypts."""
    server = lab.add(MinIO("minio"))
    yield server
    server.stop()


@pytest.mark.parametrize("key", [ARN, None], ids=["a key", "the store's keys"])
def test_nothing_goes_to_a_store_that_does_not_encrypt(
    source: Neo4j, store: Store, ship: Ship, key: str | None
) -> None:
    worker = ship(encrypted=True, key=key)
    report = worker.wait(lambda report: report["error"] is not None)
    assert report["error"]["reason"] == "NotEncrypted"
    assert (key or "AES256") in report["error"]["message"]
    assert "no encryption" in report["error"]["message"]
    worker.wait(lambda report: report["endTx"] is not None)
    source.query("CREATE (:Secret {uid: 1})")
    worker.wait(lambda report: report["backlogTransactions"] >= 1)
    assert list(store.objects()) == [f"{PATH.strip('/')}/{ARCHIVE}/encryption-probe"]
    assert worker.process.poll() is None


@pytest.mark.parametrize("key", [MinIO.key_id, f"arn:aws:kms:{MinIO.key_id}", None])
def test_a_store_that_encrypts_is_shipped_to(source: Neo4j, minio: MinIO, ship: Ship, key: str | None) -> None:
    store = Store(minio)
    worker = ship(to=store, encrypted=True, key=key)
    worker.shipping()
    source.query("CREATE (:Secret {uid: 1})")
    worker.shipped()
    the_same(source, store)
    assert worker.errors == []
    answers = [store.encryption(name) for name in store.objects() if name.endswith(".seg")]
    assert set(answers) == {("aws:kms", f"arn:aws:kms:{minio.key_id}") if key else ("AES256", None)}


def test_what_lies_there_in_clear_or_under_another_key_is_put_anew_and_restores(
    source: Neo4j, target: Neo4j, minio: MinIO, ship: Ship, back_up: BackUp, restore: Restore
) -> None:
    store = Store(minio)
    prepare(source, 9_000, 9_000)
    assert back_up(to=store).done()["chunksNew"] >= 6
    wished = {"to": store, "encrypted": True, "key": minio.key_id}
    cut_off = back_up(**wished, environment={"NEO4J_DR_FAULT": "stored:2"})
    cut_off.ended()

    def answers() -> set[tuple[str | None, str | None]]:
        return {store.encryption(name) for name in store.objects() if "/chunks/" in name or "/snapshots/" in name}

    assert len(answers()) == 2, "some of it in clear"
    first = back_up(**wished).done()
    assert 0 < first["chunksNew"] < first["chunks"], "what the one before had put is found as it should be"
    newest = max(name for name in store.objects() if "/snapshots/" in name)
    lines = [json.loads(line) for line in store.objects()[newest].splitlines()]
    assert [line["encryption"] for line in lines if "encryption" in line] == [
        {"algorithm": "aws:kms", "key": minio.key_id}
    ]
    under = ("aws:kms", f"arn:aws:kms:{minio.key_id}")
    assert {store.encryption(name) for name in store.objects() if "/chunks/" in name} == {under}
    again = back_up(**wished).done()
    assert again["chunksNew"] == 0
    shipper = ship(**wished, interval=0.2)
    shipper.shipping()
    source.query("CREATE (:Secret {uid: 1})")
    shipper.shipped()
    restore(of=store, point={"end": True}).done()
    same(source, target)
    other = back_up(to=store, encrypted=True).done()
    assert other["chunksNew"] == other["chunks"]
    newest = max(name for name in store.objects() if "/snapshots/" in name)
    made_of = store.objects()[newest].decode()
    chunks = {name: name.rpartition("/")[2].removesuffix(".gz") for name in store.objects() if "/chunks/" in name}
    assert {store.encryption(name) for name, sha256 in chunks.items() if sha256 in made_of} == {("AES256", None)}


def test_a_key_that_is_not_there_is_the_key_services_word(source: Neo4j, minio: MinIO, ship: Ship) -> None:
    store = Store(minio)
    worker = ship(to=store, encrypted=True, key="no-such-key")
    report = worker.wait(lambda report: report["error"] is not None)
    assert report["error"]["reason"] == "KmsKeyNotFound"
    assert "no-such-key" in report["error"]["message"]
    assert store.objects() == {}


def test_it_heals_by_itself_once_the_store_encrypts(source: Neo4j, store: Store, lab: Lab, ship: Ship) -> None:
    """The same address, first without encryption, then with it; then without again, between two segments."""
    plain = store.server
    secret = lab.add(MinIO("encrypting", access_key=plain.access_key, secret_key=plain.secret_key))
    relay = Relay(plain.port)
    try:
        there = Store(secret, relay.endpoint, bucket=secret.make_bucket(store.bucket))
        worker = ship(to=there, encrypted=True, key=secret.key_id)
        worker.wait(lambda report: (report["error"] or {}).get("reason") == "NotEncrypted")
        relay.upstream = secret.port
        relay.break_off()
        worker.shipping(60)
        source.query("CREATE (:Secret {uid: 1})")
        worker.shipped()
        the_same(source, there)
        assert worker.errors == ["NotEncrypted"]
        assert [name for name in store.objects() if name.endswith(".seg")] == []
        relay.upstream = plain.port
        relay.break_off()
        source.query("CREATE (:Secret {uid: 2})")
        report = worker.wait(lambda report: (report["error"] or {}).get("reason") == "NotEncrypted")
        assert "segment 3 is in S3 in clear" in report["error"]["message"]
    finally:
        relay.close()
        secret.stop()
