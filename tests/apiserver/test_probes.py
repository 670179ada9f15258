"""The operator's own probes on a real API server that lacks the kinds, serves them, dies and comes back."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import threading
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from lab import ControlPlane, Lab
from neo4j_dr_operator import probes
from tests.scenario.world import wait_for

ROOT = Path(__file__).parents[2]


def ask(port: int, path: str, timeout: float = 5) -> tuple[int, str]:
    """Status and text of a probe; 0 while nobody answers."""
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=timeout) as answer:
            return answer.status, answer.read().decode().strip()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode().strip()
    except OSError:
        return 0, ""


class Started:
    """The operator as a process, with its probes."""

    def __init__(self, plane: ControlPlane, lab: Lab, log: Path) -> None:
        self.port, metrics = lab.run.ports.free(), lab.run.ports.free()
        command = [sys.executable, "-m", "neo4j_dr_operator", "run", "--liveness-port", str(self.port)]
        command += ["--metrics-port", str(metrics)]
        self.log = log
        with log.open("wb") as out:
            settings = {**os.environ, "KUBECONFIG": str(plane.kubeconfig)}
            self.process = subprocess.Popen(command, stdout=out, stderr=out, env=settings, cwd=ROOT)

    def ask(self, path: str) -> tuple[int, str]:
        """Status and text of a probe; 0 while nobody answers."""
        return ask(self.port, path)

    def await_readiness(self, status: int, seconds: float) -> str:
        """The text of /readyz once it answers with that status."""
        _, text = wait_for(
            f"/readyz answers {status}", lambda: a if (a := self.ask("/readyz"))[0] == status else None, seconds
        )
        return text


@pytest.fixture(scope="module")
def lab() -> Iterator[Lab]:
    """A lab of this file's own: its API server is stopped."""
    with Lab() as running:
        yield running


@pytest.fixture(scope="module")
def plane(lab: Lab) -> ControlPlane:
    """An API server that does not know our kinds."""
    return lab.add(ControlPlane("probes"))


@pytest.fixture
def operator(plane: ControlPlane, lab: Lab, tmp_path: Path) -> Iterator[Started]:
    """A running operator."""
    started = Started(plane, lab, tmp_path / "operator.log")
    yield started
    started.process.kill()
    started.process.wait(10)


def test_ready_when_the_kinds_are_served_and_while_the_api_server_answers(
    plane: ControlPlane, operator: Started
) -> None:
    assert operator.await_readiness(503, 15) == "the API server has not answered yet"
    wait_for("it says what it waits for", lambda: "no CustomResourceDefinition of" in operator.log.read_text(), 10)
    assert operator.ask("/healthz") == (200, "ok")

    plane.kubectl("apply", "-f", str(ROOT / "crds"))
    assert operator.await_readiness(200, 15) == "ok"

    plane.stop_apiserver(kill=True)
    assert operator.await_readiness(503, 40).startswith("the API server has not answered for 1")
    assert operator.ask("/healthz") == (200, "ok")

    plane.start_apiserver()
    assert operator.await_readiness(200, 40) == "ok"
    operator.process.terminate()
    assert operator.process.wait(10) == 0
    assert operator.ask("/healthz") == (0, "")


def test_the_process_ends_when_its_kinds_are_taken_away(plane: ControlPlane, operator: Started) -> None:
    plane.kubectl("apply", "-f", str(ROOT / "crds"))
    operator.await_readiness(200, 20)
    plane.kubectl("delete", "-f", str(ROOT / "crds"))
    assert operator.process.wait(45) != 0, "whoever runs it starts it anew, and it waits for the kinds"


def test_a_loop_that_hangs_answers_nobody(lab: Lab) -> None:
    """What carries the controllers carries the probes: while it stands still, /healthz fails by its timeout."""
    port, up, go_on = lab.run.ports.free(), threading.Event(), threading.Event()
    loops: list[tuple[asyncio.AbstractEventLoop, asyncio.Event]] = []

    async def ready() -> None:
        return None

    async def serve() -> None:
        over = asyncio.Event()
        async with probes.serving(port, ready):
            loops.append((asyncio.get_running_loop(), over))
            up.set()
            await over.wait()

    thread = threading.Thread(target=lambda: asyncio.run(serve()), daemon=True)
    thread.start()
    assert up.wait(10)
    loop, over = loops[0]
    try:
        assert ask(port, "/healthz") == (200, "ok")
        loop.call_soon_threadsafe(go_on.wait, 60)
        assert ask(port, "/healthz", timeout=2) == (0, "")
        go_on.set()
        assert ask(port, "/healthz") == (200, "ok")
    finally:
        go_on.set()
        loop.call_soon_threadsafe(over.set)
        thread.join(10)
