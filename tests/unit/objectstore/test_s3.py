"""What is sent to a store and what comes of its silence, over real connections."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import os
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from lab.pki import Authority
from neo4j_dr_operator.errors import ObjectStoreUnreachable
from neo4j_dr_operator.objectstore.objects import Bucket
from neo4j_dr_operator.objectstore.s3 import S3, S3Address, _session, connect

HALF = b'HTTP/1.1 200 OK\r\nETag: "e"\r\nContent-Length: 100000\r\n\r\n' + 50_000 * b"x"
FORGED = b"\x17\x03\x03\x00\x40" + 64 * b"?"
"""A TLS record of application data that nobody has signed."""
STORED = b'HTTP/1.1 200 OK\r\nETag: "e"\r\nContent-Length: 0\r\n\r\n'


def request(connection: socket.socket) -> bytes:
    """The head of the next request."""
    head = b""
    while b"\r\n\r\n" not in head and (part := connection.recv(65_536)):
        head += part
    return head


@pytest.fixture
def serving() -> Iterator[Callable[[Callable[[socket.socket], None]], int]]:
    """Serves every connection with what it is given; the port."""
    listening = socket.create_server(("127.0.0.1", 0))

    def serve(answer: Callable[[socket.socket], None]) -> None:
        while True:
            try:
                connection, _ = listening.accept()
            except OSError:
                return
            with connection:
                answer(connection)

    def begin(answer: Callable[[socket.socket], None]) -> int:
        threading.Thread(target=serve, args=(answer,), daemon=True).start()
        port: int = listening.getsockname()[1]
        return port

    yield begin
    listening.shutdown(socket.SHUT_RDWR)
    listening.close()


def test_a_way_that_breaks_under_tls_within_a_body_is_silence(
    serving: Callable[[Callable[[socket.socket], None]], int], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The SDK does not translate it there. Taken for an answer it would end a restore for good."""
    authority = Authority("ca")
    authority.server("localhost").write(tmp_path, "server")
    (tmp_path / "ca.crt").write_text(authority.pem)
    monkeypatch.setenv("AWS_CA_BUNDLE", str(tmp_path / "ca.crt"))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tmp_path / "server.crt", tmp_path / "server.key")

    def answer(connection: socket.socket) -> None:
        bare = socket.socket(fileno=os.dup(connection.fileno()))
        with bare, context.wrap_socket(connection, server_side=True) as wrapped:
            request(wrapped)
            wrapped.sendall(HALF)
            bare.sendall(FORGED)

    address = S3Address("b", "", "eu-west-1", f"https://localhost:{serving(answer)}", "a", "s")
    bucket, store = Bucket(address, 10.0, None), S3(address, 10.0)
    with pytest.raises(ObjectStoreUnreachable, match="SSLError"):
        bucket.get("snapshot")
    with pytest.raises(ObjectStoreUnreachable, match="SSLError"):
        asyncio.run(store.get("witness"))
    bucket.close()
    store.close()


def test_the_witness_is_put_with_a_checksum(serving: Callable[[Callable[[socket.socket], None]], int]) -> None:
    """A bucket with object lock takes nothing without (Amazon S3 User Guide, "Object Lock considerations")."""
    heads: list[bytes] = []

    def answer(connection: socket.socket) -> None:
        heads.append(request(connection))
        connection.sendall(STORED)

    store = S3(S3Address("b", "", "eu-west-1", f"http://127.0.0.1:{serving(answer)}", "a", "s"), 10.0)
    assert asyncio.run(store.put("witness", b"body", None)) == '"e"'
    store.close()
    wanted = b"x-amz-checksum-sha256: " + base64.b64encode(hashlib.sha256(b"body").digest()).lower()
    assert wanted in heads[0].lower()


@pytest.mark.parametrize(
    ("said", "environment", "region"),
    [
        ("eu-west-1", {"AWS_REGION": "eu-west-2"}, "eu-west-1"),
        (None, {"AWS_REGION": "eu-west-2", "AWS_DEFAULT_REGION": "eu-west-3"}, "eu-west-2"),
        (None, {"AWS_DEFAULT_REGION": "eu-west-3"}, "eu-west-3"),
        (None, {"AWS_REGION": "", "AWS_CONFIG_FILE": "config"}, "eu-north-1"),
        (None, {}, "us-east-1"),
    ],
)
@pytest.mark.parametrize("endpoint", [None, "http://127.0.0.1:9000"])
def test_without_a_region_that_of_the_environment_counts(
    said: str | None,
    environment: dict[str, str],
    region: str,
    endpoint: str | None,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("config").write_text("[default]\nregion = eu-north-1\n")
    for name in ("AWS_REGION", "AWS_DEFAULT_REGION", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    for name, value in {"AWS_CONFIG_FILE": "none", **environment}.items():
        monkeypatch.setenv(name, value)
    _session.cache_clear()  # it has read the file
    client = connect(S3Address("b", "", said, endpoint, "a", "s"), 1.0)
    assert client.meta.region_name == region
    client.close()
    _session.cache_clear()
