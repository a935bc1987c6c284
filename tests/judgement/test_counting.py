"""Counting breaches: what counts, what is one look, and what a tolerance lets pass."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from judgement.counting import count_breaches, counts_as, spaced, tolerated
from models.evidence import Breaches, Verdict
from models.metric import MetricUse
from models.plan_metric import Tolerance
from tests.judgement.readings import AS_OF, DAY, agreed, judged, reading

SMALL: dict[str, Any] = {"n_partners": 1, "n_facts": 1}


@pytest.mark.parametrize(
    ("readings", "in_a_row", "in_all"),
    [
        ((), 0, 0),
        ((False,), 0, 0),
        ((True,), 1, 1),
        ((True, False), 0, 1),
        ((True, False, True, True), 2, 3),
        ((True, True, True), 3, 3),
    ],
)
def test_runs_are_counted_up_to_the_newest(readings: tuple[bool, ...], in_a_row: int, in_all: int) -> None:
    assert count_breaches(readings) == Breaches(in_a_row=in_a_row, in_all=in_all)


def test_tolerance_is_used_up_only_by_more_than_agreed() -> None:
    assert tolerated(Breaches(in_a_row=2, in_all=5), Tolerance(in_a_row=2))
    assert not tolerated(Breaches(in_a_row=3, in_all=3), Tolerance(in_a_row=2))
    assert not tolerated(Breaches(in_a_row=1, in_all=3), Tolerance(in_a_row=2, in_all=2))


def test_what_says_nothing_counts_for_neither_side() -> None:
    guard, outcome = agreed(use=MetricUse.GUARDRAIL), agreed(use=MetricUse.OUTCOME)
    assert counts_as(judged(reading(90.0), guard)) is False
    assert counts_as(judged(reading(80.0), guard)) is True
    assert counts_as(judged(reading(80.0, **SMALL), guard)) is True
    assert counts_as(judged(reading(80.0, **SMALL), outcome)) is None
    assert counts_as(judged(reading(90.0, **SMALL), guard)) is None
    assert counts_as(judged(reading(None), guard)) is None
    assert counts_as(judged(reading(80.0, data_through=None), guard)) is None
    assert counts_as(judged(reading(90.0), agreed(">= -5%"))) is None


def test_a_tolerated_breach_still_counts() -> None:
    for found in (reading(80.0), reading(80.0, **SMALL)):
        item = judged(found, agreed(tolerance=Tolerance(in_a_row=1)))
        assert (item.verdict, counts_as(item)) == (Verdict.CANNOT_TELL, True)


def test_of_looks_that_are_one_the_newest_speaks() -> None:
    hours = [
        (AS_OF + timedelta(hours=hour), beyond) for hour, beyond in [(0, True), (3, False), (13, True), (26, False)]
    ]
    assert spaced(hours, DAY / 2) == (False, True, False)
    assert spaced(hours, timedelta(0)) == (True, False, True, False)
    assert spaced(hours[:2], timedelta(hours=3)) == (True, False)
    assert spaced([], DAY) == ()


@given(
    st.lists(st.tuples(st.timedeltas(timedelta(0), 30 * DAY), st.booleans()), max_size=30),
    st.timedeltas(timedelta(0), 3 * DAY),
)
def test_spaced_never_makes_more_of_the_readings(looks: list[tuple[timedelta, bool]], gap: timedelta) -> None:
    ordered = sorted((AS_OF + age, beyond) for age, beyond in looks)
    counted = spaced(ordered, gap)
    assert len(counted) <= len(ordered)
    assert bool(counted) == bool(ordered)
    if ordered:
        assert counted[-1] == ordered[-1][1]
        span = ordered[-1][0] - ordered[0][0]
        assert gap == timedelta(0) or len(counted) <= span / gap + 1
