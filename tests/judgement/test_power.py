"""What a cohort can show: held against the product's own verdicts on the very same numbers."""

from __future__ import annotations

from datetime import datetime, timedelta

import numpy as np
import pytest

from judgement import power
from judgement.estimate import Arm, Floats, estimate
from judgement.material import Asked, Sides, Stretch, judge_change
from judgement.panel import Panel
from judgement.power import Looks, look_at
from judgement.resample import Course, Places, Timeline, added_up, draw_weeks
from judgement.sums import form_of
from models.evidence import PartnerReading, Verdict
from models.metric import MetricName
from models.plan_change import ChangeRule, Margin
from tests.judgement.past import SCORE, SLA, VELOCITY, course, leads, steady
from tests.judgement.readings import AS_OF, DAY, MDF

RULE = ChangeRule(margin=Margin(number=5))
DAYS = course()
START = AS_OF.replace(hour=0)


def _drawn(panel: Panel, runs: int = 40, days: Course = DAYS) -> Places:
    return draw_weeks(np.random.default_rng(9), panel, days.weeks, runs)


def _sides(seed: int = 4, size: int = 12) -> tuple[Panel, Panel]:
    rng = np.random.default_rng(seed)
    return leads(rng, size, weeks=16, weekly=0.08), leads(rng, 20, weeks=16, weekly=0.08)


@pytest.mark.parametrize("metric", [SLA, SCORE, VELOCITY])
def test_a_harm_moves_what_is_estimated_by_itself_and_leaves_the_error(metric: MetricName) -> None:
    """What every number of this module rests on: one simulation tells of harms of all sizes."""
    rng, form = np.random.default_rng(1), form_of(metric)
    sums = 3 if metric is VELOCITY else 2
    pilot, control = (Arm(*rng.uniform(20, 90, (2, size, sums))) for size in (9, 14))
    harmed, expected = pilot.after.copy(), 0.1
    if metric is VELOCITY:
        harmed[..., 0] *= 0.9
        expected = -np.log(0.9)
    else:
        harmed[..., 0] -= 0.1 * harmed[..., 1]
        expected = 10.0 if metric is SLA else 0.1
    healthy, worse = estimate(form, pilot, control), estimate(form, pilot._replace(after=harmed), control)
    assert float(healthy.change - worse.change) == pytest.approx(expected)
    assert float(worse.error) == pytest.approx(float(healthy.error))
    assert float(worse.freedom) == pytest.approx(float(healthy.freedom))


@pytest.mark.parametrize("method", [1, 2])
@pytest.mark.parametrize(
    ("metric", "strict", "harm"),
    [(SLA, strict, harm) for strict in (False, True) for harm in (0.0, 5.0, 12.0)]
    # Both sides are alarms, and a share would be above one.
    + [(MDF, False, harm) for harm in (0.0, 5.0, 12.0, -12.0)],
)
def test_every_look_says_what_the_product_would_say(metric: MetricName, strict: bool, harm: float, method: int) -> None:
    """By the method of the plan that is looked at, which is that of the product as well."""
    pilot, control = _sides()
    if metric is MDF:
        pilot, control = (
            one._replace(metric=MDF, sums=one.sums[::7], facts=one.facts[::7]) for one in (pilot, control)
        )
    rule = RULE.model_copy(update={"strict": strict, "method": method})
    drawn = _drawn(pilot, 12)
    looks = look_at(pilot, control, rule, DAYS, drawn, risk_share=0.5)
    harms, margin = np.full(12, harm), power.margin_of(rule.margin, looks)
    for at in (0, 11, len(looks.days) - 1):
        only = _only(looks, at)
        worse = power.not_met(only, harms, margin, strict=strict)[-1]
        passes = power.met(only, harms, margin, looks.days[at]).part
        verdicts = [_verdict(pilot, control, rule, drawn[run], looks.days[at], harm) for run in range(12)]
        assert verdicts.count(Verdict.NOT_MET) / 12 == pytest.approx(worse)
        # Where both are proven it is not met.
        assert verdicts.count(Verdict.MET) / 12 == pytest.approx(passes)


def _only(looks: Looks, at: int) -> Looks:
    one = slice(at, at + 1)
    return looks._replace(
        days=looks.days[one],
        worse=looks.worse[:, one],
        reach=looks.reach[:, one],
        pass_reach=looks.pass_reach[:, one],
    )


def _verdict(pilot: Panel, control: Panel, rule: ChangeRule, drawn: Places, day: int, harm: float) -> Verdict:
    """As an activity asks, with the partners' rows of the same weeks."""
    matured = day - rule.maturity // DAY
    timeline = Timeline(pilot, DAYS, drawn[None])
    weights = timeline.baseline, timeline.window(np.array([0]), np.array([matured]))
    before, after = ([added_up(panel, weight)[0, 0] for panel in (pilot, control)] for weight in weights)
    after[0][:, 0] += (harm if pilot.metric is MDF else -harm) / 100 * after[0][:, 1]
    rows = [[_rows(name, sums) for name, sums in zip("TC", arms, strict=True)] for arms in (before, after)]
    asked = Asked(
        metric=pilot.metric,
        rule=rule,
        before=Sides(*rows[0]),
        stretches=[Stretch(START, Sides(*rows[1]))],
        matured_through=START + matured * DAY,
        ends=_end(),
        share=0.5,
        baseline_days=28,
    )
    return judge_change(asked)[0]


def _end() -> datetime:
    return START + timedelta(days=DAYS.length)


def _rows(name: str, sums: Floats) -> list[PartnerReading]:
    return [
        PartnerReading(
            partner_id=f"{name}{at:03d}", numerator=float(one[0]), denominator=float(one[1]), facts=int(one[1])
        )
        for at, one in enumerate(sums)
    ]


def test_the_smallest_change_is_the_one_that_four_of_five_rollouts_show() -> None:
    pilot, control = _sides()
    looks = look_at(pilot, control, RULE, DAYS, _drawn(pilot, 200))
    found = power.detectable(looks)
    assert found is not None
    assert power.proven(looks, np.full(200, found * 1.001))[-1] >= 0.8
    assert power.proven(looks, np.full(200, found * 0.97))[-1] < 0.8


def test_planning_tells_what_the_method_of_the_plan_shows() -> None:
    """The first method asks for more, by a wider error of a few partners; *met* asks for the same by both."""
    pilot, control = _sides(size=8)
    first, second = (
        look_at(pilot, control, RULE.model_copy(update={"method": method}), DAYS, _drawn(pilot, 200))
        for method in (1, 2)
    )
    assert np.array_equal(first.worse, second.worse)
    assert np.array_equal(first.pass_reach, second.pass_reach, equal_nan=True)
    assert np.nanmedian(second.reach / first.reach) < 0.98
    harm = np.full(200, 8.0)
    days = [power.day_of(one, power.proven(one, harm), 0.5) for one in (first, second)]
    assert days[0] is not None
    assert days[1] is not None
    assert days[1] < days[0]


def test_more_partners_and_more_time_show_smaller_changes() -> None:
    pilot, control = _sides()
    few = look_at(pilot.of(range(8)), control, RULE, DAYS, _drawn(pilot, 200))
    many = look_at(
        pilot,
        control,
        RULE,
        DAYS,
        _drawn(pilot, 200),
        chosen=(power.draw_partners(np.random.default_rng(1), 12, 60, 200), None),
    )
    longer = DAYS._replace(length=140)
    later = look_at(pilot.of(range(8)), control, RULE, longer, _drawn(pilot, 200, longer))
    first, second, third = (power.detectable(one) for one in (few, many, later))
    assert first is not None
    assert second is not None
    assert third is not None
    assert second < 0.75 * first
    assert third < first


def test_healthy_rollouts_are_paused_no_more_often_than_agreed() -> None:
    pilot, control = _sides(size=24)
    looks = look_at(pilot, control, RULE, DAYS, _drawn(pilot, 400))
    nothing = np.zeros(400)
    assert power.not_met(looks, nothing, nothing, strict=False)[-1] <= 0.05 + 2 * np.sqrt(0.05 * 0.95 / 400)


def test_where_partners_never_vary_there_is_no_error_and_nothing_can_be_said() -> None:
    panel = steady(SLA, [9] * 112, 10)
    looks = look_at(panel, panel, RULE, DAYS, _drawn(panel))
    assert power.detectable(looks) is None
    assert not power.proven(looks, np.full(40, 50.0)).any()
    assert power.met(looks, np.zeros(40), np.full(40, 5.0), 42).part == 0


def test_before_a_week_has_matured_there_is_no_look() -> None:
    pilot, control = _sides()
    assert look_at(pilot, control, RULE, DAYS, _drawn(pilot, 2)).days[0] == 12
    short = look_at(pilot, control, RULE, DAYS._replace(length=10), _drawn(pilot, 2))
    assert (short.days, power.detectable(short)) == ((), None)


def test_of_what_is_an_alarm_on_both_sides_better_by_as_much_is_found_as_well() -> None:
    pilot, control = _sides()
    both, other = (one._replace(metric=MDF, sums=one.sums[::7], facts=one.facts[::7]) for one in (pilot, control))
    looks = look_at(both, other, RULE, DAYS, _drawn(both, 100))
    margin = np.full(100, 5.0)
    assert power.not_met(looks, np.full(100, -90.0), margin, strict=False)[-1] > 0.9
    one_sided = look_at(pilot, control, RULE, DAYS, _drawn(pilot, 100))
    assert power.not_met(one_sided, np.full(100, -90.0), margin, strict=False)[-1] == 0


def test_a_margin_in_percent_is_one_of_the_baseline_and_of_velocity_one_of_the_logarithm() -> None:
    pilot, control = _sides()
    looks = look_at(pilot, control, RULE, DAYS, _drawn(pilot, 3))
    assert power.margin_of(Margin(number=10, relative=True), looks) == pytest.approx(looks.level / 10)
    logs = looks._replace(logs=True)
    found = power.margin_of(Margin(number=10, relative=True), logs)
    assert found == pytest.approx(-np.log(0.9))
    assert power.told(float(found[0]), logs) == pytest.approx(10)


def test_alone_an_amount_is_held_against_a_baseline_of_as_many_days() -> None:
    pilot = leads(np.random.default_rng(4), 12, weeks=16, daily=3)
    sums = np.stack((pilot.sums[..., 1] * 10, pilot.sums[..., 1], pilot.sums[..., 1] * 9), axis=-1)
    alone = look_at(Panel(VELOCITY, sums, pilot.facts), None, RULE, DAYS, _drawn(pilot, 50))
    assert abs(float(np.median(alone.worse))) < 0.1


@pytest.mark.parametrize(("wanted", "day"), [(0.5, 8), (0.2, 7), (0.9, None)])
def test_the_day_is_the_first_on_which_enough_have_seen_it(wanted: float, day: int | None) -> None:
    nothing = np.zeros((1, 3))
    looks = Looks((7, 8, 9), nothing, nothing, nothing, np.zeros(1), False, False)
    assert power.day_of(looks, np.array([0.2, 0.5, 0.8]), wanted) == day
