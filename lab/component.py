"""What every part of the lab has in common: a directory, processes, a start that is over when a request is answered."""

from __future__ import annotations

import signal
import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from lab.ports import usable
from lab.process import Child
from lab.run import Run


class NotReady(RuntimeError):
    """A component ended or did not answer in time; the message holds the end of its log."""


class Component(ABC):
    """One real server process (or a few that belong together), in a run's directory.

    ``start`` returns when a real request has been answered. ``stop`` and ``kill9`` keep data and ports, so that the
    next ``start`` is a restart of the same server.
    """

    READY_WITHIN = 90.0
    """Seconds from start to the first answered request, on a busy machine."""

    def __init__(self, name: str) -> None:
        self.name = name
        self._run: Run | None = None
        self._children: dict[str, Child] = {}
        self._ports: list[int] = []
        self._lock = threading.RLock()

    # -- for the lab ------------------------------------------------------------------------------------------------
    def attach(self, run: Run) -> None:
        """Give the component its place; done by ``Lab`` before the first start."""
        if self._run is None:
            self._run = run
            self.home.mkdir(parents=True)
            self.pick_ports()

    def artifacts(self) -> Sequence[str]:
        """Names of the builds it needs."""
        return ()

    # -- for subclasses ---------------------------------------------------------------------------------------------
    @abstractmethod
    def pick_ports(self) -> None:
        """Choose the ports, by ``new_port``; called again when one was taken meanwhile."""

    @abstractmethod
    def launch(self) -> None:
        """Start the processes and await a real request."""

    def new_port(self) -> int:
        """A port of its own, free now."""
        self._ports.append(self.run.ports.free())
        return self._ports[-1]

    @property
    def run(self) -> Run:
        """The run it belongs to; raises RuntimeError before it has been given one."""
        if self._run is None:
            raise RuntimeError(f"{self.name} belongs to no lab yet: Lab(...).start(component)")
        return self._run

    @property
    def home(self) -> Path:
        """Its directory, thrown away with the run."""
        return self.run.path / self.name

    def log(self, process: str) -> Path:
        """Log file of one of its processes; kept after the run."""
        return self.run.logs / f"{self.name}-{process}.log"

    def spawn(self, process: str, command: Sequence[str | Path], env: Mapping[str, str] | None = None) -> Child:
        """Start one process and write it into the run's record."""
        child = Child(command, run=self.run.path, log=self.log(process), env=env)
        self._children[process] = child
        self.run.record(f"{self.name}-{process}", child.pid)
        return child

    def await_answer(self, what: str, ask: Callable[[], bool], within: float | None = None) -> None:
        """Ask until the answer is True; NotReady when a process ends or the time is over."""
        deadline = time.monotonic() + (within or self.READY_WITHIN)
        while True:
            answered = ask()
            for process, child in self._children.items():
                if child.exit_code is not None:  # whatever answered was somebody else, then
                    end = child.tail()
                    raise NotReady(f"{self.name}: {process} ended with {child.exit_code}\n{end}")
            if answered:
                return
            if time.monotonic() > deadline:
                tails = "\n".join(child.tail(5) for child in self._children.values())
                raise NotReady(f"{self.name}: {what} not answered in time\n{tails}")
            time.sleep(0.05)

    # -- life -------------------------------------------------------------------------------------------------------
    def start(self) -> None:
        """Start it (again) and return when it answers. Nothing happens when it runs already."""
        with self._lock:
            if self.alive:
                return
            first = not any(self.home.iterdir())
            self._end(signal.SIGKILL, 10)  # what is left of it, where one of several has died
            try:
                self._launch_once(again=first)
            except BaseException:
                self._end(signal.SIGKILL, 10)
                raise

    def _launch_once(self, *, again: bool) -> None:
        try:
            self.launch()
        except NotReady:
            self._end(signal.SIGKILL, 10)
            # somebody may have taken a port since it was picked; but a restarted server has to keep its own
            if not again or all(usable(port) for port in self._ports):
                raise
            self._ports.clear()
            self.pick_ports()
            self.launch()

    def stop(self, within: float = 30.0) -> None:
        """Stop it cleanly (SIGTERM), last started process first; SIGKILL after ``within`` seconds."""
        self._end(signal.SIGTERM, within)

    def kill9(self) -> None:
        """SIGKILL, as a crash."""
        self._end(signal.SIGKILL, 10)

    def pause(self) -> None:
        """Freeze its processes (SIGSTOP): connections stay open and nothing answers."""
        for child in self._children.values():
            child.send(signal.SIGSTOP)

    def resume(self) -> None:
        """Let frozen processes go on (SIGCONT)."""
        for child in self._children.values():
            child.send(signal.SIGCONT)

    @property
    def alive(self) -> bool:
        """Whether all its processes run."""
        return bool(self._children) and all(child.exit_code is None for child in self._children.values())

    def child(self, process: str) -> Child:
        """One of its processes."""
        return self._children[process]

    def _end(self, number: int, seconds: float) -> None:
        with self._lock:
            for process in reversed(list(self._children)):
                self._end_one(process, number, seconds)

    def _end_one(self, process: str, number: int, seconds: float) -> None:
        child = self._children.pop(process, None)
        if child is not None:
            child.end(number, seconds)
            self.run.forget(f"{self.name}-{process}")
