"""The operational SLA breach: no statistics, certain or on enough leads, and what is still open is said.

Agreed is `>= 85` on 5 partners and 50 leads at least, so more than 15 of 100 missed leads are a breach.
"""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from judgement.counting import counts_as
from judgement.projection import at_best, past_deadline, with_missed
from models.evidence import CohortReading, MetricAssessment, Verdict
from models.metric import MetricName, MetricUse
from models.plan_metric import MinimumSample, Tolerance
from tests.judgement.readings import MARGIN, SCORE, agreed, baseline, judged, looks, reading

MET, NOT_MET, CANNOT_TELL, NO_EVIDENCE = Verdict
ACCEPTANCE = MetricName.LEAD_ACCEPTANCE


def leads(met: int, missed: int, **parts: float) -> CohortReading:
    decided = met + missed
    return reading(
        100 * met / decided if decided else None,
        numerator=float(met),
        denominator=float(decided),
        n_facts=decided,
        parts={"met": float(met), **parts},
    )


def accepted(met: int, missed: int, **parts: float) -> CohortReading:
    return leads(met, missed, **parts).model_copy(update={"metric": ACCEPTANCE})


def verdict(met: int, missed: int, *thresholds: str, **parts: float) -> MetricAssessment:
    return judged(leads(met, missed, **parts), agreed(*thresholds), baseline(90.0))


@pytest.mark.parametrize(
    ("met", "missed", "pending", "found"),
    [
        # 50 decided are enough: 8 of 50 missed is 84 %, a breach, whatever the 30 pending may bring (90 % at best).
        (42, 8, 30, NOT_MET),
        (43, 7, 30, MET),
        # 40 are too few. 7 of 40 missed: if all 4 pending are met 37 of 44 are, 84.09 %. It is a breach whatever comes.
        (33, 7, 4, NOT_MET),
        # With 7 pending 40 of 47 would be, 85.11 %: nobody knows yet.
        (33, 7, 7, CANNOT_TELL),
        # Nothing is open: it is what it is, on however few.
        (0, 1, 0, NOT_MET),
        # 1 of 1 missed, and 5 pending: 5 of 6 at best, 83.33 %. With 6 it would be 6 of 7, 85.71 %.
        (0, 1, 5, NOT_MET),
        (0, 1, 6, CANNOT_TELL),
    ],
)
def test_a_breach_is_one_on_enough_leads_or_once_it_is_certain(
    met: int, missed: int, pending: int, found: Verdict
) -> None:
    item = verdict(met, missed, pending=float(pending))
    assert item.verdict is found
    assert item.beyond_threshold is (found is NOT_MET)


def test_what_is_certain_is_said_so_and_what_is_not_as_well() -> None:
    """10 of 20 missed with 12 pending: 22 of 32 at best, 68.75 %. 33 of 40 met with 7 pending: 40 of 47."""
    assert verdict(10, 10, pending=12.0).reasons[:2] == (
        "50.00 %, agreed >= 85: beyond",
        "certain: even if all 12 pending leads are met, it is 68.75",
    )
    assert verdict(33, 7, pending=7.0).reasons[:2] == (
        "82.50 %, agreed >= 85: beyond",
        "not certain: if all 7 pending leads are met, it is 85.11",
    )
    assert verdict(10, 10, pending=1.0).reasons[1] == "certain: even if the one pending lead is met, it is 52.38"
    assert not [one for one in verdict(10, 10).reasons if "certain" in one]


def test_a_contact_that_may_still_become_known_leaves_it_open() -> None:
    """4 of 20 missed, 2 of them within a day: 18 of 20 at best, 90 %. Without those two 16 of 20 is certain."""
    item = verdict(16, 4, open_breach_recent=2.0)
    assert item.verdict is CANNOT_TELL
    assert (
        item.reasons[1]
        == "not certain: if a contact in time becomes known of all 2 that were missed within a day, it is 90.00"
    )
    assert verdict(16, 4).verdict is NOT_MET
    one = verdict(16, 4, open_breach_recent=1.0).reasons[1]
    assert "if a contact in time becomes known of the one that was missed within a day, it is 85.00" in one
    both = verdict(6, 10, open_breach_recent=2.0, pending=4.0)
    # 6 + 2 + 4 of 16 + 4: 60 %.
    assert both.verdict is NOT_MET
    assert both.reasons[1] == (
        "certain: even if all 4 pending leads are met and a contact in time becomes known of all 2 that were missed "
        "within a day, it is 60.00"
    )


def test_on_enough_leads_it_pauses_though_it_is_not_certain() -> None:
    """80 of 100 are beyond, with the minimum volume, though 40 pending ones could make it 120 of 140, 85.71 %."""
    item = verdict(80, 20, pending=40.0)
    assert (item.verdict, item.reasons[1]) == (NOT_MET, "not certain: if all 40 pending leads are met, it is 85.71")


def test_a_breach_that_is_not_certain_uses_up_no_tolerance_and_names_nobody() -> None:
    plan = agreed(tolerance=Tolerance(in_a_row=1))
    item = judged(leads(33, 7, pending=7.0), plan, past=looks(True))
    assert (item.verdict, counts_as(item), item.breaches.in_a_row) == (CANNOT_TELL, None, 1)
    assert (item.partners, item.leads) == ((), ())
    certain = judged(leads(33, 7, pending=4.0), plan, past=looks(True))
    assert (certain.verdict, certain.breaches.in_a_row) == (NOT_MET, 2)


def test_each_limit_that_is_broken_is_asked() -> None:
    """82.5 % against 90 %, at best 85.11: within 5 points of it nothing is certain, within 4 it is."""
    assert verdict(33, 7, ">= -5pp", pending=7.0).verdict is CANNOT_TELL
    assert verdict(33, 7, ">= -4pp", pending=7.0).verdict is NOT_MET
    # More leads that are met only take it further beyond an upper limit.
    assert verdict(38, 2, ">= 1", "<= 90", pending=7.0).verdict is NOT_MET


def test_an_outcome_on_a_small_sample_waits_as_ever() -> None:
    for pending in (0.0, 4.0, 7.0):
        plan = agreed(use=MetricUse.OUTCOME)
        assert judged(leads(33, 7, pending=pending), plan).verdict is CANNOT_TELL


def test_what_is_not_decided_never_passes() -> None:
    nothing = reading(None, reason="nothing_decided", numerator=0.0, denominator=0.0, n_facts=0, parts={"pending": 9.0})
    assert judged(nothing).verdict is NO_EVIDENCE
    assert judged(leads(33, 7, pending=7.0), agreed(minimum_sample=MinimumSample())).verdict is NOT_MET


def test_other_metrics_have_nothing_pending() -> None:
    for metric in (MARGIN, SCORE):
        other = reading(
            80.0, metric, numerator=8.0, denominator=10.0, n_facts=1, parts={"pending": 90.0, "met_early": 1.0}
        )
        assert (at_best(other), past_deadline(other)) == (None, None)
        assert judged(other, agreed(metric=metric, use=MetricUse.GUARDRAIL)).verdict is NOT_MET


def test_of_acceptance_the_same_holds_in_its_own_words() -> None:
    """7 of 40 missed and 4 pending: 37 of 44 at best, 84.09 %, a breach whatever comes. Without 10 met before their
    deadline 76 of 90 are left; without 12 written down days later 74 of 100, which is below 85."""
    plan = agreed(metric=ACCEPTANCE)
    certain = judged(accepted(33, 7, pending=4.0), plan)
    assert certain.verdict is NOT_MET
    best = at_best(accepted(33, 7, open_breach_recent=2.0))
    assert best is not None
    assert best.told == "an answer in time becomes known of all 2 that were missed within a day"
    assert past_deadline(accepted(86, 14, met_early=10.0)) == pytest.approx(100 * 76 / 90)
    assert verdict(86, 14).verdict is judged(accepted(86, 14), plan).verdict is MET
    found = judged(accepted(86, 14, met_backdated=12.0), plan)
    assert [one for one in found.reasons if "12 answers written down days later" in one]


# Leads met before their deadline.


def test_leads_met_before_their_deadline_hold_up_nothing_unsaid() -> None:
    """86 of 100 are met, 10 of them early: 76 of the 90 past their deadline, 84.44 %. With 5 early, 81 of 95, 85.26."""
    item = verdict(86, 14, met_early=10.0)
    assert (item.verdict, item.warning) == (MET, True)
    assert "holds only by 10 leads met before their deadline: 84.44 of those past it" in item.reasons
    fine = verdict(86, 14, met_early=5.0)
    assert (fine.verdict, fine.warning) == (MET, False)
    assert not [one for one in fine.reasons if "holds only" in one]
    assert not [one for one in verdict(80, 20, met_early=10.0).reasons if "holds only" in one]


def test_where_all_are_early_nothing_is_past_its_deadline() -> None:
    assert past_deadline(leads(20, 0, met_early=20.0)) is None
    assert verdict(60, 0, met_early=60.0).verdict is MET


# If leads that are due soon were missed.


def test_leads_that_are_taken_for_missed_are_pending_no_more() -> None:
    """35 of 40 met, 7 pending, 5 of these taken for missed: 35 of 45 is 77.78 %, and 37 of 47 at best, 78.72 %."""
    missed = with_missed(leads(35, 5, pending=7.0), 5)
    assert missed.group.parts["pending"] == 2
    best = at_best(missed)
    assert best is not None
    assert best.value == pytest.approx(100 * 37 / 47)
    assert judged(missed).beyond_threshold
    assert with_missed(leads(35, 5, pending=7.0), 9).group.parts["pending"] == 0


@given(*[st.integers(0, 80)] * 4, st.integers(1, 60), st.sampled_from(MetricUse))
def test_a_breach_is_certain_exactly_when_no_end_of_the_open_leads_is_within_the_limit(
    met: int, missed: int, pending: int, recent: int, least: int, use: MetricUse
) -> None:
    """By trying every end: of the pending leads, and of the recent ones among the missed, any number may be met."""
    recent = min(recent, missed)
    plan = agreed(use=use, minimum_sample=MinimumSample(partners=1, facts=least))
    item = judged(leads(met, missed, pending=float(pending), open_breach_recent=float(recent)), plan)
    decided = met + missed
    if decided == 0:
        assert item.verdict is NO_EVIDENCE
        return
    ends = [100 * (met + more) / (decided + pending) >= 85 for more in range(pending + recent + 1)]
    beyond = 100 * met / decided < 85
    if use is MetricUse.GUARDRAIL:
        assert (item.verdict is NOT_MET) is (beyond and (decided >= least or not any(ends)))
    else:
        assert (item.verdict is NOT_MET) is (beyond and decided >= least)
    assert (item.verdict is MET) is (not beyond and decided >= least)


@given(*[st.integers(0, 80)] * 5, st.integers(1, 60), st.sampled_from(((">= 85",), ("> -5%",), (">= -2pp", ">= 60"))))
def test_what_holds_without_all_pending_leads_holds_without_some(
    met: int, missed: int, pending: int, soon: int, recent: int, least: int, thresholds: tuple[str, ...]
) -> None:
    """So that of whom it does nobody needs to know which of them are due soon."""
    found = leads(met, missed, pending=float(pending), open_breach_recent=float(min(recent, missed)))
    plan = agreed(*thresholds, use=MetricUse.GUARDRAIL, minimum_sample=MinimumSample(partners=1, facts=least))
    some, every = (judged(with_missed(found, one), plan, baseline(90.0)) for one in (min(soon, pending), pending))
    assert every.beyond_threshold or not some.beyond_threshold


def fields(item: MetricAssessment) -> dict[str, Any]:
    return item.model_dump(mode="json", exclude={"reasons", "warning"})


@given(*[st.integers(0, 80)] * 3)
def test_nothing_open_changes_nothing(met: int, missed: int, early: int) -> None:
    """As before there was anything to say of open leads; early ones add a warning at most."""
    plain = judged(leads(met, missed))
    assert fields(judged(leads(met, missed, met_early=float(min(early, met)), pending=0.0))) == fields(plain)
