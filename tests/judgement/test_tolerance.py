"""Verdicts of many looks: *met* often enough, nothing said for too long, and what that costs nobody."""

from __future__ import annotations

from datetime import timedelta

import pytest

from judgement.counting import counts_as
from models.evidence import Look, Verdict
from models.metric import MetricUse
from models.plan_change import ChangeRule, Margin
from models.plan_metric import MetricPlan, MinimumSample, OnBreach, Tolerance
from tests.judgement.readings import AS_OF, DAY, agreed, baseline, beyond, judged, reading, said

MET, NOT_MET, CANNOT_TELL, NO_EVIDENCE = Verdict


def tolerates(use: MetricUse = MetricUse.GUARDRAIL, **tolerance: int) -> MetricPlan:
    return agreed(use=use, tolerance=Tolerance(**tolerance))


# Met, often enough in a row.


@pytest.mark.parametrize(
    ("past", "run"),
    [
        ((), 1),
        ((MET,), 2),
        ((MET, MET), 3),
        ((MET, MET, NOT_MET), 1),
        ((MET, MET, CANNOT_TELL, MET), 2),
        ((MET, MET, NO_EVIDENCE), 1),
    ],
)
def test_met_is_said_after_enough_looks_in_a_row_and_anything_else_begins_anew(
    past: tuple[Verdict, ...], run: int
) -> None:
    item = judged(reading(90.0), tolerates(met_in_a_row=3), past=said(*past))
    if run == 3:
        assert (item.verdict, item.looked) == (MET, None)
    else:
        assert (item.verdict, item.looked, item.by_itself) == (CANNOT_TELL, MET, MET)
        assert item.reasons[-1] == f"met in {run} look{'s' * (run > 1)} in a row, 3 are agreed"
    # By itself it was good: it ends a run of breaches, as ever.
    assert counts_as(item) is False


def test_a_tolerated_breach_begins_a_run_anew() -> None:
    """It is kept as *cannot tell* and beyond, as it was told."""
    kept = Look(AS_OF - DAY, CANNOT_TELL, True)
    item = judged(reading(90.0), tolerates(met_in_a_row=2, in_a_row=5), past=(*said(MET, MET)[:1], kept))
    assert (item.verdict, item.reasons[-1]) == (CANNOT_TELL, "met in 1 look in a row, 2 are agreed")


def test_looks_within_minutes_are_one_look_of_a_run() -> None:
    plan = tolerates(met_in_a_row=2)
    for minutes, verdict in ((5, CANNOT_TELL), (24 * 60, MET)):
        past = (Look(AS_OF - timedelta(minutes=minutes), MET, False),)
        assert judged(reading(90.0), plan, past=past, one_look=DAY / 2).verdict is verdict


def test_an_outcome_waits_for_its_run_too() -> None:
    plan = tolerates(MetricUse.OUTCOME, met_in_a_row=2)
    assert judged(reading(90.0), plan).verdict is CANNOT_TELL
    assert judged(reading(90.0), plan, past=said(MET)).verdict is MET


# Blind.


@pytest.mark.parametrize(("before", "blind"), [(0, False), (3, False), (4, True), (9, True)])
def test_no_evidence_for_longer_than_agreed_is_blind(before: int, blind: bool) -> None:
    """Tolerates four in a row: the fifth is one too many."""
    item = judged(reading(None), tolerates(no_evidence_in_a_row=4), past=said(*[NO_EVIDENCE] * before))
    assert (item.verdict, item.blind) == ((NOT_MET, True) if blind else (NO_EVIDENCE, False))
    if before == 4:
        assert item.reasons[:2] == (
            "blind: no evidence for 5 looks in a row, tolerates 4",
            "no value: nobody of the cohort has a fact, or none that applies (no_data)",
        )
        assert item.by_itself is NO_EVIDENCE


@pytest.mark.parametrize("seen", [MET, NOT_MET, CANNOT_TELL])
def test_any_word_ends_a_run_without_evidence(seen: Verdict) -> None:
    past = said(*[NO_EVIDENCE] * 4, seen, *[NO_EVIDENCE] * 3)
    assert judged(reading(None), tolerates(no_evidence_in_a_row=4), past=past).verdict is NO_EVIDENCE


@pytest.mark.parametrize(("before", "blind"), [(1, False), (2, True)])
def test_looks_that_cannot_tell_are_counted_in_all(before: int, blind: bool) -> None:
    """Tolerates two: good ones in between do not give them back, and those without evidence are not among them."""
    past = said(*[CANNOT_TELL, MET, NO_EVIDENCE] * before)
    small = reading(90.0, n_partners=1, n_facts=1)
    item = judged(small, tolerates(cannot_tell=2), past=past)
    assert (item.verdict, item.blind) == ((NOT_MET, True) if blind else (CANNOT_TELL, False))
    if blind:
        assert item.reasons[0] == "blind: cannot tell for 3 looks, tolerates 2"
        assert (item.by_itself, item.beyond_threshold, item.partners) == (CANNOT_TELL, False, ())


def test_tolerated_breaches_are_no_looks_that_cannot_tell() -> None:
    kept = tuple(Look(AS_OF - day * DAY, CANNOT_TELL, True) for day in (3, 2, 1))
    plan = tolerates(cannot_tell=1, in_a_row=9)
    assert judged(reading(80.0), plan, past=kept).verdict is CANNOT_TELL
    assert judged(reading(90.0, n_partners=1), plan, past=kept).verdict is CANNOT_TELL


def test_runs_of_met_that_are_too_short_are_no_looks_that_cannot_tell() -> None:
    plan = tolerates(cannot_tell=0, met_in_a_row=9)
    assert judged(reading(90.0), plan, past=said(MET, MET)).verdict is CANNOT_TELL


def test_who_sees_again_is_not_blind_any_more() -> None:
    plan = tolerates(cannot_tell=1, no_evidence_in_a_row=1)
    past = said(*[NO_EVIDENCE] * 5, *[CANNOT_TELL] * 5)
    assert judged(reading(90.0), plan, past=past).verdict is MET
    assert not judged(reading(80.0), plan, past=past).blind


def test_blindness_uses_up_no_count_of_breaches() -> None:
    item = judged(reading(None), tolerates(no_evidence_in_a_row=0, in_all=0), past=())
    assert item.blind
    assert (counts_as(item), item.breaches.in_all) == (None, 0)


def test_nobody_is_blind_unless_that_was_agreed() -> None:
    for found, verdict in ((reading(None), NO_EVIDENCE), (reading(90.0, n_facts=1), CANNOT_TELL)):
        assert judged(found, tolerates(), past=said(*[verdict] * 99)).verdict is verdict


def test_an_outcome_holds_and_is_not_blind() -> None:
    plan = tolerates(MetricUse.OUTCOME, no_evidence_in_a_row=1, cannot_tell=1)
    for found, verdict in ((reading(None), NO_EVIDENCE), (reading(90.0, n_facts=1), CANNOT_TELL)):
        assert judged(found, plan, past=said(*[verdict] * 9)).verdict is verdict


@pytest.mark.parametrize(("plans", "does"), [("stop", "pause"), ("pause", "pause"), ("warn", "warn")])
def test_blindness_never_stops(plans: str, does: str) -> None:
    plan = tolerates(no_evidence_in_a_row=0).model_copy(update={"on_breach": OnBreach(plans)})
    assert judged(reading(None), plan).on_breach.value == does
    # What was seen beyond does what was agreed.
    assert judged(reading(80.0), plan).on_breach.value == plans


def test_red_data_are_nothing_to_see_by() -> None:
    """A share of 120 % cannot be: *cannot tell*, and untrusted. Once agreed on, it is blind like any other."""
    plan = tolerates(cannot_tell=1)
    item = judged(reading(120.0), plan, past=said(CANNOT_TELL))
    assert (item.blind, item.untrusted, counts_as(item)) == (True, True, None)


def test_a_threshold_without_its_baseline_is_nothing_to_see_by() -> None:
    plan = agreed(">= -5%", tolerance=Tolerance(cannot_tell=0))
    assert judged(reading(90.0), plan).blind
    assert judged(reading(90.0), plan, baseline(90.0)).verdict is MET


# Beside a change that is judged.


def test_a_change_that_cannot_be_judged_for_too_long_is_blind_as_well() -> None:
    """The thresholds hold all the while; the change was never measured."""
    plan = agreed(change=ChangeRule(margin=Margin(number=5)), tolerance=Tolerance(no_evidence_in_a_row=2))
    past = said(NO_EVIDENCE, NO_EVIDENCE)
    item = judged(reading(90.0), plan, past=past[1:])
    assert (item.verdict, item.by_thresholds, counts_as(item)) == (NO_EVIDENCE, MET, False)
    item = judged(reading(90.0), plan, past=past)
    assert (item.verdict, item.by_itself, item.by_thresholds) == (NOT_MET, NO_EVIDENCE, MET)
    # The thresholds hold, which ends a run of breaches of theirs.
    assert counts_as(item) is False


def test_a_breach_that_is_tolerated_beside_a_change_is_seen() -> None:
    plan = agreed(change=ChangeRule(margin=Margin(number=5)), tolerance=Tolerance(in_a_row=9, no_evidence_in_a_row=0))
    item = judged(reading(80.0), plan, past=said(NO_EVIDENCE, NO_EVIDENCE))
    assert (item.verdict, item.by_thresholds, counts_as(item)) == (NO_EVIDENCE, CANNOT_TELL, True)


# Errors use up no count of breaches.


def test_looks_without_evidence_use_up_no_breaches() -> None:
    """Tolerates two in all: three silent looks and two breaches are within that, a third breach is not."""
    plan = tolerates(in_a_row=9, in_all=2)
    quiet = said(NO_EVIDENCE, NOT_MET, NO_EVIDENCE, NO_EVIDENCE)
    item = judged(reading(80.0), plan, past=quiet)
    assert (item.verdict, item.breaches.in_all) == (CANNOT_TELL, 2)
    more = judged(reading(80.0), plan, past=(*quiet, beyond(AS_OF - DAY / 2)))
    assert (more.verdict, more.breaches.in_all) == (NOT_MET, 3)


def test_what_was_written_before_these_limits_keeps_its_digest() -> None:
    assert Tolerance(in_a_row=2).model_dump(mode="json") == {"in_a_row": 2, "in_all": None}
    grown = Tolerance(met_in_a_row=3, cannot_tell=4, no_evidence_in_a_row=5)
    assert Tolerance.model_validate_json(grown.model_dump_json()) == grown
    assert "looked" not in judged(reading(80.0), agreed(minimum_sample=MinimumSample())).model_dump(mode="json")
