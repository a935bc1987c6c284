"""Moments of events: read strictly, and each kept in one spelling, whichever way it was written."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from store.events.terms import Instant

READ = TypeAdapter(Instant)
BEGIN = datetime(1970, 1, 2, tzinfo=UTC)
SECONDS = st.timedeltas(timedelta(0), timedelta(days=229 * 365))
MOMENTS = (SECONDS | SECONDS.map(lambda one: timedelta(one.days, one.seconds))).map(lambda one: BEGIN + one)
OFFSETS = st.sampled_from([0, 60, -300, 330, 845, -720]).map(lambda minutes: timezone(timedelta(minutes=minutes)))


@given(MOMENTS, OFFSETS, st.sampled_from(["T", "t"]), st.sampled_from(["Z", "z", "+00:00", "-00:00"]))
def test_a_moment_has_one_spelling_whatever_its_offset_and_letters(
    at: datetime, zone: timezone, middle: str, utc: str
) -> None:
    said = at.astimezone(zone).isoformat().replace("T", middle)
    assert READ.validate_json(f'"{said}"') == at.isoformat()
    assert READ.validate_json(f'"{at.isoformat()[:-6]}{utc}"'.replace("T", middle)) == at.isoformat()


@given(
    st.integers(1970, 2199),
    st.integers(0, 13),
    st.integers(0, 32),
    st.integers(0, 25),
    st.integers(0, 61),
    st.integers(0, 61),
    st.sampled_from(["Z", "+00:00", "+02:00"]),
)
def test_a_moment_that_does_not_exist_is_refused_in_every_spelling(
    year: int, month: int, day: int, hour: int, minute: int, second: int, offset: str
) -> None:
    said = f"{year}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}{offset}"
    try:
        expected = datetime(year, month, day, hour, minute, second, tzinfo=UTC)
    except ValueError:
        with pytest.raises(ValidationError, match="a moment that exists"):
            READ.validate_python(said)
    else:
        ahead = timedelta(hours=2 if offset == "+02:00" else 0)
        assert READ.validate_python(said) == (expected - ahead).isoformat()


@pytest.mark.parametrize("said", ["2026-03-02T09:00:00", "2026-03-02 09:00:00Z", "2026-03-02", "٢026-03-02T09:00:00Z"])
def test_a_moment_without_its_offset_or_in_another_form_is_refused(said: str) -> None:
    with pytest.raises(ValidationError, match="a moment such as"):
        READ.validate_python(said)
