"""What is new is struck once, a seed chooses one moment of each call, and calls have stable names."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import pytest

from neo4j_dr_operator.graph import calls, cypher
from neo4j_dr_operator.replication.faults import MOMENTS, Strikes

SCRIPT = (
    "from neo4j_dr_operator.replication.faults import MOMENTS, Strikes\nimport json, sys\ns = Strikes(sys.argv[2:])\n"
    "for call in json.loads(sys.argv[1]):\n    for moment in MOMENTS:\n        s.pass_by(call, moment, lambda: None)\n"
)


def no_cut() -> None:
    raise AssertionError("nothing is to be cut")


def test_orders_that_make_no_sense_are_refused(tmp_path: Path) -> None:
    for order in ("kill", "kill:", "stab:x", f"record:{tmp_path}"):
        with pytest.raises((ValueError, IsADirectoryError)):
            Strikes([order])
    assert Strikes.from_environment({}) is None


def test_what_is_recorded_is_recorded_once(tmp_path: Path) -> None:
    for _ in range(2):
        strikes = Strikes([f"record:{tmp_path / 'passed'}"])
        for _ in range(2):
            strikes.pass_by("a > B", "before", no_cut)
        strikes.pass_by("a > B", "after", no_cut)
    assert (tmp_path / "passed").read_text() == "before\ta > B\nafter\ta > B\n"


def test_a_connection_is_cut_once_at_each_point_where_an_answer_is_missing(tmp_path: Path) -> None:
    cuts = Counter[str]()
    strikes = Strikes([f"cut:{tmp_path / 'cuts'}"])
    for _ in range(2):
        for moment in MOMENTS:
            strikes.pass_by("a", moment, lambda moment=moment: cuts.update([moment]))  # type: ignore[misc]
    assert cuts == {"before": 1, "sent": 1}


def passing(sites: Sequence[str], *orders: str) -> subprocess.CompletedProcess[bytes]:
    """A process that passes by every moment of the calls named, under the orders."""
    return subprocess.run(
        [sys.executable, "-c", SCRIPT, json.dumps(list(sites)), *orders],
        env={"PYTHONPATH": ":".join(sys.path)},
        capture_output=True,
        timeout=30,
        check=False,
    )


def until_one_lives(order: str, file: Path) -> list[str]:
    """The points at which processes were killed, one after the other."""
    for _ in range(20):
        done = passing("abcd", f"{order}:{file}")
        if done.returncode == 0:
            return file.read_text().splitlines()
        assert done.returncode == -signal.SIGKILL, done.stderr
    raise AssertionError("they go on dying")


def test_every_point_kills_once(tmp_path: Path) -> None:
    assert until_one_lives("kill", tmp_path / "all") == [f"{m}\t{call}" for call in "abcd" for m in MOMENTS]


def test_a_seed_chooses_one_moment_of_each_call(tmp_path: Path) -> None:
    struck = until_one_lives("kill@7", tmp_path / "some")
    assert [point.partition("\t")[2] for point in struck] == list("abcd")


@pytest.mark.parametrize("seed", range(6))
def test_what_may_not_come_again_is_struck_at_once(tmp_path: Path, seed: int) -> None:
    """A rollback, and what has its connection cut before the chosen moment."""
    kills, cuts = tmp_path / "kills", tmp_path / "cuts"
    for orders, call in ((f"kill@{seed}:{kills}", "a > ROLLBACK"), (f"kill@{seed}:{kills} cut:{cuts}", "a > COMMIT")):
        done = passing([call], *orders.split())
        assert done.returncode == -signal.SIGKILL, done.stderr
    assert kills.read_text().splitlines() == ["before\ta > ROLLBACK", "before\ta > COMMIT"]
    assert not cuts.exists()


def test_a_call_is_named_by_its_statement() -> None:
    assert calls.name(cypher.CREATE_NODES) == "CREATE_NODES"
    assert calls.name("COMMIT") == "COMMIT"
    assert calls.name("RETURN 1") == "(made there)"
