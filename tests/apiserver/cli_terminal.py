"""A person at a terminal: kubectl with the plugin, a namespace, a kubeconfig, commands that run on."""

from __future__ import annotations

import fcntl
import json
import os
import pty
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from uuid import uuid4

from lab import ControlPlane, Lab
from neo4j_dr_operator.api.base import GROUP, VERSION
from neo4j_dr_operator.api.kinds import KINDS
from tests.scenario.world import wait_for

ROOT = Path(__file__).parents[2]
API_VERSION = f"{GROUP}/{VERSION}"
FINE, UNHEALTHY, USAGE, UNREADABLE, INTERRUPTED = 0, 1, 2, 3, 130
SLOW = 20.0
"""Seconds that a command may take on a busy machine."""


PROGRAMS = ("kubectl-neo4j_dr", "kubectl_complete-neo4j_dr")
"""What an installation of the package puts beside its Python."""


class Terminal:
    """A person's shell: the plugin and kubectl on PATH, a kubeconfig of their own."""

    def __init__(self, plane: ControlPlane, home: Path) -> None:
        self.plane, self.home = plane, home
        self.bin = home / "bin"
        self.bin.mkdir()
        for program in PROGRAMS:
            installed = Path(sys.executable).with_name(program)
            assert installed.exists(), f"{program} is not installed beside {sys.executable}: make venv"
            (self.bin / program).symlink_to(installed)
        self.bare: subprocess.CompletedProcess[str] | None = None

    def environment(self, kubeconfig: Path | str, **more: str) -> dict[str, str]:
        kept = {key: value for key, value in os.environ.items() if key not in ("NO_COLOR", "COLUMNS", "LINES")}
        path = f"{self.bin}:{self.plane.tools}:{os.environ['PATH']}"
        home = str(self.home)  # no ~/.kube/config of whoever runs the tests
        return {**kept, "PATH": path, "KUBECONFIG": str(kubeconfig), "PYTHONPATH": str(ROOT), "HOME": home, **more}

    def run(self, kubeconfig: Path | str, *words: str, **more: str) -> subprocess.CompletedProcess[str]:
        """`kubectl WORDS` to its end."""
        return subprocess.run(
            ["kubectl", *words],
            env=self.environment(kubeconfig, **more),
            capture_output=True,
            text=True,
            timeout=SLOW,
            check=False,
            cwd=self.home,
        )


class Space:
    """A namespace of one test, with a kubeconfig whose context has it."""

    def __init__(self, terminal: Terminal) -> None:
        self.terminal, self.plane = terminal, terminal.plane
        self.name = f"t-{uuid4().hex[:8]}"
        self.plane.kubectl("create", "namespace", self.name)
        self.kubeconfig = terminal.home / f"{self.name}.kubeconfig"
        self.write_config(self.kubeconfig)

    def write_config(self, path: Path, **user: str) -> None:
        """The administrator's kubeconfig with this namespace; `user` in the place of the administrator."""
        config = json.loads(self.plane.kubeconfig.read_text())
        config["contexts"][0]["context"]["namespace"] = self.name
        if user:
            config["users"][0]["user"] = user
        path.write_text(json.dumps(config))

    def dr(self, *words: str, **more: str) -> subprocess.CompletedProcess[str]:
        return self.terminal.run(self.kubeconfig, "neo4j-dr", *words, **more)

    def apply(self, kind: str, name: str, spec: dict[str, Any]) -> None:
        body = {"apiVersion": API_VERSION, "kind": kind, "metadata": {"name": name}, "spec": spec}
        self.plane.kubectl("-n", self.name, "apply", "-f", "-", input=json.dumps(body))

    def pair(self, name: str = "dr") -> None:
        """Two clusters and the resource that pairs them."""
        for site, region in (("primary", "us-east-1"), ("secondary", "us-west-2")):
            self.apply(
                "Neo4jEnterpriseCluster",
                f"{name}-{site}",
                {
                    "external": {"uri": f"bolt://{site}.example.com:7687"},
                    "auth": {"adminSecret": "admin"},
                    "disasterRecovery": {"enabled": True, "role": site, "region": region},
                },
            )
        refs = {f"{site}ClusterRef": f"{name}-{site}" for site in ("primary", "secondary")}
        self.apply("Neo4jDisasterRecovery", name, refs)

    def status(self, what: str, **status: Any) -> None:
        """Write a status as the operator does."""
        patch = json.dumps({"status": status})
        kind, name = what.split("/")
        self.plane.kubectl("-n", self.name, "patch", kind, name, "--subresource=status", "--type=merge", "-p", patch)

    def well(self, name: str = "dr", **more: Any) -> None:
        """A status in which everything is fine."""
        status = {
            "phase": "Replicating",
            "activeSite": "primary",
            "activeCluster": f"{name}-primary",
            "epoch": 1,
            "message": "secondary follows primary at epoch 1",
            "observedGeneration": 1,
            "health": [{"site": "primary", "verdict": "UP"}, {"site": "secondary", "verdict": "UP"}],
            "replication": [{"site": "secondary", "state": "streaming", "lagSeconds": 0.4}],
            "conditions": [condition("Ready", "True", "Replicating")],
            **more,
        }
        self.status(f"n4dr/{name}", **status)

    def person(self, *rules: str) -> Path:
        """The kubeconfig of somebody who may only do this here: each rule is `verbs resources`, comma-separated."""
        self.plane.kubectl("-n", self.name, "create", "serviceaccount", "person")
        for number, rule in enumerate(rules):
            verbs, resources = rule.split()
            role = f"role-{number}"
            grants = [f"--resource={resource}.{GROUP}" for resource in resources.split(",")]
            self.plane.kubectl("-n", self.name, "create", "role", role, f"--verb={verbs}", *grants)
            account = f"--serviceaccount={self.name}:person"
            self.plane.kubectl("-n", self.name, "create", "rolebinding", role, f"--role={role}", account)
        token = self.plane.kubectl("-n", self.name, "create", "token", "person").stdout.strip()
        path = self.terminal.home / f"{self.name}-person.kubeconfig"
        self.write_config(path, token=token)
        return path


def condition(type_: str, status: str, reason: str, message: str = "") -> dict[str, str]:
    at = "2026-03-14T03:00:00Z"
    return {"type": type_, "status": status, "reason": reason, "message": message, "lastTransitionTime": at}


@contextmanager
def opened(home: Path) -> Iterator[Terminal]:
    """A terminal on an API server that serves the three kinds; `bare` is what was said before it did."""
    plane = ControlPlane("cli")
    with Lab(plane):
        terminal = Terminal(plane, home)
        terminal.bare = terminal.run(plane.kubeconfig, "neo4j-dr", "status", "dr")
        plane.kubectl("apply", "-f", str(ROOT / "crds"))
        plane.established(*(kind.crd_name for kind in KINDS))
        yield terminal


class Follower:
    """A `status -w` that runs, and what it has written."""

    def __init__(self, process: subprocess.Popen[bytes], out: Path, err: Path) -> None:
        self.process, self._out, self._err = process, out, err

    @property
    def out(self) -> str:
        return self._out.read_text()

    @property
    def err(self) -> str:
        return self._err.read_text()

    def until(self, part: str, seconds: float = SLOW) -> float:
        """Wait until it has written this; the seconds that took."""
        begin = time.monotonic()
        wait_for(f"{part!r} in\n{self.out}\n{self.err}", lambda: part in self.out, seconds, 0.01)
        return time.monotonic() - begin


@contextmanager
def following(space: Space, *words: str, **more: str) -> Iterator[Follower]:
    """`kubectl neo4j-dr status -w WORDS` with its output in files."""
    out, err = (space.terminal.home / f"{space.name}.{end}" for end in ("out", "err"))
    with out.open("wb") as stdout, err.open("wb") as stderr:
        process = subprocess.Popen(
            ["kubectl", "neo4j-dr", "status", "-w", *words],
            env=space.terminal.environment(space.kubeconfig, **more),
            stdout=stdout,
            stderr=stderr,
        )
    try:
        yield Follower(process, out, err)
    finally:
        if process.poll() is None:
            process.kill()
        process.wait(10)


class Screen:
    """A terminal of 24 lines of 90 columns in which a command runs."""

    def __init__(self, space: Space, *words: str, **more: str) -> None:
        self._main, side = pty.openpty()
        fcntl.ioctl(side, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 90, 0, 0))
        self.process = subprocess.Popen(
            ["kubectl", "neo4j-dr", *words],
            env=space.terminal.environment(space.kubeconfig, **{"TERM": "xterm", **more}),
            stdin=side,
            stdout=side,
            stderr=side,
            start_new_session=True,
        )
        os.close(side)
        os.set_blocking(self._main, False)
        self.text = ""

    def read(self) -> str:
        """Everything written so far."""
        try:
            while chunk := os.read(self._main, 65536):
                self.text += chunk.decode()
        except BlockingIOError:
            pass
        except OSError:  # the command has ended
            pass
        return self.text

    def until(self, part: str) -> None:
        """Wait until it has written this."""
        wait_for(f"{part!r} on the screen", lambda: part in self.read(), SLOW)

    def close(self) -> None:
        """End the command if it still runs."""
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait(10)
        os.close(self._main)


@contextmanager
def screen(space: Space, *words: str, **more: str) -> Iterator[Screen]:
    made = Screen(space, *words, **more)
    try:
        yield made
    finally:
        made.close()
