"""The rights in ``examples/archive`` on a real store that grants nothing else: they do, and one fewer does not."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from lab import S3, Lab, Neo4j
from tests.database.archive_process import BackUp, Restore
from tests.database.audit_process import audited
from tests.database.raw import same
from tests.database.shipping_process import PATH, Ship, Store

POLICIES = Path(__file__).resolve().parents[2] / "examples" / "archive" / "policies"
PROGRAMS = ("ship", "backup", "audit", "restore")
Granted = Callable[..., Store]


class As(Store):
    """A bucket, asked as one of the server's users. What the test itself asks, it asks as the owner."""

    def __init__(self, server: S3, user: str, bucket: str) -> None:
        super().__init__(server, bucket=bucket)
        self._keys = {"accessKey": user, "secretKey": server.users[user]}

    def destination(self, **changes: str) -> dict[str, Any]:
        return super().destination(**{**self._keys, **changes})


@pytest.fixture(scope="module")
def guarded(lab: Lab) -> Iterator[S3]:
    """A store with a user for each program."""
    server = lab.add(S3("s3-guarded", users=PROGRAMS))
    yield server
    server.stop()


@pytest.fixture
def granted(guarded: S3) -> Granted:
    """A new bucket in which each program has the rights of its example, but for those that are named."""
    owner = Store(guarded)

    def grant(user: str, *, without: str = "") -> Store:
        statements = [each for program in PROGRAMS for each in rights(program, owner.bucket, without)]
        document = json.dumps({"Version": "2012-10-17", "Statement": statements})
        guarded.client().put_bucket_policy(Bucket=owner.bucket, Policy=document)
        return As(guarded, user, owner.bucket)

    return grant


def rights(program: str, bucket: str, without: str) -> list[dict[str, Any]]:
    """What the example allows, given to the user of the program's name; keys are no business of this store's."""
    text = (POLICIES / f"{program}.json").read_text(encoding="utf-8")
    text = text.replace("${bucket}", bucket).replace("${path}", PATH.strip("/"))
    made = []
    for statement in json.loads(text)["Statement"]:
        asked = statement["Action"] if isinstance(statement["Action"], list) else [statement["Action"]]
        actions = [each for each in asked if each.startswith("s3:") and each != without]
        if actions:
            made.append({**statement, "Action": actions, "Principal": {"AWS": [program]}})
    return made


def test_every_program_works_with_its_own_rights(
    source: Neo4j, target: Neo4j, granted: Granted, ship: Ship, back_up: BackUp, restore: Restore
) -> None:
    source.query("UNWIND range(1, 200) AS i CREATE (:A {uid: i})")
    first = ship(to=granted("ship"), interval=0.2)
    first.shipping()
    back_up(to=granted("backup")).done()
    source.query("UNWIND range(1, 200) AS i CREATE (:B {uid: i})")
    first.shipped()
    assert first.finish() == 0
    again = ship(to=granted("ship"), interval=0.2)  # it reads where the chain ends
    again.shipping()
    source.query("CREATE (:C {uid: 1})")
    again.shipped()
    assert first.errors == again.errors == []
    deleted = back_up(to=granted("backup"), retention="1").done()
    assert deleted["state"] == "finished"
    looked = audited(granted("audit"))
    assert (looked["state"], looked["findings"]) == ("finished", [])
    restore(of=granted("restore"), point={"end": True}).done()
    same(source, target)


@pytest.mark.parametrize("right", ["s3:GetObject", "s3:PutObject", "s3:ListBucket"])
def test_a_shipper_without_one_of_its_rights_says_so(source: Neo4j, granted: Granted, ship: Ship, right: str) -> None:
    """Told, and healed when it is granted."""
    store = granted("ship", without=right)
    worker = ship(to=store, interval=0.2)
    refused = worker.wait(lambda report: report["error"] is not None)["error"]
    assert refused["reason"] == "S3AccessDenied", refused
    granted("ship")
    worker.shipping()
    source.query("CREATE (:A {uid: 1})")
    worker.shipped()


@pytest.mark.parametrize("user", ["restore", "audit", "ship"])
def test_nobody_but_backups_deletes(source: Neo4j, granted: Granted, ship: Ship, user: str) -> None:
    store = granted("ship")
    worker = ship(to=store, interval=0.2)
    worker.shipping()
    name = next(key for key in store.objects() if key.endswith(".seg"))
    client = client_of(store.server, user)
    with pytest.raises(ClientError) as refused:
        client.delete_object(Bucket=store.bucket, Key=name)
    assert refused.value.response["Error"]["Code"] == "AccessDenied"
    if user == "restore":
        with pytest.raises(ClientError) as refused:
            client.put_object(Bucket=store.bucket, Key=name, Body=b"")
        assert refused.value.response["Error"]["Code"] == "AccessDenied"
    assert name in store.objects()


def client_of(server: S3, user: str) -> Any:
    """A client with the keys of one of the store's users."""
    as_user = S3(access_key=user, secret_key=server.users[user])
    return as_user.client(server.endpoint)
