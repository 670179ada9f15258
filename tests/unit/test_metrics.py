"""Series of a resource: all of them there from its first moment, none of them after its last."""

from __future__ import annotations

from prometheus_client import generate_latest

from neo4j_dr_operator.metrics import PREFIX, Metrics


def told(metrics: Metrics, name: str) -> list[str]:
    """The series that are about a resource, as they are scraped."""
    return [line for line in generate_latest(metrics.registry).decode().splitlines() if f'cluster="{name}"' in line]


def test_every_family_has_its_series_at_once() -> None:
    metrics = Metrics()
    metrics.of("ns", "one")
    lines = "\n".join(told(metrics, "one"))
    families = [family.name for family in metrics.registry.collect()]
    assert len(families) > 20
    for name in families:
        of_others = name.startswith(f"{PREFIX}_standby_")
        assert (f"{name}{{" in lines or f"{name}_total{{" in lines) is not of_others, name


def test_nothing_is_left_of_a_resource_that_is_gone() -> None:
    metrics = Metrics()
    one, other = metrics.of("ns", "one"), metrics.of("ns", "other")
    before = told(metrics, "other")
    one.retention("link", 5.0)
    one.standby("third", lambda: 1.0, True)
    one.failed_probe("third")
    one.health("third", True)
    one.forget_standby("third")
    one.remove()
    assert told(metrics, "one") == []
    assert told(metrics, "other") == before
    other.remove()
    assert told(metrics, "other") == []
