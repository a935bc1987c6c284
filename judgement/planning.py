"""Puts together what planning with numbers says of one metric: what its rules cost, what the cohort can show."""

from __future__ import annotations

import math
from datetime import UTC, datetime, timedelta
from itertools import accumulate
from typing import NamedTuple

import numpy as np

from judgement import power
from judgement.estimate import Floats
from judgement.healthy import alarms, follow, limit_prices, rounded_out, share, step_of
from judgement.horizon import planned_end
from judgement.panel import WEEK, Panel, values
from judgement.picked import picked
from judgement.power import Looks, look_at
from judgement.resample import Course, Places, draw_weeks
from models.metric import CATALOGUE, Block, MetricUse
from models.plan import OptionKey, RolloutPlan
from models.plan_change import ChangeRule, Margin
from models.plan_metric import MetricPlan, OnBreach
from models.power import Alarm, ChangePower, Curve, LimitCost, MetricPower, RulesCost

RUNS = 1000
SEED = 1
LEAST_WEEKS = 8
"""Of history: from fewer, nothing is made up."""

_ROUGH, _LONGER = 200, 1.5
"""Rollouts by which a larger cohort, or a longer pilot, is looked for."""

_WORK = 3e6
"""Partners x looks x rollouts that are worked out of a change, where that leaves `_ROUGH` rollouts at least: more would
take minutes, and tell the second digit."""

_ANY = datetime(2000, 1, 3, tzinfo=UTC)
"""A Monday to count days from."""

_ALARM = {OnBreach.PAUSE: Alarm.PAUSE, OnBreach.STOP: Alarm.STOP, OnBreach.WARN: Alarm.WARN}


class History(NamedTuple):
    """One metric's past: of the pilot, and of whom it is compared with."""

    pilot: Panel
    compared: Panel | None


class Ask(NamedTuple):
    """How much is to be made up, and by which chance. `risk_share` is what this metric may spend of the pause risk."""

    course: Course
    runs: int = RUNS
    seed: int = SEED
    risk_share: float = 1.0


def course_of(plan: RolloutPlan, rule: MetricPlan) -> Course:
    """The days of a plan's pilot, from its enrolment to when the looks at it are planned to end."""
    phases, waves = plan.phases, [one.bake for one in plan.cohorts.waves]
    length = planned_end(plan, plan.cohorts.pilot.name, _ANY) - _ANY
    ends: list[timedelta] = [length]
    if plan.chosen is OptionKey.STAGED:
        ends = list(accumulate((phases.pilot, phases.validate_for, *waves)))
    gate = ends[1] if plan.chosen is OptionKey.STAGED else length
    frozen = _days(phases.baseline_window)
    before = -(-max(frozen, _days(rule.window)) // WEEK) * WEEK
    cadence = phases.cadence / timedelta(days=1)
    every, often = max(1, round(cadence)), max(1, round(1 / cadence))
    return Course(before, frozen, _days(length), _days(gate), every, often, tuple(_days(end) for end in ends))


def metric_power(rule: MetricPlan, past: History, ask: Ask) -> MetricPower:
    """Everything that can be said of one metric. The same seed gives the same numbers."""
    pilot = past.pilot
    found = MetricPower(
        metric=rule.metric,
        partners=pilot.partners,
        compared=past.compared.partners if past.compared else 0,
        weeks=pilot.weeks,
        value=level(pilot, rule),
    )
    if pilot.weeks < LEAST_WEEKS:
        few = f"{pilot.weeks} usable weeks of history; {LEAST_WEEKS} at least are needed"
        return found.model_copy(update={"nothing": few})
    if found.value is None:
        return found.model_copy(update={"nothing": "there is no value over the whole of the history"})
    rng = np.random.default_rng((ask.seed, list(CATALOGUE).index(rule.metric)))
    drawn = draw_weeks(rng, pilot, ask.course.weeks, ask.runs)
    return found.model_copy(
        update={
            "rules": rules_cost(rule, pilot, ask.course, drawn) if rule.thresholds else None,
            "change": change_power(rule, past, ask, drawn),
            "picked": picked(pilot, past.compared, rng),
        }
    )


def level(panel: Panel, rule: MetricPlan) -> float | None:
    """The value over all the history; of what grows with its window, as much of it as a window would show."""
    total, facts = panel.sums.sum(axis=(0, 1)), panel.facts.sum()
    if panel.block is Block.TENURE:
        total = np.array([total[0], total[1] / len(panel.sums)])
    found = float(values(panel, total, np.asarray(facts)))
    if CATALOGUE[panel.metric].grows_with_window:
        found *= _days(rule.window) / (WEEK * panel.weeks)
    return found if math.isfinite(found) else None


def rules_cost(rule: MetricPlan, pilot: Panel, course: Course, drawn: Places) -> RulesCost:
    """In which share of healthy rollouts the limits are passed."""
    path = follow(pilot, rule, course, drawn)
    whole = share(alarms(path, rule, course))
    limits = tuple(
        LimitCost(
            limit=str(one.limit),
            alone=one.alone.part,
            error=one.alone.error,
            wider=str(one.wider) if one.wider and one.wider != one.limit else None,
        )
        for one in limit_prices(path, rule, course)
    )
    alarm = Alarm.HOLD if rule.purpose is MetricUse.OUTCOME else _ALARM[rule.on_breach]
    return RulesCost(alarm=alarm, healthy=whole.part, error=whole.error, limits=limits)


def change_power(rule: MetricPlan, past: History, ask: Ask, drawn: Places) -> ChangePower:
    """What the cohort can show; for a metric without an agreed margin by the usual risks."""
    agreed = rule.change or ChangeRule(margin=Margin(number=1))
    work = len(ask.course.looks) * (past.pilot.partners + (past.compared.partners if past.compared else 0))
    runs = min(len(drawn), max(_ROUGH, int(_WORK / work)))
    looks = look_at(
        past.pilot,
        past.compared,
        agreed,
        ask.course,
        drawn[:runs],
        risk_share=ask.risk_share,
        every=ask.course.every,
    )
    smallest = power.detectable(looks)
    found = ChangePower(
        unit="%" if looks.logs else "pp",
        detectable=None if smallest is None else power.told(smallest, looks),
        uncontrolled=past.compared is None,
    )
    if rule.change is None or not looks.days:
        return found
    return found.model_copy(update=_against_margin(rule.change, looks, smallest, past, ask))


def _against_margin(
    rule: ChangeRule, looks: Looks, smallest: float | None, past: History, ask: Ask
) -> dict[str, object]:
    margin = power.margin_of(rule.margin, looks)
    nothing, middle = np.zeros_like(margin), float(np.median(margin))
    healthy = power.not_met(looks, nothing, margin, strict=rule.strict)
    once, twice = power.proven(looks, margin), power.proven(looks, 2 * margin)
    of_runs = share(np.arange(len(margin)) < round(healthy[-1] * len(margin)))
    found: dict[str, object] = {
        "margin": str(rule.margin),
        "margin_value": power.told(middle, looks),
        "days_to_margin": power.day_of(looks, once),
        "false_pauses": of_runs.part,
        "error": of_runs.error,
        "found": float(power.not_met(looks, margin, margin, strict=rule.strict)[-1]),
        "found_twice": float(power.not_met(looks, 2 * margin, margin, strict=rule.strict)[-1]),
        "passed": power.met(looks, nothing, margin, ask.course.gate).part,
        "passed_worse": power.met(looks, margin, margin, ask.course.gate).part,
        "curve": Curve(days=tuple(looks.days), margin=_shares(once), twice=_shares(twice), healthy=_shares(healthy)),
    }
    if smallest is None or smallest > middle:
        found |= {
            "partners_needed": _partners_needed(rule, middle, past, ask),
            "days_needed": _days_needed(rule, middle, past, ask),
            "margin_needed": _margin_needed(rule, smallest, looks),
        }
    return found


def _shares(curve: Floats) -> tuple[float, ...]:
    return tuple(round(float(one), 4) for one in curve)


def _margin_needed(rule: ChangeRule, smallest: float | None, looks: Looks) -> str | None:
    if smallest is None:
        return None
    seen = power.told(smallest, looks)
    if rule.margin.relative and not looks.logs:
        seen = 100 * seen / float(np.median(np.abs(looks.level)))
    return str(Margin(number=rounded_out(seen, step_of(seen), down=False), relative=rule.margin.relative))


def _partners_needed(rule: ChangeRule, margin: float, past: History, ask: Ask) -> int | None:
    """The smallest cohort of partners like these that would show the margin, beside no fewer others; None where not
    even the largest would."""
    low, high = past.pilot.partners, power.MOST_PARTNERS

    def shows(size: int) -> bool:
        drawn = draw_weeks(np.random.default_rng(ask.seed), past.pilot, ask.course.weeks, _ROUGH)
        chance, others = np.random.default_rng(ask.seed), past.compared
        some = power.draw_partners(chance, past.pilot.partners, size, _ROUGH)
        beside = power.draw_partners(chance, others.partners, max(size, others.partners), _ROUGH) if others else None
        found = power.detectable(_roughly(rule, past, ask, ask.course, drawn, (some, beside)))
        return found is not None and found <= margin

    if low >= high or not shows(high):
        return None
    while high - low > max(1, low // 20):
        middle = (low + high) // 2
        low, high = (low, middle) if shows(middle) else (middle, high)
    return high


def _days_needed(rule: ChangeRule, margin: float, past: History, ask: Ask) -> int | None:
    """How long the same cohort would have to be watched, in steps of half as long again; None: two years and more."""
    length = ask.course.length
    while (length := math.ceil(length * _LONGER)) <= power.LONGEST:
        course = ask.course._replace(length=length)
        drawn = draw_weeks(np.random.default_rng(ask.seed), past.pilot, course.weeks, _ROUGH)
        found = power.detectable(_roughly(rule, past, ask, course, drawn))
        if found is not None and found <= margin:
            return length
    return None


def _roughly(
    rule: ChangeRule, past: History, ask: Ask, course: Course, drawn: Places, chosen: power.Chosen = (None, None)
) -> Looks:
    """By fewer rollouts and a dozen looks."""
    every = max(WEEK, course.length // 12)
    return look_at(
        past.pilot,
        past.compared,
        rule,
        course,
        drawn,
        risk_share=ask.risk_share,
        chosen=chosen,
        every=every,
    )


def _days(length: timedelta) -> int:
    return max(1, round(length / timedelta(days=1)))
