"""The property graph: change positions, Cypher writing, the element map, and the door to Neo4j (:mod:`.bolt`).

The Neo4j driver is imported in this room only. Its exceptions leave it as classes of :mod:`neo4j_dr_operator.errors`.
"""

from __future__ import annotations
