"""What a rollout teaches: the readings it left behind, and the closing review made of plan, log and readings."""

from __future__ import annotations

from datetime import timedelta
from enum import StrEnum

from models.base import Frozen, Instant, many
from models.change import MaterialChange
from models.command import PauseVerdict
from models.evidence import Baseline, Verdict
from models.metric import MetricName, MetricUse
from models.plan_metric import OnBreach


class JudgedReading(Frozen):
    """One look at one metric of one cohort as it was judged by itself. `as_of` is programme time; `beyond` is what it
    adds to the count of breaches, None nothing."""

    cohort: str
    metric: MetricName
    as_of: Instant
    value: float | None
    verdict: Verdict
    beyond: bool | None = None


class ChangeReading(Frozen):
    """One look at a metric that is judged by its change: the verdict on the change by itself, and what it rests on;
    None where nothing was measured."""

    cohort: str
    metric: MetricName
    as_of: Instant
    verdict: Verdict
    change: MaterialChange | None = None


class Readings(Frozen):
    """Everything that was judged in a rollout, in no particular order, and the baselines it was judged against."""

    baselines: tuple[Baseline, ...] = ()
    judged: tuple[JudgedReading, ...] = ()
    changes: tuple[ChangeReading, ...] = ()


class Ending(StrEnum):
    COMPLETED = "completed"
    STOPPED = "stopped"
    OPEN = "open"


class Expectation(Frozen):
    """What the plan expected of a metric: an outcome to be met, a guardrail to be quiet."""

    metric: MetricName
    use: MetricUse
    agreed: tuple[str, ...]
    on_breach: OnBreach
    must: bool


class Reached(Frozen):
    """A value, and when it was read."""

    value: float
    at: Instant


class Happened(Frozen):
    """What one metric of one cohort did. Only values of readings that say something count: *met* or *not met*."""

    cohort: str
    metric: MetricName
    baseline: float | None
    first: Reached | None
    last: Reached | None
    lowest: Reached | None
    highest: Reached | None
    looks: dict[Verdict, int]
    ended: Verdict


class LimitReview(Frozen):
    """How near a metric of a cohort came to one agreed limit, and how often it was beyond.

    `distance` is the smallest there was, in `unit` (the metric's own, `%` or `pp` against the baseline): zero at the
    limit, negative beyond. `share` is the same in units of the limit's own number, None where that is zero. `looks` are
    the readings it could be told of, `beyond` those on the wrong side: by themselves, apart from what is tolerated.
    """

    cohort: str
    metric: MetricName
    limit: str
    unit: str
    distance: float | None
    share: float | None
    nearest: Reached | None
    looks: int
    beyond: int


class Judged(StrEnum):
    """What owners say of a pause, in hindsight. One that nobody has judged is never counted as right."""

    RIGHT = "right"
    FALSE_ALARM = "false alarm"
    DISPUTED = "disputed"
    UNJUDGED = "unjudged"


class Judgement(Frozen):
    """What one owner says of a pause; `by` is who they are, also where somebody stood in for them."""

    by: str
    role: str
    verdict: PauseVerdict
    why: str
    at: Instant


class PauseReview(Frozen):
    """A pause: why, how long, and how it was judged. `sequence` is its entry's; `until` is None while it stands.

    `resumed_by` is the owner who resumed; `resumed_in_place` whoever did so in their place, None where nobody did.
    """

    sequence: int
    phase: str
    since: Instant
    until: Instant | None
    detail: str
    metrics: tuple[MetricName, ...]
    must_act: tuple[str, ...]
    resumed_by: str | None
    resumed_in_place: str | None = None
    judgements: tuple[Judgement, ...]
    judged: Judged


class Remark(Frozen):
    """What an owner said at a review checkpoint."""

    sequence: int
    at: Instant
    by: str
    role: str | None
    said: str


class SurpriseKind(StrEnum):
    PAUSE = "pause"
    STOP = "stop"
    REFUSAL = "refusal"
    HOLD = "hold"
    VERDICT = "verdict"
    UNJUDGED = "never judged"
    OVERRIDE = "override"


class Surprise(Frozen):
    """Something the plan did not expect. `sequence` is the log entry that tells of it, None where readings do."""

    kind: SurpriseKind
    at: Instant | None
    told: str
    sequence: int | None = None


class Waiting(StrEnum):
    """What a rollout waited for. Where several apply at once the time counts for the first of them in this order."""

    RESUME = "paused until resumed"
    APPROVAL = "gate open until approved"
    CONFIRMATION = "ownership to be confirmed"
    REVIEW = "review missed"
    BASELINE = "baseline"
    EVIDENCE = "evidence"
    WATCH_SILENT = "watch silent"
    STORE = "store unavailable"
    KEYS = "keys unavailable"
    OUTCOME = "outcome"


PEOPLE = frozenset({Waiting.RESUME, Waiting.APPROVAL, Waiting.CONFIRMATION, Waiting.REVIEW})
"""Waiting that a person's word ends. Outcomes that are not met wait for results; all else waits for data."""


class Drag(Frozen):
    """Where the time went. `length` is from the log's opening to the close, in programme time, and
    `moving + people + data + results` is exactly that: no moment counts twice.

    `by_reason` adds up to what was waited. `by_role` is how long each role could have acted and had not: two roles that
    are waited for at the same time both count, so these do not add up.
    """

    length: timedelta
    moving: timedelta
    people: timedelta
    data: timedelta
    results: timedelta
    by_reason: dict[Waiting, timedelta]
    by_role: dict[str, timedelta]

    @property
    def waited(self) -> timedelta:
        """All of the time in which it did not move."""
        return self.people + self.data + self.results

    @property
    def share(self) -> float:
        """The part of the rollout's length that was waiting, between 0 and 1."""
        return self.waited / self.length if self.length else 0.0


class ClosingReview(Frozen):
    """What was expected, what happened, what surprised, how near it was, and where the time went."""

    rollout: str
    plan_digest: str
    ending: Ending
    began: Instant
    ended: Instant
    entries: int
    expected: tuple[Expectation, ...]
    happened: tuple[Happened, ...]
    limits: tuple[LimitReview, ...]
    pauses: tuple[PauseReview, ...]
    surprises: tuple[Surprise, ...]
    remarks: tuple[Remark, ...]
    refused: int
    drag: Drag

    @property
    def summary(self) -> str:
        """One sentence for the log."""
        counts = {kind: sum(one.judged is kind for one in self.pauses) for kind in Judged}
        judged = ", ".join(f"{count} {kind.value}" for kind, count in counts.items() if count)
        pauses = many(len(self.pauses), "pause") + (f" ({judged})" if judged else "")
        drag, surprises = self.drag, many(len(self.surprises), "surprise")
        return (
            f"{pauses}, {surprises}; of {_days(drag.length)} days {_days(drag.people)} were waited "
            f"for people, {_days(drag.data)} for data and {_days(drag.results)} for results: "
            f"{drag.share:.0%} execution drag"
        )


def _days(length: timedelta) -> str:
    return f"{length / timedelta(days=1):.1f}"
