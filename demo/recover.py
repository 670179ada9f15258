"""The chapter in which data is lost by mistake and had back from S3, to the second before, in a database of its own."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime

from demo import connect, graph, manifests
from demo.stage import Stage, StoryError
from lab import Neo4j

INVOICES = 500
QUIET = 0.6
"""Seconds for which nothing is written while the graph is looked at; the point lies in their middle."""
AFTER = 2.0
"""Seconds of writes between that and the mistake, and behind the mistake."""
MADE = """
MATCH (p:Person) WITH p LIMIT $n
CREATE (:Invoice {uid: 'i-' + p.uid, total: rand(), due: date()})-[:FOR {uid: 'f-' + p.uid}]->(p)"""
MISTAKE = "MATCH (i:Invoice) DETACH DELETE i"
SHOWN = 3
"""Differences that are named."""


def recover(stage: Stage) -> None:
    """Backup, a mistake, a restore into an empty third database, and a segment altered by hand."""
    third = Neo4j(manifests.THIRD_REGION, password=stage.sites["primary"].password)
    with ThreadPoolExecutor(1) as pool:  # it comes up while the story goes on
        started = pool.submit(stage.lab.start, third)
        _backup(stage)
        before, at = _mistake(stage)
        started.result()
    _restore(stage, third, at)
    _compare(stage, third, before)
    _altered(stage)


def _active(stage: Stage) -> Neo4j:
    return stage.sites[str(stage.status["activeSite"])]


def _backup(stage: Stage) -> None:
    with stage.screen.step("A backup, now"):
        stage.await_status("the archive is written", lambda _: stage.holds("LogShippingHealthy"), 60, stage.message)
        stage.plugged("backup", "now", manifests.RECOVERY, "--wait")


def _mistake(stage: Stage) -> tuple[graph.Graph, datetime]:
    """The graph as it was at a moment, and that moment; a little later a part of it is deleted."""
    screen, database = stage.screen, _active(stage)
    with screen.step(f"{INVOICES} invoices are written, and deleted by mistake"):
        database.query(MADE, n=INVOICES)
        stage.writer.hold()
        began = time.time()
        with connect.driver(connect.describe(database)) as driver:
            before = graph.dump(driver)
        time.sleep(max(0.0, began + QUIET - time.time()))
        at = datetime.fromtimestamp((began + time.time()) / 2, UTC)
        stage.writer.go_on()
        screen.note(f"{at:%H:%M:%S.%f} UTC   {before.size}", "dim")
        time.sleep(AFTER)
        screen.command(f"cypher-shell '{MISTAKE}'")
        database.query(MISTAKE)
        time.sleep(AFTER)
        left = [site.query("MATCH (i:Invoice) RETURN count(i) AS n")[0]["n"] for site in stage.sites.values()]
        screen.note(f"{' and '.join(map(str, left))} of {INVOICES} are left in the two regions", "red")
    return before, at


def _restore(stage: Stage, target: Neo4j, at: datetime) -> None:
    screen, began = stage.screen, time.monotonic()
    with screen.step(f"{at:%H:%M:%S} is restored into an empty database in {manifests.THIRD_REGION}"):
        stage.apply(manifests.secret(f"neo4j-ca-{manifests.THIRD}", **{"ca.crt": target.ca_pem or ""}))
        stage.apply(manifests.third(target.uri))
        manifest = manifests.restore(stage.store.endpoint, at)
        screen.command(f"kubectl apply --validate=strict -f {manifests.RESTORE}.yaml")
        screen.answer(stage.apply(manifest))
        stage.show_differences(manifest)
        stage.typed(f"kubectl wait --for=condition=Complete neo4jrestore/{manifests.RESTORE} --timeout=120s")
        took = time.monotonic() - began
        told = stage.shell(f"kubectl get neo4jrestore {manifests.RESTORE} -o jsonpath={{.status.message}}")
        screen.note(told, "dim")
        screen.note(f"{took:.1f} s from the manifest to the graph", "bold")
    stage.summary.append(("a wrong DELETE", f"undone from S3 to the second before it, in {took:.1f} s"))


def _compare(stage: Stage, restored: Neo4j, before: graph.Graph) -> None:
    with stage.screen.step("It is the graph of that moment"):
        with connect.driver(connect.describe(restored)) as driver:
            found = graph.dump(driver)
        wrong = list(graph.differences(before, found))
        if wrong:
            raise StoryError("\n".join([f"{len(wrong)} differences to the graph of that moment", *wrong[:SHOWN]]))
        stage.screen.note(f"ok    {found.size}: every element, every property, to the last bit", "green")


def _altered(stage: Stage) -> None:
    """One bit of one segment is turned; whoever asks is told which, and from when to when nothing can be restored."""
    client, screen = stage.store.client(), stage.screen
    with screen.step("One bit of the archive is turned"):
        pages = client.get_paginator("list_objects_v2").paginate(Bucket=manifests.ARCHIVE_BUCKET)
        keys = sorted(
            item["Key"] for page in pages for item in page.get("Contents", []) if item["Key"].endswith(".seg")
        )
        key = keys[len(keys) // 2]
        body = client.get_object(Bucket=manifests.ARCHIVE_BUCKET, Key=key)["Body"].read()
        middle = len(body) // 2
        turned = body[:middle] + bytes([body[middle] ^ 1]) + body[middle + 1 :]
        client.put_object(Bucket=manifests.ARCHIVE_BUCKET, Key=key, Body=turned)
        screen.note(key, "dim")
        told = stage.plugged("archive", "verify", manifests.RECOVERY, "--full", code=1)
        if key.rpartition("/")[2] not in told:
            raise StoryError(f"the altered object is not named: {key}")
        client.put_object(Bucket=manifests.ARCHIVE_BUCKET, Key=key, Body=body)
    with screen.step("The object is put back as it was"):
        stage.plugged("archive", "verify", manifests.RECOVERY, "--full")
