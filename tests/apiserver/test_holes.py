"""Ways around the rules: nulls, empty objects and lists, objects stored before a rule was there."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from typing import Any

import pytest
import yaml

from lab import ControlPlane, Lab
from neo4j_dr_operator.api.generated import render_all
from neo4j_dr_operator.api.kinds import KINDS
from tests.apiserver.door import printed, put

RULES = ("x-kubernetes-validations", "minLength", "minItems", "minimum", "maximum", "enum")
RECOVERY = "03-disaster-recovery-configuration"


def without_rules(node: Any) -> Any:
    """A definition that allows whatever has the right type."""
    if isinstance(node, dict):
        return {key: without_rules(value) for key, value in node.items() if key not in RULES}
    return [without_rules(each) for each in node] if isinstance(node, list) else node


def define(plane: ControlPlane, *, lax: bool) -> None:
    """Install the definitions, or such without rules."""
    for text in render_all().values():
        body = yaml.safe_load(text)
        schema = body["spec"]["versions"][0]["schema"]
        if lax:
            schema["openAPIV3Schema"] = without_rules(schema["openAPIV3Schema"])
        plane.kubectl("apply", "--server-side", "--force-conflicts", "-f", "-", input=json.dumps(body))
    plane.established(*(kind.crd_name for kind in KINDS))


def changed(block: str, **settings: Any) -> dict[str, Any]:
    body = copy.deepcopy(printed(block))
    body["metadata"].pop("namespace", None)
    for path, value in settings.items():
        put(body, path.replace("__", "."), value)
    return body


def apply(plane: ControlPlane, namespace: str, body: dict[str, Any]) -> str:
    """What kubectl says, good or bad."""
    text = json.dumps(body)
    done = plane.kubectl("-n", namespace, "apply", "--validate=strict", "-f", "-", input=text, check=False)
    return done.stdout + done.stderr


def patch(plane: ControlPlane, namespace: str, what: str, body: dict[str, Any], *more: str) -> str:
    text = json.dumps(body)
    done = plane.kubectl("-n", namespace, "patch", *what.split("/"), "--type=merge", "-p", text, *more, check=False)
    return done.stdout + done.stderr


def spec(plane: ControlPlane, namespace: str, what: str) -> dict[str, Any]:
    made: dict[str, Any] = json.loads(plane.kubectl("-n", namespace, "get", *what.split("/"), "-o", "json").stdout)
    return dict(made["spec"])


NOTHING = [{}, {"customChecks": None}, {"healthCheck": None}, {"quorum": {}, "fencing": {}, "target": None}, None]


@pytest.mark.parametrize("failover", NOTHING, ids=str)
def test_null_and_empty_are_the_default(plane: ControlPlane, namespace: str, failover: dict[str, Any] | None) -> None:
    body = changed(RECOVERY)
    body["spec"]["failover"] = failover
    assert "created" in apply(plane, namespace, body)
    stored = spec(plane, namespace, "n4dr/cross-region-dr")["failover"]
    assert stored == {
        "automatic": False,
        "customChecks": [],
        "healthCheck": {"interval": "30s", "timeout": "10s", "consecutiveFailures": 3},
        "quorum": {"enabled": False},
        "fencing": {"enabled": False},
    }


@pytest.mark.parametrize(
    ("path", "value", "named"),
    [
        ("replication.logShipping.destination", None, "spec.replication.logShipping.destination"),
        ("secondaryClusterRef", None, "spec.secondaryClusterRef"),
        ("primaryClusterRef", None, "spec.primaryClusterRef"),
        ("monitoring.alerting.email.recipients", [None], "spec.monitoring.alerting.email.recipients[0]"),
        ("monitoring.alerting.email.recipients", None, "spec.monitoring.alerting.email"),
        ("backup.schedule", None, "spec.backup.schedule"),
    ],
)
def test_null_is_no_way_around_a_rule(plane: ControlPlane, namespace: str, path: str, value: Any, named: str) -> None:
    body = changed(RECOVERY)
    *parents, last = path.split(".")
    inner = body["spec"]
    for part in parents:
        inner = inner[part]
    inner[last] = value
    assert named in apply(plane, namespace, body)


def test_a_patch_cannot_take_away_what_another_field_needs(plane: ControlPlane, namespace: str) -> None:
    apply(plane, namespace, changed(RECOVERY))
    what = "n4dr/cross-region-dr"
    said = patch(plane, namespace, what, {"spec": {"replication": {"logShipping": {"destination": None}}}})
    assert "spec.replication.logShipping.destination" in said
    assert "is needed with enabled: true" in said
    gone = {"spec": {"secondaryClusterRef": None, "secondaryClusters": None}}
    assert "exactly one of secondaryClusterRef and secondaryClusters" in patch(plane, namespace, what, gone)
    assert "patched" in patch(plane, namespace, what, {"spec": {"replication": {"logShipping": None}}})


@pytest.fixture(scope="module")
def older() -> Iterator[ControlPlane]:
    """An API server whose definitions change under what is stored."""
    plane = ControlPlane("older")
    with Lab(plane):
        yield plane


def test_what_was_stored_before_a_rule_can_be_used_and_mended(older: ControlPlane) -> None:
    define(older, lax=True)
    recovery = changed(RECOVERY, metadata__name="named.before", spec__replication__interval="5 minutes")
    put(recovery, "spec.failover.healthCheck.consecutiveFailures", 0)
    put(recovery, "spec.failover.customChecks.0.timeout", "soon")
    cluster = changed("01-primary-cluster-setup", metadata__name="named.before", spec__storage__size="big")
    for body in (recovery, cluster):
        assert "created" in apply(older, "default", body)
    define(older, lax=False)
    for what in ("n4dr/named.before", "n4c/named.before"):
        said = patch(older, "default", what, {"status": {"phase": "Active"}}, "--subresource=status")
        assert "patched" in said
    dr = "n4dr/named.before"
    assert "patched" in patch(older, "default", dr, {"spec": {"failover": {"target": "secondary"}}})
    assert "patched" in patch(older, "default", "n4c/named.before", {"spec": {"readOnly": True}})
    worse = patch(older, "default", dr, {"spec": {"replication": {"interval": "six minutes"}}})
    assert "must be a duration such as 30s" in worse
    mended = {"spec": {"replication": {"interval": "6m"}, "failover": {"healthCheck": {"consecutiveFailures": 1}}}}
    assert "patched" in patch(older, "default", dr, mended)
    assert spec(older, "default", dr)["replication"]["interval"] == "6m"
    back = patch(older, "default", dr, {"spec": {"failover": {"healthCheck": {"consecutiveFailures": 0}}}})
    assert "greater than or equal to 1" in back
    for what in (dr, "n4c/named.before"):
        older.kubectl("delete", *what.split("/"), "--timeout=20s")
