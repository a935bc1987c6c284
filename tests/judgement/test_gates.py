"""What data must fulfil before anything is reckoned from them; every number worked out beside it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import chi2_contingency

from judgement.gates import by_chance, gates, outliers, without
from judgement.material import Sides
from models.change import Gate, GateFinding
from models.evidence import PartnerReading
from models.metric import MetricName, in_words

SLA = MetricName.LEAD_FOLLOW_UP_SLA
MARGIN = MetricName.CONTRIBUTION_MARGIN
VELOCITY = MetricName.PIPELINE_VELOCITY

WON = {"opportunities": 6.0, "won": 4.0, "lost": 2.0, "won_value": 4000.0, "cycle_days": 80.0}
MDF = {"allocations": 1.0, "allocation": 40.0, "plan_to_date": 20.0}
SCORED = {"weight_applicable": 23.0, "weight_assessed": 23.0}

GOOD: dict[MetricName, tuple[float, float, int, dict[str, float]]] = {
    SLA: (9.0, 10.0, 10, {}),
    MetricName.ENABLEMENT_COMPLETION: (9.0, 10.0, 10, {}),
    MetricName.PARTNER_CHURN: (1.0, 5.0, 5, {}),
    MetricName.CERTIFIED_PARTNERS: (9.0, 10.0, 10, {}),
    MetricName.LEAD_ACCEPTANCE: (9.0, 10.0, 10, {}),
    MARGIN: (200.0, 1000.0, 40, {"cost_lines": 5.0}),
    MetricName.DISCOUNT_LEAKAGE: (50.0, 1000.0, 40, {"lines": 40.0}),
    MetricName.MDF_SPEND: (19.0, 20.0, 3, MDF),
    MetricName.COMPLIANCE_SCORE: (90.0, 1.0, 10, SCORED),
    VELOCITY: (4000.0, 20.0, 6, WON),
}


def row(metric: MetricName, partner: str, **changes: Any) -> PartnerReading:
    numerator, denominator, facts, parts = GOOD[metric]
    fields: dict[str, Any] = {"numerator": numerator, "denominator": denominator, "facts": facts, "parts": parts}
    return PartnerReading.model_construct(partner_id=partner, **{**fields, **changes})


def arm(metric: MetricName, letter: str, size: int, **changes: Any) -> list[PartnerReading]:
    return [row(metric, f"{letter}{number:03}", **changes) for number in range(size)]


def sides(metric: MetricName, cohort: int = 10, compared: int = 20) -> Sides:
    return Sides(arm(metric, "T", cohort), arm(metric, "C", compared))


def found(
    before: Sides,
    now: Sides,
    metric: MetricName = SLA,
    members: tuple[int, int] = (10, 20),
    days: int = 28,
    **more: int,
) -> tuple[GateFinding, ...]:
    return gates(metric, before, now, members=members, matured_days=days, **more)


def shut(findings: Sequence[GateFinding]) -> set[Gate]:
    return {one.gate for one in findings if one.blocks}


def open_to_doubt(findings: Sequence[GateFinding]) -> set[Gate]:
    return {one.gate for one in findings if not one.blocks}


@pytest.mark.parametrize("metric", MetricName)
def test_nothing_stands_in_the_way_of_sound_data(metric: MetricName) -> None:
    """So that what follows fails for its own reason."""
    assert gates(metric, sides(metric), sides(metric), members=(10, 20), matured_days=7) == ()


@pytest.mark.parametrize("metric", MetricName)
def test_nothing_at_all_blocks(metric: MetricName) -> None:
    nothing = Sides((), ())
    for members in ((0, 0), (10, 0), (10, 20)):
        assert shut(gates(metric, nothing, nothing, members=members, matured_days=28))
        assert Gate.BASELINE in shut(gates(metric, nothing, sides(metric), members=members, matured_days=28))
        assert shut(gates(metric, sides(metric), nothing, members=members, matured_days=28))


@pytest.mark.parametrize(("days", "blocked"), [(7, False), (6, True), (0, True), (-3, True)])
def test_a_whole_week_must_have_matured(days: int, blocked: bool) -> None:
    assert (Gate.MATURE in shut(found(sides(SLA), sides(SLA), days=days))) is blocked


def test_before_a_week_has_matured_only_what_waiting_does_not_mend_is_told_beside_it() -> None:
    """That there is nothing yet since would be a dozen findings, and one reason."""
    nothing = Sides((), ())
    assert shut(found(sides(SLA), nothing, days=3)) == {Gate.MATURE}
    assert shut(found(nothing, nothing, days=3)) == {Gate.MATURE, Gate.BASELINE}


@pytest.mark.parametrize("side", ["cohort", "compared"])
def test_each_arm_needs_a_baseline_of_its_own(side: str) -> None:
    before = sides(SLA)._replace(**{side: ()})
    findings = found(before, sides(SLA))
    assert Gate.BASELINE in shut(findings)
    name = "the cohort" if side == "cohort" else "those compared with"
    assert any(one.told == f"{name}: no value in the baseline: {in_words('no_data')}" for one in findings)


def test_a_reason_for_no_value_is_passed_on() -> None:
    now = Sides(arm(MARGIN, "T", 10, parts={"cost_lines": 5.0, "missing_fx": 1.0}), arm(MARGIN, "C", 20))
    findings = found(sides(MARGIN), now, MARGIN)
    assert [(one.gate, one.told) for one in findings] == [
        (Gate.QUALITY, f"the cohort: no value since: {in_words('missing_fx_rate')}"),
    ]


def test_a_velocity_of_nothing_has_no_logarithm() -> None:
    lost = {**WON, "won": 0.0, "lost": 6.0, "won_value": 0.0, "cycle_days": 0.0}
    now = Sides(arm(VELOCITY, "T", 10, numerator=0.0, denominator=None, parts=lost), arm(VELOCITY, "C", 20))
    assert shut(found(sides(VELOCITY), now, VELOCITY)) == {Gate.QUALITY}
    assert Gate.BASELINE in shut(found(now, sides(VELOCITY), VELOCITY))


# Partners.


@pytest.mark.parametrize(
    ("size", "blocks", "advises"), [(8, False, False), (7, False, True), (2, False, True), (1, True, False)]
)
@pytest.mark.parametrize("other", [False, True])
def test_few_partners_make_a_verdict_advice_and_one_makes_none(
    size: int, blocks: bool, advises: bool, other: bool
) -> None:
    rows = sides(SLA, *((30, size) if other else (size, 30)))
    # Thirty leads a partner, so that nothing else is small.
    rows = Sides(*([one.model_copy(update={"numerator": 25.0, "denominator": 30.0}) for one in side] for side in rows))
    findings = found(rows, rows, members=(len(rows.cohort), len(rows.compared)))
    assert (Gate.PARTNERS in shut(findings)) is blocks
    assert (Gate.PARTNERS in open_to_doubt(findings)) is advises


def test_partners_without_facts_are_no_data() -> None:
    """Ten rows, of which three have facts: advice, and 7 of 10 fell silent."""
    now = Sides([*arm(SLA, "T", 3), *[row(SLA, f"T{n:03}", facts=0) for n in range(3, 10)]], arm(SLA, "C", 20))
    findings = found(sides(SLA), now)
    assert Gate.PARTNERS in open_to_doubt(findings)
    assert any(
        one.told == "the cohort: 3 partners have data, 10 in the baseline; below 8 a verdict is advice"
        for one in findings
    )


def test_without_anybody_to_compare_with_met_is_out_of_reach_and_nothing_else() -> None:
    alone = Sides(arm(SLA, "T", 10), ())
    (finding,) = found(alone, alone, members=(10, 0))
    assert (finding.gate, finding.blocks) == (Gate.CONTROL, False)


def test_a_comparison_that_fell_silent_is_not_nobody_to_compare_with() -> None:
    alone = Sides(arm(SLA, "T", 10), ())
    assert shut(found(alone, alone, members=(10, 20))) >= {Gate.BASELINE, Gate.PARTNERS}


def test_partners_of_the_baseline_count_as_well() -> None:
    before = Sides(arm(SLA, "T", 7), arm(SLA, "C", 20))
    assert open_to_doubt(found(before, sides(SLA))) == {Gate.PARTNERS}


# Volume and events.


@pytest.mark.parametrize(("leads", "blocked"), [(3.0, False), (2.9, True), (0.0, True)])
def test_thirty_leads_an_arm_are_needed_before_and_since(leads: float, blocked: bool) -> None:
    """Ten partners: 10 x 3.0 = 30 is enough, 10 x 2.9 = 29 is not."""
    few = Sides(arm(SLA, "T", 10, numerator=leads / 2, denominator=leads), arm(SLA, "C", 20))
    assert (Gate.VOLUME in shut(found(sides(SLA), few))) is blocked
    assert (Gate.BASELINE in shut(found(few, sides(SLA)))) is blocked


def test_a_number_of_leads_that_is_none_is_too_small() -> None:
    broken = Sides([*arm(SLA, "T", 9), row(SLA, "T009", denominator=math.nan)], arm(SLA, "C", 20))
    findings = found(sides(SLA), broken)
    assert "the cohort: no number counted since, 30 are needed" in [one.told for one in findings]


def test_of_velocity_closed_deals_are_counted() -> None:
    """Ten partners with three deals each are 30, with two 20."""
    for deals, blocked in ((3, False), (2, True)):
        now = Sides(arm(VELOCITY, "T", 10, facts=deals), arm(VELOCITY, "C", 20))
        assert (Gate.VOLUME in shut(found(sides(VELOCITY), now, VELOCITY))) is blocked


def test_money_is_not_counted() -> None:
    now = Sides(arm(MARGIN, "T", 10, facts=1, numerator=0.2, denominator=1.0), arm(MARGIN, "C", 20))
    assert found(sides(MARGIN), now, MARGIN) == ()


def test_five_of_each_kind_are_needed() -> None:
    """99 of 100 leads met before and since: 1 + 1 = 2 missed in all. With 3 missed since, 1 + 3 = 4; with 4, 5."""
    before = Sides([*arm(SLA, "T", 9, numerator=10.0), row(SLA, "T009")], arm(SLA, "C", 20))
    for missed, blocked in ((1.0, True), (3.0, True), (4.0, False)):
        now = Sides([*arm(SLA, "T", 9, numerator=10.0), row(SLA, "T009", numerator=10 - missed)], before.compared)
        assert (Gate.EVENTS in shut(found(before, now))) is blocked


def test_a_collapse_is_not_too_little_data() -> None:
    """Not one of 100 leads met since, of 90 before: the guardrail must see it."""
    now = Sides(arm(SLA, "T", 10, numerator=0.0), arm(SLA, "C", 20))
    assert found(sides(SLA), now) == ()


# Completeness.


@pytest.mark.parametrize(("silent", "blocked"), [(0, False), (1, False), (2, True)])
def test_of_twenty_partners_one_may_be_missing(silent: int, blocked: bool) -> None:
    """19 of 20 are 95 %, 18 of 20 are 90 %."""
    now = Sides(arm(SLA, "T", 10), arm(SLA, "C", 20)[silent:])
    assert (Gate.COMPLETE in shut(found(sides(SLA), now))) is blocked


def test_an_arm_that_loses_more_of_its_partners_than_the_other_is_unlike_it() -> None:
    """100 of 100 against 95 of 100 are 5 points, which are allowed; 94 are 6. By chance
    x = 200 (100 x 6)^2 / (194 x 6 x 100 x 100) = 6.19, p = 0.013: no rarity yet. 88: x = 12.77, p = 0.00035, is one."""
    before = sides(SLA, 100, 100)
    for left, alike in ((95, True), (94, False), (88, False)):
        now = Sides(arm(SLA, "T", 100), arm(SLA, "C", left))
        findings = found(before, now, members=(100, 100))
        assert (Gate.ALIKE not in shut(findings)) is alike
        assert any("by chance once in" in one.told for one in findings) is (left == 88)
    assert by_chance(100, 0, 94, 6) == pytest.approx(0.0129, abs=1e-4)
    assert by_chance(100, 0, 88, 12) == pytest.approx(0.00035, abs=1e-5)


def test_a_rarity_within_the_points_allowed_is_one_all_the_same() -> None:
    """1000 of 1000 against 960 of 1000: 4 points, and x = 2000 (1000 x 40)^2 / (1960 x 40 x 1000 x 1000) = 40.8."""
    findings = found(sides(SLA, 1000, 1000), Sides(arm(SLA, "T", 1000), arm(SLA, "C", 960)), members=(1000, 1000))
    assert [one.gate for one in findings] == [Gate.ALIKE]


@given(*[st.integers(0, 60)] * 4)
def test_the_chance_is_that_of_pearson_s_test(a: int, b: int, c: int, d: int) -> None:
    if (a + b) * (c + d) * (a + c) * (b + d) == 0:
        assert by_chance(a, b, c, d) == 1
    else:
        oracle = chi2_contingency([[a, b], [c, d]], correction=False)
        assert by_chance(a, b, c, d) == pytest.approx(oracle.pvalue, rel=1e-9)


def test_a_partner_with_a_deal_now_and_then_need_not_have_one_within_a_week() -> None:
    """6 deals in 84 days are half a deal in 7; 60 are five, and then none is no chance (e^-5 = 0.7 %)."""
    now = Sides(arm(VELOCITY, "T", 10)[2:], arm(VELOCITY, "C", 20))
    for deals, blocked in ((6, False), (60, True)):
        before = Sides(arm(VELOCITY, "T", 10, facts=deals), arm(VELOCITY, "C", 20, facts=deals))
        assert (Gate.COMPLETE in shut(found(before, now, VELOCITY, days=7, baseline_days=84))) is blocked
        assert Gate.COMPLETE in shut(found(before, now, VELOCITY, days=7))
    # Courses are a state: a week has as many as a quarter.
    course = MetricName.ENABLEMENT_COMPLETION
    now = Sides(arm(course, "T", 10)[2:], arm(course, "C", 20))
    assert Gate.COMPLETE in shut(found(sides(course), now, course, days=7, baseline_days=84))


# Drift and dominance.


def test_rows_beyond_the_frozen_list_are_drift() -> None:
    more = Sides(arm(SLA, "T", 11), arm(SLA, "C", 20))
    findings = found(sides(SLA), more)
    assert shut(findings) == {Gate.DRIFT}
    assert findings[0].told == "the cohort: rows of 11 partners, 10 are on the frozen list"


def test_a_partner_stands_once_and_on_one_side() -> None:
    twice = Sides([*arm(SLA, "T", 10), row(SLA, "T003")], arm(SLA, "C", 20))
    assert shut(found(sides(SLA), twice)) == {Gate.DRIFT}
    both = Sides(arm(SLA, "T", 10), [*arm(SLA, "C", 19), row(SLA, "T003")])
    findings = found(both, both)
    assert [(one.gate, one.told) for one in findings] == [
        (Gate.DRIFT, "T003 in the cohort and among those compared with")
    ]


@pytest.mark.parametrize(("leads", "dominates"), [(135.0, False), (136.0, True)])
def test_one_partner_may_be_sixty_percent_of_an_arm(leads: float, dominates: bool) -> None:
    """Nine others with 10 leads each: 135 of 225 is 60 %, 136 of 226 a little more."""
    now = Sides([*arm(SLA, "T", 9), row(SLA, "T009", denominator=leads)], arm(SLA, "C", 20))
    findings = found(sides(SLA), now)
    assert (Gate.DOMINANCE in open_to_doubt(findings)) is dominates
    assert not shut(findings)
    assert all(one.told == "the cohort: T009 is 60 % since, 60 are allowed" for one in findings)


# Outliers.


def test_an_amount_beyond_three_times_the_largest_goes_to_a_person() -> None:
    """Thirty partners with 1000 each: the 99.9 % quantile is 1000, and the cap 3000."""
    for revenue, named in ((3000.0, ()), (3001.0, ("T004",)), (-3001.0, ("T004",)), (math.nan, ("T004",))):
        rows = [row(MARGIN, one.partner_id) for one in arm(MARGIN, "T", 10)]
        rows[4] = row(MARGIN, "T004", denominator=revenue)
        assert outliers(MARGIN, sides(MARGIN), Sides(rows, arm(MARGIN, "C", 20))) == named


def test_amounts_of_those_compared_with_are_looked_at_as_well() -> None:
    now = sides(SLA)
    odd = now.compared[0].model_copy(update={"denominator": 1e6})
    assert outliers(SLA, sides(SLA), Sides(now.cohort, (odd, *now.compared[1:]))) == (odd.partner_id,)


def test_the_quantile_lies_between_the_two_largest() -> None:
    """Leads of 1 to 11 in the baseline: place 0.999 x 10 = 9.99, so 10 + 0.99 x 1 = 10.99, and the cap is 32.97."""
    before = Sides([row(SLA, f"T{n:03}", numerator=1.0, denominator=float(n)) for n in range(1, 12)], ())
    for leads, named in ((32.9, ()), (33.0, ("T001",))):
        assert outliers(SLA, before, Sides([row(SLA, "T001", denominator=leads)], ())) == named
    # Over a window twice as long, twice as much.
    assert outliers(SLA, before, Sides([row(SLA, "T001", denominator=65.0)], ()), longer=2.0) == ()


@pytest.mark.parametrize(
    ("metric", "changes"),
    [
        (SLA, {"numerator": -1.0}),
        (SLA, {"numerator": 11.0}),
        (VELOCITY, {"parts": {**WON, "won_value": -5.0}}),
        (MetricName.MDF_SPEND, {"numerator": -1.0}),
        (MetricName.COMPLIANCE_SCORE, {"numerator": -1.0}),
        (MARGIN, {"parts": {"cost_lines": math.inf}}),
    ],
)
def test_what_cannot_be_goes_to_a_person_even_without_a_baseline(metric: MetricName, changes: dict[str, Any]) -> None:
    now = Sides([*arm(metric, "T", 9), row(metric, "T009", **changes)], arm(metric, "C", 20))
    for before in (sides(metric), Sides((), ())):
        assert outliers(metric, before, now) == ("T009",)
    assert outliers(metric, sides(metric), without(now, ("T009",))) == ()


def test_a_loss_is_no_outlier() -> None:
    now = Sides([*arm(MARGIN, "T", 9), row(MARGIN, "T009", numerator=-500.0)], arm(MARGIN, "C", 20))
    assert outliers(MARGIN, sides(MARGIN), now) == ()


# Whatever the rows hold.

_NUMBER = st.one_of(
    st.none(), st.floats(), st.sampled_from([0.0, -0.0, 1e308, -1e308, 5e-324, 1e12, 10.0, math.nan, math.inf])
)
_PARTS = (
    "won",
    "lost",
    "opportunities",
    "won_value",
    "cycle_days",
    "cost_lines",
    "weight_applicable",
    "weight_assessed",
    "lines",
    "unbudgeted",
    "missing_fx",
)
_ROW = st.builds(
    PartnerReading.model_construct,
    partner_id=st.sampled_from([f"P{number}" for number in range(6)]),
    numerator=_NUMBER,
    denominator=_NUMBER,
    facts=st.integers(-3, 10**12),
    parts=st.dictionaries(st.sampled_from(_PARTS), _NUMBER.map(lambda one: 0.0 if one is None else one), max_size=6),
)
_SIDES = st.builds(Sides, st.lists(_ROW, max_size=6), st.lists(_ROW, max_size=6))


@given(
    st.sampled_from(MetricName), _SIDES, _SIDES, st.tuples(*[st.integers(-1, 8)] * 2), st.integers(-5, 90), st.data()
)
def test_rows_of_any_kind_and_in_any_order_come_to_the_same_and_never_crash(
    metric: MetricName, before: Sides, now: Sides, members: tuple[int, int], days: int, data: st.DataObject
) -> None:
    shuffled = [Sides(*(data.draw(st.permutations(rows)) for rows in side)) for side in (before, now)]
    first = gates(metric, before, now, members=members, matured_days=days)
    assert first == gates(metric, *shuffled, members=members, matured_days=days)
    assert outliers(metric, before, now) == outliers(metric, *shuffled)
    if not any(row.facts > 0 for row in now.cohort) or not any(row.facts > 0 for row in before.cohort):
        assert shut(first)


@given(st.sampled_from(MetricName), st.sampled_from([math.nan, math.inf, -math.inf]), st.booleans(), st.booleans())
def test_what_is_not_a_number_always_blocks(metric: MetricName, wrong: float, other: bool, past: bool) -> None:
    good = sides(metric)
    for changes in ({"numerator": wrong}, {"denominator": wrong}, {"parts": {**GOOD[metric][3], "won_value": wrong}}):
        rows = (
            [*arm(metric, "T", 9), row(metric, "T009", **changes)],
            [*arm(metric, "C", 19), row(metric, "C019", **changes)],
        )
        bad = Sides(good.cohort, rows[1]) if other else Sides(rows[0], good.compared)
        pair = (bad, good) if past else (good, bad)
        assert shut(gates(metric, *pair, members=(10, 20), matured_days=28))
