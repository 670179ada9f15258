"""The shell of a worker, in processes of their own: how they begin, obey, and end."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]
WORKER = """
import sys, threading
from dataclasses import dataclass, field
from neo4j_dr_operator.errors import ConfigInvalid
from neo4j_dr_operator import memory
from neo4j_dr_operator.process import Work, serve

@dataclass
class Status:
    state: str = "attaching"
    said: str | None = None
    reason: str | None = None
    changed: threading.Event = field(default_factory=threading.Event)
    def line(self):
        return {"report": {"state": self.state, "said": self.said, "reason": self.reason, "memory": memory.MINE.bytes}}
    def become(self, state):
        self.state = state
        self.changed.set()
    def fail(self, error):
        self.reason = error.reason
        self.become("failed")
        return error.reason, error.message

status, done = Status(), threading.Event()

def say(command):
    status.said = (command["what"] + "").upper()
    status.changed.set()

def run():
    status.become("working")
    done.wait()
    if status.said == "BROKEN":
        raise ZeroDivisionError("secret")

def begin(line, lines):
    if line != b"good\\n":
        raise ConfigInvalid("no")
    lines.write({"hello": 1})
    return Work(run, {"say": say, "finish": lambda _: done.set()})

sys.exit(serve(status, begin, 60.0))
"""


class Child:
    """A process; its lines are read as they are asked for."""

    def __init__(self, *command: str) -> None:
        pipes: dict[str, Any] = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
        self.process = subprocess.Popen([sys.executable, *command], cwd=ROOT, text=True, **pipes)
        self._end = threading.Timer(30, self.process.kill)  # nothing waits for a worker that says nothing
        self._end.daemon = True
        self._end.start()

    def send(self, line: str) -> None:
        """A line to its standard input."""
        assert self.process.stdin is not None
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()

    def report(self, **wanted: object) -> dict[str, Any]:
        """The next report that says this."""
        assert self.process.stdout is not None
        for line in self.process.stdout:
            report: dict[str, Any] = json.loads(line).get("report", {})
            if wanted.items() <= report.items():
                return report
        raise AssertionError(f"never said {wanted}")

    def ended(self) -> tuple[int, str, str]:
        """Exit code, what else it wrote, its log."""
        self.process.wait()  # before its standard input is closed, which would end it
        out, err = self.process.communicate()
        self._end.cancel()
        return self.process.returncode, out, err


@pytest.fixture
def child() -> Iterator[Child]:
    """A worker at work."""
    found = Child("-c", WORKER)
    found.send("good")
    yield found
    found.process.kill()
    found.process.communicate()


def test_it_obeys_and_finishes(child: Child) -> None:
    """What makes no sense is passed over, and named in the log without being quoted."""
    child.report(state="working")
    for line in ("{", '{"do": "what?"}', '{"do": "say"}', '{"do": "say", "what": 5.5}', "[]"):
        child.send(line)
    child.send('{"do": "say", "what": "well"}')
    child.report(said="WELL")
    child.send('{"do": "finish"}')
    code, out, log = child.ended()
    assert code == 0
    assert json.loads(out.splitlines()[-1])["report"]["state"] == "finished"
    assert log.count("unknown command") == 1
    assert log.count("makes no sense") == 4
    assert "what?" not in log


def test_it_takes_as_much_memory_as_its_parent_allots(child: Child) -> None:
    child.send('{"do": "memory", "bytes": 4096}')
    child.send('{"do": "say", "what": "so"}')
    assert child.report(said="SO")["memory"] == 4096


def test_it_ends_with_its_parent(child: Child) -> None:
    child.report(state="working")
    assert child.process.stdin is not None
    child.process.stdin.close()
    child.process.stdin = None
    assert child.ended()[0] == 4


def test_a_mistake_of_ours_is_reported_by_its_kind_only(child: Child) -> None:
    child.send('{"do": "say", "what": "broken"}')
    child.report(said="BROKEN")
    child.send('{"do": "finish"}')
    code, out, log = child.ended()
    assert code == 3
    assert json.loads(out.splitlines()[-1])["report"] == {
        "state": "failed",
        "said": "BROKEN",
        "memory": None,
        "reason": "InternalError",
    }
    assert "InternalError: ZeroDivisionError in the worker" in log


@pytest.mark.parametrize("program", ["link", "ship", "backup", "restore"])
def test_every_program_says_that_its_configuration_makes_no_sense(program: str) -> None:
    """One report, the reason in it, and nothing of the line in the log: it may hold a password."""
    child = Child("-m", "neo4j_dr_operator", program)
    child.send('{"password": "hunter2"}')
    code, out, log = child.ended()
    assert code == 3
    (report,) = [json.loads(line)["report"] for line in out.splitlines()]
    assert (report["state"], report["error"]["reason"]) == ("failed", "ConfigInvalid")
    assert "hunter2" not in out + log
