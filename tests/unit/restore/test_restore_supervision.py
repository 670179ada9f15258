"""What workers are started with is what they read."""

from __future__ import annotations

import json

from neo4j_dr_operator.graph.bolt import Endpoint
from neo4j_dr_operator.objectstore.s3 import S3Address
from neo4j_dr_operator.restore.config import RestoreConfig
from neo4j_dr_operator.restore.look import LookConfig
from neo4j_dr_operator.restore.supervision import LookPlan, RestorePlan, point_text

AT = S3Address("logs", "a/b", "eu-west-1", "http://s3:9000", "key", "very-secret", None)
TARGET = Endpoint("bolt://db:7687", "neo4j", "hush")
POINT = point_text({"time": "2025-01-15T10:30:00+05:30"})


def restore(**more: object) -> RestorePlan:
    made = {
        "restore": "apps/r/uid",
        "archive": "apps/dr",
        "database": None,
        "source": AT,
        "target": TARGET,
        "point": POINT,
        "timeout": 30.0,
        "skip_indexes": True,
        "validate": False,
        "clean": False,
        "overwrite": True,
        "force": False,
        **more,
    }
    return RestorePlan(**made)  # type: ignore[arg-type]


def test_a_restore() -> None:
    read = RestoreConfig.parse(restore().line())
    assert (read.restore, read.archive, read.database) == ("apps/r/uid", "apps/dr", None)
    assert read.source == AT
    assert not read.validate
    assert (read.target.uri, read.target.password) == (TARGET.uri, TARGET.password)
    assert json.loads(read.asked) == {"time": "2025-01-15T10:30:00+05:30"}
    assert (read.skip_indexes, read.clean, read.overwrite, read.force) == (True, False, True, False)
    assert RestoreConfig.parse(restore(force=True, clean=True).line()).force


def test_the_same_restore_is_known_by_the_same_words() -> None:
    """A worker that goes on compares the point with the one that it began for."""
    one = point_text({"snapshot": "newest", "time": "2025-01-15T10:30:00Z"})
    two = point_text({"time": "2025-01-15T10:30:00Z", "snapshot": "newest"})
    asked = {RestoreConfig.parse(restore(point=point).line()).asked for point in (one, two)}
    assert len(asked) == 1


def test_a_look() -> None:
    plan = LookPlan("apps/r/uid", None, None, AT, POINT, 30.0, ("uuid", 41))
    read = LookConfig.parse(plan.line())
    assert (read.archive, read.source, read.tx, read.location) == (None, "uuid", 41, AT)
    nothing = LookConfig.parse(LookPlan("apps/r/uid", "apps/dr", "d", AT, POINT, 30.0).line())
    assert (nothing.source, nothing.tx, nothing.database) == (None, 0, "d")


def test_no_plan_shows_a_secret_but_on_its_line() -> None:
    for plan in (restore(), LookPlan("apps/r/uid", None, None, AT, POINT, 30.0)):
        assert plan.identity() == plan
        assert "very-secret" not in f"{plan!r} {plan.name}"
        assert "hush" not in f"{plan!r} {plan.name}"
        assert b"very-secret" in plan.line()
