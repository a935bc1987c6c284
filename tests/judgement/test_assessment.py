"""A whole snapshot judged: nothing passes by being left out, stop conditions fire on solid evidence only."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest

from judgement.assessment import assess, sealed
from judgement.counting import counts_as
from models.base import digest_json
from models.evidence import Snapshot, Verdict
from models.metric import MetricUse
from models.plan import RolloutPlan
from models.plan_metric import OnBreach
from models.quality import Check, Counts, OddMonth
from tests.judgement.readings import AS_OF, DAY, MARGIN, SCORE, SLA, baseline, beyond, reading, snapshot
from tests.plans import make_plan, plan_data


@pytest.fixture
def plan() -> RolloutPlan:
    """Judges the SLA (>= 85, stops below 40) and the margin (>= 20)."""
    return make_plan()


def with_metric(name: str, **changes: Any) -> RolloutPlan:
    metrics = [{**one, **changes} if one["metric"] == name else one for one in plan_data()["metrics"]]
    return make_plan(metrics=metrics)


def test_every_reading_the_plan_speaks_of_is_judged_by_its_own_threshold(plan: RolloutPlan) -> None:
    found = assess(plan, snapshot(reading(84.0), reading(30.0, MARGIN), reading(10.0, SCORE)), (), {})
    assert [(item.metric, item.verdict) for item in found.items] == [(SLA, Verdict.NOT_MET), (MARGIN, Verdict.MET)]
    assert (found.as_of, found.snapshot_digest) == (AS_OF, "sha256:5")


def test_nothing_measured_is_nothing_met(plan: RolloutPlan) -> None:
    for empty in (snapshot(), snapshot(reading(99.0, SCORE))):
        found = assess(plan, empty, (), {})
        assert found.items == ()
        assert found.digest.startswith("sha256:")


def test_a_reading_is_compared_with_the_baseline_of_its_own_cohort() -> None:
    plan = with_metric("lead_follow_up_sla", thresholds=[">= -5%"])
    readings = snapshot(reading(80.0), reading(80.0, cohort="wave-one"))
    found = assess(plan, readings, (baseline(95.0), baseline(80.0, cohort="wave-one")), {})
    assert [item.verdict for item in found.items] == [Verdict.NOT_MET, Verdict.MET]


def test_a_failed_period_never_becomes_the_next_baseline() -> None:
    """However often a low value was seen before, it is measured against what was frozen at the start."""
    plan = with_metric("lead_follow_up_sla", thresholds=[">= -5%"])
    sunk = {("pilot", SLA): [beyond(AS_OF - day * DAY) for day in range(9, 0, -1)]}
    found = assess(plan, snapshot(reading(70.0)), (baseline(90.0),), sunk)
    assert (found.items[0].baseline, found.items[0].verdict) == (90.0, Verdict.NOT_MET)


def test_breaches_are_counted_per_cohort_and_metric() -> None:
    plan = with_metric("lead_follow_up_sla", tolerance={"in_a_row": 1})
    past = {("pilot", SLA): [beyond(AS_OF - DAY)], ("wave-one", MARGIN): [beyond(AS_OF - DAY)]}
    found = assess(plan, snapshot(reading(80.0), reading(80.0, cohort="wave-one")), (), past)
    assert [item.verdict for item in found.items] == [Verdict.NOT_MET, Verdict.CANNOT_TELL]


def test_looks_within_half_a_cadence_are_one() -> None:
    plan = with_metric("lead_follow_up_sla", tolerance={"in_a_row": 1})
    past = {("pilot", SLA): [beyond(AS_OF - plan.phases.cadence / 3)]}
    assert assess(plan, snapshot(reading(80.0)), (), past).items[0].verdict is Verdict.CANNOT_TELL
    past = {("pilot", SLA): [beyond(AS_OF - 0.6 * plan.phases.cadence)]}
    assert assess(plan, snapshot(reading(80.0)), (), past).items[0].verdict is Verdict.NOT_MET


@pytest.mark.parametrize("changes", [{}, {"data_through": None}, {"n_facts": 9}, {"n_partners": 4}])
def test_a_stop_condition_fires_on_current_evidence_of_a_sufficient_sample(
    plan: RolloutPlan, changes: dict[str, Any]
) -> None:
    found = assess(plan, snapshot(reading(39.0, **changes)), (), {})
    assert [(one.metric, one.cohort, one.value) for one in found.stop] == (
        [(SLA, "pilot", 39.0)] if not changes else []
    )


def test_a_stop_condition_does_not_fire_on_data_that_cannot_be_trusted(plan: RolloutPlan) -> None:
    """A stop cannot be taken back: half of the facts stand there twice, and who knows what the rest is worth."""
    twice = reading(39.0).model_copy(update={"quality": Counts(duplicates=120)})
    found = assess(plan, snapshot(twice), (), {})
    assert (found.stop, found.items[0].untrusted) == ((), True)


def with_month(value: float, month: float, usual: float = 30.0) -> Snapshot:
    """A margin in whose window a month of the ledger lies at `month`."""
    odd = (OddMonth(month=date(2026, 2, 1), currency="USD", value=month, usual=usual),)
    return snapshot(reading(value, MARGIN).model_copy(update={"quality": Counts(odd_months=odd)}))


LOSS = [{"condition": "the margin is eaten up", "metric": "contribution_margin", "unless": ">= 0"}]


def test_a_stop_condition_on_a_month_in_doubt_pauses_and_leaves_the_stop_to_people() -> None:
    """A month booked at -60 % takes the margin to -19.2: as bad as it looks, or booked wrongly. Nobody can take back a
    stop; a pause can be made one. The margin is an outcome, which pauses for nothing else."""
    found = assess(make_plan(stop_conditions=LOSS), with_month(-19.2, -60.0), (), {})
    (item,) = found.items
    assert (found.stop, item.verdict, item.untrusted) == ((), Verdict.NOT_MET, False)
    assert (item.use, item.on_breach) == (MetricUse.GUARDRAIL, OnBreach.PAUSE)
    assert item.reasons[:2] == (
        "stop condition fulfilled: the margin is eaten up; on data in doubt this pauses, and a stop is left to people",
        "data in doubt: the ledger's margin of 2026-02 in USD is -60.0 %, usual 30.0: amber from 15 points from the "
        "usual month",
    )


@pytest.mark.parametrize(
    ("month", "bounds"),
    [
        (16.0, []),  # 14 points off: green
        (45.0, []),  # amber, but better than usual: without it the value is worse still
        (-60.0, [{"check": "plausibility", "amber": 100}]),  # agreed on as what may well be
    ],
)
def test_a_stop_condition_fires_on_months_that_are_in_no_doubt(month: float, bounds: list[dict[str, Any]]) -> None:
    plan = with_metric("contribution_margin", data_quality=bounds)
    plan = plan.model_copy(update={"stop_conditions": make_plan(stop_conditions=LOSS).stop_conditions})
    found = assess(plan, with_month(-19.2, month), (), {})
    assert [one.value for one in found.stop] == [-19.2]
    assert (found.items[0].use, found.items[0].verdict) == (MetricUse.OUTCOME, Verdict.NOT_MET)


def test_a_month_in_doubt_halts_nothing_that_would_not_have_stopped() -> None:
    """A margin of 5 misses its 20 and not the 0 of the condition: the outcome holds at its gate, as ever. One of 25 is
    met with a warning, and a small sample stops nobody and pauses nobody."""
    plan = make_plan(stop_conditions=LOSS)
    for value, verdict in ((5.0, Verdict.NOT_MET), (25.0, Verdict.MET)):
        (item,) = assess(plan, with_month(value, -60.0), (), {}).items
        assert (item.use, item.verdict, item.warning) == (MetricUse.OUTCOME, verdict, True)
    small = with_month(-19.2, -60.0)
    few = small.readings[0].group.model_copy(update={"n_facts": 9})
    small = small.model_copy(update={"readings": (small.readings[0].model_copy(update={"group": few}),)})
    (item,) = assess(plan, small, (), {}).items
    assert (item.use, item.verdict) == (MetricUse.OUTCOME, Verdict.CANNOT_TELL)


def test_a_guardrail_that_stops_pauses_on_a_month_in_doubt() -> None:
    plan = with_metric("contribution_margin", use="guardrail", on_breach="stop")
    stops, pauses, met = (
        assess(plan, with_month(value, month), (), {}).items[0]
        for value, month in ((5.0, 29.0), (5.0, -60.0), (25.0, -60.0))
    )
    assert (stops.verdict, stops.on_breach) == (Verdict.NOT_MET, OnBreach.STOP)
    assert (pauses.verdict, pauses.on_breach) == (Verdict.NOT_MET, OnBreach.PAUSE)
    assert pauses.reasons[0].startswith("agreed to stop when not met; on data in doubt this pauses")
    assert (met.verdict, met.on_breach) == (Verdict.MET, OnBreach.STOP)


def test_a_condition_that_is_fulfilled_in_doubt_is_a_breach_whatever_number_is_tolerated() -> None:
    """As the stop was, which asks for no second look; and it is no guardrail that nobody can read."""
    plan = with_metric("contribution_margin", tolerance={"in_a_row": 3, "met_in_a_row": 2})
    plan = plan.model_copy(update={"stop_conditions": make_plan(stop_conditions=LOSS).stop_conditions})
    (item,) = assess(plan, with_month(-19.2, -60.0), (), {}).items
    assert (item.verdict, item.blind, counts_as(item)) == (Verdict.NOT_MET, False, True)
    assert [one.check for one in item.quality if one.severity.value == "amber"] == [Check.PLAUSIBILITY]


def test_a_stop_condition_at_its_limit_does_not_fire(plan: RolloutPlan) -> None:
    assert assess(plan, snapshot(reading(40.0)), (), {}).stop == ()


def test_a_stop_condition_against_a_missing_baseline_neither_fires_nor_passes() -> None:
    conditions = [{"condition": "collapse", "metric": "lead_follow_up_sla", "unless": ">= -20%"}]
    found = assess(make_plan(stop_conditions=conditions), snapshot(reading(90.0)), (), {})
    assert (found.stop, found.items[0].verdict) == ((), Verdict.CANNOT_TELL)
    both = snapshot(reading(60.0), reading(30.0, MARGIN))
    found = assess(make_plan(stop_conditions=conditions), both, (baseline(90.0),), {})
    assert [one.condition for one in found.stop] == ["collapse"]
    assert found.items[1].verdict is Verdict.MET, "the margin has no baseline, and needs none"


def test_a_condition_that_people_call_never_fires_by_itself() -> None:
    found = assess(make_plan(stop_conditions=[{"condition": "a regulator objects"}]), snapshot(reading(1.0)), (), {})
    assert found.stop == ()


def test_the_digest_covers_everything_but_itself_and_the_id(plan: RolloutPlan) -> None:
    found = assess(plan, snapshot(reading(84.0)), (), {})
    body = found.model_dump(mode="json")
    assert found.digest == digest_json({name: body[name] for name in body if name not in ("digest", "evidence_id")})
    assert found.evidence_id == "assessment-" + found.digest.removeprefix("sha256:")[:16]
    for change in ({"snapshot_digest": "sha256:6"}, {"items": ()}, {"as_of": AS_OF + DAY}):
        assert sealed(found.model_copy(update=change)).digest != found.digest
    assert assess(plan, snapshot(reading(84.0)), (), {}) == found
