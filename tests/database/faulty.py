"""A way to an S3 server on which requests go wrong as they do in the world: one fault for one request, in order.

It speaks HTTP to both sides and passes on what it is given, byte by byte: the store checks the very signature that the
client made. What is not to go wrong is forwarded; nothing here answers in the store's place but with errors.
"""

from __future__ import annotations

import http.client
import socket
import struct
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Literal
from xml.sax.saxutils import escape

HOP = ("connection", "keep-alive", "transfer-encoding", "expect")
"""Headers that are not passed on: they belong to one connection. None of them is signed."""


@dataclass
class Asked:
    """One request, as it came."""

    method: str
    path: str
    headers: Mapping[str, str]

    @property
    def key(self) -> str:
        """The object's key, or the query of a list."""
        return self.path.partition("?")[0].split("/", 2)[-1]

    @property
    def listing(self) -> bool:
        """Whether it asks for names."""
        return self.method == "GET" and "list-type" in self.path


@dataclass
class Fault:
    """What happens to a request.

    ``answer``: the store's error is this status, code and message; ``done``: the store has done it all the same.
    ``kind`` else: ``lost`` (done, and no answer ever comes), ``reset`` (the connection breaks in the middle of what is
    sent), ``cut`` (the answer ends in the middle, its length having been told), ``call``: ``then`` is called, and it
    never reaches the store, or (``done``) after the store has done it and before the answer.
    """

    kind: Literal["answer", "lost", "reset", "cut", "call"] = "answer"
    status: int = 500
    code: str = "InternalError"
    message: str = "We encountered an internal error. Please try again."
    done: bool = False
    then: Callable[[], None] | None = None
    met: threading.Event = field(default_factory=threading.Event)

    @property
    def name(self) -> str:
        """For people."""
        said = self.kind if self.kind != "answer" else f"{self.status} {self.code}"
        return f"{said}, done" if self.done else said


def error(status: int, code: str, *, done: bool = False) -> Fault:
    """An answer that is an error of the store."""
    return Fault(status=status, code=code, message=code, done=done)


class Faulty:
    """Forwards to ``upstream`` (a port of this host), as ``endpoint``. Close it in the end.

    ``asked``: every request, in order. ``struck``: what went wrong with which, in order.
    """

    def __init__(self, upstream: int) -> None:
        self.upstream = upstream
        self.asked: list[Asked] = []
        self.struck: list[tuple[str, str]] = []
        self.rate: int | None = None
        """Bytes a second of what clients send, None for as many as come."""
        self.judge: Callable[[Asked], Fault | None] = lambda _: None
        """Asked about each request for which no fault is waiting."""
        self._waiting: list[tuple[Callable[[Asked], bool], Fault]] = []
        self._lock = threading.Lock()
        self._server = _Server(self)
        self.endpoint = f"http://127.0.0.1:{self._server.server_port}"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)
        self._thread.start()

    def close(self) -> None:
        """No more connections; those that hang are let go."""
        self._server.ended.set()
        self._server.shutdown()
        self._server.server_close()

    def next(self, fault: Fault, when: Callable[[Asked], bool]) -> Fault:
        """The next request that ``when`` holds for goes wrong, once."""
        with self._lock:
            self._waiting.append((when, fault))
        return fault

    def counted(self, method: str, ending: str = "") -> int:
        """Requests of a method whose key ends so."""
        return sum(each.method == method and each.key.endswith(ending) for each in list(self.asked))

    def choose(self, asked: Asked) -> Fault | None:
        """What is to happen to a request."""
        with self._lock:
            self.asked.append(asked)
            found = next((each for each in self._waiting if each[0](asked)), None)
            if found is not None:
                self._waiting.remove(found)
            fault = found[1] if found is not None else self.judge(asked)
            if fault is not None:
                fault.met.set()
                self.struck.append((fault.name, f"{asked.method} {asked.key}"))
            return fault


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 64

    def __init__(self, faulty: Faulty) -> None:
        self.faulty, self.ended = faulty, threading.Event()
        super().__init__(("127.0.0.1", 0), _Handler)

    def server_bind(self) -> None:
        """With little room for what was not read yet: who sends is to feel it."""
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 17)
        super().server_bind()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that goes away, as one that is killed does, is nothing to talk about."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _Server

    def log_message(self, format: str, *args: Any) -> None:
        """Nothing."""

    def _pass(self) -> None:
        asked = Asked(self.command, self.path, {key.lower(): value for key, value in self.headers.items()})
        fault = self.server.faulty.choose(asked)
        self._meet(fault, int(self.headers.get("Content-Length") or 0))

    do_GET = do_PUT = do_HEAD = do_POST = do_DELETE = _pass

    def _meet(self, fault: Fault | None, size: int) -> None:
        if fault is not None and fault.kind == "reset":
            self._read(size // 2)
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self.close_connection = True
            return
        body = self._read(size)
        if fault is None:
            self._tell(*self._forwarded(body))
            return
        if fault.kind == "call" and not fault.done:
            self._call(fault)
            self.close_connection = True
            return
        if fault.done or fault.kind != "answer":
            answer = self._forwarded(body)
        if fault.kind == "answer":
            text = f"<Error><Code>{escape(fault.code)}</Code><Message>{escape(fault.message)}</Message></Error>"
            self._tell(fault.status, {"Content-Type": "application/xml"}, text.encode())
        elif fault.kind == "lost":
            self.server.ended.wait(60)  # until the client has had enough; its end of the connection is gone then
            self.close_connection = True
        elif fault.kind == "cut":
            self._tell(*answer, share=0.5)
            self.close_connection = True
        else:
            self._call(fault)
            self._tell(*answer)

    def _call(self, fault: Fault) -> None:
        assert fault.then is not None
        fault.then()

    def _read(self, size: int) -> bytes:
        """What the client sends, as quickly as is allowed."""
        rate = self.server.faulty.rate
        if rate is None:
            return self.rfile.read(size)
        began, parts, got = time.monotonic(), [], 0
        while got < size and (part := self.rfile.read(min(65_536, size - got))):
            parts.append(part)
            got += len(part)
            self.server.ended.wait(max(0.0, began + got / rate - time.monotonic()))
        return b"".join(parts)

    def _forwarded(self, body: bytes) -> tuple[int, Mapping[str, str], bytes]:
        """The store's answer: status, headers, body."""
        connection = http.client.HTTPConnection("127.0.0.1", self.server.faulty.upstream, timeout=60)
        try:
            connection.putrequest(self.command, self.path, skip_host=True, skip_accept_encoding=True)
            for name, value in self.headers.items():
                if name.lower() not in HOP:
                    connection.putheader(name, value)
            connection.endheaders(body)
            answer = connection.getresponse()
            return answer.status, dict(answer.getheaders()), answer.read()
        finally:
            connection.close()

    def _tell(self, status: int, headers: Mapping[str, str], body: bytes, share: float = 1.0) -> None:
        """Answer, with so much of the body as ``share`` says."""
        self.send_response_only(status)
        for name, value in headers.items():
            if name.lower() not in (*HOP, "content-length"):
                self.send_header(name, value)
        length = headers.get("Content-Length", str(len(body))) if self.command == "HEAD" else str(len(body))
        self.send_header("Content-Length", length)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body[: int(len(body) * share)])
        self.wfile.flush()
