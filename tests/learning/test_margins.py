"""What the next cycle could agree on as a margin: what gates bore and cohorts could show, never a wider one."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from typing import Any

import pytest

from cli.planfile import parse_plan
from learning.limits import limits
from learning.margins import gate_looks, propose_margin
from learning.next_cycle import Draft, next_cycle
from learning.record import phases
from models.change import MaterialChange
from models.command import Verb
from models.evidence import Verdict
from models.learning import ChangeReading, Readings
from models.metric import MetricName
from models.plan import RolloutPlan
from models.plan_change import METHOD, ChangeRule, Margin
from record.plan_text import plan_text
from tests.learning.stories import SLA, baseline, breach, finish, reading
from tests.plans import judged_by_change, make_plan
from tests.workflows.simulator import Simulator

DAY, HOUR = timedelta(days=1), timedelta(hours=1)
PLAN = make_plan(**judged_by_change(margin="5pp"))
VELOCITY = MetricName.PIPELINE_VELOCITY


def ran(plan: RolloutPlan = PLAN, *, paused: bool = False) -> Simulator:
    rollout = Simulator(plan)
    rollout.to_pilot()
    rollout.wait(5 * DAY)
    if paused:
        breach(rollout)
        rollout.wait(DAY)
        rollout.verdicts.clear()
        rollout.ask(Verb.RESUME, "revops_owner", "staff is back")
    finish(rollout)
    return rollout


@pytest.fixture(scope="module")
def quiet() -> Simulator:
    return ran()


def change(**fields: Any) -> MaterialChange:
    """0.5 points worse, with an error of 1 of ten degrees of freedom; *met* is judged 2.5 errors to the bad side.

    The quantile of t for 80 % at ten degrees of freedom is 0.879: where nothing changed, 2.5 + 0.879 = 3.379 points
    would be met in four of five. What would have been seen was 3.1.
    """
    told: dict[str, Any] = {
        "method": 2,
        "sentence": "",
        "unit": "points",
        "margin": 5.0,
        "estimate": -0.5,
        "interval": (-3.0, 1.6),
        "error": 1.0,
        "freedom": 10.0,
        "detectable": 3.1,
    }
    return MaterialChange(**told | fields)


def look(at: datetime, since: datetime, verdict: Verdict = Verdict.MET, **fields: Any) -> ChangeReading:
    told = change(since=since, matured_through=at - 5 * DAY, **fields)
    return ChangeReading(cohort="pilot", metric=SLA, as_of=at, verdict=verdict, change=told)


def at_gates(rollout: Simulator, *told: dict[str, Any]) -> tuple[ChangeReading, ...]:
    """A look at the pilot an hour before each of its phases was left, as told; the rest as the last one told."""
    entered = [one for one in phases(rollout.recorded) if one.phase != "prepare"]
    ends = [one.left for one in entered if one.left is not None]
    given = [*told, *[told[-1] if told else {}] * len(ends)]
    return tuple(look(end - HOUR, entered[0].entered, **fields) for end, fields in zip(ends, given, strict=False))


def drafted(rollout: Simulator, changes: tuple[ChangeReading, ...], plan: RolloutPlan = PLAN) -> Draft:
    judged = tuple(reading(95.0, 3 + number) for number in range(4))
    readings = Readings(baselines=(baseline("pilot", SLA, 90.0),), judged=judged, changes=changes)
    return next_cycle(plan, rollout.recorded, readings, today=date(2026, 5, 1))


def margin_of(draft: Draft) -> tuple[str, str]:
    agreed = draft.plan.metrics[0].change
    assert agreed is not None
    [why] = draft.reasons["metrics.0.change"]
    return str(agreed.margin), why


def test_a_margin_becomes_as_strict_as_every_gate_would_have_borne(quiet: Simulator) -> None:
    """3.379 is needed and 3.1 was shown: the larger of both, upwards to a whole tenth, is 3.4."""
    draft = drafted(quiet, at_gates(quiet))
    margin, why = margin_of(draft)
    assert margin == "3.4pp"
    assert why.startswith("margin 3.4pp, was 5pp: of 4 looks at gates pilot on ")
    assert "needed most, 3.38pp to be met" in why
    assert "would have shown one of 3.1pp" in why
    text = plan_text(draft.plan, draft.head, draft.reasons)
    assert parse_plan(text, "plan.yaml") == draft.plan
    assert "# margin 3.4pp, was 5pp" in " ".join(text.split())


def test_the_next_cycle_is_judged_by_the_method_of_new_plans(quiet: Simulator) -> None:
    """Whatever was signed for this one, and however its margin comes out; who edits the draft reads that it is so."""
    [rule, *others] = PLAN.metrics
    assert rule.change is not None
    before = rule.model_copy(update={"change": rule.change.model_copy(update={"method": 1})})
    plan = PLAN.model_copy(update={"metrics": (before, *others)})
    draft = drafted(quiet, at_gates(quiet), plan)
    agreed = draft.plan.metrics[0].change
    assert agreed is not None
    assert agreed.method == METHOD == 2
    assert draft.reasons["metrics.0.change"][1] == "judged by method 2, was 1: what new plans are judged by"
    text = plan_text(draft.plan, draft.head, draft.reasons)
    assert parse_plan(text, "plan.yaml").digest == draft.plan.digest


def test_bad_luck_that_was_borne_counts_beyond_what_is_likely(quiet: Simulator) -> None:
    """1.2 worse than nothing is more than the 0.879 of luck: 2.5 + 1.2 = 3.7 would have been met as it was."""
    unlucky = {"estimate": -1.2, "interval": (-3.7, 0.9)}
    assert margin_of(drafted(quiet, at_gates(quiet, unlucky, {})))[0] == "3.7pp"


def test_the_hardest_gate_counts_and_the_last_look_at_what_could_be_shown(quiet: Simulator) -> None:
    """Early on it is less sure: an error of 1.2 with 2.4 to the bad side asks for 2.4 + 1.055 = 3.455, so for 3.5. That
    it could show no less than 4.5 then does not count; that it shows 4.2 in the end does."""
    early = {"error": 1.2, "interval": (-2.9, 2.0), "detectable": 4.5}
    assert margin_of(drafted(quiet, at_gates(quiet, early, {})))[0] == "3.5pp"
    assert margin_of(drafted(quiet, at_gates(quiet, early, {}, {"detectable": 4.2})))[0] == "4.2pp"


def test_a_margin_is_never_widened_and_what_would_have_been_seen_is_said(quiet: Simulator) -> None:
    draft = drafted(quiet, at_gates(quiet, {"detectable": 6.25}))
    margin, why = margin_of(draft)
    assert margin == "5pp"
    assert why.startswith("margin 5pp: as before; ")
    assert "leaves no room for a stricter one" in why
    wanted = "more partners, more time or a wider margin are for owners to argue"
    assert why.endswith(f"would not have shown less than 6.25pp: {wanted}")


@pytest.mark.parametrize("verdict", [Verdict.CANNOT_TELL, Verdict.NO_EVIDENCE, Verdict.NOT_MET])
def test_a_gate_that_was_passed_without_being_met_leaves_the_margin(quiet: Simulator, verdict: Verdict) -> None:
    """People let the metric be: nobody knows which margin would have been borne."""
    draft = drafted(quiet, at_gates(quiet, {}, {"verdict": verdict, "detectable": 6.2}, {}))
    margin, why = margin_of(draft)
    assert margin == "5pp"
    assert f"pilot was {verdict.value} on " in why
    assert "wider margin" not in why


def test_what_could_not_be_told_at_the_last_gate_says_what_would_have_been_seen(quiet: Simulator) -> None:
    _, why = margin_of(drafted(quiet, at_gates(quiet, {"verdict": Verdict.CANNOT_TELL, "detectable": 6.2})))
    assert "(and 3 more looks at gates count as little)" in why
    assert "would not have shown less than 6.2pp: more partners, more time or a wider margin" in why


def test_a_pause_in_the_days_that_a_look_rests_on_leaves_the_margin() -> None:
    """The pilot paused on day 5; what it shows since its enrolment has that in it. A stretch from then on has not."""
    rollout = ran(paused=True)
    margin, why = margin_of(drafted(rollout, at_gates(rollout)))
    assert margin == "5pp"
    assert "holds a pause or failed period" in why
    resumed = rollout.recorded[0].programme_at + 10 * DAY
    after = tuple(one.model_copy(update={"change": change(since=resumed)}) for one in at_gates(rollout))
    assert margin_of(drafted(rollout, after))[0] == "3.4pp"


def test_a_failed_period_of_the_change_itself_leaves_the_margin(quiet: Simulator) -> None:
    looks = at_gates(quiet)
    began = looks[0].as_of - 9 * DAY
    failed = look(began, began - 5 * DAY, Verdict.NOT_MET)
    later = tuple(one.model_copy(update={"change": change(since=began - 6 * DAY)}) for one in looks)
    assert margin_of(drafted(quiet, (failed, *later)))[0] == "5pp"
    assert margin_of(drafted(quiet, later))[0] == "3.4pp"


def test_of_a_phase_that_was_never_passed_nothing_is_learnt(quiet: Simulator) -> None:
    margin, why = margin_of(drafted(quiet, ()))
    assert (margin, why) == ("5pp", "margin 5pp: as before; no phase was passed in which this change was judged")
    after = look(quiet.now + DAY, quiet.now - 20 * DAY)
    assert gate_looks(PLAN, SLA, quiet.recorded, Readings(judged=(reading(95.0, 3),), changes=(after,))) == ()


def test_an_interval_without_an_end_says_nothing(quiet: Simulator) -> None:
    _, why = margin_of(drafted(quiet, at_gates(quiet, {"interval": (None, 1.6)})))
    assert "an interval without an end" in why


def test_why_a_look_says_nothing_of_margins_is_said_as_it_is(quiet: Simulator) -> None:
    _, why = margin_of(drafted(quiet, at_gates(quiet, {"margin": 0.0})))
    assert "was judged by a margin of nothing, and no other can be told from that" in why
    _, why = margin_of(drafted(quiet, at_gates(quiet, {"detectable": None})))
    assert "a look at a gate does not say how large a change would have been seen" in why
    for told in (why, margin_of(drafted(quiet, at_gates(quiet, {"margin": 0.0})))[1]):
        assert "interval" not in told


def test_a_part_of_the_baseline_stays_one(quiet: Simulator) -> None:
    """10 % of a baseline of 50 are 5 points, so the 3.379 points that are needed are 6.758 %: 7 in halves."""
    plan = make_plan(**judged_by_change(margin="10%"))
    margin, why = margin_of(drafted(ran(plan), at_gates(quiet), plan))
    assert margin == "7%"
    assert "needed most, 6.76% to be met" in why


def test_how_near_a_margin_was_is_told_in_what_the_change_was_judged_in(quiet: Simulator) -> None:
    """10 % of a baseline of 50 are 5 points: 2 points worse leave 3 of 5, and not 8 of 10."""
    plan = make_plan(**judged_by_change(margin="10%"))
    worst = look(quiet.now, quiet.now - 20 * DAY, estimate=-2.0)
    [found] = limits(plan, Readings(judged=(reading(95.0, 3),), changes=(worst,)))[:1]
    assert (found.distance, found.share, found.unit) == (3.0, 0.6, "pp")


def velocity(**fields: Any) -> MaterialChange:
    """Judged by logarithms: ln(0.9) is -0.10536, so that an interval to -10 % with no change reaches that far."""
    return change(unit="%", margin=15.0, estimate=0.0, interval=(-10.0, 12.0), error=0.05, detectable=11.0, **fields)


def test_an_amount_is_reckoned_on_the_scale_it_is_judged_on(quiet: Simulator) -> None:
    """0.10536 + 0.879 * 0.05 = 0.14931 down are 1 - exp(-0.14931) = 13.87 %: 14 in whole ones."""
    looks = tuple(
        one.model_copy(update={"metric": VELOCITY, "change": velocity(since=one.change.since)})
        for one in at_gates(quiet)
        if one.change is not None
    )
    found = gate_looks(PLAN, VELOCITY, quiet.recorded, Readings(judged=(reading(95.0, 3),), changes=looks))
    rule, why = propose_margin(ChangeRule(margin=Margin(number=15, relative=True)), VELOCITY, found)
    assert str(rule.margin) == "14%"
    assert "needed most, 13.9% to be met" in why


def test_of_an_alarm_on_both_sides_the_side_of_the_estimate_counts(quiet: Simulator) -> None:
    """0.5 more, and 2.5 errors further up it is still met: the upper end is the bad one here."""
    more = {"estimate": 0.5, "interval": (-1.6, 3.0)}
    looks = tuple(one.model_copy(update={"metric": MetricName.MDF_SPEND}) for one in at_gates(quiet, more))
    found = gate_looks(PLAN, MetricName.MDF_SPEND, quiet.recorded, Readings(judged=(reading(95.0, 3),), changes=looks))
    rule, _ = propose_margin(ChangeRule(margin=Margin(number=5)), MetricName.MDF_SPEND, found)
    assert str(rule.margin) == "3.4pp"
