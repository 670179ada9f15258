"""Snapshots as the operator takes them: by schedule, by hand, for the log archive; across deaths and switchovers."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from datetime import UTC, datetime
from typing import Any

from lab import Proxies
from tests.database.load import prepare
from tests.scenario.test_archive import PATH, keys, shipping
from tests.scenario.world import DR, ROOT, World, wait_for

BACKUPS = "/backups"
NEVER = "0 0 29 2 MON"


def begin(world: World, *, logs: bool = True, endpoint: str = "", **backup: Any) -> None:
    """A pair at work, with a log archive unless told otherwise, and with `spec.backup` in a place of its own."""
    world.set_up()
    keys(world, world.s3.secret_key)
    manifest = world.recovery_manifest()
    manifest["spec"]["replication"] = shipping(world) if logs else {}
    if backup:
        destination = {**shipping(world)["logShipping"]["destination"], "path": BACKUPS}
        destination["endpoint"] = endpoint or world.s3.endpoint
        manifest["spec"]["backup"] = {"destination": destination, **backup}
    world.apply(manifest)
    world.operator.start()
    world.settled("primary")


def objects(world: World, path: str, kind: str = "snapshots") -> dict[str, int]:
    """Names and sizes of what lies in one folder of the archive of the world's resource."""
    prefix, found = f"{path.strip('/')}/{world.namespace}/{DR}/{kind}/", {}
    for page in world.s3.client().get_paginator("list_objects_v2").paginate(Bucket=world.namespace, Prefix=prefix):
        found.update({entry["Key"].removeprefix(prefix): entry["Size"] for entry in page.get("Contents", [])})
    return found


def backup(world: World) -> dict[str, Any]:
    """`status.backup`."""
    return world.status().get("backup") or {}


def snapshots(world: World, path: str, count: int, seconds: float = 60) -> list[str]:
    """The names of the manifests, once there are so many."""

    def look() -> list[str] | None:
        found = sorted(objects(world, path))
        return found if len(found) >= count else None

    return wait_for(f"{count} snapshots in {path}", look, seconds, 0.3)


def now(world: World, *words: str) -> subprocess.CompletedProcess[str]:
    """`kubectl neo4j-dr backup now` in the world's namespace."""
    command = [sys.executable, "-m", "neo4j_dr_operator.cli", "backup", "now", DR, *words]
    settings = {**os.environ, "KUBECONFIG": str(world.context()), "PYTHONPATH": str(ROOT)}
    return subprocess.run(command, env=settings, cwd=ROOT, capture_output=True, text=True, timeout=120, check=False)


def events(world: World, reason: str) -> list[str]:
    """The messages of the resource's events of a reason."""
    return [item["message"] for item in world.all("events") if item["reason"] == reason]


def test_by_schedule_by_hand_and_across_a_switchover(dr: World) -> None:
    prepare(dr.sites["primary"], 20_000, 20_000)
    begin(dr, enabled=True, schedule=NEVER)
    dr.await_condition("BackupHealthy", "True", "Completed")
    base, first = snapshots(dr, PATH, 1), snapshots(dr, BACKUPS, 1)
    assert len(base) == len(first) == 1, "one for the log archive, and the first one of the schedule at once"
    assert base[0].startswith("0000000001/"), "of the first epoch"
    told = wait_for("its end is told", lambda: b if (b := backup(dr)).get("snapshots") == 1 else None, 20)
    assert told["lastSnapshot"].endswith(first[0])
    assert told.get("running") is None
    assert told["nextAt"].startswith("20")
    done = now(dr, "--wait")
    assert (done.returncode, done.stderr) == (0, ""), done.stderr
    second = wait_for("the second one", lambda: b if (b := backup(dr)).get("snapshots") == 2 else None, 20)
    print(f"bytes: first {told['lastBytes']}, unchanged {second['lastBytes']}, saved {second['lastBytesDeduplicated']}")
    assert second["lastBytes"] <= told["lastBytes"] / 100
    assert second["lastBytesDeduplicated"] > told["lastBytes"]
    assert second["requests"][0]["snapshot"] in done.stdout
    every_minute = {"spec": {"backup": {"schedule": "* * * * *"}}}
    dr.kubectl("patch", "n4dr", DR, "--type=merge", "-p", json.dumps(every_minute))
    dr.request("secondary")
    dr.settled("secondary")
    after = snapshots(dr, PATH, 2)
    assert after[-1].startswith("0000000002/"), "the new epoch has a base of its own"
    of_the_new = lambda: [name for name in objects(dr, BACKUPS) if name.startswith("0000000002/")]  # noqa: E731
    wait_for("a scheduled one of the site that is active now", of_the_new, 90, 0.5)
    label = f'{{cluster="{DR}",namespace="{dr.namespace}"}}'
    series = dr.metrics()
    assert series[f"neo4j_disaster_recovery_backup_last_success_timestamp_seconds{label}"] > time.time() - 300
    assert series[f"neo4j_disaster_recovery_backup_failures_total{label}"] == 0
    assert len(wait_for("events", lambda: e if len(e := events(dr, "BackupCompleted")) >= 5 else None, 30)) >= 5
    assert dr.condition("BackupHealthy")["status"] == "True"


def test_a_killed_operator_goes_on_and_only_one_is_taken_at_a_time(dr: World, proxies: Proxies) -> None:
    """The way to the store is slow, then cut: so the snapshot is in its middle for as long as the test needs."""
    prepare(dr.sites["primary"], 20_000, 20_000)
    way = proxies.proxy("127.0.0.1", dr.s3.port)
    dr.links["store"] = way
    begin(dr, logs=False, endpoint=f"http://{way.address}", enabled=False)
    assert objects(dr, BACKUPS) == {}, "nobody asked for one"
    way.latency(1000)
    asked = now(dr)
    assert asked.returncode == 0, asked.stderr
    wait_for("a part of it is there", lambda: objects(dr, BACKUPS, "chunks"), 60)
    way.cut()
    running = backup(dr)["running"]
    assert running["kind"] == "requested"
    refused = now(dr)
    assert (refused.returncode, refused.stdout) == (1, "")
    assert "only one is at a time" in refused.stderr
    dr.kubectl("annotate", "n4dr", DR, "--overwrite", "neo4j.neo4j.com/backup-requested-at=by-hand")
    wait_for("it is refused", lambda: events(dr, "BackupRefused"), 20)
    dr.operator.kill9()
    assert objects(dr, BACKUPS) == {}, "there is no half snapshot"
    way.restore()
    dr.operator.start()
    (name,) = snapshots(dr, BACKUPS, 1)
    done = wait_for("its end is told", lambda: b if (b := backup(dr)).get("lastSnapshot") else None, 20)
    assert done["lastSnapshot"].endswith(name)
    assert done["lastBytesDeduplicated"] > 0, "what was there serves it"
    states = {each["request"]: each["state"] for each in done["requests"]}
    assert sorted(states.values()) == ["Completed", "Refused"]
    assert states["by-hand"] == "Refused"
    assert dr.condition("BackupHealthy")["reason"] == "NotConfigured"


def test_what_was_missed_is_caught_up_once(dr: World) -> None:
    """Due once an hour, half an hour from now, so that nothing else comes due while the test looks."""
    minute = (datetime.now(UTC).minute + 30) % 60
    begin(dr, logs=False, enabled=True, schedule=f"{minute} * * * *")
    snapshots(dr, BACKUPS, 1)
    wait_for("its end is told", lambda: (b := backup(dr)).get("lastSnapshot") and not b.get("running"), 20)
    dr.operator.stop()
    keeping = {"since": time.time() - 3 * 3600}
    patch = {"status": {"control": {"keeping": keeping}}}
    dr.kubectl("patch", "n4dr", DR, "--subresource=status", "--type=merge", "-p", json.dumps(patch))
    dr.operator.start()
    snapshots(dr, BACKUPS, 2)

    def settled() -> bool:
        status = dr.status()
        kept, told = status["control"]["keeping"], status["backup"]
        return not told.get("running") and time.time() - kept["since"] < 3600

    wait_for("all that was missed is settled", settled, 20)
    assert len(objects(dr, BACKUPS)) == 2
    assert dr.condition("BackupHealthy")["status"] == "True"


def test_what_fails_is_told_and_tried_again_when_it_is_mended(dr: World) -> None:
    begin(dr, logs=False, enabled=True, schedule=NEVER, encryption={"enabled": True})
    dr.await_condition("BackupHealthy", "False", "NotEncrypted")
    assert objects(dr, BACKUPS) == {}
    wait_for("an event", lambda: [each for each in events(dr, "BackupFailed") if "NotEncrypted" in each], 20)
    plain = {"spec": {"backup": {"encryption": {"enabled": False}}}}
    dr.kubectl("patch", "n4dr", DR, "--type=merge", "-p", json.dumps(plain))
    snapshots(dr, BACKUPS, 1, 30)
    dr.await_condition("BackupHealthy", "True", seconds=20)
