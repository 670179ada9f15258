"""TCP links that can be slow, cut or half open (toxiproxy), since not every kernel can do that by itself."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from collections.abc import Sequence
from typing import Any

from lab import builds
from lab.component import Component


class Proxies(Component):
    """The proxy server; ``proxy`` makes links in it. A restart forgets its links."""

    READY_WITHIN = 20.0

    def __init__(self, name: str = "proxies") -> None:
        super().__init__(name)
        self._api = 0

    def artifacts(self) -> Sequence[str]:
        """See ``Component.artifacts``."""
        return ("toxiproxy",)

    def pick_ports(self) -> None:
        """See ``Component.pick_ports``."""
        self._api = self.new_port()

    @property
    def api(self) -> str:
        """URL of the proxy server's own interface."""
        return f"http://127.0.0.1:{self._api}"

    def launch(self) -> None:
        """See ``Component.launch``."""
        self.spawn("server", [builds.program("toxiproxy"), "-host", "127.0.0.1", "-port", str(self._api)])
        self.await_answer("list links", self._answers)

    def _answers(self) -> bool:
        try:
            return bool(self.call("GET", "/proxies") == {})
        except OSError:
            return False

    def proxy(self, upstream_host: str, upstream_port: int) -> Proxy:
        """A link to a server, open and undisturbed, on a port of its own."""
        return Proxy(self, self.run.ports.free(), f"{upstream_host}:{upstream_port}")

    def call(self, method: str, path: str, body: dict[str, Any] | None = None) -> Any:
        """One request to the proxy server; raises OSError when it fails."""
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(f"{self.api}{path}", data, method=method)
        with urllib.request.urlopen(request, timeout=2) as answer:
            text = answer.read()
        return json.loads(text) if text else None


class Proxy:
    """One link. Changes act on open connections too; ``restore`` takes all of them back."""

    def __init__(self, server: Proxies, port: int, upstream: str) -> None:
        self._server, self.port, self._upstream = server, port, upstream
        self._path = f"/proxies/link-{port}"
        self._create()

    @property
    def address(self) -> str:
        """``localhost:PORT``, the side to connect to."""
        return f"localhost:{self.port}"

    def latency(self, milliseconds: int, jitter: int = 0) -> None:
        """Add to every round trip, half in each direction (plus or minus ``jitter`` in each)."""
        there = milliseconds // 2
        self._toxic(
            "slow",
            "latency",
            there={"latency": there, "jitter": jitter},
            back={"latency": milliseconds - there, "jitter": jitter},
        )

    def half_open(self) -> None:
        """Swallow all bytes both ways; connections stay open and new ones are accepted."""
        self._toxic("hole", "timeout", there={"timeout": 0}, back={"timeout": 0})

    def cut(self) -> None:
        """Close all connections and refuse new ones."""
        self._server.call("POST", self._path, {"enabled": False})

    def restore(self) -> None:
        """Undisturbed again. Connections that lost bytes in ``half_open`` are closed.

        A link that was cut or had a hole is made anew instead of mended: the server answers nobody any more when a
        toxic is taken out while bytes wait for a connection that is gone (its lock is held by that very write).
        """
        link = self._server.call("GET", self._path)
        if not link["enabled"] or any(toxic["type"] == "timeout" for toxic in link["toxics"]):
            self.remove()
            self._create()
            return
        for toxic in link["toxics"]:
            self._server.call("DELETE", f"{self._path}/toxics/{toxic['name']}")

    def remove(self) -> None:
        """Take the link away."""
        self._server.call("DELETE", self._path)

    def _create(self) -> None:
        listen = f"127.0.0.1:{self.port}"
        link = {"name": f"link-{self.port}", "listen": listen, "upstream": self._upstream, "enabled": True}
        self._server.call("POST", "/proxies", link)

    def _toxic(self, name: str, kind: str, *, there: dict[str, int], back: dict[str, int]) -> None:
        for stream, attributes in (("upstream", there), ("downstream", back)):
            toxic = {"name": f"{name}-{stream}", "type": kind, "stream": stream, "attributes": attributes}
            try:
                self._server.call("POST", f"{self._path}/toxics", toxic)
            except urllib.error.HTTPError as error:
                if error.code != 409:  # there already: change it
                    raise
                self._server.call("POST", f"{self._path}/toxics/{toxic['name']}", {"attributes": attributes})
