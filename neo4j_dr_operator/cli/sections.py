"""The sections of the picture, each from the facts alone; one that has nothing to say is left out. Pure."""

from __future__ import annotations

from neo4j_dr_operator.cli import raw, summary
from neo4j_dr_operator.cli.facts import STEPS, Change, Condition, Facts, Link, Site
from neo4j_dr_operator.cli.page import Page
from neo4j_dr_operator.cli.raw import Document
from neo4j_dr_operator.cli.text import Span, Style, bar, clean, clock, count, pad, size, span_of_time, width

HISTORY_SHOWN = 3
"""Changes shown of the history, newest first."""

_UNASKED = "NotConfigured"
"""Reason of the conditions about what a spec does not ask for."""

_DETAILS = 9
"""Columns by which what is said of a site stands in."""

_VERDICTS: dict[str, Style] = {"UP": "good", "DOWN": "bad", "DEGRADED": "warn"}
_MARKS: dict[summary.Mark, Span] = {
    "bad": Span("!! ", "bad"),
    "unknown": Span("?? ", "warn"),
    "rest": Span(" - ", "dim"),
    "good": Span("ok ", "good"),
}


def operation(page: Page, facts: Facts) -> None:
    """The change under way: its steps with their times, what it rests on."""
    change = facts.operation
    if change is None:
        return
    page.section("Under way", bold=True)
    epoch = f" at epoch {change.epoch}" if change.epoch is not None else ""
    page.text(f"{change.kind} from {change.source or '?'} to {change.target or '?'}{epoch}", "bold")
    done = [name for name, _ in change.steps]
    for index, (name, at) in enumerate(change.steps):
        last = index == len(change.steps) - 1
        when = clock(at) if at is not None else "at an unknown time"
        page.spans(
            Span(f"{'>> ' if last else 'ok '}", "warn" if last else "good"),
            Span(f"{name:<11}"),
            Span(when, "dim"),
            Span(page.since(at) if last else ""),
        )
    ahead = [name for name in STEPS.get(change.kind, ()) if done and name not in done]
    if ahead:
        page.spans(Span(f" - then {', '.join(ahead)}", "dim"))
    if change.fenced_by:
        page.text(f"fenced by {change.fenced_by}")
    for evidence in change.evidence:
        page.text(evidence, "dim", hang=2)


def sites(page: Page, facts: Facts) -> None:
    """Both sides: role, cluster, region, verdict with its evidence, address."""
    page.section("Sites")
    places = [(site.name, site.cluster, site.region or "-") for site in facts.sites]
    columns = [max(width(clean(place[i])) for place in places) for i in range(3)] if places else []
    for site, place in zip(facts.sites, places, strict=True):
        role = {"active": "ACTIVE ", "standby": "standby", "unknown": "unknown"}[site.role]
        page.spans(
            Span(role, "bold" if site.role == "active" else "plain"),
            Span("".join(f"  {pad(text, columns[i])}" for i, text in enumerate(place)) + "  "),
            Span(f"{site.verdict}{page.since(site.since)}", _VERDICTS.get(site.verdict, "warn")),
        )
        _about(page, site)


def _about(page: Page, site: Site) -> None:
    if site.absent:
        page.nested(site.absent, _DETAILS, "bad")
        return
    notes = [site.source] if site.source else []
    if site.encrypted is not None:
        notes.append("TLS" if site.encrypted else "not encrypted")
    address = site.address or "no address known yet"
    page.nested(address + (f" ({', '.join(notes)})" if notes else ""), _DETAILS, "dim")
    if site.evidence:
        page.nested(site.evidence, _DETAILS)
    if site.read_only is not None and site.read_only.message:
        seen = "" if site.verdict == "UP" else "when last seen: "
        page.nested(seen + site.read_only.message, _DETAILS, "dim")


def links(page: Page, facts: Facts) -> None:
    """Each link: state, lag, progress of the first copy, what keeps it from working."""
    page.section("Link")
    # at rest the operator writes a lag anew only when it leaves its step of ten seconds
    told = f", as told {page.ago(facts.written)}" if facts.written is not None else ""
    active = next((site.name for site in facts.sites if site.role == "active"), "?")
    for link in (*facts.links, *facts.followers):
        source = link.source or active
        style: Style = "good" if link.state == "streaming" and not link.message else "warn"
        page.spans(Span(f"{source} -> {link.site}   "), Span(link.state, style), Span(_lag(link)), Span(told, "dim"))
        if link.seed is not None and link.state != "streaming":
            _seed(page, link)
        if link.message:
            page.text(link.message, "bad")
        if link.position:
            page.text(f"position {link.position}", "dim")
    if not facts.links:
        page.text("no link yet")


def _lag(link: Link) -> str:
    parts = []
    if link.lag_seconds is not None:
        parts.append(span_of_time(link.lag_seconds))
    if link.lag_transactions is not None:
        parts.append(count(link.lag_transactions, "transaction"))
    return f", {' and '.join(parts)} behind" if parts else ", lag not known"


def _seed(page: Page, link: Link) -> None:
    seed = link.seed
    assert seed is not None
    page.spans(Span(bar(seed.share), "bold"), Span(f" {int(100 * seed.share):3d} %"))
    nodes, rels = f"{seed.nodes:,.0f} of {seed.nodes_end:,.0f}", f"{seed.rels:,.0f} of {seed.rels_end:,.0f}"
    page.text(f"nodes {nodes}, relationships {rels}")


def requests(page: Page, facts: Facts) -> None:
    """What stands in the specs as a request, and whether it has been carried out."""
    if not facts.requests:
        return
    page.section("Requests")
    for request in facts.requests:
        state = Span("waits", "warn") if request.handled is None else Span(f"handled: {request.handled}", "dim")
        page.spans(Span(f"{request.field} = {request.value}   "), state)


def failover(page: Page, facts: Facts) -> None:
    """Whether the standby may be promoted by itself, who else votes, and what may be lost."""
    page.section("Failover")
    wanted, witness = raw.part(facts.spec, "failover"), raw.part(facts.spec, "failover", "quorum", "witness")
    parts = ["automatic" if raw.flag(wanted, "automatic") else "by request only (failover.automatic is not true)"]
    if witness:
        path = (raw.text(witness, "path") or "").strip("/")
        parts.append(f"witness {raw.text(witness, 'type')}://{raw.text(witness, 'bucket')}{'/' * bool(path)}{path}")
    parts += [f"{name} {raw.text(wanted, name)}" for name in ("rpo", "rto") if raw.text(wanted, name)]
    page.text(", ".join(parts), hang=2)


def archive(page: Page, facts: Facts) -> None:
    """Log shipping, the window that can be restored into, backups."""
    shipping, window, backup = (raw.part(facts.status, name) for name in ("shipping", "recovery", "backup"))
    if shipping:
        _shipping(page, shipping)
    if window:
        _window(page, window)
    if backup:
        _backup(page, backup)


def _shipping(page: Page, shipping: Document) -> None:
    page.section("Shipping")
    state = raw.text(shipping, "state") or "unknown"
    age, backlog = raw.number(shipping, "ageSeconds"), raw.number(shipping, "backlogTransactions")
    parts = [state]
    if age is not None:
        parts.append(f"archive {span_of_time(age)} old")
    if backlog is not None:
        parts.append(f"{count(backlog, 'transaction')} not shipped")
    page.text(", ".join(parts))
    segment, epoch = raw.whole(shipping, "segment"), raw.whole(shipping, "epoch")
    segments, stored = raw.number(shipping, "segments"), raw.number(shipping, "bytes")
    shipped, position = raw.instant(shipping, "shippedAt"), raw.text(shipping, "position")
    kept = [f"segment {segment}" + (f" of epoch {epoch}" if epoch is not None else "")] if segment is not None else []
    kept += [f"stored {page.ago(shipped)}"] if shipped is not None else []
    kept += [f"up to {position}"] if position else []
    kept += [count(segments, "segment")] if segments is not None else []
    kept += [size(stored)] if stored is not None else []
    if kept:
        page.text(", ".join(kept), "dim")
    message = raw.text(shipping, "message")
    if message:
        page.text(message, hang=2)


def _backup(page: Page, backup: Document) -> None:
    page.section("Backup")
    last, due = raw.instant(backup, "lastCompletedAt"), raw.instant(backup, "nextAt")
    name, kept = raw.text(backup, "lastSnapshot"), raw.number(backup, "snapshots")
    parts = [f"{name or 'the last'} complete {page.ago(last)}" if last is not None else "none complete yet"]
    parts += [count(kept, "snapshot")] if kept is not None else []
    parts += [f"next at {clock(due)}"] if due is not None else []
    page.text(", ".join(parts))
    running = raw.part(backup, "running")
    if running:
        page.text(_under_way(running), hang=2)
    message = raw.text(backup, "message")
    if message:
        page.text(message, hang=2)


def _under_way(running: Document) -> str:
    percent, left = raw.whole(running, "percent"), raw.number(running, "estimatedSecondsLeft")
    parts = [f"now: {raw.text(running, 'kind') or 'one'}"]
    parts += [state] if (state := raw.text(running, "state")) else []
    parts += [f"{percent} %"] if percent is not None else []
    parts += [f"about {span_of_time(left)} left"] if left is not None else []
    parts += [f"waits: {waits}"] if (waits := raw.text(running, "message")) else []
    return ", ".join(parts)


def _window(page: Page, window: Document) -> None:
    page.section("Restorable")
    earliest, latest = raw.instant(window, "earliest"), raw.instant(window, "latest")
    if earliest is None or latest is None:
        page.text("to no point yet")
    else:
        length = span_of_time((latest - earliest).total_seconds())
        page.text(f"from {clock(earliest)} to {clock(latest)} ({length}, its end {page.ago(latest)})")
    for gap in raw.items(window, "gaps"):
        begin, end = raw.text(gap, "from") or "?", raw.text(gap, "to") or "?"
        page.text(f"gap from {begin} to {end}: {raw.text(gap, 'reason') or 'no reason given'}", "bad", hang=2)


def alarms(page: Page, facts: Facts) -> None:
    """What is wrong: each alarm with what is said of it, and with what the condition stands for."""
    page.section("Wrong", bold=True)
    for sentence in summary.circumstances(facts):
        page.marked(_MARKS["bad"], sentence)
    for condition in summary.alarms(facts):
        _condition(page, facts, condition)
        meaning = summary.MEANINGS.get(condition.type)
        if meaning:
            page.nested(f"True means: {meaning}", 3, "dim")


def conditions(page: Page, facts: Facts) -> None:
    """The conditions that are no alarm: those that do not hold first, those that do in one paragraph."""
    page.section("Conditions")
    marked = [(summary.mark(condition, facts.spec), condition) for condition in facts.conditions]
    unasked = [condition.type for mark, condition in marked if mark == "rest" and condition.reason == _UNASKED]
    for mark, condition in marked:
        if mark == "rest" and condition.reason != _UNASKED:
            _condition(page, facts, condition)
    if unasked:
        page.marked(_MARKS["rest"], f"not asked for: {', '.join(unasked)}", "dim")
    good = [f"{c.type}={c.status}" + (f" {c.reason}" if c.reason else "") for mark, c in marked if mark == "good"]
    if good:
        page.marked(_MARKS["good"], ", ".join(good))


def _condition(page: Page, facts: Facts, condition: Condition) -> None:
    sign = summary.mark(condition, facts.spec)
    reason = f" {condition.reason}" if condition.reason else ""
    name = Span(f"{condition.type}={condition.status}", "bold" if sign == "bad" else "plain")
    page.spans(_MARKS[sign], name, Span(f"{reason}{page.since(condition.since)}", "dim"))
    if condition.message and condition.message != facts.message:  # that one stands at the top
        page.nested(condition.message, 3)


def not_supported(page: Page, facts: Facts) -> None:
    """Fields that this operator does not act on yet."""
    if not facts.not_supported:
        return
    page.section("Ignored")
    page.text("these fields are accepted and not acted on yet:", "warn")
    for field in facts.not_supported:
        page.text(field, hang=2)


def history(page: Page, facts: Facts) -> None:
    """The newest changes of the active site, and what each cost."""
    if not facts.history:
        return
    page.section("History")
    for change in reversed(facts.history[-HISTORY_SHOWN:]):
        took = f" in {span_of_time(change.duration)}" if change.duration is not None else ""
        if change.within_rto is not None:
            took += " (within the RTO)" if change.within_rto else " (longer than the RTO)"
        when = f"{clock(change.started)}  " if change.started is not None else ""
        style: Style = "plain" if change.result == "Completed" else "warn"
        path = f"{change.source or '?'} -> {change.target or '?'}"
        epoch = "" if change.epoch is None else f", epoch {change.epoch}"
        page.text(f"{when}{change.kind} {path}: {change.result}{took}{epoch}", style, hang=2)
        page.nested(_cost(change), 2, "dim")
        if change.drained or change.drain_problem:
            page.nested(_drained(change), 2, "dim")
        if change.reason:
            page.nested(change.reason, 2, "dim")
    older = len(facts.history) - HISTORY_SHOWN
    if older > 0:
        page.text(f"and {count(older, 'older change')} (-o yaml shows all)", "dim")


def _drained(change: Change) -> str:
    taken = f"{count(change.drained or 0, 'transaction')} taken from the archive"
    return f"{taken}, no more because of {change.drain_problem}" if change.drain_problem else taken


def _cost(change: Change) -> str:
    fence = f"fenced by {change.fenced_by}; " if change.fenced_by else ""
    if change.result != "Completed":
        return f"{fence}the active site stayed"
    if change.lost_transactions is None:
        return f"{fence}what was lost is counted when the old primary is seen again"
    if change.lost_transactions == 0:
        return f"{fence}nothing lost"
    span = f", {span_of_time(change.lost_seconds)} of commits" if change.lost_seconds is not None else ""
    return f"{fence}lost {count(change.lost_transactions, 'transaction')}{span}"
