"""Objects of an API server over one kept connection: for what is asked again and again, where kubectl is a process."""

from __future__ import annotations

import http.client
import json
import ssl
import threading
import time
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

AGENT = "lab"
"""What an audit log knows this reader by."""
TIMEOUT = 30.0
ATTEMPTS = 10
"""Of one read, while the API server asks for patience (client-go's number)."""


class Refused(RuntimeError):
    """The API server answered with something else than the object. ``status``: the HTTP status."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(f"{status}: {message}")
        self.status = status


class Reader:
    """Reads as an administrator. Threads may share it; they wait for each other."""

    def __init__(self, url: str, pki: Path) -> None:
        """``pki``: what :func:`lab.pki.write_control_plane` has written. Nothing is sent yet."""
        self._context = ssl.create_default_context(cafile=pki / "ca.crt")
        self._context.load_cert_chain(pki / "admin.crt", pki / "admin.key")
        self._server = urlsplit(url)
        self._lock = threading.Lock()
        self._connection: http.client.HTTPSConnection | None = None

    def get(self, path: str) -> Any:
        """The JSON under ``path``, asked again where the API server says when, as kubectl does.

        Raises :class:`Refused`, and OSError while the API server is away.
        """
        for left in reversed(range(ATTEMPTS)):
            with self._lock:
                answer, body = self._kept(path)
            if answer.status == http.client.OK:
                return json.loads(body)
            again = answer.headers.get("Retry-After")
            if again is None or not left:
                break
            time.sleep(float(again))
        raise Refused(answer.status, body.decode(errors="replace"))

    def _kept(self, path: str) -> tuple[http.client.HTTPResponse, bytes]:
        """Asked over the connection that there is, and over a new one where that was closed meanwhile."""
        if self._connection is not None:
            try:
                return self._ask(self._connection, path)
            except (OSError, http.client.HTTPException):
                self.close()
        host, port = self._server.hostname or "", self._server.port
        self._connection = http.client.HTTPSConnection(host, port, timeout=TIMEOUT, context=self._context)
        try:
            return self._ask(self._connection, path)
        except http.client.HTTPException as error:
            self.close()
            raise ConnectionError(f"no answer from the API server: {error}") from error
        except OSError:
            self.close()
            raise

    @staticmethod
    def _ask(connection: http.client.HTTPSConnection, path: str) -> tuple[http.client.HTTPResponse, bytes]:
        connection.request("GET", path, headers={"Accept": "application/json", "User-Agent": AGENT})
        answer = connection.getresponse()
        return answer, answer.read()

    def close(self) -> None:
        """The next one asks over a new connection."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None
