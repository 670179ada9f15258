"""TLS with real servers and real certificates of each kind: told apart, and none of them is a death (P6)."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from dataclasses import replace

import pytest

from lab import Lab, Neo4j
from neo4j_dr_operator.errors import DatabaseError
from neo4j_dr_operator.graph.bolt import AsyncDatabase, Endpoint
from neo4j_dr_operator.graph.bolt_sync import Database
from neo4j_dr_operator.health.probe import Sight, probe
from neo4j_dr_operator.health.verdict import SiteHealth, Verdict
from tests.database.process import Address, LinkProcess

REFUSED = {
    "expired": "CertificateExpired",
    "early": "CertificateNotYetValid",
    "elsewhere": "CertificateNameMismatch",
    "untrusted": "CertificateUntrusted",
}
SCHEMES = ("bolt", "neo4j")


@pytest.fixture(scope="module")
def plain(lab: Lab) -> Neo4j:
    """A server without TLS."""
    return lab.add(Neo4j("plain", tls=False))


@pytest.fixture
def shown(neo4j_pair: tuple[Neo4j, Neo4j]) -> Iterator[Callable[[str], Neo4j]]:
    """Restart the first server with a certificate of some kind; in the end it has a good one again."""
    server = neo4j_pair[0]

    def show(kind: str) -> Neo4j:
        server.show(kind)  # type: ignore[arg-type]
        return server

    yield show
    server.show("good")


def at(server: Neo4j, uri: str | None = None) -> Endpoint:
    """The server as the operator is told of it."""
    return Endpoint(uri or server.uri, server.user, server.password, ca=server.ca_pem, timeout=5.0)


def look(endpoint: Endpoint) -> Sight:
    """One probe."""

    async def once() -> Sight:
        async with AsyncDatabase(endpoint) as db:
            return await probe(db, "primary", 5.0)

    return asyncio.run(once())


def reasons(endpoint: Endpoint) -> set[str]:
    """What the operator and a link each call it."""
    sight = look(endpoint)
    assert sight.error is not None
    assert sight.probe.alive, "a server that answers in a wrong way lives"
    health = SiteHealth(Verdict.UP)
    for _ in range(10):
        health = health.after(sight.probe, 2)
    assert health.verdict is Verdict.DEGRADED
    with pytest.raises(DatabaseError) as caught, Database(endpoint) as database:
        database.row("RETURN 1")
    return {sight.error.reason, caught.value.reason}


def test_every_kind_of_wrong_certificate_has_its_reason(shown: Callable[[str], Neo4j]) -> None:
    for kind, reason in REFUSED.items():
        server = shown(kind)
        for scheme in SCHEMES:
            uri = server.uri.replace("bolt", scheme)
            assert reasons(at(server, uri)) == {reason}, (kind, uri)
    good = shown("good")
    for scheme in SCHEMES:
        assert look(at(good, good.uri.replace("bolt", scheme))).probe.ok
    assert reasons(replace(at(good), ca=None)) == {"CertificateUntrusted"}, "the system's CAs do not know it"


def test_the_name_in_the_address_is_checked(neo4j_pair: tuple[Neo4j, Neo4j]) -> None:
    """127.1 is the same machine under a name that its certificate does not have."""
    server = neo4j_pair[0]
    assert look(at(server, f"bolt+s://127.0.0.1:{server.port}")).probe.ok
    assert reasons(at(server, f"bolt+s://127.1:{server.port}")) == {"CertificateNameMismatch"}


def test_tls_and_plain_are_told_apart_from_death(plain: Neo4j, neo4j_pair: tuple[Neo4j, Neo4j]) -> None:
    for scheme in SCHEMES:
        under_tls = at(neo4j_pair[0], f"{scheme}://localhost:{neo4j_pair[0].port}")
        assert reasons(replace(under_tls, ca=None)) == {"TlsRequired"}
        assert reasons(at(plain, f"{scheme}+s://localhost:{plain.port}")) == {"PlainServer"}


def test_nobody_there_is_no_answer_in_a_wrong_way(lab: Lab) -> None:
    port = lab.run.ports.free()
    for scheme in ("bolt", "bolt+s", "neo4j", "neo4j+s"):
        for host, reason in (("localhost", "DatabaseUnreachable"), ("no-such-host.invalid", "HostUnknown")):
            sight = look(Endpoint(f"{scheme}://{host}:{port}", "neo4j", "x"))
            assert sight.error is not None
            assert (sight.error.reason, sight.probe.alive) == (reason, False)


def test_a_link_names_the_side_and_goes_on_when_the_certificate_is_renewed(
    shown: Callable[[str], Neo4j], neo4j_pair: tuple[Neo4j, Neo4j]
) -> None:
    source, target = neo4j_pair
    for server in (source, target):
        server.reset()
    source.query("UNWIND range(1, 100) AS i CREATE (:A {uid: i})")
    shown("expired")
    worker = LinkProcess(source, target)
    try:
        worker.wait(lambda report: (report["error"] or {}).get("reason") == "SourceCertificateExpired")
        shown("good")
        worker.streaming()
        worker.caught_up()
        assert target.query("MATCH (a:A) RETURN count(a) AS n") == [{"n": 100}]
        assert worker.finish() == 0
    finally:
        worker.kill()


def test_a_wrong_password_locks_nobody_out(neo4j_pair: tuple[Neo4j, Neo4j], lab: Lab) -> None:
    """Five threads of a link, probes and heartbeats with a wrong password: the right one works all the while."""
    guarded = lab.add(Neo4j("guarded", settings={"dbms.security.auth_lock_time": "60s"}))
    wrong = Address(guarded.uri, guarded.user, "wrong-4711", guarded.ca_pem)
    worker = LinkProcess(wrong, neo4j_pair[1])

    async def hammer() -> None:
        async with AsyncDatabase(Endpoint(wrong.uri, wrong.user, wrong.password, ca=wrong.ca_pem)) as db:
            for _ in range(30):
                sight = await probe(db, "primary", 5.0)
                assert sight.error is not None
                assert sight.error.reason == "AuthenticationFailed"
                await asyncio.sleep(0.1)

    try:
        worker.wait(lambda report: report["state"] == "failed")
        asyncio.run(hammer())
        with guarded.driver() as fresh:
            assert fresh.execute_query("RETURN 1 AS one").records[0]["one"] == 1
    finally:
        worker.kill()
        guarded.stop()
