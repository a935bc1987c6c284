"""One reading against agreed thresholds: four verdicts, every reason, and no way for absence to pass."""

from __future__ import annotations

import math
from datetime import timedelta
from typing import Any

import pytest

from models.evidence import Verdict
from models.metric import WHY_NO_VALUE, MetricName, MetricUse, NoValue, in_words
from models.plan_metric import MetricPlan, MinimumSample, Tolerance, parse_threshold
from tests.judgement.readings import (
    AS_OF,
    DAY,
    MARGIN,
    MDF,
    SCORE,
    SLA,
    VELOCITY,
    agreed,
    baseline,
    beyond,
    judged,
    looks,
    reading,
    said,
    window,
)

MET, NOT_MET, CANNOT_TELL, NO_EVIDENCE = Verdict


@pytest.mark.parametrize(
    ("value", "threshold", "verdict"),
    [
        (85.0, ">= 85", MET),
        (84.999, ">= 85", NOT_MET),
        (85.0, "> 85", NOT_MET),
        (85.001, "> 85", MET),
        (110.0, "<= 110", MET),
        (110.001, "<= 110", NOT_MET),
        (110.0, "< 110", NOT_MET),
        (85.5, ">= -5%", MET),
        (85.4, ">= -5%", NOT_MET),
        (88.0, ">= -2pp", MET),
        (87.9, ">= -2pp", NOT_MET),
        (99.0, "<= +10%", MET),
        (99.1, "<= +10%", NOT_MET),
    ],
)
def test_a_value_is_beyond_only_past_its_limit(value: float, threshold: str, verdict: Verdict) -> None:
    # Of what can lie above 100, because a share that does is not to be trusted.
    item = judged(reading(value, MDF), agreed(threshold, metric=MDF), baseline(90.0, MDF))
    assert item.verdict is verdict
    assert item.beyond_threshold == (verdict is NOT_MET)


def test_every_threshold_must_hold_and_every_one_is_told() -> None:
    item = judged(reading(84.0), agreed(">= 80", ">= -5%"), baseline(90.0))
    assert item.verdict is NOT_MET
    assert item.reasons[:2] == (
        "84.00 %, agreed >= 80",
        "84.00 %, agreed >= -5% against the baseline 90.00, that is 85.50: beyond",
    )


def test_the_circumstances_are_told_as_well() -> None:
    item = judged(reading(84.0, data_through=AS_OF - timedelta(hours=30)))
    assert item.reasons[-2:] == ("12 partners, 240 facts", "data 1d6h old")
    assert (item.n_partners, item.n_facts, item.data_age) == (12, 240, timedelta(hours=30))
    assert (item.value, item.thresholds) == (84.0, (">= 85",))


def test_a_value_beyond_by_a_hair_is_told_with_the_digits_that_show_it() -> None:
    assert judged(reading(84.9996)).reasons[0] == "84.9996 %, agreed >= 85: beyond"


# Absence.


@pytest.mark.parametrize("use", MetricUse)
@pytest.mark.parametrize("reason", ["no_data", "nothing_decided", "low_coverage", None])
def test_no_value_is_no_evidence(use: MetricUse, reason: str | None) -> None:
    item = judged(reading(None, reason=reason), agreed(use=use))
    assert (item.verdict, item.beyond_threshold) == (NO_EVIDENCE, False)
    code = reason or "not_a_number"
    assert item.reasons[0] == f"no value: {WHY_NO_VALUE[NoValue(code)]} ({code})"


@pytest.mark.parametrize("wrong", [math.nan, math.inf, -math.inf])
@pytest.mark.parametrize("threshold", [">= 85", "<= 85", ">= -5%", "<= +5pp"])
def test_what_is_not_a_number_neither_passes_nor_fails(wrong: float, threshold: str) -> None:
    item = judged(reading(wrong), agreed(threshold), baseline(90.0))
    assert (item.verdict, item.value, item.beyond_threshold) == (NO_EVIDENCE, None, False)


def test_no_partner_and_no_fact_is_no_pass() -> None:
    item = judged(reading(100.0, n_partners=0, n_facts=0), agreed(minimum_sample=MinimumSample()))
    assert item.verdict is CANNOT_TELL


def test_nothing_agreed_is_nothing_fulfilled() -> None:
    with pytest.raises(ValueError, match="agree on at least one of thresholds and change"):
        MetricPlan(metric=SLA, window=DAY, thresholds=(), freshness=DAY)
    assert judged(reading(), agreed().model_copy(update={"thresholds": ()})).verdict is CANNOT_TELL


def test_a_misspelt_metric_is_no_metric() -> None:
    with pytest.raises(ValueError, match="lead_followup_sla"):
        MetricName("lead_followup_sla")
    with pytest.raises(ValueError, match="cannot be judged"):
        judged(reading(metric=SLA), agreed(metric=MARGIN))


# The age of the data.


@pytest.mark.parametrize(
    ("age", "verdict"),
    [(timedelta(0), MET), (7 * DAY, MET), (7 * DAY + timedelta(seconds=1), NO_EVIDENCE), (-DAY, NO_EVIDENCE)],
)
def test_only_current_data_are_evidence(age: timedelta, verdict: Verdict) -> None:
    item = judged(reading(90.0, data_through=AS_OF - age))
    assert (item.verdict, item.data_current, item.data_age) == (verdict, verdict is MET, age)


def test_data_that_reach_nowhere_are_no_evidence() -> None:
    item = judged(reading(90.0, data_through=None))
    assert (item.verdict, item.data_current, item.data_age) == (NO_EVIDENCE, False, None)
    assert item.reasons[-1] == "no data known"


def test_old_data_do_not_condemn_either() -> None:
    item = judged(reading(10.0, data_through=AS_OF - 8 * DAY), agreed(">= 85", warning=[">= 88"]))
    assert item.verdict is NO_EVIDENCE
    assert "data 8d old: at most 1w is agreed" in item.reasons
    assert item.warning is False


# Baselines.


@pytest.mark.parametrize("threshold", [">= -5%", ">= -2pp"])
@pytest.mark.parametrize(
    ("frozen", "why"),
    [
        (None, "there is no baseline"),
        (
            baseline(None, reason="nothing_decided"),
            f"the baseline has no value: {in_words('nothing_decided')}",
        ),
        (baseline(math.nan), "the baseline has no value: a sum is beyond all numbers (not_a_number)"),
        (baseline(math.inf), "the baseline has no value: a sum is beyond all numbers (not_a_number)"),
        (baseline(90.0, definition_version=2), "the baseline has definition 2, the reading 1"),
    ],
)
def test_a_missing_baseline_satisfies_nothing(threshold: str, frozen: object, why: str) -> None:
    item = judged(reading(99.0), agreed(threshold), frozen)  # type: ignore[arg-type]
    assert (item.verdict, item.baseline) == (CANNOT_TELL, None)
    assert item.reasons[0].endswith(f"cannot be judged, {why}")


def test_no_change_in_percent_of_a_baseline_of_zero() -> None:
    item = judged(reading(5.0), agreed(">= -5%"), baseline(0.0))
    assert item.verdict is CANNOT_TELL
    assert item.reasons[0].endswith("cannot be judged, the baseline is zero")
    assert judged(reading(5.0), agreed(">= -5pp"), baseline(0.0)).verdict is MET


def test_below_a_negative_baseline_is_worse() -> None:
    worse = judged(reading(-22.0, MARGIN), agreed(">= -5%", metric=MARGIN), baseline(-20.0, MARGIN))
    assert worse.verdict is NOT_MET
    assert worse.reasons[0] == "-22.00 %, agreed >= -5% against the baseline -20.00, that is -21.00: beyond"
    assert judged(reading(-20.9, MARGIN), agreed(">= -5%", metric=MARGIN), baseline(-20.0, MARGIN)).verdict is MET


def test_a_threshold_that_cannot_be_applied_does_not_hide_one_that_is_broken() -> None:
    item = judged(reading(80.0), agreed(">= -5%", ">= 85"))
    assert item.verdict is NOT_MET


def test_a_baseline_over_a_longer_window_is_brought_to_the_length_of_the_reading() -> None:
    frozen = baseline(300.0, VELOCITY, window=window(90 * DAY))
    shorter = reading(92.0, VELOCITY, window=window(30 * DAY))
    item = judged(shorter, agreed(">= -10%", metric=VELOCITY), frozen)
    assert (item.verdict, item.baseline) == (MET, pytest.approx(100.0))
    assert "baseline 300.00 over 90d is 100.00 over 30d" in item.reasons
    assert judged(
        reading(89.0, VELOCITY, window=window(30 * DAY)), agreed(">= -10%", metric=VELOCITY), frozen
    ).verdict is (NOT_MET)


def test_a_ratio_has_no_length() -> None:
    item = judged(reading(90.0), agreed(">= -5%"), baseline(90.0, window=window(90 * DAY)))
    assert (item.verdict, item.baseline) == (MET, 90.0)


# Samples.

FEW: dict[str, Any] = {"n_partners": 4, "n_facts": 240}
LITTLE: dict[str, Any] = {"n_partners": 12, "n_facts": 49}


@pytest.mark.parametrize("sample", [FEW, LITTLE])
def test_a_small_sample_never_passes(sample: dict[str, Any]) -> None:
    told = f"{sample['n_partners']} partners, {sample['n_facts']} facts: at least 5 and 50 are agreed"
    for use in MetricUse:
        item = judged(reading(99.0, **sample), agreed(use=use))
        assert (item.verdict, item.minimum_sample_reached) == (CANNOT_TELL, False)
        assert told in item.reasons


def test_a_sample_as_large_as_agreed_is_enough() -> None:
    assert judged(reading(99.0, n_partners=5, n_facts=50)).verdict is MET


@pytest.mark.parametrize("sample", [FEW, LITTLE])
def test_a_guardrail_protects_on_a_small_sample_and_an_outcome_waits(sample: dict[str, Any]) -> None:
    assert judged(reading(10.0, **sample), agreed(use=MetricUse.GUARDRAIL)).verdict is NOT_MET
    assert judged(reading(10.0, **sample), agreed(use=MetricUse.OUTCOME)).verdict is CANNOT_TELL


# Breaches that no number shows.


@pytest.mark.parametrize("value", [99.0, None])
@pytest.mark.parametrize("sample", [{}, FEW])
def test_a_failed_critical_check_is_not_met_outright(value: float | None, sample: dict[str, Any]) -> None:
    plan = agreed(">= 80", metric=SCORE, tolerance=Tolerance(in_a_row=9))
    item = judged(reading(value, SCORE, parts={"critical_failed": 2.0}, **sample), plan)
    assert (item.verdict, item.beyond_threshold) == (NOT_MET, True)
    assert "2 critical checks failed" in item.reasons


def test_spend_without_an_allocation_is_not_met_outright() -> None:
    plan = agreed("<= 110", metric=MDF, tolerance=Tolerance(in_a_row=9))
    item = judged(reading(None, MDF, reason="unbudgeted_spend"), plan)
    assert (item.verdict, item.beyond_threshold, item.partners) == (NOT_MET, True, ("P007",))


def test_even_a_failed_critical_check_needs_current_data() -> None:
    item = judged(reading(99.0, SCORE, parts={"critical_failed": 1.0}, data_through=None))
    assert item.verdict is NO_EVIDENCE


def test_velocity_over_a_window_too_short_for_its_deals_is_no_pass() -> None:
    found = reading(99.0, VELOCITY, parts={"immature": 1.0})
    assert judged(found, agreed(">= 85", metric=VELOCITY)).verdict is CANNOT_TELL
    assert judged(found, agreed(">= 100", metric=VELOCITY)).verdict is NOT_MET


# Warnings, drivers, stop conditions.


def test_the_warning_band_changes_no_verdict() -> None:
    item = judged(reading(87.0), agreed(">= 85", warning=[">= 88"]))
    assert (item.verdict, item.warning) == (MET, True)
    assert judged(reading(88.0), agreed(">= 85", warning=[">= 88"])).warning is False


@pytest.mark.parametrize(
    ("parts", "said"),
    [
        # 172 of 200 is 86 %: with 12 contacts written down days later 160 of 200 were in time, 80 %.
        ({"met_backdated": 12.0}, "holds only by 12 contacts written down days later: 80.00 without them"),
        # 40 more leads were due when they were taken out: 172 of 240.
        ({"excluded_after_due": 40.0}, "holds only by 40 leads excluded after their deadline: 71.67 without them"),
        # Of 201 that were due 171 were in time without one that was written down late: 85.07 % to 84.58 %.
        (
            {"met_backdated": 1.0, "excluded_after_due": 2.0},
            "holds only by 1 contact written down days later and 2 leads excluded after their deadline: 84.65 without",
        ),
        # 170 of 200 is 85 % still.
        ({"met_backdated": 2.0}, None),
        ({}, None),
    ],
)
def test_a_number_that_only_doubtful_facts_hold_up_is_met_with_a_warning(
    parts: dict[str, float], said: str | None
) -> None:
    item = judged(reading(86.0, numerator=172.0, denominator=200.0, parts=parts))
    assert (item.verdict, item.warning) == (MET, said is not None)
    assert any((said or "holds only") in reason for reason in item.reasons) == (said is not None)


def test_what_is_beyond_anyhow_is_not_told_twice() -> None:
    item = judged(reading(80.0, numerator=160.0, denominator=200.0, parts={"met_backdated": 12.0}))
    assert not any("holds only" in reason for reason in item.reasons)


def test_drivers_are_named_for_a_breach_and_for_nothing_else() -> None:
    assert (judged(reading(80.0)).partners, judged(reading(80.0)).leads) == (("P007",), ("L1",))
    assert (judged(reading(90.0)).partners, judged(reading(90.0)).leads) == ((), ())


def test_a_stop_condition_that_cannot_be_judged_is_no_pass() -> None:
    stop = [parse_threshold(">= -20%")]
    item = judged(reading(90.0), stops=stop)
    assert item.verdict is CANNOT_TELL
    assert "the stop condition >= -20% cannot be judged: there is no baseline" in item.reasons
    assert judged(reading(90.0), frozen=baseline(), stops=stop).verdict is MET


# Tolerances.


@pytest.mark.parametrize(
    ("tolerance", "past", "verdict", "counted"),
    [
        (Tolerance(in_a_row=0), (), NOT_MET, (1, 1)),
        (Tolerance(in_a_row=1), (), CANNOT_TELL, (1, 1)),
        (Tolerance(in_a_row=1), (True,), NOT_MET, (2, 2)),
        (Tolerance(in_a_row=1), (True, False), CANNOT_TELL, (1, 2)),
        (Tolerance(in_a_row=2), (True, True), NOT_MET, (3, 3)),
        (Tolerance(in_a_row=9, in_all=1), (True, False), NOT_MET, (1, 2)),
        (Tolerance(in_a_row=9, in_all=2), (True, False), CANNOT_TELL, (1, 2)),
        (Tolerance(in_a_row=9, in_all=0), (), NOT_MET, (1, 1)),
    ],
)
def test_not_met_is_strictly_more_than_tolerated(
    tolerance: Tolerance, past: tuple[bool, ...], verdict: Verdict, counted: tuple[int, int]
) -> None:
    item = judged(reading(80.0), agreed(tolerance=tolerance), past=looks(*past))
    assert item.verdict is verdict
    assert (item.breaches.in_a_row, item.breaches.in_all) == counted
    assert item.beyond_threshold is True


def test_a_tolerated_breach_says_so() -> None:
    item = judged(reading(80.0), agreed(tolerance=Tolerance(in_a_row=2, in_all=4)), past=looks(True, False))
    assert item.reasons[-1] == "beyond, tolerated: 1 of 2 in a row, 2 of 4 in all"


def test_a_good_reading_is_met_whatever_was_before() -> None:
    item = judged(reading(90.0), agreed(tolerance=Tolerance(in_a_row=1)), past=looks(True, True, True))
    assert (item.verdict, item.breaches.in_a_row, item.breaches.in_all) == (MET, 0, 3)


def test_a_cut_source_does_not_end_a_run_of_breaches() -> None:
    """Readings without evidence, or that cannot tell, count for neither side between two breaches."""
    plan = agreed(tolerance=Tolerance(in_a_row=1))
    silent = judged(reading(None), plan, past=looks(True))
    assert (silent.verdict, silent.breaches.in_a_row) == (NO_EVIDENCE, 1)
    for between in ((), (NO_EVIDENCE,), (CANNOT_TELL, NO_EVIDENCE)):
        item = judged(reading(80.0), plan, past=said(NOT_MET, *between))
        assert (item.verdict, item.breaches.in_a_row) == (NOT_MET, 2)


def test_looks_within_minutes_are_one() -> None:
    plan = agreed(tolerance=Tolerance(in_a_row=1))
    moments_ago = (beyond(AS_OF - timedelta(minutes=3)),)
    assert judged(reading(80.0), plan, past=moments_ago, one_look=DAY / 2).verdict is CANNOT_TELL
    assert judged(reading(80.0), plan, past=looks(True), one_look=DAY / 2).verdict is NOT_MET
