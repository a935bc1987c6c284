"""What a judged change says: the four verdicts, what holds one back, and the sentence a person reads."""

from __future__ import annotations

import math
from datetime import UTC, date, datetime, timedelta

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import stdtrit

from judgement.material import Asked, Sides, Stretch, judge_change
from judgement.methods import SOONER
from judgement.verdicts import Schedule
from models.change import Boundary, Gate, GateFinding, MaterialChange
from models.evidence import PartnerReading, Verdict
from models.metric import MetricName
from models.plan_change import ChangeRule, Margin

SLA, VELOCITY, MDF = MetricName.LEAD_FOLLOW_UP_SLA, MetricName.PIPELINE_VELOCITY, MetricName.MDF_SPEND
BEGAN = datetime(2026, 1, 1, tzinfo=UTC)
DAY = timedelta(days=1)


def row(partner: str, numerator: float | None, denominator: float | None, **parts: float) -> PartnerReading:
    facts = int(denominator) if denominator is not None and 0 <= denominator < 1e9 else 1
    return PartnerReading(partner_id=partner, numerator=numerator, denominator=denominator, facts=facts, parts=parts)


def answered(name: str, share: float, partners: int, leads: int, seed: int = 1) -> list[PartnerReading]:
    """Partners who answer about that share of their leads, each with chance of its own."""
    chance = np.random.default_rng([seed, *map(ord, name)])
    return [row(f"{name}{n}", float(chance.binomial(leads, share)), float(leads)) for n in range(partners)]


def asked(rate: float, *, partners: int = 20, beside: float = 0.9, days: int = 30, **changes: object) -> Asked:
    """A cohort that answered 90 % at its baseline, and now answers that share."""
    before = Sides(answered("p", 0.9, partners, 60), answered("c", 0.9, 60, 60))
    now = Sides(answered("p", rate, partners, days * 2, 2), answered("c", beside, 60, days * 2, 2))
    found = Asked(
        metric=SLA,
        rule=ChangeRule(margin=Margin(number=5)),
        before=before,
        stretches=[Stretch(BEGAN, now)],
        matured_through=BEGAN + days * DAY,
        ends=BEGAN + 95 * DAY,
    )
    return found._replace(**changes)  # type: ignore[arg-type]


def judged(one: Asked) -> tuple[Verdict, MaterialChange]:
    return judge_change(one)


def test_worse_beyond_chance_and_by_the_margin_is_not_met() -> None:
    verdict, change = judged(asked(0.75))
    assert verdict is Verdict.NOT_MET
    assert change.estimate is not None
    assert change.estimate < -10
    assert change.interval[1] is not None
    assert change.interval[1] < 0
    assert change.sentence.startswith("Lead follow-up SLA is 1")
    assert "points worse than in comparable partners, at least" in change.sentence
    assert change.sentence.endswith("agreed margin 5.0: not met")


def test_as_before_with_facts_enough_is_met() -> None:
    verdict, change = judged(asked(0.9))
    assert verdict is Verdict.MET
    assert change.interval[0] is not None
    assert change.interval[0] > -5
    assert change.sentence.endswith("agreed margin 5.0: met")


def test_what_befalls_everybody_is_no_change_of_the_cohort() -> None:
    assert judged(asked(0.75, beside=0.75))[0] is not Verdict.NOT_MET


def test_worse_by_less_than_the_margin_is_never_not_met() -> None:
    verdict, change = judged(asked(0.875, partners=60, days=89))
    assert change.estimate is not None
    assert -5 < change.estimate < 0
    assert verdict is not Verdict.NOT_MET


def test_strict_asks_for_proof_of_the_margin_itself() -> None:
    """About 5.5 points worse, beyond chance, but not beyond chance by 5."""
    loose, strict = (ChangeRule(margin=Margin(number=5), strict=strict) for strict in (False, True))
    assert judged(asked(0.85, rule=loose))[0] is Verdict.NOT_MET
    assert judged(asked(0.85, rule=strict))[0] is Verdict.CANNOT_TELL


def test_what_cannot_be_told_yet_says_what_could_have_been_seen_and_by_when() -> None:
    verdict, change = judged(asked(0.88, partners=10, days=8))
    assert verdict is Verdict.CANNOT_TELL
    assert change.detectable is not None
    assert change.detectable > 5
    assert change.tells_on is None or BEGAN.date() < change.tells_on <= date(2026, 4, 6)
    assert "would have been seen" in change.sentence


def test_the_day_on_which_it_could_be_told_comes_sooner_with_a_wider_margin() -> None:
    days = [
        judged(asked(0.89, partners=10, days=8, rule=ChangeRule(margin=Margin(number=margin))))[1].tells_on
        for margin in (7.0, 9.0)
    ]
    assert None not in days
    assert days[1] < days[0]  # type: ignore[operator]


def test_the_day_on_which_it_could_be_told_waits_for_its_facts_to_mature() -> None:
    """As many looks, each five days later."""
    soon, late = (
        judged(asked(0.89, partners=10, days=8, ends=BEGAN + (90 + wait) * DAY, rule=rule))[1].tells_on
        for wait in (5, 10)
        for rule in [ChangeRule(margin=Margin(number=9), maturity=wait * DAY)]
    )
    assert soon is not None
    assert late == soon + 5 * DAY


@pytest.mark.parametrize("share", [0.5, 0.9])
def test_a_gate_that_blocks_leaves_no_evidence(share: float) -> None:
    shut = GateFinding(gate=Gate.COMPLETE, blocks=True, told="8 of 20 partners tell nothing")
    verdict, change = judged(asked(share, gates=(shut,)))
    assert verdict is Verdict.NO_EVIDENCE
    assert "8 of 20 partners tell nothing" in change.sentence
    assert change.estimate is None


def test_nothing_measured_is_no_evidence() -> None:
    assert judged(asked(0.9, stretches=[]))[0] is Verdict.NO_EVIDENCE
    assert judged(asked(0.9, stretches=[Stretch(BEGAN, Sides([], []))]))[0] is Verdict.NO_EVIDENCE


def test_less_than_a_week_is_no_evidence() -> None:
    verdict, change = judged(asked(0.5, days=6))
    assert verdict is Verdict.NO_EVIDENCE
    assert "6 matured days since enrolment, 7 are needed" in change.sentence


@pytest.mark.parametrize("share", [0.5, 0.9])
def test_few_partners_are_for_advice_only(share: float) -> None:
    few = GateFinding(gate=Gate.PARTNERS, blocks=False, told="6 partners")
    verdict, change = judged(asked(share, gates=(few,)))
    assert verdict is Verdict.CANNOT_TELL
    assert change.advisory
    assert "for advice only" in change.sentence


def test_a_dominant_partner_keeps_from_met_and_not_from_a_pause() -> None:
    one = GateFinding(gate=Gate.DOMINANCE, blocks=False, told="p1 is 70 % of it")
    assert judged(asked(0.9, gates=(one,)))[0] is Verdict.CANNOT_TELL
    assert judged(asked(0.7, gates=(one,)))[0] is Verdict.NOT_MET


def test_nobody_beside_keeps_from_met_and_not_from_a_pause() -> None:
    def alone(share: float) -> Asked:
        one = asked(share, partners=60, days=60)
        now = one.stretches[0].rows.cohort
        return one._replace(before=Sides(one.before.cohort, []), stretches=[Stretch(BEGAN, Sides(now, []))])

    # With somebody beside, or were the doubt forgotten, it would be met: see the interval.
    verdict, change = judged(alone(0.9))
    assert change.interval[0] is not None
    assert change.interval[0] > -5
    assert (verdict, change.uncontrolled) == (Verdict.CANNOT_TELL, True)
    verdict, change = judged(alone(0.6))
    assert verdict is Verdict.NOT_MET
    assert "than at its baseline" in change.sentence


def test_amounts_beyond_belief_go_to_a_person_and_no_verdict_hangs_on_them() -> None:
    """One partner who suddenly has twenty times the leads, all missed, makes it not met; without it nothing changed."""
    one = asked(0.9)
    odd = row("p0", 0.0, 2400.0)
    now = Sides([odd, *one.stretches[0].rows.cohort[1:]], one.stretches[0].rows.compared)
    verdict, change = judged(one._replace(stretches=[Stretch(BEGAN, now)]))
    assert verdict is not Verdict.MET
    assert verdict is not Verdict.NOT_MET
    assert [found.gate for found in change.gates] == [Gate.OUTLIERS]
    assert "p0" in change.gates[0].told


@pytest.mark.parametrize("arm", ["pilot", "control"])
def test_a_verdict_that_turns_without_amounts_beyond_belief_cannot_be_told(arm: str) -> None:
    """Half of an arm suddenly has seven times the leads: with them it is not met, without them nothing changed."""
    one = asked(0.9)
    cohort, compared = one.stretches[0].rows
    if arm == "pilot":
        cohort = [*answered("p", 0.6, 10, 420, 2), *cohort[10:]]
    else:
        compared = [*answered("c", 1.0, 30, 420, 2), *compared[30:]]
    verdict, change = judged(one._replace(stretches=[Stretch(BEGAN, Sides(cohort, compared))]))
    assert change.interval[1] is not None
    assert change.interval[1] < 0
    assert change.estimate is not None
    assert change.estimate < -5
    assert verdict is Verdict.CANNOT_TELL
    [finding] = change.gates
    assert (finding.gate, finding.blocks) == (Gate.OUTLIERS, True)
    assert finding.told in change.sentence


def test_amounts_beyond_belief_that_turn_nothing_are_told_and_leave_the_verdict() -> None:
    one = asked(0.6)
    cohort, compared = one.stretches[0].rows
    now = Sides([*cohort[:-1], row("p19", 126.0, 210.0)], compared)
    verdict, change = judged(one._replace(stretches=[Stretch(BEGAN, now)]))
    assert verdict is Verdict.NOT_MET
    assert [(found.gate, found.blocks) for found in change.gates] == [(Gate.OUTLIERS, False)]


def test_harm_that_begins_late_is_found_by_the_stretch_that_begins_anew() -> None:
    """Forty good days, then ten bad ones after an enlargement: the whole hides what the later stretch shows."""
    one = asked(0.9, partners=40, days=50)
    late = Sides(answered("p", 0.6, 40, 40, 3), answered("c", 0.9, 60, 40, 3))
    verdict, change = judged(one._replace(stretches=[*one.stretches, Stretch(BEGAN + 40 * DAY, late)], enlargements=2))
    assert verdict is Verdict.NOT_MET
    assert change.since == BEGAN + 40 * DAY
    assert "worse than in comparable partners since 2026-02-10, at least" in change.sentence


@pytest.mark.parametrize(("enlargements", "part"), [(0, 1.0), (1, 0.5), (2, 0.5)])
def test_the_whole_spends_half_of_the_risk_where_the_rollout_grows_later(enlargements: int, part: float) -> None:
    _, change = judged(asked(0.9, days=50, enlargements=enlargements))
    assert change.critical == pytest.approx(reach(change, part, 50, 90))


@pytest.mark.parametrize(("enlargements", "part"), [(0, 0.5), (1, 0.5), (2, 0.25), (4, 0.125)])
def test_stretches_that_begin_anew_share_the_other_half_also_with_those_to_come(enlargements: int, part: float) -> None:
    """However many of the planned ones have begun: one by one they may not spend more than all of it."""
    one = asked(0.9, partners=40, days=50)
    late = Sides(answered("p", 0.6, 40, 40, 3), answered("c", 0.9, 60, 40, 3))
    stretches = [*one.stretches, Stretch(BEGAN + 40 * DAY, late)]
    verdict, change = judged(one._replace(stretches=stretches, enlargements=enlargements))
    assert (verdict, change.since) == (Verdict.NOT_MET, BEGAN + 40 * DAY)
    assert change.critical == pytest.approx(reach(change, part, 10, 50))


def test_either_side_of_what_is_an_alarm_on_both_spends_half_of_the_risk() -> None:
    rows = [row(f"x{n}", 1000.0 + 10 * (n % 7), 1000.0) for n in range(30)]
    now = [row(f"x{n}", 1000.0 + 10 * (n % 5), 1000.0) for n in range(30)]
    sides = [Sides(one[:15], one[15:]) for one in (rows, now)]
    _, change = judged(asked(0.9, metric=MDF, before=sides[0], stretches=[Stretch(BEGAN, sides[1])]))
    assert change.critical == pytest.approx(reach(change, 0.5, 30, 90))


def reach(change: MaterialChange, part: float, look: int, looks: int) -> float:
    """The boundary of a planned look that spends that part of the usual risk."""
    assert change.pause_error is not None
    assert change.pause_freedom is not None
    return Schedule(look, looks, SOONER).critical(0.05 * part, change.pause_error, change.pause_freedom, 5.0)


def test_a_later_stretch_says_nothing_by_itself() -> None:
    """Without the whole there is nothing, however bad the latest days look: the risk is not all its own."""
    late = Sides(answered("p", 0.3, 40, 40, 3), answered("c", 0.9, 60, 40, 3))
    alone = [Stretch(BEGAN, Sides([], [])), Stretch(BEGAN + 40 * DAY, late)]
    assert judged(asked(0.9, partners=40, days=50, stretches=alone))[0] is Verdict.NO_EVIDENCE


@pytest.mark.parametrize(("days", "counts"), [(6, False), (7, True)])
def test_a_later_stretch_counts_once_a_week_of_it_has_matured(days: int, counts: bool) -> None:
    """Nobody answers any more: before there is a week of it, the verdict is that of all days."""
    one = asked(0.9, partners=40, days=50)
    late = Sides(answered("p", 0.02, 40, 40, 3), answered("c", 0.9, 60, 40, 3))
    since = BEGAN + (50 - days) * DAY
    verdict, change = judged(one._replace(stretches=[*one.stretches, Stretch(since, late)], enlargements=2))
    assert verdict is (Verdict.NOT_MET if counts else Verdict.MET)
    assert change.since == (since if counts else BEGAN)


def test_a_later_stretch_that_looks_worse_keeps_from_met() -> None:
    one = asked(0.9, partners=40, days=50)
    late = Sides(answered("p", 0.87, 40, 8, 3), answered("c", 0.9, 60, 8, 3))
    assert judged(one)[0] is Verdict.MET
    verdict, change = judged(one._replace(stretches=[*one.stretches, Stretch(BEGAN + 43 * DAY, late)]))
    assert verdict is Verdict.CANNOT_TELL
    assert change.since == BEGAN + 43 * DAY
    assert "worse than in comparable partners since 2026-02-13, between" in change.sentence


def test_after_the_planned_end_looks_go_on_with_what_is_left_of_the_risk() -> None:
    on_plan, beyond = judged(asked(0.9, days=85))[1], judged(asked(0.9, days=100))[1]
    assert on_plan.boundary is Boundary.PLANNED
    assert beyond.boundary is Boundary.OPEN_ENDED
    assert judged(asked(0.9, ends=None))[1].boundary is Boundary.OPEN_ENDED
    assert on_plan.critical is not None
    assert beyond.critical is not None
    assert beyond.critical > on_plan.critical


def test_a_smaller_share_of_the_risk_asks_for_more() -> None:
    whole, half = (judged(asked(0.9, share=share))[1].critical for share in (1.0, 0.5))
    assert whole is not None
    assert half is not None
    assert half > whole


def test_what_must_be_proven_to_go_on_is_shared_with_nobody() -> None:
    """A rollout pauses when one of its guardrails is found worse, and goes on when all of them are found not to be."""
    whole, shared = (judged(asked(0.9, share=share)) for share in (1.0, 0.001))
    assert (whole[0], shared[0]) == (Verdict.MET, Verdict.MET)
    assert whole[1].interval[0] == shared[1].interval[0]


def test_a_relative_margin_is_one_of_the_cohorts_own_baseline() -> None:
    """10 % of about 90 %: nine points, however the others did."""
    one = asked(0.9, rule=ChangeRule(margin=Margin(number=10, relative=True)))
    change = judged(one._replace(before=Sides(one.before.cohort, answered("c", 0.5, 60, 60))))[1]
    assert change.margin == pytest.approx(9, abs=0.3)


def deals(name: str, partners: int, days: float, grows: float = 1.0, seed: int = 1) -> list[PartnerReading]:
    chance = np.random.default_rng([seed, *map(ord, name)])
    made = []
    for number in range(partners):
        won = float(chance.poisson(days / 2) + 1)
        value = won * float(np.exp(chance.normal(0, 0.2))) * 1000 * grows
        made.append(row(f"{name}{number}", 0.0, None, won_value=value, won=won, cycle_days=won * 40.0))
    return made


def test_velocity_is_judged_by_its_relative_change() -> None:
    """Values won fall by half: about 50 % against an agreed 20 %."""
    before = Sides(deals("p", 30, 56), deals("c", 60, 56))
    now = Sides(deals("p", 30, 60, 0.5, 2), deals("c", 60, 60, 1.0, 2))
    one = asked(0.9, metric=VELOCITY, before=before, stretches=[Stretch(BEGAN, now)], days=60)
    verdict, change = judged(one._replace(rule=ChangeRule(margin=Margin(number=20, relative=True))))
    assert verdict is Verdict.NOT_MET
    assert change.unit == "%"
    assert change.estimate == pytest.approx(-50, abs=10)
    assert "% worse than in comparable partners" in change.sentence


def test_a_margin_of_velocity_is_told_as_it_was_agreed_and_what_would_be_seen_as_a_fall() -> None:
    """On the log scale 20 % less is 22 % and 25 % more: whoever agreed on 20 must read 20."""
    before = Sides(deals("p", 30, 56), deals("c", 60, 56))
    now = Sides(deals("p", 30, 14, 1.0, 2), deals("c", 60, 14, 1.0, 2))
    rule = ChangeRule(margin=Margin(number=20, relative=True))
    one = asked(0.9, metric=VELOCITY, before=before, stretches=[Stretch(BEGAN, now)], days=14, rule=rule)
    verdict, change = judged(one)
    assert verdict is Verdict.CANNOT_TELL
    assert change.margin == pytest.approx(20)
    assert "agreed margin 20.0" in change.sentence
    assert change.detectable is not None
    assert change.critical is not None
    assert change.pause_error is not None
    assert change.pause_freedom is not None
    reach = (change.critical + stdtrit(change.pause_freedom, 0.8)) * change.pause_error
    assert change.detectable == pytest.approx(100 * (1 - math.exp(-reach)))
    assert f"so far one of {change.detectable:.1f} % would have been seen, the margin probably" in change.sentence


def test_velocity_alone_counts_days_and_not_only_deals() -> None:
    """60 days after a baseline of 30: twice the deals are no change."""
    before, now = Sides(deals("p", 30, 30), []), Sides(deals("p", 30, 60, 1.0, 2), [])
    rule = ChangeRule(margin=Margin(number=40, relative=True))
    one = asked(0.9, metric=VELOCITY, before=before, stretches=[Stretch(BEGAN, now)], days=60, rule=rule)
    assert judged(one)[0] is Verdict.NO_EVIDENCE
    verdict, change = judged(one._replace(baseline_days=30.0))
    assert verdict is not Verdict.NOT_MET
    assert change.estimate == pytest.approx(0, abs=15)


@pytest.mark.parametrize(("spends", "word"), [(1.6, "higher"), (0.4, "lower")])
def test_mdf_spend_is_material_on_either_side(spends: float, word: str) -> None:
    def spending(name: str, level: float, seed: int) -> list[PartnerReading]:
        chance = np.random.default_rng([seed, *map(ord, name)])
        return [row(f"{name}{n}", float(1000 * level * chance.uniform(0.9, 1.1)), 1000.0) for n in range(30)]

    before = Sides(spending("p", 1.0, 1), spending("c", 1.0, 1))
    now = Sides(spending("p", spends, 2), spending("c", 1.0, 2))
    verdict, change = judged(asked(0.9, metric=MDF, before=before, stretches=[Stretch(BEGAN, now)]))
    assert verdict is Verdict.NOT_MET
    assert word in change.sentence


def test_where_lower_is_better_more_is_worse() -> None:
    verdict, change = judged(asked(0.99, metric=MetricName.DISCOUNT_LEAKAGE))
    assert verdict is Verdict.NOT_MET
    assert change.estimate is not None
    assert change.estimate > 5
    assert "points worse than in comparable partners, at least" in change.sentence
    verdict, change = judged(asked(0.7, metric=MetricName.DISCOUNT_LEAKAGE))
    assert verdict is Verdict.MET
    assert "points better than in comparable partners, at most 0.0 worse" in change.sentence


wild = st.one_of(st.floats(allow_nan=False, allow_infinity=False, width=32), st.sampled_from([0.0, 1e12, -1e12, None]))
rows = st.lists(st.tuples(st.integers(0, 5), wild, wild), max_size=6).map(
    lambda found: list({one: row(f"p{one}", n, d, won_value=n or 0.0, won=d or 0.0) for one, n, d in found}.values())
)


@settings(max_examples=200, deadline=None)
@given(st.sampled_from(MetricName), rows, rows, rows, rows, st.integers(-5, 200), st.floats(0.001, 1))
def test_nothing_that_can_be_written_down_makes_it_crash(
    metric: MetricName,
    before: list[PartnerReading],
    beside_before: list[PartnerReading],
    now: list[PartnerReading],
    beside: list[PartnerReading],
    days: int,
    share: float,
) -> None:
    one = Asked(
        metric=metric,
        rule=ChangeRule(margin=Margin(number=5, relative=True)),
        before=Sides(before, beside_before),
        stretches=[Stretch(BEGAN, Sides(now, beside))],
        matured_through=BEGAN + days * DAY,
        ends=BEGAN + 90 * DAY,
        share=share,
    )
    verdict, change = judge_change(one)
    if not now or days < 7:
        assert verdict is Verdict.NO_EVIDENCE
    assert change.sentence
    shown = (change.estimate, change.error, change.critical, change.detectable, *change.interval)
    assert all(number is None or math.isfinite(number) for number in shown)
    if verdict is Verdict.MET:
        assert change.error
        assert len({one.partner_id for one in (*beside_before, *beside)}) >= 2
        assert len({one.partner_id for one in (*before, *now)}) >= 2
        assert not any(one.blocks for one in change.gates)


def test_sums_beyond_all_numbers_are_no_evidence() -> None:
    """A reading holds only numbers; sums of huge ones are none."""
    one = asked(0.9)
    huge = [row(f"p{n}", 1e308, 1e308) for n in range(20)]
    verdict, _ = judge_change(one._replace(stretches=[Stretch(BEGAN, Sides(huge, one.stretches[0].rows.compared))]))
    assert verdict is Verdict.NO_EVIDENCE


def test_partners_who_are_all_alike_prove_nothing() -> None:
    same = [row(f"p{n}", 9.0, 10.0) for n in range(20)]
    beside = [row(f"c{n}", 9.0, 10.0) for n in range(20)]
    one = asked(0.9, before=Sides(same, beside), stretches=[Stretch(BEGAN, Sides(same, beside))])
    assert judge_change(one)[0] is Verdict.NO_EVIDENCE
