"""The next cycle's draft rests on accepted evidence alone, and says why each part is as it is."""

from __future__ import annotations

import random
from collections.abc import Sequence
from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cli.plan_template import usual_rule
from cli.planfile import parse_plan
from learning.accepted import NothingAccepted, accepted, clean_since, halted
from learning.entries import ordered
from learning.next_cycle import Draft, next_cycle, next_id
from learning.record import GoesBy, decision_record
from models.command import PauseVerdict
from models.evidence import Verdict
from models.learning import JudgedReading, Readings
from models.metric import CATALOGUE
from models.plan import OptionKey, RolloutPlan
from models.plan_risk import Risk, ShownBy, Wait
from models.quality import Check
from record.plan_text import plan_text
from tests.learning.stories import (
    MARGIN,
    PLAN,
    READINGS,
    SLA,
    baseline,
    breach,
    finish,
    judge,
    paused_and_finished,
    reading,
    stopped_in_pilot,
)
from tests.plans import judged_by_change, make_plan
from tests.workflows.simulator import START, Simulator

TODAY = date(2026, 5, 1)
DAY = timedelta(days=1)
BASELINES = READINGS.baselines


@pytest.fixture(scope="module")
def finished() -> Simulator:
    """In the pilot from day 2, paused on days 7 to 12, in scale from day 46 to 62."""
    return paused_and_finished()


@pytest.fixture(scope="module")
def quiet() -> Simulator:
    """A rollout in which nothing ever paused."""
    rollout = Simulator(PLAN)
    rollout.to_pilot()
    finish(rollout)
    assert not rollout.state.pauses
    return rollout


def drafted(rollout: Simulator, judged: Sequence[JudgedReading] = (), plan: RolloutPlan = PLAN) -> Draft:
    readings = Readings(baselines=BASELINES, judged=tuple(judged))
    return next_cycle(plan, rollout.recorded, readings, today=TODAY)


def steady(value: float, days: Sequence[int], **more: object) -> list[JudgedReading]:
    """Readings that wander by up to one around a value."""
    drawn = random.Random(7)
    return [reading(value + drawn.uniform(-1, 1), day, **more) for day in days]  # type: ignore[arg-type]


def test_a_draft_is_a_valid_plan_that_reads_back_as_itself(finished: Simulator) -> None:
    draft = drafted(finished, READINGS.judged)
    text = plan_text(draft.plan, draft.head, draft.reasons)
    assert parse_plan(text, "plan.yaml") == draft.plan
    assert draft.plan.id == "test-plan-2"
    assert draft.plan.supersedes is not None
    assert (draft.plan.supersedes.rollout, draft.plan.supersedes.plan_digest) == (PLAN.id, PLAN.digest)
    assert draft.plan.quality == "draft"
    assert "It starts nothing" in text


def test_a_failed_period_never_becomes_a_baseline(quiet: Simulator) -> None:
    """Not the failed reading, not what follows it before it recovers, and nothing whose window still holds it."""
    failed = [
        reading(90.0, 3),
        reading(40.0, 5, Verdict.NOT_MET),
        reading(41.0, 6, Verdict.CANNOT_TELL),
        reading(60.0, 8),
        reading(61.0, 20),
        reading(92.0, 37),
    ]
    [sla, _] = accepted(PLAN, quiet.recorded, Readings(baselines=BASELINES, judged=tuple(failed)))
    assert [one.value for one in sla.readings] == [90.0, 92.0]
    assert (sla.baseline, sla.frozen) == (91.0, False)


def test_a_paused_period_never_becomes_a_baseline_of_any_metric(finished: Simulator) -> None:
    """The pause was the SLA's; what the margin did meanwhile is not accepted either."""
    judged = [reading(20.0 + day, day, metric=MARGIN) for day in (3, 8, 11, 20, 39, 42)]
    [_, margin] = accepted(PLAN, finished.recorded, Readings(baselines=BASELINES, judged=tuple(judged)))
    # 28 days after the end of the last pause on day 12 the window has left it behind.
    assert [one.as_of for one in margin.readings] == [START + 3 * DAY, START + 42 * DAY]


def test_a_phase_that_was_never_passed_accepts_nothing_and_the_frozen_baseline_stands() -> None:
    rollout = stopped_in_pilot()
    [sla, margin] = accepted(PLAN, rollout.recorded, Readings(baselines=BASELINES, judged=(reading(99.0, 2),)))
    assert (sla.readings, sla.baseline, sla.frozen) == ((), 90.0, True)
    assert margin.baseline == 25.0


@given(st.lists(st.tuples(st.integers(0, 70), st.sampled_from(Verdict), st.sampled_from([SLA, MARGIN])), max_size=40))
def test_no_accepted_reading_lies_in_what_went_wrong(
    finished: Simulator, found: list[tuple[int, Verdict, object]]
) -> None:
    judged = tuple(reading(50.0 + day, day, verdict, metric=metric) for day, verdict, metric in found)  # type: ignore[arg-type]
    readings, pauses = Readings(baselines=BASELINES, judged=judged), halted(ordered(finished.recorded))
    for one in accepted(PLAN, finished.recorded, readings):
        wrong = [look.as_of for look in judged if look.metric is one.metric and look.verdict is Verdict.NOT_MET]
        window = next(metric.window for metric in PLAN.metrics if metric.metric is one.metric)
        for taken in one.readings:
            assert taken.verdict is Verdict.MET
            assert not any(taken.as_of - window <= moment < taken.as_of for moment in wrong)
            assert not any(pause.meets(taken.as_of - window, taken.as_of) for pause in pauses)


def test_a_rollout_that_never_left_prepare_is_refused_by_name() -> None:
    rollout = Simulator(PLAN)
    rollout.confirm_all()
    with pytest.raises(NothingAccepted, match="test-plan never left prepare: no gate was passed"):
        drafted(rollout, READINGS.judged)


def test_a_rollout_without_any_value_is_refused() -> None:
    rollout = stopped_in_pilot()
    nothing = Readings(baselines=(baseline("pilot", SLA, None), baseline("pilot", MARGIN, None)))
    with pytest.raises(NothingAccepted, match="no metric of test-plan has an accepted reading"):
        next_cycle(PLAN, rollout.recorded, nothing, today=TODAY)


def test_a_limit_becomes_as_strict_as_accepted_evidence_bears(quiet: Simulator) -> None:
    draft = drafted(quiet, steady(95.0, range(1, 30)))
    [sla, margin] = draft.plan.metrics
    absolute, relative = sla.thresholds
    assert 90 < absolute.number < 94.1
    assert -5 < relative.number < 0
    [why, _] = draft.reasons["metrics.0.thresholds"]
    assert why.startswith(f"{absolute}, was >= 85: 29 accepted readings lay between")
    # Of the margin nothing was read: it stays as it was agreed, and says so.
    assert margin.thresholds == PLAN.metrics[1].thresholds
    assert draft.reasons["metrics.1.thresholds"][0].startswith(">= 20: as before; 0 accepted readings")


def test_a_limit_is_never_loosened_by_itself(quiet: Simulator) -> None:
    draft = drafted(quiet, steady(85.5, range(1, 30)))
    assert draft.plan.metrics[0].thresholds[0] == PLAN.metrics[0].thresholds[0]
    assert "leaves no room for a stricter one" in draft.reasons["metrics.0.thresholds"][0]


def test_readings_of_one_window_or_all_alike_say_nothing_of_chance(quiet: Simulator) -> None:
    few, alike = steady(95.0, range(1, 25)), [reading(95.0, day) for day in range(1, 30)]
    for readings, told in ((few, "are of one window"), (alike, "are all alike")):
        draft = drafted(quiet, readings)
        assert draft.plan.metrics[0].thresholds == PLAN.metrics[0].thresholds
        assert all(told in one for one in draft.reasons["metrics.0.thresholds"])


def test_a_warning_that_would_be_looser_than_the_new_limit_is_left_out(quiet: Simulator) -> None:
    metrics = [one.model_dump(mode="json") for one in PLAN.metrics]
    metrics[0] |= {"thresholds": [">= 85"], "warning": [">= 88", ">= 96"]}
    plan = make_plan(metrics=metrics)
    draft = drafted(quiet, steady(95.0, range(1, 30)), plan)
    assert [str(one) for one in draft.plan.metrics[0].warning] == [">= 96"]
    assert "would be looser than the new threshold" in draft.reasons["metrics.0.warning"][0]


def test_checks_of_the_data_that_new_plans_have_are_proposed_where_the_plan_is_silent(quiet: Simulator) -> None:
    draft = drafted(quiet, steady(95.0, range(1, 30)))
    sla, margin = draft.plan.metrics
    assert (sla.data_quality, margin.data_quality) == ((), usual_rule(CATALOGUE[MARGIN]).data_quality)
    assert [one.check for one in margin.data_quality] == [Check.COSTS]
    assert draft.reasons["metrics.1.data_quality"][0].startswith("costs: not in the plan of the cycle before")
    assert "metrics.0.data_quality" not in draft.reasons
    assert draft.reasons["metrics.1.data_quality"][0] in plan_text(draft.plan, draft.head, draft.reasons)


def test_what_the_plan_says_of_a_check_stands_and_of_a_change_it_is_asked_whether_the_compared_still_tell(
    quiet: Simulator,
) -> None:
    given = judged_by_change(margin="5pp")
    margin = PLAN.metrics[1].model_dump(mode="json") | {"data_quality": [{"check": "costs", "source": "erp", "red": 2}]}
    plan = make_plan(**{**given, "metrics": [given["metrics"][0], margin]})
    sla, proposed = drafted(quiet, steady(95.0, range(1, 30)), plan).plan.metrics
    assert [(one.check, one.amber, one.red) for one in sla.data_quality] == [(Check.COMPARED, 5, 25)]
    assert proposed.data_quality == plan.metrics[1].data_quality


def paused() -> tuple[Simulator, int]:
    rollout = Simulator(PLAN)
    rollout.to_pilot()
    rollout.wait(5 * DAY)
    breach(rollout)
    return rollout, rollout.state.pauses[0].sequence


def test_a_breach_more_is_tolerated_only_where_owners_judged_a_false_alarm() -> None:
    rollout, pause = paused()
    assert drafted(rollout).plan.metrics[0].tolerance.in_a_row == 0
    assert drafted(rollout).reasons["metrics.0.tolerance"] == ("as before; it paused the rollout: 1 unjudged",)
    judge(rollout, pause, "revops_owner", PauseVerdict.FALSE_ALARM)
    assert drafted(rollout).plan.metrics[0].tolerance.in_a_row == 1
    assert drafted(rollout).reasons["metrics.0.tolerance"][0].startswith("in_a_row 1, was 0")
    judge(rollout, pause, "revops_owner", PauseVerdict.RIGHT)
    assert drafted(rollout).plan.metrics[0].tolerance.in_a_row == 0


def test_risks_of_which_nothing_came_are_let_go_and_the_rest_is_carried(finished: Simulator, quiet: Simulator) -> None:
    spoke = [reading(95.0, day, metric=metric) for day in (3, 9) for metric in (SLA, MARGIN)]
    names = [one.risk for one in drafted(quiet, spoke).plan.risks]
    assert "Late follow-up breaks the SLA" not in names
    assert "A competitor copies the rebate" in names
    assert any("nothing came of it: Late follow-up" in one for one in drafted(quiet, spoke).reasons["risks"])
    assert "Late follow-up breaks the SLA" in [one.risk for one in drafted(finished, spoke).plan.risks]
    # Without any reading the log is silent, and silence settles nothing.
    assert "Late follow-up breaks the SLA" in [one.risk for one in drafted(quiet).plan.risks]


SUMMER = "Slow answers in the summer"
"""Names metrics, waits and roles, so that its words, which speak of slowness, are not asked."""


def test_a_reading_beyond_two_limits_of_its_metric_is_one_reading(quiet: Simulator) -> None:
    """80 is below 85, and more than 5 % below the baseline of 90."""
    judged = (reading(91.0, 3), reading(80.0, 4, Verdict.NOT_MET), reading(80.0, 4, cohort="wave-one"))
    found = decision_record(PLAN, quiet.recorded, Readings(baselines=BASELINES, judged=judged))
    assert [one.beyond for one in found.review.limits if one.metric is SLA and one.cohort == "pilot"] == [1, 1]
    [story] = [one for one in found.risks if SLA in one.metrics]
    assert story.beyond == {SLA: 2}


def test_what_the_plan_names_goes_before_the_words_of_a_risk(quiet: Simulator) -> None:
    stories = {one.risk.risk: one for one in decision_record(PLAN, quiet.recorded, READINGS).risks}
    summer, late = stories[SUMMER], stories["Late follow-up breaks the SLA"]
    assert (summer.by, summer.metrics, summer.roles) == (GoesBy.PLAN, (MARGIN,), ("revops_owner",))
    assert (summer.waits, summer.drag) == ((Wait.PEOPLE, Wait.RESULTS), False)
    assert (late.by, late.metrics) == (GoesBy.WORDS, (SLA,))
    assert stories["A competitor copies the rebate"].by is GoesBy.NOTHING


def settled_without(quiet: Simulator, shown: ShownBy | None, judged: Sequence[JudgedReading]) -> bool:
    """Whether a risk of words that say nothing is let go."""
    risk = Risk(risk="Something else", mitigation="none", shown_by=shown)
    plan = PLAN.model_copy(update={"risks": (risk, PLAN.risks[3])})
    return risk not in drafted(quiet, judged, plan).plan.risks


@pytest.mark.parametrize(
    ("shown", "gone"),
    [
        (None, False),
        (ShownBy(metrics=(SLA,)), True),
        (ShownBy(metrics=(SLA, MARGIN)), False),
        (ShownBy(waits=(Wait.DATA,)), True),
        (ShownBy(waits=(Wait.RESULTS,)), True),
        (ShownBy(waits=(Wait.PEOPLE,)), False),
        (ShownBy(roles=("revops_owner",)), True),
        (ShownBy(roles=("sponsor",)), False),
        (ShownBy(metrics=(SLA,), roles=("sponsor",)), False),
    ],
    ids=["nothing", "quiet", "unread", "data", "results", "people", "nobody-waited", "sponsor-waited", "one-of-two"],
)
def test_a_named_risk_is_let_go_where_all_that_it_names_is_quiet(
    quiet: Simulator, shown: ShownBy | None, gone: bool
) -> None:
    """The SLA was read and held, the margin never read; gates waited for the sponsor longer than a twentieth."""
    assert settled_without(quiet, shown, [reading(95.0, 3), reading(95.0, 9)]) is gone


def test_data_that_could_say_nothing_keep_a_risk_that_names_them(quiet: Simulator) -> None:
    silent = [reading(95.0, 3), reading(None, 9, Verdict.NO_EVIDENCE)]
    assert not settled_without(quiet, ShownBy(waits=(Wait.DATA,)), silent)
    assert not settled_without(quiet, ShownBy(waits=(Wait.DATA,)), [])


def test_what_paused_and_no_risk_named_is_a_risk_that_names_it() -> None:
    plan = PLAN.model_copy(update={"risks": PLAN.risks[3:]})
    draft = drafted(paused()[0], plan=plan)
    assert draft.plan.risks[-1].shown_by == ShownBy(metrics=(SLA,))
    assert draft.plan.risks[:2] == plan.risks
    text = plan_text(draft.plan, draft.head, draft.reasons)
    assert parse_plan(text, "plan.yaml") == draft.plan


def test_no_baseline_begins_before_what_went_wrong_is_over(finished: Simulator) -> None:
    readings = Readings(baselines=BASELINES, judged=(reading(80.0, 30, Verdict.NOT_MET), reading(90.0, 33)))
    clean = clean_since(PLAN, finished.recorded, readings)
    assert clean == START + 33 * DAY
    draft = next_cycle(PLAN, finished.recorded, readings, today=TODAY)
    assert draft.plan.phases.baseline_from == clean.date()
    starts = clean + PLAN.phases.baseline_window
    assert draft.reasons["phases.baseline_from"][0].endswith(f"prepare holds until {starts:%Y-%m-%d}")


def test_a_day_on_which_something_still_went_wrong_stands_in_no_baseline(finished: Simulator) -> None:
    until = START + 33 * DAY + timedelta(hours=1)
    looks = (reading(80.0, 30, Verdict.NOT_MET), reading(90.0, 33).model_copy(update={"as_of": until}))
    draft = next_cycle(PLAN, finished.recorded, Readings(baselines=BASELINES, judged=looks), today=TODAY)
    assert draft.plan.phases.baseline_from == (until + DAY).date()


def test_where_nothing_went_wrong_any_day_may_stand_in_a_baseline(quiet: Simulator) -> None:
    assert drafted(quiet).plan.phases.baseline_from is None


def test_a_stopped_rollout_says_what_was_stopped_and_begins_with_a_pilot() -> None:
    draft = drafted(stopped_in_pilot())
    assert any("the breach stays" in one for one in draft.head)
    assert "Stopping: Sam Sponsor: the breach stays" in draft.plan.context
    assert draft.plan.chosen is OptionKey.STAGED
    assert draft.plan.next_steps[0].startswith("Say what has been done about the cause of the stop")


def test_what_people_wrote_cannot_become_part_of_the_plan(quiet: Simulator) -> None:
    head = ("one\nid: forged", "two\r\nchosen: C\u2028id: forged")
    draft = drafted(quiet)
    text = plan_text(draft.plan, head, {**draft.reasons, "id": ("why\nchosen: A",)})
    assert parse_plan(text, "plan.yaml") == draft.plan


@pytest.mark.parametrize(
    ("given", "taken", "found"),
    [
        ("plan", set(), "plan-2"),
        ("plan-2", set(), "plan-3"),
        ("plan", {"plan-2", "plan-3"}, "plan-4"),
        ("q1-2026", set(), "q1-2026-2"),
        ("a" * 63, set(), "a" * 61 + "-2"),
    ],
)
def test_the_next_id_is_free_and_short_enough(given: str, taken: set[str], found: str) -> None:
    assert next_id(given, taken) == found
