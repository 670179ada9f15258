from __future__ import annotations

from typing import Any

import pytest

from neo4j_dr_operator.graph.bolt import Endpoint
from neo4j_dr_operator.replication.supervisor import LinkConfig, LinkSupervisor
from neo4j_dr_operator.workers import Worker

END = Endpoint("bolt://h", "u", "p", None)


def child(report: dict[str, Any], epoch: int = 1) -> Worker[LinkConfig]:
    return Worker(LinkConfig("a>b", epoch, "attach", END, END), None, report)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("now", "before", "speaks"),
    [
        (None, {"state": "failed"}, "before"),
        ({}, {"state": "failed"}, "before"),
        ({"state": "attaching"}, {"state": "failed"}, "before"),
        ({"state": "attaching", "error": {"reason": "SourceUnreachable"}}, {"state": "failed"}, "now"),
        ({"state": "streaming"}, {"state": "failed"}, "now"),
        ({"state": "attaching"}, {"state": "streaming"}, "now"),
        ({}, None, "now"),
    ],
)
def test_a_failure_speaks_until_the_next_child_has_something_to_say(now: Any, before: Any, speaks: str) -> None:
    supervisor = LinkSupervisor(lambda: None)
    present = supervisor._worker = None if now is None else child(now)
    supervisor.last = None if before is None else child(before)
    assert supervisor.speaking is (present if speaks == "now" else supervisor.last)


def test_the_failure_of_another_plan_does_not_speak() -> None:
    supervisor = LinkSupervisor(lambda: None)
    supervisor._worker, supervisor.last = child({}, epoch=2), child({"state": "failed"}, epoch=1)
    assert supervisor.speaking is supervisor._worker
