"""Schedules: five fields or a name for them; what has the form and never comes due is refused, naming the field."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import TypeAdapter, ValidationError

from neo4j_dr_operator.api.disaster_recovery import DisasterRecoverySpec
from neo4j_dr_operator.api.schedule import Cron, Fields, TimeZone
from neo4j_dr_operator.backup.retention import Retention

CRON: TypeAdapter[str] = TypeAdapter(Cron)
ZONE: TypeAdapter[str] = TypeAdapter(TimeZone)


@pytest.mark.parametrize(
    "schedule",
    [
        "0 2 * * *",
        "*/15 0-6,22 1,15 JAN-jun,12 mon-fri",
        "0 2 29 2 *",  # each leap year
        "0 2 31 2 MON",  # the day of the week comes, the 31st does not
        "0 2 31 1-2 *",
        "0 2 */31 2 *",  # the first
        "0 2 30/2 APR *",
        "@weekly",
    ],
)
def test_what_comes_due(schedule: str) -> None:
    assert CRON.validate_python(schedule) == schedule


@pytest.mark.parametrize(
    ("schedule", "says"),
    [
        ("0 2 30 2 *", "never comes due"),
        ("0 2 31 2,4,6,9,11 *", "never comes due"),
        ("0 2 31 feb *", "never comes due"),
        ("0 2 30-31 2 *", "never comes due"),
        ("0 2 31 APR-APR *", "never comes due"),
        ("30-10 2 * * *", "the range 30-10 of the field minute runs backwards"),
        ("0 22-4 * * *", "the range 22-4 of the field hour runs backwards"),
        ("0 2 * DEC-JAN *", "the range DEC-JAN of the field month runs backwards"),
        ("0 2 * * SAT-SUN", "the range SAT-SUN of the field day of week runs backwards"),
    ],
)
def test_what_means_nothing_is_refused_naming_the_field(schedule: str, says: str) -> None:
    raw: dict[str, Any] = {"primaryClusterRef": "a", "secondaryClusterRef": "b", "backup": {"schedule": schedule}}
    with pytest.raises(ValidationError, match=says) as refused:
        DisasterRecoverySpec.read(raw)
    assert refused.value.errors()[0]["loc"] == ("backup", "schedule")


def circle(*regions: str) -> dict[str, Any]:
    """Each region follows the next, the last one the first."""
    edges = [{"region": at, "source": regions[(i + 1) % len(regions)]} for i, at in enumerate(regions)]
    topology = {"primary": "origin", "secondaries": [{"region": "good", "source": "origin"}, *edges]}
    return {"primaryClusterRef": "a", "secondaryClusterRef": "b", "replication": {"topology": topology}}


@pytest.mark.parametrize("length", [1, 2, 3, 4, 15])
def test_circles_of_any_length_are_refused_naming_the_field(length: int) -> None:
    with pytest.raises(ValidationError, match="regions must not follow each other in a circle") as refused:
        DisasterRecoverySpec.read(circle(*(f"r{number}" for number in range(length))))
    assert refused.value.errors()[0]["loc"] == ("replication", "topology")


def test_a_long_chain_is_no_circle() -> None:
    edges = [{"region": f"r{number}", "source": f"r{number - 1}"} for number in range(1, 17)]
    raw = circle("x") | {"replication": {"topology": {"primary": "r0", "secondaries": edges}}}
    topology = DisasterRecoverySpec.read(raw).replication.topology
    assert topology is not None
    assert len(topology.secondaries) == 16


def test_what_a_schedule_means() -> None:
    fields = Fields.of("*/20 22-23,0 1 jan,12 5-7")
    assert fields.minutes == {0, 20, 40}
    assert fields.hours == {0, 22, 23}
    assert (fields.days, fields.months) == ({1}, {1, 12})
    assert fields.weekdays == {0, 5, 6}, "7 is a Sunday, as 0 is"
    for name, meaning in (("@hourly", "0 * * * *"), ("@weekly", "0 0 * * 0"), ("@yearly", "0 0 1 1 *")):
        assert Fields.of(name) == Fields.of(meaning)


@pytest.mark.parametrize(
    ("schedule", "day", "comes"),
    [
        ("0 2 1 * MON", (3, 1, 4), True),  # either is enough where both are given
        ("0 2 1 * MON", (3, 2, 1), True),
        ("0 2 1 * MON", (3, 2, 2), False),
        ("0 2 * * MON", (3, 1, 4), False),  # with a star the other one decides
        ("0 2 */2 * MON", (3, 3, 1), True),
        ("0 2 */2 * MON", (3, 2, 1), False),
        ("0 2 1 * *", (3, 2, 4), False),
        ("0 2 1 6 *", (3, 1, 4), False),
    ],
)
def test_on_which_days(schedule: str, day: tuple[int, int, int], comes: bool) -> None:
    """Month, day and day of the week."""
    assert Fields.of(schedule).day(*day) is comes


@pytest.mark.parametrize("zone", ["UTC", "Europe/Berlin", "America/Argentina/Buenos_Aires", "Etc/GMT+3"])
def test_zones(zone: str) -> None:
    assert ZONE.validate_python(zone) == zone


@pytest.mark.parametrize("zone", ["Europe/Atlantis", "America", "../etc/passwd", "", "+02:00", "CEST5"])
def test_what_is_no_zone_is_refused_naming_the_field(zone: str) -> None:
    raw: dict[str, Any] = {"primaryClusterRef": "a", "secondaryClusterRef": "b", "backup": {"timeZone": zone}}
    with pytest.raises(ValidationError) as refused:
        DisasterRecoverySpec.read(raw)
    assert refused.value.errors()[0]["loc"] == ("backup", "timeZone")


@pytest.mark.parametrize("kept", ["7", "30d", "12h", "4w", "999999"])
def test_what_the_door_takes_for_a_retention_the_worker_understands(kept: str) -> None:
    raw: dict[str, Any] = {"primaryClusterRef": "a", "secondaryClusterRef": "b", "backup": {"retention": kept}}
    assert Retention.parse(DisasterRecoverySpec.read(raw).backup.retention)
