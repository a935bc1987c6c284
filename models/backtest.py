"""What a backtest finds: how a rollout would have gone over facts of the past, what it waited for and why."""

from __future__ import annotations

from datetime import date
from enum import StrEnum
from typing import NamedTuple

from models.base import Frozen, Instant
from models.evidence import Assessment, Verdict
from models.log import LogEntry
from models.metric import MetricName
from models.plan import RolloutPlan


class Look(NamedTuple):
    """What one look said of one metric of one cohort, by itself. `as_of` is programme time, as everywhere here."""

    cohort: str
    metric: MetricName
    as_of: Instant
    value: float | None
    verdict: Verdict


class Trace(NamedTuple):
    """What a run has left behind, and the moment up to which it ran. `status` is its last one, `cohorts` are their
    sizes, `assessments` the oldest first."""

    plan: RolloutPlan
    begins: Instant
    through: Instant
    status: str
    sentence: str
    cohorts: dict[str, int]
    log: tuple[LogEntry, ...]
    looks: tuple[Look, ...]
    assessments: tuple[Assessment, ...]


class End(StrEnum):
    """How it would have ended, or stood when the span was over."""

    COMPLETED = "completed"
    STOPPED = "stopped"
    PAUSED = "paused"
    WAITS = "waits for a person"
    UNFINISHED = "unfinished"


class Breach(Frozen):
    """A reading that paused the rollout."""

    cohort: str
    metric: MetricName
    value: float | None
    thresholds: tuple[str, ...]
    reasons: tuple[str, ...]


class PauseFound(Frozen):
    """A pause. `until` is None where it lasted to the end of the run; `ended` says how it ended: resumed, stopped."""

    since: Instant
    until: Instant | None
    days: float
    phase: str
    cause: str
    why: str
    breaches: tuple[Breach, ...] = ()
    must_act: tuple[str, ...] = ()
    refused: int = 0
    ended: str | None = None
    by: str | None = None


class Answer(Frozen):
    """Who answered, so many days after being asked."""

    identity: str
    role: str
    days: float


class Outcome(StrEnum):
    PASSED = "passed"
    OPEN = "open"
    VOIDED = "voided"


class GateFound(Frozen):
    """A gate, or `ownership`, that waited for people: for whom, how long, and what came of it.

    `missing` are those who could still have answered when it was over; `void` says what closed it unanswered.
    """

    key: str
    opened_at: Instant
    until: Instant | None
    days: float
    outcome: Outcome
    quorum: int
    roles: tuple[str, ...]
    due_at: Instant | None = None
    overdue: bool = False
    answers: tuple[Answer, ...] = ()
    missing: tuple[str, ...] = ()
    void: str | None = None


class Silence(Frozen):
    """Days in a row on which a metric of a cohort was *cannot tell* or *no evidence*, and the reasons of the first."""

    cohort: str
    metric: MetricName
    verdict: Verdict
    since: Instant
    until: Instant | None
    days: float
    reasons: tuple[str, ...]


class HoldFound(Frozen):
    """A hold, by its kind; `detail` is what it said first."""

    kind: str
    since: Instant
    until: Instant | None
    days: float
    detail: str


class MetricCourse(Frozen):
    """Every look at a metric of a cohort: when, the value, the verdict by itself; and how many looks said what."""

    cohort: str
    metric: MetricName
    looks: tuple[tuple[Instant, float | None, Verdict], ...]
    counts: dict[Verdict, int]


class Reach(Frozen):
    """From which day to which there are facts for a metric, and the days on which the first and the last of those
    became known; None without any. `in_span` counts those of the span and of the windows before it that were known by
    its end."""

    metric: MetricName
    first: date | None
    last: date | None
    known_first: date | None
    known_last: date | None
    in_span: int


class Drag(Frozen):
    """Days of the run that went by waiting for people, holding for data, and being paused. One day may be several."""

    total: float
    people: float
    data: float
    paused: float


class Backtest(Frozen):
    """The report."""

    plan: str
    title: str
    digest: str
    begins: Instant
    ends: Instant
    through: Instant
    end: End
    sentence: str
    cohorts: dict[str, int]
    drag: Drag
    pauses: tuple[PauseFound, ...]
    gates: tuple[GateFound, ...]
    silences: tuple[Silence, ...]
    holds: tuple[HoldFound, ...]
    metrics: tuple[MetricCourse, ...]
    facts: tuple[Reach, ...]
    notes: tuple[str, ...]
    log: tuple[LogEntry, ...]
    begun: int
    seconds: float
