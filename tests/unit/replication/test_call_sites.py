"""The reading of the sources that the matrix of crashes is held against sees every kind of call."""

from __future__ import annotations

from tests.database import call_sites
from tests.database.call_sites import Site


def test_every_kind_of_receiver_is_seen() -> None:
    functions = {site.function for site in call_sites.sites()}
    assert {
        "seed.scan", "checkpoint._compacting", "heartbeat._measure", "link.guarded", "link._compare", "apply._count",
        "restored.take_over", "repair.body", "worker._advance", "schema.carry",
    } <= functions  # fmt: skip
    assert len([site for site in call_sites.sites() if site.function == "restored.take_over"]) == 6
    assert "report.write" not in functions
    assert "faults._new" not in functions


def test_uses_of_statements_are_seen_in_every_module() -> None:
    uses = {str(use) for use in call_sites.uses()}
    assert {
        "apply._empty CLEAR_NODES", "apply.create_nodes CREATE_NODES", "link.prepare SCHEMA[3]",
        "checkpoint._compacting _PUT", "restored._repeat (made there)", "handover._take _LOCK", "seed.counts _OURS",
    } <= uses  # fmt: skip


def test_what_was_not_struck_is_missing() -> None:
    everything = call_sites.missing(set(), set())
    site = next(site for site in call_sites.sites() if site.function == "handover._take" and site.first == site.last)
    assert str(site) in everything
    assert "handover._take _LOCK" in everything
    struck = {f"worker._attached:1 > handover._take:{site.first} > _LOCK"}
    left = call_sites.missing(struck, {"lost.explained"})
    assert str(site) not in left
    assert "handover._take _LOCK" not in left
    assert not [name for name in left if name.startswith("lost.explained")]
    assert Site("a.b", 1, 1) != Site("a.b", 2, 2)
