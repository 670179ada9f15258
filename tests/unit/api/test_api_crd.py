"""The generated manifests are structural, complete, stable, and those in the repository."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

import pytest
import yaml
from pydantic import Field

from neo4j_dr_operator.api import crd, generated
from neo4j_dr_operator.api.base import SpecModel, StatusModel
from neo4j_dr_operator.api.kinds import KINDS

ROOT = Path(__file__).parents[3]
TEXT = {"description", "type", "format", "default", "enum", "pattern", "minLength", "maxLength"}
BOUNDS = {"minimum", "maximum", "minItems", "maxItems"}
PARTS = {"items", "properties", "required"}
EXTENSIONS = {
    "x-kubernetes-validations",
    "x-kubernetes-list-type",
    "x-kubernetes-list-map-keys",
    "x-kubernetes-preserve-unknown-fields",
}
ALLOWED = TEXT | BOUNDS | PARTS | EXTENSIONS


def schemas(node: dict[str, Any], path: str = "") -> Iterator[tuple[str, dict[str, Any]]]:
    yield path, node
    for name, child in node.get("properties", {}).items():
        yield from schemas(child, f"{path}.{name}")
    if "items" in node:
        yield from schemas(node["items"], f"{path}[]")


def root(kind: str) -> dict[str, Any]:
    found = next(crd.definition(each) for each in KINDS if each.kind == kind)
    schema = found["spec"]["versions"][0]["schema"]["openAPIV3Schema"]
    assert isinstance(schema, dict)
    return schema


def test_the_manifests_in_the_repository_are_up_to_date() -> None:
    assert generated.check(ROOT / "crds") == []


@pytest.mark.parametrize("kind", [kind.kind for kind in KINDS])
def test_every_schema_is_structural_and_described(kind: str) -> None:
    for path, schema in schemas(root(kind)):
        assert set(schema) <= ALLOWED, path
        assert schema["type"] in {"object", "array", "string", "integer", "number", "boolean"}, path
        assert path == ".metadata" or path.endswith("[]") or schema["description"], path


@pytest.mark.parametrize("kind", [kind.kind for kind in KINDS])
def test_the_status_is_never_defaulted(kind: str) -> None:
    status = root(kind)["properties"]["status"]
    assert [path for path, schema in schemas(status) if "default" in schema] == []


@pytest.mark.parametrize("kind", [kind.kind for kind in KINDS])
def test_nothing_in_a_list_is_defaulted(kind: str) -> None:
    assert [path for path, schema in schemas(root(kind)) if "[]" in path and "default" in schema] == []


def test_no_number_gets_a_whole_status_refused() -> None:
    status = root("Neo4jDisasterRecovery")["properties"]["status"]
    bounded = [path for path, schema in schemas(status) if {"minimum", "maximum"} & set(schema)]
    assert bounded == [".conditions[].observedGeneration"]


def test_an_object_that_may_be_left_out_is_defaulted_with_what_is_in_it() -> None:
    spec = root("Neo4jDisasterRecovery")["properties"]["spec"]["properties"]
    assert spec["failover"]["default"] == {}
    assert spec["failover"]["properties"]["healthCheck"]["default"] == {}
    assert spec["failover"]["properties"]["healthCheck"]["properties"]["interval"]["default"] == "30s"


def test_requests_have_no_default() -> None:
    spec = root("Neo4jDisasterRecovery")["properties"]["spec"]["properties"]
    assert "default" not in spec["failover"]["properties"]["target"]
    assert "default" not in spec["failover"]["properties"]["emergency"]
    assert "default" not in spec["sync"]["properties"]["direction"]
    assert "default" not in root("Neo4jEnterpriseCluster")["properties"]["spec"]["properties"]["readOnly"]


def test_the_machine_keeps_whatever_it_wants() -> None:
    control = root("Neo4jDisasterRecovery")["properties"]["status"]["properties"]["control"]
    assert control["x-kubernetes-preserve-unknown-fields"] is True


def test_text_is_the_same_every_time_and_reads_back() -> None:
    rendered = generated.render_all()
    assert rendered == generated.render_all()
    assert [yaml.safe_load(text) for text in rendered.values()] == [crd.definition(kind) for kind in KINDS]


def test_what_a_structural_schema_cannot_hold_is_an_error() -> None:
    class Union(SpecModel):
        either: int | str = Field(description="Two types.")

    class Odd(SpecModel):
        number: Annotated[int, Field(multiple_of=2)] = Field(description="Even.")

    class Silent(StatusModel):
        phase: str = ""

    with pytest.raises(crd.UnsupportedSchema, match="union"):
        crd.structural_schema(Union)
    with pytest.raises(crd.UnsupportedSchema, match=r"Odd\.number: multipleOf"):
        crd.structural_schema(Odd)
    with pytest.raises(crd.UnsupportedSchema, match=r"Silent\.phase: no description"):
        crd.structural_schema(Silent)


def test_drift_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert generated.main([str(tmp_path)]) == 0
    assert generated.main(["--check", str(tmp_path)]) == 0
    (tmp_path / "neo4jrestores.yaml").unlink()
    (tmp_path / "neo4jenterpriseclusters.yaml").write_text("kind: Other\n")
    (tmp_path / "old.yaml").write_text("kind: Old\n")
    capsys.readouterr()
    assert generated.main(["--check", str(tmp_path)]) == 1
    assert capsys.readouterr().out.splitlines() == [
        "neo4jrestores.yaml: missing",
        "neo4jenterpriseclusters.yaml: differs from the models",
        "old.yaml: belongs to no model",
    ]


def test_writing_touches_only_what_changed(tmp_path: Path) -> None:
    assert len(generated.write(tmp_path)) == len(KINDS)
    assert generated.write(tmp_path) == []
