"""When failures count as trouble (pure): ``replication.retries`` and ``replication.timeout``."""

from __future__ import annotations


class Patience:
    """Failed attempts in a row. They are a hiccup for ``retries`` of them, and no longer than one may last.

    ``timeout``: seconds. Without the second bound a few attempts that each wait out their time limit would keep a dead
    link looking well for minutes.
    """

    def __init__(self, retries: int = 0, timeout: float = 0.0) -> None:
        """Nothing has failed; by default the first failure counts."""
        self._retries, self._timeout = retries, timeout
        self._failed = 0
        self._since = 0.0

    def failed(self, began: float, now: float) -> bool:
        """An attempt that ``began`` then failed ``now`` (monotonic seconds). Whether it is a hiccup still."""
        if not self._failed:
            self._since = began
        self._failed += 1
        return self._failed <= self._retries and now - self._since < self._timeout

    def clear(self) -> None:
        """An attempt succeeded."""
        self._failed = 0
