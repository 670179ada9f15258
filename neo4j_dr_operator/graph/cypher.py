"""The statements of the data plane. Their texts are constant: names of labels and types travel as parameters.

On 5.26 ``CREATE (n:$($labels))`` and ``SET n:$($labels)`` cost the same as static labels (measured side by side), so no
name from data ever becomes part of a query: nothing to escape, one statement for all label sets, one plan in the cache.
A dynamic label in ``MATCH`` would scan all nodes; elements are found by their element id only, which is a seek.

Element ids travel as integers. ``$x`` is the constant part of the target's element ids, ``4:<database uuid>:`` for
nodes and ``5:<database uuid>:`` for relationships. Parameters are columns: a map a row doubles the client's cost.
A lookup that finds nothing says nothing, so every statement returns what it did and the caller counts.
"""

from __future__ import annotations

import re

BOOKKEEPING = "__Neo4jDR"
SITE = "__Neo4jDRSite"
LINK = "__Neo4jDRLink"
LOG = "__Neo4jDRLog"
MAP = "__Neo4jDRMap"
RESTORE = "__Neo4jDRRestore"

ALREADY_MADE = tuple(
    f"Neo.ClientError.Schema.{word}AlreadyExists"
    for word in ("EquivalentSchemaRule", "IndexWithName", "ConstraintWithName", "Constraint", "Index")
)
"""Codes of a schema command that lost a race against the same command."""

DELETE_RELATIONSHIPS = (
    "UNWIND $a AS a MATCH ()-[r]->() WHERE elementId(r) = $x + a DELETE r RETURN count(*)"  # undirected counts twice
)
DELETE_NODES = "UNWIND $a AS a MATCH (n) WHERE elementId(n) = $x + a DELETE n RETURN count(*)"
DELETE_REMAINING = (
    "UNWIND $a AS a MATCH (n) WHERE elementId(n) = $x + a MATCH (n)-[r]-() WITH DISTINCT r WITH r, id(r) AS i "
    "DELETE r RETURN collect(i)"
)
CREATE_NODES = (
    "UNWIND range(0, size($p) - 1) AS i CREATE (n:$($l[$k[i]])) SET n = $p[i] RETURN collect(id(n))"  # l: label sets
)
UPDATE_NODES = (
    "UNWIND range(0, size($p) - 1) AS i MATCH (n) WHERE elementId(n) = $x + $a[i] SET n = $p[i] RETURN count(*)"
)
RELABEL_NODES = (
    "UNWIND range(0, size($p) - 1) AS i MATCH (n) WHERE elementId(n) = $x + $a[i] "
    "REMOVE n:$($l[$k[i]][0]) SET n:$($l[$k[i]][1]) SET n = $p[i] RETURN count(*)"
)
OVERWRITE_NODES = (
    "UNWIND range(0, size($p) - 1) AS i MATCH (n) WHERE elementId(n) = $x + $a[i] "
    "REMOVE n:$(labels(n)) SET n:$($l[$k[i]]) SET n = $p[i] RETURN count(*)"
)
CREATE_RELATIONSHIPS = (
    "UNWIND range(0, size($p) - 1) AS i MATCH (a) WHERE elementId(a) = $x + $a[i] "
    "MATCH (b) WHERE elementId(b) = $x + $b[i] CREATE (a)-[r:$($l[$k[i]])]->(b) SET r = $p[i] RETURN collect(id(r))"
)
UPDATE_RELATIONSHIPS = (
    "UNWIND range(0, size($p) - 1) AS i MATCH ()-[r]->() WHERE elementId(r) = $x + $a[i] SET r = $p[i] RETURN count(*)"
)
CLEAR_NODES = "UNWIND $a AS a MATCH (n) WHERE elementId(n) = $x + a SET n = {} RETURN count(*)"
CLEAR_RELATIONSHIPS = "UNWIND $a AS a MATCH ()-[r]->() WHERE elementId(r) = $x + a SET r = {} RETURN count(*)"

_ESCAPE = re.compile(r"(?<!\\)((?:\\\\)*)\\u")


def quote(name: str) -> str:
    r"""``name`` in backticks, for schema commands, which take no parameter.

    Cypher decodes ``\uXXXX`` before it parses, also inside backticks, so the backslash of a name that holds such a
    sequence is written as an escape itself; otherwise ``\u0060`` in a name would end the quotes.
    """
    return "`" + _ESCAPE.sub(r"\1\\u005Cu", name).replace("`", "``") + "`"


def escaped(statement: str) -> str:
    r"""A statement as the server gives it (``createStatement``), fit to be sent back.

    5.26 doubles the backticks of names in it and leaves their ``\uXXXX`` as they are, which would be decoded.
    """
    return statement if r"\u005C" in statement else _ESCAPE.sub(r"\1\\u005Cu", statement)
