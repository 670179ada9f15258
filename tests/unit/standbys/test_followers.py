"""A request to fill a follower's copy anew: it is for the copy that stands there, once, and for nothing else."""

from __future__ import annotations

from dataclasses import replace
from typing import Any
from unittest.mock import Mock

import pytest

from neo4j_dr_operator.api.disaster_recovery import DisasterRecoverySpec
from neo4j_dr_operator.failover.state import SITES
from neo4j_dr_operator.graph.bolt import Endpoint
from neo4j_dr_operator.recovery.plans import follower_config
from neo4j_dr_operator.recovery.site_runtime import SiteRuntime
from neo4j_dr_operator.standbys.followers import Followers, _Runtime
from neo4j_dr_operator.standbys.following import FollowerView, LinkReport, Standing, Stood
from neo4j_dr_operator.standbys.secondaries import Follower, Standby

EU = Follower(Standby("eu", "cluster-eu", "eu-west-1", 2), "secondary")
SPEC = DisasterRecoverySpec.read({"primaryClusterRef": "east", "secondaryClusterRef": "west"})
END = Endpoint("bolt://h", "u", "p", None)


def asked() -> tuple[_Runtime, str]:
    """A follower whose copy is to be filled anew, and the request's ticket."""
    runtime = _Runtime(EU, lambda: None, lambda: None)
    runtime.renew(None)
    assert runtime.ticket is not None
    return runtime, runtime.ticket


def acted(runtime: _Runtime, link: LinkReport) -> None:
    """One round over what the follower's link has reported."""
    anything: Any = Mock()
    pair = {site: SiteRuntime(site, lambda: None, lambda: None) for site in SITES}
    followers = Followers(anything, lambda _, __: None, ("ns", "dr"), pair, anything, lambda: None)
    followers._runtimes, followers._spec = {"eu": runtime}, SPEC
    standing = Standing(link.state, False, True, True, True, "Following", "")
    followers.act([Stood(FollowerView(EU, link=link), standing)], 1)


def test_a_request_that_is_carried_out_is_forgotten() -> None:
    """Else it overwrites what comes to stand behind the follower's address later."""
    runtime, ticket = asked()
    for going_on in (None, LinkReport("streaming"), LinkReport("streaming", reseed="before")):
        runtime.settle(going_on)
        assert runtime.ticket == ticket
    runtime.settle(LinkReport("catching-up", reseed=ticket))
    assert runtime.ticket == ticket
    acted(runtime, LinkReport("streaming", reseed=ticket))
    assert runtime.ticket is None
    runtime.renew(ticket)
    assert runtime.ticket not in (None, ticket), "and the next one is another one"


@pytest.mark.parametrize(("state", "reason", "kept"), [
    ("failed", "LinkMissing", False), ("failed", "PositionPruned", True), ("attaching", "LinkMissing", True),
])  # fmt: skip
def test_a_request_for_a_copy_that_is_gone_is_forgotten(state: str, reason: str, kept: bool) -> None:
    """What stands there now is filled where it is empty, as a new follower's."""
    runtime, ticket = asked()
    runtime.settle(LinkReport(state, reason=reason))
    assert runtime.ticket == (ticket if kept else None)


def test_a_copy_is_filled_anew_only_where_its_link_stands() -> None:
    anew, first = (follower_config(EU.link, END, END, SPEC, ticket) for ticket in ("t", None))
    assert anew is not None
    assert first is not None
    assert (anew.origin, anew.reseed) == ("attach", "t"), "no database without a link of ours is overwritten for it"
    assert (first.origin, first.reseed) == ("seed", None)
    assert anew.identity() == replace(first, reseed="t").identity()
