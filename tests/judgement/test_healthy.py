"""What an agreed limit costs in rollouts in which nothing happened: counted as the product counts."""

from __future__ import annotations

from datetime import timedelta

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from judgement.counting import counts_as
from judgement.healthy import TOO_OFTEN, Path, alarms, follow, limit_prices, rounded_out, share, step_of
from judgement.panel import Panel
from judgement.resample import Course, draw_weeks
from judgement.thresholds import judge
from models.evidence import Look, Verdict
from models.metric import MetricUse
from models.plan_metric import MetricPlan, MinimumSample, Tolerance
from tests.judgement.past import SLA, VELOCITY, course, leads, steady
from tests.judgement.readings import AS_OF, DAY, agreed, baseline, group, reading, window

SMALL = MinimumSample(partners=1, facts=1)


def _alarmed(panel: Panel, rule: MetricPlan, plan: Course | None = None, runs: int = 200) -> float:
    days = plan or course()
    drawn = draw_weeks(np.random.default_rng(3), panel, days.weeks, runs)
    return float(alarms(follow(panel, rule, days, drawn), rule, days).mean())


def test_where_nothing_varies_nothing_is_paused_and_the_limit_itself_is_still_good() -> None:
    panel = steady(SLA, [9] * 70, 10)
    assert _alarmed(panel, agreed(">= 85", ">= -1pp", "<= +1%")) == 0
    assert _alarmed(panel, agreed(">= 90")) == 0
    assert _alarmed(panel, agreed("> 90")) == 1


def test_a_limit_beyond_every_value_always_pauses() -> None:
    panel = leads(np.random.default_rng(1), 10, weeks=10)
    assert _alarmed(panel, agreed(">= 100.5")) == 1
    assert _alarmed(panel, agreed(">= 0")) == 0


def test_an_amount_is_held_against_the_baseline_of_as_many_days() -> None:
    """A window of 7 days sells a quarter of what 28 days of baseline do, and that is no fall."""
    panel = steady(VELOCITY, [100.0] * 70)
    panel = panel._replace(sums=np.stack((panel.sums[..., 0], *[np.ones(panel.sums.shape[:2])] * 2), axis=-1))
    assert _alarmed(panel, agreed(">= -1%", "<= +1%", metric=VELOCITY, window=7 * DAY, use=MetricUse.GUARDRAIL)) == 0


def _path(*looks: float, enough: bool = True) -> Path:
    found = np.array([looks])
    return Path(found, np.full((1, 1), 90.0), np.full(found.shape, enough))


NAN = float("nan")


@pytest.mark.parametrize(
    ("looks", "tolerance", "paused"),
    [
        ((90, 84, 84, 90), {"in_a_row": 2}, False),
        ((90, 84, 84, 84), {"in_a_row": 2}, True),
        ((84, 84, 90, 84), {"in_a_row": 2}, False),
        # A look without a value ends no run.
        ((84, 84, NAN, 84), {"in_a_row": 2}, True),
        ((84, 90, 84, 90), {"in_a_row": 1, "in_all": 1}, True),
        ((84, 90, 90, 90), {"in_a_row": 1, "in_all": 1}, False),
        ((NAN, NAN, NAN, NAN), {"in_a_row": 0}, False),
    ],
)
def test_breaches_are_counted_as_they_are_tolerated(
    looks: tuple[float, ...], tolerance: dict[str, int], paused: bool
) -> None:
    rule = agreed(">= 85", tolerance=Tolerance(**tolerance))
    assert alarms(_path(*looks), rule, course(length=4, gate=4)).tolist() == [paused]


def test_a_look_that_cannot_be_held_against_its_baseline_ends_no_run() -> None:
    rule, days = agreed(">= 85", ">= -2pp", tolerance=Tolerance(in_a_row=1)), course(length=3, gate=3)
    assert not alarms(_path(84, 90, 84), rule, days).any()
    assert alarms(_path(84, 90, 84)._replace(baseline=np.array([[NAN]])), rule, days).all()


def test_a_count_begins_anew_with_each_phase() -> None:
    rule, looks = agreed(">= 85", tolerance=Tolerance(in_a_row=2)), (90, 84, 84, 84, 84)
    days = course(length=5, gate=5)
    assert alarms(_path(*looks), rule, days).all()
    assert not alarms(_path(*looks), rule, days._replace(anew=(3,))).any()


def test_a_cadence_of_hours_uses_a_tolerance_up_within_a_day() -> None:
    rule, days = agreed(">= 85", tolerance=Tolerance(in_a_row=3)), course(length=3, gate=3)
    assert not alarms(_path(90, 84, 90), rule, days).any()
    assert alarms(_path(90, 84, 90), rule, days._replace(day_looks=4)).all()


def test_an_outcome_holds_at_its_gate_and_at_no_other_look() -> None:
    rule, days = agreed(">= 85", use=MetricUse.OUTCOME), course(length=4, gate=3)
    assert not alarms(_path(84, 84, 90, 84), rule, days).any()
    assert alarms(_path(90, 90, 84, 90), rule, days).all()
    # On too small a sample nothing can be told, so it is not found beyond.
    assert not alarms(_path(90, 90, 84, 90, enough=False), rule, days).any()


def test_a_guardrail_protects_on_any_sample_and_a_small_one_ends_no_run() -> None:
    rule, days = agreed(">= 85", tolerance=Tolerance(in_a_row=1)), course(length=3, gate=3)
    assert alarms(_path(84, 84, 90, enough=False), rule, days).all()
    thin = Path(np.array([[84.0, 90.0, 84.0]]), np.array([[90.0]]), np.array([[True, False, True]]))
    assert alarms(thin, rule, days).all()


@pytest.mark.parametrize("use", [MetricUse.GUARDRAIL, MetricUse.OUTCOME])
@pytest.mark.parametrize("more", [{}, {"cannot_tell": 30}, {"no_evidence_in_a_row": 0}])
@pytest.mark.parametrize("limits", [(">= 84",), (">= -4pp", ">= 84"), (">= -5%",)])
def test_every_rollout_is_judged_as_the_product_would_judge_it(
    use: MetricUse, limits: tuple[str, ...], more: dict[str, int]
) -> None:
    """Look by look through `judge`, with the readings that a made-up rollout has."""
    rule = agreed(
        *limits,
        use=use,
        window=14 * DAY,
        tolerance=Tolerance(in_a_row=3, in_all=9, **more),
        minimum_sample=MinimumSample(partners=5, facts=33),
        freshness=timedelta(days=9999),
    )
    panel, days = leads(np.random.default_rng(5), 6, weeks=10, daily=0.5, weekly=0.1), course(anew=(21,))
    drawn = draw_weeks(np.random.default_rng(6), panel, days.weeks, 30)
    path = follow(panel, rule, days, drawn)
    found = alarms(path, rule, days)
    assert 0 < found.sum() < 30
    for run in range(30):
        assert bool(found[run]) is _as_judged(path, run, rule, days)


def _as_judged(path: Path, run: int, rule: MetricPlan, days: Course) -> bool:
    past: list[Look] = []
    frozen = baseline(float(path.baseline[run, 0]))
    for at, day in enumerate(days.looks):
        if day - 1 in days.anew:
            past = []
        facts, partners = (400, 6) if path.enough[run, at] else (1, 1)
        shown = reading(
            float(path.value[run, at]),
            group=group(float(path.value[run, at]), n_partners=partners, n_facts=facts),
            window=window(28 * DAY),
        )
        item = judge(shown, rule, frozen, past, AS_OF + day * DAY)
        if item.verdict is Verdict.NOT_MET and (rule.purpose is MetricUse.GUARDRAIL or day == days.gate):
            return True
        past.append(Look(AS_OF + day * DAY, item.by_itself or item.verdict, counts_as(item)))
    return False


@pytest.mark.parametrize(
    ("looks", "enough", "more", "paused"),
    [
        ((90, NAN, NAN, 90), True, {"no_evidence_in_a_row": 1}, True),
        ((NAN, 90, NAN, 90), True, {"no_evidence_in_a_row": 1}, False),
        ((90, 90, 90, 90), False, {"cannot_tell": 3}, True),
        ((90, 90, 90, 90), False, {"cannot_tell": 4}, False),
        ((90, NAN, NAN, 90), True, {}, False),
    ],
)
def test_nothing_to_be_said_for_longer_than_agreed_is_blind(
    looks: tuple[float, ...], enough: bool, more: dict[str, int], paused: bool
) -> None:
    rule = agreed(">= 85", tolerance=Tolerance(**more))
    path = _path(*looks, enough=enough)
    assert alarms(path, rule, course(length=4, gate=4)).tolist() == [paused]
    assert not alarms(path, rule.model_copy(update={"use": MetricUse.OUTCOME}), course(length=4, gate=4)).any()
    # It is no fault of a limit.
    assert not alarms(path, rule, course(length=4, gate=4), rule.thresholds).any()


@given(st.floats(80, 95), st.floats(0, 5))
@settings(max_examples=25, deadline=None)
def test_a_looser_limit_never_pauses_more(limit: float, by: float) -> None:
    rule = agreed(">= 85", tolerance=Tolerance(in_a_row=1))
    strict, loose = (
        [one.model_copy(update={"number": number}) for one in rule.thresholds] for number in (limit, limit - by)
    )
    assert (alarms(PATH, rule, course(), loose) <= alarms(PATH, rule, course(), strict)).all()


RULE = agreed(">= 85", minimum_sample=SMALL)
PANEL = leads(np.random.default_rng(1), 10, weeks=12, weekly=0.08)
PATH = follow(PANEL, RULE, course(), draw_weeks(np.random.default_rng(3), PANEL, course().weeks, 200))


def test_the_wider_limit_is_the_nearest_that_pauses_one_in_ten_at_most() -> None:
    rule = agreed(">= 89", ">= -2pp", "<= 99", minimum_sample=SMALL)
    first, second, third = limit_prices(PATH, rule, course())
    for price in (first, second):
        assert price.alone.part > TOO_OFTEN
        assert price.wider is not None
        assert price.wider.number < price.limit.number
        assert alarms(PATH, rule, course(), (price.wider,)).mean() <= TOO_OFTEN
        nearer = price.wider.model_copy(update={"number": price.wider.number + 0.6})
        assert alarms(PATH, rule, course(), (nearer,)).mean() > TOO_OFTEN
    assert third.wider == third.limit


def test_a_share_is_told_with_the_error_of_its_simulation() -> None:
    half = share(np.array([True, False] * 50))
    assert (half.part, half.error) == (0.5, pytest.approx(0.05))
    # Of none in a hundred one in a hundred may have been missed.
    assert share(np.zeros(100, dtype=bool)).error == pytest.approx(0.00995, abs=1e-4)


@pytest.mark.parametrize(("number", "down", "found"), [(5.38, False, 5.5), (-7.83, True, -8.0), (2.0, False, 2.0)])
def test_numbers_are_rounded_outwards(number: float, down: bool, found: float) -> None:
    assert rounded_out(number, step_of(abs(number)), down=down) == found
