"""A link worker as a real child process, and what a test waits for."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lab import Neo4j
from tests.scenario.leaks import SHORTEST, Evidence, Secret, leaks
from tests.scenario.world import wait_for

ROOT = Path(__file__).resolve().parents[2]
FORWARD, REVERSE = "primary>secondary", "secondary>primary"


@dataclass(frozen=True)
class Address:
    """One end of a link where it is not the lab's server itself (through a proxy, with another password)."""

    uri: str
    user: str
    password: str
    ca_pem: str | None


def endpoint(server: Neo4j | Address) -> dict[str, Any]:
    """As the worker's configuration wants it."""
    return {
        "uri": server.uri,
        "user": server.user,
        "password": server.password,
        "ca": server.ca_pem,
        "database": "neo4j",
    }


def _secrets(config: Mapping[str, Any]) -> Iterator[Secret]:
    """The credentials in a worker's configuration that are long enough to be looked for."""
    for key, value in config.items():
        if isinstance(value, Mapping):
            yield from _secrets(value)
        elif key in ("password", "secretKey", "sessionToken") and len(value or "") >= SHORTEST:
            yield Secret(key, value)


class WorkerProcess:
    """One worker. ``report`` is its last report; waiting fails with that report when the time is over."""

    def __init__(self, program: str, environment: Mapping[str, str] | None, **config: Any) -> None:
        self.report: dict[str, Any] = {}
        self.states: list[str] = []
        self.beats: list[dict[str, Any]] = []
        self.errors: list[str] = []
        self.log = ""
        self._said: set[str] = set()
        self._secrets = list(_secrets(config))
        self.config = config
        self.process = self._launch(program, environment or {})
        self.send(**config)
        self._threads = [threading.Thread(target=read, daemon=True) for read in (self._reports, self._errors)]
        for thread in self._threads:
            thread.start()

    def _launch(self, program: str, environment: Mapping[str, str]) -> Any:
        """The process; a way of starting it that is quicker gives something that does what ``Popen`` does."""
        return subprocess.Popen(
            [sys.executable, "-m", "neo4j_dr_operator", program],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            cwd=ROOT,
            env={**os.environ, "PYTHONPATH": str(ROOT), **environment},
        )

    def send(self, **values: Any) -> None:
        """One line on its standard input."""
        assert self.process.stdin is not None
        self.process.stdin.write(json.dumps(values).encode() + b"\n")
        self.process.stdin.flush()

    def _reports(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            value = json.loads(line)
            if "heartbeat" in value:
                self.beats.append(value["heartbeat"])
                continue
            self.report = value["report"]
            if self.report["state"] not in self.states[-1:]:
                self.states.append(self.report["state"])
            if error := self.report["error"]:
                self._said.add(json.dumps(error, ensure_ascii=False))
                if error["reason"] not in self.errors:
                    self.errors.append(error["reason"])

    def _errors(self) -> None:
        assert self.process.stderr is not None
        for line in self.process.stderr:
            self.log += line.decode(errors="replace")

    def wait(self, what: Callable[[dict[str, Any]], bool], seconds: float = 60.0) -> dict[str, Any]:
        """Until a report satisfies ``what``."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            if self.report and what(self.report):
                return self.report
            if self.process.poll() is not None and not self._draining():
                break
            time.sleep(0.02)
        if self.report and what(self.report):
            return self.report
        raise AssertionError(f"not reached (exit code {self.process.poll()}): {self.report}\n{self.log[-2000:]}")

    def _draining(self) -> bool:
        for thread in self._threads:
            thread.join(2)
        return False

    def ended(self, seconds: float = 30.0) -> int:
        """Its exit code, once all its output was read."""
        code = self.process.wait(seconds)
        self._draining()
        return code

    def stopped(self, seconds: float = 60.0) -> None:
        """Until it has stopped itself, at a point where a fault has it do so."""
        state = Path(f"/proc/{self.process.pid}/stat")
        wait_for(f"a stop: {self.report}", lambda: state.read_text().rpartition(")")[2].split()[0] == "T", seconds)

    def go_on(self) -> None:
        """Let it go on, once it has :meth:`stopped`."""
        self.process.send_signal(signal.SIGCONT)

    def finish(self, seconds: float = 30.0) -> int:
        """Ask it to apply what it has read and to end."""
        self.send(do="finish")
        return self.ended(seconds)

    def kill(self) -> None:
        """SIGKILL, and wait for its end. Whatever it has said until then, no credential was in it (P8)."""
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait(10)
        self._draining()
        evidence = Evidence({"log": self.log, "reports": "\n".join(self._said)})
        assert leaks(self._secrets, evidence) == []
        for pipe in (self.process.stdin, self.process.stdout, self.process.stderr):
            if pipe is not None:
                try:
                    pipe.close()
                except OSError:
                    pass


class JobProcess(WorkerProcess):
    """A worker that ends by itself once its job is done."""

    def done(self, seconds: float = 120.0) -> dict[str, Any]:
        """Until the job is done; its last report."""
        code = self.ended(seconds)
        assert code == 0, f"ended with {code}: {self.report}\n{self.log[-3000:]}"
        return self.report

    def refused(self, seconds: float = 60.0) -> dict[str, str]:
        """Until it gives up; why."""
        code = self.ended(seconds)
        assert code == 3, f"ended with {code}: {self.report}\n{self.log[-3000:]}"
        error: dict[str, str] = self.report["error"]
        return error


class LinkProcess(WorkerProcess):
    """A link worker."""

    def __init__(
        self,
        source: Neo4j | Address,
        target: Neo4j | Address,
        *,
        link: str = FORWARD,
        epoch: int = 1,
        origin: str = "seed",
        inverse: str | None = None,
        barrier: str | None = None,
        batch: int = 5000,
        timeout: float = 10.0,
        retries: int = 3,
        interval: float = 1.0,
        reseed: str | None = None,
        supersedes: str | None = None,
        environment: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(
            "link",
            environment,
            link=link,
            epoch=epoch,
            origin=origin,
            source=endpoint(source),
            target=endpoint(target),
            inverse=inverse,
            barrier=barrier,
            batchSize=batch,
            timeout=timeout,
            retries=retries,
            interval=interval,
            reseed=reseed,
            supersedes=supersedes,
        )

    def streaming(self, seconds: float = 60.0) -> dict[str, Any]:
        """Until it streams."""
        return self.wait(lambda report: report["state"] == "streaming", seconds)

    def caught_up(self, seconds: float = 60.0) -> dict[str, Any]:
        """Until everything committed before this call is applied."""
        since = time.time()
        return self.wait(
            lambda report: report["caughtUp"] and report["readAt"] > since and report["error"] is None, seconds
        )
