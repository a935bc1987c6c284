"""The closing review: what was expected, what happened, what surprised, how near it was, and where the time went."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import timedelta

from learning.entries import (
    acted_in_place,
    closed,
    enters,
    ordered,
    owner_of,
    paused_metrics,
    pauses,
    refuses_people,
    resumes,
    stops,
    told,
)
from learning.limits import SAID, cohorts_of, happened, limits, looks_at
from learning.spans import Span, drag, extent, spans
from models.command import PauseVerdict, Verb
from models.evidence import Verdict
from models.learning import (
    ClosingReview,
    Ending,
    Expectation,
    Judged,
    Judgement,
    PauseReview,
    Readings,
    Remark,
    Surprise,
    SurpriseKind,
    Waiting,
)
from models.log import EntryKind, LogEntry, Outcome
from models.metric import CATALOGUE, MetricUse
from models.plan import RolloutPlan

LONG = timedelta(days=3)
"""Holds at least this long are surprises."""

SHOWN = 30
"""Refusals that are told of one by one; what is beyond is counted."""


def closing_review(
    plan: RolloutPlan, log: Iterable[LogEntry], readings: Readings, *, long: timedelta = LONG
) -> ClosingReview:
    """Review a rollout by what it left behind; of one that goes on, as far as it has come. Nothing but these arguments
    counts: neither the time of asking nor the order in which entries and readings come.

    Args:
        log: of one chain; at least one entry.
        long: holds of at least this length are surprises.

    Raises:
        ValueError: the log is empty, so that there is nothing to review.
    """
    entries = ordered(log)
    if not entries:
        raise ValueError(f"the decision log of {plan.id} is empty; there is nothing to review")
    began, ended = extent(entries)
    waited = spans(plan, entries)
    reviewed = pause_reviews(entries)
    return ClosingReview(
        rollout=plan.id,
        plan_digest=plan.digest,
        ending=ending(entries),
        began=began,
        ended=ended,
        entries=len(entries),
        expected=_expected(plan),
        happened=happened(plan, readings),
        limits=limits(plan, readings),
        pauses=reviewed,
        surprises=_surprises(plan, entries, readings, waited, long),
        remarks=_remarks(entries),
        refused=sum(_refusals(one) for one in entries),
        drag=drag(waited, began, ended),
    )


def ending(log: Iterable[LogEntry]) -> Ending:
    """How a rollout ended, as far as its log goes."""
    found = tuple(log)
    if any(map(stops, found)):
        return Ending.STOPPED
    return Ending.COMPLETED if any(closed(one) and enters(one) for one in found) else Ending.OPEN


def _expected(plan: RolloutPlan) -> tuple[Expectation, ...]:
    return tuple(
        Expectation(metric=one.metric, use=one.purpose, agreed=one.agreed, on_breach=one.on_breach, must=one.must)
        for one in plan.metrics
    )


def pause_reviews(log: Sequence[LogEntry]) -> tuple[PauseReview, ...]:
    """Every pause with how long it stood, who ended it, and what owners say of it.

    Args:
        log: by its sequence.
    """
    judged = _judgements(log)
    found = []
    for entry in filter(pauses, log):
        after = (one for one in log if one.sequence > entry.sequence and (resumes(one) or stops(one) or pauses(one)))
        over = next(after, None)
        said = judged.get(entry.sequence, ())
        found.append(
            PauseReview(
                sequence=entry.sequence,
                phase=entry.phase,
                since=entry.programme_at,
                until=over.programme_at if over else None,
                detail=told(entry),
                metrics=paused_metrics(entry),
                must_act=tuple(entry.detail.get("must_act", ())),
                resumed_by=owner_of(over) if over and resumes(over) else None,
                resumed_in_place=_in_place(log, over) if over and resumes(over) else None,
                judgements=said,
                judged=_verdict(said),
            )
        )
    return tuple(found)


def _in_place(log: Sequence[LogEntry], over: LogEntry) -> str | None:
    """Who asked to resume in the owner's place. Releases gone by said of the owner alone that a resume took effect on
    fresh evidence: who asked for it stands in the entry of the request."""
    of_it = (one for one in log if one.request_id == over.request_id and one.sequence <= over.sequence)
    asked = next((one for one in of_it if one.kind is EntryKind.RESUME), over)
    return asked.actor if acted_in_place(asked) else None


def _judgements(log: Iterable[LogEntry]) -> dict[int, tuple[Judgement, ...]]:
    """By the pause's sequence what each owner said of it last."""
    latest: dict[int, dict[str, Judgement]] = defaultdict(dict)
    for one in log:
        if one.verb != Verb.JUDGE_PAUSE or one.outcome is not Outcome.APPLIED:
            continue
        latest[one.detail["pause"]][owner_of(one).casefold()] = Judgement(
            by=owner_of(one),
            role=one.role or "",
            verdict=PauseVerdict(one.detail["verdict"]),
            why=one.rationale or "",
            at=one.programme_at,
        )
    return {pause: tuple(said.values()) for pause, said in latest.items()}


def _verdict(said: Sequence[Judgement]) -> Judged:
    verdicts = {one.verdict for one in said}
    if not verdicts:
        return Judged.UNJUDGED
    if len(verdicts) > 1:
        return Judged.DISPUTED
    return Judged.RIGHT if PauseVerdict.RIGHT in verdicts else Judged.FALSE_ALARM


def _remarks(log: Iterable[LogEntry]) -> tuple[Remark, ...]:
    return tuple(
        Remark(sequence=one.sequence, at=one.programme_at, by=owner_of(one), role=one.role, said=one.rationale or "")
        for one in log
        if one.verb == Verb.REVIEW and one.outcome is Outcome.APPLIED
    )


def _refusals(entry: LogEntry) -> int:
    """How many requests of people an entry says were refused: while the log was behind, one entry counts many."""
    return int(entry.detail.get("refusals", 1)) if refuses_people(entry) else 0


def _surprises(
    plan: RolloutPlan, log: Sequence[LogEntry], readings: Readings, waited: Iterable[Span], long: timedelta
) -> tuple[Surprise, ...]:
    kinds = {EntryKind.OVERRIDE: SurpriseKind.OVERRIDE, EntryKind.PAUSE: SurpriseKind.PAUSE}
    found = [
        Surprise(kind=kinds[one.kind], at=one.programme_at, told=one.message, sequence=one.sequence)
        for one in log
        if one.kind in kinds and one.outcome is not Outcome.REFUSED
    ]
    found += [
        Surprise(kind=SurpriseKind.STOP, at=one.programme_at, told=one.message, sequence=one.sequence)
        for one in filter(stops, log)
    ]
    people = (Waiting.RESUME, Waiting.APPROVAL, Waiting.CONFIRMATION)
    found += [
        Surprise(kind=SurpriseKind.HOLD, at=one.since, told=f"{_lasted(one)}: {one.detail}", sequence=one.sequence)
        for one in waited
        if one.waiting not in people and one.until - one.since >= long
    ]
    found += [*_refused(log), *_verdicts(plan, log, readings)]
    return tuple(sorted(found, key=lambda one: (one.at is None, one.at, one.sequence or 0, one.told)))


def _lasted(span: Span) -> str:
    return f"{(span.until - span.since) / timedelta(days=1):.1f} days"


def _refused(log: Iterable[LogEntry]) -> Iterable[Surprise]:
    refused = [one for one in log if refuses_people(one)]
    for one in refused[:SHOWN]:
        by = f" ({one.actor})" if one.actor else ""
        yield Surprise(kind=SurpriseKind.REFUSAL, at=one.programme_at, told=f"{one.message}{by}", sequence=one.sequence)
    rest = refused[SHOWN:]
    if rest:
        told = f"{sum(map(_refusals, rest))} more refusals"
        yield Surprise(kind=SurpriseKind.REFUSAL, at=rest[0].programme_at, told=told, sequence=rest[0].sequence)


def _verdicts(plan: RolloutPlan, log: Iterable[LogEntry], readings: Readings) -> Iterable[Surprise]:
    """What did not end as expected, and what nothing was ever said of: absence of evidence is no fulfilment."""
    enrolled = {str(one.detail["cohort"]) for one in log if one.kind is EntryKind.ENROLMENT}
    for metric in plan.metrics:
        title = CATALOGUE[metric.metric].title
        for cohort in cohorts_of(plan, readings, enrolled):
            looks = looks_at(readings, cohort, metric.metric)
            if not any(one.verdict in SAID for one in looks):
                told = f"{title} of {cohort}: nothing could be said, in {len(looks)} looks"
                yield Surprise(kind=SurpriseKind.UNJUDGED, at=looks[-1].as_of if looks else None, told=told)
            elif looks[-1].verdict is not Verdict.MET:
                what = "an outcome" if metric.purpose is MetricUse.OUTCOME else "a guardrail"
                told = f"{title} of {cohort}, {what} expected to be met, was {looks[-1].verdict.value} at the last look"
                yield Surprise(kind=SurpriseKind.VERDICT, at=looks[-1].as_of, told=told)
