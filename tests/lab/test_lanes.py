"""Commands beside each other: told apart, all to their end, with Ctrl-C as it was."""

from __future__ import annotations

import io
import os
import shlex
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from lab import lanes


def program(text: str) -> str:
    """A command line that runs this Python text."""
    return shlex.join([sys.executable, "-c", text])


def test_lines_carry_the_lanes_name_and_the_first_failure_counts() -> None:
    out = io.StringIO()
    commands = [
        ("one", program("print('a'); print('b')")),
        ("second", program("import sys; sys.stderr.write('x\\n'); sys.exit(3)")),
        ("third", program("import sys; sys.exit(4)")),
    ]
    assert lanes.run(commands, out) == 3
    assert sorted(out.getvalue().splitlines()) == ["one    | a", "one    | b", "second | x"]
    assert lanes.run(commands[:1], out) == 0


def test_they_run_at_the_same_time(tmp_path: Path) -> None:
    """Each ends only once the other has begun."""
    os.mkfifo(tmp_path / "pipe")
    pipe = repr(str(tmp_path / "pipe"))
    commands = [("in", program(f"open({pipe}, 'w').write('met')")), ("out", program(f"print(open({pipe}).read())"))]
    out = io.StringIO()
    assert lanes.run(commands, out) == 0
    assert out.getvalue() == "out | met\n"


def test_a_command_gets_the_interrupt_as_python_does_and_one_that_was_killed_has_failed() -> None:
    handled = "import signal; print(signal.getsignal(signal.SIGINT) is signal.default_int_handler)"
    done = subprocess.run(
        [
            sys.executable,
            "-m",
            "lab.lanes",
            f"a={program(handled)}",
            f"b={program('import os; os.kill(os.getpid(), 9)')}",
        ],
        capture_output=True,
        text=True,
        cwd=Path(lanes.__file__).parents[1],
        check=False,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    assert done.stdout == "a | True\n"
    assert done.returncode == 128 + signal.SIGKILL


@pytest.mark.parametrize("arguments", [[], ["name"], ["name="]])
def test_what_makes_no_sense_is_said(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert lanes.main(arguments) == 2
    assert "usage" in capsys.readouterr().err
