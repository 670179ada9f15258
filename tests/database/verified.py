"""`verify` as the tests of others use it."""

from __future__ import annotations

from lab import Neo4j
from neo4j_dr_operator.graph.bolt import Endpoint
from neo4j_dr_operator.verify.run import Options, verify
from neo4j_dr_operator.verify.verdict import Verdict
from tests.database.process import Address

QUICK = Options(patience=3.0, schema_patience=1.0)
DATA = Options(schema=False)
"""For a pair whose schema has not been carried over yet."""


def way(server: Neo4j | Address) -> Endpoint:
    """How `verify` reaches a server."""
    return Endpoint(server.uri, server.user, server.password, ca=server.ca_pem, timeout=20)


def compared(source: Neo4j | Address, target: Neo4j | Address, options: Options = QUICK) -> Verdict:
    """The verdict on two servers that a link connects, called west and east."""
    return verify({"west": way(source), "east": way(target)}, options)


def assert_verified(source: Neo4j, target: Neo4j) -> Verdict:
    """The same, for graphs that must be equal, whatever goes on meanwhile."""
    verdict = compared(source, target, DATA)
    assert verdict.equal, verdict.differences
    return verdict
