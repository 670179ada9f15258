"""Every component for real: it answers, it survives a kill with its port and data, it is gone afterwards."""

from __future__ import annotations

import contextlib
import json
import signal
import socket
import ssl
import threading
import time
from pathlib import Path

import neo4j
import pytest
from botocore.exceptions import ClientError, EndpointConnectionError

from lab import S3, ControlPlane, Lab, Neo4j, Proxies
from lab.process import Identity
from lab.reading import Refused

CRD = {
    "apiVersion": "apiextensions.k8s.io/v1",
    "kind": "CustomResourceDefinition",
    "metadata": {"name": "things.lab.test"},
    "spec": {
        "group": "lab.test",
        "scope": "Namespaced",
        "names": {"plural": "things", "singular": "thing", "kind": "Thing"},
        "versions": [
            {
                "name": "v1",
                "served": True,
                "storage": True,
                "schema": {
                    "openAPIV3Schema": {
                        "type": "object",
                        "properties": {
                            "spec": {
                                "type": "object",
                                "properties": {"size": {"type": "integer", "default": 3}},
                                "x-kubernetes-validations": [{"rule": "self.size < 10", "message": "too big"}],
                            }
                        },
                    }
                },
            }
        ],
    },
}


def thing(name: str, **spec: int) -> str:
    """A custom resource as JSON."""
    return json.dumps({"apiVersion": "lab.test/v1", "kind": "Thing", "metadata": {"name": name}, "spec": spec})


# -- Kubernetes -------------------------------------------------------------------------------------------------------
def test_the_api_is_real_and_outlives_a_killed_server(control_plane: ControlPlane) -> None:
    """Defaults and CEL rules are applied by the API server; after SIGKILL it has the same port and the same objects."""
    control_plane.kubectl("apply", "-f", "-", input=json.dumps(CRD))
    control_plane.established("things.lab.test")
    control_plane.kubectl("apply", "-f", "-", input=thing("one"))
    refused = control_plane.kubectl("apply", "-f", "-", input=thing("two", size=11), check=False)
    assert refused.returncode != 0
    assert "too big" in refused.stderr

    url, things = control_plane.url, "/apis/lab.test/v1/namespaces/default/things"
    assert control_plane.read(f"{things}/one")["spec"] == {"size": 3}
    with pytest.raises(Refused, match="404"):
        control_plane.read(f"{things}/two")
    control_plane.stop_apiserver(kill=True)
    assert control_plane.kubectl("get", "ns", "--request-timeout=2s", check=False).returncode != 0
    with pytest.raises(OSError, match="refused"):
        control_plane.read(things)
    control_plane.start_apiserver()
    assert control_plane.url == url
    assert [item["metadata"]["name"] for item in control_plane.read(things)["items"]] == ["one"]
    assert control_plane.kubectl("get", "thing", "one", "-o", "jsonpath={.spec.size}").stdout == "3"


def test_the_whole_control_plane_restarts_on_its_data(control_plane: ControlPlane) -> None:
    """SIGKILL of etcd and API server together loses nothing that was acknowledged."""
    control_plane.kubectl("create", "configmap", "kept", "--from-literal=k=v")
    control_plane.kill9()
    control_plane.start()
    assert control_plane.kubectl("get", "configmap", "kept", "-o", "jsonpath={.data.k}").stdout == "v"


def test_start_brings_back_what_is_missing(control_plane: ControlPlane) -> None:
    """With the API server stopped, or etcd dead, ``start`` ends in a control plane that answers."""
    control_plane.stop_apiserver()
    control_plane.start()
    assert control_plane.kubectl("get", "ns", "default").returncode == 0
    control_plane.child("etcd").end(signal.SIGKILL, 5)
    assert not control_plane.alive
    control_plane.start()
    assert control_plane.kubectl("get", "ns", "default").returncode == 0


def test_controllers_and_audit_log_where_asked_for(lab: Lab) -> None:
    """With a controller manager an owner's end is followed; the audit log names verb and object."""
    plane = lab.add(ControlPlane("with-controllers", controllers=True, audit=True))
    try:
        plane.kubectl("create", "namespace", "short-lived")
        plane.kubectl("delete", "namespace", "short-lived", "--timeout=60s")  # returns when it has been finalised
        entries = [json.loads(line) for line in plane.audit_log.read_text().splitlines()]
        deletes = [e["objectRef"]["name"] for e in entries if e["verb"] == "delete" and "objectRef" in e]
        assert "short-lived" in deletes
    finally:
        plane.kill9()


# -- Neo4j ------------------------------------------------------------------------------------------------------------
def test_bolt_is_encrypted_and_the_password_checked(databases: tuple[Neo4j, Neo4j]) -> None:
    """Plain Bolt, another authority and another password are refused."""
    primary, secondary = databases
    assert primary.query("CALL dbms.components() YIELD versions, edition")[0] == {
        "versions": ["5.26.30"],
        "edition": "community",
    }
    address, credentials = f"bolt://localhost:{primary.port}", (primary.user, primary.password)
    with neo4j.GraphDatabase.driver(address, auth=credentials) as plain, pytest.raises(neo4j.exceptions.DriverError):
        plain.verify_connectivity()
    with secondary.driver(primary.uri) as stranger, pytest.raises(neo4j.exceptions.DriverError):
        stranger.verify_connectivity()
    with primary.driver(auth=(primary.user, "wrong-password")) as guess, pytest.raises(neo4j.exceptions.AuthError):
        guess.verify_connectivity()


def test_without_tls_bolt_is_plain(lab: Lab) -> None:
    """``tls=False`` gives a plain address and no authority."""
    plain = lab.add(Neo4j("plain", tls=False))
    try:
        assert plain.uri == f"bolt://localhost:{plain.port}"
        assert plain.ca_pem is None
        assert plain.query("RETURN 2 AS two") == [{"two": 2}]
    finally:
        plain.kill9()


def test_a_killed_database_comes_back_with_port_data_and_positions(databases: tuple[Neo4j, Neo4j]) -> None:
    """After SIGKILL: same address, acknowledged writes there, a position from before still valid."""
    primary, _ = databases
    uri, position = primary.uri, primary.query("CALL db.cdc.current()")[0]["id"]
    primary.query("CREATE (:Kept {n: 1})")
    pid = primary.pid
    primary.kill9()
    assert Identity.of(pid) is None
    primary.start()
    assert primary.uri == uri
    assert primary.query("MATCH (k:Kept) RETURN k.n AS n") == [{"n": 1}]
    assert len(primary.query("CALL db.cdc.query($p)", p=position)) == 1


def test_a_paused_database_keeps_connections_and_says_nothing(databases: tuple[Neo4j, Neo4j]) -> None:
    """SIGSTOP: the port still accepts, no byte comes; SIGCONT: it goes on."""
    primary, _ = databases
    primary.pause()
    try:
        with socket.create_connection(("127.0.0.1", primary.port), 2) as connection:
            connection.settimeout(0.5)
            connection.sendall(b"\x16\x03\x01")
            with pytest.raises(TimeoutError):
                connection.recv(1)
    finally:
        primary.resume()
    assert primary.query("RETURN 1 AS one") == [{"one": 1}]


def test_reset_in_place_empties_everything(databases: tuple[Neo4j, Neo4j]) -> None:
    """Data, schema, read-only switch, open transactions and old positions are gone; capture is on."""
    primary, _ = databases
    position = primary.query("CALL db.cdc.current()")[0]["id"]
    primary.query("CREATE CONSTRAINT FOR (k:K) REQUIRE k.id IS UNIQUE")
    primary.query("CREATE INDEX FOR (k:K) ON (k.other)")
    with primary.driver() as driver, driver.session() as session:
        left_open = session.begin_transaction()
        left_open.run("CREATE (:K {id: 1})").consume()
        primary.query("UNWIND range(10, 5000) AS i CREATE (:K {id: i})-[:R]->(:L)")
        primary.query("CALL dbms.setConfigValue('server.databases.read_only', 'neo4j')", "system")
        started = time.monotonic()
        primary.reset()
        assert time.monotonic() - started < 5
        with pytest.raises(neo4j.exceptions.Neo4jError):
            left_open.commit()
    assert primary.query("MATCH (n) RETURN count(n) AS n") == [{"n": 0}]
    assert primary.query("SHOW CONSTRAINTS") == []
    assert primary.query("SHOW INDEXES YIELD type WHERE type <> 'LOOKUP'") == []
    with pytest.raises(neo4j.exceptions.Neo4jError, match=r"before any enrichment records exist"):
        primary.query("CALL db.cdc.query($p)", p=position)
    primary.query("CREATE (:Again)")
    assert len(primary.query("CALL db.cdc.query($p)", p=_earliest(primary))) == 1


def test_a_fresh_reset_is_another_database(databases: tuple[Neo4j, Neo4j]) -> None:
    """A new home: another database id, the same address and password."""
    _, secondary = databases
    before = secondary.query("CREATE (n:N) RETURN elementId(n) AS id")[0]["id"].split(":")[1]
    secondary.reset(fresh=True)
    after = secondary.query("CREATE (n:N) RETURN elementId(n) AS id")[0]["id"].split(":")[1]
    assert before != after


def test_two_servers_never_share_a_database_id(databases: tuple[Neo4j, Neo4j]) -> None:
    """Element ids of one database mean nothing in another."""
    ids = {database.query("CREATE (n:N) RETURN elementId(n) AS id")[0]["id"].split(":")[1] for database in databases}
    assert len(ids) == 2


def _earliest(database: Neo4j) -> str:
    return str(database.query("CALL db.cdc.earliest()")[0]["id"])


# -- S3 ---------------------------------------------------------------------------------------------------------------
def test_s3_puts_are_conditional_and_survive_a_kill(s3: S3) -> None:
    """If-None-Match and If-Match do what S3 documents (412), also after SIGKILL and restart on the same port."""
    bucket, endpoint = s3.make_bucket("conditional"), s3.endpoint
    client = s3.client()
    tag = client.put_object(Bucket=bucket, Key="k", Body=b"1", IfNoneMatch="*")["ETag"]
    with pytest.raises(ClientError) as refused:
        client.put_object(Bucket=bucket, Key="k", Body=b"2", IfNoneMatch="*")
    assert refused.value.response["ResponseMetadata"]["HTTPStatusCode"] == 412
    s3.kill9()
    with pytest.raises(EndpointConnectionError):
        client.list_buckets()
    s3.start()
    assert s3.endpoint == endpoint
    newer = client.put_object(Bucket=bucket, Key="k", Body=b"3", IfMatch=tag)["ETag"]
    with pytest.raises(ClientError) as stale:
        client.put_object(Bucket=bucket, Key="k", Body=b"4", IfMatch=tag)
    assert stale.value.response["ResponseMetadata"]["HTTPStatusCode"] == 412
    assert newer != tag
    assert client.get_object(Bucket=bucket, Key="k")["Body"].read() == b"3"


# -- links ------------------------------------------------------------------------------------------------------------
def test_a_link_is_slow_cut_half_open_and_whole_again(databases: tuple[Neo4j, Neo4j], proxies: Proxies) -> None:
    """Round trips through it: +100 ms within a fifth; refused when cut; silence when half open; undisturbed again."""
    primary, _ = databases
    link = proxies.proxy("localhost", primary.port)
    with primary.driver(f"bolt+s://{link.address}", connection_timeout=1.0) as driver, driver.session() as session:

        def round_trip() -> float:
            started = time.monotonic()
            session.run("RETURN 1").consume()
            return time.monotonic() - started

        def best() -> float:
            return min(round_trip() for _ in range(5))

        round_trip()
        plain = best()
        link.latency(100)
        assert 0.08 <= best() - plain <= 0.12
        link.restore()
        assert best() < 0.05
    link.cut()
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", link.port), 1).close()
    link.restore()
    link.half_open()
    with socket.create_connection(("127.0.0.1", link.port), 1) as silent:
        silent.settimeout(1)
        context = ssl.create_default_context(cadata=primary.ca_pem)
        with pytest.raises(TimeoutError):
            context.wrap_socket(silent, server_hostname="localhost")
    link.restore()
    with primary.driver(f"bolt+s://{link.address}") as driver:
        driver.verify_connectivity()
    link.remove()


def test_links_come_back_however_much_was_on_its_way_when_they_were_cut(proxies: Proxies) -> None:
    """The server's own way of taking a toxic out of a link that is being cut left it unable to answer, now and then."""
    listener = socket.create_server(("127.0.0.1", 0))

    def flood() -> None:
        while True:
            try:
                client, _ = listener.accept()
            except OSError:
                return
            threading.Thread(target=pour, args=(client,), daemon=True).start()

    def pour(client: socket.socket) -> None:
        with client, contextlib.suppress(OSError):
            while True:
                client.sendall(b"x" * 65536)

    threading.Thread(target=flood, daemon=True).start()
    link = proxies.proxy("127.0.0.1", listener.getsockname()[1])
    try:
        for _ in range(40):
            link.latency(60)
            readers = [socket.create_connection(("127.0.0.1", link.port), 2) for _ in range(4)]
            for reader in readers[:2]:
                reader.recv(1 << 16)
            link.cut()
            link.restore()
            for reader in readers:
                reader.close()
        with socket.create_connection(("127.0.0.1", link.port), 2) as reader:
            assert reader.recv(10)
    finally:
        listener.close()
        link.remove()


# -- all of it --------------------------------------------------------------------------------------------------------
def test_logs_outlive_the_run_and_nothing_else_does() -> None:
    """After the context: no process, no directory; one log file for each process."""
    with Lab() as lab:
        store = lab.add(S3())
        links = lab.add(Proxies())
        path, logs = lab.run.path, lab.run.logs
        pids = [store.child("server").pid, links.child("server").pid]
        assert Path(store.home).is_dir()
    assert all(Identity.of(pid) is None for pid in pids)
    assert not path.exists()
    assert {file.name for file in logs.iterdir()} >= {"s3-server.log", "proxies-server.log"}
