"""Who drives a number: those who cost the cohort most, not those whose ratio merely looks worst."""

from __future__ import annotations

import pytest

from judgement.contributions import worst_partners
from models.evidence import PartnerReading
from models.metric import MetricName
from tests.judgement.readings import MARGIN, MDF, SCORE, SLA


def partner(name: str, numerator: float | None, denominator: float | None, **parts: float) -> PartnerReading:
    return PartnerReading(partner_id=name, numerator=numerator, denominator=denominator, facts=1, parts=parts)


def names(metric: MetricName, *readings: PartnerReading, limit: int = 5) -> list[str]:
    return [one.partner_id for one in worst_partners(metric, readings, limit)]


@pytest.mark.parametrize("metric", [SLA, MetricName.ENABLEMENT_COMPLETION])
def test_most_misses_come_first_and_without_any_nobody_is_named(metric: MetricName) -> None:
    many, few, none = partner("a", 80, 100), partner("b", 1, 9), partner("c", 50, 50)
    assert names(metric, none, few, many) == ["a", "b"]
    assert names(metric, none) == []


def test_margin_is_lost_by_those_below_the_cohort_s_own() -> None:
    assert names(MARGIN, partner("a", 300, 1000), partner("b", 10, 1000), partner("c", -5, 10)) == ["b", "c"]


def test_the_lowest_score_comes_first_and_nobody_without_a_score() -> None:
    assert names(SCORE, partner("a", 90, 1), partner("b", 60, 1), partner("c", None, None), partner("d", 70, 1)) == [
        "b",
        "d",
    ]


def test_mdf_names_the_side_on_which_the_cohort_lies() -> None:
    over, under = partner("over", 300, 100), partner("under", 10, 100)
    assert names(MDF, over, under) == ["over"]
    assert names(MDF, partner("over", 120, 100), under) == ["under"]


def test_what_is_a_breach_by_itself_comes_before_all_else() -> None:
    assert names(MDF, partner("a", 300, 100), partner("b", 1, 100, unbudgeted=5.0)) == ["b"]
    assert names(SCORE, partner("a", 50, 1), partner("b", None, None, critical_failed=1.0)) == ["b"]


def test_where_nobody_stands_out_the_largest_are_named() -> None:
    assert names(MARGIN, partner("a", 10, 100), partner("b", 20, 200), partner("c", 5, 50), limit=2) == ["b", "a"]


def test_equals_are_named_in_the_order_of_their_ids() -> None:
    assert names(SLA, partner("b", 0, 3), partner("a", 0, 3), partner("c", 0, 3), limit=2) == ["a", "b"]


def test_nobody_is_nobody() -> None:
    assert names(SLA) == names(MARGIN) == []
