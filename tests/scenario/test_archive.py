"""Log shipping as the operator runs it: across a switchover, through a bad store, and never a reason to fail over."""

from __future__ import annotations

import collections
import gzip
import json
import math
from typing import Any

from tests.scenario.world import DR, World, wait_for
from tests.scenario.writer import Writer

PATH = "/transaction-logs"


def shipping(world: World, **more: Any) -> dict[str, Any]:
    """`spec.replication` with the archive in the world's bucket."""
    destination = {
        "type": "s3",
        "bucket": world.namespace,
        "path": PATH,
        "endpoint": world.s3.endpoint,
        "credentialsSecret": "archive-keys",
    }
    return {"logShipping": {"enabled": True, "destination": destination, "interval": "500ms", **more}}


def begin(world: World, **more: Any) -> None:
    """A pair at work with its archive; the lease lies beside it, as no witness is named."""
    world.set_up()
    keys(world, world.s3.secret_key)
    manifest = world.recovery_manifest()
    manifest["spec"]["replication"] = shipping(world, **more)
    del manifest["spec"]["failover"]["quorum"]
    world.apply(manifest)
    world.operator.start()
    world.settled("primary", 180)


def keys(world: World, secret: str) -> None:
    world.secret("archive-keys", AWS_ACCESS_KEY_ID=world.s3.access_key, AWS_SECRET_ACCESS_KEY=secret)


def segments(world: World, epoch: int) -> list[list[dict[str, Any]]]:
    """The lines of every segment of an epoch, decoded as the format says: gzip and JSON."""
    client, found = world.s3.client(), []
    prefix = f"{PATH.strip('/')}/{world.namespace}/{DR}/{epoch:010d}/"
    for page in client.get_paginator("list_objects_v2").paginate(Bucket=world.namespace, Prefix=prefix):
        for key in sorted(entry["Key"] for entry in page.get("Contents", []) if entry["Key"].endswith(".seg")):
            data = client.get_object(Bucket=world.namespace, Key=key)["Body"].read()
            found.append([json.loads(line) for line in gzip.decompress(data).splitlines()])
    return found


def created(found: list[list[dict[str, Any]]], label: str) -> list[int]:
    """`uid` of every node of a label whose creation is in the segments."""
    uids = []
    for _, *blocks, _ in found:
        for block in blocks:
            for operation, after in zip(block["operations"], block["afters"], strict=True):
                if operation == "c" and (after or {}).get("labels") == [label]:
                    uids.append(after["properties"]["uid"])
    return uids


def test_every_transaction_is_archived_once_across_a_switchover(dr: World) -> None:
    begin(dr)
    dr.await_condition("LogShippingHealthy", "True", "Shipping")
    dr.await_condition("FailoverReady", "True")
    active = {"site": "primary"}
    writer = Writer(dr.sites, lambda: active["site"])
    wait_for("some writes", lambda: len(writer.log.acknowledged) > 50, 30)
    writer.pause()  # a Community standby cannot refuse a client that goes on writing to it
    dr.request("secondary")
    dr.settled("secondary")
    active["site"] = "secondary"
    writer.resume()
    before = len(writer.log.acknowledged)
    wait_for("more writes", lambda: len(writer.log.acknowledged) > before + 50, 30)
    log = writer.stop()
    dr.await_condition("LogShippingHealthy", "True", "Shipping")
    label = f'cluster="{DR}",namespace="{dr.namespace}"'
    series = f"neo4j_disaster_recovery_log_shipping_backlog_transactions{{{label}}}"
    wait_for("no backlog", lambda: dr.metrics()[series] == 0, 20)
    newest = max(log.acknowledged)
    wait_for("the newest write is archived", lambda: newest in created(segments(dr, 2), "Order"), 20)
    second = segments(dr, 2)
    assert second[0][0]["start"]["reason"] == "promotion"
    assert second[0][0]["site"] == "secondary"
    times = collections.Counter(created(segments(dr, 1) + second, "Order"))
    assert [n for n in log.acknowledged if times[n] != 1] == []
    status = dr.status()["shipping"]
    assert (status["state"], status["site"], status["epoch"]) == ("shipping", "secondary", 2)
    assert dr.metrics()[f"neo4j_disaster_recovery_log_shipping_bytes_total{{{label}}}"] > 0
    wait_for("how the log is kept", lambda: dr.status()["shipping"].get("retentionPolicy") == "512M size", 30)
    assert dr.status()["shipping"].get("retentionSecondsLeft") is None, "a log of a size that was never pruned"
    left = f'neo4j_disaster_recovery_log_retention_seconds_left{{{label},reader="shipping"}}'
    assert math.isnan(dr.metrics()[left])


def test_a_bad_store_is_told_and_replication_goes_on(dr: World) -> None:
    begin(dr)
    dr.await_condition("LogShippingHealthy", "True")
    keys(dr, "a-wrong-key")
    dr.await_condition("LogShippingHealthy", "False", "CredentialsRejected", 90)
    primary, secondary = dr.sites["primary"], dr.sites["secondary"]
    primary.query("CREATE (:While {uid: 1})")
    wait_for("it is replicated", lambda: secondary.query("MATCH (w:While) RETURN w"), 20)
    assert dr.condition("ReplicationHealthy")["status"] == "True"
    keys(dr, dr.s3.secret_key)
    dr.await_condition("LogShippingHealthy", "True", "Shipping", 30)
    wait_for("nothing was left out", lambda: created(segments(dr, 1), "While") == [1], 20)
    dr.kubectl("delete", "secret", "archive-keys")
    dr.kubectl("patch", "n4dr", DR, "--type=merge", "-p", '{"spec":{"failover":{"rpo":"1h"}}}')  # else a minute later
    refused = dr.await_condition("LogShippingHealthy", "False", "ReferenceUnresolved", 90)
    assert "spec.replication.logShipping.destination" in refused["message"]
    assert "archive-keys" in refused["message"]
    assert dr.condition("Ready")["reason"] != "InternalError"


def test_a_store_that_does_not_encrypt_gets_nothing(dr: World) -> None:
    key = "arn:aws:kms:us-east-1:123456789012:key/12345678-1234-1234-1234-123456789012"
    begin(dr, encryption={"enabled": True, "kmsKeyId": key})
    refused = dr.await_condition("LogShippingHealthy", "False", "NotEncrypted")
    assert key in refused["message"]
    assert segments(dr, 1) == []
    dr.sites["primary"].query("CREATE (:Replicated)")
    wait_for("it is replicated", lambda: dr.sites["secondary"].query("MATCH (r:Replicated) RETURN r"), 20)
