"""The chapters of the story. Each waits for what it shows, with a limit, and leaves both regions in order."""

from __future__ import annotations

import json
import time
from typing import Any

from demo import archive, manifests, workload
from demo.recover import recover
from demo.repair import repair
from demo.stage import Stage, StoryError, instant

FOLLOW_SHOWN = 5.0
"""Seconds for which the live lag is shown."""
WRITES_BEFORE_KILL = 2.0
"""Seconds of writes before the active database is killed."""
WRITES_AFTER = 2.0
"""Seconds of writes after a change of the active site, before the graphs are compared."""


# -- 1 -------------------------------------------------------------------------------------------------------------
def replicate(stage: Stage) -> None:
    """Two regions come up, the first one's graph is copied to the second one, and then followed."""
    _servers(stage)
    _first_graph(stage)
    _resources(stage)
    _seed(stage)
    _follow(stage)
    _verify(stage)
    _compare(stage)


def _servers(stage: Stage) -> None:
    screen = stage.screen
    with screen.step("Two databases, a Kubernetes API, an S3 store"):
        stage.lab.start(stage.plane, stage.store, *stage.sites.values())
        server = stage.plane.kubectl("version", "-o", "yaml").stdout
        kubernetes = next(line for line in server.split("serverVersion")[1].splitlines() if "gitVersion" in line)
        for site, database in stage.sites.items():
            (row,) = database.query("CALL dbms.components() YIELD versions, edition RETURN versions[0] AS v, edition")
            screen.note(f"{stage.region(site)}   Neo4j {row['v']} {row['edition']}   {database.uri}", "dim")
        screen.note(f"Kubernetes {kubernetes.split()[-1]}   {stage.plane.url}", "dim")
        screen.note(f"S3   {stage.store.endpoint}   holds the archive, and the third vote on who may write", "dim")


def _first_graph(stage: Stage) -> None:
    with stage.screen.step("An application writes to us-east-1"):
        stage.lab.start(stage.writer)
        deadline = time.monotonic() + 60
        while len(stage.writer.look()) < workload.BASE + 5:
            if time.monotonic() > deadline or not stage.writer.alive:
                raise StoryError("the writer does not write")
            stage.screen.live(f"{len(stage.writer.acknowledged)} transactions acknowledged")
            time.sleep(0.1)
        stage.screen.note(
            f"{_elements(stage, 'primary'):,} elements; it goes on all the while, each transaction numbered and logged",
            "dim",
        )


def _elements(stage: Stage, site: str) -> int:
    """User elements in a database."""
    query = "MATCH (n:Thing) RETURN count(n) + sum(COUNT { (n)-->() }) AS elements"
    return int(stage.sites[site].query(query)[0]["elements"])


def _resources(stage: Stage) -> None:
    screen = stage.screen
    with screen.step("The guide's manifests are applied"):
        for bucket in (manifests.ARCHIVE_BUCKET, manifests.BACKUP_BUCKET):
            stage.store.make_bucket(bucket)
        stage.shell(f"kubectl create namespace {manifests.NAMESPACE}")
        stage.typed("kubectl apply -f crds/")
        stage.await_served()
        database, keys = stage.sites["primary"], stage.store
        stage.apply(manifests.secret("neo4j-admin-secret", username=database.user, password=database.password))
        for site, holder in stage.sites.items():
            stage.apply(manifests.secret(f"neo4j-ca-{site}", **{"ca.crt": holder.ca_pem or ""}))
        pair = {"AWS_ACCESS_KEY_ID": keys.access_key, "AWS_SECRET_ACCESS_KEY": keys.secret_key}
        stage.apply(manifests.secret(manifests.STORE_KEYS, **pair))
        wanted = [manifests.cluster(site, holder.uri) for site, holder in stage.sites.items()]
        for manifest in [*wanted, manifests.recovery(stage.store.endpoint)]:
            name = manifest["metadata"]["name"]
            screen.command(f"kubectl apply --validate=strict -f {name}.yaml")
            screen.answer(stage.apply(manifest))
            stage.show_differences(manifest)


def _seed(stage: Stage) -> None:
    screen = stage.screen
    with screen.step("The operator fills the empty standby"):
        stage.watch()
        stage.operator.attach(stage.lab.run)
        screen.command(f"neo4j-dr-operator {' '.join(stage.operator.arguments[2:])}")
        stage.lab.start(stage.operator)
        stage.await_status("the standby follows", _replicating, 60, lambda: _seeding(stage))
        link = stage.status["replication"][0]
        screen.note(f"{link['cluster']} is {link['state']}, {_elements(stage, 'secondary'):,} elements", "dim")


def _replicating(status: dict[str, Any]) -> bool:
    return bool(status.get("phase") == "Replicating")


def _seeding(stage: Stage) -> str:
    seed = next((link.get("seed") for link in stage.status.get("replication") or []), None)
    if not seed:
        return stage.message()
    counts = f"nodes {seed.get('nodes', 0):,}/{seed.get('nodesEnd', 0):,}"
    return f"{counts}, relationships {seed.get('rels', 0):,}/{seed.get('relsEnd', 0):,}"


def _follow(stage: Stage) -> None:
    screen, end = stage.screen, time.monotonic() + FOLLOW_SHOWN
    with screen.step("The change stream is followed"):
        first, began = len(stage.writer.look()), time.monotonic()
        lags = []
        while time.monotonic() < end:
            lag = stage.operator.metric("replication_lag_seconds")
            lags.append(lag or 0.0)
            bar = "#" * min(40, round(lags[-1] * 10))
            screen.live(f"lag {lags[-1]:.2f} s {bar}   {len(stage.writer.look()):,} transactions acknowledged")
            time.sleep(0.25)
        rate = (len(stage.writer.look()) - first) / (time.monotonic() - began)
        latency = stage.operator.metric("network_latency_seconds") or 0.0
        screen.note(
            f"neo4j_disaster_recovery_replication_lag_seconds: {lags[-1]:.2f}, at most {max(lags):.2f}; "
            f"{rate:.0f} transactions a second; round trip {latency * 1000:.1f} ms",
            "dim",
        )
        stage.await_status("a failover is possible", lambda _: stage.holds("FailoverReady"), 30, stage.message)


def _verify(stage: Stage) -> None:
    """The operator's own comparison, which needs no quiet moment."""
    with stage.screen.step("Both graphs are compared while it writes"):
        stage.screen.command(f"kubectl neo4j-dr verify {manifests.RECOVERY}")
        stage.screen.answer(stage.verified())


def _compare(stage: Stage) -> None:
    """The check while the application is held: by a process of its own that shares no code with the operator."""
    with stage.screen.step("Both graphs are compared with the log"):
        stage.writer.hold()
        stage.check(mode="same")
        stage.writer.go_on()


# -- 2 -------------------------------------------------------------------------------------------------------------
def lost(stage: Stage) -> None:
    """The standby loses its place in the stream, and is an exact copy again."""
    repair(stage)
    _compare(stage)


# -- 3 -------------------------------------------------------------------------------------------------------------
def switchover(stage: Stage) -> None:
    """The planned failover with the guide's own lines, while the application writes."""
    screen, began = stage.screen, time.time()
    before = len(stage.writer.look())
    *acts, verify = manifests.planned_failover()
    with screen.step("The guide's lines: stop, wait, promote"):
        for line in acts:
            stage.typed(line)
    with screen.step("us-west-2 takes over"):
        stage.await_status("secondary is active", lambda s: s.get("activeSite") == "secondary", 60, stage.message)
        _await_write(stage, "secondary", began)
        _await_role(stage, verify)
        stage.typed(verify)
        gap = stage.writer.longest_gap(began)
        screen.note(f"{gap:.1f} s without an acknowledged write", "bold")
    with screen.step("us-east-1 follows, without a new copy"):
        stage.await_status("the old primary follows", _replicating, 60, stage.message)
        time.sleep(WRITES_AFTER)
    _compare(stage)
    written = len(stage.writer.acknowledged) - before
    stage.summary.append(("planned switchover", f"0 of {written:,} transactions lost, {gap:.1f} s without a write"))


def _await_role(stage: Stage, verify: str) -> None:
    """Give the status of the cluster the moment by which it comes after that of the recovery."""
    deadline = time.monotonic() + 10
    while (role := stage.shell(verify)) != "primary":
        if time.monotonic() > deadline:
            raise StoryError(f"the role of secondary-cluster is {role}")


def _await_write(stage: Stage, site: str, since: float) -> float:
    """When the first write to a site after a moment was acknowledged; seconds since 1970."""
    deadline = time.monotonic() + 30
    while True:
        times = [at for _, where, at in stage.writer.look() if where == site and at > since]
        if times:
            return times[0]
        if time.monotonic() > deadline:
            raise StoryError(f"no write is acknowledged by {site}")
        stage.screen.live("waiting for the first acknowledged write")
        time.sleep(0.02)


# -- 4 -------------------------------------------------------------------------------------------------------------
def failover(stage: Stage) -> None:
    """The active database is killed; the other side takes over by itself; the dead one comes back."""
    killed, survivor = _kill(stage)
    at = time.time()
    entry = _takes_over(stage, killed, survivor, at)
    _comes_back(stage, killed, survivor, entry)


def _kill(stage: Stage) -> tuple[str, str]:
    screen = stage.screen
    with screen.step("A failover is possible"):
        stage.await_status("a failover is possible", lambda _: stage.holds("FailoverReady"), 60, stage.message)
        killed = str(stage.status["activeSite"])
        time.sleep(WRITES_BEFORE_KILL)
        screen.note(f"FailoverReady: {stage.condition('FailoverReady').get('message')}", "dim")
    with screen.step(f"SIGKILL of the primary in {stage.region(killed)}"):
        database = stage.sites[killed]
        screen.command(f"kill -9 {database.pid}")
        database.kill9()
    return killed, next(site for site in stage.sites if site != killed)


def _takes_over(stage: Stage, killed: str, survivor: str, at: float) -> dict[str, Any]:
    screen = stage.screen
    with screen.step(f"{stage.region(survivor)} takes over by itself"):
        stage.await_status(
            f"{survivor} is active", lambda s: s.get("activeSite") == survivor, 120, lambda: _probing(stage, killed)
        )
        writable = _await_write(stage, survivor, at)
        entry: dict[str, Any] = stage.status["failover"]["history"][-1]
        for step in entry["steps"]:
            screen.note(f"{step['name']:<10} {instant(step['at']) - at:5.1f} s after the kill", "dim")
        screen.note(f"{'writable':<10} {writable - at:5.1f} s after the kill: first write acknowledged", "bold")
        for line in entry.get("evidence") or []:
            screen.note(f"voted   {line}", "dim")
    decided = next(instant(step["at"]) for step in entry["steps"] if step["name"] == "Confirmed")
    took = f"detected and decided {decided - at:.1f} s after the kill, writable {writable - decided:.1f} s later"
    stage.summary.append(("automatic failover", took))
    return entry


def _probing(stage: Stage, killed: str) -> str:
    items = stage.status.get("health") or []
    health: dict[str, Any] = next((item for item in items if item["site"] == killed), {})
    return f"{health.get('verdict', '')}: {health.get('evidence', '')}   {stage.message()}"


def _comes_back(stage: Stage, killed: str, survivor: str, entry: dict[str, Any]) -> None:
    screen, region = stage.screen, stage.region(killed)
    with screen.step(f"{region} comes back and is compared"):
        stage.sites[killed].start()
        settled = stage.await_status("the operator has judged it", _judged(entry["epoch"]), 90, stage.message)
        lost, seconds = settled["lostTransactions"], settled.get("lostSeconds") or 0.0
        phase = stage.status["phase"]
        screen.note(stage.message(), "dim")
        verdict = "holds nothing more, and follows" if phase == "Replicating" else "is held: nothing is applied over it"
        cost = f"transactions lost: {lost}, committed within {seconds:.2f} s" if lost else "nothing is lost"
        screen.note(f"{cost}; {region} {verdict}", "bold")
    with screen.step("What was lost, counted by somebody else"):
        stage.writer.hold()
        if phase == "Replicating":
            stage.check(mode="same")
        else:
            stage.check(mode="failover", survivor=survivor, returned=killed, claimed=lost)
    kept = "the old primary follows" if phase == "Replicating" else "the old primary is held read-only"
    stage.summary.append(("what it cost", f"{cost}; {kept}"))


def _judged(epoch: int) -> Any:
    """Looks whether the failover of an epoch knows what it cost, and the old primary has its place."""

    def look(status: dict[str, Any]) -> dict[str, Any] | None:
        if status.get("phase") not in ("Replicating", "Diverged"):
            return None
        for entry in status["failover"]["history"]:
            if entry["epoch"] == epoch and entry.get("lostTransactions") is not None:
                return dict(entry)
        return None

    return look


# -- 5 -------------------------------------------------------------------------------------------------------------
def api(stage: Stage) -> None:
    """What is refused at the door, what is not acted on, both sides in one picture, and the archive in S3."""
    _refusals(stage)
    _honest(stage)
    _archived(stage)


def _refusals(stage: Stage) -> None:
    with stage.screen.step("Mistakes are refused at the door"):
        for spec in REFUSED:
            line = f"kubectl patch n4dr {manifests.RECOVERY} --type=merge -p='{json.dumps({'spec': spec})}'"
            stage.screen.command(line)
            stage.screen.answer(stage.refused(line))


def _honest(stage: Stage) -> None:
    with stage.screen.step("What is not acted on is said"):
        for path in stage.status.get("notYetSupported") or []:
            stage.screen.note(f"not yet supported   {path}", "dim")
        if not stage.status.get("notYetSupported"):
            raise StoryError("the guide asks for more than there is, and the status does not say so")
    with stage.screen.step("Both sides in one picture"):
        stage.screen.command("kubectl neo4j-dr status")
        stage.screen.answer(stage.picture())


def _archived(stage: Stage) -> None:
    """Every transaction acknowledged since the archive began stands in it, read by the documented format alone."""
    with stage.screen.step("The archive in S3 is read"):
        stage.await_status("the archive is written", lambda _: stage.holds("LogShippingHealthy"), 60, stage.message)
        stage.writer.hold()
        newest = max(n for n, _, _ in stage.writer.look())
        deadline = time.monotonic() + 30
        while newest not in (found := archive.read(stage.store, manifests.ARCHIVE_BUCKET)).numbers:
            if time.monotonic() > deadline:
                raise StoryError(f"transaction {newest} is acknowledged and not in the archive")
            time.sleep(0.2)
        stage.writer.go_on()
        stage.screen.note(
            f"{found.segments} segments of {found.epochs} epochs, {found.size:,} bytes; every checksum fits, every "
            f"segment names the one before it; the newest write, number {newest}, is in it",
            "dim",
        )
    stage.summary.append(("the archive", f"{len(found.numbers):,} numbered writes in {found.segments} segments"))


REFUSED: tuple[dict[str, Any], ...] = (
    {"replication": {"interval": "5 minutes"}},
    {"backup": {"schedule": "0 25 * * *"}},
    {"primaryClusterRef": "another-cluster"},
    {"crossRegion": {"networking": {"networkPolicies": {"enabled": True, "allowedCIDRs": ["10.0.0.0/40"]}}}},
)
"""Mistakes that a user makes, as merge patches of the `spec`."""

CHAPTERS = {
    "replicate": replicate,
    "repair": lost,
    "switchover": switchover,
    "failover": failover,
    "api": api,
    "archive": recover,
}
"""In the order of the story; the first is always told."""
ASIDE = {"archive"}
"""Told when asked for."""
ABOUT = {
    "replicate": ("Replicate", "one graph, two regions"),
    "repair": ("A lost position", "told by its cause, repaired in place"),
    "switchover": ("Planned switchover", "nothing may be lost"),
    "failover": ("Automatic failover", "what is lost is counted"),
    "api": ("The API and the archive", "refused with a sentence, said where it is not there, kept in S3"),
    "archive": ("Back to the second before", "a wrong DELETE, undone from S3; one turned bit, found"),
}
