"""An archive that falls behind the primary's log: foretold, told when it has happened, and begun anew behind it."""

from __future__ import annotations

import os
import signal

from tests.compare import differences, read
from tests.scenario.test_archive import begin, created, segments
from tests.scenario.test_reseed import copied
from tests.scenario.test_restore import based, ended, now, refused, restore, status
from tests.scenario.test_window import keys, recovery
from tests.scenario.world import CLUSTERS, World, instant, wait_for
from tests.scenario.writer import Writer

KEPT = 300
"""Transactions that the primary's log holds: some ten seconds of writes."""


def test_a_gap_is_foretold_told_and_left_behind(dr: World) -> None:
    begin(dr)
    based(dr)
    dr.await_condition("ArchiveHealthy", "True", "Intact", 90)
    primary, bases = dr.sites["primary"], len(keys(dr, "snapshots"))
    primary.query("CREATE (:Note {uid: 1})")
    wait_for("it is archived", lambda: created(segments(dr, 1), "Note") == [1], 30)
    primary.query("CALL lab.cdc.configure({keepTx: $kept})", kept=KEPT)
    writer = Writer(dr.sites, lambda: "primary")
    wait_for("the log forgets", lambda: len(writer.log.acknowledged) > KEPT, 120)
    dr.s3.stop()
    try:
        inside = now(dr)
        foretold = dr.await_condition("LogShippingHealthy", "False", "RetentionRunningOut", 120)
        assert "a gap is near. Nothing is shipped: " in foretold["message"]
        assert dr.status()["shipping"]["retentionSecondsLeft"] is not None
        for worker in dr.operator.workers():  # what it has read, and not put, is gone with it
            os.kill(worker, signal.SIGKILL)
        beyond = len(writer.log.acknowledged) + 2 * KEPT
        wait_for("the log does not hold any more what is missing", lambda: len(writer.log.acknowledged) > beyond, 240)
        dr.await_condition("ReplicationHealthy", "True", seconds=10)
    finally:
        dr.s3.start()
    dr.await_condition("LogShippingHealthy", "True", "Shipping", 120)
    writer.stop()
    news = wait_for("the gap is told", lambda: [e for e in dr.all("events") if e["reason"] == "ArchiveGap"], 30)
    assert len(news) == 1, "once"
    number = dr.status()["shipping"]["gap"]
    assert f"segment {number} of epoch 1" in news[0]["message"]
    wait_for("a base behind the gap", lambda: len(keys(dr, "snapshots")) > bases, 120)
    primary.query("CREATE (:Note {uid: 2})")
    at, good = now(dr), read(primary.query)
    primary.query("CREATE (:Note {uid: 3})")
    wait_for("it is archived", lambda: 3 in created(segments(dr, 1), "Note"), 30)
    (gap,) = wait_for("the window has the gap", lambda: recovery(dr).get("gaps"), 90)
    assert instant(gap["from"]) * 1000 <= inside <= instant(gap["to"]) * 1000
    wait_for("and goes on", lambda: instant(recovery(dr)["latest"]) * 1000 >= at, 60)

    dr.apply(restore(dr, "inside", CLUSTERS["secondary"], inside))
    assert "nearest before" in refused(dr, "inside", "PointInGap")
    dr.apply(restore(dr, "behind", CLUSTERS["secondary"], at))
    assert ended(dr, "behind") == ["Restored"]
    assert differences(good, read(dr.sites["secondary"].query)) == []
    dr.shell(status(dr, "behind")["resume"])
    copied(dr)
