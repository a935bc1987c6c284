"""Pages speak English and Japanese: every text is translated, with its values, and none is left over."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest

from console.pages import terms
from console.pages.words import LANGUAGES, language_of, words_in
from record.words import Words
from tests.console import catalogue

AT = datetime(2026, 12, 7, 9, 5, tzinfo=UTC)


def told(catalog: Any) -> dict[Any, Any]:
    return {one.id: one.string for one in catalog if one.id}


PLACES = pytest.mark.parametrize("place", catalogue.DOMAINS, ids=catalogue.DOMAINS.values())


@PLACES
def test_every_text_has_a_japanese_translation_and_none_is_left_over(place: Path) -> None:
    known = told(catalogue.translations(place))
    assert set(told(catalogue.texts(place))) == set(known), (
        "run python -m tests.console.catalogue and translate what is new"
    )
    assert [text for text, said in known.items() if not (all(said) if isinstance(said, tuple) else said)] == []


def test_a_page_has_the_texts_of_records_too() -> None:
    assert "Decision" in told(catalogue.texts(catalogue.RECORDS))
    assert words_in("ja")("Decision") == Words("ja")("Decision") != "Decision"


@PLACES
def test_a_translation_has_exactly_the_values_of_its_text(place: Path) -> None:
    names = re.compile(r"%\((\w+)\)s")
    for text, said in told(catalogue.translations(place)).items():
        one, ours = (text[-1], said[0]) if isinstance(text, tuple) else (text, said)
        assert sorted(names.findall(one)) == sorted(names.findall(ours)), one
        assert "%" not in names.sub("", ours), one


@PLACES
def test_what_is_compiled_is_what_is_translated(place: Path) -> None:
    japanese = (words_in("ja") if place == catalogue.PAGES else Words("ja")).translations
    for text, said in told(catalogue.translations(place)).items():
        if isinstance(text, tuple):
            assert japanese.ngettext(text[0], text[1], 2) == said[0]
        else:
            assert japanese.gettext(text) == said


@pytest.mark.parametrize(
    ("chosen", "accepted", "language"),
    [
        (None, "", "en"),
        (None, "ja-JP,ja;q=0.9,en;q=0.8", "ja"),
        (None, "en;q=0.5, ja;q=0.7", "ja"),
        (None, "de-DE, fr;q=0.9", "en"),
        (None, "ja;q=0, en;q=0.1", "en"),
        (None, "ja;q=nonsense", "en"),
        ("ja", "en", "ja"),
        ("xx", "ja", "ja"),
        ("../../etc", "", "en"),
    ],
)
def test_the_language_is_the_chosen_one_or_the_one_the_browser_prefers(
    chosen: str | None, accepted: str, language: str
) -> None:
    assert language_of(chosen, accepted) == language


def test_moments_say_their_zone_and_are_of_one_zone_whatever_they_are_given_in() -> None:
    tokyo = AT.astimezone(timezone(timedelta(hours=9)))
    assert [words_in(one).moment(tokyo) for one in LANGUAGES] == [
        "7 Dec 2026 09:05 UTC",
        "2026年12月7日 09:05 UTC",
    ]


@pytest.mark.parametrize(
    ("length", "english", "japanese"),
    [
        (timedelta(0), "0 minutes", "0分"),
        (timedelta(minutes=1), "1 minute", "1分"),
        (timedelta(hours=5, minutes=2), "5 hours 2 minutes", "5時間2分"),
        (timedelta(days=1, hours=1, minutes=9), "1 day 1 hour", "1日1時間"),
        (timedelta(days=90, hours=3), "90 days", "90日"),
        (timedelta(days=-3), "0 minutes", "0分"),
    ],
)
def test_lengths_of_time_are_told_in_their_two_largest_units(length: timedelta, english: str, japanese: str) -> None:
    assert (words_in("en").span(length), words_in("ja").span(length)) == (english, japanese)


@pytest.mark.parametrize(
    ("value", "told"),
    [(None, "–"), (0.04, "0.0"), (-0.04, "0.0"), (-3.26, "−3.3"), (12345.6, "12,346"), (999.96, "1,000.0")],  # noqa: RUF001
)
def test_numbers_have_the_digits_they_are_worth_and_nothing_has_no_sign(value: float | None, told: str) -> None:
    assert words_in("en").number(value) == told


def test_every_kind_of_fact_that_is_named_behind_a_number_has_its_name_and_in_english_as_it_was() -> None:
    named = {
        kind.strip()
        for one in (catalogue.HERE / "store/sql/quality/facts").glob("*.sql")
        for kind in re.findall(r"'([a-z][a-z ]* )'", one.read_text(encoding="utf-8"))
    }
    alone = named - {"unbudgeted"}
    assert alone | {"unbudgeted claim", "unbudgeted request"} == set(terms.FACT)
    for kind in terms.FACT:
        told = f"{kind} lead 7"
        assert terms.fact(words_in("en"), told) == told
        assert terms.fact(words_in("ja"), told).endswith(" lead 7")
        assert terms.fact(words_in("ja"), told) != told
    assert terms.fact(words_in("ja"), "a word of an earlier release") == "a word of an earlier release"
