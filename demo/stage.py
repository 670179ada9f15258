"""Everything the story is played with, and the ways to act on it and to look at it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any, TypeVar

import yaml

from demo import connect, manifests
from demo.actors import ROOT, Operator, Watch, Writer
from demo.screen import Screen
from lab import S3, ControlPlane, Lab, Neo4j, builds
from lab.standing import CYPHER

T = TypeVar("T")
REGIONS = {"primary": "us-east-1", "secondary": "us-west-2"}
CHECK_WITHIN = 20.0
"""Seconds the standby may take to hold the newest transaction before two graphs are compared."""
LOG_SHOWN = 30
"""Lines of a log that are shown when something went wrong."""
LINE_TIMEOUT = 330.0
"""Seconds one command line may take; the guide's own wait is 300."""


class StoryError(Exception):
    """The story does not go on as it must; the message says where it stopped."""


class Stage:
    """Two databases, a Kubernetes API, S3, the operator and the application."""

    def __init__(self, screen: Screen, lab: Lab) -> None:
        self.screen, self.lab = screen, lab
        self.plane, self.store = ControlPlane(), S3()
        self.sites = {site: Neo4j(region) for site, region in REGIONS.items()}
        self.sites["secondary"].password = self.sites["primary"].password  # the guide has one Secret for both
        self.operator = Operator(lambda: self.kubeconfig)
        self.writer = Writer(self.sites)
        self.summary: list[tuple[str, str]] = []
        self._watch: Watch | None = None

    # -- Kubernetes -------------------------------------------------------------------------------------------------
    @property
    def kubeconfig(self) -> Path:
        """A kubeconfig whose context has the guide's namespace."""
        path = self.lab.run.path / "kubeconfig"
        if not path.exists():
            config = yaml.safe_load(self.plane.kubeconfig.read_text())
            config["contexts"][0]["context"]["namespace"] = manifests.NAMESPACE
            path.touch(mode=0o600)
            path.write_text(json.dumps(config))
        return path

    def shell(self, line: str, *, check: bool = True) -> str:
        """Run a line as a user types it, and return what it printed. Raises StoryError when it fails."""
        done = self._run(line)
        if check and done.returncode:
            raise StoryError(f"{line}\n{(done.stdout + done.stderr).strip()}")
        return done.stdout.strip()

    def _run(self, line: str) -> subprocess.CompletedProcess[str]:
        path = f"{builds.program('kubectl').parent}:{os.environ.get('PATH', '')}"
        return subprocess.run(
            ["bash", "-ec", line],
            env={**os.environ, "KUBECONFIG": str(self.kubeconfig), "PATH": path},
            capture_output=True,
            text=True,
            timeout=LINE_TIMEOUT,
            check=False,
            cwd=ROOT,
        )

    def typed(self, line: str) -> str:
        """Show a line, run it, show what it printed."""
        self.screen.command(line)
        answer = self.shell(line)
        self.screen.answer(answer)
        return answer

    def refused(self, line: str) -> str:
        """Run a line that must fail, and return what it said. Raises StoryError when it is accepted."""
        done = self._run(line)
        if not done.returncode:
            raise StoryError(f"accepted, and should not be: {line}")
        return done.stderr.strip()

    def picture(self) -> str:
        """What ``kubectl neo4j-dr status`` shows."""
        return self._plugin(1, "status", manifests.RECOVERY)  # 1: shown, and not healthy

    def verified(self) -> str:
        """What ``kubectl neo4j-dr verify`` shows of two graphs that must be equal."""
        return self._plugin(0, "verify", manifests.RECOVERY)

    def plugged(self, *words: str, code: int = 0) -> str:
        """Show a line of the plugin, run it, show and return what it printed. Raises StoryError for another code."""
        self.screen.command(f"kubectl neo4j-dr {' '.join(words)}")
        answer = self._plugin(code, *words, lowest=code)
        self.screen.answer(answer)
        return answer

    def _plugin(self, highest: int, *line: str, lowest: int = 0) -> str:
        """What the plugin shows. Raises StoryError for an exit code that is not between the two."""
        words = [sys.executable, "-m", "neo4j_dr_operator.cli", *line]
        settings = {**os.environ, "KUBECONFIG": str(self.kubeconfig), "NO_COLOR": "1", "COLUMNS": "110"}
        done = subprocess.run(words, env=settings, capture_output=True, text=True, timeout=60, check=False, cwd=ROOT)
        if not lowest <= done.returncode <= highest:
            raise StoryError(f"kubectl neo4j-dr {' '.join(line)}\n{(done.stdout + done.stderr).strip()}")
        return done.stdout.rstrip()

    def apply(self, manifest: dict[str, Any]) -> str:
        """``kubectl apply --validate=strict`` of one manifest."""
        done = self.plane.kubectl(
            *("-n", manifests.NAMESPACE, "apply", "--validate=strict", "-f", "-"), input=json.dumps(manifest)
        )
        if done.stderr.strip():
            raise StoryError(f"kubectl apply of {manifest['metadata']['name']}: {done.stderr.strip()}")
        return done.stdout.strip()

    def show_differences(self, manifest: dict[str, Any]) -> None:
        """What of a manifest is not as the guide prints it."""
        for difference in manifests.differences(manifest):
            if difference.now is None:
                self.screen.note(f"  - {difference.path}   this store has no key management", "red")
            elif difference.was is None:
                self.screen.note(f"  + {difference.path}: {manifests.text(difference.now)}", "green")
            else:
                text = f"  ~ {difference.path}: {manifests.text(difference.was)} → {manifests.text(difference.now)}"
                self.screen.note(text, "yellow")

    def await_served(self) -> None:
        """Return when the API server serves our resources, shortly after they are established. Raises StoryError."""
        kinds = "neo4jdisasterrecoveries,neo4jenterpriseclusters,neo4jrestores"
        deadline = time.monotonic() + 30
        while self.plane.kubectl("get", kinds, "-A", check=False).returncode:
            if time.monotonic() > deadline:
                raise StoryError("the API server does not serve the resources")
            time.sleep(0.1)

    # -- sight ------------------------------------------------------------------------------------------------------
    def watch(self) -> None:
        """Begin to watch the resource; the application is pointed to the active site whenever that changes."""
        kubectl = [str(builds.program("kubectl")), f"--kubeconfig={self.kubeconfig}"]
        line = [*kubectl, "get", "neo4jdisasterrecovery", manifests.RECOVERY, "--watch", "-o", "json"]
        self._watch = Watch(line, self.lab.run.path, self._follow)

    def _follow(self, status: dict[str, Any]) -> None:
        """The guide's step 4, "update application endpoints": done by whoever sees the active site change."""
        if status.get("activeSite") in self.sites:
            self.writer.to(status["activeSite"])

    @property
    def status(self) -> dict[str, Any]:
        """The newest status of the resource."""
        return self._watch.status if self._watch is not None else {}

    def condition(self, name: str) -> dict[str, Any]:
        """A condition of the resource, empty while there is none."""
        found = (item for item in self.status.get("conditions") or [] if item["type"] == name)
        return next(found, {})

    def holds(self, name: str) -> bool:
        """Whether a condition is True."""
        return bool(self.condition(name).get("status") == "True")

    def await_status(
        self, what: str, look: Callable[[dict[str, Any]], T | None], within: float, live: Callable[[], str]
    ) -> T:
        """The first true value of ``look`` at the status. Raises StoryError after ``within`` seconds."""
        deadline = time.monotonic() + within
        while True:
            value = look(self.status)
            if value:
                return value
            if time.monotonic() > deadline:
                raise StoryError(f"not within {within:.0f} s: {what}")
            if not self.operator.alive and self._watch is not None:
                raise StoryError("the operator has ended")
            self.screen.live(live())
            if self._watch is not None:
                self._watch.await_news(0.2)

    def message(self) -> str:
        """What the operator says it is doing."""
        return str(self.status.get("message") or "")

    # -- acts -------------------------------------------------------------------------------------------------------
    def region(self, site: str) -> str:
        """The region of a site."""
        return REGIONS[site]

    def check(self, **config: Any) -> None:
        """Run the check in its own process and show its findings. Raises StoryError when it finds anything wrong."""
        sites = {site: connect.describe(database) for site, database in self.sites.items()}
        given = {"log": str(self.writer.ledger), "sites": sites, "names": REGIONS, "within": CHECK_WITHIN, **config}
        done = subprocess.run(
            [sys.executable, "-m", "demo.check"],
            input=json.dumps(given),
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
            cwd=ROOT,
        )
        for line in done.stdout.splitlines():
            self.screen.note(line, "green" if line.startswith("ok") else "red")
        if done.returncode:
            raise StoryError("the check has found what must not be" + (f"\n{done.stderr}" if done.stderr else ""))

    def close_watch(self) -> None:
        """Stop watching."""
        if self._watch is not None:
            self._watch.close()
            self._watch = None

    # -- words for people -------------------------------------------------------------------------------------------
    def evidence(self) -> str:
        """What one wants to see when something went wrong: status, events, end of the operator's log."""
        parts = []
        if self.plane.alive:
            shown = {key: value for key, value in self.status.items() if key != "control"}
            parts.append("--- status of the resource ---\n" + yaml.safe_dump(shown, sort_keys=False, width=160))
            events = self.shell("kubectl get events --sort-by=.metadata.creationTimestamp | tail -n 15", check=False)
            parts.append("--- events ---\n" + events)
        for name in ("writer", "operator"):
            log = self.lab.run.logs / f"{name}-process.log"
            if log.exists():
                lines = log.read_text(errors="replace").splitlines()[-LOG_SHOWN:]
                parts.append(f"--- end of the {name}'s log ({log}) ---\n" + "\n".join(lines))
        return "\n".join(parts)

    def talk(self) -> str:
        """How to talk to what was left running."""
        path = builds.program("kubectl").parent
        lines = [f"export KUBECONFIG={self.kubeconfig} PATH={path}:$PATH", "kubectl get n4dr,n4c", ""]
        for site, database in self.sites.items():
            authority = database.home / "tls" / "ca.crt"
            lines += [
                f"# {self.region(site)}: {database.uri}, user {database.user}, password {database.password}",
                f"{sys.executable} -c '{CYPHER}' {database.uri} {authority} {database.password} 'RETURN 1 AS one'",
            ]
        lines += [
            f"\ncurl -s http://127.0.0.1:{self.operator.port}/metrics | grep neo4j_disaster_recovery",
            f"# logs: {self.lab.run.logs}",
            "# end it all: make lab-down",
        ]
        return "\n".join(lines)


def instant(text: str) -> float:
    """Seconds since 1970 of a time in a status."""
    return datetime.fromisoformat(text).timestamp()
