"""No secret can be read anywhere but where the user put it (P8). Every scenario is looked through when it ends
(`World.tear_down`); here errors are provoked on purpose, at DEBUG, with secrets that are hard to print."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from typing import Any

from tests.scenario.leaks import Secret
from tests.scenario.world import CLUSTERS, DR, World, wait_for

HOSTILE = "cänary-%s-%(x)s-{0}-$HOME-`id`-\"quoted\"-'single'-\\n-\t-<&>-☃-"
"""Quotes, escapes, formats, a tab and letters outside ASCII, followed by something unique."""


def canary(name: str) -> str:
    """A value that is nowhere by chance."""
    return f"{name}-{os.urandom(12).hex()}"


def set_password(world: World, site: str, password: str) -> None:
    """Change the password of a database."""
    database = world.sites[site]
    database.query("ALTER CURRENT USER SET PASSWORD FROM $old TO $new", "system", old=database.password, new=password)
    database.password = password
    database.forget_connections()


def with_webhook(world: World, url: str) -> dict[str, Any]:
    """The resource with an inline webhook."""
    manifest = world.recovery_manifest()
    manifest["spec"]["monitoring"] = {"alerting": {"enabled": True, "webhooks": [{"url": url}]}}
    return manifest


def test_errors_of_every_kind(dr: World) -> None:
    """Wrong password, wrong S3 key, mistakes of worker and operator, nobody there, a missing Secret: all said, and no
    secret in it."""
    for site in dr.sites:
        set_password(dr, site, canary(HOSTILE))
    url = f"https://hooks.example.com/services/{canary('T')}/{canary('B')}?token={canary('x')}"
    wrong = {name: canary(f"{HOSTILE}{name}") for name in ("password", "key")}
    dr.secrets += [Secret("webhook", url, own=True), Secret("webhook's token", url.rpartition("=")[2], own=True)]
    dr.secrets += [Secret(f"wrong {name}", value) for name, value in wrong.items()]
    dr.operator.level = "DEBUG"
    dr.set_up()
    dr.apply(with_webhook(dr, url))
    dr.operator.start(NEO4J_DR_FAULT="raise@commit")
    wait_for("the worker's mistake", lambda: mistakes(dr, "the worker failed"), 60)
    assert dr.operator.stop() == 0
    dr.operator.start()
    replicates(dr)
    primary, secondary = dr.sites["primary"], dr.sites["secondary"]

    dr.secret("witness-keys", AWS_ACCESS_KEY_ID=dr.s3.access_key, AWS_SECRET_ACCESS_KEY=wrong["key"])
    dr.secret("secondary-admin", username=secondary.user, password=wrong["password"])
    restart(dr, NEO4J_DR_FAULT_STEP="raise@Requested")
    dr.await_condition("StandbyAvailable", "False", seconds=60)
    dr.await_condition("FailoverReady", "False", seconds=60)
    dr.secret("secondary-admin", NEO4J_AUTH=f"{secondary.user}/{secondary.password}")
    dr.secret("witness-keys", AWS_ACCESS_KEY_ID=dr.s3.access_key, AWS_SECRET_ACCESS_KEY=dr.s3.secret_key)
    replicates(dr)

    secondary.kill9()
    dr.await_condition("StandbyAvailable", "False", seconds=60)
    dr.request("secondary")
    secondary.start()
    wait_for("handled", lambda: dr.status().get("failover", {}).get("lastHandled"), 90)
    wait_for("at rest", lambda: dr.status().get("phase") == "Replicating", 90, 0.3)
    assert mistakes(dr, "a round failed"), "the operator made none"
    primary.kill9()
    time.sleep(3)
    primary.start()
    dr.kubectl("delete", "secret", "primary-admin")
    restart(dr)
    dr.await_condition("Ready", "False", "ReferenceUnresolved", 30)
    assert "StandbyAvailable" in json.dumps(dr.status())
    assert any("AuthenticationFailed" in text or "AuthFailed" in text for text in dr.evidence().texts.values())
    assert " DEBUG " in dr.operator.log.read_text(), "nothing was logged at DEBUG"
    assert dr.leaks() == []


def mistakes(world: World, where: str) -> bool:
    """Whether the log has the trace of a provoked exception, behind the words of the boundary that caught it."""
    said = world.operator.log.read_text().partition(where)[2]
    return "Traceback" in said and "Provoked: at " in said


def replicates(world: World) -> None:
    """What is written now arrives."""
    number = time.monotonic_ns()
    world.settled(world.status().get("activeSite") or "primary", 90)
    active = world.status()["activeSite"]
    other = "secondary" if active == "primary" else "primary"
    world.sites[active].query("CREATE (:Canary {uid: $n})", n=number)
    wait_for(
        "it arrives", lambda: world.sites[other].query("MATCH (c:Canary {uid: $n}) RETURN c.uid AS n", n=number), 60
    )


def restart(world: World, **environment: str) -> None:
    """A new operator, with nothing left from before."""
    assert world.operator.stop() == 0
    world.operator.start(**environment)


def test_a_planted_leak_is_found(dr: World) -> None:
    """The search itself: whatever place a secret is put into, it is found there, and gone when it is taken away."""
    dr.set_up()
    dr.operator.start()
    dr.settled("primary")
    password, key = dr.sites["primary"].password, dr.s3.secret_key
    assert dr.leaks() == []

    dr.kubectl("annotate", "n4dr", DR, f"last-handled={json.dumps({'password': password})}")
    assert dr.leaks() == [f"password of primary in Neo4jDisasterRecovery/{DR}"]
    dr.kubectl("annotate", "n4dr", DR, "last-handled-")

    status = {"status": {"message": f"cannot sign in with {key}"}}
    dr.operator.kill9()
    dr.kubectl("patch", "n4c", CLUSTERS["secondary"], "--subresource=status", "--type=merge", "-p", json.dumps(status))
    assert dr.leaks() == [f"S3 key in Neo4jEnterpriseCluster/{CLUSTERS['secondary']}"]
    status = {"status": {"message": None}}
    dr.kubectl("patch", "n4c", CLUSTERS["secondary"], "--subresource=status", "--type=merge", "-p", json.dumps(status))
    assert dr.leaks() == []

    size = dr.operator.log.stat().st_size
    with dr.operator.log.open("a") as log:
        log.write(f"Traceback: {password!r}\n")
    assert dr.leaks() == ["password of primary in operator.log"]
    os.truncate(dr.operator.log, size)

    event = {
        "apiVersion": "v1",
        "kind": "Event",
        "metadata": {"name": "planted", "namespace": dr.namespace},
        "involvedObject": {"kind": "Neo4jDisasterRecovery", "name": DR, "namespace": dr.namespace},
        "message": f"https://user:{password}@example.com",
        "reason": "Planted",
        "type": "Normal",
        "source": {"component": "test"},
    }
    dr.kubectl("create", "-f", "-", input=json.dumps(event))
    assert dr.leaks() == ["password of primary in Event/planted"]
    dr.kubectl("delete", "event", "planted")

    planted_processes(dr, password)
    assert dr.leaks() == []


def planted_processes(world: World, password: str) -> None:
    """A process of the operator's family that shows the secret to everybody on the machine."""
    child = "import subprocess, sys; subprocess.run([sys.executable, '-c', 'import time; time.sleep(60)'{})"
    argument, variable = child.format(", sys.stdin.read()]"), child.format("], env={'PASSWORD': sys.stdin.read()}")
    for code in (argument, variable):
        process = subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, process_group=0)
        assert process.stdin is not None
        process.stdin.write(password.encode())
        process.stdin.close()
        own, world.operator.process = world.operator.process, process
        try:
            wait_for("it is seen", lambda: world.leaks() != [], 10)
            assert all(found.startswith("password of primary in ") for found in world.leaks())
        finally:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait(10)
            world.operator.process = own
            world.operator.seen.clear()
