"""Combining partners into a group: ratios of sums, no value with a reason, and never a number that is none."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from judgement.values import NoValue, group_value
from models.evidence import PartnerReading
from models.metric import MetricName

MARGIN = MetricName.CONTRIBUTION_MARGIN
VELOCITY = MetricName.PIPELINE_VELOCITY
SCORE = MetricName.COMPLIANCE_SCORE
MDF = MetricName.MDF_SPEND
SLA = MetricName.LEAD_FOLLOW_UP_SLA


def reading(
    numerator: float | None, denominator: float | None, facts: int = 1, partner: str = "a", **parts: float
) -> PartnerReading:
    return PartnerReading(partner_id=partner, numerator=numerator, denominator=denominator, facts=facts, parts=parts)


def unchecked(numerator: float, denominator: float = 1.0, **parts: float) -> PartnerReading:
    """A reading that slipped past the checks of its model."""
    return PartnerReading.model_construct(
        partner_id="a", numerator=numerator, denominator=denominator, facts=1, parts=parts
    )


@pytest.mark.parametrize("metric", MetricName)
def test_nobody_measured_is_no_data(metric: MetricName) -> None:
    value = group_value(metric, ())
    assert (value.value, value.reason, value.n_partners, value.n_facts) == (None, "no_data", 0, 0)


@pytest.mark.parametrize("metric", MetricName)
def test_a_partner_with_nothing_to_show_gives_a_reason_not_a_number(metric: MetricName) -> None:
    value = group_value(metric, [reading(None, None, 0)])
    assert value.value is None
    assert value.reason in list(NoValue)


@pytest.mark.parametrize("metric", MetricName)
@pytest.mark.parametrize("wrong", [math.nan, math.inf, -math.inf])
def test_what_is_not_a_number_has_no_value(metric: MetricName, wrong: float) -> None:
    whole = reading(50.0, 100.0, cost_lines=1, opportunities=1, won=1, weight_applicable=1, weight_assessed=1)
    for slipped in (unchecked(wrong), unchecked(1.0, wrong), unchecked(1.0, 1.0, won_value=wrong)):
        value = group_value(metric, [whole, slipped])
        assert (value.value, value.reason) == (None, "not_a_number")
        assert all(math.isfinite(part) for part in value.parts.values())


@pytest.mark.parametrize("metric", [SLA, MetricName.ENABLEMENT_COMPLETION])
def test_a_sum_too_large_for_a_number_has_no_value(metric: MetricName) -> None:
    value = group_value(metric, [reading(1e308, 1e308), reading(1e308, 1e308)])
    assert (value.value, value.reason) == (None, "not_a_number")


def test_deals_won_in_no_time_have_no_velocity() -> None:
    value = group_value(VELOCITY, [reading(9.0, None, opportunities=1, won=1, won_value=9, cycle_days=0)])
    assert (value.value, value.reason) == (None, "not_a_number")


def test_parts_add_up_except_those_that_describe_the_whole_group() -> None:
    parts = {"won": 2.0, "lost": 1.0, "opportunities": 3.0, "won_value": 100.0, "cycle_days": 20.0}
    group = {"window_days": 90.0, "cycle_p75_days": 70.0, "immature": 1.0}
    value = group_value(VELOCITY, [reading(100.0, 10.0, 3, name, **parts, **group) for name in "abc"])
    assert (value.parts["won"], value.parts["won_value"], value.n_facts) == (6, 300, 9)
    assert (value.parts["window_days"], value.parts["cycle_p75_days"], value.parts["immature"]) == (90, 70, 1)


def test_partners_without_facts_are_not_counted_as_behind_the_value() -> None:
    value = group_value(SLA, [reading(8.0, 10.0, 10), reading(0.0, 0.0, 0, "pending only")])
    assert (value.value, value.n_partners, value.n_facts) == (80.0, 1, 10)


def test_reasons_come_in_the_order_of_what_must_be_repaired_first() -> None:
    # Money nobody allocated is an alarm by itself, also where other amounts cannot be converted.
    spent = reading(10.0, 100.0, allocations=1, unbudgeted=5, missing_fx=1)
    assert group_value(MDF, [spent]).reason == "unbudgeted_spend"
    sold = reading(-10.0, -5.0, missing_fx=1, over_credited=1)
    assert group_value(MARGIN, [sold]).reason == "missing_fx_rate"


def test_compliance_counts_only_partners_with_a_score() -> None:
    scored = reading(90.0, 1.0, 4, weight_applicable=10, weight_assessed=9)
    thin = reading(None, None, 1, "thin", weight_applicable=10, weight_assessed=7)
    value = group_value(SCORE, [scored, thin])
    # 16 of 20 is exactly the coverage that is needed.
    assert (value.value, value.n_partners, value.n_facts) == (90.0, 1, 5)
    assert value.parts["partners_without_score"] == 1


counts = st.integers(min_value=0, max_value=1000)


@given(st.lists(st.tuples(counts, counts), min_size=1, max_size=8))
def test_a_percentage_lies_between_its_partners_and_within_bounds(pairs: list[tuple[int, int]]) -> None:
    readings = [reading(float(met), float(met + missed), met + missed) for met, missed in pairs]
    value = group_value(SLA, readings)
    ratios = [100 * met / (met + missed) for met, missed in pairs if met + missed]
    if not ratios:
        assert (value.value, value.reason) == (None, "nothing_decided")
        return
    assert value.value is not None
    assert min(ratios) - 1e-9 <= value.value <= max(ratios) + 1e-9
    assert value.n_partners == len(ratios)


@given(st.permutations(range(5)), st.integers(1, 4))
def test_neither_order_nor_grouping_of_partners_changes_the_sums(order: list[int], cut: int) -> None:
    readings = [
        reading(float(n * 10), float(n + 1), n, str(n), won=n, lost=1, opportunities=n + 1, won_value=n * 10,
                cycle_days=n * (n + 1))
        for n in range(5)
    ]  # fmt: skip
    whole = group_value(VELOCITY, readings)
    assert group_value(VELOCITY, [readings[n] for n in order]) == whole
    apart = [group_value(VELOCITY, part) for part in (readings[:cut], readings[cut:])]
    assert sum(part.n_facts for part in apart) == whole.n_facts
    assert sum(part.parts["won_value"] for part in apart) == whole.parts["won_value"]
