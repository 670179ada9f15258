"""`kubectl neo4j-dr backup now` against a real API server; the answers are what an operator would write."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from tests.apiserver.cli_terminal import FINE, UNHEALTHY, UNREADABLE, USAGE, Space, Terminal, opened
from tests.scenario.world import wait_for

ANNOTATION = "neo4j.neo4j.com/backup-requested-at"
PLACE = {"type": "s3", "bucket": "backups"}


@pytest.fixture(scope="module")
def terminal(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Terminal]:
    with opened(tmp_path_factory.mktemp("cli")) as terminal:
        yield terminal


@pytest.fixture
def space(terminal: Terminal) -> Space:
    space = Space(terminal)
    space.pair()
    patch = json.dumps({"spec": {"backup": {"destination": PLACE}}})
    space.plane.kubectl("-n", space.name, "patch", "n4dr", "dr", "--type=merge", "-p", patch)
    space.well()
    return space


def asked(space: Space) -> str:
    """The annotation's value, empty without one."""
    body = json.loads(space.plane.kubectl("-n", space.name, "get", "n4dr", "dr", "-o", "json").stdout)
    return str((body["metadata"].get("annotations") or {}).get(ANNOTATION) or "")


@contextmanager
def operator(space: Space, *answers: dict[str, Any]) -> Iterator[None]:
    """Gives these answers, one after the other, to the next request."""
    before = asked(space)

    def carry_out() -> None:
        request = wait_for("it is asked for", lambda: value if (value := asked(space)) != before else None, 20)
        for answer in answers:
            running = (
                {"kind": "requested", "state": "scanning", "percent": 40} if answer["state"] == "Running" else None
            )
            space.status("n4dr/dr", backup={"running": running, "requests": [{"request": request, **answer}]})

    thread = threading.Thread(target=carry_out)
    thread.start()
    try:
        yield
    finally:
        thread.join(30)


RUNNING: dict[str, Any] = {"state": "Running"}


@pytest.mark.parametrize(
    ("words", "answers", "code", "said"),
    [
        (("dr",), [RUNNING], FINE, "has been begun"),
        ((), [RUNNING], FINE, "has been begun"),
        (("dr", "--wait"), [RUNNING, {"state": "Completed", "snapshot": "s-1"}], FINE, "snapshot s-1 is complete"),
        (
            ("dr", "--wait"),
            [RUNNING, {"state": "Failed", "message": "NotEncrypted: no"}],
            UNHEALTHY,
            "NotEncrypted: no",
        ),
        (("dr",), [{"state": "Refused", "message": "one is under way"}], UNHEALTHY, "was refused: one is under way"),
    ],
)
def test_what_comes_of_it(
    space: Space, words: tuple[str, ...], answers: list[dict[str, Any]], code: int, said: str
) -> None:
    with operator(space, *answers):
        done = space.dr("backup", "now", *words)
    assert done.returncode == code, done.stderr
    assert said in (done.stdout if code == FINE else done.stderr)
    assert done.stdout.count("\n") == (1 if code == FINE else 0)


def test_each_request_is_another_one(space: Space) -> None:
    values = set()
    for _ in range(2):
        with operator(space, RUNNING):
            assert space.dr("backup", "now").returncode == FINE
        values.add(asked(space))
        space.status("n4dr/dr", backup={"running": None})
    assert len(values) == 2


Change = Callable[[Space], None]


@pytest.mark.parametrize(
    ("change", "words", "code", "said"),
    [
        (
            lambda s: s.status("n4dr/dr", backup={"running": {"kind": "scheduled"}}),
            (),
            UNHEALTHY,
            "only one is at a time",
        ),
        (lambda s: patched(s, {"backup": {"destination": None}}), (), UNHEALTHY, "there is no place for it"),
        (lambda s: s.pair("another"), (), USAGE, "which one? There are another, dr"),
        (lambda _: None, ("nobody",), UNREADABLE, "there is no nobody"),
        (lambda _: None, ("-A",), USAGE, "one resource"),
    ],
)
def test_nothing_is_asked_for_where_nothing_can_come_of_it(
    space: Space, change: Change, words: tuple[str, ...], code: int, said: str
) -> None:
    change(space)
    done = space.dr("backup", "now", *words)
    assert (done.returncode, done.stdout) == (code, "")
    assert said in done.stderr
    assert asked(space) == ""


def patched(space: Space, spec: dict[str, Any]) -> None:
    patch = json.dumps({"spec": spec})
    space.plane.kubectl("-n", space.name, "patch", "n4dr", "dr", "--type=merge", "-p", patch)


def test_it_takes_the_right_to_patch_and_says_so(space: Space) -> None:
    reader = space.person("get,list,watch neo4jdisasterrecoveries,neo4jenterpriseclusters")
    done = space.terminal.run(reader, "neo4j-dr", "backup", "now", "dr")
    assert done.returncode == UNREADABLE
    assert "you may not do this" in done.stderr
    writer = space.terminal.home / reader.name
    space.plane.kubectl(
        "-n",
        space.name,
        "create",
        "role",
        "asker",
        "--verb=patch",
        "--resource=neo4jdisasterrecoveries.neo4j.neo4j.com",
    )
    space.plane.kubectl(
        "-n", space.name, "create", "rolebinding", "asker", "--role=asker", f"--serviceaccount={space.name}:person"
    )
    with operator(space, RUNNING):
        assert space.terminal.run(writer, "neo4j-dr", "backup", "now", "dr").returncode == FINE
