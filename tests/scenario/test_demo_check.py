"""The demo's check finds what is wrong: one altered property, one deleted transaction. On real databases."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from demo import connect, manifests, workload
from lab import Neo4j
from tests import guide

LAST = workload.BASE + 60
"""Number of the last transaction written."""
LOST = 3
"""Transactions at the end that the survivor of a failover lacks."""
WITHIN = 120.0
"""Seconds that a writer or a check may take."""

Check = Callable[..., "subprocess.CompletedProcess[str]"]


def write(folder: Path, database: Neo4j, last: int) -> Path:
    """Let the demo's writer write all transactions up to `last` to one database; its log."""
    folder.mkdir()
    (folder / "writer.json").write_text(json.dumps({"secondary": connect.describe(database)}))
    (folder / "active").write_text("secondary")
    subprocess.run([sys.executable, "-m", "demo.writer", folder, str(last)], check=True, timeout=WITHIN)
    return folder / "ledger.jsonl"


@pytest.fixture
def check(databases: tuple[Neo4j, Neo4j], tmp_path: Path) -> Check:
    """The check as a process, over two databases: `secondary` wrote it all, `primary` lacks `behind` transactions."""
    primary, secondary = databases

    def run(behind: int = 0, by_hand: Callable[[], Any] = lambda: None, **config: Any) -> Any:
        log = write(tmp_path / "secondary", secondary, LAST)
        write(tmp_path / "primary", primary, LAST - behind)
        by_hand()
        sites = {"primary": connect.describe(primary), "secondary": connect.describe(secondary)}
        names = {"primary": "us-east-1", "secondary": "us-west-2"}
        text = json.dumps({"mode": "same", "log": str(log), "sites": sites, "names": names, "within": 1.0, **config})
        command = [sys.executable, "-m", "demo.check"]
        return subprocess.run(command, input=text, capture_output=True, text=True, timeout=WITHIN, check=False)

    return run


def test_the_same_graphs_pass(check: Check) -> None:
    done = check()
    assert (done.returncode, done.stderr) == (0, "")
    assert "WRONG" not in done.stdout
    assert f"the log holds {LAST} acknowledged transactions, 0 in doubt" in done.stdout


def test_one_altered_property_is_found(check: Check, databases: tuple[Neo4j, Neo4j]) -> None:
    altered = "MATCH (p:Person {uid: 'p7'}) SET p.name = p.name + ' ' RETURN count(p) AS changed"
    done = check(by_hand=lambda: databases[0].query(altered))
    assert done.returncode == 1
    assert "us-east-1: 1 elements are not as the log says" in done.stdout
    assert "node p7: property name is str 'Person 7 ' and should be str 'Person 7'" in done.stdout
    assert "us-west-2: 2" in done.stdout  # the other one is as it was


def test_the_last_bit_of_a_number_is_found(check: Check, databases: tuple[Neo4j, Neo4j]) -> None:
    number = workload.BASE + 3
    altered = f"MATCH (o:Order {{uid: 'o{number}'}}) SET o.rate = o.rate * 1.0000000000000002"
    done = check(by_hand=lambda: databases[1].query(altered))
    assert done.returncode == 1
    assert f"node o{number}: property rate is float" in done.stdout


@pytest.mark.parametrize("sides", [(0,), (0, 1)], ids=["in the standby", "in both"])
def test_one_deleted_transaction_is_found(check: Check, databases: tuple[Neo4j, Neo4j], sides: tuple[int, ...]) -> None:
    number = workload.BASE + 30
    deleted = f"MATCH (n:Thing) WHERE n.uid IN ['t{number}', 'o{number}'] DETACH DELETE n"
    done = check(by_hand=lambda: [databases[side].query(deleted) for side in sides])
    assert done.returncode == 1
    assert f"us-east-1: 1 acknowledged transactions are missing: {number}" in done.stdout


def test_a_counted_loss_at_the_end_passes(check: Check) -> None:
    done = check(behind=LOST, mode="failover", survivor="primary", returned="secondary", claimed=LOST)
    assert (done.returncode, done.stderr) == (0, "")
    assert f"us-east-1: lost {LOST} acknowledged transactions, exactly the last ones of us-west-2" in done.stdout


def test_a_loss_that_was_counted_wrongly_is_found(check: Check) -> None:
    done = check(behind=LOST, mode="failover", survivor="primary", returned="secondary", claimed=LOST - 1)
    assert done.returncode == 1
    assert f"the operator counted {LOST - 1} lost transactions, but {LOST} are lost" in done.stdout


def test_a_loss_from_the_middle_is_found(check: Check, databases: tuple[Neo4j, Neo4j]) -> None:
    number = workload.BASE + 30
    deleted = f"MATCH (n:Thing) WHERE n.uid IN ['t{number}', 'o{number}'] DETACH DELETE n"
    failover = {"mode": "failover", "survivor": "primary", "returned": "secondary", "claimed": LOST + 1}
    done = check(behind=LOST, by_hand=lambda: databases[0].query(deleted), **failover)
    assert done.returncode == 1
    assert "which is not the end of what us-west-2 acknowledged" in done.stdout


def test_the_demo_uses_the_printed_manifests_and_lines() -> None:
    printed = {block.text for block in guide.blocks()}
    kept = [path for path in manifests.GUIDE.iterdir() if path.suffix in (".yaml", ".bash")]
    assert len(kept) == 4
    assert all(path.read_text(encoding="utf-8") in printed for path in kept)
