"""Real servers for demo and tests: Kubernetes API servers, Neo4j, S3 and TCP links that can be cut. See README.md."""

from __future__ import annotations

from lab.control_plane import ControlPlane
from lab.database import Neo4j
from lab.facade import Lab
from lab.object_store import S3
from lab.proxy import Proxies, Proxy

__all__ = ["S3", "ControlPlane", "Lab", "Neo4j", "Proxies", "Proxy"]
