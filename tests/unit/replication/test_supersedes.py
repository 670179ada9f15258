"""From the request that ends a restore's say to the worker's line: the restore's name travels with the ticket."""

from __future__ import annotations

import orjson
import pytest

from neo4j_dr_operator.failover.actions import link_for
from neo4j_dr_operator.failover.state import ControlState, Reseed
from neo4j_dr_operator.graph.bolt import Endpoint
from neo4j_dr_operator.graph.note import PREFIX, STANDING, link_name, spoken
from neo4j_dr_operator.replication.config import WorkerConfig
from neo4j_dr_operator.replication.supervisor import LinkConfig

END = Endpoint("bolt://h", "u", "p", None)
NAME = "production/back/3c2f"
ASKED = Reseed(ticket="t1", epoch=1, cause="Requested", at=0.0)


@pytest.mark.parametrize("standby", ["seed", "following"])
def test_the_restore_goes_with_the_ticket_and_not_without(standby: str) -> None:
    state = ControlState.model_validate({"epoch": 1, "standby": standby, "resumed": NAME, "reseed": ASKED})
    plan = link_for(state)
    assert plan is not None
    assert (plan.reseed, plan.supersedes) == ("t1", NAME)
    calm = link_for(state.model_copy(update={"reseed": None}))
    assert calm is not None
    assert calm.supersedes is None
    assert link_for(state.model_copy(update={"standby": "restored"})) is None


@pytest.mark.parametrize(("told", "read"), [(NAME, NAME), (None, "")])
def test_the_worker_reads_what_its_parent_writes(told: str | None, read: str) -> None:
    config = LinkConfig("primary>secondary", 1, "seed", END, END, reseed="t1", supersedes=told)
    assert WorkerConfig.parse(config.line()).supersedes == read
    old = orjson.loads(config.line())
    del old["supersedes"]
    assert WorkerConfig.parse(orjson.dumps(old)).supersedes == ""


def test_another_restore_to_end_is_another_plan() -> None:
    one, two = (LinkConfig("a>b", 1, "seed", END, END, reseed="t", supersedes=name) for name in (NAME, None))
    assert one.identity() != two.identity()


def test_names() -> None:
    assert link_name(NAME) == f"{PREFIX}{NAME}"
    assert spoken(NAME) == "production/back"
    assert spoken("r1") == "r1"
    assert STANDING.endswith("= ''")
