"""Whose costs are a cohort's: those of its own sources, and of sources that tell of costs alone."""

from __future__ import annotations

from activities.completing import Completeness, Costs, with_completeness
from models.quality import Counts, SourceVolume
from tests.judgement.readings import MARGIN, reading


def test_costs_of_sources_whose_revenue_is_of_others_alone_are_not_this_cohort_s() -> None:
    found = Completeness(
        costs=tuple(
            Costs(SourceVolume(source=name), sells)
            for name, sells in (("erp-north", True), ("erp-south", True), ("ledger", False))
        ),
        own=SourceVolume(source="the cohort itself"),
    )
    north = reading(30.0, MARGIN, quality=Counts(sources=(SourceVolume(source="erp-north", partners=12),)))
    counted = with_completeness(north, found).quality
    assert [one.source for one in counted.costs] == ["erp-north", "ledger"]
    assert (counted.own, counted.sources) == (found.own, north.quality.sources)


def test_a_reading_of_which_nothing_was_counted_is_as_it_was() -> None:
    assert with_completeness(reading(), None) == reading()
