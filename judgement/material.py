"""Judges whether a metric changed materially in a cohort: proven worse, proven not worse, or not to be told."""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence
from dataclasses import replace
from datetime import date, datetime, timedelta
from typing import NamedTuple

from judgement.change_words import nothing_told, sentence
from judgement.estimate import Arm, Estimate
from judgement.gates import LEAST_DAYS, outliers, without
from judgement.methods import METHODS, SQUARE, Estimates, estimates
from judgement.sums import Sides, arm, form_of, is_relative
from judgement.verdicts import Schedule, Shown, tells_at
from models.base import many
from models.change import Boundary, Gate, GateFinding, MaterialChange
from models.evidence import PartnerReading, Verdict
from models.metric import CATALOGUE, Direction, MetricName
from models.plan_change import ChangeRule

__all__ = ["Asked", "Sides", "Stretch", "judge_change"]

DAY = timedelta(days=1)

SINCE_ENROLLED = 0.5
"""Of the pause risk, for all that was measured since the cohort was enrolled, where the rollout grows later: the rest
is shared by the stretches that begin anew with each enlargement, and find a harm that began late."""


class Stretch(NamedTuple):
    """What was measured of the matured days since a moment."""

    since: datetime
    rows: Sides


class Asked(NamedTuple):
    """What is to be judged.

    Attributes:
        before: the frozen baseline's rows.
        stretches: the first since the cohort was enrolled; a further one since each later enlargement of the rollout.
        ends: when the looks are planned to end; None where there is no planned end.
        share: of the plan's pause risk that this metric of this cohort may spend.
        gates: what the data gates found; one that blocks leaves nothing to reckon.
        enlargements: how many later enlargements are planned, past ones among them.
        baseline_days: length of the baseline, for what is counted and has nobody to be compared with.
    """

    metric: MetricName
    rule: ChangeRule
    before: Sides
    stretches: Sequence[Stretch]
    matured_through: datetime
    ends: datetime | None
    share: float = 1.0
    gates: tuple[GateFinding, ...] = ()
    enlargements: int = 0
    baseline_days: float | None = None


class Look(NamedTuple):
    """One stretch looked at. `shown` holds one turn of the estimate for each side that is worse, with the error that a
    pause is judged by; `passing` the same turns with that of *met*."""

    since: datetime
    schedule: Schedule
    change: float
    shown: tuple[Shown, ...]
    passing: tuple[Shown, ...]
    margins: tuple[float, ...]
    criticals: tuple[float, ...]
    risk: float

    @property
    def worse(self) -> Shown:
        """The turn in which it looks worst."""
        return min(self.shown, key=lambda one: one.change)

    @property
    def own(self) -> Shown:
        """The same turn with the error of *met*."""
        return self.passing[self.shown.index(self.worse)]

    def pass_critical(self, risk: float, margin: float) -> float:
        """What *met* must be beyond, by any method."""
        schedule = replace(self.schedule, power=SQUARE)
        return schedule.critical(risk, self.own.error, self.own.freedom, margin)

    @property
    def critical(self) -> float:
        return max(self.criticals)

    @property
    def margin(self) -> float:
        """On the side on which it looks worst."""
        return self.margins[self.shown.index(self.worse)]


def judge_change(asked: Asked) -> tuple[Verdict, MaterialChange]:
    """The verdict and all that it rests on. Nothing to reckon with is *no evidence*, never a pass.

    *not met*: in a stretch the change is worse beyond chance and its best estimate at least the margin (with `strict`
    beyond chance worse by the margin). *met*: since enrolment not worse by the margin beyond chance, and by the best
    estimate not worse by it in the latest stretch. *cannot tell*: neither; or fewer than eight partners, nobody to
    compare with, one partner who is most of an arm; or the verdict turns when amounts beyond belief are left out.
    """
    if any(one.blocks for one in asked.gates) or not asked.stretches:
        return Verdict.NO_EVIDENCE, _nothing(asked, asked.gates)
    looks = _looks(asked, frozenset())
    if not looks:
        return Verdict.NO_EVIDENCE, _nothing(asked, (*asked.gates, _too_young(asked)))
    verdict, look = _verdict(asked, looks)
    gates = (*asked.gates, *_unbelievable(asked, verdict))
    verdict = _held_back(verdict, asked, gates)
    return verdict, _told(asked, verdict, look, gates)


def _looks(asked: Asked, left_out: Collection[str]) -> list[Look]:
    found = (_look(asked, number, left_out) for number in range(len(asked.stretches)))
    looks = [one for one in found if one is not None]
    # Without the whole there is nothing: a later stretch alone spends a risk that is not its own.
    return looks if looks and looks[0].since == asked.stretches[0].since else []


def _look(asked: Asked, number: int, left_out: Collection[str]) -> Look | None:
    """None where the stretch is too short, or there is no value, or no spread."""
    stretch, rule = asked.stretches[number], asked.rule
    days = (asked.matured_through - stretch.since) // DAY
    if days < LEAST_DAYS:
        return None
    before, now = without(asked.before, left_out), without(stretch.rows, left_out)
    found = _estimated(asked, before, now, days)
    margins = _margins(asked, before)
    if found is None or margins is None:
        return None
    turns = _turns(asked.metric)
    risk = rule.pause_risk * asked.share * _part(asked, number) / len(turns)
    schedule = Schedule(days, _planned(asked, stretch.since), METHODS[rule.method].power)
    shown, passing = _turned(found.pausing, turns), _turned(found.passing, turns)
    if not all(one.usable for one in (*shown, *passing)):
        return None
    error, freedom = shown[0].error, shown[0].freedom
    criticals = tuple(schedule.critical(risk, error, freedom, margin) for margin in margins)
    return Look(stretch.since, schedule, float(found.passing.change), shown, passing, margins, criticals, risk)


def _turned(one: Estimate, turns: Collection[float]) -> tuple[Shown, ...]:
    change, error, freedom = map(float, one)
    return tuple(Shown(turn * change, error, freedom) for turn in turns)


def _estimated(asked: Asked, before: Sides, now: Sides, days: int) -> Estimates | None:
    metric = asked.metric
    pilot, control = arm(metric, before.cohort, now.cohort), arm(metric, before.compared, now.compared)
    beside: Arm | None = control
    if len(control.before) < 2:
        beside = None
        if is_relative(metric):
            if not asked.baseline_days:
                return None
            # What is counted over more days is more, and nobody beside it is counted over as many.
            pilot = Arm(pilot.before * (days / asked.baseline_days), pilot.after)
    if len(pilot.before) < 2:
        return None
    return estimates(asked.rule.method, form_of(metric), pilot, beside)


def _turns(metric: MetricName) -> tuple[float, ...]:
    """What to multiply a change with so that below 0 is worse; both where both sides are alarms."""
    return {Direction.HIGHER: (1.0,), Direction.LOWER: (-1.0,)}.get(CATALOGUE[metric].direction, (1.0, -1.0))


def _margins(asked: Asked, before: Sides) -> tuple[float, ...] | None:
    """The margin on the judged scale, for each turn; None where it is a part of a baseline that is not there."""
    margin, turns = asked.rule.margin, _turns(asked.metric)
    if is_relative(asked.metric):
        part = margin.number / 100
        return tuple(-math.log1p(-part) if turn > 0 and part < 1 else math.log1p(part) for turn in turns)
    if not margin.relative:
        return (margin.number,) * len(turns)
    sums = arm(asked.metric, before.cohort, ())
    if not len(sums.before):
        return None
    base = abs(float(form_of(asked.metric).value(sums.before.mean(axis=0))))
    return (margin.number / 100 * base,) * len(turns) if math.isfinite(base) and base > 0 else None


def _part(asked: Asked, number: int) -> float:
    """What a stretch may spend of the risk."""
    later = max(asked.enlargements, len(asked.stretches) - 1)
    if not later:
        return 1.0
    return SINCE_ENROLLED if number == 0 else (1 - SINCE_ENROLLED) / later


def _planned(asked: Asked, since: datetime) -> int | None:
    """Days of a stretch that will have matured at the planned end; None where none would be enough."""
    if asked.ends is None:
        return None
    days = (asked.ends - asked.rule.maturity - since) // DAY
    return days if days >= LEAST_DAYS else None


def _verdict(asked: Asked, looks: Sequence[Look]) -> tuple[Verdict, Look]:
    """Of all stretches together, and the look that it rests on."""
    for look in looks:
        sides = zip(look.shown, look.criticals, look.margins, strict=True)
        if any(one.proven_worse(critical, margin, strict=asked.rule.strict) for one, critical, margin in sides):
            return Verdict.NOT_MET, look
    whole, latest = looks[0], looks[-1]
    passes = all(
        one.proven_not_worse(whole.pass_critical(asked.rule.pass_risk, margin), margin)
        for one, margin in zip(whole.passing, whole.margins, strict=True)
    )
    if passes and latest.worse.change <= -latest.margin:
        # Only the latest stretch keeps it from being met: whoever reads why must see that one.
        return Verdict.CANNOT_TELL, latest
    return (Verdict.MET if passes else Verdict.CANNOT_TELL), whole


def _unbelievable(asked: Asked, verdict: Verdict) -> tuple[GateFinding, ...]:
    """Amounts that go to a person; and whether the verdict hangs on them."""
    now = asked.stretches[0].rows
    longer = (asked.matured_through - asked.stretches[0].since) / DAY / (asked.baseline_days or math.inf)
    odd = outliers(asked.metric, asked.before, now, longer=longer)
    if not odd:
        return ()
    looks = _looks(asked, odd)
    other = _verdict(asked, looks)[0] if looks else Verdict.NO_EVIDENCE
    names = ", ".join(odd[:5]) + (f" and {len(odd) - 5} more" if len(odd) > 5 else "")
    told = f"amounts beyond belief of {names} are for a person to look at"
    if other is verdict:
        return (
            GateFinding(gate=Gate.OUTLIERS, blocks=False, told=f"{told}; without them it is {other.value} as well"),
        )
    return (GateFinding(gate=Gate.OUTLIERS, blocks=True, told=f"{told}; without them it is {other.value}"),)


def _held_back(verdict: Verdict, asked: Asked, gates: Collection[GateFinding]) -> Verdict:
    """What the gates leave of a verdict: few partners prove nothing by themselves, other doubts keep from *met*."""
    shut = {one.gate for one in gates}
    advisory = Gate.PARTNERS in shut or any(one.gate is Gate.OUTLIERS and one.blocks for one in gates)
    if advisory or (verdict is Verdict.MET and (shut - {Gate.OUTLIERS} or not _compared(asked))):
        return Verdict.CANNOT_TELL
    return verdict


def _compared(asked: Asked) -> bool:
    return len({one.partner_id for one in (*asked.before.compared, *asked.stretches[0].rows.compared)}) >= 2


def _too_young(asked: Asked) -> GateFinding:
    days = (asked.matured_through - asked.stretches[0].since) // DAY
    if days < LEAST_DAYS:
        return GateFinding(
            gate=Gate.MATURE,
            blocks=True,
            told=f"{many(max(days, 0), 'matured day')} since enrolment, {LEAST_DAYS} are needed",
        )
    return GateFinding(
        gate=Gate.VOLUME, blocks=True, told="the partners' sums give no value, or no spread to judge it by"
    )


def _nothing(asked: Asked, gates: tuple[GateFinding, ...]) -> MaterialChange:
    return MaterialChange(
        method=asked.rule.method,
        sentence=nothing_told(asked.metric, gates),
        unit=_unit(asked),
        matured_through=asked.matured_through,
        gates=gates,
    )


def _told(asked: Asked, verdict: Verdict, look: Look, gates: tuple[GateFinding, ...]) -> MaterialChange:
    worst, own, relative = look.worse, look.own, is_relative(asked.metric)
    lends = METHODS[asked.rule.method].lends
    rows = next(one.rows for one in asked.stretches if one.since == look.since)
    top = max(rows.cohort, key=lambda row: abs(_counts(asked.metric, row)), default=None)
    total = sum(abs(_counts(asked.metric, row)) for row in rows.cohort)
    pass_critical = look.pass_critical(asked.rule.pass_risk, look.margin)
    ends = worst.change - pass_critical * own.error, worst.change + look.critical * worst.error
    turned = ends if worst.change == look.change else (-ends[1], -ends[0])
    detectable = max(worst.detectable(look.critical), 0.0)
    change = MaterialChange(
        method=asked.rule.method,
        sentence="",
        unit=_unit(asked),
        margin=spoken_harm(look.margin, asked.metric),
        estimate=_spoken(look.change, relative),
        interval=(_finite(_spoken(turned[0], relative)), _finite(_spoken(turned[1], relative))),
        error=own.error,
        freedom=own.freedom,
        pause_error=worst.error if lends else None,
        pause_freedom=worst.freedom if lends else None,
        critical=_finite(look.critical),
        boundary=Boundary.PLANNED if look.schedule.on_plan else Boundary.OPEN_ENDED,
        since=look.since,
        matured_through=asked.matured_through,
        partners=sum(row.facts > 0 for row in rows.cohort),
        compared=sum(row.facts > 0 for row in rows.compared),
        facts=sum(row.facts for row in rows.cohort),
        top_partner=top.partner_id if top and total > 0 else None,
        top_share=100 * abs(_counts(asked.metric, top)) / total if top and total > 0 else None,
        detectable=_finite(spoken_harm(detectable, asked.metric)),
        tells_on=_tells_on(asked, look, verdict),
        advisory=any(one.gate is Gate.PARTNERS for one in gates),
        uncontrolled=not _compared(asked),
        gates=gates,
    )
    anew = look.since != asked.stretches[0].since
    return change.model_copy(update={"sentence": sentence(asked.metric, verdict, change, anew=anew)})


def _counts(metric: MetricName, row: PartnerReading) -> float:
    return row.parts.get("won_value", 0.0) if is_relative(metric) else row.denominator or 0.0


def _tells_on(asked: Asked, look: Look, verdict: Verdict) -> date | None:
    if verdict is not Verdict.CANNOT_TELL:
        return None
    at = tells_at(look.worse, look.schedule, look.risk, look.margin)
    return None if at is None else (look.since + at * DAY + asked.rule.maturity).date()


def _unit(asked: Asked) -> str:
    return "%" if is_relative(asked.metric) else "points"


def _spoken(number: float, relative: bool) -> float:
    """In the unit that people read: percent of a change on the log scale."""
    return 100 * math.expm1(min(number, 700.0)) if relative else number


def spoken_harm(size: float, metric: MetricName) -> float:
    """The size of a change for the worse: on the log scale down by 10 % and up by 10 % lie unlike far from nothing."""
    turn = _turns(metric)[0]
    return -turn * _spoken(-turn * size, is_relative(metric))


def _finite(number: float) -> float | None:
    return number if math.isfinite(number) else None
