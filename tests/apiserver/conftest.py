"""Fixtures of the API server tests."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import pytest

from lab import ControlPlane, Lab
from neo4j_dr_operator.api.kinds import KINDS

CRDS = Path(__file__).parents[2] / "crds"


@pytest.fixture(scope="package")
def plane() -> Iterator[ControlPlane]:
    """An API server that serves the three kinds."""
    plane = ControlPlane("crds")
    with Lab(plane):
        plane.kubectl("apply", "--validate=strict", "-f", str(CRDS))
        plane.established(*(kind.crd_name for kind in KINDS))
        yield plane


@pytest.fixture
def namespace(plane: ControlPlane) -> str:
    """A namespace of the test's own."""
    name = f"t-{uuid4().hex[:8]}"
    plane.kubectl("create", "namespace", name)
    return name
