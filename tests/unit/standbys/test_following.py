"""Where a follower stands, for everything that can be wrong with it, its link and its source."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from neo4j_dr_operator.failover.state import ControlState
from neo4j_dr_operator.failover.view import Mark, Seen, SiteView, Survey
from neo4j_dr_operator.health.verdict import Verdict
from neo4j_dr_operator.standbys.following import (
    FollowerView,
    LinkReport,
    Moment,
    Source,
    Standing,
    lag_of,
    source_follower,
    source_site,
    stand,
)
from neo4j_dr_operator.standbys.secondaries import Follower, Standby
from tests.machine_inputs import DR, down, following, seen

WALL = 2_000_000.0
EU = Follower(Standby("eu", "cluster-eu", "eu-west-1", 2), "secondary")
SOURCE = Source("secondary", True, None, 0.4)
STREAMING = LinkReport("streaming", "c", heartbeat=WALL - 2, read_at=WALL - 0.1, caught_up=True)
MARKED = Mark("standby", 1, DR, inbound_phase="streaming", inbound_epoch=1, site="eu", links=("secondary>eu",))


def at(mark: Mark | None = MARKED, **other: Any) -> SiteView:
    return SiteView(Verdict.UP, "answers in time", "read-write", mark=mark, **other)


def view(site: SiteView | None = None, link: LinkReport | None = STREAMING, **other: Any) -> FollowerView:
    return FollowerView(EU, at() if site is None else site, link, **other)


def standing(of: FollowerView, source: Source = SOURCE, state: ControlState | None = None, **other: Any) -> Standing:
    known: dict[str, Any] = {"lag": None, "beating": True, "wall": WALL, "rpo": None}
    return stand(of, source, Moment(state or following(), seen(), **(known | other)), DR)


def test_an_exact_copy_is_ready_and_its_lag_is_that_behind_the_active_site() -> None:
    found = standing(view())
    assert (found.state, found.run, found.mark, found.ready, found.reason) == (
        "streaming",
        True,
        False,
        True,
        "Following",
    )
    assert found.lag == 2


def test_a_new_empty_database_is_marked_before_its_link_runs() -> None:
    new = at(Mark("absent", 0), survey=Survey("d", empty=True, capture=True))
    first = standing(view(new, None))
    assert (first.mark, first.run, first.ready) == (True, False, False)
    then = standing(view(at(Mark("standby", 1, DR, site="eu")), None))
    assert (then.mark, then.run, then.reason) == (False, True, "Starting")


def test_a_higher_epoch_of_the_pair_is_written_down_and_stops_nothing() -> None:
    found = standing(view(), state=following(epoch=4))
    assert (found.mark, found.run, found.ready) == (True, True, True)


@pytest.mark.parametrize(
    ("reason", "site"),
    [
        ("OwnedByAnother", at(replace(MARKED, dr="elsewhere/other"))),
        ("OtherStandby", at(replace(MARKED, site="secondary"))),
        ("OtherStandby", at(Mark("primary", 1, DR, site="primary"))),
        ("OtherStandby", at(replace(MARKED, site="ap"))),
        ("TargetNotEmpty", at(Mark("absent", 0), survey=Survey("d", empty=False, capture=True))),
        ("SourceChanged", at(replace(MARKED, inbound_phase=None, links=("primary>eu",)))),
    ],
)
def test_what_is_not_its_database_is_not_touched(reason: str, site: SiteView) -> None:
    found = standing(view(site, None))
    assert (found.mark, found.run, found.exact, found.ready, found.reason) == (False, False, False, False, reason)


@pytest.mark.parametrize(
    ("reason", "run", "of", "source"),
    [
        ("ReferenceUnresolved", True, view(problem=("ReferenceUnresolved", "no Secret")), SOURCE),
        ("DatabaseUnreachable", True, view(replace(down(at()), reason="DatabaseUnreachable")), SOURCE),
        ("SourceDown", True, view(), replace(SOURCE, trouble=("SourceDown", "3 probes failed"))),
        ("SourceDown", True, view(link=replace(STREAMING, reason="SourceUnreachable")), SOURCE),
        (
            "SourceDown",
            True,
            view(link=replace(STREAMING, reason="SourceUnreachable")),
            replace(SOURCE, trouble=("SourceNotReady", "")),
        ),
        ("SourceSeeding", False, view(), Source("secondary", False, ("SourceSeeding", "being filled"))),
        ("TargetAuthFailed", True, view(link=replace(STREAMING, reason="TargetAuthFailed")), SOURCE),
        ("Seeding", True, view(at(replace(MARKED, inbound_phase="seeding")), LinkReport("seeding")), SOURCE),
        ("CatchingUp", True, view(link=replace(STREAMING, state="catching-up")), SOURCE),
    ],
)
def test_what_keeps_a_follower_from_being_ready(reason: str, run: bool, of: FollowerView, source: Source) -> None:
    found = standing(of, source)
    assert (found.ready, found.reason, found.run) == (False, reason, run)


def test_a_lag_above_the_rpo_is_not_ready() -> None:
    assert standing(view(), rpo=1.0).reason == "LagAboveRPO"
    assert standing(view(), rpo=3.0).ready


def test_lag_without_heartbeats_is_the_sources_own_once_all_of_it_was_applied() -> None:
    assert lag_of(STREAMING, SOURCE, False, WALL) == pytest.approx(0.5)
    assert lag_of(replace(STREAMING, caught_up=False), SOURCE, False, WALL) is None
    assert lag_of(STREAMING, replace(SOURCE, lag=None), False, WALL) is None
    assert lag_of(replace(STREAMING, heartbeat=None), SOURCE, True, WALL) is None
    assert lag_of(replace(STREAMING, state="attaching"), SOURCE, True, WALL) is None
    assert lag_of(None, SOURCE, True, WALL) is None


@pytest.mark.parametrize(
    ("standby", "usable", "trouble"),
    [
        ("following", True, None),
        ("joining", True, None),
        ("seed", False, "SourceSeeding"),
        ("returning", False, "SourceReturning"),
        ("diverged", False, "SourceDiverged"),
        ("lost", False, "SourceDiverged"),
    ],
)
def test_a_site_is_followed_only_while_it_holds_nothing_of_its_own(
    standby: str, usable: bool, trouble: str | None
) -> None:
    source = source_site("secondary", following(standby=standby), seen(), 0.7)
    assert (source.usable, source.trouble and source.trouble[0]) == (usable, trouble)
    assert source_site("primary", following(standby=standby), seen(), 0.7) == Source("primary", True, None, 0.0)


def test_a_source_that_is_down_is_said_and_still_followed() -> None:
    dead = Seen(sites={site: down(seen().sites[site]) for site in seen().sites})
    for site in seen().sites:
        found = source_site(site, following(), dead, None)
        assert (found.usable, found.trouble and found.trouble[0]) == (True, "SourceDown")
    assert not source_site("primary", ControlState(), seen(), None).usable


def test_a_follower_is_a_source_once_it_is_exact() -> None:
    good = standing(view())
    assert source_follower(view(), good) == Source("eu", True, None, 2)
    filling = view(at(replace(MARKED, inbound_phase="seeding")), LinkReport("seeding"))
    found = source_follower(filling, standing(filling))
    assert (found.usable, found.trouble and found.trouble[0]) == (False, "SourceSeeding")
    broken = view(link=replace(STREAMING, reason="TargetAuthFailed"))
    assert source_follower(broken, standing(broken)).trouble == ("SourceNotReady", "eu: TargetAuthFailed: ")
    gone = view(down(at()))
    assert (source_follower(gone, standing(gone)).trouble or ("",))[0] == "SourceDown"


def test_a_lost_place_is_healed_only_where_the_resource_allows_it_or_nothing_can_be_lost() -> None:
    lost = replace(STREAMING, state="failed", reason="PositionPruned", message="gone")
    held = standing(view(link=lost))
    assert (held.renew, held.ready, held.exact, held.reason) == (False, False, True, "PositionPruned")
    assert "replication.reseed: automatic" in held.message
    assert standing(view(link=lost), reseed=True).renew
    assert standing(view(at(replace(MARKED, inbound_phase="seeding")), lost)).renew, "a half copy has nothing to lose"
    replaced = replace(lost, reason="SourceReplaced")
    assert not standing(view(link=replaced), reseed=True).renew
    assert "empty the database" in standing(view(link=replaced), reseed=True).message


def test_a_copy_that_is_filled_anew_is_no_source_whatever_the_last_probe_saw() -> None:
    assert not standing(view(link=LinkReport("reseeding"))).exact
    assert standing(view(link=LinkReport("attaching"))).exact


def test_what_is_still_tried_again_does_not_count() -> None:
    error = {"state": "streaming", "error": {"reason": "SourceUnreachable", "message": "m"}}
    assert LinkReport.of(error).reason == "SourceUnreachable"
    assert LinkReport.of(error | {"retrying": True}).reason is None


def test_a_report_is_read_as_the_worker_writes_it() -> None:
    assert LinkReport.of({}).state == "starting"
    report = {"state": "streaming", "cursor": "c", "heartbeat": 1500, "readAt": 2.0, "caughtUp": True}
    error = {"error": {"reason": "Stale", "message": "m"}}
    assert LinkReport.of(report | error) == LinkReport("streaming", "c", 1.5, 2.0, True, "Stale", "m")
