"""What docs/install.md and the chart's schema say of names."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs/install.md").read_text()
MANIFESTS = ROOT / "deploy/manifests"


def test_the_kustomization_is_of_the_files_that_are_there_and_of_their_image() -> None:
    block = yaml.safe_load(PAGE.partition("kubectl apply -k .")[2].partition("```yaml\n")[2].partition("```")[0])
    assert block["resources"] == sorted(str(path.relative_to(ROOT)) for path in MANIFESTS.iterdir())
    (image,) = re.findall(r"image: ([^:\n]+):", (MANIFESTS / "20-operator.yaml").read_text())
    assert [each["name"] for each in block["images"]] == [image]
    assert f"s|image: {image}:|" in PAGE


@pytest.mark.parametrize(
    ("name", "allowed"), [("", True), ("dr", True), ("d", True), ("1dr", False), ("dr-", False), ("-dr", False)]
)
def test_the_first_part_of_every_name_is_one_that_a_service_may_have(name: str, allowed: bool) -> None:
    schema = json.loads((ROOT / "deploy/helm/neo4j-dr-operator/values.schema.json").read_text())
    assert bool(re.search(schema["properties"]["fullnameOverride"]["pattern"], name)) is allowed
