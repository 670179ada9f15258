"""`Ready` names what has to be mended first."""

from __future__ import annotations

from dataclasses import replace

import pytest

from neo4j_dr_operator.failover.state import ControlState
from neo4j_dr_operator.failover.view import Desired, Seen, SiteView
from neo4j_dr_operator.failover.votes import follows
from neo4j_dr_operator.health.verdict import Verdict
from neo4j_dr_operator.reporting.causes import cause
from neo4j_dr_operator.reporting.objectives import Objectives
from neo4j_dr_operator.reporting.report import conditions
from tests.machine_inputs import down, following, link, operating, seen, site, standby

NEW = ControlState()
LOCKED = SiteView(Verdict.DEGRADED, "wrong password", reason="AuthenticationFailed")
EXPIRED = SiteView(Verdict.DEGRADED, "expired", reason="CertificateExpired")
GONE = ("ReferenceUnresolved", "no such Secret")


def ready(state: ControlState, sight: Seen, why: str) -> tuple[str, str]:
    (found,) = [c for c in conditions(state, Desired(), sight, why, Objectives()) if c.type == "Ready"]
    return found.status, found.reason


@pytest.mark.parametrize(
    ("sight", "why", "reason"),
    [
        (Seen({"primary": LOCKED, "secondary": site()}), "Adopting: x", "AuthenticationFailed"),
        (Seen({"primary": site(), "secondary": EXPIRED}), "Adopting: x", "CertificateExpired"),
        (Seen({"primary": LOCKED, "secondary": EXPIRED}), "Adopting: x", "AuthenticationFailed"),
        (Seen({"primary": site(), "secondary": site()}), "SameDatabase: x", "SameDatabase"),
        (Seen({"primary": site(), "secondary": site()}), "OwnedByAnother: x", "OwnedByAnother"),
        (Seen({"primary": site(), "secondary": SiteView()}, unresolved={"secondary": GONE}), "Adopting: x", GONE[0]),
        (Seen({"primary": site(), "secondary": site()}, unresolved={"witness": GONE}), "Adopting: x", GONE[0]),
        (Seen({"primary": SiteView(), "secondary": SiteView()}), "Adopting: x", "Adopting"),
    ],
)
def test_before_adoption(sight: Seen, why: str, reason: str) -> None:
    assert ready(NEW, sight, why) == ("False", reason)


@pytest.mark.parametrize(
    ("sight", "reason"),
    [
        (seen(sites={"primary": LOCKED, "secondary": EXPIRED}), "AuthenticationFailed"),
        (seen(sites={"primary": site(), "secondary": EXPIRED}), "CertificateExpired"),
        (seen(sites={"primary": down(site()), "secondary": standby()}), "PrimaryUnavailable"),
        (seen(link=link(state="failed", reason="TargetAltered", message="x")), "TargetAltered"),
        (seen(blocked=("PermissionDenied", "x")), "PermissionDenied"),
        (seen(unresolved={"primary": GONE}), GONE[0]),
    ],
)
def test_while_it_runs(sight: Seen, reason: str) -> None:
    assert ready(following(), sight, "why") == ("False", reason)


@pytest.mark.parametrize(
    "other",
    [
        link(reason="Stale", state="attaching"),
        link(epoch=2, reason="TargetAltered"),
        link(source="secondary", reason="TargetAltered"),
        None,
    ],
)
def test_a_link_of_another_epoch_or_on_its_way_to_this_one_is_no_fault(other: object) -> None:
    sight = seen(link=other)
    assert cause(following(), sight, "why") is None
    expected = ("True", "Replicating") if follows(following(), sight) else ("False", "NoLink")
    assert ready(following(), sight, "why") == expected


def test_a_change_under_way_is_named_before_what_it_is_about() -> None:
    sight = seen(sites={"primary": LOCKED, "secondary": standby()})
    assert ready(operating("emergency", "Fencing"), sight, "why") == ("False", "Fencing")


def test_a_standby_that_nothing_flows_to_is_judged_by_its_standing() -> None:
    broken = replace(standby(), verdict=Verdict.DEGRADED, reason="CertificateExpired")
    sight = seen(sites={"primary": site(), "secondary": broken})
    assert cause(following(standby="diverged"), sight, "why") is None
