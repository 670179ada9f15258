"""A driver to one of the two databases, from the plain description that the demo's processes are given."""

from __future__ import annotations

import ssl
from typing import Any

import neo4j


def describe(site: Any) -> dict[str, str | None]:
    """A lab database as JSON: ``uri``, ``user``, ``password``, ``ca`` (PEM text or None)."""
    return {"uri": site.uri, "user": site.user, "password": site.password, "ca": site.ca_pem}


def driver(site: dict[str, Any]) -> neo4j.Driver:
    """A driver that says at once what is wrong, instead of trying again by itself."""
    options: dict[str, Any] = {"encrypted": False}
    if site["ca"]:
        options = {"encrypted": True, "ssl_context": ssl.create_default_context(cadata=site["ca"])}
    return neo4j.GraphDatabase.driver(
        site["uri"].replace("+s://", "://"),
        auth=(site["user"], site["password"]),
        connection_timeout=2.0,
        connection_acquisition_timeout=3.0,
        max_transaction_retry_time=0.0,
        notifications_min_severity="OFF",
        **options,
    )
