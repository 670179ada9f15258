"""A site that is not UP is looked at more often, and for all that not declared DOWN any sooner."""

from __future__ import annotations

import asyncio
import time

import pytest

from lab import Lab, Neo4j
from neo4j_dr_operator.cluster.endpoint import Resolved
from neo4j_dr_operator.graph.bolt import Endpoint
from neo4j_dr_operator.health.advice import Place
from neo4j_dr_operator.health.verdict import Verdict
from neo4j_dr_operator.recovery import site_runtime
from neo4j_dr_operator.recovery.site_runtime import SiteRuntime

INTERVAL, FAILURES = 0.8, 3


def runtime(seen: list[float]) -> SiteRuntime:
    """A site whose failed probes are noted with their times."""
    made = SiteRuntime("primary", lambda: None, lambda: seen.append(time.monotonic()))
    made.interval, made.timeout, made.failures = INTERVAL, 2.0, FAILURES
    return made


def at(uri: str, server: Neo4j | None = None) -> Resolved:
    """An address with the right credentials, where there is a server."""
    user, password, ca = (server.user, server.password, server.ca_pem) if server else ("neo4j", "x", None)
    endpoint = Endpoint(uri, user, password, ca=ca)
    place = Place("east", endpoint.address, "spec.external.uri", "east")
    return Resolved(endpoint, endpoint, place, place)


async def until(site: SiteRuntime, verdict: Verdict, seconds: float) -> float:
    """How long it took until the site has that verdict."""
    began = time.monotonic()
    while site.health.verdict is not verdict:
        assert time.monotonic() - began < seconds, site.health
        await asyncio.sleep(0.01)
    return time.monotonic() - began


def test_down_takes_as_long_as_asked_for(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(site_runtime, "MENDING", 0.05)
    failed: list[float] = []

    async def story() -> float:
        site = runtime(failed)
        await site.point(at(f"bolt://localhost:{lab.run.ports.free()}"))
        took = await until(site, Verdict.DOWN, 20)
        await site.close()
        return took

    took = asyncio.run(story())
    assert took >= 0.9 * INTERVAL * (FAILURES - 1)
    assert len(failed) == FAILURES, "looks between two turns count for nothing, also in the metric"


def test_what_was_mended_is_seen_before_the_next_turn(
    databases: tuple[Neo4j, Neo4j], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(site_runtime, "MENDING", 0.05)
    server = databases[0]

    async def story() -> tuple[float, float]:
        site = runtime([])
        site.interval = 30.0
        server.kill9()
        await site.point(at(server.uri, server))
        await asyncio.sleep(1)
        assert site.health.verdict is Verdict.UNKNOWN
        assert site.view().reason == "DatabaseUnreachable"
        await asyncio.to_thread(server.start)
        back = await until(site, Verdict.UP, 10)
        await site.part()
        assert site.view().verdict is Verdict.UNKNOWN
        assert site.view().address == ""
        assert site.link_endpoint is None
        await site.point(at(server.uri, server))
        again = await until(site, Verdict.UP, 10)
        await site.close()
        return back, again

    back, again = asyncio.run(story())
    assert max(back, again) < 10
