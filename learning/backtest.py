"""What a run over facts of the past amounts to: its pauses, gates, holds and silences, by what it left behind."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from itertools import groupby

from models.backtest import (
    Answer,
    Breach,
    Drag,
    End,
    GateFound,
    HoldFound,
    Look,
    MetricCourse,
    Outcome,
    PauseFound,
    Silence,
    Trace,
)
from models.command import Verb
from models.evidence import Assessment, Verdict
from models.log import EntryKind, LogEntry
from models.log import Outcome as Came
from models.plan import ApprovalRule, GateName, RolloutPlan
from models.plan_metric import OnBreach
from models.rollout import HoldKind, Status

OWNERSHIP = "ownership"
"""Confirming ownership, told like a gate: nothing begins before everybody has."""

SILENT = (Verdict.CANNOT_TELL, Verdict.NO_EVIDENCE)
PEOPLE = (HoldKind.APPROVAL_OVERDUE.value, HoldKind.REVIEW_MISSED.value)
"""Holds that people end; the others end by better data."""

DAY = timedelta(days=1)
_KIND = re.compile(r"(?:Paused|Holding|Hold released) \(([^)]+)\)(?:: (.*))?", re.S)


def end_of(trace: Trace, gates: Sequence[GateFound]) -> End:
    """How it ended, or whom it waits for where it did not."""
    match trace.status:
        case Status.COMPLETED.value:
            return End.COMPLETED
        case Status.STOPPED.value | Status.STOPPING.value:
            return End.STOPPED
        case Status.PAUSED.value:
            return End.PAUSED
    waits = any(one.outcome is Outcome.OPEN for one in gates) or _holding_for_people(trace)
    return End.WAITS if waits else End.UNFINISHED


def _holding_for_people(trace: Trace) -> bool:
    return any(one.until is None and one.kind in PEOPLE for one in holds(trace))


def pauses(trace: Trace) -> tuple[PauseFound, ...]:
    """Every pause, with what drove it and how it ended."""
    judged = {one.digest: one for one in trace.assessments}
    found: list[PauseFound] = []
    for entry in trace.log:
        if entry.kind is EntryKind.PAUSE:
            found.append(_begun(entry, judged.get(entry.evidence_digest or ""), trace))
        elif found and found[-1].until is None:
            found[-1] = _went_on(found[-1], entry)
    return tuple(found)


def _begun(entry: LogEntry, judged: Assessment | None, trace: Trace) -> PauseFound:
    cause, why = _told(entry)
    breaches = (
        Breach(
            cohort=item.cohort,
            metric=item.metric,
            value=item.value,
            thresholds=item.thresholds,
            reasons=item.reasons,
        )
        for item in (judged.items if judged and cause == "guardrail" else ())
        if item.verdict is Verdict.NOT_MET and item.on_breach is OnBreach.PAUSE
    )
    return PauseFound(
        since=entry.programme_at,
        until=None,
        days=_days(entry.programme_at, trace.through),
        phase=entry.phase,
        cause=cause,
        why=why,
        breaches=tuple(breaches),
        must_act=tuple(map(str, entry.detail.get("must_act", ()))),
    )


def _went_on(pause: PauseFound, entry: LogEntry) -> PauseFound:
    over = {"until": entry.programme_at, "days": _days(pause.since, entry.programme_at), "by": entry.actor}
    if entry.kind is EntryKind.RESUME and entry.outcome is not Came.PENDING:
        return pause.model_copy(update={**over, "ended": "resumed"})
    if entry.kind is EntryKind.STOP and entry.message.startswith("Stopping:"):
        return pause.model_copy(update={**over, "ended": "stopped"})
    if entry.verb == Verb.RESUME and entry.outcome is Came.REFUSED:
        return pause.model_copy(update={"refused": pause.refused + 1})
    return pause


def gates(trace: Trace) -> tuple[GateFound, ...]:
    """Confirming ownership, and every time that a gate was open."""
    found = [_ownership(trace)]
    open_now: GateFound | None = None
    for entry in trace.log:
        if entry.kind is EntryKind.PHASE and entry.gate and entry.message.startswith(f"Gate {entry.gate} opened"):
            open_now = _opened(entry, trace)
        elif open_now is not None:
            open_now = _moved(open_now, entry)
            if open_now.until is not None:
                found.append(open_now)
                open_now = None
    if open_now is not None:
        found.append(open_now)
    return tuple(found)


def _ownership(trace: Trace) -> GateFound:
    """Asked since the start; over when the last of them has confirmed."""
    plan, asked = trace.plan, trace.begins
    answers = tuple(
        Answer(identity=one.actor or "", role=one.role or "", days=_days(asked, one.programme_at))
        for one in trace.log
        if one.verb == Verb.CONFIRM_OWNERSHIP and one.outcome is not Came.REFUSED
    )
    there = {one.identity.casefold() for one in answers}
    missing = tuple(one.identity for one in plan.owners if one.identity.casefold() not in there)
    until = None if missing else asked + max((one.days for one in answers), default=0.0) * DAY
    return GateFound(
        key=OWNERSHIP,
        opened_at=asked,
        until=until,
        days=_days(asked, until or trace.through),
        outcome=Outcome.OPEN if missing else Outcome.PASSED,
        quorum=len({one.identity.casefold() for one in plan.owners}),
        roles=tuple(dict.fromkeys(one.role for one in plan.owners)),
        answers=answers,
        missing=missing,
    )


def _opened(entry: LogEntry, trace: Trace) -> GateFound:
    rule = _rule(trace.plan, entry.gate or "")
    return GateFound(
        key=entry.gate or "",
        opened_at=entry.programme_at,
        until=None,
        days=_days(entry.programme_at, trace.through),
        outcome=Outcome.OPEN,
        quorum=rule.quorum if rule else 0,
        roles=rule.roles if rule else (),
        due_at=entry.programme_at + rule.due if rule else None,
        missing=_able(trace.plan, rule) if rule else (),
    )


def _moved(gate: GateFound, entry: LogEntry) -> GateFound:
    if entry.kind is EntryKind.DECISION and entry.gate == gate.key and entry.outcome is not Came.REFUSED:
        answer = Answer(
            identity=entry.actor or "", role=entry.role or "", days=_days(gate.opened_at, entry.programme_at)
        )
        left = tuple(one for one in gate.missing if one.casefold() != answer.identity.casefold())
        return gate.model_copy(update={"answers": (*gate.answers, answer), "missing": left})
    over = {"until": entry.programme_at, "days": _days(gate.opened_at, entry.programme_at)}
    if entry.kind is EntryKind.PHASE and entry.message.startswith("Entered "):
        return gate.model_copy(update={**over, "outcome": Outcome.PASSED})
    if entry.kind in (EntryKind.PAUSE, EntryKind.STOP) or (
        entry.kind is EntryKind.HOLD and entry.message.startswith(f"Gate {gate.key} closed")
    ):
        if entry.kind is EntryKind.STOP and not entry.message.startswith("Stopping:"):
            return gate
        return gate.model_copy(update={**over, "outcome": Outcome.VOIDED, "void": entry.message})
    if entry.kind is EntryKind.HOLD and _told(entry)[0] == HoldKind.APPROVAL_OVERDUE.value:
        return gate.model_copy(update={"overdue": True})
    return gate


def _rule(plan: RolloutPlan, key: str) -> ApprovalRule | None:
    name = GateName(key) if key in tuple(GateName) else GateName.WAVE
    return plan.approvals.rule(name)


def _able(plan: RolloutPlan, rule: ApprovalRule) -> tuple[str, ...]:
    proposer = plan.proposer.casefold()
    return tuple(one.identity for one in plan.holders(*rule.roles) if one.identity.casefold() != proposer)


def holds(trace: Trace) -> tuple[HoldFound, ...]:
    """Every hold, from its first reason to its release, or to the end of what it kept from going on."""
    found: list[HoldFound] = []
    open_now: dict[str, int] = {}
    for entry in trace.log:
        kind, detail = _told(entry)
        if entry.kind is EntryKind.HOLD and kind and kind not in open_now:
            open_now[kind] = len(found)
            days = _days(entry.programme_at, trace.through)
            found.append(HoldFound(kind=kind, since=entry.programme_at, until=None, days=days, detail=detail))
        elif entry.kind is EntryKind.RELEASE and kind in open_now:
            _let_go(found, open_now.pop(kind), entry)
        elif entry.kind is EntryKind.STOP and entry.message.startswith("Stopping:"):
            for number in open_now.values():
                _let_go(found, number, entry)
            open_now = {}
    return tuple(found)


def _let_go(found: list[HoldFound], number: int, entry: LogEntry) -> None:
    one = found[number]
    days = _days(one.since, entry.programme_at)
    found[number] = one.model_copy(update={"until": entry.programme_at, "days": days})


def courses(trace: Trace) -> tuple[MetricCourse, ...]:
    """Each metric of each cohort, in the order of the plan and of the cohorts."""
    found = []
    for metric in (one.metric for one in trace.plan.metrics):
        for cohort in trace.cohorts:
            looks = [one for one in trace.looks if (one.metric, one.cohort) == (metric, cohort)]
            if looks:
                counts = {verdict: sum(one.verdict is verdict for one in looks) for verdict in Verdict}
                told = tuple((one.as_of, one.value, one.verdict) for one in looks)
                found.append(MetricCourse(cohort=cohort, metric=metric, looks=told, counts=counts))
    return tuple(found)


def silences(trace: Trace) -> tuple[Silence, ...]:
    """Days in a row without a verdict that says something, each with its reasons, the oldest first."""
    found: list[Silence] = []
    for metric in (one.metric for one in trace.plan.metrics):
        for cohort in trace.cohorts:
            looks = [one for one in trace.looks if (one.metric, one.cohort) == (metric, cohort)]
            found += _silences_of(looks, trace)
    return tuple(sorted(found, key=lambda one: one.since))


def _silences_of(looks: Sequence[Look], trace: Trace) -> Iterable[Silence]:
    runs = [list(run) for _, run in groupby(looks, key=lambda one: one.verdict)]
    for number, run in enumerate(runs):
        first = run[0]
        if first.verdict in SILENT:
            until = runs[number + 1][0].as_of if number + 1 < len(runs) else None
            yield Silence(
                cohort=first.cohort,
                metric=first.metric,
                verdict=first.verdict,
                since=first.as_of,
                until=until,
                days=_days(first.as_of, until or trace.through),
                reasons=_reasons(first, until or trace.through, trace.assessments),
            )


def _reasons(first: Look, until: datetime, assessments: Sequence[Assessment]) -> tuple[str, ...]:
    """What the assessment of that look says or, where it was not kept, the next one that says the same."""
    for one in assessments:
        if first.as_of <= one.as_of < until or one.as_of == first.as_of:
            for item in one.items:
                if (item.cohort, item.metric, item.by_itself) == (first.cohort, first.metric, first.verdict):
                    return item.reasons
    return ()


def drag(trace: Trace) -> Drag:
    """How many days went by for which reason."""
    waits = [(one.opened_at, one.until) for one in gates(trace)]
    held = holds(trace)
    people = waits + [(one.since, one.until) for one in held if one.kind in PEOPLE]
    data = [(one.since, one.until) for one in held if one.kind not in PEOPLE]
    return Drag(
        total=_days(trace.begins, trace.through),
        people=_union(people, trace.through),
        data=_union(data, trace.through),
        paused=_union([(one.since, one.until) for one in pauses(trace)], trace.through),
    )


def _union(spans: Iterable[tuple[datetime, datetime | None]], through: datetime) -> float:
    """Days that at least one of the spans covers."""
    total, reached = 0.0, None
    for since, until in sorted((since, until or through) for since, until in spans):
        begins = since if reached is None or since > reached else reached
        if until > begins:
            total += _days(begins, until)
            reached = until
    return round(total, 2)


def _told(entry: LogEntry) -> tuple[str, str]:
    """The kind in a pause's or a hold's sentence, and what follows; empty for any other sentence."""
    found = _KIND.match(entry.message)
    return (found[1], found[2] or "") if found else ("", "")


def _days(since: datetime, until: datetime) -> float:
    return round((until - since) / DAY, 2)
