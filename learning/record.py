"""The decision record as content: what plan, log and readings say of a rollout, ready to be written in any language."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from enum import StrEnum

from learning.entries import (
    approves,
    closed,
    closes_gate,
    enters,
    opens_gate,
    ordered,
    owner_of,
    pauses,
    refuses_people,
    rejects,
    stops,
)
from learning.limits import beyond, cohorts_of, looks_at
from learning.review import closing_review
from learning.spans import rule_at
from models.base import Frozen, Instant
from models.evidence import Verdict
from models.learning import ClosingReview, JudgedReading, Readings
from models.log import EntryKind, LogEntry
from models.metric import CATALOGUE, MetricName
from models.plan import RolloutPlan
from models.plan_risk import Risk, Wait


class PhaseStory(Frozen):
    """A phase or wave that was entered, as the log calls it: `pilot`, `scale wave 2`."""

    phase: str
    entered: Instant
    left: Instant | None
    why: str


class CohortStory(Frozen):
    """A cohort of the plan: how many partners were enrolled and when, and whether they were taken back."""

    name: str
    partners: int | None
    enrolled: Instant | None
    withdrawn: Instant | None


class GateDecision(Frozen):
    """What one owner decided at a gate, on which evidence. `signed` is the name their signature bore."""

    sequence: int
    approved: bool
    by: str
    acted: str
    role: str
    at: Instant
    why: str
    evidence: str | None
    conflict: str | None
    signed: str | None


class GateEnd(StrEnum):
    PASSED = "passed"
    CLOSED = "closed by the evidence"
    PAUSED = "overtaken by a pause"
    STOPPED = "overtaken by a stop"
    OPEN = "still open"


class GateRound(Frozen):
    """One opening of a gate. `verdicts` are what the evidence said on which it was decided last."""

    sequence: int
    opened: Instant
    due: Instant | None
    evidence: str | None
    verdicts: dict[str, Verdict]
    decisions: tuple[GateDecision, ...]
    end: GateEnd
    ended: Instant | None
    why: str


class GateStory(Frozen):
    """A gate with everything that happened at it; `number` counts gates in the order in which they first opened."""

    number: int
    key: str
    rounds: tuple[GateRound, ...]


class GoesBy(StrEnum):
    """How it is known where to look for what became of a risk."""

    PLAN = "what the plan names"
    WORDS = "the words of the risk"
    NOTHING = "nothing"


class RiskStory(Frozen):
    """A risk of the plan, and where to look for what became of it: at metrics, at what was waited for, at roles that
    were, or with `drag` at all the time that was lost. `beyond` counts the looks at each metric beyond a limit. `by`
    says who says so; by nothing the log does not speak of it.
    """

    risk: Risk
    by: GoesBy
    metrics: tuple[MetricName, ...] = ()
    beyond: dict[MetricName, int] = {}
    waits: tuple[Wait, ...] = ()
    roles: tuple[str, ...] = ()
    drag: bool = False


class Series(Frozen):
    """One metric of one cohort over time, the oldest look first."""

    cohort: str
    metric: MetricName
    looks: tuple[JudgedReading, ...]


class DecisionRecord(Frozen):
    """Everything a record tells. `entries` are those of overrides, refusals and stops, as they were written down."""

    plan: RolloutPlan
    review: ClosingReview
    phases: tuple[PhaseStory, ...]
    cohorts: tuple[CohortStory, ...]
    gates: tuple[GateStory, ...]
    risks: tuple[RiskStory, ...]
    series: tuple[Series, ...]
    overrides: tuple[LogEntry, ...]
    refusals: tuple[LogEntry, ...]
    stop: LogEntry | None


MOST = 180
"""Points of one chart; where there are more, some are left out, evenly."""


def decision_record(
    plan: RolloutPlan, log: Iterable[LogEntry], readings: Readings, review: ClosingReview | None = None
) -> DecisionRecord:
    """The record of a rollout, whether or not it is over.

    Args:
        log: of one chain; at least one entry.
        review: the closing review where one was made; otherwise it is made here of the same.

    Raises:
        ValueError: the log is empty.
    """
    entries = ordered(log)
    reviewed = review or closing_review(plan, entries, readings)
    return DecisionRecord(
        plan=plan,
        review=reviewed,
        phases=phases(entries),
        cohorts=_cohorts(plan, entries),
        gates=gates(plan, entries),
        risks=tuple(_counted(plan, readings, _risk(plan, one)) for one in plan.risks),
        series=_series(plan, readings),
        overrides=tuple(one for one in entries if one.kind is EntryKind.OVERRIDE),
        refusals=tuple(filter(refuses_people, entries)),
        stop=next(filter(stops, entries), None),
    )


def phases(log: Sequence[LogEntry]) -> tuple[PhaseStory, ...]:
    """The phases in the order in which they were entered.

    Args:
        log: by its sequence.
    """
    if not log:
        return ()
    entered = [log[0], *filter(enters, log)]
    over = next((one.programme_at for one in log if closed(one)), None)
    ends = [*(one.programme_at for one in entered[1:]), over]
    return tuple(
        PhaseStory(phase=one.phase, entered=one.programme_at, left=None if closed(one) else end, why=one.message)
        for one, end in zip(entered, ends, strict=True)
    )


def _cohorts(plan: RolloutPlan, log: Sequence[LogEntry]) -> tuple[CohortStory, ...]:
    moves = [one for one in log if one.kind is EntryKind.ENROLMENT]
    found = []
    for cohort in (plan.cohorts.pilot, *plan.cohorts.waves):
        mine = [one for one in moves if one.detail.get("cohort") == cohort.name]
        joined = next((one for one in mine if "partners" in one.detail), None)
        left = next((one for one in mine if "partners" not in one.detail), None)
        found.append(
            CohortStory(
                name=cohort.name,
                partners=joined.detail["partners"] if joined else None,
                enrolled=joined.programme_at if joined else None,
                withdrawn=left.programme_at if left else None,
            )
        )
    return tuple(found)


def gates(plan: RolloutPlan, log: Sequence[LogEntry]) -> tuple[GateStory, ...]:
    """Every gate that was ever open.

    Args:
        log: by its sequence.
    """
    rounds: dict[str, list[GateRound]] = {}
    for number, entry in enumerate(log):
        if opens_gate(entry) and entry.gate:
            rounds.setdefault(entry.gate, []).append(_round(plan, log, number))
    return tuple(
        GateStory(number=number, key=key, rounds=tuple(found)) for number, (key, found) in enumerate(rounds.items(), 1)
    )


def _round(plan: RolloutPlan, log: Sequence[LogEntry], opening: int) -> GateRound:
    opened = log[opening]
    said: list[LogEntry] = []
    over: LogEntry | None = None
    for entry in log[opening + 1 :]:
        if entry.gate == opened.gate and (approves(entry) or rejects(entry)):
            said.append(entry)
        if enters(entry) or closes_gate(entry) or pauses(entry) or stops(entry):
            over = entry
            break
    rule = rule_at(plan, opened.gate or "")
    evidence = said[-1].evidence_digest if said else opened.evidence_digest
    return GateRound(
        sequence=opened.sequence,
        opened=opened.programme_at,
        due=opened.programme_at + rule.due if rule else None,
        evidence=evidence,
        verdicts=_verdicts(log, evidence),
        decisions=tuple(map(_decision, said)),
        end=_end(over),
        ended=over.programme_at if over else None,
        why=over.message if over else "",
    )


def _end(over: LogEntry | None) -> GateEnd:
    if over is None:
        return GateEnd.OPEN
    if enters(over):
        return GateEnd.PASSED
    if pauses(over):
        return GateEnd.PAUSED
    return GateEnd.STOPPED if stops(over) else GateEnd.CLOSED


def _verdicts(log: Iterable[LogEntry], evidence: str | None) -> dict[str, Verdict]:
    found = (one.detail["verdicts"] for one in log if one.evidence_digest == evidence and "verdicts" in one.detail)
    return {name: Verdict(verdict) for name, verdict in next(found, {}).items()}


def _decision(entry: LogEntry) -> GateDecision:
    return GateDecision(
        sequence=entry.sequence,
        approved=approves(entry),
        by=owner_of(entry),
        acted=entry.actor or "",
        role=entry.role or "",
        at=entry.programme_at,
        why=entry.rationale or "",
        evidence=entry.evidence_digest,
        conflict=entry.detail.get("declared_conflict"),
        signed=entry.signed_by.name if entry.signed_by else None,
    )


_DATA = ("data", "データ")
_DRAG = ("drag", "delay", "slow", "overdue", "wait", "prolong", "遅", "長引", "待")


def _risk(plan: RolloutPlan, risk: Risk) -> RiskStory:
    """What the plan names goes before all else. Otherwise it is read off the risk's own words, and no more than that:
    guessing would put words into the log's mouth."""
    shown = risk.shown_by
    if shown is not None:
        return RiskStory(
            risk=risk,
            by=GoesBy.PLAN,
            metrics=tuple(dict.fromkeys(shown.metrics)),
            waits=tuple(dict.fromkeys(shown.waits)),
            roles=tuple(dict.fromkeys(shown.roles)),
        )
    said = risk.risk.casefold()
    named = tuple(one.metric for one in plan.metrics if re.search(CATALOGUE[one.metric].said_as, said))
    data, drag = (any(one in said for one in words) for words in (_DATA, _DRAG))
    by = GoesBy.WORDS if named or data or drag else GoesBy.NOTHING
    return RiskStory(risk=risk, by=by, metrics=named, waits=(Wait.DATA,) if data else (), drag=drag)


def _counted(plan: RolloutPlan, readings: Readings, story: RiskStory) -> RiskStory:
    return story.model_copy(update={"beyond": {one: beyond(plan, readings, one) for one in story.metrics}})


def _series(plan: RolloutPlan, readings: Readings) -> tuple[Series, ...]:
    return tuple(
        Series(cohort=cohort, metric=metric.metric, looks=_thinned(looks_at(readings, cohort, metric.metric)))
        for metric in plan.metrics
        for cohort in cohorts_of(plan, readings)
    )


def _thinned(looks: tuple[JudgedReading, ...]) -> tuple[JudgedReading, ...]:
    """So many at most, the first and the last among them."""
    if len(looks) <= MOST:
        return looks
    step = (len(looks) - 1) / (MOST - 1)
    return tuple(looks[round(number * step)] for number in range(MOST))
