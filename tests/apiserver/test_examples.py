"""The examples: those of the guide are the guide's, and all are accepted strictly, without a warning."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from lab import ControlPlane
from neo4j_dr_operator.api.kinds import KINDS
from tests.apiserver.door import printed
from tests.apiserver.test_guide_manifests import FRAGMENTS, WHOLE, fragment, holds

EXAMPLES = Path(__file__).parents[2] / "examples"
MODELS = {kind.kind: kind.spec for kind in KINDS}

OF_THE_GUIDE = {
    "primary-cluster": "01-primary-cluster-setup",
    "secondary-cluster": "02-secondary-cluster-setup",
    "cross-region-dr": "03-disaster-recovery-configuration",
    "multi-region-dr": "05-multi-region-setup-3-regions",
    "restore": "09-point-in-time-recovery",
    "drill": "13-dr-drill-planning",
    "synchronous-dr": "04-synchronous-replication",
    "thin-line-dr": "17-replication-lag",
    "split-brain-prevention-dr": "21-split-brain-scenarios",
    "network-security-dr": "22-network-security",
    "access-control-cluster": "23-access-control",
    "resource-scaling-dr": "24-resource-scaling",
    "storage-optimization-dr": "25-storage-optimization",
}
"""File below ``examples/guide``: block of the guide that it shows."""


def read(path: Path) -> dict[str, Any]:
    made = yaml.safe_load(path.read_text(encoding="utf-8"))
    assert isinstance(made, dict)
    return made


def test_every_block_has_its_example() -> None:
    assert {path.stem for path in EXAMPLES.glob("guide/*")} == set(OF_THE_GUIDE)
    assert sorted(OF_THE_GUIDE.values()) == sorted([*WHOLE, *FRAGMENTS])


@pytest.mark.parametrize(("name", "block"), [(k, v) for k, v in OF_THE_GUIDE.items() if v in WHOLE])
def test_a_manifest_is_that_of_the_guide(name: str, block: str) -> None:
    assert read(EXAMPLES / "guide" / f"{name}.yaml") == printed(block)


@pytest.mark.parametrize(("name", "block"), [(k, v) for k, v in OF_THE_GUIDE.items() if v in FRAGMENTS])
def test_a_fragment_is_shown_in_its_manifest(name: str, block: str) -> None:
    example, base = read(EXAMPLES / "guide" / f"{name}.yaml"), printed(FRAGMENTS[block][0])
    assert holds(example, fragment(block))
    assert (example["kind"], example["metadata"]) == (base["kind"], base["metadata"])


@pytest.mark.parametrize("path", sorted(EXAMPLES.rglob("*.yaml")), ids=lambda path: str(path.relative_to(EXAMPLES)))
def test_an_example_is_accepted(plane: ControlPlane, namespace: str, path: Path) -> None:
    body = read(path)
    body["metadata"]["namespace"] = namespace
    done = plane.kubectl("apply", "--validate=strict", "-f", "-", input=yaml.safe_dump(body))
    assert done.stdout.strip().endswith("created")
    assert done.stderr == ""
    MODELS[body["kind"]].read(body["spec"])


def test_the_thin_ones_apply_as_a_directory(plane: ControlPlane) -> None:
    plane.kubectl("create", "namespace", "neo4j-production", check=False)
    applied = plane.kubectl("apply", "--dry-run=server", "--validate=strict", "-f", str(EXAMPLES))
    assert len(applied.stdout.splitlines()) == 3
    assert applied.stderr == ""


def test_the_list_of_examples_is_whole() -> None:
    listed = (EXAMPLES / "README.md").read_text(encoding="utf-8")
    assert [path.name for path in EXAMPLES.glob("guide/*") if f"`guide/{path.name}`" not in listed] == []
