"""Planning with numbers, metric by metric: the days of a plan, what is said of a past, and what is said of none."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import numpy as np
import pytest

from judgement.planning import LEAST_WEEKS, Ask, History, course_of, metric_power
from models.metric import MetricUse
from models.plan_change import ChangeRule, Margin
from models.plan_metric import OnBreach
from models.power import Alarm
from tests.judgement.past import SLA, course, leads, steady
from tests.judgement.readings import agreed
from tests.plans import make_plan, plan_data

ASK = Ask(course(), runs=200)
CHANGE, WIDE = (ChangeRule(margin=Margin(number=number)) for number in (5, 20))


def _history(size: int = 12) -> History:
    rng = np.random.default_rng(7)
    return History(leads(rng, size, weekly=0.08), leads(rng, 20, weekly=0.08))


@pytest.mark.parametrize(
    ("option", "length", "gate", "anew"),
    [("A", 7, 7, (7,)), ("B", 51, 37, (30, 37, 44, 51)), ("C", 30, 30, (30,))],
)
def test_the_days_of_a_plan_are_those_of_its_option(option: str, length: int, gate: int, anew: tuple[int, ...]) -> None:
    data = plan_data(chosen=option)
    if option == "C":
        rule = {"roles": ["sponsor", "finance_owner", "compliance_owner"], "quorum": 3, "due": "7d"}
        data["approvals"] = {**data["approvals"], "prepare_to_scale": rule}
    plan = make_plan(**data)
    found = course_of(plan, plan.metrics[0])
    assert (found.length, found.gate, found.anew) == (length, gate, anew)
    # 90 days of baseline in 13 whole weeks.
    assert (found.before, found.frozen, found.every, found.day_looks) == (91, 90, 1, 1)


@pytest.mark.parametrize(("cadence", "every", "looks"), [("6h", 1, 4), ("2d", 2, 1), ("1w", 7, 1)])
def test_a_cadence_is_looks_of_a_day_or_days_of_a_look(cadence: str, every: int, looks: int) -> None:
    plan = make_plan(phases={**plan_data()["phases"], "cadence": cadence, "watchdog": "3w"})
    found = course_of(plan, plan.metrics[0])
    assert (found.every, found.day_looks) == (every, looks)
    assert found.gate in found.looks


def test_a_past_of_too_few_weeks_says_so_and_nothing_else() -> None:
    short = History(steady(SLA, [9] * 49, 10), None)
    found = metric_power(agreed(), short, ASK)
    assert found.nothing == f"7 usable weeks of history; {LEAST_WEEKS} at least are needed"
    assert (found.rules, found.change, found.picked) == (None, None, None)
    empty = History(steady(SLA, [0] * 84, 0), None)
    assert metric_power(agreed(), empty, ASK).nothing == "there is no value over the whole of the history"


def test_the_same_seed_gives_the_same_numbers_and_another_one_others() -> None:
    rule = agreed(">= 88", change=WIDE)
    first, again = (metric_power(rule, _history(), ASK) for _ in range(2))
    assert first == again
    assert metric_power(rule, _history(), ASK._replace(seed=2)) != first


def test_what_a_cohort_cannot_show_is_told_with_what_would_do() -> None:
    rule = agreed(change=ChangeRule(margin=Margin(number=3)))
    found = metric_power(rule, _history(), ASK).change
    assert found is not None
    assert found.detectable is not None
    assert found.resolves is False
    assert (found.margin, found.margin_value) == ("3pp", 3)
    assert found.partners_needed is not None
    assert found.partners_needed > 12
    assert found.margin_needed is not None
    # What is said to be enough is enough.
    wide = agreed(change=ChangeRule(margin=Margin(number=float(found.margin_needed.removesuffix("pp")))))
    enough = metric_power(wide, _history(), ASK).change
    assert enough is not None
    assert enough.resolves
    assert (enough.partners_needed, enough.days_needed, enough.margin_needed) == (None, None, None)


def test_power_grows_with_the_days_and_false_pauses_do_not_fall() -> None:
    found = metric_power(agreed(change=CHANGE), _history(24), ASK).change
    assert found is not None
    assert found.curve is not None
    for curve in (found.curve.margin, found.curve.twice, found.curve.healthy):
        assert list(curve) == sorted(curve)
    assert found.curve.twice[-1] >= found.curve.margin[-1] > found.curve.healthy[-1]
    assert found.days_to_margin is not None
    assert found.curve.margin[found.curve.days.index(found.days_to_margin)] >= 0.8


@pytest.mark.parametrize(
    ("changes", "alarm"),
    [
        ({}, Alarm.PAUSE),
        ({"on_breach": OnBreach.STOP}, Alarm.STOP),
        ({"on_breach": OnBreach.WARN}, Alarm.WARN),
        ({"use": MetricUse.OUTCOME}, Alarm.HOLD),
    ],
)
def test_what_a_limit_does_is_what_the_plan_says(changes: dict[str, Any], alarm: Alarm) -> None:
    found = metric_power(agreed(">= 88", **changes), _history(), ASK)
    assert found.rules is not None
    assert found.rules.alarm is alarm


def test_without_limits_nothing_is_said_of_limits_and_without_a_margin_nothing_of_one() -> None:
    only = agreed(change=WIDE).model_copy(update={"thresholds": ()})
    assert metric_power(only, _history(), ASK).rules is None
    plain = metric_power(agreed(), _history(), ASK).change
    assert plain is not None
    assert plain.detectable is not None
    assert (plain.margin, plain.resolves, plain.curve) == (None, None, None)


def test_a_risk_that_is_shared_shows_less() -> None:
    alone, shared = (
        metric_power(agreed(change=WIDE), _history(), ASK._replace(risk_share=part)).change for part in (1.0, 0.1)
    )
    assert alone is not None
    assert shared is not None
    assert alone.detectable is not None
    assert shared.detectable is not None
    assert shared.detectable > alone.detectable


def test_a_longer_maturity_is_waited_for() -> None:
    slow = ChangeRule(margin=Margin(number=20), maturity=timedelta(days=20))
    found = metric_power(agreed(change=slow), _history(), ASK).change
    assert found is not None
    assert found.curve is not None
    assert found.curve.days[0] == 27
