"""Every manifest and every fragment of the guide, as printed, on a real API server: strict, without a warning, again.

A fragment is a part of a manifest that the guide shows elsewhere; ``FRAGMENTS`` says of which, and where it belongs.
"""

from __future__ import annotations

import json
from typing import Any

import pytest
import yaml

from lab import ControlPlane
from neo4j_dr_operator.api.kinds import KINDS
from tests.apiserver.door import printed
from tests.guide import blocks

WHOLE = (
    "01-primary-cluster-setup",
    "02-secondary-cluster-setup",
    "03-disaster-recovery-configuration",
    "05-multi-region-setup-3-regions",
    "09-point-in-time-recovery",  # in a here-document
    "13-dr-drill-planning",
)

FRAGMENTS = {
    "04-synchronous-replication": ("03-disaster-recovery-configuration", ""),
    "17-replication-lag": ("03-disaster-recovery-configuration", "spec"),
    "21-split-brain-scenarios": ("03-disaster-recovery-configuration", "spec"),
    "22-network-security": ("03-disaster-recovery-configuration", "spec"),
    "23-access-control": ("01-primary-cluster-setup", "spec"),
    "24-resource-scaling": ("05-multi-region-setup-3-regions", ""),
    "25-storage-optimization": ("03-disaster-recovery-configuration", "spec"),
}
"""Block of a fragment: the manifest it is a part of, and what it lies under there."""

NOT_OURS = {
    "12-grafana-dashboard": "a dashboard for Grafana",
    "26-with-ci-cd": "an Application of Argo CD: it names a repository that holds manifests of ours",
    "27-with-terraform": "a VPC peering, made by Terraform",
}

LANGUAGES = {"yaml", "json", "hcl"}
MODELS = {kind.kind: kind.spec for kind in KINDS}


def fragment(block: str) -> dict[str, Any]:
    """What a fragment sets, from the root of its manifest."""
    below = FRAGMENTS[block][1]
    return {below: printed(block)} if below else printed(block)


def merged(whole: Any, part: Any) -> Any:
    """A fragment put into a manifest: objects key by key, lists of named items name by name, all else replaced."""
    if isinstance(whole, dict) and isinstance(part, dict):
        return whole | {key: merged(whole.get(key), value) for key, value in part.items()}
    if isinstance(whole, list) and isinstance(part, list) and all("name" in item for item in [*whole, *part]):
        named = {item["name"]: item for item in whole}
        return list(merged(named, {item["name"]: item for item in part}).values())
    return part


def holds(whole: Any, part: Any) -> bool:
    """Whether everything that a fragment sets is in a manifest."""
    return bool(merged(whole, part) == whole)


def moved(body: dict[str, Any], namespace: str) -> dict[str, Any]:
    return {**body, "metadata": {**body["metadata"], "namespace": namespace}}


def apply(plane: ControlPlane, body: dict[str, Any], *options: str) -> str:
    """Apply it strictly, without a warning; what kubectl says became of it."""
    done = plane.kubectl("apply", "--validate=strict", *options, "-f", "-", input=json.dumps(body))
    assert done.stderr == ""
    return done.stdout.split(" ", 1)[1].strip()


def stored(plane: ControlPlane, body: dict[str, Any]) -> dict[str, Any]:
    """It, as the API server holds it."""
    where = ("-n", body["metadata"]["namespace"], "get", body["kind"], body["metadata"]["name"], "-o", "json")
    made: dict[str, Any] = json.loads(plane.kubectl(*where).stdout)
    return made


def test_every_block_of_the_guide_has_a_row() -> None:
    found = {block.file_name.rsplit(".", 1)[0] for block in blocks() if block.language in LANGUAGES}
    here = {block.file_name.rsplit(".", 1)[0] for block in blocks() if "<<EOF" in block.text}
    assert found | here == {*WHOLE, *FRAGMENTS, *NOT_OURS}
    assert len(WHOLE) + len(FRAGMENTS) + len(NOT_OURS) == len(found | here)


@pytest.mark.parametrize("block", WHOLE)
def test_a_manifest_is_accepted_as_printed_and_again(plane: ControlPlane, block: str) -> None:
    (found,) = (each for each in blocks() if each.file_name.startswith(f"{block}."))
    text = found.text if found.language == "yaml" else found.text.split("<<EOF\n")[1].split("EOF")[0]
    namespace = yaml.safe_load(text)["metadata"].get("namespace", "neo4j-production")
    plane.kubectl("create", "namespace", namespace, check=False)
    for outcome in ("created", "unchanged"):
        done = plane.kubectl("-n", namespace, "apply", "--validate=strict", "-f", "-", input=text)
        assert done.stdout.strip().endswith(outcome)
        assert done.stderr == ""


@pytest.mark.parametrize("block", WHOLE)
def test_a_manifest_is_taken_by_server_side_apply_and_again(plane: ControlPlane, namespace: str, block: str) -> None:
    body = moved(printed(block), namespace)
    assert apply(plane, body, "--server-side") == "serverside-applied"
    first = stored(plane, body)
    assert apply(plane, body, "--server-side") == "serverside-applied"
    assert stored(plane, body)["metadata"]["resourceVersion"] == first["metadata"]["resourceVersion"]
    assert apply(plane, body, "--server-side", "--field-manager=other") == "serverside-applied"


@pytest.mark.parametrize("block", WHOLE)
def test_a_manifest_of_the_guide_is_read_by_the_models(block: str) -> None:
    body = printed(block)
    MODELS[body["kind"]].read(body["spec"])


@pytest.mark.parametrize("block", FRAGMENTS)
def test_a_manifest_with_the_fragment_is_accepted(plane: ControlPlane, namespace: str, block: str) -> None:
    base = moved(printed(FRAGMENTS[block][0]), namespace)
    body = merged(base, fragment(block))
    assert body != base
    assert [apply(plane, each) for each in (base, body, body)] == ["created", "configured", "unchanged"]
    made = stored(plane, body)
    assert holds(made, fragment(block))
    MODELS[body["kind"]].read(made["spec"])


@pytest.mark.parametrize("block", FRAGMENTS)
def test_a_fragment_patches_the_resource(plane: ControlPlane, namespace: str, block: str) -> None:
    base = moved(printed(FRAGMENTS[block][0]), namespace)
    apply(plane, base)
    what = (base["kind"], base["metadata"]["name"], "--type=merge", "-p", json.dumps(fragment(block)))
    first, again = (plane.kubectl("-n", namespace, "patch", *what) for _ in range(2))
    assert again.stdout.strip().endswith("patched (no change)")
    assert first.stderr + again.stderr == ""
    assert holds(stored(plane, base), fragment(block))


@pytest.mark.parametrize("block", FRAGMENTS)
def test_a_fragment_is_added_by_another_manager(plane: ControlPlane, namespace: str, block: str) -> None:
    base = moved(printed(FRAGMENTS[block][0]), namespace)
    apply(plane, base, "--server-side")
    identity = {key: base[key] for key in ("apiVersion", "kind", "metadata")}
    apply(plane, merged(identity, fragment(block)), "--server-side", "--field-manager=other", "--force-conflicts")
    made = stored(plane, base)
    assert holds(made, fragment(block))
    assert holds(made, merged(base, fragment(block)))


def test_an_item_of_a_known_name_keeps_what_it_does_not_say(plane: ControlPlane, namespace: str) -> None:
    """A merge patch replaces a list: the item is stored without its cluster, which the operator knows by the name."""
    block = "24-resource-scaling"
    base = moved(printed(FRAGMENTS[block][0]), namespace)
    apply(plane, base)
    patch = ("patch", "n4dr", base["metadata"]["name"], "--type=merge", "-p")
    plane.kubectl("-n", namespace, *patch, json.dumps(fragment(block)))
    assert [sorted(item) for item in stored(plane, base)["spec"]["secondaryClusters"]] == [
        ["name", "resources", "topology"]
    ]
    unknown = {"spec": {"secondaryClusters": [{"name": "secondary-ap-south"}]}}
    refused = plane.kubectl("-n", namespace, *patch, json.dumps(unknown), check=False)
    assert "spec.secondaryClusters[0].clusterRef" in refused.stderr
    assert "is needed where the name is new" in refused.stderr
    assert apply(plane, base) == "configured"
    assert holds(stored(plane, base), base)


def test_a_restore_created_twice_is_refused_and_applied_again_is_not(plane: ControlPlane, namespace: str) -> None:
    text = json.dumps(moved(printed("09-point-in-time-recovery"), namespace))
    plane.kubectl("apply", "-f", "-", input=text)
    assert "AlreadyExists" in plane.kubectl("create", "-f", "-", input=text, check=False).stderr
    assert apply(plane, json.loads(text)) == "unchanged"
