"""What is in the image, and what it does when it is started as its own user."""

from __future__ import annotations

import json
import os
import re
import stat
import urllib.error
import urllib.request
from pathlib import Path
from uuid import uuid4

from lab import S3, ControlPlane, Neo4j
from lab.container import Container
from lab.image import Image
from lab.manifests import NAMESPACE
from tests.image.conftest import ACCOUNT
from tests.scenario.world import World, wait_for

ROOT = Path(__file__).parents[2]
COMPRESSED, UNPACKED = 70, 240
"""Most megabytes the image may have, in a registry and on a node."""


def files(image: Image) -> list[Path]:
    return [path for path in image.root.rglob("*") if path.is_file() and not path.is_symlink()]


def inside(image: Image, path: Path) -> str:
    return f"/{path.relative_to(image.root)}"


def test_it_is_small(image: Image) -> None:
    unpacked = sum(path.stat().st_size for path in files(image)) / 1e6
    print(f"image: {image.compressed / 1e6:.0f} MB compressed, {unpacked:.0f} MB unpacked, {len(files(image))} files")
    assert image.compressed / 1e6 < COMPRESSED
    assert unpacked < UNPACKED


def test_nothing_in_it_can_be_run_but_the_interpreter(image: Image) -> None:
    programs = {inside(image, path) for path in files(image) if path.stat().st_mode & 0o111 and ".so" not in path.name}
    python = (image.root / "opt/operator/bin/python3").readlink().name  # or further, to the one of that version
    programs = {name for name in programs if not re.fullmatch(rf"/usr/(local/)?bin/{python}(\.\d+)?", name)}
    assert programs == {"/opt/operator/bin/neo4j-dr-operator"}
    gained = [inside(image, path) for path in files(image) if path.stat().st_mode & (stat.S_ISUID | stat.S_ISGID)]
    assert gained == []


def test_its_user_can_write_nowhere_but_to_tmp(image: Image) -> None:
    user, group = image.user
    assert min(user, group) > 0
    found = []
    for path in image.root.rglob("*"):
        facts = path.lstat()
        if not path.is_symlink() and (facts.st_mode & 0o002 or facts.st_uid == user or facts.st_gid == group):
            found.append(inside(image, path))
    assert found == ["/tmp"]


def test_it_has_the_pinned_packages_and_no_other(image: Image) -> None:
    pinned = re.findall(r"^([A-Za-z0-9._-]+)==([^ \\;]+)", (ROOT / "requirements.txt").read_text(), re.M)
    (site,) = image.root.glob("opt/operator/lib/python3*/site-packages")
    installed = [path.name.removesuffix(".dist-info").rsplit("-", 1) for path in site.glob("*.dist-info")]

    def same(name: str) -> str:
        return re.sub(r"[-_.]+", "-", name).lower()

    assert {(same(name), version) for name, version in installed} == {(same(name), version) for name, version in pinned}


def test_it_says_what_it_is(image: Image) -> None:
    assert image.command == ["neo4j-dr-operator", "run"]
    assert image.config["Labels"]["org.opencontainers.image.title"] == "neo4j-dr-operator"
    assert set(image.config["ExposedPorts"]) == {"8080/tcp", "8081/tcp"}
    assert not [name for name in image.config["Env"] if "PIP" in name]


def ask(url: str) -> tuple[int, str]:
    """Status and text of an answer; 0 while there is none."""
    try:
        with urllib.request.urlopen(url, timeout=5) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()
    except OSError:
        return 0, ""


def status_of(pid: int) -> dict[str, str]:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return {key: value.strip() for key, _, value in (line.partition(":") for line in lines)}


def refusals(plane: ControlPlane) -> list[str]:
    """What the API server refused the operator's service account."""
    account = f"system:serviceaccount:{NAMESPACE}:{ACCOUNT}"
    entries = [json.loads(line) for line in plane.audit_log.read_text().splitlines()]
    mine = [entry for entry in entries if entry["user"]["username"] == account]
    assert mine, "nothing of the operator is on record"
    return [f"{e['verb']} {e['requestURI']}" for e in mine if e["responseStatus"]["code"] == 403]


def test_it_runs_as_its_own_user_with_nothing_but_its_rights(plane: ControlPlane, container: Container) -> None:
    wait_for("/readyz answers 200", lambda: ask(f"{container.url}/readyz")[0] == 200, 30)
    assert ask(f"{container.url}/healthz") == (200, "ok\n")

    assert container.image is not None
    facts, (user, group) = status_of(container.pid), container.image.user
    assert facts["Uid"].split() == [str(user)] * 4
    assert facts["Gid"].split() == [str(group)] * 4
    assert facts["NoNewPrivs"] == "1"
    assert {int(facts[name], 16) for name in ("CapInh", "CapPrm", "CapEff", "CapAmb")} == {0}
    root = next(
        line for line in Path(f"/proc/{container.pid}/mounts").read_text().splitlines() if line.split()[1] == "/"
    )
    assert "ro" in root.split()[3].split(",")

    namespace = f"t-{uuid4().hex[:8]}"
    plane.kubectl("create", "namespace", namespace)
    plane.kubectl("apply", "-f", "-", input=recovery(namespace))
    get = ["-n", namespace, "get", "n4dr", "pair", "-o", "jsonpath={.status.conditions[?(@.type=='Ready')].status}"]
    wait_for("a condition is reported", lambda: plane.kubectl(*get).stdout == "False", 30)
    label = f'cluster="pair",namespace="{namespace}"'
    assert label in ask(f"http://127.0.0.1:{container.metrics}/metrics")[1]
    assert refusals(plane) == []

    print(f"resident memory: {int(facts['VmRSS'].split()[0]) / 1024:.0f} MiB")
    assert container.terminate(20) == 0


def recovery(namespace: str) -> str:
    """A pair of clusters that do not exist."""
    return json.dumps(
        {
            "apiVersion": "neo4j.neo4j.com/v1alpha1",
            "kind": "Neo4jDisasterRecovery",
            "metadata": {"name": "pair", "namespace": namespace},
            "spec": {"primaryClusterRef": "east", "secondaryClusterRef": "west"},
        }
    )


def test_a_link_runs_in_it(
    plane: ControlPlane, databases: tuple[Neo4j, Neo4j], s3: S3, container: Container, tmp_path: Path
) -> None:
    east, west = databases
    east.query("UNWIND range(1, 500) AS n CREATE (:Person {n: n})-[:KNOWS]->(:Person {n: -n})")
    world = World(plane, databases, s3, tmp_path, port=0)
    world.set_up()
    count = "MATCH (n:Person) RETURN count(n) AS count"
    wait_for("the standby is seeded", lambda: west.query(count)[0]["count"] == 1000, 60)
    east.query("CREATE (:Person {n: 0})")
    wait_for("the standby follows", lambda: west.query(count)[0]["count"] == 1001, 30)
    children = Path(f"/proc/{container.pid}/task/{container.pid}/children").read_text().split()
    assert children, "no link worker"
    assert {status_of(int(child))["Uid"].split()[0] for child in children} == {
        str(os.stat(f"/proc/{container.pid}").st_uid)
    }
    assert refusals(plane) == []
    (tmp_path / "container.log").symlink_to(container.log("container"))
    assert world.leaks() == []
    plane.kubectl("-n", world.namespace, "delete", "n4dr", "--all")
    assert container.terminate(20) == 0
