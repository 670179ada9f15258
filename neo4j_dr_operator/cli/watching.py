"""Following resources and clusters as they change: list, watch from there, list again when that is forgotten.

One thread a kind, because a watch blocks; they put what they see into one queue, and whoever draws takes it out.
"""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from neo4j_dr_operator.api.base import GROUP, VERSION
from neo4j_dr_operator.api.kinds import CLUSTER, DISASTER_RECOVERY, Kind
from neo4j_dr_operator.cli.command import Failure
from neo4j_dr_operator.cli.facts import Snapshot, cluster_names
from neo4j_dr_operator.cli.raw import Document
from neo4j_dr_operator.cli.reading import KIND_MISSING, assemble, unreadable
from neo4j_dr_operator.errors import KubernetesError, KubernetesUnreachable, NotFound, WatchExpired

if TYPE_CHECKING:
    from neo4j_dr_operator.kube.user import UserKube, Watch

FIRST_PAUSE, LONGEST_PAUSE = 0.2, 5.0
"""Seconds before the API server is tried again; doubled up to the longest."""
SETTLE = 0.05
"""Seconds to wait for what belongs to a change that has been seen: a patch of both clusters is one picture."""

GOODBYE = 1.0
"""Seconds that the threads have to end."""

Objects = dict[tuple[str, str], Document]


@dataclass(frozen=True)
class Seen:
    """What one thread saw: all objects of its kind, or why it sees nothing."""

    kind: Kind
    objects: Objects | None = None
    lost: str | None = None
    fatal: Exception | None = None


class _Follower(threading.Thread):
    """Follows one kind until it is stopped."""

    def __init__(
        self, kube: UserKube, kind: Kind, namespace: str | None, name: str | None, put: Callable[[Seen], None]
    ) -> None:
        super().__init__(name=f"watch-{kind.plural}", daemon=True)
        self._kube, self._kind, self._namespace, self._name, self._put = kube, kind, namespace, name, put
        self._objects: Objects = {}
        self._seen = False
        self._watch: Watch | None = None
        self._end = threading.Event()

    def stop(self) -> None:
        """Wake the thread wherever it waits for events, and let it end."""
        self._end.set()
        if self._watch is not None:
            self._watch.stop()

    def run(self) -> None:
        """Until stopped, or refused at the first look."""
        pause = FIRST_PAUSE
        version = ""
        while not self._end.is_set():
            try:
                if not version:
                    version = self._list()
                version = self._follow(version)
                pause = FIRST_PAUSE
                continue
            except WatchExpired:
                version = ""
                continue
            except KubernetesError as error:
                if self._end.is_set():
                    return
                # an API server that has just started refuses what it allows a moment later
                if not self._seen and not isinstance(error, KubernetesUnreachable):
                    self._put(Seen(self._kind, fatal=error))
                    return
                self._put(Seen(self._kind, lost=error.message))
            except Exception as error:  # the boundary of a thread: whoever draws must hear of its end
                self._put(Seen(self._kind, fatal=error))
                raise
            version = ""
            self._end.wait(pause)
            pause = min(2 * pause, LONGEST_PAUSE)

    def _list(self) -> str:
        found, version = self._kube.list(GROUP, VERSION, self._kind.plural, self._namespace, self._name)
        self._objects = {_key(body): body for body in found}
        self._said()
        return version

    def _follow(self, version: str) -> str:
        """Watch until the API server ends it; returns the version up to which everything was seen."""
        self._watch = self._kube.watch(GROUP, VERSION, self._kind.plural, self._namespace, self._name, version)
        if self._end.is_set():  # stopped while the watch was being opened
            return version
        for event in self._watch:
            version = event.object["metadata"]["resourceVersion"]
            if event.type == "BOOKMARK":
                continue
            if event.type == "DELETED":
                self._objects.pop(_key(event.object), None)
            else:
                self._objects[_key(event.object)] = event.object
            self._said()
        return version

    def _said(self) -> None:
        self._seen = True
        self._put(Seen(self._kind, dict(self._objects)))


def _key(body: Document) -> tuple[str, str]:
    meta = body["metadata"]
    return meta["namespace"], meta["name"]


@dataclass
class View:
    """All that is known at the moment. `lost`: why it may be out of date, for each kind whose watch is broken."""

    recoveries: Objects | None = None
    clusters: Objects | str | None = None
    lost: dict[str, str] = field(default_factory=dict)

    def snapshots(self) -> list[Snapshot]:
        """The resources with their clusters."""
        clusters = self.clusters if isinstance(self.clusters, str) else (self.clusters or {}).values()
        return assemble((self.recoveries or {}).values(), clusters)

    @property
    def complete(self) -> bool:
        """Whether both kinds have been seen once."""
        return self.recoveries is not None and self.clusters is not None


class Watching:
    """The followers of both kinds, and what they have seen so far."""

    def __init__(self, kube: UserKube, namespace: str | None, name: str | None) -> None:
        """Begin to follow. `name`: one resource of the namespace, None for all."""
        self.view = View()
        self._queue: queue.SimpleQueue[Seen] = queue.SimpleQueue()
        self._followers: list[_Follower] = []
        for kind, one in ((DISASTER_RECOVERY, name), (CLUSTER, None)):
            self._followers.append(_Follower(kube, kind, namespace, one, self._queue.put))
        for follower in self._followers:
            follower.start()

    def close(self) -> None:
        """Stop following. A thread still inside the client when the interpreter ends can abort the process."""
        for follower in self._followers:
            follower.stop()
        end = time.monotonic() + GOODBYE
        for follower in self._followers:
            follower.join(max(0.0, end - time.monotonic()))

    def wait(self, seconds: float | None) -> bool:
        """Wait for something to be seen, at most so long; whether the view is another one now.

        Raises Failure or the KubernetesError that ended the watch of the resources for good.
        """
        try:
            seen = self._queue.get(timeout=seconds)
        except queue.Empty:
            return False
        changed = self._take(seen)
        while True:
            try:
                seen = self._queue.get(timeout=SETTLE)
            except queue.Empty:
                return changed
            changed = self._take(seen) or changed

    def _take(self, seen: Seen) -> bool:
        plural = seen.kind.plural
        before = (self.view.recoveries, self.view.clusters, dict(self.view.lost))
        if seen.fatal is not None:
            self._ended(seen)
        elif seen.lost is not None:
            self.view.lost[plural] = seen.lost
        else:
            self.view.lost.pop(plural, None)
            if seen.kind is CLUSTER:
                self.view.clusters = seen.objects or {}
            else:
                self.view.recoveries = seen.objects
        return before != (self.view.recoveries, self.view.clusters, self.view.lost)

    def _ended(self, seen: Seen) -> None:
        """Without the right to see clusters the picture goes on without them; without the resources it does not."""
        assert seen.fatal is not None
        if seen.kind is CLUSTER and isinstance(seen.fatal, KubernetesError):
            self.view.clusters = unreadable(seen.fatal)
            self.view.lost.pop(seen.kind.plural, None)
        elif isinstance(seen.fatal, NotFound):
            raise Failure(KIND_MISSING) from None
        else:
            raise seen.fatal


def relevant(snapshots: list[Snapshot]) -> list[tuple[Document, dict[str, Document]]]:
    """What of the snapshots a picture rests on, to tell whether it is another one."""
    return [
        (snapshot.recovery, {name: snapshot.clusters.get(name, {}) for name in cluster_names(snapshot.recovery)})
        for snapshot in snapshots
    ]
