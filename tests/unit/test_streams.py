"""When the operator calls itself ready."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace

import kopf
import pytest
from yarl import URL

from neo4j_dr_operator.api.base import GROUP, VERSION
from neo4j_dr_operator.handlers.streams import SILENCE, Streams, in_pod, why_not_ready


@pytest.mark.parametrize(
    ("unlisted", "silence", "reason"),
    [
        (set(), 0.0, None),
        (set(), SILENCE, None),
        (set(), SILENCE + 1, "the API server has not answered for 16 s"),
        ({"b", "a"}, 0.0, "not listed yet: a, b"),
        ({"a"}, None, "the API server has not answered yet"),
        (set(), None, "the API server has not answered yet"),
    ],
)
def test_ready_once_every_kind_was_listed_and_the_api_server_answers(
    unlisted: set[str], silence: float | None, reason: str | None
) -> None:
    assert why_not_ready(unlisted, silence) == reason


@pytest.mark.parametrize(
    ("host", "server"), [("10.96.0.1", "https://10.96.0.1:443"), ("fd00::1", "https://[fd00::1]:443")]
)
def test_the_api_server_is_reached_without_the_clusters_dns(
    monkeypatch: pytest.MonkeyPatch, host: str, server: str
) -> None:
    monkeypatch.setenv("KUBERNETES_SERVICE_HOST", host)
    monkeypatch.setenv("KUBERNETES_SERVICE_PORT", "443")
    found = in_pod(kopf.ConnectionInfo(server="https://kubernetes.default.svc", token="t"))
    assert found is not None
    assert (found.server, found.token) == (server, "t")


def test_outside_of_a_pod_the_address_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("KUBERNETES_SERVICE_HOST", raising=False)
    found = kopf.ConnectionInfo(server="https://api.example.com")
    assert in_pod(found) is found
    assert in_pod(None) is None


def test_a_kind_that_is_listed_once_more_is_told_of() -> None:
    """Its watch began anew: whatever was deleted before has no event any more."""
    told: list[str] = []
    streams = Streams(["kinds"], told.append)

    def answered(url: str) -> None:
        ended = SimpleNamespace(response=SimpleNamespace(status=200), url=URL(url))
        asyncio.run(streams._ended(None, SimpleNamespace(), ended))  # type: ignore[arg-type]

    path = f"https://api.example.com/apis/{GROUP}/{VERSION}"
    for url in (path, f"{path}/kinds?limit=5", f"{path}/kinds?limit=5&continue=x", f"{path}/kinds?watch=true"):
        answered(url)
    assert told == []
    answered(f"{path}/namespaces/production/kinds?limit=5")
    assert told == ["kinds"]
