"""A way to an S3 server that remembers what was asked, loses answers, and can lead elsewhere."""

from __future__ import annotations

import contextlib
import socket
import threading


class Relay:
    """Forwards TCP connections to ``upstream`` (a port of this host), as ``endpoint``. Close it in the end."""

    def __init__(self, upstream: int) -> None:
        self.upstream = upstream
        self.requests: list[str] = []
        """First lines of requests, without the protocol: ``PUT /bucket/key``."""
        self.lose = 0
        """So many answers to puts of segments are lost: the server has done it, and the connection breaks."""
        self._open: list[socket.socket] = []
        self._server = socket.create_server(("127.0.0.1", 0))
        self.endpoint = f"http://127.0.0.1:{self._server.getsockname()[1]}"
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        """No more connections."""
        self._server.close()
        self.break_off()

    def break_off(self) -> None:
        """Break the connections that are open."""
        _shut(*self._open)
        self._open.clear()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _ = self._server.accept()
                try:
                    server = socket.create_connection(("127.0.0.1", self.upstream), 5)
                except OSError:
                    client.close()
                    continue
                self._open += (client, server)
                losing = threading.Event()
                for pump in (self._there, self._back):
                    threading.Thread(target=pump, args=(client, server, losing), daemon=True).start()

    def _there(self, client: socket.socket, server: socket.socket, losing: threading.Event) -> None:
        with contextlib.suppress(OSError):
            while data := client.recv(1 << 16):
                method, _, rest = data.partition(b" ")
                if method in (b"GET", b"PUT", b"HEAD", b"POST", b"DELETE"):
                    line = f"{method.decode()} {rest.partition(b' ')[0].decode()}"
                    self.requests.append(line)
                    if self.lose and line.startswith("PUT") and ".seg" in line:
                        self.lose -= 1
                        losing.set()
                server.sendall(data)
        _shut(client, server)

    def _back(self, client: socket.socket, server: socket.socket, losing: threading.Event) -> None:
        with contextlib.suppress(OSError):
            while data := server.recv(1 << 16):
                if losing.is_set() and not data.startswith(b"HTTP/1.1 100"):
                    break
                client.sendall(data)
        _shut(client, server)


def _shut(*ends: socket.socket) -> None:
    for end in ends:
        with contextlib.suppress(OSError):
            end.shutdown(socket.SHUT_RDWR)
        end.close()
