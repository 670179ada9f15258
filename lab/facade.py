"""The lab as a context manager."""

from __future__ import annotations

import concurrent.futures
from types import TracebackType
from typing import TypeVar

from lab import builds
from lab.component import Component
from lab.run import Run

C = TypeVar("C", bound=Component)


class Lab:
    """A run with components. Whatever way it ends, its processes end and its data is thrown away; its logs stay.

    >>> east, west, plane = Neo4j("east"), Neo4j("west"), ControlPlane()
    >>> with Lab(east, west, plane) as lab:      # started beside each other
    ...     store = lab.add(S3())                # and one more
    """

    def __init__(self, *components: Component) -> None:
        self._first = components
        self._run: Run | None = None

    def __enter__(self) -> Lab:
        self._run = Run.begin()
        try:
            self.start(*self._first)
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    @property
    def run(self) -> Run:
        """The run; raises RuntimeError outside of the context."""
        if self._run is None:
            raise RuntimeError("the lab has not been entered")
        return self._run

    def start(self, *components: Component) -> None:
        """Build what they need and start them beside each other; returns when all of them answer."""
        for component in components:
            component.attach(self.run)
        if not components:
            return
        builds.ensure(artifact for component in components for artifact in component.artifacts())
        with concurrent.futures.ThreadPoolExecutor(len(components)) as pool:
            try:
                for future in [pool.submit(component.start) for component in components]:
                    future.result()
            except (KeyboardInterrupt, SystemExit):
                self.run.close()  # what still starts fails at once, else leaving the pool would wait for it
                raise

    def add(self, component: C) -> C:
        """Start one more component and return it."""
        self.start(component)
        return component

    def keep(self) -> None:
        """Leave everything running when this process ends."""
        self.run.keep()
        self._run = None

    def close(self) -> None:
        """End everything. Can be called again."""
        run, self._run = self._run, None
        if run is not None:
            run.close()
