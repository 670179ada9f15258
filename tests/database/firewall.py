"""A way to a server that can forget its connections: both ends still think that they are open."""

from __future__ import annotations

import contextlib
import socket
import threading


class Firewall:
    """Forwards TCP connections to ``upstream`` (a port of this host) from ``port``. Close it in the end."""

    def __init__(self, upstream: int) -> None:
        self._upstream = upstream
        self._open: list[tuple[socket.socket, threading.Event]] = []
        self._server = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._server.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    @property
    def address(self) -> str:
        """``localhost:PORT``, the side to connect to."""
        return f"localhost:{self.port}"

    def forget(self) -> int:
        """Swallow from now on what open connections carry; new ones pass. The number of those that were open."""
        for _, forgotten in self._open:
            forgotten.set()
        return len(self._open) // 2

    def close(self) -> None:
        """No more connections."""
        self._server.close()
        for end, _ in self._open:
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
            end.close()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _ = self._server.accept()
                server = socket.create_connection(("127.0.0.1", self._upstream), 5)
                forgotten = threading.Event()
                self._open += ((client, forgotten), (server, forgotten))
                for one, other in ((client, server), (server, client)):
                    threading.Thread(target=_pump, args=(one, other, forgotten), daemon=True).start()


def _pump(one: socket.socket, other: socket.socket, forgotten: threading.Event) -> None:
    with contextlib.suppress(OSError):
        while data := one.recv(1 << 16):
            if not forgotten.is_set():
                other.sendall(data)
    if not forgotten.is_set():
        with contextlib.suppress(OSError):
            other.shutdown(socket.SHUT_WR)
