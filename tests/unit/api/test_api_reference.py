"""The reference of the API is that of the models, names every field, and marks what is not acted on."""

from __future__ import annotations

from pathlib import Path

import pytest

from neo4j_dr_operator.api import generated, support
from neo4j_dr_operator.api.reference import render

PAGE = Path(__file__).parents[3] / "docs" / "api.md"


def row(kind: str, field: str) -> list[str]:
    """Cells of a field's row in the table of a kind's spec."""
    part = render().split(f"\n## {kind}\n")[1].split("\n### status")[0]
    (line,) = (line for line in part.splitlines() if line.startswith(f"| `{field}` |"))
    return [cell.strip() for cell in line.strip("|").split(" | ")]


def test_the_page_in_the_repository_is_up_to_date() -> None:
    assert generated.check_docs(PAGE, render()) == []


@pytest.mark.parametrize(
    ("field", "kind_of_value", "default", "allowed", "acted_on"),
    [
        ("primaryClusterRef", "string", "required", "lower-case letters, digits and -", "yes"),
        ("replication.interval", "string", "`5m`", "must be at least 100ms and at most 8760h", "yes"),
        ("replication.batchSize", "integer", "`5000`", "1 to 100000", "yes"),
        ("failover.healthCheck", "object", "", "", ""),
        ("failover.target", "string", "", "`primary` or `secondary`", "yes"),
        (
            "crossRegion.networking.networkPolicies.allowedCIDRs",
            "list of strings",
            "`[]`",
            "each value once",
            None,
        ),
        ("secondaryClusters", "list of objects", "", "1 to 16 items; each name once", None),
        ("secondaryClusters[].topology.primaries", "integer", "required", "1 to 99", None),
    ],
)
def test_a_row(field: str, kind_of_value: str, default: str, allowed: str, acted_on: str | None) -> None:
    cells = row("Neo4jDisasterRecovery", field)
    assert (cells[1], cells[2]) == (kind_of_value, default)
    assert allowed in cells[4]
    assert acted_on in (None, cells[5])


def test_what_is_not_acted_on_is_marked() -> None:
    for kind, table in (("Neo4jDisasterRecovery", support.RECOVERY), ("Neo4jEnterpriseCluster", support.CLUSTER)):
        for missing in table:
            mark = row(kind, missing.path.removeprefix("spec."))[5]
            expected = "not yet, safety" if missing.safety else "not yet"
            assert mark == (f"yes; `{missing.only}`: {expected}" if missing.only else expected), missing.path
    assert row("Neo4jDisasterRecovery", "failover.rpo")[5] == "yes; `0s`: not yet, safety"
    assert row("Neo4jDisasterRecovery", "failover.quorum.witnesses")[5] == "not yet, safety"


def test_drift_of_the_page_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    page = tmp_path / "api.md"
    assert generated.main(["--check", "--docs", str(page)]) == 1
    assert generated.main(["--docs", str(page)]) == 0
    assert generated.main(["--check", "--docs", str(page)]) == 0
    page.write_text("old")
    assert generated.main(["--check", "--docs", str(page)]) == 1
    said = capsys.readouterr().out.splitlines()
    assert said == ["api.md: missing", "api.md: written", "api.md: differs from the models"]


def test_something_must_be_asked_for() -> None:
    with pytest.raises(SystemExit):
        generated.main(["--check"])
