"""Whether a restore may begin: every way a target can be, and what is said."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from neo4j_dr_operator.api.restore import RestoreSpec
from neo4j_dr_operator.restore.decision import (
    Asked,
    Go,
    Held,
    Link,
    Look,
    LookFirst,
    Note,
    Owner,
    Refused,
    Seen,
    decide,
    owner_of,
    point_of,
    sites_of,
    under_way,
    unmarked,
)
from neo4j_dr_operator.restore.point import Point

DR = "apps/cross-region-dr"
SOURCE, ELSEWHERE = "7a1d5c3e-0f2b-4a68-9c11-2f0e6b7d8a90", "11111111-0f2b-4a68-9c11-2f0e6b7d8a90"
ASKED = Asked("apps/r/uid-1", "secondary-cluster")
FULL = Held("neo4j", nodes=5, relationships=3)
LINK = Link("primary>secondary", "streaming", SOURCE, 40)
STANDBY = replace(FULL, role="standby", dr=DR, links=(LINK,))
OWNER = Owner(DR, "secondary", active=False, source="primary-cluster", living=True)
DEAD = replace(OWNER, living=False)
LOOK = Look(DR, SOURCE)
OURS, OTHERS = Note(ASKED.restore, False, DR), Note("apps/other/uid-2", False, DR)


def verdict(seen: Seen, **asked: Any) -> Any:
    return decide(replace(ASKED, **asked), seen)


def refused(seen: Seen, **asked: Any) -> Refused:
    found = verdict(seen, **asked)
    assert isinstance(found, Refused), found
    return found


def goes(seen: Seen, **asked: Any) -> Go:
    found = verdict(seen, **asked)
    assert isinstance(found, Go), found
    return found


# -- a cluster of nobody --------------------------------------------------------------------------------------------


def test_an_empty_cluster_of_nobody_is_filled() -> None:
    went = goes(Seen(Held("neo4j")))
    assert (went.overwrite, went.standby) == (False, False)


def test_what_holds_anything_is_given_up_by_its_name_only() -> None:
    said = refused(Seen(FULL))
    assert said.reason == "TargetNotEmpty"
    assert "5 nodes and 3 relationships" in said.message
    assert "options.overwrite: neo4j" in said.message
    assert goes(Seen(FULL), overwrite="neo4j").overwrite
    wrong = refused(Seen(FULL), overwrite="graph")
    assert wrong.reason == "TargetNotEmpty"
    assert "names graph, but the database of secondary-cluster is neo4j" in wrong.message


def test_relationships_without_a_count_of_nodes_are_not_empty() -> None:
    assert refused(Seen(Held("neo4j", nodes=0, relationships=1))).reason == "TargetNotEmpty"


# -- other restores -------------------------------------------------------------------------------------------------


def test_another_restore_at_work_is_never_touched() -> None:
    seen = Seen(replace(FULL, notes=(OTHERS,)), alive=frozenset([OTHERS.restore]))
    for asked in ({}, {"overwrite": "neo4j"}, {"overwrite": "neo4j", "force": True}):
        said = refused(seen, **asked)
        assert said.reason == "RestoreUnderWay"
        assert "apps/other is at work" in said.message


def test_what_a_dead_restore_has_left_is_given_up_by_name() -> None:
    seen = Seen(replace(Held("neo4j"), notes=(OTHERS,)))
    said = refused(seen)
    assert said.reason == "RestoreUnderWay"
    assert "never ended" in said.message
    assert "options.overwrite: neo4j" in said.message
    assert goes(seen, overwrite="neo4j").overwrite


def test_a_complete_restore_is_a_graph_like_any_other() -> None:
    done = replace(OTHERS, complete=True)
    assert refused(Seen(replace(FULL, notes=(done,)))).reason == "TargetNotEmpty"
    assert goes(Seen(replace(Held("neo4j"), notes=(done,)))).overwrite is False


@pytest.mark.parametrize("complete", [True, False])
def test_its_own_work_goes_on_whatever_is_there(complete: bool) -> None:
    held = replace(STANDBY, notes=(replace(OURS, complete=complete),), links=())
    went = goes(Seen(held, [DEAD]))
    assert (went.overwrite, went.standby) == (True, True)
    alone = goes(Seen(replace(FULL, notes=(OURS,))))
    assert (alone.overwrite, alone.standby) == (False, False)
    foreign = goes(Seen(replace(held, notes=(replace(OURS, archive="apps/other"),)), [DEAD]), overwrite="neo4j")
    assert (foreign.overwrite, foreign.standby) == (True, False)


def test_the_first_of_two_is_named() -> None:
    assert "restore apps/first is at work" in under_way("apps/first/uid").message


# -- clusters of a disaster recovery ----------------------------------------------------------------------------------


def test_the_archive_is_looked_at_before_a_standby_is_touched() -> None:
    assert verdict(Seen(STANDBY, [OWNER])) == LookFirst(LINK)
    assert verdict(Seen(replace(STANDBY, links=()), [OWNER])) == LookFirst(None)


def test_a_copy_of_a_primary_that_is_there_may_go() -> None:
    went = goes(Seen(STANDBY, [OWNER], LOOK))
    assert (went.overwrite, went.standby) == (True, True)
    assert "a copy of primary-cluster" in went.why


def test_a_copy_of_a_dead_primary_may_go_where_the_archive_gives_the_same() -> None:
    assert verdict(Seen(STANDBY, [DEAD], LOOK)) == LookFirst(LINK)
    at = replace(LOOK, held=(SOURCE, 40), within=True)
    assert goes(Seen(STANDBY, [DEAD], at)).standby
    moved = replace(STANDBY, links=(replace(LINK, tx=41),))
    assert verdict(Seen(moved, [DEAD], at)) == LookFirst(replace(LINK, tx=41))
    ahead = refused(Seen(STANDBY, [DEAD], replace(at, within=False, lacking="it ends at 39")))
    assert ahead.reason == "StandbyAhead"
    assert "it ends at 39" in ahead.message
    assert "promote this one" in ahead.message
    assert goes(Seen(STANDBY, [DEAD], replace(at, within=False)), overwrite="neo4j").overwrite


def test_a_copy_of_another_database_is_not_one_of_the_living_primary() -> None:
    """The link names another source than the one of the newest epoch: only what can be restored again may go."""
    elsewhere = replace(STANDBY, links=(replace(LINK, source=ELSEWHERE),))
    assert verdict(Seen(elsewhere, [OWNER], LOOK)) == LookFirst(replace(LINK, source=ELSEWHERE))


def test_a_cluster_that_no_link_fills_is_no_copy() -> None:
    frozen = replace(LINK, phase="frozen")
    left = Link("restore:apps/old/uid", "streaming", SOURCE, 40)
    for links in ((), (frozen,), (left,), (LINK, replace(LINK, name="other>secondary"))):
        said = refused(Seen(replace(STANDBY, links=links), [OWNER], LOOK))
        assert said.reason == "TargetNotEmpty", links
        assert "no link says that this is a copy" in said.message


def test_an_empty_standby_is_taken_from_its_link() -> None:
    went = goes(Seen(replace(STANDBY, nodes=0, relationships=0), [OWNER], LOOK))
    assert (went.overwrite, went.standby) == (True, True)


def test_another_archive_needs_the_database_named() -> None:
    foreign = Look("apps/other-dr", SOURCE)
    said = refused(Seen(STANDBY, [OWNER], foreign))
    assert said.reason == "ForeignArchive"
    assert "apps/other-dr" in said.message
    assert DR in said.message
    went = goes(Seen(STANDBY, [OWNER], foreign), overwrite="neo4j")
    assert (went.overwrite, went.standby) == (True, False)


@pytest.mark.parametrize("overwrite", [None, "neo4j"])
def test_the_active_cluster_is_forced_and_its_database_named(overwrite: str | None) -> None:
    active = Owner(DR, "primary", active=True, source="primary-cluster", living=True)
    held = replace(FULL, role="primary", dr=DR)
    said = refused(Seen(held, [active], LOOK), overwrite=overwrite)
    assert said.reason == "ActivePrimary"
    assert "options.force: true" in said.message
    assert verdict(Seen(held, [active]), force=True) == LookFirst(None)
    found = verdict(Seen(held, [active], LOOK), force=True, overwrite=overwrite)
    if overwrite is None:
        assert isinstance(found, Refused)
        assert found.reason == "TargetNotEmpty"
    else:
        assert found == replace(found, overwrite=True, standby=False)


def test_the_mark_in_the_database_counts_where_no_resource_says_more() -> None:
    held = replace(FULL, role="primary", dr=DR)
    assert refused(Seen(held), overwrite="neo4j").reason == "ActivePrimary"
    assert goes(Seen(unmarked(held)), overwrite="neo4j").overwrite, "its resource is gone"
    unknown = Owner(DR, "secondary", active=False, known=False)
    assert refused(Seen(held, [unknown], LOOK), overwrite="neo4j").reason == "ActivePrimary", "made again a moment ago"
    assert goes(Seen(held, [OWNER], LOOK), overwrite="neo4j").overwrite, "an old primary that is standby by now"


HELD = st.builds(
    Held,
    database=st.just("neo4j"),
    nodes=st.integers(0, 2),
    relationships=st.integers(0, 2),
    role=st.sampled_from(["absent", "standby", "primary"]),
    dr=st.sampled_from([None, DR]),
    links=st.sampled_from([(), (LINK,), (replace(LINK, phase="frozen"),)]),
    notes=st.sampled_from([(), (OTHERS,), (replace(OTHERS, complete=True),)]),
)
OWNERS = st.lists(
    st.builds(
        Owner,
        dr=st.sampled_from([DR, "apps/other-dr"]),
        site=st.sampled_from(["primary", "secondary"]),
        active=st.booleans(),
        known=st.booleans(),
        living=st.booleans(),
    ),
    max_size=2,
)
LOOKS = st.none() | st.builds(
    Look,
    archive=st.sampled_from([DR, "apps/other-dr"]),
    newest=st.sampled_from([SOURCE, ELSEWHERE, None]),
    held=st.sampled_from([None, (SOURCE, 40)]),
    within=st.booleans(),
)


@given(HELD, OWNERS, LOOKS, st.booleans(), st.booleans())
def test_nothing_is_lost_that_was_not_named_or_is_not_kept_elsewhere(
    held: Held, owners: list[Owner], look: Look | None, force: bool, named: bool
) -> None:
    seen = Seen(held, owners, look, frozenset([OTHERS.restore]) if force else frozenset())
    found = decide(replace(ASKED, force=force, overwrite="neo4j" if named else None), seen)
    if not isinstance(found, Go):
        return
    assert force or not any(owner.active for owner in owners)
    assert OTHERS not in held.notes or named
    assert OTHERS.restore not in seen.alive or OTHERS not in held.notes
    if not held.empty and not named:
        assert found.overwrite
        assert look is not None
        owner = next(owner for owner in owners if owner.dr == look.archive)
        kept = look.within and look.held == (SOURCE, 40)
        assert held.links == (LINK,)
        assert kept or (owner.living and look.newest == SOURCE)


# -- resources ------------------------------------------------------------------------------------------------------


def recovery(status: dict[str, Any] | None = None, **spec: Any) -> dict[str, Any]:
    pair = {"primaryClusterRef": "a", "secondaryClusterRef": "b"}
    return {"metadata": {"namespace": "apps", "name": "dr"}, "spec": spec or pair, "status": status}


def test_the_clusters_of_a_resource() -> None:
    assert sites_of(recovery()) == {"primary": "a", "secondary": "b"}
    several = recovery(
        {"secondaryClusters": [{"name": "west", "clusterRef": "b", "site": "secondary"}, {"name": "eu"}]},
        primaryClusterRef="a",
        secondaryClusters=[{"name": "west"}, {"name": "eu", "clusterRef": "c"}, {"name": "new"}],
    )
    assert sites_of(several) == {"primary": "a", "secondary": "b", "eu": "c"}


def test_a_resource_as_an_owner() -> None:
    assert owner_of(recovery(), "c") is None
    fresh = owner_of(recovery(), "a")
    assert fresh == Owner("apps/dr", "primary", active=True, known=False, source="a", living=False)
    health = [{"site": "primary", "verdict": "DOWN"}, {"site": "secondary", "verdict": "UP"}]
    over = recovery({"epoch": 2, "activeSite": "secondary", "health": health})
    assert owner_of(over, "a") == Owner("apps/dr", "primary", active=False, source="b", living=True)
    assert owner_of(over, "b") == Owner("apps/dr", "secondary", active=True, source="b", living=True)
    before = recovery({"epoch": 1, "activeSite": "primary", "health": health})
    assert owner_of(before, "b") == Owner("apps/dr", "secondary", active=False, source="a", living=False)
    assert OWNER.name == "cross-region-dr"


SPEC = {
    "clusterRef": "b",
    "source": {"type": "transaction-logs", "location": {"type": "s3", "bucket": "logs"}},
}


@pytest.mark.parametrize(
    ("kind", "asked", "point"),
    [
        ("transaction-logs", {"pointInTime": "2025-01-15T10:30:00Z"}, {"time": "2025-01-15T10:30:00+00:00"}),
        (
            "transaction-logs",
            {"pointInTime": "2025-01-15T05:30:00.25-05:00"},
            {"time": "2025-01-15T05:30:00.250000-05:00"},
        ),
        ("transaction-logs", {"position": "AwEB"}, {"position": "AwEB"}),
        ("transaction-logs", {"transaction": 7}, {"transaction": 7}),
        ("transaction-logs", {"transaction": 7, "epoch": 2}, {"transaction": 7, "epoch": 2}),
        ("transaction-logs", {"latest": True}, {"end": True}),
        ("backup", {}, {"snapshot": "newest"}),
        ("backup", {"latest": True}, {"snapshot": "newest"}),
        (
            "backup",
            {"pointInTime": "2025-01-15T10:30:00Z"},
            {"snapshot": "newest", "time": "2025-01-15T10:30:00+00:00"},
        ),
    ],
)
def test_the_point_in_the_words_of_a_worker(kind: str, asked: dict[str, Any], point: dict[str, Any]) -> None:
    spec = RestoreSpec.read({**SPEC, **asked, "source": {**SPEC["source"], "type": kind}})  # type: ignore[dict-item]
    assert point_of(spec) == point
    if "position" not in point:
        Point.parse(point)
