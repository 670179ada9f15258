"""A bucket in memory, for the programs that read and clean archives: what the store does otherwise, tests say."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import cast

from neo4j_dr_operator.errors import ObjectStoreError
from neo4j_dr_operator.objectstore.objects import Bucket, Held, Receipt


class MemoryBucket:
    """``before``: called with each request's method and name or prefix, before it is answered; ``locked``: names that
    the store does not give; ``rules``: its lifecycle, None where it does not tell."""

    def __init__(self, objects: dict[str, bytes]) -> None:
        """``objects`` stays the test's own."""
        self.objects = objects
        self.locked: set[str] = set()
        self.rules: dict[str, str] | None = {}
        self.requests: Counter[str] = Counter()
        self.before: Callable[[str, str], None] = lambda method, name: None

    @property
    def bucket(self) -> Bucket:
        """For whom it stands."""
        return cast("Bucket", self)

    def _asked(self, method: str, name: str) -> None:
        self.requests[method] += 1
        self.before(method, name)

    def get(self, name: str) -> Held | None:
        """See :class:`Bucket`."""
        self._asked("get", name)
        body = self.objects.get(name)
        if name in self.locked and body is not None:
            raise ObjectStoreError("the key is disabled", code="KMS.DisabledException")
        return None if body is None else Held(body, Receipt(None, None))

    def put(self, name: str, body: bytes, *, create: bool, sha256: bytes | None = None) -> Receipt:
        """See :class:`Bucket`; whoever puts create only is alone here."""
        self._asked("put", name)
        self.objects[name] = body
        return Receipt(None, None)

    def list(self, prefix: str, after: str, limit: int) -> tuple[list[str], bool]:
        """See :class:`Bucket`."""
        self._asked("list", prefix)
        found = sorted(name for name in self.objects if name.startswith(prefix) and name > after)
        return found[:limit], len(found) > limit

    def folders(self, prefix: str) -> list[str]:
        """See :class:`Bucket`. A list, too, but told apart from one of names."""
        self.requests["list"] += 1
        self.before("folders", prefix)
        rest = (name.removeprefix(prefix) for name in self.objects if name.startswith(prefix))
        return sorted({name.split("/")[0] for name in rest if "/" in name})

    def delete(self, name: str) -> None:
        """See :class:`Bucket`."""
        self._asked("delete", name)
        self.objects.pop(name, None)

    def endangering(self, prefix: str) -> dict[str, str] | None:
        """See :class:`Bucket`."""
        self._asked("get", prefix)
        return self.rules

    def close(self) -> None:
        """Nothing is open."""
