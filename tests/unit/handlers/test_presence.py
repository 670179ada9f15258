"""A deletion without an event is found by looking; nothing else is taken for one."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from neo4j_dr_operator.api.kinds import CLUSTER
from neo4j_dr_operator.errors import KubernetesUnreachable
from neo4j_dr_operator.handlers import presence
from neo4j_dr_operator.handlers.presence import Known, Presence
from tests.fake_api import NAMESPACE, RECOVERY, FakeApi


class Looked:
    """Two resources that were seen, and what turns out to be gone."""

    def __init__(self) -> None:
        self.api, self.gone, self.found = FakeApi(), list[str](), asyncio.Event()
        self.known = [self._made(name, RECOVERY) for name in ("a", "b")] + [self._made("east", CLUSTER.plural)]
        self.presence = Presence(self.api, lambda: self.known, self._is_gone)

    def _made(self, name: str, plural: str) -> Known:
        return Known(plural, NAMESPACE, name, self.api.create(plural, name, {})["metadata"]["uid"])

    async def _is_gone(self, each: Known) -> None:
        self.gone.append(each.name)
        self.found.set()

    def run(self, until: Callable[[], Awaitable[object]]) -> list[str]:
        async def both() -> None:
            looking = asyncio.create_task(self.presence.run())
            async with asyncio.timeout(10):
                await until()
            looking.cancel()

        asyncio.run(both())
        return self.gone


@pytest.mark.parametrize("again", [False, True], ids=["deleted", "made again"])
def test_all_are_looked_at_now_and_then(again: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(presence, "PERIOD", 0.01)
    looked = Looked()
    looked.api.delete(RECOVERY, "b")
    if again:
        looked.api.create(RECOVERY, "b", {})
    assert set(looked.run(looked.found.wait)) == {"b"}


def test_a_kind_that_was_listed_anew_is_looked_at_at_once_and_no_other() -> None:
    looked = Looked()
    looked.api.delete(RECOVERY, "b")
    looked.presence.relisted(RECOVERY)
    assert looked.run(looked.found.wait) == ["b"]
    assert looked.api.calls.count(f"get {CLUSTER.plural}") == 0


def test_what_is_doubted_is_looked_at_at_once() -> None:
    looked = Looked()
    looked.api.delete(RECOVERY, "a")
    looked.presence.doubt(looked.known[0])
    assert looked.run(looked.found.wait) == ["a"]
    assert looked.api.calls == [f"get {RECOVERY}"]


def test_no_answer_and_an_answer_about_something_else_are_no_deletion(monkeypatch: pytest.MonkeyPatch) -> None:
    """A 404 of an API server that does not serve the kind yet would end what runs for all of them."""
    looked = Looked()
    looked.api.served = False
    asyncio.run(looked.presence.look(looked.known[0]))

    async def silent(*_: str) -> dict[str, object]:
        raise KubernetesUnreachable("no answer")

    monkeypatch.setattr(looked.api, "get", silent)
    asyncio.run(looked.presence.look(looked.known[0]))
    assert looked.gone == []
