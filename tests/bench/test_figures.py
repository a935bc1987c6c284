"""Figures say what they are: ratios by round, a bar that can be missed, costs counted by the published rules."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from google.protobuf.timestamp_pb2 import Timestamp
from pydantic import ValidationError
from temporalio.api.enums.v1 import EventType
from temporalio.api.history.v1 import HistoryEvent

from bench.counting import bytes_by_activity, cost
from bench.figures import Bar, Comparison, p95, plain

HOUR = timedelta(hours=1)


def comparison(ours: tuple[float, ...], theirs: tuple[float, ...], bar: Bar | None = None) -> Comparison:
    return Comparison(what="reading", unit="ms", ours=ours, against="writing", theirs=theirs, bar=bar)


def test_the_ratio_is_the_median_of_the_rounds_and_not_the_ratio_of_medians() -> None:
    """A machine that was slow for one round was slow for both sides of it."""
    found = comparison(ours=(10.0, 2.0, 9.0), theirs=(1.0, 4.0, 12.0))
    assert found.ratios == (10.0, 0.5, 0.75)
    assert found.ratio == 0.75


@pytest.mark.parametrize(("ours", "theirs"), [((), ()), ((1.0,), ()), ((1.0, 2.0), (1.0,)), ((1.0,), (0.0,))])
def test_a_figure_without_one_of_the_other_side_is_refused(ours: tuple[float, ...], theirs: tuple[float, ...]) -> None:
    with pytest.raises(ValidationError, match="every round needs a figure of each side"):
        comparison(ours, theirs)


def test_a_bar_is_judged_by_our_median_and_can_be_missed() -> None:
    bar = Bar(limit=10, unit="ms")
    assert comparison((9.0, 10.0, 99.0), (1.0, 1.0, 1.0), bar).bar_word == "kept: <= 10 ms"
    assert comparison((9.0, 10.1, 99.0), (1.0, 1.0, 1.0), bar).bar_word == "MISSED: <= 10 ms"
    assert comparison((9.0,), (1.0,)).bar_word == ""


def test_numbers_show_three_digits_and_large_ones_all_of_theirs() -> None:
    assert [plain(value) for value in (0.010824, 1.5, 42.04, 99.96, 118805.4)] == [
        "0.0108",
        "1.5",
        "42",
        "100",
        "118,805",
    ]


def test_the_95th_of_a_hundred_is_not_the_slowest_one() -> None:
    assert p95([float(value) for value in range(1, 102)]) == 96
    assert p95([7.0]) == 7


def test_actions_are_counted_by_kind_and_an_activity_by_its_attempts() -> None:
    """A start, a timer, a signal and an upsert are one each, a child two, a third attempt three; tasks are free."""
    history = [
        _event(1, "WORKFLOW_EXECUTION_STARTED"),
        _event(2, "WORKFLOW_TASK_SCHEDULED"),
        _event(3, "TIMER_STARTED"),
        _event(4, "TIMER_FIRED"),
        _event(5, "WORKFLOW_EXECUTION_SIGNALED"),
        _event(6, "UPSERT_WORKFLOW_SEARCH_ATTRIBUTES"),
        _event(7, "START_CHILD_WORKFLOW_EXECUTION_INITIATED"),
        _event(8, "ACTIVITY_TASK_SCHEDULED", activity_task_scheduled_event_attributes={"activity_type": {"name": "a"}}),
        _event(9, "ACTIVITY_TASK_STARTED", activity_task_started_event_attributes={"attempt": 3}),
        _event(10, "ACTIVITY_TASK_COMPLETED", activity_task_completed_event_attributes={"scheduled_event_id": 8}),
    ]
    found = cost(history)
    assert (found.events, found.actions, found.span) == (10, 1 + 1 + 1 + 1 + 2 + 3, 9 * HOUR)
    assert found.over(18 * HOUR).actions == 18
    assert found.bytes == sum(event.ByteSize() for event in history)
    shares = bytes_by_activity(history)
    assert set(shares) == {"a, request", "a, result", "all other events"}
    assert sum(shares.values()) == found.bytes


def _event(number: int, kind: str, **attributes: Any) -> HistoryEvent:
    """An event an hour after the one before."""
    moment = Timestamp()
    moment.FromDatetime(datetime(2026, 1, 5, tzinfo=UTC) + number * HOUR)
    return HistoryEvent(
        event_id=number, event_time=moment, event_type=EventType.Value(f"EVENT_TYPE_{kind}"), **attributes
    )
