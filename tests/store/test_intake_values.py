"""Cells become typed values, wall-clock times become moments, and anything else says what is allowed."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest

from store.intake.kinds import FieldSpec, FieldType
from store.intake.values import Ambiguous, Nonexistent, ReadingRules, Value, from_wall_clock, reader

NEW_YORK = ZoneInfo("America/New_York")


def read(type_: FieldType, text: str, time_format: str | None = None, **rules: str) -> Value:
    return reader(FieldSpec(name="x", type=type_), ReadingRules.model_validate(rules), time_format)(text)


@pytest.mark.parametrize(
    ("type_", "text", "value"),
    [
        (FieldType.MONEY, "-12.3400", Decimal("-12.34")),
        (FieldType.MONEY, "99999999999999.9999", Decimal("99999999999999.9999")),
        (FieldType.NUMBER, "1e3", Decimal(1000)),
        (FieldType.SHARE, "0.5", Decimal("0.5")),
        (FieldType.INTEGER, "-7", -7),
        (FieldType.BOOLEAN, "Yes", True),
        (FieldType.BOOLEAN, "0", False),
        (FieldType.DATE, "2024-02-29", date(2024, 2, 29)),
        (FieldType.MONTH, "2024-02", date(2024, 2, 1)),
        (FieldType.MONTH, "2024-02-29", date(2024, 2, 1)),
        (FieldType.INSTANT, "2024-01-01T01:00:00+02:00", datetime(2023, 12, 31, 23, tzinfo=UTC)),
        (FieldType.INSTANT, "2024-01-01T00:00:00Z", datetime(2024, 1, 1, tzinfo=UTC)),
        (FieldType.CURRENCY, "EUR", "EUR"),
        (FieldType.ZONE, "Asia/Tokyo", "Asia/Tokyo"),
        (FieldType.TEXTS, "a; b;;", ["a", "b"]),
    ],
)
def test_a_good_cell_is_read(type_: FieldType, text: str, value: Value) -> None:
    assert read(type_, text) == value


@pytest.mark.parametrize(
    ("type_", "text"),
    [
        (FieldType.MONEY, "NaN"),
        (FieldType.MONEY, "Infinity"),
        (FieldType.MONEY, "100000000000000"),
        (FieldType.MONEY, "1,5"),
        (FieldType.MONEY, "1_000"),
        (FieldType.NUMBER, "-inf"),
        (FieldType.SHARE, "1.01"),
        (FieldType.SHARE, "-0.1"),
        (FieldType.SHARE, "nan"),
        (FieldType.INTEGER, "3.0"),
        (FieldType.INTEGER, "2147483648"),
        (FieldType.INTEGER, "1-2"),
        (FieldType.BOOLEAN, "maybe"),
        (FieldType.DATE, "2023-02-29"),
        (FieldType.DATE, "31.12.2024"),
        (FieldType.MONTH, "2024-13"),
        (FieldType.INSTANT, "yesterday"),
        (FieldType.CURRENCY, "eur"),
        (FieldType.CURRENCY, "EU€"),
        (FieldType.ZONE, "EST5PDT"),
    ],
)
def test_a_bad_cell_is_refused_with_what_is_allowed(type_: FieldType, text: str) -> None:
    with pytest.raises(ValueError, match=r"found .*; allowed: ") as refused:
        read(type_, text)
    assert repr(text) in str(refused.value)
    assert type_.value in str(refused.value)


def test_a_text_with_a_nul_character_is_refused() -> None:
    with pytest.raises(ValueError, match="NUL"):
        read(FieldType.TEXT, "a\x00b")


def test_continental_numbers_are_read_as_the_mapping_says() -> None:
    assert read(FieldType.MONEY, "1.234,50", decimal=",", thousands=".") == Decimal("1234.50")
    assert read(FieldType.MONEY, "12,5", decimal=",") == Decimal("12.5")
    with pytest.raises(ValueError, match=r"found '12\.5'"):
        read(FieldType.MONEY, "12.5", decimal=",")


def test_dates_and_moments_follow_the_format() -> None:
    assert read(FieldType.DATE, "31.12.2024", "%d.%m.%Y") == date(2024, 12, 31)
    assert read(FieldType.DATE, "1974", "%Y") == date(1974, 1, 1)
    noon = read(FieldType.INSTANT, "12/31/2024 12:00", "%m/%d/%Y %H:%M", time_zone="Asia/Tokyo")
    assert noon == datetime(2024, 12, 31, 3, tzinfo=UTC)
    with pytest.raises(ValueError, match=r"found '2024-12-31'; allowed: %d\.%m\.%Y"):
        read(FieldType.DATE, "2024-12-31", "%d.%m.%Y")


def test_a_moment_without_offset_needs_a_time_zone() -> None:
    with pytest.raises(ValueError, match="has no offset; give the mapping a time_zone"):
        read(FieldType.INSTANT, "2024-01-01 12:00:00")
    assert read(FieldType.INSTANT, "2024-01-01 12:00:00", time_zone="America/New_York") == datetime(
        2024, 1, 1, 17, tzinfo=UTC
    )


def test_an_offset_in_the_cell_wins_over_the_time_zone() -> None:
    value = read(FieldType.INSTANT, "2024-07-01T12:00:00+00:00", time_zone="America/New_York")
    assert value == datetime(2024, 7, 1, 12, tzinfo=UTC)


def wall(local: datetime, ambiguous: Ambiguous, nonexistent: Nonexistent = Nonexistent.SHIFT) -> datetime:
    return from_wall_clock(local, NEW_YORK, ambiguous, nonexistent)


def test_a_time_the_clock_showed_twice_is_the_earlier_unless_said_otherwise() -> None:
    twice = datetime(2019, 11, 3, 1, 30)  # noqa: DTZ001
    assert wall(twice, Ambiguous.EARLIER) == datetime(2019, 11, 3, 5, 30, tzinfo=UTC)
    assert wall(twice, Ambiguous.LATER) == datetime(2019, 11, 3, 6, 30, tzinfo=UTC)
    with pytest.raises(ValueError, match="came twice in America/New_York"):
        wall(twice, Ambiguous.REFUSE)
    assert read(FieldType.INSTANT, "2019-11-03 01:30:00", time_zone="America/New_York") == wall(
        twice, Ambiguous.EARLIER
    )


def test_a_time_the_clock_skipped_moves_on_with_the_clock_unless_refused() -> None:
    never = datetime(2019, 3, 10, 2, 30)  # noqa: DTZ001
    assert wall(never, Ambiguous.EARLIER) == datetime(2019, 3, 10, 7, 30, tzinfo=UTC)  # 03:30 in New York
    assert wall(never, Ambiguous.LATER) == datetime(2019, 3, 10, 7, 30, tzinfo=UTC)
    with pytest.raises(ValueError, match="never came in America/New_York"):
        wall(never, Ambiguous.EARLIER, Nonexistent.REFUSE)


def test_ordinary_times_have_no_rule_to_follow() -> None:
    for refuse in (datetime(2019, 3, 10, 1, 59), datetime(2019, 3, 10, 3), datetime(2019, 11, 3, 2)):  # noqa: DTZ001
        assert wall(refuse, Ambiguous.REFUSE, Nonexistent.REFUSE).astimezone(NEW_YORK).replace(tzinfo=None) == refuse
