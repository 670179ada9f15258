"""Threads for clients that block, a room for each, so that what waits in one of them delays nothing elsewhere.

asyncio's own (its default executor) are a handful on a small machine and shared by all, the look-up of host names
included: a store that does not answer would soon hold every one of them, and with them probes and statuses.
"""

from __future__ import annotations

import asyncio
import errno
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import ParamSpec, Self, TypeVar

P = ParamSpec("P")
R = TypeVar("R")


class Threads:
    """A few threads of one client, started as they are needed. They end with the client, closed or forgotten."""

    def __init__(self, name: str, most: int) -> None:
        """`name` is that of the threads; beyond `most` calls at a time the next ones wait."""
        self._executor = ThreadPoolExecutor(most, thread_name_prefix=name)

    async def run(self, call: Callable[P, R], *args: P.args, **options: P.kwargs) -> R:
        """What `call` returns or raises. Raises OSError when the system has no thread for it: it may yet be made."""
        try:
            made = self._executor.submit(call, *args, **options)
        except RuntimeError as error:
            raise OSError(errno.EAGAIN, str(error)) from error
        return await asyncio.wrap_future(made)

    def close(self) -> None:
        """Begin no other call. One under way goes on to its own limit; nobody waits for it."""
        self._executor.shutdown(wait=False, cancel_futures=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
