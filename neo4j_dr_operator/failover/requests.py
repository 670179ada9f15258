"""Requests in a spec are consumed once (P9): what is pending, what is left over. Pure.

A value set by a plain patch is taken out of the spec when it has been carried out or superseded, because an identical
patch changes nothing in Kubernetes: a left-over would swallow the next one. A value owned by an apply (Git) cannot be
taken out for good; it counts once per changed value.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from neo4j_dr_operator.failover.actions import Consume
from neo4j_dr_operator.failover.state import SITES, ControlState, Handled, Owner, Site
from neo4j_dr_operator.failover.view import Desired, Requested

LAST_APPLIED = "kubectl.kubernetes.io/last-applied-configuration"
_ANNOTATION = ("f:metadata", "f:annotations", f"f:{LAST_APPLIED}")
BY_HAND = ("kubectl-patch", "kubectl-edit")
"""Field managers that never apply: the default of `--field-manager` of both commands (kubectl reference)."""


def owner_of(body: Mapping[str, Any], path: tuple[str, ...], applied: Mapping[str, Any] | None) -> Owner:
    """Who wrote the field at `path` of a resource: `declared` when an apply owns its present value.

    `applied` is the decoded last-applied annotation of client-side apply; server-side apply shows in managedFields
    with operation `Apply` (Kubernetes API concepts, server-side apply, "Field management").
    """
    entries = body.get("metadata", {}).get("managedFields") or ()
    owners = _owners(entries, tuple(f"f:{name}" for name in path))
    if any(entry.get("operation") == "Apply" for entry in owners):
        return "declared"
    same = applied is not None and _dig(applied, path) is not None and _dig(applied, path) == _dig(body, path)
    return "declared" if same and not _by_hand(owners, _owners(entries, _ANNOTATION)) else "patch"


def _owners(entries: Iterable[Mapping[str, Any]], keys: tuple[str, ...]) -> list[Mapping[str, Any]]:
    return [entry for entry in entries if _dig(entry.get("fieldsV1") or {}, keys) is not None]


def _by_hand(owners: Sequence[Mapping[str, Any]], appliers: Sequence[Mapping[str, Any]]) -> bool:
    """Whether the annotation's value was written again by a patch after the annotation was: it had been patched away.

    Taken for so only by a name that is known never to apply: of two tools that apply the same text only the first one
    owns the annotation, and what the second one brings back must not count as a patch.
    """
    applied_at = max((entry.get("time") or "" for entry in appliers), default="")
    later = [entry.get("manager") in BY_HAND and (entry.get("time") or "") > applied_at for entry in owners]
    return bool(applied_at) and bool(later) and all(later)


def _dig(tree: Any, path: tuple[str, ...]) -> Any:
    for name in path:
        if not isinstance(tree, Mapping) or name not in tree:
            return None
        tree = tree[name]
    return tree


def pending_target(state: ControlState, desired: Desired) -> Requested | None:
    """The failover request that has not been handled yet, or None.

    `emergency` added to a request that was handled without it makes it a new one.
    """
    handled, wanted = state.handled, desired.target
    pending = _pending(wanted, handled.target, handled.target_declared)
    if pending is None and wanted is not None and wanted.emergency and handled.target == wanted.value:
        return None if handled.target_emergency else wanted
    return pending


def pending_sync(state: ControlState, desired: Desired) -> Requested | None:
    """The sync request that has not been handled yet, or None."""
    return _pending(desired.sync, state.handled.sync, state.handled.sync_declared)


def pending_reseed(state: ControlState, desired: Desired) -> Requested | None:
    """The request to fill the standby anew that has not been handled yet, or None. Before the first look: none."""
    handled = state.handled
    if handled.target is None:
        return None
    return _pending(desired.reseed, handled.reseed, handled.reseed_declared)


def _pending(wanted: Requested | None, handled: str | None, declared: str) -> Requested | None:
    """A value that stands where it stood when it was handled is no request, whoever owns it by now: a manifest that
    takes it back may leave it to nobody, and a patch that repeats it changes nothing in Kubernetes."""
    if wanted is None or handled is None or wanted.value == handled:
        return None
    return None if wanted.owner == "declared" and wanted.value == declared else wanted


def settle(state: ControlState, desired: Desired) -> ControlState:
    """The state after looking at what stands in the spec: baselines recorded, absences noted, nothing carried out.

    Whatever stands there at the first look is a baseline, never a request: a resource re-created from Git, from a
    backup or by `kubectl create` must not decide who is primary (P7).
    """
    handled, target = state.handled, desired.target
    changes = _seen("target", desired.target, handled) | _seen("sync", desired.sync, handled)
    changes |= _seen("reseed", desired.reseed, handled)
    if target is None or not target.emergency:
        changes["target_emergency"] = False
    elif "target" in changes:
        changes["target_emergency"] = handled.target is None or not desired.lone_emergency
    standing = [site for site in handled.superseded_read_only if desired.read_only.get(site) is not None]
    changes["superseded_read_only"] = standing
    settled = handled.model_copy(update=changes)
    return state if settled == handled else state.model_copy(update={"handled": settled})


def _seen(field: str, wanted: Requested | None, handled: Handled) -> dict[str, Any]:
    """What a look at one request field changes in the memory of it.

    What a plain patch wrote is forgotten once it is gone; what was declared is remembered for good, because an apply
    brings it back after every patch over it.
    """
    before, declared = getattr(handled, field), getattr(handled, f"{field}_declared")
    if wanted is None:
        return {field: "", f"{field}_owner": None} if before != "" else {}
    first = handled.target is None if field == "reseed" else before is None
    again = wanted.owner == "declared" and wanted.value in (before, declared)
    if not first and not again:
        return {}
    known = (wanted.value, wanted.owner, wanted.value if wanted.owner == "declared" else declared)
    if known == (before, getattr(handled, f"{field}_owner"), declared):
        return {}
    return {field: known[0], f"{field}_owner": known[1], f"{field}_declared": known[2]}


def handle_target(state: ControlState, request: Requested, result: str, wall: float) -> ControlState:
    """The state in which a failover request counts as handled, with its result for `status.failover.lastHandled`."""
    last: dict[str, str | int | float | None] = {
        "target": request.value,
        "emergency": request.emergency,
        "result": result,
        "epoch": state.epoch,
        "at": wall,
    }
    update = {"target_emergency": request.emergency, "last": last, **_taken("target", request)}
    return state.model_copy(update={"handled": state.handled.model_copy(update=update)})


def handle_sync(state: ControlState, request: Requested) -> ControlState:
    """The state in which a sync request counts as accepted."""
    return state.model_copy(update={"handled": state.handled.model_copy(update=_taken("sync", request))})


def handle_reseed(state: ControlState, request: Requested) -> ControlState:
    """The state in which a request to fill the standby anew counts as accepted."""
    return state.model_copy(update={"handled": state.handled.model_copy(update=_taken("reseed", request))})


def _taken(field: str, request: Requested) -> dict[str, Any]:
    taken: dict[str, Any] = {field: request.value, f"{field}_owner": request.owner}
    return taken | ({f"{field}_declared": request.value} if request.owner == "declared" else {})


def read_only_wanted(state: ControlState, desired: Desired, site: Site) -> bool:
    """Whether a cluster's `readOnly` counts: set, and not ended by a newer promotion."""
    return desired.read_only.get(site) is not None and site not in state.handled.superseded_read_only


def supersede_read_only(state: ControlState, desired: Desired) -> ControlState:
    """The state in which every `readOnly` now standing has been ended by a promotion."""
    standing = [site for site in SITES if desired.read_only.get(site) is not None]
    handled = state.handled.model_copy(update={"superseded_read_only": standing})
    return state.model_copy(update={"handled": handled})


def leftovers(state: ControlState, desired: Desired) -> tuple[Consume, ...]:
    """What can be taken out of the specs now: handled requests that a plain patch wrote, while nothing is under way."""
    if state.operation is not None:
        return ()
    out: list[Consume] = []
    if desired.target is not None and desired.target.owner == "patch" and pending_target(state, desired) is None:
        out.append(Consume("target", desired.target.value))
    if desired.lone_emergency and pending_target(state, desired) is None:
        out.append(Consume("emergency", "true"))
    sync_done = state.sync is None or state.sync.complete or state.sync.refused is not None
    if desired.sync is not None and desired.sync.owner == "patch" and sync_done and not pending_sync(state, desired):
        out.append(Consume("sync", desired.sync.value))
    if desired.reseed is not None and desired.reseed.owner == "patch" and not pending_reseed(state, desired):
        out.append(Consume("reseed", desired.reseed.value))
    for site in state.handled.superseded_read_only:
        if desired.read_only.get(site) == "patch":
            out.append(Consume("readOnly", "true", site))
    return tuple(out)
