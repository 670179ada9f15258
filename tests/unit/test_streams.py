"""When the operator calls itself ready."""

from __future__ import annotations

import asyncio
import logging
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import kopf
import pytest
import yaml
from yarl import URL

from neo4j_dr_operator.api.base import GROUP, VERSION
from neo4j_dr_operator.handlers.streams import SILENCE, Streams, anonymous, in_pod, why_not_ready


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


PLUGIN = {
    "apiVersion": "client.authentication.k8s.io/v1",
    "command": "./plugin",
    "interactiveMode": "Never",
}


@pytest.mark.parametrize(
    ("user", "sent"),
    [
        ({"exec": PLUGIN}, "Bearer of-plugin-1"),
        ({"tokenFile": "token"}, "Bearer of-file"),
        ({"token": "plain"}, "Bearer plain"),
        ({"token": "plain", "exec": PLUGIN}, "Bearer plain"),
        ({}, None),
    ],
)
def test_every_way_to_sign_in_that_a_kubeconfig_knows(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, user: dict[str, Any], sent: str | None
) -> None:
    """Plugins sign in at the clusters of the clouds; their tokens are short-lived, and each login makes a new one."""
    status = '{"apiVersion": "client.authentication.k8s.io/v1", "kind": "ExecCredential", "status": {"token": "%s"}}'
    plugin = tmp_path / "plugin"
    plugin.write_text(f"#!/bin/sh\necho >> runs\nprintf '{status}' of-plugin-$(wc -l < runs)\n")
    plugin.chmod(0o700)
    (tmp_path / "token").write_text("of-file")
    settings = {
        "current-context": "c",
        "contexts": [{"name": "c", "context": {"cluster": "c", "user": "u", "namespace": "n"}}],
        "clusters": [{"name": "c", "cluster": {"server": "https://api.example.com"}}],
        "users": [{"name": "u", "user": user}],
    }
    kubeconfig = tmp_path / "config"
    kubeconfig.write_text(yaml.safe_dump(settings))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("KUBECONFIG", str(kubeconfig))
    monkeypatch.delenv("KUBERNETES_SERVICE_HOST", raising=False)
    monkeypatch.setattr("kubernetes.config.kube_config.KUBE_CONFIG_DEFAULT_LOCATION", str(kubeconfig))
    monkeypatch.setattr("kubernetes.client.Configuration._default", None)

    async def signed_in() -> tuple[str, str | None, str | None]:
        made = await Streams([]).login(logger=logging.getLogger(), settings=kopf.OperatorSettings())
        assert made is not None
        async with made.aiohttp_session as session:
            return made.server, made.default_namespace, session.headers.get("Authorization")

    assert asyncio.run(signed_in()) == ("https://api.example.com", "n", sent)
    if sent == "Bearer of-plugin-1":
        assert asyncio.run(signed_in())[2] == "Bearer of-plugin-2", "the old one has expired"


@pytest.mark.parametrize("known", [{"token": "t"}, {"username": "u"}, {"certificate_data": "c"}])
def test_credentials_that_kopf_reads_are_used_as_they_are(
    monkeypatch: pytest.MonkeyPatch, known: dict[str, Any]
) -> None:
    monkeypatch.delenv("KUBERNETES_SERVICE_HOST", raising=False)
    assert anonymous(kopf.ConnectionInfo(server="https://api.example.com"))
    assert not anonymous(kopf.ConnectionInfo(server="https://api.example.com", **known))
    monkeypatch.setenv("KUBERNETES_SERVICE_HOST", "10.96.0.1")
    assert not anonymous(kopf.ConnectionInfo(server="https://api.example.com")), "the client would prefer the account"


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
