"""Conditions about the RPO, the archive and what is not supported, and whose transactions are shipped."""

from __future__ import annotations

from dataclasses import replace

import pytest

from neo4j_dr_operator.failover.state import ControlState
from neo4j_dr_operator.failover.view import ShippingView
from neo4j_dr_operator.graph.retention import Retention
from neo4j_dr_operator.reporting.objectives import (
    Objectives,
    ShipPlan,
    log_shipping_healthy,
    ship_plan,
    within_rpo,
)

FOLLOWING = ControlState(epoch=3, active="secondary", standby="following", barrier="B")
SHIPPING = ShippingView("secondary", 3, "shipping", segment=7, up_to=990.0, backlog=0)
AWAY = replace(SHIPPING, reason="ObjectStoreUnreachable", message="bucket b does not answer")
ROOMY, FULL = Retention("2 days"), Retention("512M size", oldest=988.0, pace=1.0)
ASKED = Objectives(ship_every=60.0, archive="s3://logs/ns/dr", shipping=SHIPPING, now=1000.0)


@pytest.mark.parametrize(
    ("state", "objectives", "status", "reason"),
    [
        (FOLLOWING, Objectives(lag=1.0), "Unknown", "NotConfigured"),
        (ControlState(), Objectives(rpo=60.0), "Unknown", "Pending"),
        (FOLLOWING, Objectives(rpo=60.0, lag=60.0), "True", "WithinRPO"),
        (FOLLOWING, Objectives(rpo=60.0, lag=60.1), "False", "LagAboveRPO"),
        (FOLLOWING, Objectives(rpo=60.0), "Unknown", "LagUnknown"),
        (FOLLOWING, Objectives(rpo=0.0, lag=0.0), "False", "NotYetSupported"),
        (FOLLOWING.model_copy(update={"standby": "diverged"}), Objectives(rpo=60.0, lag=1.0), "False", "NotFollowing"),
    ],
)
def test_the_recovery_point_objective(state: ControlState, objectives: Objectives, status: str, reason: str) -> None:
    claim = within_rpo(state, objectives)
    assert (claim.status, claim.reason) == (status, reason)


@pytest.mark.parametrize(
    ("objectives", "status", "reason"),
    [
        (replace(ASKED, ship_every=None), "Unknown", "NotConfigured"),
        (ASKED, "True", "Shipping"),
        (replace(ASKED, shipping=None), "False", "Starting"),
        (replace(ASKED, shipping=replace(SHIPPING, state="attaching")), "False", "Attaching"),
        (replace(ASKED, shipping=replace(SHIPPING, reason="NotEncrypted", message="m")), "False", "NotEncrypted"),
        (replace(ASKED, ship_problem=("ReferenceUnresolved", "m")), "False", "ReferenceUnresolved"),
        (replace(ASKED, now=990.0 + 180.0), "True", "Shipping"),
        (replace(ASKED, now=990.0 + 180.1), "False", "Behind"),
        (replace(ASKED, ship_every=1.0, now=990.0 + 29.0), "True", "Shipping"),
        (replace(ASKED, ship_every=1.0, now=990.0 + 31.0), "False", "Behind"),
        (replace(ASKED, shipping=replace(AWAY, retention=ROOMY)), "False", "ObjectStoreUnreachable"),
        (replace(ASKED, shipping=replace(AWAY, retention=FULL)), "False", "RetentionRunningOut"),
        (replace(ASKED, shipping=replace(SHIPPING, retention=FULL, up_to=1000.0)), "True", "Shipping"),
    ],
)
def test_the_archive(objectives: Objectives, status: str, reason: str) -> None:
    claim = log_shipping_healthy(FOLLOWING, objectives)
    assert (claim.status, claim.reason) == (status, reason)


def test_a_log_whose_pruning_nobody_has_seen_is_not_called_roomy() -> None:
    """Neo4j's default keeps two days or 2 GiB: of a busy database the second is reached in minutes."""
    default = replace(ASKED, shipping=replace(SHIPPING, retention=Retention("2 days 2G", oldest=900.0)))
    assert default.headroom is None
    claim = log_shipping_healthy(FOLLOWING, default)
    assert (claim.status, claim.reason) == ("True", "Shipping")
    assert "is not known until it has been pruned once, since it keeps 2 days 2G" in claim.message
    assert "not known" not in log_shipping_healthy(FOLLOWING, replace(ASKED, shipping=SHIPPING)).message


def test_messages_at_rest_hold_no_moving_number() -> None:
    later = replace(ASKED, now=1010.0, shipping=replace(SHIPPING, segment=8, up_to=1005.0))
    assert log_shipping_healthy(FOLLOWING, ASKED) == log_shipping_healthy(FOLLOWING, later)
    assert within_rpo(FOLLOWING, Objectives(rpo=9.0, lag=1.0)) == within_rpo(FOLLOWING, Objectives(rpo=9.0, lag=2.0))


def test_the_active_site_is_shipped_from_its_barrier_on() -> None:
    assert ship_plan(ControlState()) is None
    assert ship_plan(ControlState(epoch=1)) == ShipPlan("primary", 1, None)
    assert ship_plan(FOLLOWING) == ShipPlan("secondary", 3, "B")


def test_a_new_epoch_is_not_shipped_before_its_barrier_is_known() -> None:
    returning = ControlState(epoch=2, active="secondary", standby="returning")
    assert ship_plan(returning) is None
    assert ship_plan(returning.model_copy(update={"barrier": "B"})) == ShipPlan("secondary", 2, "B")


def test_what_is_left_of_the_log_is_told_with_why_and_without_a_moving_number() -> None:
    """The condition turns while the store is away: that is when the log is the only place."""
    full = replace(ASKED, shipping=replace(AWAY, retention=FULL))
    claim = log_shipping_healthy(FOLLOWING, full)
    assert "512M size" in claim.message
    assert "bucket b does not answer" in claim.message
    assert claim == log_shipping_healthy(FOLLOWING, replace(full, now=1003.0))


def test_the_standbys_share_of_the_log_follows_from_its_lag() -> None:
    objectives = replace(ASKED, lag=3600.0, shipping=replace(SHIPPING, retention=ROOMY))
    assert objectives.headroom is not None
    assert objectives.link_headroom is not None
    assert objectives.link_headroom.seconds == 2 * 86_400 - 3600
    assert replace(objectives, lag=None).link_headroom is None
    assert Objectives(lag=1.0).link_headroom is None
