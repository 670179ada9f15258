"""Link workers by fork from one process that has imported everything: a hundredth of the cost of starting each anew.

``python -m tests.database.forking`` is that process: it reads requests from the socket that is its standard input and
ends with it. A forked worker is a process of its own, with its own connections and threads; only the imports are
shared.
"""

from __future__ import annotations

import json
import os
import select
import socket
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
ENDED = 0


class Forked:
    """One worker, as ``subprocess.Popen`` shows it."""

    def __init__(self, pid: int, pipes: tuple[int, int, int], end: int) -> None:
        self.pid = pid
        self.returncode: int | None = None
        self.stdin, self.stdout, self.stderr = (
            os.fdopen(pipe, mode) for pipe, mode in zip(pipes, ("wb", "rb", "rb"), strict=True)
        )
        self._end = end

    def poll(self) -> int | None:
        """Its exit code, None while it runs."""
        return self._wait(0.0)

    def wait(self, timeout: float) -> int:
        """Its exit code. Raises ``subprocess.TimeoutExpired``."""
        code = self._wait(timeout)
        if code is None:
            raise subprocess.TimeoutExpired("forked worker", timeout)
        return code

    def _wait(self, timeout: float) -> int | None:
        if self.returncode is None and select.select([self._end], [], [], timeout)[0]:
            self.returncode = int(os.read(self._end, 16) or b"-9")
            os.close(self._end)
        return self.returncode

    def kill(self) -> None:
        """SIGKILL; nothing when it has ended."""
        if self.poll() is None:
            os.kill(self.pid, 9)


class Forker:
    """The process that forks. Close it in the end."""

    def __init__(self) -> None:
        self._ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            self._process = subprocess.Popen([sys.executable, "-m", "tests.database.forking"], stdin=theirs, cwd=ROOT)

    def fork(self, environment: Mapping[str, str]) -> Forked:
        """A link worker that waits for its configuration line."""
        inner, outer = zip(*(_pair(index) for index in range(4)), strict=True)
        socket.send_fds(self._ours, [json.dumps(dict(environment)).encode()], inner)
        pid = int(self._ours.recv(16))
        for descriptor in inner:
            os.close(descriptor)
        return Forked(pid, outer[:3], outer[3])

    def close(self) -> None:
        """End it; workers that still run are ended by the loss of their standard input."""
        self._ours.close()
        self._process.wait(10)


def _pair(index: int) -> tuple[int, int]:
    """(the worker's end, ours) of standard input, output, error and the exit code."""
    read, write = os.pipe()
    return (read, write) if index == 0 else (write, read)


def _serve(control: socket.socket) -> None:
    """Requests until the other side closes."""
    running: dict[int, tuple[int, int]] = {}
    while True:
        ready, _, _ = select.select([control, *running], [], [])
        for pidfd in [each for each in ready if each is not control]:
            pid, end = running.pop(pidfd)
            _, status = os.waitpid(pid, 0)
            os.write(end, str(os.waitstatus_to_exitcode(status)).encode())
            os.close(end)
            os.close(pidfd)
        if control in ready:
            request, descriptors, _, _ = socket.recv_fds(control, 65536, 4)
            if not request:
                return
            pid = os.fork()
            if pid == ENDED:
                _be_worker(control, json.loads(request), descriptors)
            running[os.pidfd_open(pid)] = pid, descriptors[3]
            for descriptor in descriptors[:3]:
                os.close(descriptor)
            control.send(str(pid).encode())


def _be_worker(control: socket.socket, environment: dict[str, str], descriptors: list[int]) -> None:
    """What ``python -m neo4j_dr_operator link`` does. Never returns."""
    from neo4j_dr_operator.replication import worker

    code = 70
    try:
        control.close()
        os.environ.update(environment)
        for number in range(3):
            os.dup2(descriptors[number], number)
        for descriptor in descriptors:
            os.close(descriptor)
        code = worker.main()
        sys.stdout.flush()
    finally:
        os._exit(code)


if __name__ == "__main__":
    import neo4j_dr_operator.replication.worker  # noqa: F401

    _serve(socket.socket(fileno=os.dup(0)))
