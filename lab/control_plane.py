"""A Kubernetes API server without nodes: etcd, kube-apiserver and, where asked for, kube-controller-manager."""

from __future__ import annotations

import json
import signal
import ssl
import subprocess
import urllib.error
import urllib.request
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from lab import builds, pki
from lab.component import Component
from lab.reading import Reader

SERVICE_RANGE = "10.96.0.0/16"
SERVICE_ADDRESS = "10.96.0.1"
KUBECTL_TIMEOUT = 120.0
AUDIT_POLICY = {
    "apiVersion": "audit.k8s.io/v1",
    "kind": "Policy",
    "omitStages": ["RequestReceived"],
    "rules": [{"level": "Metadata"}],
}


class ControlPlane(Component):
    """One region's Kubernetes API.

    Without a controller manager no namespace is ever finalised, no owner reference is followed and no pod made; the
    admission plugin ServiceAccount is off then. ``audit`` writes every request's metadata to ``audit_log``.
    """

    def __init__(
        self, name: str = "kubernetes", *, controllers: bool = False, audit: bool = False, api_args: Sequence[str] = ()
    ) -> None:
        super().__init__(name)
        self._controllers, self._audit, self._api_args = controllers, audit, tuple(api_args)
        self._etcd = self._peer = self._manager = self.port = 0
        self._reader: Reader | None = None

    def artifacts(self) -> Sequence[str]:
        """See ``Component.artifacts``."""
        wanted = ("etcd", "kube-apiserver", "kubectl")
        return (*wanted, "kube-controller-manager") if self._controllers else wanted

    def pick_ports(self) -> None:
        """See ``Component.pick_ports``."""
        self.port, self._etcd, self._peer, self._manager = (self.new_port() for _ in range(4))

    @property
    def url(self) -> str:
        """URL of the API server."""
        return f"https://127.0.0.1:{self.port}"

    @property
    def kubeconfig(self) -> Path:
        """Kubeconfig of an administrator."""
        return self.home / "pki" / "admin.kubeconfig"

    def read(self, path: str) -> Any:
        """The JSON that the API server has under ``path``, as an administrator, without a process of kubectl's.

        Raises :class:`lab.reading.Refused`, and OSError while the API server is away.
        """
        if self._reader is None:
            self._reader = Reader(self.url, self.home / "pki")
        return self._reader.get(path)

    @property
    def tools(self) -> Path:
        """Directory that holds kubectl, for PATH."""
        return builds.program("kubectl").parent

    @property
    def audit_log(self) -> Path:
        """JSON lines, one a request, when asked for."""
        return self.log("audit")

    def launch(self) -> None:
        """See ``Component.launch``."""
        pki_folder = self.home / "pki"
        if not pki_folder.exists() or f":{self.port}" not in self.kubeconfig.read_text():
            pki.write_control_plane(pki_folder, self.url, SERVICE_ADDRESS)
            self._reader = None
        self._start_etcd()
        self.start_apiserver()
        if self._controllers:
            self._start_controllers()

    def _start_etcd(self) -> None:
        client, peer = f"http://127.0.0.1:{self._etcd}", f"http://127.0.0.1:{self._peer}"
        self.spawn(
            "etcd",
            [
                builds.program("etcd"),
                "--name=lab",
                f"--data-dir={self.home}/etcd",
                f"--listen-client-urls={client}",
                f"--advertise-client-urls={client}",
                f"--listen-peer-urls={peer}",
                f"--initial-advertise-peer-urls={peer}",
                f"--initial-cluster=lab={peer}",
                "--unsafe-no-fsync",  # survives the death of the process, which is all the lab asks of it
            ],
        )
        self.await_answer("etcd /health", lambda: _status(f"{client}/health") == 200)

    def start_apiserver(self) -> None:
        """Start the API server (again) on its port and data; returns when it is ready."""
        p = self.home / "pki"
        self.spawn(
            "apiserver",
            [
                builds.program("kube-apiserver"),
                f"--etcd-servers=http://127.0.0.1:{self._etcd}",
                f"--secure-port={self.port}",
                "--bind-address=127.0.0.1",
                "--endpoint-reconciler-type=none",
                f"--tls-cert-file={p}/apiserver.crt",
                f"--tls-private-key-file={p}/apiserver.key",
                f"--client-ca-file={p}/ca.crt",
                "--service-account-issuer=https://kubernetes.default.svc.cluster.local",
                f"--service-account-key-file={p}/sa.pub",
                f"--service-account-signing-key-file={p}/sa.key",
                f"--service-cluster-ip-range={SERVICE_RANGE}",
                "--allow-privileged=true",
                "--authorization-mode=Node,RBAC",
                *([] if self._controllers else ["--disable-admission-plugins=ServiceAccount"]),
                f"--requestheader-client-ca-file={p}/front-proxy-ca.crt",
                "--requestheader-allowed-names=front-proxy-client",
                "--requestheader-extra-headers-prefix=X-Remote-Extra-",
                "--requestheader-group-headers=X-Remote-Group",
                "--requestheader-username-headers=X-Remote-User",
                f"--proxy-client-cert-file={p}/front-proxy-client.crt",
                f"--proxy-client-key-file={p}/front-proxy-client.key",
                "--profiling=false",
                *self._audit_args(),
                *self._api_args,
            ],
        )
        context = ssl.create_default_context(cafile=str(p / "ca.crt"))
        # anonymous /readyz is allowed by the built-in role system:public-info-viewer
        self.await_answer("API server /readyz", lambda: _status(f"{self.url}/readyz", context) == 200)

    def _audit_args(self) -> list[str]:
        if not self._audit:
            return []
        policy = self.home / "audit-policy.json"
        policy.write_text(json.dumps(AUDIT_POLICY))
        return [f"--audit-policy-file={policy}", f"--audit-log-path={self.audit_log}"]

    def _start_controllers(self) -> None:
        p = self.home / "pki"
        config = p / "controller-manager.kubeconfig"
        self.spawn(
            "controllers",
            [
                builds.program("kube-controller-manager"),
                f"--kubeconfig={config}",
                f"--authentication-kubeconfig={config}",
                f"--authorization-kubeconfig={config}",
                "--bind-address=127.0.0.1",
                f"--secure-port={self._manager}",
                "--leader-elect=false",
                f"--root-ca-file={p}/ca.crt",
                f"--service-account-private-key-file={p}/sa.key",
                "--use-service-account-credentials=true",
                f"--service-cluster-ip-range={SERVICE_RANGE}",
                "--allocate-node-cidrs=false",
                "--enable-hostpath-provisioner=true",
                "--kube-api-qps=200",
                "--kube-api-burst=400",
            ],
        )
        context = ssl.create_default_context()
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE  # it signs its own certificate
        url = f"https://127.0.0.1:{self._manager}/healthz"
        self.await_answer("controller manager /healthz", lambda: _status(url, context) == 200)

    @property
    def alive(self) -> bool:
        """Whether etcd and API server run."""
        return {"etcd", "apiserver"} <= self._children.keys() and super().alive

    def stop_apiserver(self, *, kill: bool = False) -> None:
        """Stop the API server alone (etcd stays): cleanly, or by SIGKILL."""
        self._end_one("apiserver", signal.SIGKILL if kill else signal.SIGTERM, 30)

    def established(self, *names: str) -> None:
        """Wait until these CustomResourceDefinitions are served. Raises CalledProcessError after half a minute.

        By path: ``kubectl wait --for=condition=...`` fails at once on an object that has no conditions yet.
        """
        path = '{.status.conditions[?(@.type=="Established")].status}'
        self.kubectl("wait", f"--for=jsonpath={path}=True", "--timeout=30s", *(f"crd/{name}" for name in names))

    def kubectl(
        self, *args: str, input: str | None = None, check: bool = True, timeout: float = KUBECTL_TIMEOUT
    ) -> subprocess.CompletedProcess[str]:
        """Run kubectl as administrator; output as text. Raises CalledProcessError when it fails and ``check`` holds."""
        command = [str(builds.program("kubectl")), f"--kubeconfig={self.kubeconfig}", *args]
        command[1:1] = [f"--cache-dir={self.home}/kubectl-cache"]
        done = subprocess.run(command, input=input, capture_output=True, text=True, timeout=timeout, check=False)
        if check and done.returncode:
            error = subprocess.CalledProcessError(done.returncode, ["kubectl", *args], done.stdout, done.stderr)
            error.add_note(done.stderr.strip())
            raise error
        return done


def _status(url: str, context: ssl.SSLContext | None = None) -> int | None:
    try:
        with urllib.request.urlopen(url, timeout=2, context=context) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as error:
        return error.code
    except OSError:
        return None
