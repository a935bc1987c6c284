"""Where a rollout's time went: what it waited for, since when, until when, and who could have ended that."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from itertools import pairwise
from typing import NamedTuple

from learning.entries import (
    approves,
    closed,
    closes_gate,
    communicates,
    enters,
    hold_of,
    opens_gate,
    pauses,
    resumes,
    stops,
)
from models.command import Verb
from models.learning import PEOPLE, Drag, Waiting
from models.log import EntryKind, LogEntry
from models.plan import ApprovalRule, GateName, RolloutPlan
from models.rollout import HoldKind

_HOLDS = {
    HoldKind.BASELINE: Waiting.BASELINE,
    HoldKind.EVIDENCE: Waiting.EVIDENCE,
    HoldKind.OUTCOME: Waiting.OUTCOME,
    HoldKind.WATCH_SILENT: Waiting.WATCH_SILENT,
    HoldKind.REVIEW_MISSED: Waiting.REVIEW,
    HoldKind.STORE: Waiting.STORE,
    HoldKind.KEYS: Waiting.KEYS,
}
"""A decision that is overdue holds, too; its gate is open all the while, which counts already."""


class Span(NamedTuple):
    """`[since, until)` in programme time. `awaited` are the roles that could have acted, each until it did. `sequence`
    is the entry with which it begins, `detail` that entry's message."""

    waiting: Waiting
    since: datetime
    until: datetime
    awaited: Mapping[str, datetime]
    sequence: int
    detail: str


def extent(log: Sequence[LogEntry]) -> tuple[datetime, datetime]:
    """From the log's opening to the close, or to the newest entry of a rollout that is not there yet.

    Args:
        log: by its sequence, at least one entry.
    """
    ended = next((one for one in log if closed(one)), log[-1])
    return log[0].programme_at, max(ended.programme_at, log[0].programme_at)


def spans(plan: RolloutPlan, log: Sequence[LogEntry]) -> tuple[Span, ...]:
    """Everything that was waited for, by the moment it began; spans may overlap.

    Args:
        log: by its sequence.
    """
    if not log:
        return ()
    end = extent(log)[1]
    found = [*_paused(log, end), *_gates(plan, log, end), *_confirming(plan, log, end), *_holds(plan, log, end)]
    clipped = (one._replace(until=min(one.until, end), awaited=_clip(one.awaited, end)) for one in found)
    return tuple(sorted((one for one in clipped if one.since < one.until), key=lambda one: (one.since, one.sequence)))


def _clip(awaited: Mapping[str, datetime], end: datetime) -> dict[str, datetime]:
    return {role: min(until, end) for role, until in awaited.items()}


def _paused(log: Sequence[LogEntry], end: datetime) -> Iterable[Span]:
    standing: LogEntry | None = None
    for entry in log:
        if pauses(entry):
            standing = entry
        elif standing is not None and (resumes(entry) or stops(entry)):
            yield _pause(standing, entry.programme_at)
            standing = None
    if standing is not None:
        yield _pause(standing, end)


def _pause(entry: LogEntry, until: datetime) -> Span:
    roles = dict.fromkeys(map(str, entry.detail.get("must_act", ())), until)
    return Span(Waiting.RESUME, entry.programme_at, until, roles, entry.sequence, entry.message)


def rule_at(plan: RolloutPlan, gate: str) -> ApprovalRule | None:
    """The rule of a gate by the name decisions write it with, `wave_2` for the second wave."""
    name = GateName.WAVE if gate.startswith("wave_") else gate
    return plan.approvals.rule(GateName(name)) if name in set(GateName) else None


def _gates(plan: RolloutPlan, log: Sequence[LogEntry], end: datetime) -> Iterable[Span]:
    """A gate waits for people until the last of them has approved, and for nobody while evidence is read once more."""
    opened: LogEntry | None = None
    said: list[LogEntry] = []
    for entry in log:
        if opens_gate(entry):
            opened, said = entry, []
        elif opened is None:
            continue
        elif approves(entry) and entry.gate == opened.gate:
            said.append(entry)
        elif enters(entry) or closes_gate(entry) or pauses(entry) or stops(entry):
            over = said[-1].programme_at if said and enters(entry) else entry.programme_at
            yield _gate(plan, opened, said, over)
            opened = None
    if opened is not None:
        yield _gate(plan, opened, said, end)


def _gate(plan: RolloutPlan, opened: LogEntry, said: Sequence[LogEntry], until: datetime) -> Span:
    rule = rule_at(plan, opened.gate or "")
    awaited = dict.fromkeys(rule.roles if rule else (), until)
    awaited |= {entry.role: entry.programme_at for entry in reversed(said) if entry.role in awaited}
    return Span(Waiting.APPROVAL, opened.programme_at, until, awaited, opened.sequence, opened.message)


def _confirming(plan: RolloutPlan, log: Sequence[LogEntry], end: datetime) -> Iterable[Span]:
    asked = next((one for one in log if communicates(one)), None)
    if asked is None:
        return
    confirmed = {
        (one.actor or "").casefold(): one.programme_at
        for one in log
        if one.kind is EntryKind.DECISION and one.verb == Verb.CONFIRM_OWNERSHIP
    }
    given_up = next((one.programme_at for one in log if stops(one)), end)
    awaited: dict[str, datetime] = {}
    for owner in plan.owners:
        moment = min(confirmed.get(owner.identity.casefold(), given_up), given_up)
        awaited[owner.role] = max(moment, awaited.get(owner.role, moment))
    until = max(awaited.values())
    yield Span(Waiting.CONFIRMATION, asked.programme_at, until, awaited, asked.sequence, asked.message)


def _holds(plan: RolloutPlan, log: Sequence[LogEntry], end: datetime) -> Iterable[Span]:
    """A hold whose detail changes is one hold; a stop ends all of them."""
    standing: dict[HoldKind, LogEntry] = {}
    for entry in log:
        kind = hold_of(entry)
        if kind is not None and entry.kind is EntryKind.HOLD:
            standing.setdefault(kind, entry)
        over = (
            [kind] if kind is not None and entry.kind is EntryKind.RELEASE else list(standing) if stops(entry) else []
        )
        for one in over:
            if one in standing:
                yield from _hold(plan, one, standing.pop(one), entry.programme_at)
    for one, entry in standing.items():
        yield from _hold(plan, one, entry, end)


def _hold(plan: RolloutPlan, kind: HoldKind, entry: LogEntry, until: datetime) -> Iterable[Span]:
    waiting = _HOLDS.get(kind)
    if waiting is None:
        return
    roles = plan.reviews.roles if waiting is Waiting.REVIEW else ()
    yield Span(waiting, entry.programme_at, until, dict.fromkeys(roles, until), entry.sequence, entry.message)


def drag(found: Sequence[Span], began: datetime, ended: datetime) -> Drag:
    """The time of a rollout told apart, so that no moment counts twice.

    Args:
        found: within `[began, ended)`, in any order.
    """
    reasons = _by_reason(found)
    people = sum((time for reason, time in reasons.items() if reason in PEOPLE), timedelta())
    results = reasons.get(Waiting.OUTCOME, timedelta())
    waited = sum(reasons.values(), timedelta())
    length = ended - began
    return Drag(
        length=length,
        moving=length - waited,
        people=people,
        data=waited - people - results,
        results=results,
        by_reason=reasons,
        by_role=_by_role(found),
    )


def _by_reason(found: Sequence[Span]) -> dict[Waiting, timedelta]:
    """Each moment under the first reason that applies then, in the order in which `Waiting` names them."""
    changes = sorted([(one.since, one.waiting, 1) for one in found] + [(one.until, one.waiting, -1) for one in found])
    applies: Counter[Waiting] = Counter()
    reasons: dict[Waiting, timedelta] = defaultdict(timedelta)
    for (moment, waiting, step), following in pairwise(changes):
        applies[waiting] += step
        first = next((one for one in Waiting if applies[one] > 0), None)
        if first is not None:
            reasons[first] += following[0] - moment
    return {one: reasons[one] for one in Waiting if reasons.get(one)}


def _by_role(found: Sequence[Span]) -> dict[str, timedelta]:
    """For each role the time in which something waited for it, however many things did."""
    stretches: dict[str, list[tuple[datetime, datetime]]] = defaultdict(list)
    for one in found:
        for role, until in one.awaited.items():
            stretches[role].append((one.since, until))
    return {role: time for role in sorted(stretches) if (time := _union(stretches[role]))}


def _union(stretches: Iterable[tuple[datetime, datetime]]) -> timedelta:
    total, reached = timedelta(), None
    for since, until in sorted(stretches):
        begins = since if reached is None else max(since, reached)
        total += max(until - begins, timedelta())
        reached = until if reached is None else max(reached, until)
    return total
