"""A container without a node: the unpacked image, started with what a kubelet would give it.

Mounts and process ids of its own, the root file system read-only, ``/tmp`` in memory, the user of the image, no
capability and no way to one, the service account's token where a pod has it. The network is the machine's.
"""

from __future__ import annotations

import os
import shlex
import shutil
import signal
from collections.abc import Mapping, Sequence
from pathlib import Path

from lab.component import Component
from lab.image import Image, archive, unpack
from lab.process import RUN_VARIABLE

SECRETS = "var/run/secrets/kubernetes.io/serviceaccount"
FROM_HOST = ("etc/hosts", "etc/resolv.conf")
DEVICES = ("null", "zero", "full", "random", "urandom")
UNSHARE = ["unshare", "--mount", "--propagation", "private", "--pid", "--fork", "--kill-child"]
SETUP = """
set -e
mount --bind {root} {root}
mount -o remount,bind,ro,nosuid,nodev {root}
mount -t proc -o nosuid,nodev,noexec proc {root}/proc
mount -t tmpfs -o nosuid,nodev,size=64m,mode=1777 tmpfs {root}/tmp
mount -t tmpfs -o nosuid,mode=755,size=64k tmpfs {root}/dev
{binds}
mount -o remount,ro {root}/dev
cd /
exec setpriv --no-new-privs env -i {environment} {chroot} --userspec={user}:{group} --groups={group} {root} {command}
"""


class Container(Component):
    """The operator's image, running. ``url`` answers its probes once it has been started.

    ``api``: host and port of the API server; ``token`` and ``ca``: what the pod of a service account finds mounted;
    ``arguments`` follow the image's entry point in place of its own ``CMD``.
    """

    def __init__(
        self, name: str, *, api: tuple[str, int], token: str, ca: str, arguments: Sequence[str] = ("run",)
    ) -> None:
        super().__init__(name)
        self._api, self._arguments = api, tuple(arguments)
        self._secrets = {"token": token, "ca.crt": ca, "namespace": "default"}
        self.image: Image | None = None
        self.metrics = self.probes = 0

    def pick_ports(self) -> None:
        """See ``Component.pick_ports``."""
        self.metrics, self.probes = self.new_port(), self.new_port()

    @property
    def url(self) -> str:
        """Address of the probes."""
        return f"http://127.0.0.1:{self.probes}"

    @property
    def pid(self) -> int:
        """Process id, as the machine sees it, of what the container calls process 1."""
        parent = self.child("container").pid
        return int(Path(f"/proc/{parent}/task/{parent}/children").read_text().split()[0])

    def launch(self) -> None:
        """See ``Component.launch``; returns as soon as the process exists."""
        root = self.home / "rootfs"
        if self.image is None:
            self.image = unpack(archive(), root)
            self._mount_points(root)
        user, group = self.image.user
        environment = [*self.image.config["Env"], *(f"{key}={value}" for key, value in self._environment().items())]
        command = [*self.image.config["Entrypoint"], *self._arguments]
        command += [f"--metrics-port={self.metrics}", f"--liveness-port={self.probes}"]
        script = SETUP.format(
            root=shlex.quote(str(root)),
            binds="\n".join(self._binds(root)),
            environment=shlex.join(environment),
            chroot=shutil.which("chroot", path=f"{os.environ['PATH']}:/usr/sbin:/sbin"),  # the image's PATH holds then
            user=user,
            group=group,
            command=shlex.join(command),
        )
        self.spawn("container", [*UNSHARE, "sh", "-c", script])
        self.await_answer("process", lambda: self._entered(user))

    def _entered(self, user: int) -> bool:
        try:
            return f"\nUid:\t{user}\t" in Path(f"/proc/{self.pid}/status").read_text()
        except (OSError, IndexError):
            return False

    def _environment(self) -> Mapping[str, str]:
        host, port = self._api
        return {
            "KUBERNETES_SERVICE_HOST": host,
            "KUBERNETES_SERVICE_PORT": str(port),
            "HOSTNAME": self.name,
            RUN_VARIABLE: str(self.run.path),
        }

    def _mount_points(self, root: Path) -> None:
        """What a container runtime adds to a root file system: places to mount on."""
        secrets = self.home / "secrets"
        secrets.mkdir(mode=0o755)
        for name, text in self._secrets.items():
            (secrets / name).write_text(text)
            (secrets / name).chmod(0o444)
        (root / SECRETS).mkdir(parents=True)
        for file in FROM_HOST:
            (root / file).touch()

    def _binds(self, root: Path) -> list[str]:
        binds = [(f"/{file}", root / file) for file in FROM_HOST if Path("/", file).exists()]
        binds.append((str(self.home / "secrets"), root / SECRETS))
        lines = []
        for source, target in binds:
            lines.append(shlex.join(["mount", "--bind", source, str(target)]))
            lines.append(shlex.join(["mount", "-o", "remount,bind,ro", str(target)]))
        for device in DEVICES:
            target = root / "dev" / device
            lines += [
                shlex.join(["touch", str(target)]),
                shlex.join(["mount", "--bind", f"/dev/{device}", str(target)]),
            ]
        return lines

    def terminate(self, within: float = 30.0) -> int:
        """SIGTERM to the container's first process, as at the end of a pod; its exit code.

        Raises ``subprocess.TimeoutExpired``.
        """
        child = self.child("container")
        os.kill(self.pid, signal.SIGTERM)  # its parent is deaf to it
        return child.wait(within)

    def stop(self, within: float = 30.0) -> None:
        """See ``Component.stop``."""
        if self.alive:
            self.terminate(within)
        super().stop(1.0)
