"""What blocks has threads of its own: a store that does not answer delays nothing else."""

from __future__ import annotations

import asyncio
import errno
import json
import socket
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from kubernetes import client, config

from neo4j_dr_operator.errors import KubernetesUnreachable, ObjectStoreUnreachable
from neo4j_dr_operator.kube.client import Kube
from neo4j_dr_operator.objectstore.s3 import S3, S3Address
from neo4j_dr_operator.threads import Threads

RESOURCES = 40
"""More than asyncio's own threads can be on any machine (32)."""


class Answering(BaseHTTPRequestHandler):
    """An API server that knows every object."""

    def do_GET(self) -> None:
        body = json.dumps({"metadata": {"name": "dr"}}).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Nothing."""


@pytest.fixture
def kube(monkeypatch: pytest.MonkeyPatch) -> Iterator[Kube]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Answering)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    settings = client.Configuration()
    settings.host = f"http://127.0.0.1:{server.server_port}"
    monkeypatch.setattr(config, "load_config", lambda: None)
    monkeypatch.setattr(client.Configuration, "get_default_copy", lambda: settings)
    made = Kube()
    yield made
    made.close()
    server.shutdown()
    server.server_close()


@pytest.fixture
def hole() -> Iterator[socket.socket]:
    """Accepts connections and says nothing."""
    with socket.create_server(("127.0.0.1", 0), backlog=2 * RESOURCES) as listening:
        yield listening


def test_a_store_that_does_not_answer_delays_no_status_and_no_lookup(kube: Kube, hole: socket.socket) -> None:
    endpoint = f"http://127.0.0.1:{hole.getsockname()[1]}"
    stores = [S3(S3Address("b", "", "eu-west-1", endpoint, "a", "s"), 60.0) for _ in range(RESOURCES)]

    async def scenario() -> None:
        asked = [asyncio.create_task(store.get("witness")) for store in stores]
        await asyncio.sleep(0)  # each has been begun
        found: dict[str, Any] = await kube.get("g", "v1", "things", "ns", "dr")
        assert found["metadata"]["name"] == "dr"
        assert await asyncio.get_running_loop().getaddrinfo("localhost", 80)
        assert not any(task.done() for task in asked), "the store is still silent"
        hole.close()
        answers = await asyncio.gather(*asked, return_exceptions=True)
        assert all(isinstance(answer, ObjectStoreUnreachable) for answer in answers)
        for store in stores:
            store.close()

    asyncio.run(asyncio.wait_for(scenario(), 30))


def test_at_most_so_many_calls_at_a_time_and_none_after_the_end() -> None:
    async def scenario() -> None:
        go, running = threading.Event(), threading.Semaphore(0)

        def call(number: int) -> int:
            running.release()
            go.wait()
            return number

        threads = Threads("few", 2)
        calls = [asyncio.create_task(threads.run(call, number)) for number in range(5)]
        await asyncio.to_thread(lambda: [running.acquire() for _ in range(2)])
        assert not running.acquire(blocking=False)
        go.set()
        assert await asyncio.gather(*calls) == list(range(5))
        threads.close()
        with pytest.raises(OSError, match="shutdown"):
            await threads.run(call, 6)

    asyncio.run(asyncio.wait_for(scenario(), 30))


def test_no_thread_to_be_had_is_no_answer(kube: Kube, monkeypatch: pytest.MonkeyPatch) -> None:
    """A pod has a limit of processes, which threads count for."""

    def start(_: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    async def scenario() -> None:
        monkeypatch.setattr(threading.Thread, "start", start)
        with pytest.raises(OSError, match="can't start new thread") as caught:
            await Threads("none", 1).run(int)
        assert caught.value.errno == errno.EAGAIN
        with pytest.raises(KubernetesUnreachable):
            await kube.get("g", "v1", "things", "ns", "dr")
        with pytest.raises(ObjectStoreUnreachable):
            await S3(S3Address("b", "", "eu-west-1", "http://127.0.0.1:9", "a", "s"), 1.0).get("witness")

    asyncio.run(scenario())
