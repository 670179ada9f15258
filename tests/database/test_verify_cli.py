"""`kubectl neo4j-dr verify` as its users run it: a kubeconfig, an API server, two databases that a link connects."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from uuid import uuid4

import pytest
import yaml

from lab import ControlPlane, Neo4j
from neo4j_dr_operator.api.base import GROUP, VERSION
from neo4j_dr_operator.api.kinds import KINDS
from tests.database.conftest import Start
from tests.database.process import ROOT

EQUAL, DIFFERENT, USAGE, UNREADABLE = 0, 1, 2, 3
Run = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture
def space(control_plane: ControlPlane, source: Neo4j, target: Neo4j) -> str:
    """A namespace with the resources of the pair."""
    control_plane.kubectl("apply", "-f", str(ROOT / "crds"))
    control_plane.established(*(kind.crd_name for kind in KINDS))
    space = f"v-{uuid4().hex[:8]}"
    control_plane.kubectl("create", "namespace", space)
    refs = {}
    for site, database in (("primary", source), ("secondary", target)):
        secrets = {
            f"{site}-admin": {"username": database.user, "password": database.password},
            f"{site}-ca": {"ca.crt": database.ca_pem or ""},
        }
        for name, data in secrets.items():
            body = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": name}, "stringData": data}
            control_plane.kubectl("-n", space, "apply", "-f", "-", input=json.dumps(body))
        spec = {
            "external": {"uri": database.uri, "caSecret": f"{site}-ca"},
            "auth": {"adminSecret": f"{site}-admin"},
            "disasterRecovery": {"enabled": True},
        }
        _apply(control_plane, space, "Neo4jEnterpriseCluster", f"{site}-cluster", spec)
        refs[f"{site}ClusterRef"] = f"{site}-cluster"
    _apply(control_plane, space, "Neo4jDisasterRecovery", "dr", refs)
    return space


def _apply(plane: ControlPlane, space: str, kind: str, name: str, spec: dict[str, object]) -> None:
    body = {"apiVersion": f"{GROUP}/{VERSION}", "kind": kind, "metadata": {"name": name}, "spec": spec}
    plane.kubectl("-n", space, "apply", "-f", "-", input=json.dumps(body))


@pytest.fixture
def run(control_plane: ControlPlane, space: str) -> Run:
    """`verify dr WORDS` in that namespace."""

    def verify(*words: str, kubeconfig: Path = control_plane.kubeconfig) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "neo4j_dr_operator.cli", "verify", "dr", "-n", space, *words]
        environment = {**os.environ, "KUBECONFIG": str(kubeconfig), "PYTHONPATH": str(ROOT)}
        return subprocess.run(
            command, env=environment, capture_output=True, text=True, timeout=120, check=False, cwd=ROOT
        )

    return verify


def test_verify_says_equal_and_names_what_differs(source: Neo4j, target: Neo4j, start: Start, run: Run) -> None:
    source.query("UNWIND range(1, 500) AS i CREATE (:A {uid: i, name: 'secret-' + i})-[:TO {w: i}]->(:B {uid: -i})")
    worker = start()
    worker.streaming()
    worker.caught_up()
    done = run()
    assert (done.returncode, done.stderr) == (EQUAL, ""), done.stderr
    assert done.stdout.startswith("EQUAL   primary-cluster and secondary-cluster at transaction ")
    assert "1,000 nodes, 500 relationships, constraints and indexes in " in done.stdout

    target.query("MATCH (x:A {uid: 7}) SET x.name = 'secret-other'")
    target.query("CREATE (:Foreign)")
    done = run("-o", "json", "--without-schema", "--standby", "secondary-cluster")
    assert done.returncode == DIFFERENT, done.stderr
    report = json.loads(done.stdout)
    assert (report["kind"], report["equal"], report["complete"]) == ("VerificationReport", False, True)
    assert (report["primary"]["cluster"], report["standby"]["cluster"]) == ("primary-cluster", "secondary-cluster")
    assert sorted((each["subject"], each["which"], each["names"][0]) for each in report["differences"]) == [
        ("node", "differs", "A"),
        ("node", "extra", "Foreign"),
    ]
    assert "secret" not in done.stdout
    shown = run("--values", "--without-schema")
    assert shown.returncode == DIFFERENT
    assert 'property name: STRING "secret-7" on the primary, STRING "secret-other" on the standby' in shown.stdout
    some = yaml.safe_load(run("-o", "yaml", "--limit", "1").stdout)
    assert (some["equal"], some["complete"], len(some["differences"])) == (False, False, 1)


def test_verify_says_why_it_cannot_compare(
    control_plane: ControlPlane, source: Neo4j, target: Neo4j, run: Run, space: str, tmp_path: Path
) -> None:
    def failure(code: int, *words: str, kubeconfig: Path = control_plane.kubeconfig) -> str:
        done = run(*words, kubeconfig=kubeconfig)
        assert (done.returncode, done.stdout, done.stderr.count("\n")) == (code, "", 1), done.stderr
        assert source.password not in done.stderr
        assert target.password not in done.stderr
        return done.stderr

    assert "none of these databases is a standby" in failure(UNREADABLE)
    assert "the clusters of this resource are primary-cluster, secondary-cluster" in failure(USAGE, "--standby", "x")
    assert "'x' is not CLUSTER=URI" in failure(USAGE, "--uri", "x")
    said = failure(UNREADABLE, "--uri", "primary-cluster=bolt+s://localhost:1")
    assert "primary-cluster at bolt+s://localhost:1: nothing accepts connections at the port" in said
    assert "forward a port to the database and give --uri" in said

    for verb, kinds in (("get", f"neo4jdisasterrecoveries.{GROUP},neo4jenterpriseclusters.{GROUP}"),):
        control_plane.kubectl("-n", space, "create", "role", "reader", f"--verb={verb}", f"--resource={kinds}")
    control_plane.kubectl("-n", space, "create", "serviceaccount", "person")
    account = f"--serviceaccount={space}:person"
    control_plane.kubectl("-n", space, "create", "rolebinding", "reader", "--role=reader", account)
    config = json.loads(control_plane.kubeconfig.read_text())
    token = control_plane.kubectl("-n", space, "create", "token", "person").stdout.strip()
    config["users"][0]["user"] = {"token": token}
    person = tmp_path / "person.kubeconfig"
    person.write_text(json.dumps(config))
    assert "you may not read Secret primary-admin in namespace" in failure(UNREADABLE, kubeconfig=person)
