"""A standby that is cut off while its primary goes on shipping, and then the primary dies: nothing shipped is lost."""

from __future__ import annotations

import os
import signal
from pathlib import Path

from lab import Proxies
from tests.compare import assert_equal
from tests.scenario.test_archive import created, keys, segments, shipping
from tests.scenario.world import World, wait_for
from tests.scenario.writer import Writer, missing


def begin(world: World, proxies: Proxies) -> None:
    """A pair at work with its archive; links reach the standby on a way of their own. The operator dies when it has
    stored that it drains."""
    standby = world.sites["secondary"]
    world.links = {"replication": proxies.proxy("localhost", standby.port)}
    way = f"bolt+s://{world.links['replication'].address}"
    world.addresses["secondary"] = {"uri": standby.uri, "replicationUri": way}
    world.set_up()
    keys(world, world.s3.secret_key)
    manifest = world.recovery_manifest()
    manifest["spec"]["replication"] = shipping(world)
    world.apply(manifest)
    world.operator.start(NEO4J_DR_FAULT_STEP="Draining")
    world.settled("primary")
    world.await_condition("LogShippingHealthy", "True", "Shipping")
    world.await_condition("FailoverReady", "True")


def link_worker(world: World) -> int:
    """The process of the operator's link."""
    (found,) = [
        pid for pid in world.operator.workers() if Path(f"/proc/{pid}/cmdline").read_text().split("\0")[3] == "link"
    ]
    return found


def test_nothing_that_was_shipped_is_lost_though_the_standby_was_behind(dr: World, proxies: Proxies) -> None:
    begin(dr, proxies)
    primary, secondary = dr.sites["primary"], dr.sites["secondary"]
    writer = Writer(dr.sites, lambda: "primary")
    wait_for("some writes", lambda: len(writer.log.acknowledged) > 20, 30)
    dr.links["replication"].cut()
    dr.await_condition("ReplicationHealthy", "False", "TargetUnreachable")
    behind = len(writer.log.acknowledged)
    wait_for("writes that the standby lacks", lambda: len(writer.log.acknowledged) > behind + 100, 60)
    log = writer.stop()
    newest = max(log.acknowledged)
    wait_for("the newest write is archived", lambda: newest in created(segments(dr, 1), "Order"), 30)
    lacked = len(missing(log, secondary))
    assert lacked >= 100
    primary.kill9()
    os.kill(link_worker(dr), signal.SIGKILL)  # it has read ahead of what it could apply
    dr.links["replication"].restore()
    process = dr.operator.process
    assert process is not None
    wait_for("the operator died while it drained", lambda: process.poll() is not None, 90)
    dr.operator.start()
    wait_for("the standby took over", lambda: dr.status().get("activeSite") == "secondary", 60, 0.2)
    assert missing(log, secondary) == []
    entry = dr.status()["failover"]["history"][-1]
    assert (entry["kind"], entry["result"], entry.get("drainProblem")) == ("failover", "Completed", None)
    assert entry["drainedFromArchive"] == lacked
    print(f"{lacked} transactions out of the archive; {entry['durationSeconds']} s with a death of the operator in it")
    primary.start()
    dr.settled("secondary", 90)
    assert dr.status()["failover"]["history"][-1]["lostTransactions"] == 0
    dr.await_condition("LogShippingHealthy", "True", "Shipping")
    assert segments(dr, 2)[0][0]["start"]["reason"] == "promotion"
    assert_equal(secondary.query, primary.query)
