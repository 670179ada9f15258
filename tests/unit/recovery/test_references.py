"""What a resource refers to and cannot be used is named with where it stands."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from neo4j_dr_operator.api.disaster_recovery import DisasterRecoverySpec
from neo4j_dr_operator.errors import NotFound
from neo4j_dr_operator.recovery.references import Disagreement, References

SPEC = DisasterRecoverySpec.read({"primaryClusterRef": "east", "secondaryClusterRef": "west"})


class Api:
    """Nothing is there that was not seen."""

    async def secret(self, namespace: str, name: str) -> dict[str, str]:
        raise NotFound(name)

    async def get(self, group: str, version: str, plural: str, namespace: str, name: str) -> dict[str, Any]:
        raise NotFound(name)


def cluster(name: str, **spec: Any) -> dict[str, Any]:
    known = {"auth": {"adminSecret": "s"}, "disasterRecovery": {"enabled": True}}
    return {"metadata": {"name": name}, "spec": known | spec}


def test_a_cluster_whose_stored_spec_cannot_be_read_is_named() -> None:
    """An older version let it in; the field alone would be looked for in the resource that refers to it."""
    held = {"east": cluster("east"), "west": cluster("west", storage={"size": "lots", "className": "x"})}
    references = References(Api(), lambda _, name: held[name], ("ns", "dr"), "operator", {})
    with pytest.raises(Disagreement) as refused:
        asyncio.run(references.clusters(SPEC, first=False))
    assert refused.value.reason == "InvalidSpec"
    assert refused.value.message.startswith("spec.secondaryClusterRef names west, whose own spec.storage.size: ")
    assert "lots" not in refused.value.message
