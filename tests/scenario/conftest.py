"""Fixtures of the scenario tests: everything real, one lab a test process."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from lab import S3, ControlPlane, Lab, Neo4j, Proxies
from tests.rights import used
from tests.scenario.audit import Requests
from tests.scenario.world import World, wait_for, world

pytest_plugins = ["lab.fixtures"]
ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="session")
def control_plane(lab: Lab) -> ControlPlane:
    """A Kubernetes API that writes down every request."""
    return lab.add(ControlPlane(audit=True))


@pytest.fixture(scope="session")
def plane(lab: Lab, neo4j_pair: tuple[Neo4j, Neo4j], s3: S3, control_plane: ControlPlane) -> ControlPlane:
    """The API server with our resources served."""
    control_plane.kubectl("apply", "-f", str(ROOT / "crds"))
    served = lambda: control_plane.kubectl("get", "n4dr,n4c,n4r", "-A", check=False).returncode == 0  # noqa: E731
    wait_for("the resources are served", served, 20)
    return control_plane


@pytest.fixture
def dr(lab: Lab, plane: ControlPlane, databases: tuple[Neo4j, Neo4j], s3: S3, tmp_path: Path) -> Iterator[World]:
    """A fresh world; the test sets it up and starts the operator."""
    with world(plane, databases, s3, tmp_path, lab.run.ports.free()) as made:
        seen = Requests(plane.audit_log, made.namespace)
        yield made
    assert seen.rights() <= used(), "a call that tests/rights.py does not see: the chart gives no right to it"


@pytest.fixture
def linked(dr: World, proxies: Proxies) -> World:
    """A world in which operator and links reach the primary through links of their own, which can be cut."""
    port = dr.sites["primary"].port
    dr.links = {"operator": proxies.proxy("localhost", port), "replication": proxies.proxy("localhost", port)}
    dr.addresses["primary"] = {
        "uri": f"bolt+s://{dr.links['operator'].address}",
        "replicationUri": f"bolt+s://{dr.links['replication'].address}",
    }
    return dr
