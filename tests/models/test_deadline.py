"""Deadlines follow the policy in force, and pauses move them by exactly the time that the clock stood."""

from __future__ import annotations

from datetime import UTC, date, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from models.calendar import BusinessCalendar, BusinessClock, read_hours
from models.deadline import LeadTerms, Pause, due_at, moved, terms_for, time_on
from tests.models.test_calendar import MINUTE, at, is_open, situations

START = at("2025-03-03T08:00")
OFFICE = BusinessClock(BusinessCalendar(week=(read_hours(("09:00-17:00",)),) * 5 + ((), ())))
NO_LIMIT = 525_600


def paused(pauses: list[Pause], moment: datetime) -> bool:
    return any(one.since <= moment and (one.until is None or moment < one.until) for one in pauses)


@st.composite
def stretches(draw: st.DrawFn, start: datetime) -> list[Pause]:
    begins = draw(st.lists(st.tuples(st.integers(-600, 4000), st.integers(0, 900)), max_size=4))
    return [Pause(start + since * MINUTE, start + (since + length) * MINUTE) for since, length in begins]


@settings(deadline=None, max_examples=60)
@given(st.data(), st.integers(1, 900))
def test_a_moved_deadline_is_where_a_walk_that_stands_while_paused_ends(data: st.DataObject, within: int) -> None:
    calendar, start = data.draw(situations(days_around=2))
    pauses, clock = data.draw(stretches(start)), BusinessClock(calendar)
    moment, left = start, within
    while left:
        left -= is_open(calendar, moment) and not paused(pauses, moment)
        moment += MINUTE
    due = moved(clock, start, due_at(clock, start, within), pauses, NO_LIMIT)
    assert due == moment
    assert time_on(clock, start, moment, pauses) == within * MINUTE


@settings(deadline=None, max_examples=60)
@given(st.data(), st.integers(1, 900), st.integers(1, 300))
def test_pauses_never_move_a_deadline_back_nor_by_more_than_the_limit(
    data: st.DataObject, within: int, limit: int
) -> None:
    calendar, start = data.draw(situations(days_around=2))
    pauses, clock = data.draw(stretches(start)), BusinessClock(calendar)
    base = clock.add(start, within * MINUTE)
    due = moved(clock, start, base, pauses, limit)
    assert due is not None
    assert base <= due <= clock.add(base, limit * MINUTE)
    # Knowing of fewer pauses, nobody is due later.
    fewer = moved(clock, start, base, pauses[1:], limit)
    assert fewer is not None
    assert fewer <= due


def test_a_pause_without_an_end_counts_to_the_limit() -> None:
    base = at("2025-03-03T12:00")
    assert moved(OFFICE, START, base, [Pause(at("2025-03-03T10:00"), None)], 60) == at("2025-03-03T13:00")
    assert moved(OFFICE, START, base, [Pause(base, None)], 60) == base
    assert moved(OFFICE, START, None, [Pause(START, None)], 60) is None


@pytest.mark.parametrize(
    ("lead_class", "day", "version", "expected"),
    [
        ("hot", "2025-01-01", None, ("v1", 10)),
        ("cold", "2025-01-01", None, ("v1", 20)),
        (None, "2025-01-01", None, ("v1", 20)),
        ("hot", "2025-05-31", None, ("v1", 10)),
        ("hot", "2025-06-01", None, ("v2", 30)),  # v2 has no row for hot leads, and does not borrow one
        ("hot", "2025-06-01", "v1", ("v1", 10)),
        ("hot", "2025-05-31", "v2", None),  # not in force yet
        ("hot", "2024-12-31", None, None),
        ("hot", "2025-06-01", "v9", None),
    ],
)
def test_the_terms_are_those_of_the_version_in_force(
    lead_class: str | None, day: str, version: str | None, expected: tuple[str, int] | None
) -> None:
    terms = [
        LeadTerms(
            policy_version=name,
            lead_class=of,
            effective_from=date.fromisoformat(since),
            contact_within=within,
            pause_limit=1,
        )
        for name, of, since, within in (
            ("v1", "hot", "2025-01-01", 10),
            ("v1", None, "2025-01-01", 20),
            ("v2", None, "2025-06-01", 30),
        )
    ]
    found = terms_for(terms, lead_class, at(f"{day}T12:00"), version)
    assert (found and (found.policy_version, found.contact_within)) == expected


def test_a_day_of_policy_begins_at_midnight_utc() -> None:
    terms = LeadTerms(policy_version="v", effective_from=date(2025, 1, 1), pause_limit=1)
    east = datetime.fromisoformat("2025-01-01T05:00+08:00")  # still the old year in UTC
    assert terms_for([terms], None, east) is None
    assert terms_for([terms], None, datetime(2025, 1, 1, tzinfo=UTC)) == terms


def test_a_class_without_minutes_has_no_deadline() -> None:
    assert due_at(OFFICE, START, None) is None


@pytest.mark.parametrize("minutes", [0, -5])
def test_terms_that_cannot_be_are_refused(minutes: int) -> None:
    with pytest.raises(ValidationError):
        LeadTerms(policy_version="v", effective_from=date(2025, 1, 1), contact_within=minutes, pause_limit=1)
