"""The timer that waits for the watch's silence is set anew before it fires for nothing, and never too late."""

from __future__ import annotations

from datetime import timedelta

import pytest

from models.plan_rules import keeps_quiet
from tests.plans import make_plan, plan_data
from tests.workflows.simulator import Simulator
from workflows.timer import nearest, overtaken

DAY = timedelta(days=1)


@pytest.fixture
def rollout() -> Simulator:
    """In its pilot, with a watchdog of three days; the watch has just spoken, and nothing else is due for weeks."""
    phases = {**plan_data()["phases"], "pilot": "90d"}
    reviews = {**plan_data()["reviews"], "first": "60d"}
    rollout = Simulator(make_plan(phases=phases, reviews=reviews))
    rollout.to_pilot()
    rollout.wait(3 * DAY)
    rollout.report()
    return rollout


def test_a_word_a_day_sets_it_anew_every_other_day(rollout: Simulator) -> None:
    until, anew = rollout.settle().until, []
    for day in range(1, 11):
        rollout.now += DAY
        assert until is not None
        assert until > rollout.now
        rollout.report()
        if overtaken(rollout.state, until, rollout.moment):
            anew.append(day)
            until = nearest(rollout.state, rollout.moment)
    assert anew == [2, 4, 6, 8, 10]


@pytest.mark.parametrize("late", [timedelta(milliseconds=1), timedelta(minutes=5), timedelta(hours=5)])
def test_it_is_set_anew_long_before_it_fires_also_where_words_come_early_or_late(
    rollout: Simulator, late: timedelta
) -> None:
    """A timer that is cancelled just as it fires is what a server that skips time loses runs by."""
    for each in (DAY + late, DAY - late):
        until = rollout.settle().until
        for _ in range(20):
            rollout.now += each
            rollout.report()
            assert until is not None
            assert until - rollout.now > timedelta(hours=12)
            if overtaken(rollout.state, until, rollout.moment):
                until = nearest(rollout.state, rollout.moment)


def test_it_never_waits_longer_than_the_watchdog_after_the_last_word(rollout: Simulator) -> None:
    until = rollout.settle().until
    for _ in range(20):
        rollout.now += DAY
        rollout.report()
        assert until is not None
        if overtaken(rollout.state, until, rollout.moment):
            until = nearest(rollout.state, rollout.moment)
        assert rollout.state.last_evidence_at is not None
        assert until is not None
        assert until <= rollout.state.last_evidence_at + rollout.plan.phases.watchdog


def test_what_else_is_due_is_not_put_off_by_a_word(rollout: Simulator) -> None:
    review = rollout.state.review_due_at
    assert review is not None
    rollout.now = review - timedelta(hours=3)
    rollout.report()
    assert nearest(rollout.state, rollout.moment) == review
    assert not overtaken(rollout.state, review, rollout.moment)


def test_a_timer_that_fires_after_the_next_word_is_left_alone(rollout: Simulator) -> None:
    until = rollout.settle().until
    assert until is not None
    rollout.now += timedelta(hours=1)
    rollout.report()
    assert nearest(rollout.state, rollout.moment) != until
    assert not overtaken(rollout.state, until, rollout.moment)


@pytest.mark.parametrize(("cadence", "quiet"), [("1d", 24), ("6h", 24), ("7h", 28), ("36h", 36)])
def test_the_watch_keeps_quiet_for_as_many_cadences_as_make_a_day(cadence: str, quiet: int) -> None:
    plan = make_plan(phases={**plan_data()["phases"], "cadence": cadence})
    assert keeps_quiet(plan.phases) == timedelta(hours=quiet)
