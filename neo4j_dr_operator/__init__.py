"""Cross-region disaster recovery for Neo4j 5.26 on Kubernetes.

Every package below is a room with one capability; ``docs/architecture.md`` has the map of the house.
"""

from __future__ import annotations

__version__ = "0.1.0"
