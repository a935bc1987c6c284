"""What a cohort's earlier values say of a new one: far off is not judged yet, and what stays there is what is usual."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from judgement.assessment import stop_triggers
from judgement.band import TOO_FAR, Value, _folded, earlier_of
from judgement.counting import counts_as
from judgement.quality import findings, told
from models.evidence import CohortReading, MetricAssessment, Verdict
from models.metric import CATALOGUE, MetricName, MetricUse
from models.plan import StopCondition
from models.plan_metric import MetricPlan
from models.quality import DEFAULTS, Check, Counts, Earlier, QualityBound, Severity
from tests.judgement.readings import AS_OF, DAY, MARGIN, MDF, SLA, VELOCITY, agreed, judged, reading, window
from tests.plans import make_plan

GREEN, AMBER, RED = Severity
BY_CHANCE_5_OF_10 = 15.81


def days(*values: float, every: timedelta = DAY, end: datetime = AS_OF) -> tuple[Value, ...]:
    """Values of earlier looks, the last of them one step before the end."""
    return tuple((end - every * (len(values) - place), value) for place, value in enumerate(values))


def measured(value: float | None, metric: MetricName, before: Sequence[Value], **of_group: object) -> CohortReading:
    of = reading(value, metric, **of_group)
    return of.model_copy(update={"quality": Counts(earlier=earlier_of(of, before))})


def usual(value: float, metric: MetricName, before: Sequence[Value], **of_group: object) -> tuple[float, float, int]:
    found = measured(value, metric, before, **of_group).quality.earlier
    assert found is not None
    return found.usual, round(found.spread, 2), found.looks


def severity(of: CohortReading, plan: MetricPlan | None = None) -> Severity | None:
    found = findings(of, plan or agreed(metric=of.metric), None, AS_OF)
    return next((one.severity for one in found if one.check is Check.BAND), None)


# What is usual.


def test_usual_is_the_median_and_its_spread_the_median_distance_from_it() -> None:
    """10, 20, 26, 30, 40: the median is 26; the distances 16, 6, 0, 4, 14, their median 6, and 1.4826 x 6 = 8.90."""
    assert usual(26.0, MARGIN, days(10.0, 20.0, 26.0, 30.0, 40.0)) == (26.0, 8.9, 5)


def test_values_that_are_all_alike_spread_as_far_as_is_natural() -> None:
    """Windows overlap: five margins at 4 % are no proof that 4.5 % cannot be. Of velocity 30 % of 500 a day are 150."""
    assert usual(4.0, MARGIN, days(4.0, 4.0, 4.0, 4.0, 4.0)) == (4.0, 2.0, 5)
    assert usual(500.0, VELOCITY, days(500.0, 500.0, 500.0, 500.0)) == (500.0, 150.0, 4)


def test_a_share_of_few_spreads_by_chance() -> None:
    """5 of 10: (5 + 1) / (10 + 2) = 0.5, and the root of 0.5 x 0.5 / 10 is 0.1581. 450 of 500: less than 4 points."""
    before = days(90.0, 90.0, 90.0, 90.0)
    assert usual(50.0, SLA, before, numerator=5.0, denominator=10.0) == (90.0, BY_CHANCE_5_OF_10, 4)
    assert usual(90.0, SLA, before, numerator=450.0, denominator=500.0) == (90.0, 4.0, 4)


def test_three_looks_say_nothing_and_four_do() -> None:
    assert earlier_of(reading(-60.0, MARGIN), days(4.0, 4.0, 4.0)) is None
    assert earlier_of(reading(-60.0, MARGIN), days(4.0, 4.0, 4.0, 4.0)) is not None


def test_only_the_last_eight_looks_count_and_none_older_than_half_a_year() -> None:
    """Of 9, 9, 1 to 8 the last eight: their median is 4.5. Four looks of more than 26 weeks ago are none."""
    assert usual(5.0, MARGIN, days(9.0, 9.0, 1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0))[0] == 4.5
    assert earlier_of(reading(4.0, MARGIN), days(4.0, 4.0, 4.0, 4.0, end=AS_OF - timedelta(weeks=26))) is None


def test_an_amount_that_was_always_zero_has_nothing_usual() -> None:
    assert earlier_of(reading(70.0, VELOCITY), days(0.0, 0.0, 0.0, 0.0)) is None


def test_without_a_value_there_is_nothing_to_compare() -> None:
    assert earlier_of(reading(None, MARGIN), days(4.0, 4.0, 4.0, 4.0)) is None


# How far is too far.


@pytest.mark.parametrize(
    ("value", "found"),
    [(13.9, GREEN), (14.0, AMBER), (23.9, AMBER), (24.0, RED), (-5.9, GREEN), (-6.0, AMBER), (-16.0, RED)],
)
def test_five_spreads_warn_and_ten_are_red_on_both_sides(value: float, found: Severity) -> None:
    """Around 4 with a spread of 2: 14 and -6 are five of them away, 24 and -16 ten."""
    assert severity(measured(value, MARGIN, days(4.0, 4.0, 4.0, 4.0))) is found


def test_what_was_too_far_off_does_not_say_what_is_usual() -> None:
    """Four at 4, two at -60: the median of those that count is still 4, and -60 is as far as it was."""
    of = measured(-60.0, MARGIN, days(4.0, 4.0, 4.0, 4.0, -60.0, -60.0))
    assert of.quality.earlier == Earlier(looks=4, usual=4.0, spread=2.0, since=AS_OF - 2 * DAY)
    assert severity(of) is RED


def test_what_has_stood_for_a_whole_window_is_believed() -> None:
    """Every fact of a window of 28 days is a new one then: red on day 27 and not on day 28."""
    before = days(4.0, 4.0, 4.0, 4.0, *[-60.0] * 27)
    assert severity(measured(-60.0, MARGIN, before)) is RED
    before = days(4.0, 4.0, 4.0, 4.0, *[-60.0] * 28)
    assert usual(-60.0, MARGIN, before) == (-60.0, 2.0, 8)
    assert severity(measured(-60.0, MARGIN, before)) is GREEN


def test_a_value_on_the_other_side_or_in_order_begins_anew() -> None:
    """27 days far below, one far above or as usual: what lies below again has stood for a day."""
    for between in (70.0, 4.0):
        before = days(4.0, 4.0, 4.0, 4.0, *[-60.0] * 27, between, -60.0)
        of = measured(-60.0, MARGIN, before)
        assert of.quality.earlier is not None
        assert of.quality.earlier.since == AS_OF - DAY
        assert severity(of) is RED


def test_a_guardrail_that_collapses_in_a_trailing_window_is_no_fault() -> None:
    """From 100 every lead is late: by a window of 28 days that is 100/28 = 3.57 points a day, and no day is far off."""
    values = [100.0] * 8 + [100 - 100 * day / 28 for day in range(1, 29)]
    for today in range(8, len(values)):
        assert severity(measured(values[today], SLA, days(*values[:today]))) is GREEN


# What it does to a verdict.


FOUR = days(4.0, 4.0, 4.0, 4.0)


def outcome(value: float) -> MetricAssessment:
    return judged(measured(value, MARGIN, FOUR), agreed(">= 3", metric=MARGIN))


def test_a_margin_at_minus_60_is_not_judged_and_says_why() -> None:
    """4 less 64 points, which are 32 spreads of 2."""
    item = outcome(-60.0)
    assert (item.verdict, item.untrusted, counts_as(item)) == (Verdict.CANNOT_TELL, True, None)
    assert item.reasons[0] == (
        "data not to be trusted: -60.00 lies 32.0 spreads of 2.00 from 4.00, the median of 4 earlier looks: amber from "
        "5 and red from 10 spreads from the median of the earlier values"
    )


def test_half_of_the_costs_missing_is_no_success() -> None:
    """A margin of 4 % is 96 of 100 spent; with 48 of them it is 52 %."""
    item = outcome(52.0)
    assert (item.verdict, item.untrusted) == (Verdict.CANNOT_TELL, True)
    assert outcome(5.0).verdict is Verdict.MET


def test_nothing_is_stopped_by_a_value_far_from_all_before_it() -> None:
    """The condition is fulfilled by -60 % as by 2 %; only what is believed stops."""
    plan = make_plan()
    unless = agreed(">= 3", metric=MARGIN).thresholds[0]
    condition = StopCondition.model_construct(condition="the margin is gone", metric=MARGIN, unless=unless)
    stopping = plan.model_copy(update={"stop_conditions": (condition,)})
    assert [one.value for one in stop_triggers(stopping, [outcome(2.0)])] == [2.0]
    assert stop_triggers(stopping, [outcome(-60.0)]) == ()


def test_a_guardrail_far_below_all_before_it_pauses_with_a_warning_beside_it() -> None:
    """What it is there to see must not wait whether it stays."""
    item = judged(measured(20.0, SLA, days(90.0, 90.0, 90.0, 90.0)))
    assert (item.verdict, item.untrusted, item.warning) == (Verdict.NOT_MET, False, True)
    assert "data in doubt: 20.00 lies 17.5 spreads of 4.00 from 90.00" in item.reasons[0]


def test_owners_may_agree_that_a_guardrail_waits() -> None:
    bound = QualityBound(check=Check.BAND, amber=5, red=10)
    plan = agreed().model_copy(update={"data_quality": (bound,)})
    item = judged(measured(20.0, SLA, days(90.0, 90.0, 90.0, 90.0)), plan)
    assert (item.verdict, item.untrusted) == (Verdict.CANNOT_TELL, True)


def test_a_guardrail_far_better_than_all_before_it_is_not_met_yet_and_excuses_no_breach() -> None:
    """50, 50, 50, 50, then 95: 11.25 spreads. Below the limit all the same it is a breach."""
    before = days(50.0, 50.0, 50.0, 50.0)
    assert judged(measured(95.0, SLA, before)).verdict is Verdict.CANNOT_TELL
    assert judged(measured(95.0, SLA, before), agreed(">= 99")).verdict is Verdict.NOT_MET


def test_of_spend_neither_side_is_the_better_one() -> None:
    """Around 95 with a spread of 35: 450 is 10.1 of them away, and a guardrail that is beyond pauses."""
    before = days(95.0, 95.0, 95.0, 95.0)
    item = judged(measured(450.0, MDF, before), agreed("<= 110", metric=MDF))
    assert (item.verdict, item.warning, item.untrusted) == (Verdict.NOT_MET, True, False)
    as_outcome = agreed("<= 500", metric=MDF, use=MetricUse.OUTCOME)
    assert judged(measured(450.0, MDF, before), as_outcome).verdict is Verdict.CANNOT_TELL


def test_a_reading_without_earlier_looks_is_judged_as_it_was() -> None:
    of = reading(-60.0, MARGIN)
    assert severity(of) is None
    assert "earlier" not in of.model_copy(update={"quality": Counts(duplicates=1)}).quality.model_dump()


# What holds of every past.


def test_what_does_not_count_as_usual_is_what_is_red_by_default() -> None:
    assert DEFAULTS[Check.BAND].red == TOO_FAR
    assert all(spec.defaults.least_spread > 0 for spec in CATALOGUE.values())


@given(
    st.sampled_from(MetricName),
    st.floats(-1e9, 1e9),
    st.lists(st.tuples(st.integers(1, 200), st.floats(-1e9, 1e9)), max_size=30),
)
def test_any_past_gives_a_number_or_nothing(metric: MetricName, value: float, past: list[tuple[int, float]]) -> None:
    before = sorted((AS_OF - back * DAY, earlier) for back, earlier in past)
    of = measured(value, metric, before, window=window())
    assert all("nan" not in told(one) for one in findings(of, agreed(metric=metric), None, AS_OF))


@given(st.lists(st.floats(-9.0, 9.0), min_size=4, max_size=40))
def test_values_within_what_is_natural_are_never_doubted(moves: list[float]) -> None:
    """Between -5 and 13, so at most 9 points from 4: 4.5 spreads."""
    values = [4 + one for one in moves]
    assert severity(measured(4.0, MARGIN, days(*values))) is GREEN


@given(
    st.sampled_from([MARGIN, VELOCITY, SLA]),
    st.lists(st.one_of(st.floats(-60.0, 60.0), st.floats(-2000.0, 2000.0)), min_size=1, max_size=40),
)
def test_going_through_every_value_comes_to_the_same_where_none_can_be_too_far(
    metric: MetricName, values: list[float]
) -> None:
    """What is only a way to do less must not be another rule."""
    *earlier, value = values
    before = days(*earlier)
    whole = _folded(metric, [*before, (AS_OF, value)], 0.0, 28 * DAY)
    assert earlier_of(reading(value, metric, window=window()), before) == whole
