"""A small world for scenario tests: two regions' databases, one API server, a witness, the operator as a process."""

from __future__ import annotations

import base64
import json
import os
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import datetime
from pathlib import Path
from typing import Any, TypeVar

from lab import S3, ControlPlane, Neo4j, builds
from lab.process import RUN_VARIABLE
from lab.proxy import Proxy
from neo4j_dr_operator.api.base import GROUP, VERSION
from neo4j_dr_operator.api.kinds import KINDS
from tests.scenario import leaks
from tests.scenario.leaks import Evidence

T = TypeVar("T")
ROOT = Path(__file__).resolve().parents[2]
DR = "cross-region-dr"
CLUSTERS = {"primary": "primary-cluster", "secondary": "secondary-cluster"}
PLURALS = {kind.short: kind.plural for kind in KINDS}


def wait_for(
    what: str, probe: Callable[[], T | None], seconds: float, pause: float = 0.1, instead: Callable[[], object] = str
) -> T:
    """The first true value of `probe`, asked again and again; AssertionError, with what is `instead`, afterwards."""
    end = time.monotonic() + seconds
    while True:
        value = probe()
        if value:
            return value
        assert time.monotonic() < end, f"not within {seconds} s: {what} {instead()}"
        time.sleep(pause)


def instant(stamp: str) -> float:
    """Seconds since 1970 of an RFC 3339 time."""
    return datetime.fromisoformat(stamp).timestamp()


class Operator:
    """The operator as users run it: `python -m neo4j_dr_operator run`, killed for real."""

    def __init__(self, plane: ControlPlane, namespace: str, log: Path, port: int) -> None:
        self._plane, self._namespace, self.log, self.port = plane, namespace, log, port
        self.process: subprocess.Popen[bytes] | None = None
        self.level = "INFO"
        self.seen: set[tuple[str, str]] = set()
        """What `ps` showed of it and its workers, whenever somebody looked."""

    def look(self) -> None:
        """Note command lines and environments of its processes."""
        if self.process is not None and self.process.poll() is None:
            self.seen.update(leaks.process_texts(self.process.pid))

    def start(self, **environment: str) -> Operator:
        """Start it; returns at once. It belongs to the lab's run: it ends with that, also where a test is killed."""
        command = [sys.executable, "-m", "neo4j_dr_operator", "run", "--namespace", self._namespace]
        command += ["--metrics-port", str(self.port), "--log-level", self.level]
        settings = {
            **os.environ,
            RUN_VARIABLE: str(self._plane.run.path),
            "KUBECONFIG": str(self._plane.kubeconfig),
            "PYTHONPATH": str(ROOT),
            **environment,
        }
        with self.log.open("ab") as out:
            self.process = subprocess.Popen(command, stdout=out, stderr=out, env=settings, cwd=ROOT)
        return self

    def kill9(self) -> None:
        """SIGKILL: no goodbye."""
        if self.process is not None:
            self.look()
            self.process.send_signal(signal.SIGKILL)
            self.process.wait(10)

    def stop(self) -> int:
        """SIGTERM; the exit code."""
        assert self.process is not None
        if self.process.poll() is None:
            self.look()
            self.process.terminate()
        return self.process.wait(20)

    def workers(self) -> list[int]:
        """Process ids of its link workers."""
        assert self.process is not None
        children = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text().split()
        return [int(pid) for pid in children]


class World:
    """One disaster recovery resource in its own namespace over a pair of real databases."""

    recovery = DR

    def __init__(self, plane: ControlPlane, sites: tuple[Neo4j, Neo4j], s3: S3, home: Path, port: int) -> None:
        self.plane, self.s3, self.home = plane, s3, home
        self.sites = dict(zip(("primary", "secondary"), sites, strict=True))
        self.namespace = f"dr-{os.getpid()}-{time.monotonic_ns() % 10**9}"
        self.operator = Operator(plane, self.namespace, home / "operator.log", port)
        self.links: dict[str, Proxy] = {}
        self.secrets: list[leaks.Secret] = []
        """What else must not be seen, beside the passwords and the S3 key."""
        self.addresses: dict[str, dict[str, str]] = {site: {"uri": db.uri} for site, db in self.sites.items()}

    # -- Kubernetes -----------------------------------------------------------------------------------------------
    def kubectl(self, *args: str, input: str | None = None, check: bool = True) -> str:
        """Run kubectl in the world's namespace; its output."""
        return self.plane.kubectl("-n", self.namespace, *args, input=input, check=check).stdout

    def shell(self, line: str, timeout: float = 400) -> str:
        """Run a printed line as a user would: through a shell, with the namespace set in the context."""
        settings = {**os.environ, "KUBECONFIG": str(self.context()), "PATH": f"{self._bin()}:{os.environ['PATH']}"}
        done = subprocess.run(
            ["bash", "-ec", line], env=settings, capture_output=True, text=True, timeout=timeout, check=False
        )
        assert done.returncode == 0, f"{line}\n{done.stdout}\n{done.stderr}"
        return done.stdout

    def _bin(self) -> Path:
        return Path(builds.program("kubectl")).parent

    def context(self) -> Path:
        """A kubeconfig whose context has the world's namespace."""
        path = self.home / "kubeconfig"
        if not path.exists():
            config = json.loads(Path(self.plane.kubeconfig).read_text())
            config["contexts"][0]["context"]["namespace"] = self.namespace
            path.write_text(json.dumps(config))
        return path

    def apply(self, manifest: dict[str, Any]) -> None:
        """`kubectl apply --validate=strict` of one manifest."""
        self.kubectl("apply", "--validate=strict", "-f", "-", input=json.dumps(manifest))

    def secret(self, name: str, **data: str) -> None:
        """Create or replace a Secret."""
        encoded = {key: base64.b64encode(value.encode()).decode() for key, value in data.items()}
        self.apply({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": name}, "data": encoded})

    def cluster_manifest(self, site: str) -> dict[str, Any]:
        """The guide's cluster with `spec.external`, thin."""
        db, region = self.sites[site], {"primary": "us-east-1", "secondary": "us-west-2"}[site]
        external: dict[str, Any] = {**self.addresses[site]}
        if db.ca_pem:
            external["caSecret"] = f"{site}-ca"
        return {
            "apiVersion": "neo4j.neo4j.com/v1alpha1",
            "kind": "Neo4jEnterpriseCluster",
            "metadata": {"name": CLUSTERS[site]},
            "spec": {
                "edition": "enterprise",
                "external": external,
                "disasterRecovery": {"enabled": True, "role": site, "region": region},
                "auth": {"adminSecret": f"{site}-admin"},
            },
        }

    def recovery_manifest(self, **failover: Any) -> dict[str, Any]:
        """The guide's resource, thin, with a witness in the lab's S3."""
        witness = {
            "type": "s3",
            "bucket": self.namespace,
            "endpoint": self.s3.endpoint,
            "credentialsSecret": "witness-keys",
        }
        check = {"interval": "2s", "timeout": "4s", "consecutiveFailures": 2}
        return {
            "apiVersion": "neo4j.neo4j.com/v1alpha1",
            "kind": "Neo4jDisasterRecovery",
            "metadata": {"name": DR},
            "spec": {
                "primaryClusterRef": CLUSTERS["primary"],
                "secondaryClusterRef": CLUSTERS["secondary"],
                "crossRegion": {"primaryRegion": "us-east-1", "secondaryRegion": "us-west-2"},
                "failover": {"automatic": True, "healthCheck": check, "quorum": {"witness": witness}, **failover},
            },
        }

    def set_up(self, create: bool = True, **failover: Any) -> None:
        """Namespace (unless it is there), bucket, Secrets and the three resources."""
        if create:
            self.plane.kubectl("create", "namespace", self.namespace)
        self.s3.make_bucket(self.namespace)
        self.secret("witness-keys", AWS_ACCESS_KEY_ID=self.s3.access_key, AWS_SECRET_ACCESS_KEY=self.s3.secret_key)
        for site, db in self.sites.items():
            self.secret(f"{site}-admin", username=db.user, password=db.password)
            if db.ca_pem:
                self.secret(f"{site}-ca", **{"ca.crt": db.ca_pem})
            self.apply(self.cluster_manifest(site))
        self.apply(self.recovery_manifest(**failover))

    def all(self, kind: str) -> list[dict[str, Any]]:
        """All objects of a kind (``events``, or a short name of ours) in the world's namespace."""
        found: list[dict[str, Any]] = self.plane.read(self._path(kind))["items"]
        return found

    def get(self, kind: str, name: str) -> dict[str, Any]:
        """One object. Raises :class:`lab.reading.Refused` for one that is not there."""
        found: dict[str, Any] = self.plane.read(f"{self._path(kind)}/{name}")
        return found

    def _path(self, kind: str) -> str:
        api, plural = ("api/v1", kind) if kind == "events" else (f"apis/{GROUP}/{VERSION}", PLURALS[kind])
        return f"/{api}/namespaces/{self.namespace}/{plural}"

    def status(self) -> dict[str, Any]:
        """The status of the resource, empty while there is none."""
        self.operator.look()
        return self.status_of("n4dr", self.recovery)

    def status_of(self, kind: str, name: str) -> dict[str, Any]:
        """The status of an object, empty while there is none."""
        return self.get(kind, name).get("status") or {}

    def condition(self, name: str) -> dict[str, Any]:
        """One condition of the resource, empty while there is none."""
        return next((c for c in self.status().get("conditions") or [] if c["type"] == name), {})

    def await_phase(self, phase: str, seconds: float = 60) -> dict[str, Any]:
        """The status once it is in that phase."""
        return wait_for(
            f"phase {phase}", lambda: s if (s := self.status()).get("phase") == phase else None, seconds, 0.2
        )

    def await_condition(self, name: str, status: str, reason: str | None = None, seconds: float = 60) -> dict[str, Any]:
        """The condition once it has that status (and reason)."""

        def look() -> dict[str, Any] | None:
            found = self.condition(name)
            fits = found.get("status") == status and reason in (None, found.get("reason"))
            return found if fits else None

        return wait_for(f"{name}={status} {reason or ''}", look, seconds, 0.2)

    def settled(self, active: str, seconds: float = 60) -> dict[str, Any]:
        """The status once that site is active and the other follows."""

        def look() -> dict[str, Any] | None:
            status = self.status()
            return status if (status.get("activeSite"), status.get("phase")) == (active, "Replicating") else None

        return wait_for(f"{active} active and followed", look, seconds, 0.2, self.told)

    def told(self) -> str:
        """What the resource says of itself."""
        status = self.status()
        told = [(each["type"], each["status"], each["reason"], each["message"]) for each in status["conditions"]]
        return (
            f"but {json.dumps({'failover': status.get('failover'), 'links': status.get('replication'), 'told': told})}"
        )

    def request(self, target: str, emergency: bool = False) -> None:
        """Ask for a failover as the guide does."""
        wish = {"target": target, **({"emergency": True} if emergency else {})}
        self.kubectl("patch", "n4dr", self.recovery, "--type=merge", "-p", json.dumps({"spec": {"failover": wish}}))

    def metrics(self) -> dict[str, float]:
        """Every series of the operator's endpoint by its name with labels."""
        lines = self._scrape()
        return {name: float(value) for name, value in (line.rsplit(" ", 1) for line in lines if line[:1] != "#")}

    def _scrape(self) -> list[str]:
        with urllib.request.urlopen(f"http://127.0.0.1:{self.operator.port}/metrics", timeout=5) as answer:
            return answer.read().decode().splitlines()

    # -- secrets --------------------------------------------------------------------------------------------------
    def evidence(self) -> Evidence:
        """Everything that the operator has produced so far, where anybody could read it."""
        evidence, running = Evidence(), self.operator.process is not None and self.operator.process.poll() is None
        self.operator.look()
        for name, text in self.operator.seen:
            evidence.add(name, text)
        if running and self.operator.port:
            with suppress(OSError):  # not up yet
                evidence.add("metrics", "\n".join(self._scrape()))
        for log in self.home.glob("*.log"):
            evidence.add(log.name, log.read_text(errors="replace"))
        if self.plane.alive:
            kinds = "n4dr,n4c,n4r,events"
            for item in json.loads(self.kubectl("get", kinds, "--show-managed-fields", "-o", "json"))["items"]:
                evidence.add_object(item)
        return evidence

    def leaks(self) -> list[str]:
        """Where a secret of this world can be read."""
        known = [leaks.Secret("S3 key", self.s3.secret_key), *self.secrets]
        known += [leaks.Secret(f"password of {site}", db.password) for site, db in self.sites.items()]
        return leaks.leaks(known, self.evidence())

    def tear_down(self) -> None:
        """End the operator; delete what was made in Kubernetes without waiting for it. Raises when a secret leaked."""
        try:
            found = self.leaks()
        finally:
            self._clear()
        assert not found, f"secrets leaked: {found}"

    def _clear(self) -> None:
        if self.operator.process is not None and self.operator.process.poll() is None:
            self.operator.kill9()
        for link in self.links.values():
            link.remove()
        for kind in ("n4dr", "n4c", "secrets"):
            self.kubectl("delete", kind, "--all", "--wait=false", check=False)


@contextmanager
def world(plane: ControlPlane, sites: tuple[Neo4j, Neo4j], s3: S3, home: Path, port: int) -> Iterator[World]:
    """A world that is cleared away in the end; the operator's log is shown when a test fails inside."""
    made = World(plane, sites, s3, home, port)
    try:
        yield made
    except BaseException:
        if made.operator.log.exists():
            sys.stderr.write("\n--- operator's log, end ---\n" + made.operator.log.read_text()[-12000:])
        raise
    finally:
        made.tear_down()
