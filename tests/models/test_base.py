"""Durations as people write them, digests two machines agree on, and values that refuse what they do not know."""

from __future__ import annotations

import json
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from models.base import (
    Duration,
    Frozen,
    Wire,
    digest,
    digest_json,
    earliest,
    format_duration,
    many,
    parse_duration,
    short,
)

DURATION: TypeAdapter[timedelta] = TypeAdapter(Duration)
YEARS = 100 * 365 * 24 * 60


class Thing(Frozen):
    name: str
    weight: float = 1.0
    lasts: Duration = timedelta(days=1)


class Letter(Wire):
    name: str


@pytest.mark.parametrize(
    ("text", "length"),
    [
        ("90d", timedelta(days=90)),
        ("2w", timedelta(days=14)),
        ("36h", timedelta(hours=36)),
        ("30m", timedelta(minutes=30)),
        ("1d12h", timedelta(hours=36)),
        ("1w2d3h4m", timedelta(days=9, hours=3, minutes=4)),
        ("0.5h", timedelta(minutes=30)),
        ("0d", timedelta(0)),
        ("36525d", timedelta(days=36525)),
    ],
)
def test_a_duration_is_read_as_people_write_it(text: str, length: timedelta) -> None:
    assert parse_duration(text) == length


@pytest.mark.parametrize(
    "text", ["", "d", "90", "90 d", "-1d", "+1d", "1D", "1s", "1y", "1d 12h", "1.d", ".5d", "1e3d", "P1D", "٣d", "1d\n"]
)
def test_anything_else_is_refused_with_examples(text: str) -> None:
    with pytest.raises(ValueError, match="is not a duration; write for example 90d, 2w, 36h, 30m or 1d12h"):
        parse_duration(text)


@pytest.mark.parametrize("text", ["36525.1d", "5218w", "99999999999999d", "9" * 400 + "w", "36525d1m"])
def test_a_duration_beyond_a_hundred_years_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="is longer than a hundred years"):
        parse_duration(text)


@pytest.mark.parametrize("wrong", [30, 1.5, True, None, [], {"days": 1}])
def test_a_duration_without_its_unit_is_no_duration(wrong: Any) -> None:
    with pytest.raises(ValidationError, match=r"valid (timedelta|duration)"):
        Thing.model_validate_json(json.dumps({"name": "a", "lasts": wrong}))


@pytest.mark.parametrize(
    ("length", "text"),
    [
        (timedelta(0), "0m"),
        (timedelta(minutes=1), "1m"),
        (timedelta(minutes=90), "1h30m"),
        (timedelta(days=1), "1d"),
        (timedelta(days=7), "1w"),
        (timedelta(days=8), "8d"),
        (timedelta(days=28), "4w"),
        (timedelta(days=30, hours=2), "30d2h"),
    ],
)
def test_the_shortest_exact_spelling_is_written(length: timedelta, text: str) -> None:
    assert format_duration(length) == text


@given(st.integers(0, YEARS))
def test_what_is_written_is_read_back_as_the_same_length(minutes: int) -> None:
    length = timedelta(minutes=minutes)
    assert parse_duration(format_duration(length)) == length
    assert DURATION.validate_json(DURATION.dump_json(length)) == length


def test_a_digest_is_the_sha256_of_the_canonical_json() -> None:
    # printf '{"a":[1,"ü",0.1],"b":null}' | sha256sum
    known = "sha256:5396d8ee570e488a592fa95b7a40a23a2d3b7dfc961ebe3da2804243306709aa"
    found = digest_json({"b": None, "a": [1, "ü", 0.1]})
    assert found == known
    assert short(found) == known[7:15]


def test_neither_the_order_of_fields_nor_a_default_written_out_changes_a_digest() -> None:
    plain = digest(Thing(name="a"))
    assert plain == digest(Thing.model_validate_json('{"lasts": "24h", "weight": 1, "name": "a"}'))
    assert len({plain, digest(Thing(name="b")), digest(Thing(name="a", weight=2.0))}) == 3


def test_another_process_with_another_hash_seed_makes_the_same_digest() -> None:
    code = "from models.base import digest_json; print(digest_json({'b': 1, 'a': {'z': 1.5, 'y': 'ü'}}))"
    made = {
        subprocess.run(
            [sys.executable, "-c", code], env={"PYTHONHASHSEED": seed}, capture_output=True, text=True, check=True
        ).stdout.strip()
        for seed in ("0", "1")
    }
    assert made == {digest_json({"a": {"y": "ü", "z": 1.5}, "b": 1})}


def test_a_value_never_changes_names_all_its_fields_and_converts_nothing() -> None:
    thing = Thing(name="a")
    with pytest.raises(ValidationError, match="frozen"):
        thing.name = "b"  # type: ignore[misc]
    for wrong in ('{"name": "a", "nmae": "b"}', '{"name": 1}', '{"name": "a", "weight": "1"}', '{"weight": 1}'):
        with pytest.raises(ValidationError):
            Thing.model_validate_json(wrong)


@pytest.mark.parametrize("number", ["NaN", "Infinity", "-Infinity"])
def test_a_number_of_a_value_is_finite(number: str) -> None:
    with pytest.raises(ValidationError, match="finite"):
        Thing.model_validate_json(f'{{"name": "a", "weight": {number}}}')


def test_a_message_may_carry_fields_that_only_a_newer_reader_knows() -> None:
    assert Letter.model_validate_json('{"name": "a", "urgent": true}') == Letter(name="a")


def test_the_earliest_leaves_out_what_is_not_set() -> None:
    one, other = datetime(2026, 1, 1, tzinfo=UTC), datetime(2026, 1, 2, tzinfo=UTC)
    assert earliest(None, other, one) == one
    assert earliest(None, None) is earliest() is None


@pytest.mark.parametrize(
    ("number", "said"),
    [(0, "0 leads"), (1, "1 lead"), (1.0, "1 lead"), (1.5, "1.5 leads"), (1234567.0, "1234567 leads")],
)
def test_one_of_something_is_not_several(number: float, said: str) -> None:
    assert many(number, "lead") == said
    assert many(number, "lead is", "leads are") == f"{said} {'is' if number == 1 else 'are'}"
