"""What is told of several standbys: the status's list, the cluster's status, and what turned."""

from __future__ import annotations

from typing import Any

import pytest

from neo4j_dr_operator.api.cluster import ClusterSpec
from neo4j_dr_operator.failover.state import ControlState
from neo4j_dr_operator.failover.view import Mark, SiteView
from neo4j_dr_operator.health.verdict import Verdict
from neo4j_dr_operator.reporting.telling import News
from neo4j_dr_operator.standbys.follower_status import (
    follower_cluster_status,
    secondary_items,
    standby_news,
    undecided_items,
)
from neo4j_dr_operator.standbys.following import FollowerView, LinkReport, Standing, Stood
from neo4j_dr_operator.standbys.secondaries import Follower, Layout, Standby
from tests.machine_inputs import down, following, link, seen, site, standby

WALL = 1_800_000_000.0
WEST = Standby("west", "cluster-west", "us-west-2", 1)
EU = Follower(Standby("eu", "cluster-eu", "eu-west-1"), "secondary")
LAYOUT = Layout(WEST, (EU,))
REPORT = LinkReport("streaming", "position")
SPEC = ClusterSpec.read({"external": {"uri": "bolt://eu:7687"}, "auth": {"adminSecret": "s"}})
GOOD = Standing("streaming", False, True, True, True, "Following", "an exact copy", 1.234)


def stood(standing: Standing = GOOD, view: SiteView | None = None, **other: Any) -> Stood:
    known = SiteView(Verdict.UP, "answers in time", "read-write", mark=Mark("standby", 2, "d", site="eu"))
    return Stood(FollowerView(EU, view or known, REPORT, **other), standing, address="bolt://eu:7687")


def items(state: ControlState | None = None, *found: Stood, **other: Any) -> list[dict[str, Any]]:
    told = [{"site": "secondary", "state": "streaming", "lagSeconds": 0.4, "position": "c"}]
    sight = seen(**other)
    return secondary_items(LAYOUT, found, state or following(), sight, told)


def test_each_standby_says_where_it_stands() -> None:
    west, eu = items(None, stood())
    assert (west["site"], west["source"], west["state"], west["lagSeconds"]) == (
        "secondary",
        "primary",
        "streaming",
        0.4,
    )
    assert (west["failoverReady"], west["reason"]) == (True, "StandbyReady")
    assert (eu["name"], eu["clusterRef"], eu["region"], eu["source"]) == ("eu", "cluster-eu", "eu-west-1", "secondary")
    assert (eu["state"], eu["lagSeconds"], eu["position"]) == ("streaming", 1.2, "position")
    assert (eu["failoverReady"], eu["reason"], "site" in eu) == (True, "Following", False)


@pytest.mark.parametrize(
    ("state", "sites", "state_told", "reason"),
    [
        (ControlState(), {}, "waiting", "Pending"),
        (following(active="secondary"), {}, "active", "Active"),
        (following(standby="seed"), {}, "streaming", "StandbySeeding"),
        (following(), {"secondary": down(standby())}, "streaming", "StandbyUnavailable"),
    ],
)
def test_the_one_that_takes_over_is_not_always_ready(
    state: ControlState, sites: dict[str, SiteView], state_told: str, reason: str
) -> None:
    found = items(state, sites={"primary": site(), "secondary": standby()} | sites, link=link())[0]
    assert (found["state"], found["failoverReady"], found["reason"]) == (state_told, False, reason)


def test_while_nothing_is_decided_the_one_that_takes_over_is_not_ready_and_nothing_old_is_told() -> None:
    """Names that are kept keep what they inherit; a follower that is followed stands as it did."""
    found, at_odds = items(None, stood()), ("InvalidTopology", "no such region")
    kept = [{"name": "west", "clusterRef": "old"}, found[1], {**found[1], "name": "gone"}]
    west, eu, gone = undecided_items(kept, found, at_odds)
    assert (west["clusterRef"], west["lagSeconds"], west["failoverReady"]) == ("old", 0.4, False)
    assert (west["reason"], west["message"]) == at_odds
    assert eu == found[1]
    assert (gone["state"], gone["lagSeconds"], gone["failoverReady"]) == ("waiting", None, False)


def cluster_status(each: Stood) -> dict[str, Any]:
    return follower_cluster_status(each, SPEC, 2, {}, 3, "dr", WALL)


def test_safety_that_a_followers_cluster_asks_for_and_does_not_get_is_named() -> None:
    rbac = {"enabled": True, "roles": [{"name": "admin", "permissions": ["cluster:failover"]}]}
    spec = ClusterSpec.read({"external": {"uri": "bolt://eu:7687"}, "auth": {"adminSecret": "s", "rbac": rbac}})
    status = follower_cluster_status(stood(), spec, 2, {}, 3, "dr", WALL)
    ready = next(each for each in status["conditions"] if each["type"] == "Ready")
    assert (ready["status"], ready["reason"]) == ("False", "NotYetSupported")
    assert "by spec.auth.rbac;" in ready["message"]
    assert status["notYetSupported"] == ["spec.auth.rbac"]


def conditions(each: Stood) -> dict[str, tuple[str, str]]:
    return {c["type"]: (c["status"], c["reason"]) for c in cluster_status(each)["conditions"]}


def test_a_followers_cluster_is_a_secondary() -> None:
    status = cluster_status(stood())
    assert (status["role"], status["phase"], status["epoch"], status["recovery"]) == ("secondary", "Ready", 2, "dr")
    assert (status["address"], status["observedGeneration"]) == ("bolt://eu:7687", 3)
    assert conditions(stood()) == {"Ready": ("True", "Up"), "ReadOnly": ("False", "Standby")}


def test_what_is_not_its_database_gets_no_role() -> None:
    refused = Standing("refused", False, False, False, False, "TargetNotEmpty", "it holds data")
    status = cluster_status(stood(refused))
    assert (status["role"], status["epoch"]) == (None, None)
    assert conditions(stood(refused))["Ready"] == ("False", "TargetNotEmpty")


@pytest.mark.parametrize(
    ("each", "ready", "read_only"),
    [
        (stood(problem=("ReferenceUnresolved", "no Secret")), ("False", "ReferenceUnresolved"), ("False", "Standby")),
        (stood(view=SiteView()), ("Unknown", "Unknown"), ("Unknown", "NotSeenYet")),
        (
            stood(view=SiteView(Verdict.DOWN, "3 probes", "read-only", reason="TimedOut")),
            ("False", "TimedOut"),
            ("True", "ReadOnly"),
        ),
    ],
)
def test_conditions_of_a_followers_cluster(each: Stood, ready: tuple[str, str], read_only: tuple[str, str]) -> None:
    assert conditions(each) == {"Ready": ready, "ReadOnly": read_only}


def test_only_what_turned_is_news() -> None:
    eu = {"name": "eu", "failoverReady": True, "reason": "Following", "message": "m"}
    gone = {"name": "eu", "failoverReady": False, "reason": "SourceDown", "message": "it is gone"}
    west = {"name": "west", "site": "secondary", "failoverReady": False}
    assert standby_news([], [gone, west]) == []
    assert standby_news([], [eu]) == [News("Standby eu", "Normal", "Following", "eu: m")]
    assert standby_news([eu, {**west, "failoverReady": True}], [gone, west]) == [
        News("Standby eu", "Warning", "SourceDown", "eu: it is gone")
    ]
    assert standby_news([eu], [eu]) == []
    assert standby_news([eu], []) == []
