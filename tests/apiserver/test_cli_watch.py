"""`kubectl neo4j-dr status -w`: in a pipe and on a terminal, while the API server comes and goes."""

from __future__ import annotations

import json
import os
import signal
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from neo4j_dr_operator.api.base import GROUP, VERSION
from neo4j_dr_operator.api.kinds import DISASTER_RECOVERY
from neo4j_dr_operator.cli.watching import Watching
from neo4j_dr_operator.errors import KubernetesUnreachable, WatchExpired
from neo4j_dr_operator.kube.user import UserKube, Watch
from tests.apiserver.cli_terminal import (
    INTERRUPTED,
    SLOW,
    Space,
    Terminal,
    condition,
    following,
    opened,
    screen,
)
from tests.scenario.world import wait_for


@pytest.fixture(scope="module")
def terminal(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Terminal]:
    with opened(tmp_path_factory.mktemp("cli")) as terminal:
        yield terminal


@pytest.fixture
def space(terminal: Terminal) -> Space:
    return Space(terminal)


def test_a_change_is_seen_within_a_second_and_an_unchanged_world_says_nothing(space: Space) -> None:
    space.pair()
    space.well()
    with following(space, "dr") as follower:
        follower.until("HEALTHY")
        space.well(message="the first change", phase="Degraded")
        assert follower.until("the first change") < 1.0
        ready = condition("Ready", "True", "Up", "a cluster changed")
        readonly = condition("ReadOnly", "True", "ReadOnly", "seen to refuse writes")
        space.status("n4c/dr-primary", conditions=[ready, readonly])
        assert follower.until("seen to refuse writes") < 1.0
        pictures = follower.out.count("\n--- ")
        space.pair("other")  # neither the resource that is shown nor a cluster of it
        space.well(message="the last change")
        follower.until("the last change")
        assert follower.out.count("\n--- ") == pictures + 1
        follower.process.send_signal(signal.SIGINT)
        assert follower.process.wait(5) == INTERRUPTED
        assert follower.err == ""


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_however_it_ends_no_copy_of_the_users_key_stays(space: Space, tmp_path: Path, number: signal.Signals) -> None:
    space.pair()
    with following(space, "dr", TMPDIR=str(tmp_path)) as follower:
        follower.until("No operator has looked")
        assert any("PRIVATE KEY" in path.read_text() for path in tmp_path.iterdir())
        follower.process.send_signal(number)
        assert follower.process.wait(5) == 128 + number
    assert list(tmp_path.iterdir()) == []


def test_programs_get_a_line_for_each_change(space: Space) -> None:
    space.pair()
    space.well()
    with following(space, "dr", "-o", "json") as follower:
        follower.until("\n")
        space.well(phase="Degraded")
        wait_for("a second line", lambda: follower.out.count("\n") == 2, SLOW)
        assert [json.loads(line)["summary"]["phase"] for line in follower.out.splitlines()] == [
            "Replicating",
            "Degraded",
        ]


def test_a_deletion_is_said_and_a_new_one_is_seen(space: Space) -> None:
    space.pair()
    with following(space, "dr") as follower:
        follower.until("No operator has looked")
        space.plane.kubectl("-n", space.name, "delete", "n4dr", "dr", "--wait=false")
        follower.until("dr was deleted")
        space.pair()
        space.well(message="here again")
        follower.until("here again")


def test_it_outlives_a_restart_of_the_api_server(space: Space) -> None:
    space.pair()
    space.well()
    with following(space, "dr") as follower:
        follower.until("HEALTHY")
        space.plane.stop_apiserver(kill=True)
        try:
            wait_for("word of the broken line", lambda: "not live: " in follower.err, SLOW)
        finally:
            space.plane.start_apiserver()
        space.well(message="after the restart")
        follower.until("after the restart", 10)
        wait_for("word of the mended line", lambda: "live again" in follower.err, SLOW)
        assert follower.process.poll() is None


class Forgetful(UserKube):
    """Somebody whose first watch asks for what the API server has forgotten."""

    asked: list[str]

    def watch(
        self, group: str, version: str, plural: str, namespace: str | None, name: str | None, since: str
    ) -> Watch:
        first = plural not in self.asked
        self.asked.append(plural)
        return super().watch(group, version, plural, namespace, name, "1" if first else since)


def test_what_the_api_server_has_forgotten_is_listed_anew(space: Space) -> None:
    space.pair()
    space.plane.stop_apiserver()
    space.plane.start_apiserver()  # its memory of changes begins now
    kube = Forgetful(str(space.kubeconfig))
    kube.asked = []

    def forgotten() -> bool:
        try:
            next(iter(kube.watch(GROUP, VERSION, DISASTER_RECOVERY.plural, space.name, None, "1")))
        except WatchExpired:
            return True
        except KubernetesUnreachable:  # it is ready, and its storage is not yet
            return False
        raise AssertionError("the API server remembers its first version")

    wait_for("what is too old to be refused", forgotten, SLOW)
    kube.asked.clear()
    watching = Watching(kube, space.name, "dr")
    wait_for("both kinds", lambda: watching.wait(1.0) and watching.view.complete, SLOW)
    wait_for("a second watch", lambda: kube.asked.count(DISASTER_RECOVERY.plural) == 2, SLOW)
    space.well(message="seen all the same")

    def seen() -> bool:
        watching.wait(1.0)
        return any(
            s.recovery.get("status", {}).get("message") == "seen all the same" for s in watching.view.snapshots()
        )

    wait_for("the change", seen, SLOW)
    watching.close()
    assert not [thread.name for thread in threading.enumerate() if thread.name.startswith("watch-")]


def test_colours_on_a_terminal_only_and_not_with_no_color(space: Space) -> None:
    space.pair()
    space.well()
    with screen(space, "status") as coloured:
        coloured.until("Conditions")
        assert "\x1b[32mHEALTHY\x1b[0m" in coloured.text
    for setting in ({"NO_COLOR": "1"}, {"TERM": "dumb"}):
        with screen(space, "status", **setting) as plain:
            plain.until("Conditions")
            assert "\x1b" not in plain.text


def test_watching_on_a_terminal_draws_over_itself_within_its_lines(space: Space) -> None:
    space.pair()
    space.well()
    with screen(space, "status", "-w") as live:
        live.until("live, Ctrl-C ends")
        space.well(message="drawn again")
        live.until("drawn again")
        last = live.text.rsplit("\x1b[H", 1)[1]
        assert last.count("\n") <= 23
        os.killpg(live.process.pid, signal.SIGINT)
        assert live.process.wait(5) == INTERRUPTED


def test_a_frozen_picture_says_so(space: Space) -> None:
    space.pair()
    space.well()
    with screen(space, "status", "-w") as live:
        live.until("live, Ctrl-C ends")
        space.plane.stop_apiserver(kill=True)
        try:
            live.until("NOT LIVE for")
        finally:
            space.plane.start_apiserver()
        before = len(live.text)
        wait_for("it is live again", lambda: "live, Ctrl-C ends" in live.read()[before:], SLOW)
