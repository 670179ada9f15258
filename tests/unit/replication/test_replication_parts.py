from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from dataclasses import replace
from typing import Any, cast

import pytest

from neo4j_dr_operator import errors
from neo4j_dr_operator.graph.bolt_sync import Database
from neo4j_dr_operator.graph.position import Position
from neo4j_dr_operator.replication import schema
from neo4j_dr_operator.replication.config import WorkerConfig
from neo4j_dr_operator.replication.faults import Faults, Provoked
from neo4j_dr_operator.replication.handover import wanted
from neo4j_dr_operator.replication.link import CATCHING_UP, FROZEN, HANDOVER, STREAMING, LinkState
from neo4j_dr_operator.replication.report import Problem, Status
from neo4j_dr_operator.replication.schema import Rule, Wanted, plan
from neo4j_dr_operator.replication.stream import SourceFailure

STATE = LinkState("primary>secondary", 3, STREAMING, "cursor", 17, "uuid-a", "uuid-b", seq=4)


def config(**changes: Any) -> bytes:
    end = {"uri": "bolt://h", "user": "u", "password": "geheim", "ca": None, "database": "neo4j"}
    values: dict[str, Any] = {
        "link": "a>b", "epoch": 1, "origin": "seed", "source": end, "target": end, "inverse": None, "barrier": None,
        "batchSize": 5000, "timeout": 30, "retries": 3, "interval": 300,
    }  # fmt: skip
    return json.dumps({**values, **changes}).encode()


def test_a_configuration_is_read() -> None:
    read = WorkerConfig.parse(config(origin="handover", inverse="b>a", barrier="x"))
    assert (read.link, read.origin, read.source.timeout, read.batch_size) == ("a>b", "handover", 30.0, 5000)
    assert "geheim" not in repr(read)


@pytest.mark.parametrize(
    "line",
    [b"", b"[]", b"{}", config(origin="else"), config(origin="handover"), config(batchSize=0), config(timeout=-1),
     config(source=None), config(source={"uri": "x"}), config(epoch="geheim")],
)  # fmt: skip
def test_a_configuration_that_makes_no_sense_is_refused_without_quoting_it(line: bytes) -> None:
    with pytest.raises(errors.ConfigInvalid) as caught:
        WorkerConfig.parse(line)
    assert "geheim" not in str(caught.value)


def test_a_link_state_survives_the_database() -> None:
    assert LinkState.of(STATE.properties()) == STATE
    assert LinkState.of({**STATE.properties(), "lock": "x", "schemaNames": ["a"]}) == STATE
    assert set(STATE.properties()) == {
        "link", "epoch", "phase", "cursor", "cursorTx", "sourceDb", "targetDb", "seq", "heartbeat", "commitMillis",
        "scanNodes", "scanRels", "scanNodesEnd", "scanRelsEnd", "seedBarrier", "seedBarrierTx", "gen", "genSeq",
        "reseed", "swept", "drainEpoch", "drained",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("state", "epoch", "answer"),
    [
        (None, 3, True),
        (STATE, 3, False),
        (STATE, 4, True),
        (STATE, 2, False),
        (replace(STATE, phase=HANDOVER), 3, True),
        (replace(STATE, phase=FROZEN), 3, False),
        (replace(STATE, phase=FROZEN), 4, True),
        (replace(STATE, phase=CATCHING_UP), 3, False),
    ],
)
def test_when_a_handover_is_wanted(state: LinkState | None, epoch: int, answer: bool) -> None:
    assert wanted(state, epoch) is answer


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (errors.DatabaseUnreachable("x"), "TargetUnreachable"),
        (errors.OutcomeUnknown("x"), "TargetUnreachable"),
        (SourceFailure(errors.TimedOut("x")), "SourceUnreachable"),
        (SourceFailure(errors.AuthenticationFailed("x")), "SourceAuthFailed"),
        (errors.AuthenticationFailed("x"), "TargetAuthFailed"),
        (SourceFailure(errors.PositionLost("x")), "PositionLost"),
        (SourceFailure(errors.ChangeCaptureDisabled("x")), "ChangeCaptureDisabled"),
        (errors.Stale("x"), "Stale"),
        (errors.TargetAltered("x"), "TargetAltered"),
    ],
)
def test_reasons_name_the_side(error: errors.DrError, reason: str) -> None:
    assert Problem.of(error) == Problem(reason, "x")


def test_a_report_is_caught_up_only_with_nothing_pending_and_an_exact_copy() -> None:
    status = Status(3, state="streaming", link=STATE, caught_up=True)
    assert status.line()["report"]["caughtUp"] is True
    assert replace(status, pending=1).line()["report"]["caughtUp"] is False
    assert replace(status, state="catching-up").line()["report"]["caughtUp"] is False
    assert status.line()["report"]["seed"] is None
    assert status.line()["report"]["heartbeat"] is None
    assert replace(status, link=replace(STATE, scan_nodes_end=9)).line()["report"]["seed"]["nodesEnd"] == 9


def rule(name: str, statement: str = "s", kind: str = "INDEX") -> Rule:
    return Rule(kind, name, statement)


def test_the_schema_plan_touches_only_what_the_link_made() -> None:
    source = {"i": rule("i"), "c": rule("c", kind="CONSTRAINT"), "changed": rule("changed", "new")}
    target = {"changed": rule("changed", "old"), "gone": rule("gone"), "foreign": rule("foreign")}
    todo = plan(source, target, {"changed", "gone"})
    assert [each.name for each in todo.drop] == ["changed", "gone"]
    assert [each.name for each in todo.create] == ["c", "changed", "i"]
    untouched = plan({"foreign": rule("foreign", "other")}, target, set())
    assert (untouched.drop, untouched.create) == ((), ())
    assert untouched.differs == ("index foreign differs from the index foreign that somebody made in the target",)
    strange = plan({}, {"c": rule("c", kind="CONSTRAINT"), "i": rule("i")}, set())
    assert (strange.drop, strange.differs) == ((), ("constraint c was made in the target by somebody else",))
    broken = Rule("INDEX", "i", "s", failed=True)
    assert plan({"i": rule("i")}, {"i": broken}, {"i"}).differs == ("index i could not be built in the target",)
    assert plan(source, source, {"i"}).create == ()


@pytest.mark.parametrize(
    ("database", "tx", "says"),
    [("uuid-a", 17, True), ("uuid-a", 99, True), ("uuid-a", 16, False), ("uuid-other", 99, False)],
)
def test_only_what_the_link_has_followed_says_what_its_schema_is(
    monkeypatch: pytest.MonkeyPatch, database: str, tx: int, says: bool
) -> None:
    """A primary that came back empty, or taken back, has no constraints: that is no reason to drop the standby's."""
    monkeypatch.setattr(schema, "_lives", lambda _: {})
    monkeypatch.setattr(schema.stream, "current", lambda _: Position("", 5, database, tx, 0, 0))
    found = Wanted.of(cast(Database, None), Wanted({}, {}), STATE)
    assert (found is not None) is says


def test_lookup_indexes_are_compared_by_what_they_are_for() -> None:
    here, there = Rule("INDEX", "a", "for a", "NODE"), Rule("INDEX", "b", "for b", "NODE")
    other = Rule("INDEX", "c", "for c", "RELATIONSHIP")
    assert plan({here.key: here}, {there.key: there}, set()) == plan({}, {}, set())
    todo = plan({other.key: other}, {there.key: there}, set())
    assert (todo.drop, todo.create) == ((there,), (other,))


def test_faults_that_make_no_sense_are_refused() -> None:
    for choice in ("nowhere:1", "begin:x", "random:", "begin:1 nowhere:1", "halt@begin:1"):
        with pytest.raises(ValueError):
            Faults(choice)
    Faults(None).at("begin")
    Faults("begin:2").at("begin")
    Faults("random:5").at("elsewhere")


def test_a_fault_can_be_a_mistake() -> None:
    faults = Faults("raise@begin raise@page:2")
    faults.at("page")
    for point in ("begin", "page"):
        with pytest.raises(Provoked, match=point):
            faults.at(point)
    faults.at("begin")


def test_a_fault_strikes_at_its_time_and_says_so() -> None:
    script = (
        "from neo4j_dr_operator.replication.faults import Faults\nf = Faults.from_environment()\n"
        "f.at('commit'); f.at('begin'); f.at('commit'); print('alive', flush=True); f.at('commit')\nprint('too far')"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], env={"NEO4J_DR_FAULT": "commit:3", "PYTHONPATH": ":".join(sys.path)},
        capture_output=True, text=True, timeout=30, check=False,
    )  # fmt: skip
    assert done.returncode == -signal.SIGKILL
    assert done.stdout == "alive\n"
    assert done.stderr == "fault commit:3 open transaction\n"


def test_a_fault_can_stop_a_worker_that_then_goes_on() -> None:
    script = (
        "from neo4j_dr_operator.replication.faults import Faults\nf = Faults.from_environment()\n"
        "f.at('commit'); f.at('page'); print('on', flush=True); f.at('begin')"
    )
    variables = {"NEO4J_DR_FAULT": "stop@page:1 begin:1", "PYTHONPATH": ":".join(sys.path)}
    with subprocess.Popen([sys.executable, "-c", script], env=variables, stdout=subprocess.PIPE) as process:
        assert os.WIFSTOPPED(os.waitpid(process.pid, os.WUNTRACED)[1])
        process.send_signal(signal.SIGCONT)
        assert process.communicate(timeout=30)[0] == b"on\n"
    assert process.returncode == -signal.SIGKILL
