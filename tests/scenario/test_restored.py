"""A standby that a restore has taken, in the hands of the whole operator: promoted by nobody, whatever dies, until the
printed line is typed."""

from __future__ import annotations

from tests.compare import differences, read
from tests.scenario.test_reseed import copied
from tests.scenario.test_restore import ended, mistaken, restore, written
from tests.scenario.world import CLUSTERS, World, wait_for
from tests.scenario.writer import Writer

ROLE = "MATCH (s:__Neo4jDRSite) RETURN s.role AS role"
LINKS = "MATCH (l:__Neo4jDRLink) RETURN collect(l.link) AS links"


def test_a_restored_standby_is_promoted_by_nobody_until_it_follows_again(dr: World) -> None:
    at = written(dr)
    primary, secondary = dr.sites["primary"], dr.sites["secondary"]
    good = read(primary.query)
    mistaken(dr)
    writer = Writer(dr.sites, lambda: "primary")
    dr.apply(restore(dr, "back", CLUSTERS["secondary"], at))
    assert ended(dr, "back") == ["Restored"]
    told = dr.await_condition("ReplicationHealthy", "False", "Restored")["message"]
    assert f"restore {dr.namespace}/back" in told
    for condition in ("FailoverReady", "ReplicationSynced", "Ready", "StandbyAvailable"):
        assert dr.await_condition(condition, "False", "Restored", 20)["message"].endswith(told[told.index("kubectl") :])
    assert dr.status()["phase"] == "Restored"

    dr.operator.kill9()
    writer.stop()
    primary.stop()
    dr.operator.start()
    waits = lambda: "No failover, Restored" in dr.condition("Ready").get("message", "")  # noqa: E731
    wait_for("the death is seen, and nobody is promoted", waits, 60, 0.3)
    assert (dr.status()["activeSite"], secondary.query(ROLE)) == ("primary", [{"role": "standby"}])
    assert differences(good, read(secondary.query)) == []
    primary.start()
    dr.await_condition("PrimaryAvailable", "True")
    dr.await_condition("ReplicationHealthy", "False", "Restored", 20)
    assert differences(good, read(secondary.query)) == []

    dr.shell(told[told.index("kubectl patch") :])
    copied(dr)
    assert secondary.query(LINKS) == [{"links": ["primary>secondary"]}]
    dr.await_condition("StandbyAvailable", "True")
