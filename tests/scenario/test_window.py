"""The recoverable window as the operator tells it: true by reading, closed by damage, opened by a new base."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import Any

from tests.scenario.test_archive import PATH, begin
from tests.scenario.world import DR, ROOT, World, instant, wait_for


def recovery(world: World) -> dict[str, Any]:
    """`status.recovery`."""
    return world.status().get("recovery") or {}


def archive(world: World, *words: str) -> subprocess.CompletedProcess[str]:
    """`kubectl neo4j-dr archive …`."""
    command = [sys.executable, "-m", "neo4j_dr_operator.cli", "archive", *words]
    settings = {**os.environ, "KUBECONFIG": str(world.context()), "PYTHONPATH": str(ROOT)}
    return subprocess.run(command, env=settings, capture_output=True, text=True, timeout=120, check=False, cwd=ROOT)


def keys(world: World, folder: str) -> list[str]:
    """Keys below a folder of the world's archive, in their order."""
    prefix = f"{PATH.strip('/')}/{world.namespace}/{DR}/{folder}/"
    pages = world.s3.client().get_paginator("list_objects_v2").paginate(Bucket=world.namespace, Prefix=prefix)
    return sorted(entry["Key"] for page in pages for entry in page.get("Contents", []))


def shipped(world: World, count: int) -> list[str]:
    """Keys of the first epoch's segments, once there are so many."""

    def look() -> list[str] | None:
        found = [key for key in keys(world, "0000000001") if key.endswith(".seg")]
        return found if len(found) >= count else None

    return wait_for(f"{count} segments", look, 30)


def test_a_segment_altered_by_hand_closes_the_window_and_a_new_base_opens_it(dr: World) -> None:
    """Found within one audit period's round, told by condition, event and status, healed without anybody."""
    begin(dr, auditPeriod="10h")
    dr.await_condition("ArchiveHealthy", "True", "Intact", 90)
    first = wait_for("a window", lambda: r if (r := recovery(dr)).get("latest") else None, 30)
    assert first["gaps"] == []
    assert first.get("findings") in (None, [])
    assert first["location"] == f"s3://{dr.namespace}{PATH}/{dr.namespace}/{DR} at {dr.s3.endpoint}"
    primary, count = dr.sites["primary"], len(shipped(dr, 1))
    for value in range(3):
        primary.query("CREATE (:Order {uid: $value})", value=value)
        count = len(shipped(dr, count + 1))
    base, last = keys(dr, "snapshots"), shipped(dr, count)[-2]
    client = dr.s3.client()
    whole = client.get_object(Bucket=dr.namespace, Key=last)["Body"].read()
    altered = whole[:-6] + bytes([whole[-6] ^ 1]) + whole[-5:]  # its checksum: other bytes may make it look cut short
    client.put_object(Bucket=dr.namespace, Key=last, Body=altered)
    told = archive(dr, "verify", DR, "--full", "-o", "json")
    assert told.returncode == 1, told.stderr
    report = json.loads(told.stdout)
    assert report["intact"] is False
    name = last.removeprefix(f"{PATH.strip('/')}/")
    assert [finding["name"] for finding in report["recovery"]["findings"]] == [name]
    wait_for("a new base", lambda: len(keys(dr, "snapshots")) > len(base), 60)
    healed = dr.await_condition("ArchiveHealthy", "True", "Healed", 60)
    assert healed["message"]
    window = recovery(dr)
    (gap,) = window["gaps"]
    assert gap["reason"].startswith("Altered: segment ")
    assert instant(window["earliest"]) <= instant(gap["from"]) < instant(gap["to"]) <= instant(window["latest"])
    assert [e for e in dr.all("events") if e["reason"] == "ObjectAltered" and name in e["message"]], "it was told"
    shown = archive(dr, "status")
    assert shown.returncode == 1, "healed is not undone"
    assert "the newest snapshot does without it" in shown.stdout
    label = f'cluster="{DR}",namespace="{dr.namespace}"'
    series = dr.metrics()
    assert series[f"neo4j_disaster_recovery_archive_findings{{{label}}}"] == 1
    assert series[f"neo4j_disaster_recovery_archive_audit_bytes_total{{{label}}}"] > 0
    start, end = (
        series[f"neo4j_disaster_recovery_recovery_window_{each}_timestamp_seconds{{{label}}}"]
        for each in ("start", "end")
    )
    assert start == instant(window["earliest"])
    assert end >= instant(gap["to"])
    client.put_object(Bucket=dr.namespace, Key=last, Body=whole)
    assert archive(dr, "verify").returncode == 0, "an older version was brought back"
    assert recovery(dr)["gaps"] == []
    assert dr.condition("ArchiveHealthy")["reason"] == "Intact"
    dr.operator.kill9()
    nobody = archive(dr, "verify")
    assert (nobody.returncode, "no operator" in nobody.stderr) == (3, True), nobody.stderr
