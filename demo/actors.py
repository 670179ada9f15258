"""The processes of the story that are not servers: the operator, the application that writes, and who watches them."""

from __future__ import annotations

import itertools
import json
import os
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from demo import connect, manifests
from lab import Neo4j
from lab.component import Component
from lab.process import RUN_VARIABLE

ROOT = Path(__file__).resolve().parents[1]
PREFIX = "neo4j_disaster_recovery"


class Operator(Component):
    """The operator as it is run anywhere: its own process, led by a kubeconfig."""

    def __init__(self, kubeconfig: Callable[[], Path]) -> None:
        super().__init__("operator")
        self._kubeconfig, self.port = kubeconfig, 0

    def pick_ports(self) -> None:
        """See ``Component.pick_ports``."""
        self.port = self.run.ports.free()

    @property
    def arguments(self) -> list[str]:
        """Its command line after ``python``."""
        return [
            *("-m", "neo4j_dr_operator", "run"),
            *("--namespace", manifests.NAMESPACE, "--metrics-port", str(self.port)),
        ]

    def launch(self) -> None:
        """See ``Component.launch``."""
        environment = {"KUBECONFIG": str(self._kubeconfig()), "PYTHONPATH": str(ROOT)}
        self.spawn("process", [sys.executable, *self.arguments], environment)
        self.await_answer("/metrics", lambda: self.metrics() is not None)

    def metrics(self) -> str | None:
        """The page that Prometheus reads; None when it cannot be read."""
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/metrics", timeout=2) as page:
                return str(page.read().decode())
        except (urllib.error.URLError, OSError):
            return None

    def metric(self, name: str) -> float | None:
        """The first series of a metric of ours, None when there is none."""
        for line in (self.metrics() or "").splitlines():
            if line.startswith((f"{PREFIX}_{name}{{", f"{PREFIX}_{name} ")):
                return float(line.rpartition(" ")[2])
        return None


class Writer(Component):
    """The application. It writes to the site that ``to`` named last, as a client follows a DNS name."""

    def __init__(self, sites: Mapping[str, Neo4j]) -> None:
        super().__init__("writer")
        self._sites = sites
        self._read, self._open = 0, b""
        self.acknowledged: list[tuple[int, str, float]] = []
        """Number, site, and seconds since 1970, in order; brought up to date by ``look``."""

    def pick_ports(self) -> None:
        """It listens on none."""

    @property
    def ledger(self) -> Path:
        """Its log of acknowledgements."""
        return self.home / "ledger.jsonl"

    def launch(self) -> None:
        """See ``Component.launch``."""
        config = self.home / "writer.json"
        config.touch(mode=0o600)
        config.write_text(json.dumps({site: connect.describe(database) for site, database in self._sites.items()}))
        self.to("primary")
        self.spawn("process", [sys.executable, "-m", "demo.writer", self.home], {"PYTHONPATH": str(ROOT)})
        self.await_answer("first line of its log", self.ledger.exists)

    def to(self, site: str) -> None:
        """Point the application to a site."""
        half = self.home / "active.half"
        half.write_text(site)
        half.replace(self.home / "active")

    def hold(self, seconds: float = 20.0) -> None:
        """Let it finish its transaction and begin none. Raises TimeoutError."""
        (self.home / "held").unlink(missing_ok=True)
        (self.home / "hold").touch()
        deadline = time.monotonic() + seconds
        while not (self.home / "held").exists():
            if time.monotonic() > deadline:
                raise TimeoutError("the writer does not come to rest")
            time.sleep(0.02)
        self.look()

    def go_on(self) -> None:
        """Let it write again."""
        (self.home / "hold").unlink(missing_ok=True)

    def look(self) -> list[tuple[int, str, float]]:
        """Read what has been added to its log."""
        with self.ledger.open("rb") as file:
            file.seek(self._read)
            added = file.read()
        self._read += len(added)
        *lines, self._open = (self._open + added).split(b"\n")
        for line in lines:
            if b'"outcome": "acknowledged"' in line:
                entry = json.loads(line)
                self.acknowledged.append((entry["n"], entry["site"], entry["at"]))
        return self.acknowledged

    def longest_gap(self, since: float) -> float:
        """Longest time in seconds between two acknowledgements, of those after ``since`` and the one before it."""
        times = [at for _, _, at in self.look()]
        pairs = itertools.pairwise(times)
        return max((late - early for early, late in pairs if late > since), default=0.0)


class Watch:
    """The resource as ``kubectl get --watch`` tells of it. ``changed`` is called with every new status."""

    def __init__(self, command: list[str], run: Path, changed: Callable[[dict[str, Any]], None]) -> None:
        """``command``: kubectl that prints the resource as JSON each time it changes."""
        self.status: dict[str, Any] = {}
        self._command, self._changed = command, changed
        self._environment = {**os.environ, RUN_VARIABLE: str(run)}
        self._news = threading.Condition()
        self._ended = False
        self._process: subprocess.Popen[str] | None = None
        self._thread = threading.Thread(target=self._follow, daemon=True, name="watch")
        self._thread.start()

    def close(self) -> None:
        """End it."""
        self._ended = True
        if self._process is not None:
            self._process.terminate()
        self._thread.join(5)

    def await_news(self, seconds: float) -> None:
        """Return at the next change, or after the time."""
        with self._news:
            self._news.wait(seconds)

    def _follow(self) -> None:
        while not self._ended:
            self._process = subprocess.Popen(
                self._command,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                text=True,
                env=self._environment,
                start_new_session=True,
            )
            assert self._process.stdout is not None
            document: list[str] = []
            for line in self._process.stdout:
                document.append(line)
                if line == "}\n":
                    self._take(json.loads("".join(document)))
                    document.clear()
            self._process.wait()
            if not self._ended:
                time.sleep(0.2)

    def _take(self, resource: dict[str, Any]) -> None:
        status = resource.get("status") or {}
        self._changed(status)
        with self._news:
            self.status = status
            self._news.notify_all()
