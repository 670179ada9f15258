"""The note that a restore leaves in its target: what everybody has to know who looks at a database (pure).

While a note stands (`resumed` is empty) the graph is the restore's: no link fills it, nothing promotes it.
"""

from __future__ import annotations

from neo4j_dr_operator.graph.cypher import RESTORE

PREFIX = "restore:"
STANDING = f"MATCH (r:`{RESTORE}`) WHERE coalesce(r.resumed, '') = ''"
"""The beginning of a query for the notes that stand, at most one, as ``r``."""


def link_name(restore: str) -> str:
    """The name of the link that a restore keeps its position in."""
    return f"{PREFIX}{restore}"


def spoken(restore: str) -> str:
    """A restore as people know it: ``<namespace>/<name>`` of the resource, without its uid."""
    return "/".join(restore.split("/")[:2])
