"""The chart and the plain manifests: what Helm renders, what a real API server accepts, what its rights allow."""

from __future__ import annotations

import copy
import json
import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
import yaml

from lab import ControlPlane, Lab, builds
from lab.manifests import CHART, MANIFESTS, NAMESPACE, drift, template
from neo4j_dr_operator.api.kinds import KINDS
from tests.rights import used
from tests.scenario.leaks import Evidence, Secret, leaks
from tests.scenario.world import wait_for

ROOT = Path(__file__).parents[2]
ACCOUNT = "neo4j-operator-controller-manager"
NOBODY = "nobody"
PLURALS = sorted(kind.plural for kind in KINDS)

EVERYTHING: dict[str, Any] = {
    "image": {"registry": "registry.example.com/team", "tag": "9", "digest": f"sha256:{'0' * 64}"},
    "imagePullSecrets": [{"name": "pull"}],
    "fullnameOverride": "other",
    "logLevel": "DEBUG",
    "serviceAccount": {"name": "mine", "annotations": {"example.com/role": "dr"}},
    "rbac": {"secretNames": ["neo4j-admin-secret"]},
    "metrics": {
        "service": {"annotations": {"example.com/scrape": "yes"}},
        "serviceMonitor": {"enabled": True, "labels": {"release": "prometheus"}},
    },
    "networkPolicy": {"enabled": True, "metricsFrom": [{"namespaceSelector": {}}]},
    "extraEnv": [{"name": "AWS_REGION", "value": "eu-west-1"}],
    "extraEnvFrom": [{"secretRef": {"name": "s3", "optional": True}}],
    "extraVolumes": [{"name": "ca", "configMap": {"name": "ca"}}],
    "extraVolumeMounts": [{"name": "ca", "mountPath": "/ca", "readOnly": True}],
    "podAnnotations": {"example.com/a": "b"},
    "podLabels": {"team": "graph"},
    "priorityClassName": "system-cluster-critical",
    "nodeSelector": {"kubernetes.io/os": "linux"},
    "tolerations": [{"key": "spot", "operator": "Exists"}],
    "affinity": {"podAntiAffinity": {}},
    "terminationGracePeriodSeconds": 60,
}
"""Every optional part of the chart, switched on."""

REFUSED = [
    ("image.tagg=1", "image", "tagg"),
    ("image.digest=sha256:1", "image/digest", "does not match"),
    ("image.registry=example.com/", "image/registry", "does not match"),
    ("image.pullPolicy=Sometimes", "image/pullPolicy", "'Always', 'IfNotPresent', 'Never'"),
    ("logLevel=LOUD", "logLevel", "'DEBUG', 'INFO', 'WARNING', 'ERROR'"),
    ("replicas=2", "replicas", "must be one of 0, 1"),
    ("ports.metrics=80", "ports/metrics", "minimum"),
    ("runAsUser=0", "runAsUser", "minimum"),
    ("watchNamespace=Neo4j_Prod", "watchNamespace", "does not match"),
    ("crds.install=maybe", "crds/install", "want boolean"),
    ("metrics.serviceMonitor.interval=often", "metrics/serviceMonitor/interval", "does not match"),
    ("terminationGracePeriodSeconds=1", "terminationGracePeriodSeconds", "minimum"),
    ("tolerance=1", "", "tolerance"),
    ("serviceAccount.create=false", "serviceAccount.name", "is needed"),
    ("metrics.serviceMonitor.enabled=true,metrics.service.enabled=false", "metrics.service.enabled", "needs"),
]

BREAKAGES: dict[str, Callable[[dict[str, Any]], Any]] = {
    "runAsNonRoot": lambda pod: pod["securityContext"].pop("runAsNonRoot"),
    "seccompProfile": lambda pod: pod["securityContext"].pop("seccompProfile"),
    "allowPrivilegeEscalation": lambda pod: pod["containers"][0]["securityContext"].pop("allowPrivilegeEscalation"),
    "unrestricted capabilities": lambda pod: pod["containers"][0]["securityContext"].pop("capabilities"),
    "runAsUser=0": lambda pod: pod["securityContext"].update(runAsUser=0),
    "host namespaces": lambda pod: pod.update(hostNetwork=True),
    "restricted volume types": lambda pod: pod["volumes"].append({"name": "h", "hostPath": {"path": "/"}}),
}
"""What the standard refuses, by the words it refuses it with."""

SERVICE_MONITORS = """
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: servicemonitors.monitoring.coreos.com}
spec:
  group: monitoring.coreos.com
  names: {kind: ServiceMonitor, plural: servicemonitors, singular: servicemonitor}
  scope: Namespaced
  versions:
    - name: v1
      served: true
      storage: true
      schema:
        openAPIV3Schema:
          type: object
          required: [spec]
          properties:
            spec:
              type: object
              required: [endpoints, selector]
              properties:
                selector:
                  type: object
                  properties:
                    matchLabels: {type: object, additionalProperties: {type: string}}
                endpoints:
                  type: array
                  items:
                    type: object
                    properties:
                      port: {type: string}
                      path: {type: string}
                      honorLabels: {type: boolean}
                      interval: {type: string, pattern: "^(0|([0-9]+d)?([0-9]+h)?([0-9]+m)?([0-9]+s)?([0-9]+ms)?)$"}
"""
"""Of the Prometheus operator's kind what a chart may use here, by its names and forms; another field is refused."""

RIGHTS = used()
"""A right that no call takes is one too many."""


@pytest.fixture(scope="module")
def plane() -> Iterator[ControlPlane]:
    """An API server on which ``deploy/manifests`` were applied; its controllers make the Deployment's pod."""
    plane = ControlPlane("chart", controllers=True, audit=True)
    with Lab(plane):
        applied = plane.kubectl("apply", "--validate=strict", "-f", str(MANIFESTS))
        assert applied.stderr == ""
        plane.established(*(kind.crd_name for kind in KINDS))
        plane.kubectl("-n", NAMESPACE, "create", "serviceaccount", NOBODY)
        yield plane


@pytest.fixture
def namespace(plane: ControlPlane) -> str:
    """A namespace of the test's own."""
    name = f"t-{uuid4().hex[:8]}"
    plane.kubectl("create", "namespace", name)
    return name


def values(tmp_path: Path, change: dict[str, Any]) -> str:
    path = tmp_path / "values.yaml"
    path.write_text(yaml.safe_dump(change))
    return f"--values={path}"


def only(documents: list[dict[str, Any]], kind: str) -> dict[str, Any]:
    (found,) = (each for each in documents if each["kind"] == kind)
    return found


# -- what Helm makes of it -----------------------------------------------------------------------------------------
def test_what_is_made_from_the_definitions_and_the_chart_is_up_to_date() -> None:
    assert drift() == []


def test_lint_finds_nothing() -> None:
    done = subprocess.run(
        [builds.program("helm"), "lint", "--strict", CHART], capture_output=True, text=True, timeout=60, check=False
    )
    assert (done.returncode, "[WARNING]" in done.stdout, "[ERROR]" in done.stdout) == (0, False, False), done.stdout


@pytest.mark.parametrize(("setting", "field", "words"), REFUSED, ids=[case[0] for case in REFUSED])
def test_a_wrong_value_is_refused_by_the_name_of_its_field(setting: str, field: str, words: str) -> None:
    with pytest.raises(subprocess.CalledProcessError) as refused:
        template("--set", setting)
    assert field in refused.value.stderr
    assert words in refused.value.stderr


def test_no_registry_is_named_unless_asked_for(tmp_path: Path) -> None:
    def image(*arguments: str) -> str:
        return str(only(template(*arguments), "Deployment")["spec"]["template"]["spec"]["containers"][0]["image"])

    assert re.fullmatch(r"neo4j-dr-operator:\d+\.\d+\.\d+", image())
    assert image("--set=image.registry=r.example.com/t,image.tag=v2") == "r.example.com/t/neo4j-dr-operator:v2"
    assert image(values(tmp_path, EVERYTHING)).endswith(f"/team/neo4j-dr-operator@sha256:{'0' * 64}")


def test_the_deployment_is_what_the_documents_call_it() -> None:
    deployment = only(template(), "Deployment")
    assert deployment["metadata"]["name"] == "neo4j-operator-controller-manager"
    assert (deployment["spec"]["replicas"], deployment["spec"]["strategy"]) == (1, {"type": "Recreate"})
    (container,) = deployment["spec"]["template"]["spec"]["containers"]
    assert container["securityContext"]["readOnlyRootFilesystem"] is True


def test_a_platform_may_choose_the_user(tmp_path: Path) -> None:
    pod = only(template(values(tmp_path, {"runAsUser": None})), "Deployment")["spec"]["template"]["spec"]
    assert pod["securityContext"] == {"runAsNonRoot": True, "seccompProfile": {"type": "RuntimeDefault"}}


# -- what the API server makes of it -------------------------------------------------------------------------------
def test_the_manifests_apply_again_without_a_change(plane: ControlPlane) -> None:
    again = plane.kubectl("apply", "--validate=strict", "-f", str(MANIFESTS))
    assert {line.rsplit(" ", 1)[1] for line in again.stdout.splitlines()} == {"unchanged"}
    assert again.stderr == ""


@pytest.fixture(scope="module")
def monitors(plane: ControlPlane) -> None:
    """The kind ServiceMonitor is served."""
    plane.kubectl("apply", "--validate=strict", "-f", "-", input=SERVICE_MONITORS)
    plane.established("servicemonitors.monitoring.coreos.com")


@pytest.mark.usefixtures("monitors")
@pytest.mark.parametrize("change", [{}, EVERYTHING], ids=["defaults", "everything"])
def test_every_object_is_accepted(plane: ControlPlane, tmp_path: Path, change: dict[str, Any]) -> None:
    documents = template(values(tmp_path, change))
    assert ("ServiceMonitor" in {each["kind"] for each in documents}) is bool(change)
    accepted = plane.kubectl(
        "apply", "--dry-run=server", "--validate=strict", "-f", "-", input=yaml.safe_dump_all(documents), check=False
    )
    assert accepted.returncode == 0, accepted.stderr
    assert len(accepted.stdout.splitlines()) == len(documents)
    assert "Warning" not in accepted.stderr.replace("missing the kubectl.kubernetes.io/last-applied", "")


def test_a_pod_is_made_in_a_namespace_that_enforces_restricted(plane: ControlPlane) -> None:
    labels = json.loads(plane.kubectl("get", "namespace", NAMESPACE, "-o", "json").stdout)["metadata"]["labels"]
    assert labels["pod-security.kubernetes.io/enforce"] == "restricted"
    pods = ["-n", NAMESPACE, "get", "pods", "-l", "app.kubernetes.io/name=neo4j-dr-operator", "-o", "name"]
    wait_for("the Deployment's pod", lambda: plane.kubectl(*pods).stdout, 60)


@pytest.mark.parametrize("change", [{}, EVERYTHING], ids=["defaults", "everything"])
def test_the_pod_keeps_to_restricted(plane: ControlPlane, tmp_path: Path, change: dict[str, Any]) -> None:
    done = admit(plane, pod_spec(tmp_path, change))
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize("words", BREAKAGES)
def test_a_pod_that_does_not_is_refused(plane: ControlPlane, tmp_path: Path, words: str) -> None:
    spec = pod_spec(tmp_path, {})
    BREAKAGES[words](spec)
    done = admit(plane, spec)
    assert done.returncode != 0
    assert 'violates PodSecurity "restricted' in done.stderr
    assert words in done.stderr


def pod_spec(tmp_path: Path, change: dict[str, Any]) -> dict[str, Any]:
    spec = only(template(values(tmp_path, change)), "Deployment")["spec"]["template"]["spec"]
    spec["serviceAccountName"] = ACCOUNT  # the one that is there
    return copy.deepcopy(spec)


def admit(plane: ControlPlane, spec: dict[str, Any]) -> subprocess.CompletedProcess[str]:
    pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "p", "namespace": NAMESPACE}, "spec": spec}
    return plane.kubectl("create", "--dry-run=server", "-f", "-", input=json.dumps(pod), check=False)


# -- rights --------------------------------------------------------------------------------------------------------
def rights(plane: ControlPlane, account: str, namespace: str) -> set[tuple[str, str, str]]:
    """(group, resource, verb) that the API server allows a service account; a name follows after a slash."""
    review = {
        "apiVersion": "authorization.k8s.io/v1",
        "kind": "SelfSubjectRulesReview",
        "spec": {"namespace": namespace},
    }
    who = [f"--as=system:serviceaccount:{NAMESPACE}:{account}", "--as-group=system:serviceaccounts"]
    who.append("--as-group=system:authenticated")
    answer = plane.kubectl("create", "--validate=false", "-f", "-", "-o", "json", *who, input=json.dumps(review)).stdout
    found = set()
    for rule in json.loads(answer)["status"]["resourceRules"]:
        for group in rule.get("apiGroups") or []:
            for resource in rule.get("resources") or []:
                for name in rule.get("resourceNames") or [None]:
                    found |= {(group, f"{resource}/{name}" if name else resource, verb) for verb in rule["verbs"]}
    return found


def test_the_operator_has_these_rights_and_no_other(plane: ControlPlane, namespace: str) -> None:
    everybody = rights(plane, NOBODY, namespace)
    assert rights(plane, ACCOUNT, namespace) - everybody == RIGHTS
    assert rights(plane, ACCOUNT, NAMESPACE) - everybody == RIGHTS


@pytest.mark.parametrize(
    "what", ["list secrets", "watch secrets", "delete n4dr", "create n4c", "get customresourcedefinitions", "get pods"]
)
def test_can_i_says_no(plane: ControlPlane, namespace: str, what: str) -> None:
    who = f"--as=system:serviceaccount:{NAMESPACE}:{ACCOUNT}"
    assert plane.kubectl("-n", namespace, "auth", "can-i", *what.split(), who, check=False).stdout.strip() == "no"


def install_narrow(plane: ControlPlane, namespace: str, name: str, *more: str) -> str:
    """Install a second operator for one namespace; the name of its service account."""
    settings = f"--set=watchNamespace={namespace},fullnameOverride={name},crds.install=false,rbac.userRoles=false"
    documents = template(settings, *more)
    plane.kubectl("apply", "--validate=strict", "-f", "-", input=yaml.safe_dump_all(documents))
    return f"{name}-controller-manager"


def test_an_operator_of_one_namespace_has_rights_there_only(plane: ControlPlane, namespace: str) -> None:
    account = install_narrow(plane, namespace, "narrow", "--set=rbac.secretNames={admin,ca}")
    everybody = rights(plane, NOBODY, namespace)
    wanted = (RIGHTS - {("", "secrets", "get")}) | {("", "secrets/admin", "get"), ("", "secrets/ca", "get")}
    assert rights(plane, account, namespace) - everybody == wanted
    for elsewhere in (NAMESPACE, "default"):
        assert rights(plane, account, elsewhere) - everybody == set()


def test_people_get_their_rights_through_the_roles_they_have(plane: ControlPlane, namespace: str) -> None:
    def allowed(role: str) -> set[str]:
        listed = json.loads(plane.kubectl("get", "clusterrole", role, "-o", "json").stdout)["rules"] or []
        ours = [rule for rule in listed if rule.get("apiGroups") == ["neo4j.neo4j.com"]]
        assert all(sorted(rule["resources"]) == PLURALS for rule in ours)
        return {verb for rule in ours for verb in rule["verbs"]}

    reads, writes = {"get", "list", "watch"}, {"create", "update", "patch", "delete"}
    wait_for("roles are aggregated", lambda: "deletecollection" in allowed("admin"), 30)
    assert (allowed("view"), allowed("edit")) == (reads, reads | writes)
    assert allowed("admin") == reads | writes | {"deletecollection"}


# -- the operator with these rights --------------------------------------------------------------------------------
@pytest.mark.parametrize("narrow", [False, True], ids=["every namespace", "one namespace"])
def test_the_operator_needs_no_more(plane: ControlPlane, namespace: str, tmp_path: Path, narrow: bool) -> None:
    account = install_narrow(plane, namespace, f"n{namespace[-4:]}") if narrow else ACCOUNT
    since = len(plane.audit_log.read_text().splitlines())
    process = start(plane, account, tmp_path, ["--namespace", namespace] if narrow else ["--all-namespaces"])
    try:
        recovery = {"primaryClusterRef": "east", "secondaryClusterRef": "west"}
        put(plane, namespace, "Neo4jDisasterRecovery", recovery)
        put(plane, namespace, "Neo4jEnterpriseCluster", {"auth": {"adminSecret": "absent"}, **EAST})
        ready = ["get", "n4dr", "pair", "-o", "jsonpath={.status.conditions[?(@.type=='Ready')].status}"]
        wait_for("a condition", lambda: plane.kubectl("-n", namespace, *ready).stdout == "False", 30)
        events = ["get", "events", "--field-selector=involvedObject.name=pair", "-o", "name"]
        wait_for("an event", lambda: plane.kubectl("-n", namespace, *events).stdout, 30)
    finally:
        process.terminate()
        code = process.wait(20)
    assert code == 0
    assert not answers(plane, account, since) & {"401", "403"}
    token = json.loads((tmp_path / "kubeconfig").read_text())["users"][0]["user"]["token"]
    said = Evidence({"operator.log": (tmp_path / "operator.log").read_text()})
    assert leaks([Secret("token", token)], said) == []


EAST = {
    "edition": "enterprise",
    "external": {"uri": "bolt+s://127.0.0.1:1"},
    "disasterRecovery": {"enabled": True, "role": "primary", "region": "us-east-1"},
}


def put(plane: ControlPlane, namespace: str, kind: str, spec: dict[str, Any]) -> None:
    name = "pair" if kind == "Neo4jDisasterRecovery" else "east"
    made = {"apiVersion": "neo4j.neo4j.com/v1alpha1", "kind": kind, "metadata": {"name": name}, "spec": spec}
    plane.kubectl("-n", namespace, "apply", "--validate=strict", "-f", "-", input=json.dumps(made))


def start(plane: ControlPlane, account: str, tmp_path: Path, scope: list[str]) -> subprocess.Popen[bytes]:
    """The operator as a process with the token of a service account and nothing else."""
    token = plane.kubectl("-n", NAMESPACE, "create", "token", account).stdout.strip()
    config = json.loads(plane.kubeconfig.read_text())
    config["users"] = [{"name": config["users"][0]["name"], "user": {"token": token}}]
    path = tmp_path / "kubeconfig"
    path.write_text(json.dumps(config))
    command = [sys.executable, "-m", "neo4j_dr_operator", "run", *scope, "--metrics-port", "0"]
    with (tmp_path / "operator.log").open("wb") as out:
        return subprocess.Popen(command, stdout=out, stderr=out, env={**os.environ, "KUBECONFIG": str(path)}, cwd=ROOT)


def answers(plane: ControlPlane, account: str, since: int) -> set[str]:
    """Status codes that a service account was answered with."""
    entries = [json.loads(line) for line in plane.audit_log.read_text().splitlines()[since:]]
    user = f"system:serviceaccount:{NAMESPACE}:{account}"
    codes = {str(entry["responseStatus"]["code"]) for entry in entries if entry["user"]["username"] == user}
    assert codes, "nothing of the operator is on record"
    return codes
