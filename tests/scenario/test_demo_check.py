"""The demo's check finds what is wrong: one altered property, one deleted transaction. On real databases."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from demo import connect, manifests, workload
from demo.writer import attempt
from lab import Neo4j
from tests import guide

ROOT = Path(__file__).resolve().parents[2]
LAST = workload.BASE + 40
"""Number of the last transaction written."""
LOST = 3
"""Transactions at the end that the survivor of a failover lacks."""
WITHIN = 120.0
"""Seconds that a writer or a check may take."""
LONE = workload.BASE + 18
"""A transaction whose order no later one touches, so that it can be deleted and written again."""

NAMES = {"primary": "us-east-1", "secondary": "us-west-2"}


class Twins:
    """Two databases that the demo's writer filled alike; `primary` lacks the last `behind` transactions."""

    def __init__(self, pair: tuple[Neo4j, Neo4j], folder: Path, behind: int) -> None:
        self.sites = dict(zip(NAMES, pair, strict=True))
        self.log = folder / "secondary" / "ledger.jsonl"
        writers = [self._write(folder / site, site, behind if site == "primary" else 0) for site in NAMES]
        try:
            assert [writer.wait(WITHIN) for writer in writers] == [0, 0]
        finally:
            for writer in writers:
                writer.kill()

    def _write(self, folder: Path, site: str, behind: int) -> subprocess.Popen[bytes]:
        folder.mkdir()
        (folder / "writer.json").write_text(json.dumps({"secondary": connect.describe(self.sites[site])}))
        (folder / "active").write_text("secondary")
        return subprocess.Popen([sys.executable, "-m", "demo.writer", folder, str(LAST - behind)], cwd=ROOT)

    def check(self, **config: Any) -> subprocess.CompletedProcess[str]:
        """The check, as the process it is in the demo."""
        sites = {site: connect.describe(database) for site, database in self.sites.items()}
        text = json.dumps({"mode": "same", "log": str(self.log), "sites": sites, "names": NAMES, "within": 1, **config})
        command = [sys.executable, "-m", "demo.check"]
        return subprocess.run(
            command, input=text, capture_output=True, text=True, timeout=WITHIN, check=False, cwd=ROOT
        )

    def failover(self, claimed: int) -> subprocess.CompletedProcess[str]:
        """The check after a failover, of which the operator says that it cost `claimed` transactions."""
        return self.check(mode="failover", survivor="primary", returned="secondary", claimed=claimed)

    @contextmanager
    def without(self, number: int, *sites: str) -> Iterator[None]:
        """One transaction deleted by hand at some sites, and written again in the end."""
        for site in sites:
            uids = [f"t{number}", f"o{number}"]
            self.sites[site].query("MATCH (n:Thing) WHERE n.uid IN $uids DETACH DELETE n", uids=uids)
        yield
        for site in sites:
            with self.sites[site].driver() as driver:
                assert attempt(driver, workload.operations(number)) == ("acknowledged", "")

    @contextmanager
    def altered(self, site: str, uid: str, key: str, change: str) -> Iterator[None]:
        """One property changed by hand, `change` being an expression over `old`, and put back in the end."""
        statement = f"MATCH (x:Thing {{uid: $uid}}) WITH x, x[$key] AS old SET x[$key] = {change} RETURN old"
        (row,) = self.sites[site].query(statement, uid=uid, key=key)
        yield
        self.sites[site].query("MATCH (x:Thing {uid: $uid}) SET x[$key] = $old", uid=uid, key=key, old=row["old"])


@pytest.fixture(scope="class")
def twins(request: pytest.FixtureRequest, neo4j_pair: tuple[Neo4j, Neo4j], tmp_path_factory: Any) -> Twins:
    for database in neo4j_pair:
        database.resume()
        database.reset()
    return Twins(neo4j_pair, tmp_path_factory.mktemp("twins"), request.param)


@pytest.mark.parametrize("twins", [0], indirect=True, ids=[""])
class TestSame:
    """Both databases hold everything."""

    def test_the_same_graphs_pass(self, twins: Twins) -> None:
        done = twins.check()
        assert (done.returncode, done.stderr) == (0, "")
        assert "WRONG" not in done.stdout
        assert f"the log holds {LAST} acknowledged transactions\n" in done.stdout

    def test_one_altered_property_is_found(self, twins: Twins) -> None:
        with twins.altered("primary", "p7", "name", "old + ' '"):
            done = twins.check()
        assert done.returncode == 1
        assert "us-east-1: elements not as the log says: 1" in done.stdout
        assert "node p7: property name is str 'Person 7 ' and should be str 'Person 7'" in done.stdout
        assert "WRONG us-west-2" not in done.stdout

    def test_the_last_bit_of_a_number_is_found(self, twins: Twins) -> None:
        with twins.altered("secondary", f"o{LONE}", "rate", "old * 1.0000000000000002"):
            done = twins.check()
        assert done.returncode == 1
        assert f"node o{LONE}: property rate is float" in done.stdout

    def test_a_property_too_many_is_found(self, twins: Twins) -> None:
        with twins.altered("secondary", "p7", "helper", "1"):
            done = twins.check()
        assert done.returncode == 1
        assert "node p7: property helper is int 1 and should be absent" in done.stdout

    @pytest.mark.parametrize("sites", [("primary",), ("primary", "secondary")], ids=["one side", "both sides"])
    def test_one_deleted_transaction_is_found(self, twins: Twins, sites: tuple[str, ...]) -> None:
        with twins.without(LONE, *sites):
            done = twins.check()
        assert done.returncode == 1
        for site in sites:
            assert f"{NAMES[site]}: acknowledged transactions missing: 1 ({LONE})" in done.stdout
        assert ("only one side holds" in done.stdout) == (len(sites) == 1)
        assert twins.check().returncode == 0


@pytest.mark.parametrize("twins", [LOST], indirect=True, ids=[""])
class TestFailover:
    """The survivor lacks the end of what the killed one had."""

    def test_a_counted_loss_at_the_end_passes(self, twins: Twins) -> None:
        done = twins.failover(LOST)
        assert (done.returncode, done.stderr) == (0, "")
        assert f"us-east-1: acknowledged transactions lost: {LOST}, exactly the last of us-west-2" in done.stdout

    def test_a_loss_that_was_counted_wrongly_is_found(self, twins: Twins) -> None:
        done = twins.failover(LOST - 1)
        assert done.returncode == 1
        assert f"transactions lost by the operator's count: {LOST - 1}, but by ours {LOST}" in done.stdout

    def test_a_loss_from_the_middle_is_found(self, twins: Twins) -> None:
        with twins.without(LONE, "primary"):
            done = twins.failover(LOST + 1)
        assert done.returncode == 1
        assert "which is not the end of what us-west-2 acknowledged" in done.stdout

    def test_a_loss_is_never_the_same(self, twins: Twins) -> None:
        done = twins.check()
        assert done.returncode == 1
        assert f"us-east-1: acknowledged transactions missing: {LOST}" in done.stdout


def test_the_demo_uses_the_printed_manifests_and_lines() -> None:
    printed = {block.text for block in guide.blocks()}
    kept = [path for path in manifests.GUIDE.iterdir() if path.suffix in (".yaml", ".bash")]
    assert len(kept) == 5
    assert all(any(path.read_text(encoding="utf-8") in text for text in printed) for path in kept)


def test_the_lone_transaction_is_touched_by_no_later_one() -> None:
    later = [op for n in range(LONE + 1, LAST + 1) for op in workload.operations(n)]
    assert not [op for op in later if f"o{LONE}" in op[1:4] or f"b{LONE}" in op[1:4]]
