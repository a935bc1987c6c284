"""What the checks find of a reading, and what that does to its verdict: red takes its place, amber stands beside it."""

from __future__ import annotations

import random
from datetime import date
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from judgement.counting import counts_as
from judgement.quality import bounds_of, findings, odd_months, told, twins, worst
from models.evidence import CohortReading, PartnerReading, Verdict
from models.metric import CATALOGUE, MetricName
from models.plan_metric import MetricPlan
from models.quality import (
    DEFAULTS,
    SIGNED_WITHOUT,
    Bounds,
    Check,
    Counts,
    Finding,
    Gone,
    OddMonth,
    QualityBound,
    Restated,
    Severity,
    SourceVolume,
)
from tests.judgement.readings import AS_OF, DAY, MARGIN, MDF, SCORE, SLA, VELOCITY, agreed, baseline, judged, reading

GREEN, AMBER, RED = Severity
YESTERDAY = (AS_OF - DAY).date()


def source(name: str = "crm", **changes: Any) -> SourceVolume:
    fields: dict[str, Any] = {"partners": 12, "through": YESTERDAY, "periods": 4, "history": 4, "expected": 400.0}
    return SourceVolume(source=name, **{**fields, **changes})


def checked(
    of: CohortReading, check: Check, frozen: float | None = None, *bounds: QualityBound
) -> list[tuple[Severity, str]]:
    plan = agreed(metric=of.metric).model_copy(update={"data_quality": bounds})
    return [(one.severity, told(one)) for one in findings(of, plan, frozen, AS_OF) if one.check is check]


def severities(of: CohortReading, check: Check, frozen: float | None = None, *bounds: QualityBound) -> list[Severity]:
    return [severity for severity, _ in checked(of, check, frozen, *bounds)]


def with_counts(value: float | None = 90.0, metric: MetricName = SLA, **counts: Any) -> CohortReading:
    return reading(value, metric).model_copy(update={"quality": Counts(**counts)})


# Each check.


def test_a_source_that_fell_silent_is_named_while_another_goes_on() -> None:
    """Ten days old where seven are agreed; the other source keeps the reading as a whole current."""
    old = source("erp", partners=6, through=(AS_OF - 11 * DAY).date())
    found = checked(with_counts(sources=(source(partners=6), old)), Check.FRESHNESS)
    assert [severity for severity, _ in found] == [GREEN, RED]
    assert found[1][1] == "source erp, of 6 of 12 partners, tells nothing after 2026-02-19: 7 days are allowed"


def test_at_its_bound_a_source_is_still_current() -> None:
    """It reaches to the end of the eighth day before, at noon: that is seven days and a half ago."""
    old = source("erp", partners=6, through=(AS_OF - 8 * DAY).date())
    of = with_counts(sources=(source(partners=6), old))
    for allowed, severity in ((7.5, GREEN), (7.4, RED)):
        bound = QualityBound(check=Check.FRESHNESS, red=allowed)
        assert severities(of, Check.FRESHNESS, None, bound) == [GREEN, severity]


def test_a_silent_source_of_few_partners_warns() -> None:
    old = source("erp", partners=1, through=(AS_OF - 30 * DAY).date())
    assert severities(with_counts(sources=(source(partners=11), old)), Check.FRESHNESS) == [GREEN, AMBER]


def test_a_source_that_nobody_is_measured_by_says_nothing() -> None:
    old = source("erp", partners=0, through=(AS_OF - 30 * DAY).date())
    assert checked(with_counts(sources=(source(), old)), Check.FRESHNESS) == []


def test_one_source_alone_is_as_old_as_the_reading_says() -> None:
    assert checked(with_counts(sources=(source(through=None),)), Check.FRESHNESS) == []


def test_one_source_is_not_young_because_others_tell_of_partners_who_are_not_measured() -> None:
    """Seven days are agreed; how far data reach is told of all partners, and those are current. It is noon: a source
    that told until the end of the seventh day back is six and a half days old."""
    for days, severity in ((7, GREEN), (8, RED)):
        of = with_counts(sources=(source(through=(AS_OF - days * DAY).date()),), elsewhere=("crm-us",))
        assert severities(of, Check.FRESHNESS) == [severity]
        assert judged(of).data_current
        assert judged(of).verdict is (Verdict.MET if severity is GREEN else Verdict.NO_EVIDENCE)


@pytest.mark.parametrize(("missing", "severity"), [(0, GREEN), (19.9, GREEN), (20, AMBER), (99.9, AMBER), (100, RED)])
def test_missing_facts_warn_from_5_percent_on_and_are_red_from_25(missing: float, severity: Severity) -> None:
    of = with_counts(sources=(source(missing=missing, short=1 if missing else 0),))
    assert severities(of, Check.COMPLETENESS) == [severity]


def test_where_nothing_is_usual_nothing_is_missing_and_it_is_said() -> None:
    """One week of four can be judged: that is not enough for the window."""
    of = with_counts(sources=(source(history=1, expected=100.0, missing=100.0, short=1),))
    ((severity, said),) = checked(of, Check.COMPLETENESS)
    assert severity is GREEN
    assert "not enough regular history" in said


@pytest.mark.parametrize(("missing", "severity"), [(19.9, GREEN), (20, AMBER), (99.9, AMBER), (100, RED)])
def test_costs_that_did_not_come_can_only_flatter_a_margin(missing: float, severity: Severity) -> None:
    """Of 400 cost lines that are usual 20 are 5 %, and 100 are 25. They take *met* away, and excuse no breach."""
    costs = (source("ledger", missing=missing, short=1),)
    agreed_on = bound(Check.COSTS, 5, 25)
    assert severities(with_counts(40.0, MARGIN, costs=costs), Check.COSTS, None, agreed_on) == [severity]
    good, bad = (
        judged(with_counts(value, MARGIN, costs=costs), agreed(metric=MARGIN, data_quality=(agreed_on,))).verdict
        for value in (90.0, 80.0)
    )
    assert (good, bad) == (Verdict.NO_EVIDENCE if severity is RED else Verdict.MET, Verdict.NOT_MET)


def test_a_cohort_s_own_facts_that_did_not_come_are_told_by_its_name() -> None:
    own = source("the cohort itself", missing=200.0, short=2)
    ((severity, said),) = checked(with_counts(own=own), Check.COHORT, None, bound(Check.COHORT, 5, 25))
    assert severity is RED
    assert said.startswith("the partners of pilot: 50 % of what is usual is missing, in 2 of 4 weeks: amber from 5")


def test_compared_partners_whose_facts_did_not_come_say_nothing_of_the_reading_itself() -> None:
    """Half of what is usual for them is missing. The thresholds rest on the cohort alone, for good and for bad."""
    lacking = source("the cohort itself", missing=200.0, short=2)
    ((severity, said),) = checked(with_counts(compared=lacking), Check.COMPARED, None, bound(Check.COMPARED, 5, 25))
    assert severity is RED
    assert said.startswith("the partners compared with: 50 % of what is usual is missing, in 2 of 4 weeks: amber from")
    plan = agreed(data_quality=(bound(Check.COMPARED, 5, 25),))
    good, bad = (judged(with_counts(value, compared=lacking), plan).verdict for value in (90.0, 80.0))
    assert (good, bad) == (Verdict.MET, Verdict.NOT_MET)


def test_what_a_plan_was_not_signed_with_says_nothing_of_it() -> None:
    """A plan from before there were these checks is judged as it was, whatever was counted."""
    worst_of = source(missing=400.0, short=4)
    for metric in (MARGIN, SLA):
        plain, counted = with_counts(90.0, metric), with_counts(90.0, metric, costs=(worst_of,), own=worst_of)
        assert judged(counted, agreed(metric=metric)) == judged(plain, agreed(metric=metric))


def test_states_have_no_usual_volume() -> None:
    """Courses are given out in waves: a month without any is no hole."""
    enablement = with_counts(90.0, MetricName.ENABLEMENT_COMPLETION, sources=(source(missing=200.0, short=2),))
    assert checked(enablement, Check.COMPLETENESS) == []


def test_a_month_at_minus_60_percent_is_flagged_and_silences_nothing_by_itself() -> None:
    odd = (OddMonth(month=date(2011, 11, 1), currency="USD", value=-60.4, usual=3.8),)
    of = with_counts(-19.2, MARGIN, odd_months=odd)
    assert severities(of, Check.PLAUSIBILITY) == [AMBER]
    assert severities(of, Check.PLAUSIBILITY, None, bound(Check.PLAUSIBILITY, 15, 50)) == [RED]


@pytest.mark.parametrize(
    ("metric", "value"),
    [(SLA, 100.2), (SLA, -1.0), (SCORE, 101.0), (MARGIN, 100.5), (VELOCITY, -3.0), (MDF, -0.5)],
)
def test_a_value_that_cannot_be_is_red_whatever_is_agreed(metric: MetricName, value: float) -> None:
    assert severities(reading(value, metric), Check.PLAUSIBILITY) == [RED]
    assert judged(reading(value, metric)).untrusted


@pytest.mark.parametrize(("metric", "value"), [(MARGIN, -300.0), (MDF, 400.0), (SLA, 100.0), (SLA, 0.0)])
def test_a_value_that_is_only_bad_is_none_of_the_data_s_fault(metric: MetricName, value: float) -> None:
    assert severities(reading(value, metric), Check.PLAUSIBILITY) == []


def test_what_improves_beyond_belief_is_a_warning() -> None:
    assert severities(reading(95.0), Check.IMPROVEMENT, 80.0) == [GREEN]
    assert severities(reading(99.0), Check.IMPROVEMENT, 79.0) == [AMBER]
    assert severities(reading(50.0), Check.IMPROVEMENT, 79.0) == [GREEN]
    # An amount swings more: twice as much is the warning, 20 above 40 is none.
    assert severities(reading(60.0, VELOCITY), Check.IMPROVEMENT, 40.0) == [GREEN]
    assert severities(reading(80.0, VELOCITY), Check.IMPROVEMENT, 40.0) == [AMBER]
    assert severities(reading(200.0, MDF), Check.IMPROVEMENT, 80.0) == []


def test_how_much_a_value_improved_is_told_in_what_its_bound_counts() -> None:
    """Points of what lies between 0 and 100: 99 is 20 above 79. An amount is 100 percent above itself at 80 of 40."""
    [points] = [words for _, words in checked(reading(99.0), Check.IMPROVEMENT, 79.0)]
    assert points == "20.0 points better than the baseline: amber from 20 points better than the baseline"
    [percent] = [words for _, words in checked(reading(80.0, VELOCITY), Check.IMPROVEMENT, 40.0)]
    assert percent == "100.0 % better than the baseline: amber from 100 % better than the baseline"
    restated = with_counts(80.0, VELOCITY, restated=Restated(facts=1, before=40.0))
    [moved] = [words for _, words in checked(restated, Check.RESTATEMENT)]
    assert moved.startswith("1 fact of the window was restated in the last 7 days")
    assert moved.endswith("amber from 1 and red from 10 % moved")


def test_a_check_that_no_bound_applies_to_says_so() -> None:
    """Two leads that are alike may be chance."""
    [pair] = [words for _, words in checked(with_counts(duplicates=2), Check.DUPLICATES)]
    assert pair == "2 of 240 facts stand there twice: no bound applies"


def test_facts_that_stand_twice_count_by_their_share_and_a_pair_may_be_chance() -> None:
    """Of 240 facts 3 are 1.25 %, and 24 are 10 %."""
    found = {number: severities(with_counts(duplicates=number), Check.DUPLICATES) for number in (0, 2, 3, 24)}
    assert found == {0: [], 2: [GREEN], 3: [AMBER], 24: [RED]}
    # 2 of 20 are 10 % as well, and a pair all the same.
    few = with_counts(duplicates=2)
    few = few.model_copy(update={"group": few.group.model_copy(update={"n_facts": 20})})
    assert severities(few, Check.DUPLICATES) == [GREEN]


def test_invoices_handed_in_again_are_found_in_the_parts() -> None:
    rows = [
        PartnerReading(partner_id=name, numerator=1, denominator=1, facts=1, parts={"duplicate_invoices": number})
        for name, number in (("a", 0.0), ("b", 1.0), ("c", 2.0))
    ]
    assert twins(MDF, rows, 0) == (3, ("c", "b"))


def test_contacts_written_down_days_later_count_by_their_share_of_those_in_time() -> None:
    for late, severity in ((5.0, GREEN), (10.0, AMBER), (50.0, RED)):
        of = reading(90.0, numerator=200.0, denominator=222.0, parts={"met_backdated": late})
        assert severities(of, Check.BACKDATING) == [severity]


def test_partners_who_vanish_are_named() -> None:
    def of(silent: int, had: int = 12, left: int = 0) -> CohortReading:
        return with_counts(gone=Gone(had=had, silent=silent, left=left, names=("P1", "P2")))

    assert severities(of(1), Check.DRIFT) == []
    assert [severities(of(number), Check.DRIFT) for number in (2, 6)] == [[AMBER], [RED]]
    assert severities(of(2, had=2), Check.DRIFT) == [AMBER], "two are no flight"
    ((_, said),) = checked(of(0, left=3), Check.DRIFT)
    assert "3 have left the programme (P1, P2)" in said


def test_a_restatement_counts_by_how_far_it_moved_the_value() -> None:
    def of(before: float | None, value: float | None = 90.0, metric: MetricName = SLA) -> CohortReading:
        return with_counts(value, metric, restated=Restated(facts=7, partners=("P1",), before=before))

    moved = {before: severities(of(before), Check.RESTATEMENT) for before in (89.5, 88.0, 75.0)}
    assert moved == {89.5: [GREEN], 88.0: [AMBER], 75.0: [RED]}
    assert severities(of(None), Check.RESTATEMENT) == [AMBER], "a value that was none has no distance"
    # Of an amount in percent: 1000 from 800 is 25 % more.
    assert severities(of(800.0, 1000.0, VELOCITY), Check.RESTATEMENT) == [RED]
    assert severities(of(0.0, 1000.0, VELOCITY), Check.RESTATEMENT) == [AMBER]


# Bounds.


def bound(check: Check, amber: float | None, red: float | None, of: str | None = None) -> QualityBound:
    return QualityBound(check=check, source=of, amber=amber, red=red)


def test_what_is_agreed_of_one_source_goes_before_what_is_agreed_of_all() -> None:
    both = (bound(Check.COMPLETENESS, 1, 2), bound(Check.COMPLETENESS, 30, None, "erp"))
    plan = agreed().model_copy(update={"data_quality": both})
    assert bounds_of(plan, Check.COMPLETENESS, "erp") == Bounds(30, None)
    assert bounds_of(plan, Check.COMPLETENESS, "crm") == Bounds(1, 2)
    assert bounds_of(plan, Check.DRIFT) == DEFAULTS[Check.DRIFT]


LEAKAGE, CHURN = MetricName.DISCOUNT_LEAKAGE, MetricName.PARTNER_CHURN
NOT_WHOLE = {
    "sources": (source("erp", missing=200.0, short=2), source("shop", through=date(2025, 1, 1))),
    "gone": Gone(had=12, silent=9),
    "restated": Restated(facts=50, before=30.0),
}


def test_a_plan_from_before_a_metric_had_a_check_is_judged_as_it_was_signed() -> None:
    """Two weeks of lines are missing, a source is silent for a year, nine of twelve partners are too, and the value
    moved by 20 points: of leakage each is said where the plan gives it bounds, and none where it gives none."""
    of, plan = with_counts(50.0, LEAKAGE, **NOT_WHOLE), agreed("<= 60", metric=LEAKAGE)
    assert not {one.check for one in findings(of, plan, None, AS_OF)} & set(SIGNED_WITHOUT[LEAKAGE])
    for check in SIGNED_WITHOUT[LEAKAGE]:
        anew = plan.model_copy(update={"data_quality": (bound(check, None, 1),)})
        found = {one.check for one in findings(of, anew, None, AS_OF) if one.severity is RED}
        assert found == {check}
    assert judged(of, plan).untrusted is False
    assert judged(of, plan.model_copy(update={"data_quality": (bound(Check.DRIFT, None, 1),)})).untrusted is True


def test_what_is_agreed_of_one_source_of_such_a_metric_is_said_of_that_one_alone() -> None:
    of, plan = with_counts(50.0, LEAKAGE, **NOT_WHOLE), agreed("<= 60", metric=LEAKAGE)
    anew = plan.model_copy(update={"data_quality": (bound(Check.FRESHNESS, None, 1, "shop"),)})
    assert [one.sources for one in findings(of, anew, None, AS_OF) if one.check is Check.FRESHNESS] == [("shop",)]


def test_a_metric_that_is_new_with_its_checks_has_them_where_a_plan_is_silent() -> None:
    of = with_counts(50.0, MetricName.LEAD_ACCEPTANCE, **NOT_WHOLE)
    found = findings(of, agreed(metric=MetricName.LEAD_ACCEPTANCE), None, AS_OF)
    red = {one.check for one in found if one.severity is RED}
    assert red == {Check.FRESHNESS, Check.COMPLETENESS, Check.DRIFT, Check.RESTATEMENT}


def test_who_leaves_is_what_churn_counts_and_no_drift() -> None:
    of = with_counts(50.0, CHURN, gone=Gone(had=12, left=9))
    plan = agreed("<= 60", metric=CHURN, data_quality=(bound(Check.DRIFT, 1, 2),))
    assert [one for one in findings(of, plan, None, AS_OF) if one.check is Check.DRIFT] == []


# Verdicts.


@pytest.mark.parametrize(
    ("counts", "verdict"),
    [
        ({"sources": (source(missing=200.0, short=2),)}, Verdict.NO_EVIDENCE),
        ({"sources": (source("a"), source("b", through=date(2025, 1, 1)))}, Verdict.NO_EVIDENCE),
        ({"duplicates": 60}, Verdict.CANNOT_TELL),
        ({"gone": Gone(had=12, silent=9)}, Verdict.CANNOT_TELL),
        ({"restated": Restated(facts=50, before=60.0)}, Verdict.CANNOT_TELL),
    ],
    ids=["incomplete", "stale", "twice", "vanished", "restated"],
)
@pytest.mark.parametrize("value", [99.0, 20.0], ids=["met", "beyond"])
def test_red_data_neither_pass_nor_breach(value: float, counts: dict[str, Any], verdict: Verdict) -> None:
    """Nor do they count for a tolerance: the next good reading finds the count as it was."""
    item = judged(with_counts(value, **counts))
    assert (item.verdict, item.untrusted) == (verdict, True)
    assert item.reasons[0].startswith("data not to be trusted: ")
    assert counts_as(item) is None


def test_what_can_only_flatter_takes_a_pass_away_and_excuses_no_breach() -> None:
    late = {"met_backdated": 90.0}
    passing = judged(reading(90.0, numerator=180.0, denominator=200.0, parts=late))
    assert (passing.verdict, passing.untrusted) == (Verdict.CANNOT_TELL, True)
    failing = judged(reading(60.0, numerator=120.0, denominator=200.0, parts=late))
    assert (failing.verdict, failing.untrusted) == (Verdict.NOT_MET, False)
    assert counts_as(failing) is True


def test_what_is_a_breach_by_itself_is_one_on_whatever_data() -> None:
    """A failed critical check does not become untrue because other facts are missing."""
    of = reading(95.0, SCORE, parts={"critical_failed": 1.0})
    item = judged(of.model_copy(update={"quality": Counts(sources=(source(missing=300.0, short=3),))}))
    assert (item.verdict, item.untrusted) == (Verdict.NOT_MET, False)


def test_amber_stands_beside_the_verdict() -> None:
    item = judged(with_counts(95.0, duplicates=3))
    assert (item.verdict, item.warning, item.untrusted) == (Verdict.MET, True, False)
    assert (
        item.reasons[0]
        == "data in doubt: 3 of 240 facts stand there twice: amber from 1 and red from 10 % of the facts"
    )
    assert judged(with_counts(80.0, duplicates=3)).verdict is Verdict.NOT_MET


def test_good_data_are_said_to_be_good_and_nothing_is_made_of_it() -> None:
    item = judged(with_counts(95.0, sources=(source(),)), None, baseline(94.0))
    assert {one.severity for one in item.quality} == {GREEN}
    assert (item.verdict, item.warning) == (Verdict.MET, False)


# What holds of every reading.


amounts = st.one_of(st.floats(allow_nan=False, allow_infinity=False, width=32), st.just(0.0))
some_counts = st.builds(
    Counts,
    sources=st.lists(
        st.builds(
            SourceVolume,
            source=st.sampled_from(["crm", "erp", "mail"]),
            partners=st.integers(0, 20),
            through=st.none() | st.dates(date(2020, 1, 1), date(2027, 1, 1)),
            periods=st.integers(0, 10),
            history=st.integers(0, 10),
            expected=st.floats(0, 1e6),
            missing=st.floats(0, 1e6),
            short=st.integers(0, 10),
        ),
        max_size=3,
    ).map(tuple),
    odd_months=st.lists(
        st.builds(OddMonth, month=st.just(date(2026, 1, 1)), currency=st.just("USD"), value=amounts, usual=amounts),
        max_size=2,
    ).map(tuple),
    duplicates=st.integers(0, 500),
    gone=st.builds(Gone, had=st.integers(0, 30), silent=st.integers(0, 30), left=st.integers(0, 30)),
    restated=st.builds(Restated, facts=st.integers(0, 9), before=st.none() | amounts),
)


@st.composite
def counted(draw: st.DrawFn) -> tuple[CohortReading, MetricPlan, float | None]:
    metric = draw(st.sampled_from(MetricName))
    numbers = {"n_facts": draw(st.integers(0, 50)), "numerator": draw(amounts), "denominator": draw(amounts)}
    parts = {"met_backdated": draw(st.floats(0, 1e6)), "met": draw(st.floats(0, 1e6))}
    of = reading(draw(st.none() | amounts), metric, parts=parts, **numbers)
    return of.model_copy(update={"quality": draw(some_counts)}), agreed(metric=metric), draw(st.none() | amounts)


@given(counted())
def test_every_finding_is_said_in_words_and_none_fails(case: tuple[CohortReading, MetricPlan, float | None]) -> None:
    found = findings(*case, AS_OF)
    assert all("nan" not in told(one) and one.found and one.allowed for one in found)
    item = judged(case[0], case[1])
    red = [one for one in item.quality if one.severity is RED]
    assert not (item.verdict is Verdict.MET and red)
    assert item.untrusted <= (worst(item.quality) is RED)
    assert item.model_validate_json(item.model_dump_json()) == item


@given(
    st.lists(
        st.tuples(
            st.dates(date(2025, 1, 1), date(2026, 3, 1)).map(lambda day: day.replace(day=1)),
            st.booleans(),
            st.sampled_from(["USD", "EUR"]),
            st.floats(-1e6, 1e6),
            st.floats(-1e6, 1e6),
        ),
        max_size=20,
    ),
    st.randoms(use_true_random=False),
)
def test_months_are_the_same_in_whatever_order_they_come(
    months: list[tuple[date, bool, str, float, float]], shuffle: random.Random
) -> None:
    turned = list(months)
    shuffle.shuffle(turned)
    first, second = odd_months(months), odd_months(turned)
    assert [(one.month, one.currency) for one in first] == [(one.month, one.currency) for one in second]
    assert [one.value for one in first] == pytest.approx([one.value for one in second])
    assert [one.usual for one in first] == pytest.approx([one.usual for one in second])


def test_a_month_is_measured_by_those_before_it_and_in_its_own_currency() -> None:
    """Three months at 4 %, then one at -60. Two are too few, and dollars say nothing of euros."""
    usual = [(date(2011, month, 1), False, "USD", 100.0, 96.0) for month in (8, 9, 10)]
    odd = (date(2011, 11, 1), True, "USD", 100.0, 160.0)
    assert odd_months([*usual, odd]) == (OddMonth(month=date(2011, 11, 1), currency="USD", value=-60.0, usual=4.0),)
    assert odd_months([*usual[:2], odd]) == ()
    assert odd_months([*usual, (*odd[:2], "EUR", *odd[3:])]) == ()
    assert odd_months([*usual, (*odd[:3], 0.0, 0.0)]) == ()


def test_every_check_and_every_metric_has_its_words() -> None:
    assert set(DEFAULTS) == set(Check)
    assert all(
        isinstance(one, Finding)
        for name in CATALOGUE
        for one in findings(reading(50.0, name), agreed(metric=name), 40.0, AS_OF)
    )
