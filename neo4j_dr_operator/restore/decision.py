"""Whether a restore may begin, and how: from what was asked, what holds the target, and what lies in it. Pure.

Nothing in the target is touched before :func:`decide` has said :class:`Go`. A refusal is final, since the spec cannot
be changed; every one says what to write into another restore, or what to do first.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from neo4j_dr_operator.api.restore import RestoreSpec

PREFIX = "restore:"
"""What the name of a restore's own link begins with (:mod:`neo4j_dr_operator.restore.target`)."""
FROZEN = "frozen"


@dataclass(frozen=True)
class Owner:
    """A disaster recovery resource that names the cluster. ``dr``: ``<namespace>/<name>``.

    ``site``: ``primary``, ``secondary``, or the name of a further standby. ``active``: the cluster is the one that may
    be written to (before the first epoch: the one that is to be); ``known``: there is an epoch. ``source``: the cluster
    that is active; ``living``: it answers now.
    """

    dr: str
    site: str
    active: bool
    known: bool = True
    source: str = ""
    living: bool = False

    @property
    def name(self) -> str:
        """The resource's own name."""
        return self.dr.partition("/")[2]


@dataclass(frozen=True)
class Link:
    """A link node in the target. ``tx``: the last transaction of database ``source`` that the target holds."""

    name: str
    phase: str
    source: str
    tx: int


@dataclass(frozen=True)
class Note:
    """What a restore has noted in the target; ``restore``: its name, ``<namespace>/<name>/<uid>``.

    ``complete``: nothing is left to be done, also because replication was resumed over it.
    """

    restore: str
    complete: bool
    archive: str = ""


@dataclass(frozen=True)
class Held:
    """What the target holds. ``database``: its name; the counts are of users' elements.

    ``dr``, ``role``: what its own mark says (``absent``, ``standby``, ``primary``), ``dr`` only while that resource
    exists.
    """

    database: str
    nodes: int = 0
    relationships: int = 0
    role: str = "absent"
    dr: str | None = None
    links: tuple[Link, ...] = ()
    notes: tuple[Note, ...] = ()

    @property
    def empty(self) -> bool:
        """Whether it holds nothing of users."""
        return not self.nodes and not self.relationships

    @property
    def inbound(self) -> Link | None:
        """The link that fills it, None where nothing does."""
        open_ = [link for link in self.links if link.phase != FROZEN and not link.name.startswith(PREFIX)]
        return open_[0] if len(open_) == 1 else None


@dataclass(frozen=True)
class Look:
    """What was seen of the archive, which can give the point, without touching the target.

    ``archive``: which one it is; ``newest``: UUID of the database that its newest epoch is of. ``held``: the database
    and the transaction that it was asked about, None for none; ``within``: whether that can be restored from it;
    ``lacking``: why not.
    """

    archive: str
    newest: str | None = None
    held: tuple[str, int] | None = None
    within: bool = False
    lacking: str = ""


@dataclass(frozen=True)
class Asked:
    """What the spec says. ``restore``: the engine's name of this restore; ``overwrite``: a database's name, or None."""

    restore: str
    cluster: str
    overwrite: str | None = None
    force: bool = False


@dataclass(frozen=True)
class Refused:
    """It does not begin: one word, and a sentence with the way out."""

    reason: str
    message: str


@dataclass(frozen=True)
class LookFirst:
    """The archive has to be looked at before this can be decided: ``link`` filled the target, None where none did."""

    link: Link | None


@dataclass(frozen=True)
class Go:
    """It may begin, or go on. ``overwrite``: what the target holds is deleted first. ``standby``: the target is one, of
    the resource that owns the archive. ``why``: one sentence."""

    overwrite: bool = False
    standby: bool = False
    why: str = ""


Verdict = Refused | LookFirst | Go


@dataclass(frozen=True)
class Seen:
    """Everything that is decided upon. ``alive``: names of unfinished restores whose resource exists."""

    held: Held
    owners: Sequence[Owner] = ()
    look: Look | None = None
    alive: frozenset[str] = field(default_factory=frozenset)


def decide(asked: Asked, seen: Seen) -> Verdict:
    """What follows from what was seen."""
    held = seen.held
    mine = next((note for note in held.notes if note.restore == asked.restore), None)
    if mine is not None:
        standby = any(owner.dr == mine.archive and not owner.active for owner in seen.owners)
        return Go(overwrite=asked.overwrite is not None or bool(seen.owners), standby=standby, why="it goes on")
    wanted = asked.overwrite == held.database
    if (refused := _misnamed(asked, held) or _under_way(held, seen.alive, wanted) or _active(asked, seen)) is not None:
        return refused
    if not seen.owners:
        return _unowned(asked, held, wanted)
    if seen.look is None:
        return LookFirst(held.inbound)
    return _standby(asked, seen, seen.look, wanted)


def _misnamed(asked: Asked, held: Held) -> Refused | None:
    if asked.overwrite is None or asked.overwrite == held.database:
        return None
    return Refused(
        "TargetNotEmpty",
        f"options.overwrite names {asked.overwrite}, but the database of {asked.cluster} is {held.database}; nothing "
        f"was touched: {_again(f'options.overwrite: {held.database}, if that is the one to lose')}",
    )


def _under_way(held: Held, alive: frozenset[str], wanted: bool) -> Refused | None:
    """Another restore's unfinished work: never touched while that one exists, and lost only if it is named."""
    for note in held.notes:
        if note.complete:
            continue
        if note.restore in alive:
            return under_way(note.restore)
        if not wanted:
            return Refused(
                "RestoreUnderWay",
                f"the target holds what restore {_short(note.restore)} had begun and never ended, so it is no whole "
                f"graph; {_again(f'options.overwrite: {held.database}')}",
            )
    return None


def under_way(other: str) -> Refused:
    """The refusal of a second restore into one cluster; ``other``: the first one, ``<namespace>/<name>…``."""
    return Refused(
        "RestoreUnderWay",
        f"restore {_short(other)} is at work on this cluster: wait for it, or delete it, then create another "
        "Neo4jRestore",
    )


def _active(asked: Asked, seen: Seen) -> Refused | None:
    """The active cluster of a resource: by what the resource says, else by the mark in the database itself."""
    dr = next((owner.dr for owner in seen.owners if owner.active), None)
    if dr is None and seen.held.role == "primary" and not any(owner.known for owner in seen.owners):
        dr = seen.held.dr
    if dr is None or asked.force:
        return None
    return Refused(
        "ActivePrimary",
        f"{asked.cluster} is the active cluster of disaster recovery {dr}, which clients write to; restore into its "
        f"standby and fail over to that, or into another cluster, or {_again('options.force: true')}",
    )


def _unowned(asked: Asked, held: Held, wanted: bool) -> Verdict:
    if held.empty:
        return Go(overwrite=wanted, why=f"{asked.cluster} is empty")
    if wanted:
        return Go(overwrite=True, why=f"{_holding(asked, held)}, which options.overwrite gives up")
    return Refused("TargetNotEmpty", f"{_holding(asked, held)}; {_out(held)}")


def _standby(asked: Asked, seen: Seen, look: Look, wanted: bool) -> Verdict:
    """A cluster of a resource: replaced as a copy of what the archive is of, else only if its database is named."""
    held, link = seen.held, seen.held.inbound
    owner = next((owner for owner in seen.owners if owner.dr == look.archive), None)
    if owner is None:
        dr = seen.owners[0].dr
        if wanted:
            return Go(overwrite=True, why=f"{asked.cluster}, a cluster of {dr}, is given up to archive {look.archive}")
        return Refused(
            "ForeignArchive",
            f"archive {look.archive} is not the one of disaster recovery {dr}, to which {asked.cluster} belongs: name "
            f"that one in source.archive, or {_again(f'options.overwrite: {held.database}')}",
        )
    if owner.active or wanted:
        if held.empty or wanted:
            return Go(overwrite=True, standby=not owner.active, why=f"{asked.cluster} is given up, as asked for")
        return Refused("TargetNotEmpty", f"{_holding(asked, held)}; {_out(held)}")
    if held.empty:
        return Go(overwrite=True, standby=True, why=f"{asked.cluster} is an empty standby")
    if link is None:
        return Refused(
            "TargetNotEmpty",
            f"{_holding(asked, held)}, and no link says that this is a copy of {owner.source or 'the active cluster'}; "
            f"{_out(held)}",
        )
    return _copy(asked, owner, link, look, held)


def _copy(asked: Asked, owner: Owner, link: Link, look: Look, held: Held) -> Verdict:
    """A standby that is a copy may go: where the archive can give the same again, or the original is there."""
    if owner.living and look.newest == link.source:
        return Go(overwrite=True, standby=True, why=f"{asked.cluster} is a copy of {owner.source}, which is at work")
    if look.held != (link.source, link.tx):
        return LookFirst(link)  # it has moved meanwhile
    if look.within:
        return Go(overwrite=True, standby=True, why=f"the archive holds what {asked.cluster} does, up to {link.tx}")
    return Refused(
        "StandbyAhead",
        f"{asked.cluster} holds what archive {look.archive} cannot give: {look.lacking}. And "
        f"{owner.source or 'its source'} is not there to have it from. Restore into another cluster, or promote this "
        f"one, or {_again(f'options.overwrite: {held.database}')}",
    )


def _holding(asked: Asked, held: Held) -> str:
    return f"{asked.cluster} holds {held.nodes} nodes and {held.relationships} relationships"


def _short(restore: str) -> str:
    """``<namespace>/<name>`` of a restore's name in the engine."""
    return "/".join(restore.split("/")[:2])


def _out(held: Held) -> str:
    named = _again(f"options.overwrite: {held.database}")
    return f"nothing was touched: empty it, restore into another cluster, or {named}"


def _again(what: str) -> str:
    return f"create another Neo4jRestore with {what}"


# -- the resource -----------------------------------------------------------------------------------------------------


def sites_of(body: Mapping[str, Any]) -> dict[str, str]:
    """The clusters that a disaster recovery resource names, inherited ones too, by site or name of a standby."""
    spec, status = body.get("spec") or {}, body.get("status") or {}
    names = {"primary": spec.get("primaryClusterRef"), "secondary": spec.get("secondaryClusterRef")}
    known = {entry.get("name"): entry for entry in status.get("secondaryClusters") or []}
    for item in spec.get("secondaryClusters") or []:
        entry = known.get(item.get("name"), {})
        site = entry.get("site") or item.get("name")
        names[str(site)] = entry.get("clusterRef") or item.get("clusterRef")
    return {site: str(name) for site, name in names.items() if name}


def owner_of(body: Mapping[str, Any], cluster: str) -> Owner | None:
    """A disaster recovery resource as an owner of the cluster; None where it does not name it."""
    names = sites_of(body)
    site = next((site for site, name in names.items() if name == cluster), None)
    if site is None:
        return None
    meta, status = body["metadata"], body.get("status") or {}
    active, known = status.get("activeSite") or "primary", bool(status.get("epoch"))
    up = {item.get("site"): item.get("verdict") == "UP" for item in status.get("health") or []}
    return Owner(
        dr=f"{meta['namespace']}/{meta['name']}",
        site=site,
        active=site == active,
        known=known,
        source=names.get(active, ""),
        living=known and up.get(active, False),
    )


def unmarked(held: Held) -> Held:
    """The same where the resource that the database's mark names does not exist any more."""
    return replace(held, dr=None)


def point_of(spec: RestoreSpec) -> dict[str, Any]:
    """The point in the words of a worker (docs/restore.md)."""
    if spec.point_in_time is not None:
        at = spec.point_in_time.isoformat()
        return {"snapshot": "newest", "time": at} if spec.source.type == "backup" else {"time": at}
    if spec.source.type == "backup":
        return {"snapshot": "newest"}
    if spec.position is not None:
        return {"position": spec.position}
    if spec.transaction is not None:
        return {"transaction": spec.transaction} | ({"epoch": spec.epoch} if spec.epoch is not None else {})
    return {"end": True}
