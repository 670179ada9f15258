"""Free ports on loopback, held against other labs of the same user."""

from __future__ import annotations

import fcntl
import random
import socket
from typing import IO

from lab import cache

# Below the kernel's range for outgoing connections (32768 and up): a server that is stopped and started again must
# find its port free, and no client may have been given it meanwhile.
FIRST, LAST = 15000, 31999
TRIES = 200


class Ports:
    """Ports reserved for one run, until ``close`` or the end of the process."""

    def __init__(self) -> None:
        self._held: list[IO[str]] = []

    def free(self) -> int:
        """A port nobody listens on and no other living lab has been given."""
        folder = cache.folder("ports")
        for _ in range(TRIES):
            port = random.randint(FIRST, LAST)
            file = (folder / str(port)).open("w")
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                file.close()
                continue
            if usable(port):
                self._held.append(file)
                return port
            file.close()
        raise RuntimeError(f"no free port found in {TRIES} tries")

    def close(self) -> None:
        """Give all ports back."""
        for file in self._held:
            file.close()
        self._held.clear()


def usable(port: int) -> bool:
    """Whether a server could listen on this loopback port now."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True
