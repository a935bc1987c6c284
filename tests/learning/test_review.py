"""The closing review: what it says of rollouts that the workflow's own functions have run."""

from __future__ import annotations

import random
from datetime import timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from learning.entries import hold_of
from learning.record import decision_record
from learning.review import closing_review
from learning.spans import Span, drag
from models.command import WATCH_ACTOR, PauseVerdict, Verb
from models.evidence import Verdict
from models.learning import PEOPLE, ClosingReview, Ending, Judged, Readings, SurpriseKind, Waiting
from models.log import EntryKind, Outcome
from models.rollout import HoldKind
from record.writing import files
from tests.learning.stories import (
    MARGIN,
    PLAN,
    READINGS,
    SLA,
    baseline,
    breach,
    judge,
    paused_and_finished,
    reading,
    stopped_in_pilot,
)
from tests.workflows.simulator import START, Simulator

DAY = timedelta(days=1)


@pytest.fixture(scope="module")
def finished() -> Simulator:
    return paused_and_finished()


@pytest.fixture(scope="module")
def review(finished: Simulator) -> ClosingReview:
    return closing_review(PLAN, finished.recorded, READINGS)


def test_a_review_is_stored_and_read_back_as_the_same(review: ClosingReview) -> None:
    assert ClosingReview.model_validate_json(review.model_dump_json()) == review


def test_it_says_how_the_rollout_ended(review: ClosingReview) -> None:
    assert review.ending is Ending.COMPLETED
    assert closing_review(PLAN, stopped_in_pilot().recorded, READINGS).ending is Ending.STOPPED
    rollout = Simulator(PLAN)
    rollout.to_pilot()
    assert closing_review(PLAN, rollout.recorded, Readings()).ending is Ending.OPEN


def test_a_rollout_that_nobody_proved_to_have_started_is_over_and_not_still_going_on(finished: Simulator) -> None:
    entry = finished.recorded[0].model_copy(
        update={"sequence": 2, "kind": EntryKind.STOP, "message": "Not started: the signature does not hold"}
    )
    assert closing_review(PLAN, (finished.recorded[0], entry), Readings()).ending is Ending.STOPPED


def test_pauses_are_told_with_their_length_and_what_tripped(review: ClosingReview) -> None:
    breach, person = review.pauses
    assert breach.metrics == (SLA,)
    assert breach.until is not None
    assert breach.until - breach.since == 4 * DAY
    assert (breach.resumed_by, breach.resumed_in_place) == ("rev.ops@example.com", None)
    assert person.metrics == ()
    assert person.until is not None
    assert person.until - person.since == DAY


@pytest.mark.parametrize(
    ("breached", "alone"),
    [(True, False), (True, True), (False, False)],
    ids=["on fresh evidence", "on fresh evidence, by a release gone by", "at once"],
)
def test_who_resumed_in_an_owners_place_is_named_with_the_owner_in_the_record(breached: bool, alone: bool) -> None:
    """Watched, the request stands in an entry of its own; the one that it took effect once named the owner alone."""
    rollout, dana = Simulator(PLAN), "dana@example.com"
    if breached:
        rollout.to_pilot()
    rollout.wait(5 * DAY)
    rollout.ask(Verb.DELEGATE, "revops_owner", identity=dana, name="Dana", until=rollout.now + 60 * DAY)
    if breached:
        breach(rollout)
        rollout.verdicts.clear()
    else:
        rollout.ask(Verb.PAUSE, "revops_owner", "wrong price list")
    rollout.ask(Verb.RESUME, dana, "staff is back")
    if alone:
        at = next(at for at, one in enumerate(rollout.recorded) if one.message == "Resumed")
        named = {"actor": "rev.ops@example.com", "detail": {}}
        rollout.recorded[at] = rollout.recorded[at].model_copy(update=named)
    [pause] = closing_review(PLAN, rollout.recorded, Readings()).pauses
    assert (pause.resumed_by, pause.resumed_in_place) == ("rev.ops@example.com", dana)
    written = files(decision_record(PLAN, rollout.recorded, Readings()), "en")["record.md"]
    assert "| dana@example.com for Rev Ops |" in written


def test_a_pause_nobody_has_judged_is_not_counted_as_right(review: ClosingReview) -> None:
    assert {one.judged for one in review.pauses} == {Judged.UNJUDGED}
    assert "2 unjudged" in review.summary
    assert "right" not in review.summary


def test_owners_judgements_count_the_last_one_of_each() -> None:
    rollout = stopped_while_open()
    pause = rollout.state.pauses[0].sequence
    judge(rollout, pause, "revops_owner", PauseVerdict.FALSE_ALARM)
    assert closing_review(PLAN, rollout.recorded, READINGS).pauses[0].judged is Judged.FALSE_ALARM
    judge(rollout, pause, "revops_owner", PauseVerdict.RIGHT, "the leads were late after all")
    [said] = closing_review(PLAN, rollout.recorded, READINGS).pauses[0].judgements
    assert (said.verdict, said.why) == (PauseVerdict.RIGHT, "the leads were late after all")


def stopped_while_open() -> Simulator:
    rollout = Simulator(PLAN)
    rollout.to_pilot()
    rollout.wait(5 * DAY)
    breach(rollout)
    return rollout


def test_a_refused_judgement_does_not_count() -> None:
    rollout = stopped_while_open()
    judge(rollout, rollout.state.pauses[0].sequence, "finance_owner", PauseVerdict.FALSE_ALARM)
    assert rollout.recorded[-1].outcome is Outcome.REFUSED
    assert closing_review(PLAN, rollout.recorded, READINGS).pauses[0].judged is Judged.UNJUDGED


def test_days_are_told_apart_by_what_was_waited_for(review: ClosingReview) -> None:
    drag = review.drag
    assert drag.moving + drag.people + drag.data + drag.results == drag.length == review.ended - review.began
    assert drag.by_reason[Waiting.RESUME] == 5 * DAY
    assert drag.by_reason[Waiting.CONFIRMATION] == 2 * DAY
    assert drag.by_role["revops_owner"] >= 4 * DAY
    assert 0 < drag.share < 1


def test_a_gate_waits_for_each_role_until_it_has_decided() -> None:
    rollout = Simulator(PLAN)
    rollout.confirm_all()
    rollout.wait(3 * DAY, watched=False)
    rollout.decide("sponsor")
    reviewed = closing_review(PLAN, rollout.recorded, Readings())
    assert reviewed.drag.by_reason == {Waiting.APPROVAL: 3 * DAY}
    assert reviewed.drag.by_role["sponsor"] == 3 * DAY


def test_a_stop_ends_what_was_waited_for() -> None:
    reviewed = closing_review(PLAN, stopped_in_pilot().recorded, READINGS)
    assert reviewed.drag.by_reason[Waiting.RESUME] == 2 * DAY
    assert any(one.kind is SurpriseKind.STOP for one in reviewed.surprises)


def test_what_happens_after_the_close_makes_no_rollout_longer(finished: Simulator, review: ClosingReview) -> None:
    """The store was away when it closed, and came back ten days later."""
    log = list(finished.recorded)
    close = next(number for number, one in enumerate(log) if one.phase == "close")
    before, after = log[close - 1], log[-1]
    told = "(store unavailable): no answer"
    held = before.model_copy(update={"kind": EntryKind.HOLD, "message": f"Holding {told}", "gate": None, "detail": {}})
    late = {
        "kind": EntryKind.RELEASE,
        "message": f"Hold released {told}",
        "programme_at": after.programme_at + 10 * DAY,
    }
    log = [*log[:close], held, *log[close:], after.model_copy(update=late)]
    log = [one.model_copy(update={"sequence": number}) for number, one in enumerate(log, 1)]
    reviewed = closing_review(PLAN, log, READINGS)
    assert reviewed.drag.length == review.drag.length
    assert reviewed.drag.data == log[close].programme_at - before.programme_at < 10 * DAY


def test_how_near_a_limit_is_told_in_units_of_the_limit(review: ClosingReview) -> None:
    absolute, relative = (one for one in review.limits if (one.cohort, one.metric) == ("pilot", SLA))
    assert (absolute.distance, absolute.beyond, absolute.looks) == (-5.0, 1, 4)
    assert absolute.nearest is not None
    assert absolute.nearest.value == 80.0
    assert relative.share == pytest.approx((100 * (80 - 90) / 90 + 5) / 5)
    [margin] = (one for one in review.limits if (one.cohort, one.metric) == ("pilot", MARGIN))
    assert (margin.distance, margin.share, margin.beyond) == (2.0, 0.1, 0)


def test_what_could_not_be_told_is_no_near_miss_and_no_extreme(review: ClosingReview) -> None:
    [sla] = (one for one in review.happened if one.metric is SLA)
    assert sla.lowest is not None
    assert sla.lowest.value == 80.0
    assert sla.looks == {Verdict.MET: 3, Verdict.NOT_MET: 1, Verdict.CANNOT_TELL: 1, Verdict.NO_EVIDENCE: 1}
    assert (sla.baseline, sla.last and sla.last.value) == (90.0, 89.0)


def test_a_limit_against_a_baseline_that_is_missing_is_told_as_not_known() -> None:
    readings = Readings(baselines=(baseline("pilot", SLA, None),), judged=(reading(91.0, 3),))
    reviewed = closing_review(PLAN, stopped_in_pilot().recorded, readings)
    _, relative = (one for one in reviewed.limits if one.metric is SLA)
    assert (relative.distance, relative.share, relative.looks) == (None, None, 0)


def test_an_enrolled_cohort_without_any_reading_is_a_surprise() -> None:
    surprises = closing_review(PLAN, stopped_in_pilot().recorded, Readings()).surprises
    told = [one.told for one in surprises if one.kind is SurpriseKind.UNJUDGED]
    assert len(told) == 2
    assert all("nothing could be said" in one for one in told)


def test_refusals_and_long_holds_are_surprises() -> None:
    rollout = Simulator(PLAN)
    rollout.to_pilot()
    rollout.wait(timedelta(days=30), watched=False)
    rollout.report()
    surprises = closing_review(PLAN, [*rollout.recorded], Readings()).surprises
    assert any(one.kind is SurpriseKind.HOLD and "watch" in one.told for one in surprises)
    log = paused_and_finished().recorded
    refused = closing_review(PLAN, log, READINGS)
    told = [one for one in refused.surprises if one.kind is SurpriseKind.REFUSAL]
    assert (
        refused.refused == len(told) == sum(one.outcome is Outcome.REFUSED and one.actor != WATCH_ACTOR for one in log)
    )
    assert any("stranger@example.com" in one.told for one in told)


def test_remarks_are_what_owners_said_at_checkpoints(review: ClosingReview) -> None:
    assert review.remarks[0].said == "on course"
    assert review.remarks[0].by == "sam.sponsor@example.com"


def test_every_hold_the_workflow_writes_is_understood(finished: Simulator) -> None:
    rollouts = [finished, stopped_in_pilot()]
    silent = Simulator(PLAN)
    silent.to_pilot()
    silent.wait(timedelta(days=12), watched=False)
    found = [one for each in (*rollouts, silent) for one in each.recorded if one.kind is EntryKind.RELEASE]
    assert found
    assert all(isinstance(hold_of(one), HoldKind) for one in found)
    holds = [one for one in silent.recorded if one.message.startswith("Holding")]
    assert holds
    assert all(hold_of(one) is not None for one in holds)


def test_an_empty_log_is_refused_by_name() -> None:
    with pytest.raises(ValueError, match="decision log of test-plan is empty"):
        closing_review(PLAN, [], Readings())


@given(seed=st.integers(0, 2**32))
@settings(max_examples=25)
def test_the_order_of_entries_and_readings_does_not_matter(
    finished: Simulator, review: ClosingReview, seed: int
) -> None:
    shuffle = random.Random(seed)
    log, judged = [*finished.recorded], [*READINGS.judged]
    shuffle.shuffle(log)
    shuffle.shuffle(judged)
    again = closing_review(PLAN, [*log, *log[:3]], READINGS.model_copy(update={"judged": tuple(judged)}))
    assert again == review


SPANS = st.lists(
    st.tuples(st.sampled_from(Waiting), st.integers(0, 1000), st.integers(1, 300), st.booleans()), max_size=30
)


@given(found=SPANS)
def test_time_is_told_apart_without_counting_a_moment_twice(found: list[tuple[Waiting, int, int, bool]]) -> None:
    end = START + timedelta(hours=1000)
    spans = [
        Span(waiting, since, until, {"owner": until} if people else {}, number, "")
        for number, (waiting, begin, length, people) in enumerate(found)
        if (since := START + timedelta(hours=begin)) < (until := min(end, START + timedelta(hours=begin + length)))
    ]
    told = drag(spans, START, end)
    assert told.moving + told.people + told.data + told.results == told.length
    assert timedelta() <= told.waited <= told.length
    assert told.moving >= timedelta()
    assert sum(told.by_reason.values(), timedelta()) == told.waited
    assert sum((time for one, time in told.by_reason.items() if one in PEOPLE), timedelta()) == told.people
    covered = {hour for one in spans for hour in range(1000) if one.since <= START + timedelta(hours=hour) < one.until}
    assert told.waited == timedelta(hours=len(covered))
    assert told.by_role.get("owner", timedelta()) <= told.length
