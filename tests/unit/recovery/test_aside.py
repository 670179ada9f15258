"""A controller's links under a hold: ended whatever the round comes to, and given back in the middle of nothing."""

from __future__ import annotations

from typing import Any

import pytest

from neo4j_dr_operator.api.disaster_recovery import DisasterRecoverySpec
from neo4j_dr_operator.failover.state import ControlState
from neo4j_dr_operator.recovery.aside import Aside
from neo4j_dr_operator.recovery.holds import Holds
from tests.machine_inputs import following, operating

SPEC = DisasterRecoverySpec.read({"primaryClusterRef": "east", "secondaryClusterRef": "west"})
ELSEWHERE = ("production", "north")


class Links:
    """A supervisor of links, and followers, that note what they are told."""

    def __init__(self) -> None:
        self.stopped, self.told, self.stood_aside, self.busy = False, 0, 0, ""

    def want(self, config: None) -> None:
        self.told += 1

    def stand_aside(self) -> None:
        self.stood_aside += 1

    def stands_aside(self, cluster: str) -> bool:
        return cluster != self.busy


class World:
    """One controller's view, with the holds of its operator."""

    def __init__(self, state: ControlState | None = None, spec: DisasterRecoverySpec | None = SPEC) -> None:
        self.holds, self.links, self.looks = Holds(), Links(), 0
        parts: Any = self.links
        self.aside = Aside(self.holds, "production", parts, parts, lambda: spec, lambda: state, self._look)

    def _look(self) -> None:
        self.looks += 1

    def hold(self, cluster: str) -> None:
        self.holds._held["production", cluster] = "r"


@pytest.mark.parametrize("cluster", ["east", "west"])
def test_a_held_cluster_ends_the_link_and_counts_once_it_has_ended(cluster: str) -> None:
    world = World(following())
    world.aside.step()
    assert (world.links.told, world.looks, world.links.stood_aside) == (0, 0, 1)
    world.hold(cluster)
    world.aside.step()
    world.aside.step()
    assert (world.links.told, world.looks) == (2, 1)
    assert world.aside.held() == {"primary" if cluster == "east" else "secondary": "r"}
    assert not world.aside.stands_aside("production", cluster)
    world.links.stopped = True
    assert world.aside.stands_aside("production", cluster)
    world.links.busy = cluster
    assert not world.aside.stands_aside("production", cluster)
    world.holds.release("production", cluster, "r")
    world.aside.step()
    assert (world.aside.held(), world.links.told, world.looks) == ({}, 2, 2)


def test_other_clusters_are_nobody_s_business() -> None:
    world = World(following())
    assert world.aside.stands_aside(*ELSEWHERE)
    assert world.aside.stands_aside("staging", "east")
    world.links.busy = "north"
    assert not world.aside.stands_aside(*ELSEWHERE)


def test_a_change_of_the_active_site_comes_to_its_end_first() -> None:
    world = World(operating("switchover", "Draining"))
    world.hold("west")
    world.links.stopped = True  # between two workers of the drain
    world.aside.step()
    assert world.links.told == 0
    assert not world.aside.stands_aside("production", "west")


def test_before_its_first_round_a_controller_runs_nothing() -> None:
    world = World(None, None)
    world.hold("west")
    world.aside.step()
    assert world.aside.held() == {}
    assert world.aside.stands_aside("production", "west")
