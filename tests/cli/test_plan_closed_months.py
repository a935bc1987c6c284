"""A margin is read of closed months: what is sure to hold one, and what is warned of."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from cli.plan_template import plan_template
from cli.plan_told import LONGEST_MONTH, warnings_by_plan
from cli.planfile import parse_plan
from models.metric import CATALOGUE, MetricName
from tests.plans import make_plan, plan_data

MINUTE, DAY = timedelta(minutes=1), timedelta(days=1)


def warned(window: str, freshness: str) -> list[str]:
    sla, margin = plan_data()["metrics"]
    plan = make_plan(metrics=[sla, margin | {"window": window, "freshness": freshness}])
    return [str(one) for one in warnings_by_plan(plan)]


@pytest.mark.parametrize(("window", "freshness"), [("69d", "7d"), ("90d", "28d"), ("83d", "21d")])
def test_a_window_that_is_62_days_longer_than_data_may_be_old_is_not_warned_of(window: str, freshness: str) -> None:
    assert warned(window, freshness) == []


@pytest.mark.parametrize(("window", "freshness"), [("68d23h59m", "7d"), ("90d", "28d1m"), ("31d", "1d")])
def test_any_shorter_one_is(window: str, freshness: str) -> None:
    [told] = warned(window, freshness)
    assert told.startswith("metrics.1.window: a window of")
    assert "need not hold a closed month" in told


def holds_a_month(start: datetime, length: timedelta) -> bool:
    """Whether a whole calendar month lies in a stretch."""
    first = start.replace(day=1, hour=0, minute=0)
    first = first if first == start else next_month(first)
    return next_month(first) <= start + length


def next_month(first: datetime) -> datetime:
    return (first + LONGEST_MONTH).replace(day=1)


def test_62_days_hold_a_whole_month_whenever_they_begin_and_a_minute_less_may_not() -> None:
    """From 1 July, a minute past midnight, the first whole month is August: 61 days, 23 hours and 59 minutes long."""
    starts = [datetime(2024, 1, 1, tzinfo=UTC) + day * DAY + late for day in range(1500) for late in (0 * DAY, MINUTE)]
    assert all(holds_a_month(start, 2 * LONGEST_MONTH) for start in starts)
    july = datetime(2026, 7, 1, tzinfo=UTC) + MINUTE
    assert holds_a_month(july, 62 * DAY - MINUTE)
    assert not holds_a_month(july, 62 * DAY - 2 * MINUTE)


def test_what_a_new_plan_begins_with_holds_one() -> None:
    assert {name: spec.defaults.closed_months for name, spec in CATALOGUE.items() if spec.defaults.closed_months} == {
        MetricName.CONTRIBUTION_MARGIN: 1
    }
    text = plan_template("a-plan", "B")
    assert list(warnings_by_plan(parse_plan(text, "plan.yaml"))) == []
    assert "window: 90d                            # a closed month lies in it, also with data 21d old" in text
