"""Credentials that were refused are tried again seldom, so that the operator never keeps an account locked.

Neo4j locks a user after three wrong passwords in a row for five seconds (`dbms.security.auth_max_failed_attempts`,
`auth_lock_time`), for everybody. Probes, heartbeats, actions and links all sign in as that user: without a gate they
would hold it locked for good, also against the right password.
"""

from __future__ import annotations

import contextlib
import functools
import threading
import time
from collections.abc import Callable, Iterator

from neo4j_dr_operator import errors

PAUSES = (6.0, 12.0, 24.0, 30.0)
"""Seconds until refused credentials are tried again: above the server's five, and growing."""


class Gate:
    """One user at one address, in this process. Other credentials have a gate of their own, which is open."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        """`clock` gives monotonic seconds."""
        self._clock = clock
        self._refusal: errors.AuthenticationFailed | None = None
        self._refusals, self._until = 0, float("-inf")
        self.proven = False
        """Whether the server has accepted them since they were last refused."""
        self.alone = threading.Lock()
        """Held by the thread that tries unproven credentials, so that threads of a start do not all try at once."""

    def check(self) -> None:
        """Raise the refusal again, word for word, while it is too early to try."""
        if self._refusal is not None and self._clock() < self._until:
            raise _again(self._refusal)

    def accepted(self) -> None:
        """The server answered to them."""
        self.proven, self._refusal, self._refusals = True, None, 0

    @contextlib.contextmanager
    def watching(self) -> Iterator[None]:
        """Inside, a refusal shuts the gate; it leaves as the first one of its row, so that its words stay the same."""
        try:
            yield
        except errors.AuthenticationFailed as error:
            self.proven = False
            if self._clock() >= self._until:
                self._until = self._clock() + PAUSES[min(self._refusals, len(PAUSES) - 1)]
                self._refusals += 1
            if type(self._refusal) is not type(error):
                self._refusal = _again(error)
            raise _again(self._refusal) from error.__cause__


def _again(refusal: errors.AuthenticationFailed) -> errors.AuthenticationFailed:
    """The same words in an error that was never raised: one that is raised again and again keeps every traceback."""
    return type(refusal)(refusal.message, code=refusal.code)


@functools.lru_cache(maxsize=256)
def gate_of(address: str, user: str, password: str) -> Gate:
    """The gate of these credentials, shared by everything in this process that uses them."""
    return Gate()
