"""Whatever people have to hear of is told, to whom it concerns, with why, by whom and until when."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from activities.envelope import KINDS
from models.command import Verb
from models.evidence import StopTrigger, Verdict
from models.metric import MetricName
from models.plan import Fate, RolloutPlan, StopResolution
from models.rollout import EVERY_LETTER, Awaited, Notice, Phase, RolloutState, Status
from models.work import RecordRequest, RolloutKey
from tests.plans import make_plan, plan_data
from tests.workflows.simulator import START, Simulator
from workflows.step import StepKind
from workflows.steps import advance
from workflows.view import view
from workflows.wire import record_of

SLA = MetricName.LEAD_FOLLOW_UP_SLA
DAY = timedelta(days=1)
EVERYBODY = tuple(owner.role for owner in make_plan().owners)
KEEP = StopResolution(finished=Fate.KEEP, current=Fate.KEEP, pending=Fate.KEEP)
WITHDRAW = StopResolution(finished=Fate.WITHDRAW, current=Fate.WITHDRAW, pending=Fate.KEEP)


@pytest.fixture
def rollout() -> Simulator:
    return Simulator(make_plan())


def told(rollout: Simulator, kind: str) -> Notice:
    """The one notice of a kind."""
    assert kind in KINDS
    (found,) = (one for one in rollout.notices if one.kind == kind)
    return found


def breach(rollout: Simulator) -> None:
    rollout.verdicts = {SLA: Verdict.NOT_MET}
    rollout.ask(Verb.REPORT_BREACH, "sponsor", metric=SLA, cohort="pilot", as_of=rollout.now)
    assert rollout.status is Status.PAUSED


def test_the_audiences_are_told_and_the_owners_asked_when_it_begins(rollout: Simulator) -> None:
    assert told(rollout, "communicate").roles == ()
    asked = told(rollout, "confirm")
    assert asked.roles == asked.must_act == EVERYBODY


def test_who_may_decide_is_asked_on_which_evidence_and_until_when(rollout: Simulator) -> None:
    rollout.confirm_all()
    asked = told(rollout, "awaiting")
    gate = rollout.state.gate
    assert gate is not None
    assert asked.roles == asked.must_act == ("sponsor",)
    assert (asked.gate, asked.evidence_digest, asked.due) == (gate.key, gate.digest, gate.due_at)
    assert asked.programme_at == START


def test_who_has_not_decided_is_reminded_and_then_it_escalates() -> None:
    rollout = Simulator(make_plan())
    rollout.to_validate()
    rollout.wait(8 * DAY)
    gate = rollout.state.gate
    assert gate is not None
    rollout.wait(8 * DAY)
    reminder, escalation = told(rollout, "reminder"), told(rollout, "escalation")
    deciding = ("sponsor", "finance_owner", "compliance_owner")
    assert reminder.must_act == escalation.must_act == reminder.roles == deciding
    assert reminder.due == escalation.due == gate.due_at
    assert (reminder.gate, escalation.cause) == (gate.key, "approval overdue")


def test_an_overdue_decision_escalates_to_whom_the_plan_names_though_they_cannot_decide(rollout: Simulator) -> None:
    rollout.to_scale()
    rollout.wait(16 * DAY)
    escalation = told(rollout, "escalation")
    assert (escalation.roles, escalation.must_act) == (("sponsor", "finance_owner"), ("sponsor",))


def test_a_pause_says_why_and_who_may_resume(rollout: Simulator) -> None:
    rollout.to_pilot()
    breach(rollout)
    paused = told(rollout, "paused")
    assert (paused.cause, paused.must_act) == ("guardrail", ("revops_owner",))
    assert set(paused.roles) == {"revops_owner", "programme_owner", "sponsor"}
    assert rollout.state.assessment is not None
    assert paused.evidence_digest == rollout.state.assessment.digest


def test_that_it_goes_on_is_told_to_everybody_and_once(rollout: Simulator) -> None:
    rollout.to_pilot()
    breach(rollout)
    rollout.ask(Verb.RESUME, "revops_owner")
    assert "resumed" not in {one.kind for one in rollout.notices}, "it was refused"
    rollout.verdicts = {}
    rollout.ask(Verb.RESUME, "revops_owner", reason="the desk is staffed")
    resumed = told(rollout, "resumed")
    assert (resumed.roles, resumed.cause, resumed.must_act) == (EVERYBODY, "guardrail", ())
    assert resumed.body.partition("\n")[0] == "rev.ops@example.com (revops_owner): the desk is staffed"


def test_a_person_s_pause_and_a_rejection_are_told_as_such(rollout: Simulator) -> None:
    rollout.to_pilot()
    rollout.ask(Verb.PAUSE, "finance_owner")
    assert told(rollout, "paused").cause == "person"
    other = Simulator(make_plan())
    other.confirm_all()
    other.decide("sponsor", "reject")
    assert told(other, "paused").cause == "rejection"


def test_a_checkpoint_is_announced_and_if_missed_everybody_hears_of_it(rollout: Simulator) -> None:
    rollout.to_pilot()
    rollout.wait(15 * DAY)
    due = told(rollout, "checkpoint-due")
    assert due.roles == due.must_act == ("programme_owner", "sponsor")
    assert due.due == START + 21 * DAY
    assert "checkpoint-missed" not in {one.kind for one in rollout.notices}
    rollout.wait(8 * DAY)
    missed = told(rollout, "checkpoint-missed")
    assert (missed.roles, missed.cause, missed.due) == (EVERYBODY, "review missed", due.due)
    assert missed.must_act == due.must_act


def test_a_silent_watch_is_told_of(rollout: Simulator) -> None:
    rollout.to_pilot()
    rollout.wait(4 * DAY, watched=False)
    assert told(rollout, "watch-silent").cause == "watch silent"


def test_a_stop_with_nothing_to_take_back_is_one_letter(rollout: Simulator) -> None:
    rollout.to_pilot()
    rollout.ask(Verb.STOP, "sponsor", reason="a regulator objects", resolution=KEEP)
    assert rollout.status is Status.STOPPED
    stopped = told(rollout, "stopped")
    assert "stopping" not in {one.kind for one in rollout.notices}
    assert (stopped.roles, stopped.cause) == (EVERYBODY, "person")
    assert "a regulator objects" in stopped.body
    assert "cohorts kept: pilot" in stopped.body


def test_a_stop_that_takes_cohorts_back_tells_when_it_begins_and_when_it_is_done(rollout: Simulator) -> None:
    rollout.to_pilot()
    rollout.broken.add(StepKind.WITHDRAW)
    rollout.ask(Verb.STOP, "sponsor", resolution=WITHDRAW)
    assert told(rollout, "stopping").cause == "person"
    assert "stopped" not in {one.kind for one in rollout.notices}, "it is not over yet"
    rollout.broken.clear()
    rollout.wait(DAY)
    assert rollout.status is Status.STOPPED
    assert "cohorts kept: none" in told(rollout, "stopped").body


def test_a_stop_by_the_plan_s_own_condition_says_so(rollout: Simulator) -> None:
    rollout.to_pilot()
    trigger = StopTrigger(condition="the SLA collapses", metric=SLA, cohort="pilot", value=10.0)
    rollout.stop = (trigger,)
    rollout.ask(Verb.REPORT_BREACH, "sponsor", metric=SLA, cohort="pilot", as_of=rollout.now)
    assert told(rollout, "stopped").cause == "stop condition"
    assert "the SLA collapses" in told(rollout, "stopped").body


def test_the_end_is_told_to_everybody(rollout: Simulator) -> None:
    rollout.to_scale()
    rollout.wait(8 * DAY)
    rollout.decide("sponsor")
    rollout.wait(8 * DAY)
    assert rollout.state.phase is Phase.CLOSE
    assert told(rollout, "completed").roles == EVERYBODY


def test_a_rollout_that_began_with_the_first_release_tells_what_it_told_then() -> None:
    """Its history has no step for any other letter."""
    rollout = Simulator(make_plan(), letters=1)
    rollout.to_pilot()
    breach(rollout)
    rollout.verdicts = {}
    rollout.ask(Verb.RESUME, "revops_owner")
    rollout.wait(23 * DAY)
    rollout.ask(Verb.STOP, "sponsor", resolution=WITHDRAW)
    assert rollout.status is Status.STOPPED
    assert [one.kind for one in rollout.notices] == [
        *("communicate", "confirm", "awaiting", "paused", "review", "escalation", "stopped"),
    ]


def test_letters_go_with_the_record_of_what_they_are_about(rollout: Simulator) -> None:
    """The record is one transaction of the store; what it carries is what the state holds then."""
    request = _record(_asking(rollout), rollout)
    assert [one.kind for one in request.notices] == ["awaiting"]
    numbers = {entry.sequence for entry in request.entries}
    assert {int(one.notice_id.split("/")[2]) for one in request.notices} <= numbers


def test_a_record_of_an_earlier_release_has_no_letters_and_is_read_as_ever(rollout: Simulator) -> None:
    request = _record(_asking(rollout).model_copy(update={"notices": ()}), rollout)
    assert "notices" not in request.model_dump(mode="json")
    assert RecordRequest.model_validate_json(request.model_dump_json()).notices == ()


def _asking(rollout: Simulator) -> RolloutState:
    """A rollout that has just opened its first gate, before anything of that is recorded."""
    *most, last = rollout.plan.owners
    for owner in most:
        rollout.ask(Verb.CONFIRM_OWNERSHIP, owner.identity, role=owner.role)
    rollout.receive(Verb.CONFIRM_OWNERSHIP, last.identity, role=last.role)
    return advance(rollout.state, rollout.moment)


def _record(state: RolloutState, rollout: Simulator) -> RecordRequest:
    return record_of(state, RolloutKey(rollout_id="test-plan", chain_id="chain"), "run", rollout.moment)


def waits(rollout: Simulator) -> tuple[Awaited, ...]:
    """Whom it waits for."""
    return view(rollout.state, rollout.moment).awaited


def of_two(**changes: Any) -> RolloutPlan:
    """The base plan, which two owners stop together."""
    data = plan_data()
    stop = {**data["approvals"]["stop"], "roles": ["sponsor", "revops_owner"], "quorum": 2, "due": "3d"}
    return make_plan(approvals={**data["approvals"], "stop": stop}, **changes)


def test_a_stop_that_waits_for_a_second_owner_asks_them_and_stands_in_their_inbox_until_it_is_due() -> None:
    rollout = Simulator(of_two())
    rollout.to_pilot()
    rollout.ask(Verb.STOP, "sponsor", reason="the law changed", resolution=KEEP)
    asked = told(rollout, "agreement")
    assert asked.roles == asked.must_act == ("revops_owner",)
    assert (asked.cause, asked.due) == ("stop", rollout.now + 3 * DAY)
    assert "Sam Sponsor asks to stop, finished keep, current keep, pending keep: the law changed" in asked.body
    assert "Waiting for: Rev Ops" in asked.body
    (mine,) = waits(rollout)
    assert mine.what == "agree to stop finished keep, current keep, pending keep"
    assert (mine.who, mine.due) == (("rev.ops@example.com",), rollout.now + 3 * DAY)
    rollout.wait(3 * DAY)
    assert waits(rollout) == ()
    # Late, and heard all the same: exactly the same was agreed to.
    rollout.ask(Verb.STOP, "revops_owner", resolution=KEEP)
    assert rollout.status is Status.STOPPED


def test_an_override_that_waits_asks_everybody_who_may_agree_but_the_proposer() -> None:
    data = plan_data()
    rule = {**data["approvals"]["override"], "roles": ["sponsor", "revops_owner", "finance_owner"]}
    plan = make_plan(approvals={**data["approvals"], "override": rule}, proposer="rev.ops@example.com")
    for begun, asked_of in ((plan, ("finance_owner",)), (make_plan(), ("revops_owner",))):
        rollout = Simulator(begun)
        rollout.to_pilot()
        breach(rollout)
        rollout.ask(Verb.OVERRIDE, "sponsor", metric=SLA, until=rollout.now + 30 * DAY)
        asked = told(rollout, "agreement")
        assert (asked.must_act, asked.roles, asked.cause) == (asked_of, asked_of, "override")


def test_a_rollout_that_began_before_there_were_letters_about_agreement_writes_none() -> None:
    rollout = Simulator(of_two(), letters=EVERY_LETTER)
    rollout.to_pilot()
    rollout.ask(Verb.STOP, "sponsor", resolution=KEEP)
    assert [one for one in rollout.notices if one.kind == "agreement"] == []
    assert len(waits(rollout)) == 1
