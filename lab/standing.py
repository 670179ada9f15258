"""A lab that is left running, and how to talk to it."""

from __future__ import annotations

import sys
from pathlib import Path

from lab import run
from lab.control_plane import ControlPlane
from lab.database import Neo4j
from lab.facade import Lab
from lab.object_store import S3
from lab.proxy import Proxies

TALK = "talk.txt"


def up() -> None:
    """Start a control plane, two databases, S3 and the proxies; print how to talk to them.

    When a lab was left running already, that one is described instead.
    """
    run.sweep()
    for path in run.kept():
        if (path / TALK).exists():
            sys.stdout.write((path / TALK).read_text())
            return
    plane, primary, secondary, store, links = ControlPlane(), Neo4j("primary"), Neo4j("secondary"), S3(), Proxies()
    with Lab(plane, primary, secondary, store, links) as lab:
        bucket = store.make_bucket("neo4j-dr")
        path = lab.run.path
        text = describe(plane, (primary, secondary), store, bucket, links, lab.run.logs)
        (path / TALK).touch(mode=0o600)
        (path / TALK).write_text(text)
        lab.keep()
    sys.stdout.write(text)


def describe(
    plane: ControlPlane, databases: tuple[Neo4j, ...], store: S3, bucket: str, links: Proxies, logs: Path
) -> str:
    """Lines for a shell: what is where, and with which credentials."""
    lines = ["", "# Kubernetes", f"export KUBECONFIG={plane.kubeconfig}", f"export PATH={plane.tools}:$PATH", ""]
    for database in databases:
        authority = database.home / "tls" / "ca.crt"
        lines += [
            f"# Neo4j, {database.name}: {database.uri}, user {database.user}, password {database.password}",
            f"#   certificate authority {authority}",
            f"{sys.executable} -c '{CYPHER}' {database.uri} {authority} {database.password} 'RETURN 1 AS one'",
            "",
        ]
    lines += [f"# S3, bucket {bucket}", *(f"export {key}={value}" for key, value in store.environment.items())]
    lines += ["", f"# TCP links: {links.api}/proxies", f"# logs: {logs}", "# end it all: make lab-down", ""]
    return "\n".join(lines)


CYPHER = (
    "import ssl, sys, neo4j; uri, ca, password, text = sys.argv[1:]; "
    'd = neo4j.GraphDatabase.driver(uri.replace("+s", ""), auth=("neo4j", password), encrypted=True, '
    "ssl_context=ssl.create_default_context(cafile=ca)); print(*d.execute_query(text).records); d.close()"
)
"""A Cypher shell in one line: arguments are address, file of the authority, password and query."""
