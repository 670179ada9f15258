"""Fixtures of the lab, for the lab's own tests."""

from __future__ import annotations

from pathlib import Path

import pytest

from lab import builds, cache
from lab.fixtures import *  # noqa: F403  # fixtures are found by name in a conftest


@pytest.fixture
def lab_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cache of its own (so that a sweep sees only this test's runs) that shares the programs already built."""
    builds.ensure(["versitygw", "toxiproxy"])
    (tmp_path / "builds").symlink_to(cache.folder("builds"))
    monkeypatch.setenv("NEO4J_DR_CACHE", str(tmp_path))
    return tmp_path
