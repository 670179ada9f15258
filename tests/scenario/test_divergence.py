"""A returning old primary that holds more than the new one: recognised, counted, held, nothing applied on top of it;
filled anew once there is nothing in it any more."""

from __future__ import annotations

import time

from tests.compare import differences, read
from tests.scenario.world import World, wait_for


def test_a_diverged_tail_is_counted_and_held(linked: World) -> None:
    old, new = linked.sites["primary"], linked.sites["secondary"]
    old.query("UNWIND range(1, 300) AS i CREATE (:Person {uid: i})")
    linked.set_up()
    linked.operator.start()
    linked.settled("primary")
    linked.links["replication"].cut()
    linked.await_condition("ReplicationHealthy", "False", "SourceUnreachable")
    for number in range(7):
        old.query("CREATE (:Tail {uid: $n})", n=number)
    old.kill9()
    wait_for("the standby took over", lambda: linked.status().get("activeSite") == "secondary", 60, 0.2)
    new.query("CREATE (:After {uid: 1})")
    linked.links["replication"].restore()
    old.start()
    status = linked.await_phase("Diverged")
    entry = status["failover"]["history"][-1]
    assert entry["lostTransactions"] == 7
    assert linked.condition("SplitBrain")["status"] == "True"
    before = read(old.query)
    linked.kubectl(
        "patch", "n4dr", "cross-region-dr", "--type=merge", "-p", '{"spec":{"sync":{"direction":"reverse"}}}'
    )
    linked.await_condition("SyncComplete", "False", "Diverged")
    access = "SHOW DATABASES YIELD name, access WHERE name = 'neo4j' RETURN access"
    end = time.monotonic() + 10
    while time.monotonic() < end:
        assert old.query(access, database="system") == [{"access": "read-only"}]
        assert linked.status()["phase"] == "Diverged"
    assert differences(read(old.query), before) == []
    assert not linked.operator.workers(), "no link is run onto a diverged site"
    old.reset(fresh=True)  # somebody has saved the tail and given the site an empty database
    linked.settled("secondary")
    assert linked.condition("SplitBrain")["status"] == "False"
    new.query("CREATE (:After {uid: 2})")
    wait_for("the new database follows", lambda: old.query("MATCH (n:After) RETURN count(n) AS c")[0]["c"] == 2, 30)
    assert differences(read(old.query), read(new.query)) == []
