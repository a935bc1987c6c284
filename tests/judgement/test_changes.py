"""A change beside thresholds: how two verdicts become one, what bad data leave of it, and who is named as behind it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

import pytest

from judgement.assessment import assess
from judgement.changes import Sums, asked, together
from judgement.counting import counts_as
from judgement.horizon import enlargements, pause_share, planned_end
from judgement.material import Asked, Sides
from models.change import Gate
from models.evidence import LeadDriver, Matured, MetricAssessment, PartnerReading, Verdict
from models.metric import MetricName
from models.plan import RolloutPlan
from models.plan_change import ChangeRule, Margin
from models.plan_metric import MetricPlan
from models.quality import Counts
from tests.judgement.readings import AS_OF, DAY, SLA, VELOCITY, agreed, baseline, group, judged, reading, snapshot
from tests.plans import CONTROL, PILOT, judged_by_change, make_plan

MET, NOT_MET, CANNOT_TELL, NO_EVIDENCE = Verdict.MET, Verdict.NOT_MET, Verdict.CANNOT_TELL, Verdict.NO_EVIDENCE
SINCE = datetime(2026, 2, 2, tzinfo=AS_OF.tzinfo)
THROUGH = SINCE + 21 * DAY


def row(partner: str, met: float, of: float) -> PartnerReading:
    return PartnerReading(partner_id=partner, numerator=met, denominator=of, facts=int(of))


def sides(partners: Sequence[str], of: float, met: float, *, less: float = 0, some: int = 0) -> list[PartnerReading]:
    """Partners who meet a part of their leads, each a little more or less, now otherwise than then; the first `some` of
    them `less` more."""
    turn = int(of) // 10
    return [
        row(one, (met + 0.005 * (number * turn % 7 - 3) - (less if number < some else 0)) * of, of)
        for number, one in enumerate(partners)
    ]


def plan(*thresholds: str, **rule: Any) -> RolloutPlan:
    data = judged_by_change(**rule)
    data["metrics"][0]["thresholds"] = list(thresholds)
    return make_plan(**data)


def question(found: RolloutPlan, sums: Sums, metric: MetricName = SLA, **changes: Any) -> Asked:
    matured = Matured(
        cohort="pilot", metric=metric, since=(SINCE,), through=THROUGH, compared="control", members=(12, 12)
    )
    agreed = found.metric(metric)
    assert agreed is not None
    asking = asked(found, agreed, matured.model_copy(update=changes), sums, baseline(metric=metric))
    assert asking is not None
    return asking


def sums(pilot: float = 0.0, market: float = 0.0, some: int = 12) -> Sums:
    """Everybody met 90 of 100 deadlines; since then `market` fewer, and `some` of the pilot `pilot` fewer yet."""
    return Sums(
        before={("pilot", SLA): sides(PILOT, 100, 0.9), ("control", SLA): sides(CONTROL, 100, 0.9)},
        since={
            ("pilot", SLA, SINCE): sides(PILOT, 40, 0.9 - market, less=pilot, some=some),
            ("control", SLA, SINCE): sides(CONTROL, 40, 0.9 - market),
        },
        compared=CONTROL,
    )


def found(of: Sums, *thresholds: str, rule: dict[str, Any] | None = None, **changes: Any) -> MetricAssessment:
    asking = plan(*thresholds, **(rule or {}))
    return judged(reading(**changes), _sla(asking), baseline(), change=question(asking, of))


def _sla(of: RolloutPlan) -> MetricPlan:
    agreed = of.metric(SLA)
    assert agreed is not None
    return agreed


@pytest.mark.parametrize("one", Verdict)
@pytest.mark.parametrize("other", Verdict)
def test_two_verdicts_are_one_that_is_met_only_if_both_are(one: Verdict, other: Verdict) -> None:
    verdict = together(one, other)
    assert verdict is together(other, one)
    assert (verdict is MET) == (one is MET and other is MET)
    assert (verdict is NOT_MET) == (NOT_MET in (one, other))
    assert (verdict is NO_EVIDENCE) == (NO_EVIDENCE in (one, other) and NOT_MET not in (one, other))


def test_a_change_is_found_and_so_is_none() -> None:
    assert found(sums(pilot=0.3)).verdict is NOT_MET
    assert found(sums()).verdict is MET
    assert found(sums(market=0.3)).verdict is MET


def test_what_was_not_measured_is_no_evidence_and_never_met() -> None:
    asking = plan()
    item = judged(reading(), _sla(asking), baseline())
    assert (item.verdict, item.by_change, item.by_thresholds) == (NO_EVIDENCE, NO_EVIDENCE, None)
    whole = assess(asking, snapshot(reading()), [baseline()], {}, sums=sums())
    assert [one.verdict for one in whole.items] == [NO_EVIDENCE]


@pytest.mark.parametrize(
    "changes",
    [
        {"data_through": None},
        {"data_through": AS_OF - 40 * DAY},
        {"data_through": AS_OF + DAY},
    ],
)
def test_a_change_is_not_judged_of_data_that_are_not_current(changes: dict[str, Any]) -> None:
    for pilot in (0.0, 0.3):
        item = found(sums(pilot=pilot), **changes)
        assert (item.verdict, item.by_change) == (NO_EVIDENCE, NO_EVIDENCE)


def test_facts_that_contradict_themselves_prove_no_change() -> None:
    twice = Counts(duplicates=200)
    for pilot in (0.0, 0.3):
        item = found(sums(pilot=pilot), quality=twice)
        assert (item.by_change, item.verdict, item.untrusted) == (NO_EVIDENCE, NO_EVIDENCE, True)
        assert item.reasons[0].startswith("nothing can be said of a change of Lead follow-up SLA")


def test_what_can_only_flatter_keeps_a_change_from_being_met_and_excuses_none_for_the_worse() -> None:
    flattered: dict[str, Any] = {"numerator": 200.0, "denominator": 222.0, "parts": {"met_backdated": 150.0}}
    good, bad = found(sums(), **flattered), found(sums(pilot=0.3), **flattered)
    assert (good.by_change, good.verdict, good.untrusted) == (CANNOT_TELL, CANNOT_TELL, True)
    assert (bad.by_change, bad.verdict, bad.untrusted) == (NOT_MET, NOT_MET, False)


def test_a_change_alone_still_asks_for_a_value_and_the_agreed_sample() -> None:
    assert found(sums(), group=group(None)).verdict is NO_EVIDENCE
    few = found(sums(), group=group(90.0, n_partners=1))
    assert (few.by_change, few.verdict) == (MET, CANNOT_TELL)


def test_a_breach_of_either_is_not_met() -> None:
    by_threshold = found(sums(), ">= 95")
    assert (by_threshold.verdict, by_threshold.by_thresholds, by_threshold.by_change) == (NOT_MET, NOT_MET, MET)
    by_change = found(sums(pilot=0.3), ">= 40")
    assert (by_change.verdict, by_change.by_thresholds, by_change.by_change) == (NOT_MET, MET, NOT_MET)


def test_a_change_uses_up_no_tolerance_and_ends_no_run_of_breaches() -> None:
    assert counts_as(found(sums(pilot=0.3))) is None
    assert counts_as(found(sums())) is None
    assert counts_as(found(sums(pilot=0.3), ">= 40")) is False
    assert counts_as(found(sums(), ">= 95")) is True
    assert counts_as(found(sums(pilot=0.3), ">= 95")) is True


def test_those_who_fell_behind_are_named_the_furthest_first() -> None:
    item = found(sums(pilot=0.3, some=9))
    assert item.by_change is NOT_MET
    assert set(item.partners) <= set(PILOT[:9])
    assert len(item.partners) == 5
    assert item.reasons[1].startswith(f"furthest from them: {item.partners[0]} -")


def test_who_lost_no_more_than_the_market_is_not_to_blame() -> None:
    """All lose 20 points, and nine of the pilot 30 more: the other three are never named."""
    item = found(sums(pilot=0.3, market=0.2, some=9))
    assert item.by_change is NOT_MET
    assert set(item.partners) <= set(PILOT[:9])


def test_who_gained_less_than_a_rising_market_is_named() -> None:
    """The pilot stays where it was while comparable partners gain 30 points."""
    then, now = sides(PILOT, 100, 0.5), sides(PILOT, 40, 0.8, less=0.3, some=8)
    rising = Sums(
        before={("pilot", SLA): then, ("control", SLA): sides(CONTROL, 100, 0.5)},
        since={("pilot", SLA, SINCE): now, ("control", SLA, SINCE): sides(CONTROL, 40, 0.8)},
        compared=CONTROL,
    )
    item = found(rising)
    assert item.by_change is NOT_MET
    assert len(item.partners) == 5
    assert set(item.partners) <= set(PILOT[:8])


def test_leads_are_named_of_the_partners_who_are() -> None:
    leads = tuple(
        LeadDriver(partner_id=one, lead_id=f"L-{one}", due_at=AS_OF, state="late") for one in (PILOT[0], PILOT[11])
    )
    item = found(sums(pilot=0.3, some=9), leads=leads)
    assert PILOT[0] in item.partners
    assert item.leads == (f"L-{PILOT[0]}",)
    assert found(sums(), leads=leads).leads == ()


def test_only_comparable_partners_own_past_is_compared_with() -> None:
    """A cohort that is not compared has a past, too: it must not be taken for theirs."""
    strangers = {**sums().before, ("wave-one", SLA): sides([f"W{one}" for one in range(12)], 100, 0.1)}
    with_them = sums()._replace(before=strangers)
    assert question(plan(), with_them).before.compared == question(plan(), sums()).before.compared
    assert found(with_them).change == found(sums()).change


def test_what_is_asked_is_what_the_plan_shares_and_expects() -> None:
    """The risk, the enlargements to come, the planned end and the baseline are the cohort's own."""
    asking = plan()
    agreed_on = _sla(asking)
    for cohort in ("pilot", asking.cohorts.waves[0].name):
        own, other = [row(one, 80, 100) for one in PILOT], [row(one, 20, 100) for one in PILOT]
        before = {(cohort, SLA): own, (cohort, VELOCITY): deals(CONTROL, 12), ("another", SLA): other}
        asking_of = question(asking, Sums(before, {}, CONTROL), cohort=cohort)
        assert asking_of.before == Sides(own, ())
        assert asking_of.share == pause_share(asking, agreed_on, cohort)
        assert asking_of.enlargements == enlargements(asking, cohort)
        assert asking_of.ends == planned_end(asking, cohort, SINCE)
    assert pause_share(asking, agreed_on, "pilot") < 1
    assert enlargements(asking, "pilot") > 0


def test_who_is_on_no_frozen_list_leaves_no_evidence() -> None:
    asking = question(plan(), sums(pilot=0.3), members=(11, 12))
    assert asking.gates[0].gate is Gate.DRIFT
    item = judged(reading(), _sla(plan()), baseline(), change=asking)
    assert (item.by_change, item.verdict) == (NO_EVIDENCE, NO_EVIDENCE)


def test_nobody_to_compare_with_is_never_met_and_may_be_worse() -> None:
    asking = plan()
    for worse, verdict in ((0.0, CANNOT_TELL), (0.3, NOT_MET)):
        alone = question(asking, sums(pilot=worse), compared=None, members=(12, 0))
        item = judged(reading(), _sla(asking), baseline(), change=alone)
        assert item.by_change is verdict
        assert item.change is not None
        assert item.change.uncontrolled


def test_a_stretch_is_asked_of_each_beginning_however_young() -> None:
    later = THROUGH - timedelta(days=6)
    assert [one.since for one in question(plan(), sums(), since=(SINCE, later)).stretches] == [SINCE, later]
    young = question(plan(), sums(), since=(THROUGH + DAY,))
    assert [one.since for one in young.stretches] == [THROUGH + DAY]
    assert young.gates


def deals(partners: Sequence[str], number: float, *, less: float = 0, some: int = 0) -> list[PartnerReading]:
    """Partners who win so many deals worth 1,000 each after 30 days, give or take; the first `some` a part less."""
    found = []
    for place, one in enumerate(partners):
        won = number * (1 - (less if place < some else 0)) * (1 + 0.02 * (place * int(number) % 5 - 2))
        parts = {"opportunities": 2 * won, "won": won, "lost": won, "won_value": 1000 * won, "cycle_days": 30 * won}
        found.append(PartnerReading(partner_id=one, numerator=None, denominator=None, facts=int(2 * won), parts=parts))
    return found


def velocity(less: float, market: float = 0.0) -> MetricAssessment:
    """Four weeks of baseline with twelve deals each, and three weeks since then with nine."""
    agreed_on = agreed(metric=VELOCITY).model_copy(
        update={"thresholds": (), "change": ChangeRule(margin=Margin(number=10, relative=True))}
    )
    rows = Sums(
        before={("pilot", VELOCITY): deals(PILOT, 12), ("control", VELOCITY): deals(CONTROL, 12)},
        since={
            ("pilot", VELOCITY, SINCE): deals(PILOT, 9 * (1 - market), less=less, some=12),
            ("control", VELOCITY, SINCE): deals(CONTROL, 9 * (1 - market)),
        },
        compared=CONTROL,
    )
    matured = Matured(
        cohort="pilot", metric=VELOCITY, since=(SINCE,), through=THROUGH, compared="control", members=(12, 12)
    )
    frozen = baseline(12000.0, VELOCITY)
    return judged(reading(9000.0, VELOCITY), agreed_on, frozen, change=asked(plan(), agreed_on, matured, rows, frozen))


def test_an_amount_is_judged_by_the_part_it_changed_whatever_the_length_of_the_days() -> None:
    item = velocity(less=0.5)
    assert item.by_change is NOT_MET
    assert item.change is not None
    assert item.change.unit == "%"
    assert item.change.estimate == pytest.approx(-50, abs=3)
    assert set(item.partners) <= set(PILOT)
    assert len(item.partners) == 5
    assert velocity(less=0.0).verdict is MET
    assert velocity(less=0.0, market=0.3).by_change is MET
