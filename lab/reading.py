"""Objects of an API server over one kept connection: for what is asked again and again, where kubectl is a process."""

from __future__ import annotations

import base64
import http.client
import json
import os
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
    """Reads as the user of a kubeconfig (JSON, everything inline). Threads may share it; they wait for each other."""

    def __init__(self, kubeconfig: Path) -> None:
        """Nothing is sent yet."""
        config = json.loads(kubeconfig.read_text())
        cluster, user = config["clusters"][0]["cluster"], config["users"][0]["user"]
        authority = base64.b64decode(cluster["certificate-authority-data"]).decode()
        self._context = ssl.create_default_context(cadata=authority)
        self._present(kubeconfig, user)
        self._server = urlsplit(cluster["server"])
        self._lock = threading.Lock()
        self._connection: http.client.HTTPSConnection | None = None

    def _present(self, kubeconfig: Path, user: dict[str, str]) -> None:
        """The client certificate, which Python takes from a file only."""
        path = kubeconfig.with_suffix(f".{os.getpid()}.{threading.get_ident()}.pem")
        parts = [base64.b64decode(user[f"client-{what}-data"]) for what in ("certificate", "key")]
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
            file.write(b"\n".join(parts))
        try:
            self._context.load_cert_chain(path)
        finally:
            path.unlink()

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
