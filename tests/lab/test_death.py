"""A lab that is killed leaves nothing: by its watchdog at once, or by the next start."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from lab_support import eventually

from lab import run
from lab.process import Identity, end, of_run, start_time

ROOT = Path(__file__).resolve().parents[2]
OWNER = """
import json, sys, time
from lab import S3, Lab, Proxies
store, links = S3(), Proxies()
with Lab(store, links) as lab:
    children = [store.child("server").pid, links.child("server").pid]
    print(json.dumps({"run": str(lab.run.path), "children": children, "watchdog": lab.run.watchdog}), flush=True)
    sys.stdin.read()
"""


@contextmanager
def owner(cache: Path) -> Iterator[tuple[subprocess.Popen[str], dict[str, Any]]]:
    """Another process that has a lab with two components; ended at the end, whatever the test did."""
    command = [sys.executable, "-c", OWNER]
    environment = {**os.environ, "NEO4J_DR_CACHE": str(cache)}
    process = subprocess.Popen(
        command, cwd=ROOT, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    try:
        assert process.stdout is not None
        yield process, json.loads(process.stdout.readline())
    finally:
        process.kill()
        process.communicate(timeout=10)


def test_the_watchdog_ends_what_a_killed_lab_left(lab_cache: Path) -> None:
    """SIGKILL of the owner: its servers and its directory are gone within 5 s, with nobody's help."""
    with owner(lab_cache) as (process, facts):
        assert all(start_time(pid) for pid in facts["children"])
        process.kill()
        process.wait(10)
        eventually(lambda: not any(start_time(pid) for pid in facts["children"]), 5, "servers end")
        eventually(lambda: not Path(facts["run"]).exists(), 5, "directory is removed")


def test_the_next_start_ends_what_was_left_when_the_watchdog_died_too(lab_cache: Path) -> None:
    """Owner and watchdog killed: the servers run on, and the next run's sweep ends them, and only them."""
    with owner(lab_cache) as (process, facts), owner(lab_cache) as (_, living):
        os.kill(facts["watchdog"], signal.SIGKILL)
        process.kill()
        process.wait(10)
        assert all(start_time(pid) for pid in facts["children"])
        assert run.sweep() == [Path(facts["run"])]
        assert not any(start_time(pid) for pid in facts["children"])
        assert not Path(facts["run"]).exists()
        assert all(start_time(pid) for pid in living["children"])


def test_a_server_that_was_never_written_down_is_found(lab_cache: Path) -> None:
    """Killed between starting a server and recording it: the run's name in its environment gives it away."""
    with owner(lab_cache) as (process, facts):
        os.kill(facts["watchdog"], signal.SIGKILL)
        process.kill()
        process.wait(10)
        for record in (Path(facts["run"]) / "processes").iterdir():
            record.unlink()
        run.sweep()
        assert not any(start_time(pid) for pid in facts["children"])


def test_a_stranger_with_a_recorded_number_is_left_alone(lab_cache: Path) -> None:
    """A recorded process id that now belongs to a later process is not signalled."""
    with subprocess.Popen(["sleep", "60"]) as stranger:
        started = start_time(stranger.pid)
        assert started is not None
        dead = lab_cache / "runs" / "20200101-000000-dead"
        (dead / "processes").mkdir(parents=True)
        (dead / "run.json").write_text(json.dumps({"pid": stranger.pid, "started": started - 1, "keep": False}))
        (dead / "processes" / "s3-server.json").write_text(json.dumps({"pid": stranger.pid, "started": started - 1}))
        assert run.sweep() == [dead]
        assert start_time(stranger.pid) == started
        stranger.kill()


def test_a_kept_lab_outlives_its_maker_until_it_is_put_down(lab_cache: Path) -> None:
    """``keep`` survives the end of its owner and sweeps; ``python -m lab down`` ends it."""
    code = OWNER.replace("    sys.stdin.read()", "    lab.keep()")
    environment = {**os.environ, "NEO4J_DR_CACHE": str(lab_cache)}
    made = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, env=environment, capture_output=True, text=True, timeout=60, check=True
    )
    facts = json.loads(made.stdout)
    try:
        assert run.sweep() == []
        assert all(start_time(pid) for pid in facts["children"])
        down = [sys.executable, "-m", "lab", "down"]
        subprocess.run(down, cwd=ROOT, env=environment, timeout=60, check=True, capture_output=True)
        assert not any(start_time(pid) for pid in facts["children"])
    finally:
        end(of_run(Path(facts["run"])))


def test_identity_tells_a_process_from_a_later_one() -> None:
    """Id and start time together; a zombie is dead."""
    me = Identity.of(os.getpid())
    assert me is not None
    assert me.alive
    assert not Identity(me.pid, me.started - 1).alive
    child = subprocess.Popen(["true"])
    eventually(lambda: Identity.of(child.pid) is None, 5, "a zombie counts as dead")
    child.wait(5)
