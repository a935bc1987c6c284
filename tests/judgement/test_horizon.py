"""Planned ends, beginnings of stretches, matured days and shares of the risk, worked out by hand."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest

from judgement.horizon import beginnings, enlargements, matured_through, pause_share, planned_end
from models.metric import MetricName
from models.plan import RolloutPlan
from tests.models.changes import REDESIGN
from tests.plans import judged_by_change, make_plan, plan_data

START = datetime(2026, 3, 2, 9, tzinfo=UTC)
DAY = timedelta(days=1)


def plan(**changes: Any) -> RolloutPlan:
    """Pilot 30 days, validate 7, two waves of 14."""
    return make_plan(**{**judged_by_change(), **changes})


REDESIGNED = {"chosen": "C", "approvals": {**plan_data()["approvals"], "prepare_to_scale": REDESIGN}}
MAINTAINED = {"chosen": "A", "phases": {**judged_by_change()["phases"], "validate": "21d"}}


@pytest.mark.parametrize(
    ("changes", "cohort", "days"),
    [
        ({}, "pilot", 30 + 7 + 14 + 14),
        ({}, "wave-one", 28),
        ({}, "wave-two", 14),
        (REDESIGNED, "pilot", 30),
        (REDESIGNED, "wave-two", 30),
        (MAINTAINED, "pilot", 21),
    ],
)
def test_a_cohort_is_looked_at_for_as_long_as_the_plan_has_still_to_run(
    changes: dict[str, Any], cohort: str, days: int
) -> None:
    assert planned_end(plan(**changes), cohort, START) == START + days * DAY


def test_guardrails_share_the_risk_and_so_do_cohorts_all_of_which_may_pause() -> None:
    both = judged_by_change()["metrics"]
    both[1] |= {"use": "guardrail", "change": {"margin": "3pp"}}
    one, two = plan(), plan(metrics=both)
    [sla, _], [first, second] = one.metrics, two.metrics
    assert [pause_share(one, sla, name) for name in ("pilot", "wave-one", "wave-two")] == [0.5, 0.25, 0.25]
    assert [pause_share(two, first, name) for name in ("pilot", "wave-one", "wave-two")] == [0.25, 0.125, 0.125]
    spent = sum(
        pause_share(two, metric, name) for metric in (first, second) for name in ("pilot", "wave-one", "wave-two")
    )
    assert spent == 1.0


def test_an_outcome_pauses_nothing_and_shares_with_no_metric() -> None:
    both = judged_by_change()["metrics"]
    both[1] |= {"change": {"margin": "3pp"}}
    found = plan(metrics=both)
    assert found.metrics[1].metric is MetricName.CONTRIBUTION_MARGIN
    assert [pause_share(found, metric, "pilot") for metric in found.metrics] == [0.5, 0.5]


def test_without_waves_the_pilot_has_all_of_the_risk() -> None:
    alone = plan(**MAINTAINED)
    assert pause_share(alone, alone.metrics[0], "pilot") == 1.0


def test_what_will_be_enrolled_later_is_known_beforehand() -> None:
    assert [enlargements(plan(), name) for name in ("pilot", "wave-one", "wave-two", "control")] == [2, 1, 0, 0]
    assert [enlargements(plan(**other), "pilot") for other in (REDESIGNED, MAINTAINED)] == [0, 0]


def test_a_stretch_begins_with_the_cohort_and_with_each_later_enlargement() -> None:
    enrolled: dict[str | None, datetime] = {
        None: START - 5 * DAY,
        "pilot": START,
        "wave-one": START + 40 * DAY,
        "wave-two": START + 54 * DAY,
    }
    assert beginnings(plan(), "pilot", enrolled) == (START, START + 40 * DAY, START + 54 * DAY)
    assert beginnings(plan(), "wave-one", enrolled) == (START + 40 * DAY, START + 54 * DAY)
    assert beginnings(plan(), "wave-two", enrolled) == (START + 54 * DAY,)
    assert beginnings(plan(), "wave-three", enrolled) == ()


def test_cohorts_enrolled_one_right_after_the_other_are_no_enlargement() -> None:
    """Under option C everybody is enrolled at once, cohort by cohort."""
    enrolled: dict[str | None, datetime] = {
        "pilot": START,
        "wave-one": START + timedelta(seconds=1),
        "wave-two": START + timedelta(hours=3),
    }
    assert beginnings(plan(**REDESIGNED), "pilot", enrolled) == (START,)


def test_who_enrols_nobody_begins_where_the_baselines_were_measured() -> None:
    assert beginnings(plan(**MAINTAINED), "pilot", {None: START - 5 * DAY}) == (START - 5 * DAY,)
    assert beginnings(plan(**MAINTAINED), "pilot", {}) == ()


@pytest.mark.parametrize(
    ("as_of", "through"),
    [
        (datetime(2026, 3, 9, 23, 59, tzinfo=UTC), datetime(2026, 3, 4, tzinfo=UTC)),
        (datetime(2026, 3, 10, tzinfo=UTC), datetime(2026, 3, 5, tzinfo=UTC)),
        (datetime(2026, 3, 10, 1, tzinfo=timezone(2 * timedelta(hours=1))), datetime(2026, 3, 4, tzinfo=UTC)),
    ],
)
def test_only_whole_days_that_are_as_old_as_was_agreed_have_matured(as_of: datetime, through: datetime) -> None:
    assert matured_through(as_of, 5 * DAY) == through
