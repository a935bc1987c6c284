"""Who drives a number: those who cost the cohort most, not those whose ratio merely looks worst."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from judgement.contributions import contributions, worst_partners
from judgement.values import group_value
from models.evidence import PartnerReading
from models.metric import CATALOGUE, Grouping, MetricName
from tests.judgement.readings import MARGIN, MDF, SCORE, SLA, VELOCITY


def partner(name: str, numerator: float | None, denominator: float | None, **parts: float) -> PartnerReading:
    return PartnerReading(partner_id=name, numerator=numerator, denominator=denominator, facts=1, parts=parts)


def names(metric: MetricName, *readings: PartnerReading, limit: int = 5) -> list[str]:
    return [one.partner_id for one in worst_partners(metric, readings, limit)]


@pytest.mark.parametrize("metric", [SLA, MetricName.ENABLEMENT_COMPLETION])
def test_most_misses_come_first_and_without_any_nobody_is_named(metric: MetricName) -> None:
    many, few, none = partner("a", 80, 100), partner("b", 1, 9), partner("c", 50, 50)
    assert names(metric, none, few, many) == ["a", "b"]
    assert names(metric, none) == []


def test_margin_is_lost_by_those_below_the_cohort_s_own() -> None:
    assert names(MARGIN, partner("a", 300, 1000), partner("b", 10, 1000), partner("c", -5, 10)) == ["b", "c"]


def test_the_lowest_score_comes_first_and_nobody_without_a_score() -> None:
    assert names(SCORE, partner("a", 90, 1), partner("b", 60, 1), partner("c", None, None), partner("d", 70, 1)) == [
        "b",
        "d",
    ]


def test_mdf_names_the_side_on_which_the_cohort_lies() -> None:
    over, under = partner("over", 300, 100), partner("under", 10, 100)
    assert names(MDF, over, under) == ["over"]
    assert names(MDF, partner("over", 120, 100), under) == ["under"]


def test_what_is_a_breach_by_itself_comes_before_all_else() -> None:
    assert names(MDF, partner("a", 300, 100), partner("b", 1, 100, unbudgeted=5.0)) == ["b"]
    assert names(SCORE, partner("a", 50, 1), partner("b", None, None, critical_failed=1.0)) == ["b"]


def test_where_nobody_stands_out_the_largest_are_named() -> None:
    assert names(MARGIN, partner("a", 10, 100), partner("b", 20, 200), partner("c", 5, 50), limit=2) == ["b", "a"]


def test_equals_are_named_in_the_order_of_their_ids() -> None:
    assert names(SLA, partner("b", 0, 3), partner("a", 0, 3), partner("c", 0, 3), limit=2) == ["a", "b"]


def test_nobody_is_nobody() -> None:
    assert names(SLA) == names(MARGIN) == []


# How much of a change is whose.


def test_a_change_is_split_into_own_numbers_and_weight() -> None:
    """At the baseline a had 50 of 100 and b 90 of 100: 70 %. Now a has 60 of 300 and b 90 of 100: 37.5 %.

    a: (60 - 0.7 * 300) / 400 - (50 - 0.7 * 100) / 200 = -0.375 + 0.1 = -27.5 points. Its own ratio fell from 50 to 20 %
    at three quarters of the weight: -22.5; its weight grew from a half to three quarters at 20 points below: -5.
    b: (90 - 0.7 * 100) / 400 - (90 - 0.7 * 100) / 200 = 0.05 - 0.1 = -5 points, all of it weight.
    """
    found = contributions(
        SLA, [partner("a", 60, 300), partner("b", 90, 100)], [partner("a", 50, 100), partner("b", 90, 100)]
    )
    assert [(one.partner_id, one.change) for one in found] == [("a", pytest.approx(-27.5)), ("b", pytest.approx(-5.0))]
    assert (found[0].own, found[0].mix) == (pytest.approx(-22.5), pytest.approx(-5.0))
    assert (found[1].own, found[1].mix) == (pytest.approx(0.0), pytest.approx(-5.0))
    assert (found[0].then, found[0].now) == (pytest.approx(50.0), pytest.approx(20.0))


def test_who_came_or_went_makes_up_a_part_too() -> None:
    """From 80 % of a alone to 60 % of a and b: b brought 20 points down, and a, who left for c, is counted as gone."""
    came = contributions(SLA, [partner("a", 80, 100), partner("b", 40, 100)], [partner("a", 80, 100)])
    assert [(one.partner_id, one.change, one.then) for one in came] == [
        ("b", pytest.approx(-20.0), None),
        ("a", pytest.approx(0.0), pytest.approx(80.0)),
    ]
    gone = contributions(SLA, [partner("b", 40, 100)], [partner("a", 80, 100), partner("b", 40, 100)])
    assert {one.partner_id: one.change for one in gone} == {"a": pytest.approx(-10.0), "b": pytest.approx(-10.0)}


def test_what_cannot_be_given_is_nobody_s() -> None:
    assert contributions(SLA, [partner("a", 1, 2)], []) == ()
    assert contributions(SLA, [], [partner("a", 1, 2)]) == ()
    assert contributions(SLA, [partner("a", 0, 0)], [partner("a", 1, 2)]) == ()


def deals(name: str, value: float, won: float, days: float, lost: float = 1.0) -> PartnerReading:
    parts = {"won_value": value, "won": won, "lost": lost, "opportunities": won + lost, "cycle_days": days}
    return partner(name, value, days / won if won else None, **parts)


def test_velocity_is_split_into_the_value_won_and_the_speed() -> None:
    """Then 1000 won in 10 deals of 20 days each, 1000 / 20 = 50 a day; now 600 in 10 deals of 30 days, 20 a day.

    The value fell by 400 at a mean of (1/20 + 1/30) / 2 deals a day: -16.67; the rest, -13.33, is speed."""
    (one,) = contributions(VELOCITY, [deals("a", 600, 10, 300)], [deals("a", 1000, 10, 200)])
    assert (one.change, one.own, one.mix) == (
        pytest.approx(-30.0),
        pytest.approx(-16.667, abs=1e-3),
        pytest.approx(-13.333, abs=1e-3),
    )


def test_velocity_over_another_window_is_compared_with_the_scaled_baseline() -> None:
    """Half as long a window: 50 a day then are 25, and 25 now are no change."""
    (one,) = contributions(VELOCITY, [deals("a", 500, 5, 100)], [deals("a", 1000, 10, 200)], scale=0.5)
    assert one.change == pytest.approx(0.0)


def test_velocity_that_came_from_nothing_is_all_value() -> None:
    """Nothing won is a velocity of 0, and has no speed."""
    (one,) = contributions(VELOCITY, [deals("a", 500, 5, 100)], [deals("a", 0, 0, 0)])
    assert (one.change, one.mix) == (pytest.approx(25.0), 0.0)


@st.composite
def rows(draw: st.DrawFn, metric: MetricName) -> list[PartnerReading]:
    names = draw(st.lists(st.sampled_from("abcdefgh"), unique=True, max_size=8))
    if CATALOGUE[metric].grouping is Grouping.FROM_PARTS:
        return [
            deals(name, won * draw(st.floats(1, 1e5)), won, won * draw(st.floats(1, 400)), draw(st.integers(0, 5)))
            for name in names
            for won in [draw(st.integers(0, 40))]
        ]
    if CATALOGUE[metric].grouping is Grouping.MEAN_OF_SCORES:
        scores = {name: draw(st.none() | st.floats(0, 100)) for name in names}
        weights = {"weight_applicable": 10.0, "weight_assessed": 10.0}
        return [partner(name, score, None if score is None else 1.0, **weights) for name, score in scores.items()]
    return [
        partner(name, draw(st.floats(-1e6, 1e6)), draw(st.just(0.0) | st.floats(0.01, 1e6)), cost_lines=1.0)
        for name in names
    ]


@st.composite
def both(draw: st.DrawFn) -> tuple[MetricName, list[PartnerReading], list[PartnerReading]]:
    metric = draw(st.sampled_from(MetricName))
    return metric, draw(rows(metric)), draw(rows(metric))


@given(both(), st.randoms(use_true_random=False))
def test_contributions_add_up_to_the_change_in_whatever_order_the_rows_come(
    case: tuple[MetricName, list[PartnerReading], list[PartnerReading]], shuffle: random.Random
) -> None:
    metric, now, then = case
    values = group_value(metric, now).value, group_value(metric, then).value
    found = contributions(metric, now, then)
    if values[0] is None or values[1] is None:
        assert found == ()
        return
    # As exact as numbers of this size are.
    size = max(abs(values[0]), abs(values[1]), *(abs(part) for one in found for part in (one.change, one.own)), 1.0)
    assert sum(one.change for one in found) == pytest.approx(values[0] - values[1], abs=1e-6 * size)
    assert all(one.own + one.mix == pytest.approx(one.change, abs=1e-6 * size) for one in found)
    turned = list(now)
    shuffle.shuffle(turned)
    again = {one.partner_id: one.change for one in contributions(metric, turned, then)}
    assert again == {one.partner_id: pytest.approx(one.change, abs=1e-6 * size) for one in found}
