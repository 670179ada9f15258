"""Child processes with an identity that survives this process.

A process id alone names nobody: ids are used again. A child is therefore known by id *and* start time (field 22 of
``/proc/PID/stat``, clock ticks since boot), and by the run directory in its environment, which finds a child that was
started but not yet recorded when its parent was killed.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

RUN_VARIABLE = "NEO4J_DR_LAB_RUN"


def start_time(pid: int) -> int | None:
    """Start of a living process in clock ticks since boot; None when there is none (a zombie counts as none)."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return None
    fields = text.rpartition(")")[2].split()  # the name in brackets may hold blanks
    return None if fields[0] in "ZX" else int(fields[19])


@dataclass(frozen=True)
class Identity:
    """A process that cannot be mistaken for a later one with the same id."""

    pid: int
    started: int

    @classmethod
    def of(cls, pid: int) -> Identity | None:
        """Identity of a living process, None when it is gone."""
        started = start_time(pid)
        return None if started is None else cls(pid, started)

    @property
    def alive(self) -> bool:
        """Whether this very process still runs."""
        return start_time(self.pid) == self.started

    def signal(self, number: int) -> bool:
        """Send a signal to this very process; False when it is gone."""
        if not self.alive:
            return False
        try:
            os.kill(self.pid, number)
        except ProcessLookupError:
            return False
        return True


def end(processes: Sequence[Identity], grace: float = 5.0) -> None:
    """End processes: SIGCONT and SIGTERM, then SIGKILL for those still there after ``grace`` seconds.

    Returns when all of them are gone; raises TimeoutError when one outlives SIGKILL by 10 s.
    """
    for process in processes:
        process.signal(signal.SIGTERM)
        process.signal(signal.SIGCONT)  # a paused process does not see SIGTERM
    if not _gone(processes, grace):
        for process in processes:
            process.signal(signal.SIGKILL)
        if not _gone(processes, 10.0):
            raise TimeoutError(f"still there after SIGKILL: {[p.pid for p in processes if p.alive]}")


def _gone(processes: Sequence[Identity], seconds: float) -> bool:
    deadline = time.monotonic() + seconds
    while any(process.alive for process in processes):
        if time.monotonic() > deadline:
            return False
        for process in processes:  # reap those that are our own children
            with contextlib.suppress(ChildProcessError):
                os.waitpid(process.pid, os.WNOHANG)
        time.sleep(0.02)
    return True


def of_run(run: Path) -> list[Identity]:
    """Every living process whose environment names this run directory."""
    marker = f"{RUN_VARIABLE}={run}".encode()
    found = []
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit() or int(entry.name) == os.getpid():
            continue
        try:
            environment = (entry / "environ").read_bytes()
        except (FileNotFoundError, ProcessLookupError, PermissionError):
            continue
        if marker in environment.split(b"\0"):
            identity = Identity.of(int(entry.name))
            if identity is not None:
                found.append(identity)
    return found


class Child:
    """A running child process in a session of its own (Ctrl-C in the terminal does not reach it)."""

    def __init__(self, command: Sequence[str | Path], *, run: Path, log: Path, env: Mapping[str, str] | None = None):
        log.parent.mkdir(parents=True, exist_ok=True)
        with log.open("ab") as output:
            self._popen = subprocess.Popen(
                [str(part) for part in command],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                umask=0o022,
                env={**os.environ, **(env or {}), RUN_VARIABLE: str(run)},
            )
        self.log = log

    @property
    def pid(self) -> int:
        """Process id."""
        return self._popen.pid

    @property
    def exit_code(self) -> int | None:
        """Exit code, negative for a signal; None while it runs."""
        return self._popen.poll()

    def send(self, number: int) -> None:
        """Send a signal."""
        self._popen.send_signal(number)

    def wait(self, seconds: float) -> int:
        """Wait for its end; the exit code. Raises ``subprocess.TimeoutExpired``."""
        return self._popen.wait(seconds)

    def end(self, number: int, seconds: float) -> None:
        """Send a signal and wait; SIGKILL when it is not heard within ``seconds``."""
        self._popen.send_signal(number)
        if number != signal.SIGKILL:
            self._popen.send_signal(signal.SIGCONT)
        try:
            self._popen.wait(seconds)
        except subprocess.TimeoutExpired:
            self._popen.kill()
            self._popen.wait(10)

    def tail(self, lines: int = 15) -> str:
        """Last lines of its log, for an error message."""
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-lines:])
