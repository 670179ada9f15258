"""Real servers for demo and tests: Kubernetes API servers, Neo4j, S3 and TCP links that can be cut. See README.md.

The names are imported when first used: what runs before the Python environment exists (``doctor``, ``build``) needs
the standard library only.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from lab.control_plane import ControlPlane
    from lab.database import Neo4j
    from lab.facade import Lab
    from lab.object_store import S3, MinIO
    from lab.proxy import Proxies, Proxy

__all__ = ["S3", "ControlPlane", "Lab", "MinIO", "Neo4j", "Proxies", "Proxy"]

_MODULES = {
    "S3": "object_store",
    "ControlPlane": "control_plane",
    "Lab": "facade",
    "MinIO": "object_store",
    "Neo4j": "database",
    "Proxies": "proxy",
    "Proxy": "proxy",
}


def __getattr__(name: str) -> Any:
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"lab.{_MODULES[name]}"), name)
