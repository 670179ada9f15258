"""Two resources of one name at one path: the second one writes nothing, deletes nothing, and is told what to do."""

from __future__ import annotations

from lab import Neo4j
from tests.database.archive_process import BackUp
from tests.database.shipping_process import ARCHIVE, PATH, Ship, Store, the_same

OWNER = f"{PATH.strip('/')}/{ARCHIVE}/owner.json"


def test_an_archive_is_one_resources(source: Neo4j, target: Neo4j, store: Store, ship: Ship, back_up: BackUp) -> None:
    ours = ship(resource="one", interval=0.2)
    ours.shipping()
    back_up(resource="one").done()
    source.query("CREATE (:A {uid: 1})")
    ours.shipped()
    held = store.objects()
    theirs = ship(origin=target, resource="other", interval=0.2)
    theirs.wait(lambda report: (report["error"] or {}).get("reason") == "ArchiveForeign", 30)
    assert OWNER in theirs.report["error"]["message"]
    assert back_up(of=target, resource="other", retention="1").refused()["reason"] == "ArchiveForeign"
    source.query("CREATE (:A {uid: 2})")
    ours.shipped()
    now = store.objects()
    assert held.keys() <= now.keys(), "nothing of ours was deleted"
    assert [header["start"] and header["start"]["reason"] for header in store.archive().headers] == [
        "first",
        None,
        None,
    ]
    the_same(source, store)
    assert ours.finish() == 0
    theirs.kill()
    again = ship(resource="made again", interval=0.2)  # the same databases
    again.shipping()
    assert again.finish() == 0
    barrier = target.query("CALL db.cdc.current() YIELD id RETURN id")[0]["id"]
    promoted = ship(origin=target, resource="one", epoch=2, start=barrier, interval=0.2)
    promoted.shipping()
    assert promoted.finish() == 0
    store.put(OWNER, None)  # as the message says
    adopted = ship(origin=target, resource="other", epoch=2, interval=0.2)
    adopted.shipping()
    assert ship(resource="one", epoch=2, interval=0.2).wait(
        lambda report: (report["error"] or {}).get("reason") == "ArchiveForeign", 30
    )
