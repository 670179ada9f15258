"""Helm and kubectl from an older version to deletion, on API servers of their own."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path

import yaml

from lab import ControlPlane, Lab, builds
from lab.manifests import CHART, CRDS, MANIFESTS, NAMESPACE
from neo4j_dr_operator.api.kinds import KINDS

CLUSTER = {
    "apiVersion": "neo4j.neo4j.com/v1alpha1",
    "kind": "Neo4jEnterpriseCluster",
    "metadata": {"name": "east"},
    "spec": {
        "edition": "enterprise",
        "external": {"uri": "bolt+s://127.0.0.1:1"},
        "auth": {"adminSecret": "absent"},
        "disasterRecovery": {"enabled": True, "role": "primary", "region": "us-east-1"},
    },
}


class Helm:
    """The helm command against an API server, with its own caches in a directory that goes."""

    def __init__(self, plane: ControlPlane, home: Path) -> None:
        self._environment = {**os.environ, "KUBECONFIG": str(plane.kubeconfig)}
        for name in ("CACHE", "CONFIG", "DATA"):
            self._environment[f"HELM_{name}_HOME"] = str(home / name.lower())

    def __call__(self, *arguments: str | Path, check: bool = True) -> str:
        """Standard output and error of one command."""
        command = [str(builds.program("helm")), "-n", NAMESPACE, *map(str, arguments)]
        done = subprocess.run(
            command,
            env=self._environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=120,
            check=False,
        )
        assert not check or done.returncode == 0, done.stdout
        return done.stdout


def without_read_only(chart: Path) -> None:
    """Make an older chart of it: one whose definition of a cluster has no ``spec.readOnly``."""
    (path,) = (chart / "files" / "crds").glob("neo4jenterpriseclusters.yaml")
    definition = yaml.safe_load(path.read_text())
    spec = definition["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["spec"]
    del spec["properties"]["readOnly"]
    spec.pop("x-kubernetes-validations", None)
    path.write_text(yaml.safe_dump(definition))


def test_from_an_older_version_to_deletion(tmp_path: Path) -> None:
    plane, cluster = ControlPlane("helm"), "neo4jenterpriseclusters.neo4j.neo4j.com"
    field = "{.spec.versions[0].schema.openAPIV3Schema.properties.spec.properties.readOnly.type}"
    older = tmp_path / "older"
    shutil.copytree(CHART, older)
    without_read_only(older)
    with Lab(plane):
        helm = Helm(plane, tmp_path)

        def served() -> str:
            return plane.kubectl("get", "crd", cluster, "-o", f"jsonpath={field}").stdout

        notes = helm("install", "neo4j-operator", older, "--create-namespace")
        assert "rollout status deployment/neo4j-operator-controller-manager" in notes
        plane.established(cluster)
        assert served() == ""
        plane.kubectl("apply", "--validate=strict", "-f", "-", input=json.dumps(CLUSTER))

        helm("upgrade", "neo4j-operator", CHART)
        assert served() == "boolean"

        kept = helm("uninstall", "neo4j-operator")
        assert kept.count("[CustomResourceDefinition]") == len(KINDS)
        assert plane.kubectl("-n", NAMESPACE, "get", "deployments,serviceaccounts", "-o", "name").stdout == ""
        assert plane.kubectl("get", "n4c", "east", "-o", "name").stdout.strip().endswith("/east")

        helm("install", "neo4j-operator", CHART)  # finds its own definitions and takes them on
        helm("uninstall", "neo4j-operator")

        # definitions that somebody applied by hand; each kind is read first: an API server that begins to serve one
        # while it deletes its resources fails at that, and may try again only minutes later (docs/uninstall.md)
        plane.kubectl("get", ",".join(kind.crd_name for kind in KINDS), "--all-namespaces")
        plane.kubectl("delete", "crd", *(kind.crd_name for kind in KINDS))
        plane.kubectl("apply", "-f", str(older / "files" / "crds"))
        assert "invalid ownership metadata" in helm("install", "neo4j-operator", CHART, check=False)
        helm("install", "neo4j-operator", CHART, "--set=crds.install=false")
        assert served() == ""
        plane.kubectl("apply", "--server-side", "--force-conflicts", "-f", str(CRDS))
        assert served() == "boolean"
        helm("upgrade", "neo4j-operator", CHART, "--take-ownership")
        helm("uninstall", "neo4j-operator")
        assert served() == "boolean"


def test_plain_manifests_upgrade_an_older_definition(tmp_path: Path) -> None:
    plane = ControlPlane("plain")
    older = tmp_path / "older"
    shutil.copytree(CHART, older)
    without_read_only(older)
    with Lab(plane):
        plane.kubectl("apply", "-f", str(older / "files" / "crds"))
        plane.kubectl("apply", "-f", str(MANIFESTS))
        again = plane.kubectl("diff", "-f", str(CRDS), check=False)
        assert (again.returncode, again.stdout) == (0, "")
