"""The blocks kept here are those of the guide, and its lines come out as printed."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from . import Block, blocks, commands, manifest, parse, split

SOURCE = Path(__file__).parents[2].parent / "shared" / "GUIDE.md"


@pytest.mark.skipif(not SOURCE.exists(), reason="the guide itself lies outside this repository")
def test_the_blocks_are_those_of_the_guide() -> None:
    assert blocks() == parse(SOURCE.read_text(encoding="utf-8"))


def test_planned_failover_is_four_lines() -> None:
    lines = commands("planned failover")
    assert [line.split()[1] for line in lines] == ["patch", "wait", "patch", "get"]
    assert lines[0] == (
        "kubectl patch neo4jenterprisecluster primary-cluster --type='merge' -p='{\"spec\":{\"readOnly\":true}}'"
    )
    assert "--for=condition=ReplicationSynced" in lines[1]


@pytest.mark.parametrize(
    ("heading", "verbs"),
    [
        ("emergency failover", ["patch", "describe"]),
        ("failback procedure", ["get", "patch", "wait", "patch"]),
        ("health monitoring", ["get", "describe", "get", "get"]),
        ("point-in-time recovery", ["create"]),
        ("automated testing", ["exec", "exec", "patch"]),
    ],
)
def test_the_lines_under_each_heading(heading: str, verbs: list[str]) -> None:
    assert [line.split()[1] for line in commands(heading)] == verbs


def test_a_here_document_is_one_command() -> None:
    (line,) = commands("point-in-time recovery")
    assert line.startswith("kubectl create -f - <<EOF\napiVersion:")
    assert line.endswith("skipIndexes: false\nEOF")


def test_a_continued_line_is_one_command() -> None:
    assert split("a \\\n  b\n\n# said\nc\n") == ["a \\\n  b", "c"]


def test_words_that_mean_no_heading_or_two_are_refused() -> None:
    with pytest.raises(LookupError, match="found: none"):
        commands("no such heading")
    with pytest.raises(LookupError, match="01-primary-cluster-setup"):
        manifest("cluster setup")


def test_manifests_are_whole_objects() -> None:
    for heading in ("primary cluster setup", "secondary cluster setup", "disaster recovery configuration"):
        assert re.match(r"apiVersion: neo4j\.neo4j\.com/v1alpha1\nkind: Neo4j", manifest(heading))


def test_a_block_in_a_list_loses_the_indent() -> None:
    text = "## Head\n1. say\n   ```bash\n   a\n     b\n   ```\n"
    assert parse(text) == [Block(1, "head", "bash", "a\n  b\n")]


def test_blocks_without_a_language_are_left_out() -> None:
    assert parse("## Head\n```\n# drawing\n```\n```yaml\na: 1\n```\n") == [Block(1, "head", "yaml", "a: 1\n")]


def test_an_open_fence_is_refused() -> None:
    with pytest.raises(ValueError, match="not closed"):
        parse("```yaml\na: 1\n")
