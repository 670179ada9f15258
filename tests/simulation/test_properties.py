"""Hypothesis chooses which faults come when, and shrinks what breaks a promise to the shortest such story."""

from __future__ import annotations

import os

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from model import new_world
from operator_model import Operator
from schedule import Run

from neo4j_dr_operator.failover.state import SITES, Site

EVENTS = ("kill", "cut-own", "cut-worker", "cut-both", "cut-s3", "cut-api", "crash", "planned", "failback", "urgent",
          "restore", "resume", "behind", "altered")  # fmt: skip
STORY = st.lists(
    st.tuples(
        st.sampled_from(EVENTS),
        st.sampled_from(SITES),
        st.sampled_from((0.5, 2.0, 8.0, 20.0)),
        st.sampled_from((0.5, 3.0, 12.0)),
    ),
    max_size=8,
)


@settings(
    max_examples=int(os.environ.get("NEO4J_DR_EXAMPLES", "150")),
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.too_slow],
)
@given(STORY, st.booleans(), st.booleans(), st.booleans())
def test_no_story_breaks_a_promise(
    story: list[tuple[str, Site, float, float]], faulty: bool, two: bool, shipping: bool
) -> None:
    world = new_world(3)
    world.shipping = shipping
    run = Run(world, faulty)
    run.operators = [Operator(world, f"operator-{number}", faulty) for number in range(1, 3 if two else 2)]
    run.until(lambda: world.stored.control.standby == "following", 60)
    for event, site, seconds, pause in story:
        happen(run, event, site, seconds)
        end = world.now + pause
        run.until(lambda until=end: world.now >= until, pause + 1)
    missing = None if world.violations else run.settle()
    assert not world.violations, [*world.trace, *world.violations]
    assert missing is None, [*world.trace, missing]


def happen(run: Run, event: str, site: Site, seconds: float) -> None:
    """One event of a story."""
    world, first = run.world, run.operators[0]
    until = world.now + seconds
    match event:
        case "kill":
            run.kill(site, seconds)
        case "cut-own":
            world.cut(first.name, site, until)
        case "cut-worker":
            world.cut(f"worker-{first.name}", site, until)
        case "cut-both":
            for one in run.operators:
                world.cut(one.name, site, until)
                world.cut(f"worker-{one.name}", site, until)
        case "cut-s3":
            world.cut(first.name, "s3", until)
        case "cut-api":
            world.cut(first.name, "api", until)
        case "behind":
            first.worker.stuck_until = until
            run.deaths.append((until - seconds / 2, world.stored.control.active))
        case "altered":
            for archived in world.archive.values():
                archived.broken = archived.broken or archived.end
        case "crash":
            run.operators[0] = Operator(world, first.name, run.faulty)
        case "planned":
            run.scripts.append(run.planned(site))
        case "failback":
            run.scripts.append(run.failback(site))
        case "restore":
            run.scripts.append(run.restore(site, first, int(4 * seconds), hold=True))
        case "resume":
            run.resume()
        case _:
            run.scripts.append(run.urgent(site))
