"""A standby whose disk is full: said by name, nothing lost, and healed by space and a restart."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from lab import Lab, Neo4j
from tests.compare import assert_equal
from tests.database.conftest import Start

SIZE = "40m"


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of its own; skipped where this process may not mount one."""
    disk = tmp_path / "disk"
    disk.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={SIZE}", "tmpfs", str(disk)], capture_output=True, text=True, check=False
    )
    if mounted.returncode:
        pytest.skip(f"no file system can be mounted here: {mounted.stderr.strip()}")
    yield disk
    subprocess.run(["umount", "-l", str(disk)], check=True)


@pytest.fixture
def cramped(lab: Lab, small_disk: Path) -> Iterator[Neo4j]:
    """A database whose transaction log is on the small disk."""
    server = Neo4j("cramped", settings={"server.directories.transaction.logs.root": str(small_disk / "log")})
    lab.start(server)
    yield server
    server.kill9()


def fill(disk: Path) -> Path:
    """A file that leaves no room on the disk."""
    filler = disk / "filler"
    descriptor = os.open(filler, os.O_WRONLY | os.O_CREAT)
    try:
        for size in (1 << 20, 4096):
            try:
                while os.write(descriptor, b"x" * size) == size:
                    pass
            except OSError:
                continue
    finally:
        os.close(descriptor)
    return filler


def test_a_full_disk_is_named_and_heals(source: Neo4j, cramped: Neo4j, small_disk: Path, start: Start) -> None:
    source.query("UNWIND range(1, 500) AS i CREATE (:A {uid: i})-[:R {w: i}]->(:B {uid: i})")
    worker = start(ends=(source, cramped), batch=500, timeout=5.0)
    worker.streaming()
    worker.caught_up()
    filler = fill(small_disk)
    for number in range(8):
        source.query("UNWIND range(1, 500) AS i CREATE (:C {uid: $n * 1000 + i, text: 'some text ' + i})", n=number)
        source.query("MATCH (n:A) WHERE n.uid % 8 = $n DETACH DELETE n", n=number)
    worker.wait(lambda report: (report["error"] or {}).get("reason") == "TargetStorageFailed")
    cramped.kill9()  # a clean stop once there is room again writes what it could not write before, out of place
    filler.unlink()
    cramped.start()
    worker.caught_up()
    nodes, relationships = assert_equal(source.query, cramped.query)
    print(f"{nodes} nodes and {relationships} relationships equal; said meanwhile: {worker.errors}")
    assert worker.finish() == 0
