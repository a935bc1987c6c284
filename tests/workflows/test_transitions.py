"""The pure transitions: phases, gates, holds, pauses, freezes, approvals, reviews and stops."""

from __future__ import annotations

from datetime import date, timedelta

import pytest

from judgement.assessment import assess
from models.brief import AssessmentBrief
from models.command import Choice, Verb
from models.evidence import StopTrigger, Verdict
from models.log import EntryKind, Outcome
from models.metric import MetricName
from models.plan import Fate, StopResolution
from models.quality import Counts, OddMonth
from models.rollout import HoldKind, PauseCause, Phase, Status
from tests.judgement.readings import reading, snapshot
from tests.plans import make_plan, plan_data
from tests.workflows.simulator import START, Simulator
from workflows.phases import assessed
from workflows.step import StepKind

SLA = MetricName.LEAD_FOLLOW_UP_SLA
MARGIN = MetricName.CONTRIBUTION_MARGIN
DAY = timedelta(days=1)


@pytest.fixture
def rollout() -> Simulator:
    return Simulator(make_plan())


def test_the_whole_course_of_option_b_ends_completed(rollout: Simulator) -> None:
    rollout.to_scale()
    assert (rollout.state.phase, rollout.state.wave) == (Phase.SCALE, 1)
    rollout.wait(8 * DAY)
    rollout.decide("sponsor")
    assert rollout.state.wave == 2
    rollout.wait(8 * DAY)
    assert rollout.status is Status.COMPLETED
    assert rollout.effects == ["enrol pilot", "enrol wave-one", "enrol wave-two"]
    assert [entry.sequence for entry in rollout.recorded] == list(range(1, len(rollout.recorded) + 1))


def test_nothing_starts_before_every_owner_has_confirmed(rollout: Simulator) -> None:
    for owner in rollout.plan.owners[:-1]:
        rollout.ask(Verb.CONFIRM_OWNERSHIP, owner.identity, role=owner.role)
    assert rollout.state.gate is None
    assert rollout.state.review_due_at is None
    rollout.ask(Verb.CONFIRM_OWNERSHIP, "enablement_owner", role="enablement_owner")
    assert rollout.status is Status.AWAITING_APPROVAL
    assert rollout.state.review_due_at == START + 14 * DAY


def test_the_pilot_serves_its_whole_time(rollout: Simulator) -> None:
    rollout.to_pilot()
    rollout.wait(29 * DAY)
    assert rollout.state.phase is Phase.PILOT
    rollout.ask(Verb.REVIEW, "sponsor")
    rollout.wait(2 * DAY)
    assert rollout.state.phase is Phase.VALIDATE


def test_a_breach_pauses_names_the_drivers_and_freezes_the_clock(rollout: Simulator) -> None:
    rollout.to_pilot()
    rollout.wait(10 * DAY)
    rollout.verdicts[SLA] = Verdict.NOT_MET
    rollout.report(changed=True)
    pause = rollout.state.pause
    assert pause is not None
    assert pause.cause is PauseCause.GUARDRAIL
    assert (pause.partners, pause.leads, pause.must_act) == (("P001", "P002"), ("L1",), ("revops_owner",))
    assert any(sent.startswith("paused: revops_owner") for sent in rollout.sent)
    rollout.wait(20 * DAY)
    clock = rollout.state.phase_clock
    assert clock is not None
    assert clock.served == 10 * DAY
    assert clock.running_since is None


def test_resume_needs_fresh_evidence_a_named_person_and_runs_the_remaining_time(rollout: Simulator) -> None:
    rollout.to_pilot()
    rollout.wait(10 * DAY)
    rollout.verdicts[SLA] = Verdict.NOT_MET
    rollout.report(changed=True)
    assert rollout.ask(Verb.RESUME, "finance_owner").outcome is Outcome.REFUSED
    assert rollout.ask(Verb.RESUME, "revops_owner").outcome is Outcome.PENDING
    assert rollout.status is Status.PAUSED
    assert "fresh evidence still stands in the way" in (rollout.recorded[-1].refusal or "")
    rollout.verdicts[SLA] = Verdict.NO_EVIDENCE
    rollout.ask(Verb.RESUME, "revops_owner")
    assert rollout.status is Status.PAUSED
    rollout.verdicts[SLA] = Verdict.MET
    rollout.ask(Verb.RESUME, "revops_owner")
    assert rollout.state.pause is None
    rollout.wait(5 * DAY)
    rollout.ask(Verb.REVIEW, "sponsor")
    rollout.wait(14 * DAY)
    assert rollout.state.phase is Phase.PILOT
    rollout.wait(2 * DAY)
    assert rollout.state.phase is Phase.VALIDATE


def test_a_breach_while_awaiting_approval_voids_the_approvals(rollout: Simulator) -> None:
    rollout.to_validate()
    rollout.wait(8 * DAY)
    rollout.decide("sponsor")
    assert rollout.state.gate is not None
    assert len(rollout.state.gate.approvals) == 1
    rollout.verdicts[SLA] = Verdict.NOT_MET
    rollout.report(changed=True)
    assert rollout.state.gate is None
    assert rollout.status is Status.PAUSED
    assert "1 approvals void" in [e for e in rollout.recorded if e.kind is EntryKind.PAUSE][-1].message
    rollout.verdicts[SLA] = Verdict.MET
    rollout.ask(Verb.RESUME, "revops_owner")
    assert rollout.state.gate is not None
    assert rollout.state.gate.approvals == ()


def test_after_approval_everything_is_judged_once_more(rollout: Simulator) -> None:
    rollout.to_validate()
    rollout.wait(8 * DAY)
    rollout.decide("sponsor")
    rollout.verdicts[MARGIN] = Verdict.NOT_MET
    rollout.now += timedelta(hours=1)
    rollout.decide("finance_owner")
    assert rollout.state.phase is Phase.VALIDATE
    assert rollout.state.gate is None
    assert [hold.kind for hold in rollout.state.holds] == [HoldKind.OUTCOME]
    assert "enrol wave-one" not in rollout.effects


@pytest.mark.parametrize("verdict", [Verdict.CANNOT_TELL, Verdict.NO_EVIDENCE, Verdict.NOT_MET])
@pytest.mark.parametrize("metric", [SLA, MARGIN])
def test_anything_but_met_never_opens_the_scale_gate(rollout: Simulator, verdict: Verdict, metric: MetricName) -> None:
    rollout.to_validate()
    rollout.verdicts[metric] = verdict
    rollout.wait(20 * DAY)
    assert rollout.state.phase is Phase.VALIDATE
    assert rollout.state.gate is None
    assert rollout.status in (Status.HOLDING, Status.PAUSED)


def test_a_hold_releases_itself_when_the_data_return(rollout: Simulator) -> None:
    rollout.to_validate()
    rollout.verdicts[MARGIN] = Verdict.NO_EVIDENCE
    rollout.wait(10 * DAY)
    assert [hold.kind for hold in rollout.state.holds] == [HoldKind.EVIDENCE]
    rollout.verdicts[MARGIN] = Verdict.MET
    rollout.wait(2 * DAY)
    assert rollout.status is Status.AWAITING_APPROVAL
    assert rollout.state.holds == ()


def test_silence_of_the_watch_holds_and_its_word_releases(rollout: Simulator) -> None:
    rollout.to_pilot()
    rollout.wait(4 * DAY, watched=False)
    assert rollout.status is Status.HOLDING
    assert rollout.state.holds[0].kind is HoldKind.WATCH_SILENT
    rollout.report()
    assert rollout.state.holds == ()


def test_a_silent_watch_keeps_the_rollout_from_advancing(rollout: Simulator) -> None:
    rollout.to_pilot()
    rollout.wait(13 * DAY)
    rollout.ask(Verb.REVIEW, "sponsor")
    rollout.wait(25 * DAY, watched=False)
    assert rollout.state.phase is Phase.PILOT


def test_silence_never_approves_and_escalates(rollout: Simulator) -> None:
    rollout.to_validate()
    rollout.wait(8 * DAY)
    rollout.wait(6 * DAY + timedelta(hours=1))
    assert any(sent.startswith("reminder") for sent in rollout.sent)
    rollout.wait(5 * DAY)
    assert rollout.state.phase is Phase.VALIDATE
    assert any(hold.kind is HoldKind.APPROVAL_OVERDUE for hold in rollout.state.holds)
    assert any(sent.startswith("escalation") for sent in rollout.sent)
    rollout.ask(Verb.REVIEW, "sponsor")
    rollout.decide("sponsor")
    rollout.decide("finance_owner")
    assert rollout.state.phase is Phase.SCALE


def test_a_missed_review_holds_until_it_is_held(rollout: Simulator) -> None:
    rollout.to_pilot()
    rollout.wait(31 * DAY)
    assert rollout.state.phase is Phase.PILOT
    assert any(hold.kind is HoldKind.REVIEW_MISSED for hold in rollout.state.holds)
    assert rollout.ask(Verb.REVIEW, "finance_owner").outcome is Outcome.REFUSED
    rollout.ask(Verb.REVIEW, "sponsor")
    assert rollout.state.phase is Phase.VALIDATE


def test_nothing_moves_in_a_freeze_but_guardrails_stay_armed() -> None:
    window = {"name": "year end", "start": "2026-02-01T00:00:00Z", "end": "2026-02-20T00:00:00Z"}
    rollout = Simulator(make_plan(freeze_windows=[window]))
    rollout.to_pilot()
    rollout.wait(20 * DAY)
    rollout.ask(Verb.REVIEW, "sponsor")
    rollout.wait(15 * DAY)
    assert rollout.state.phase is Phase.PILOT
    assert rollout.status is Status.FROZEN
    rollout.verdicts[SLA] = Verdict.NOT_MET
    rollout.report(changed=True)
    assert rollout.status is Status.PAUSED
    rollout.verdicts[SLA] = Verdict.MET
    rollout.ask(Verb.RESUME, "revops_owner")
    rollout.wait(12 * DAY)
    assert rollout.state.phase is Phase.VALIDATE


@pytest.mark.parametrize(
    ("role", "fields", "why"),
    [
        ("revops_owner", {}, "needs sponsor"),
        ("stranger@example.com", {}, "not an owner"),
        ("sponsor", {"gate": "wave_2"}, "not open"),
        ("sponsor", {"evidence_digest": "sha256:old"}, "stale"),
        ("sponsor", {"plan_digest": "sha256:other"}, "another version"),
        ("sponsor", {"declared_conflict": "my brother's company"}, "conflict"),
    ],
)
def test_a_decision_that_does_not_fit_is_refused(
    rollout: Simulator, role: str, fields: dict[str, str], why: str
) -> None:
    rollout.confirm_all()
    assert rollout.state.gate is not None
    receipt = rollout.decide(role, **fields)
    assert receipt.outcome is Outcome.REFUSED
    assert why in receipt.message
    assert rollout.state.gate.approvals == ()
    assert rollout.state.phase is Phase.PREPARE


def test_one_person_counts_once_and_the_proposer_not_at_all() -> None:
    data = plan_data()
    data["approvals"]["validate_to_scale"]["roles"].append("programme_owner")
    rollout = Simulator(make_plan(approvals=data["approvals"]))
    rollout.to_validate()
    rollout.wait(8 * DAY)
    assert rollout.decide("sponsor").outcome is Outcome.APPLIED
    assert "approved already" in rollout.decide("sponsor").message
    assert "proposer" in rollout.decide("programme_owner").message
    assert rollout.state.phase is Phase.VALIDATE


def test_a_repeated_request_counts_once(rollout: Simulator) -> None:
    rollout.to_validate()
    rollout.wait(8 * DAY)
    rollout.decide("sponsor", request_id="the-same-request")
    receipt = rollout.decide("finance_owner", request_id="the-same-request")
    assert receipt.outcome is Outcome.REFUSED
    assert rollout.state.phase is Phase.VALIDATE


def test_a_rejection_pauses_and_resuming_asks_again(rollout: Simulator) -> None:
    rollout.confirm_all()
    rollout.decide("sponsor", Choice.REJECT)
    assert rollout.state.pause is not None
    assert rollout.state.pause.cause is PauseCause.REJECTION
    rollout.ask(Verb.RESUME, "sponsor")
    assert rollout.status is Status.AWAITING_APPROVAL
    assert rollout.effects == []


def test_a_stop_says_what_happens_to_each_cohort(rollout: Simulator) -> None:
    rollout.to_scale()
    fates = StopResolution(finished=Fate.KEEP, current=Fate.WITHDRAW, pending=Fate.WITHDRAW)
    rollout.ask(Verb.STOP, "sponsor", resolution=fates)
    assert rollout.status is Status.STOPPED
    assert rollout.effects == ["enrol pilot", "enrol wave-one", "withdraw wave-one"]


def test_stopping_before_any_reading_is_no_success(rollout: Simulator) -> None:
    fates = StopResolution(finished=Fate.KEEP, current=Fate.KEEP, pending=Fate.KEEP)
    rollout.ask(Verb.STOP, "sponsor", resolution=fates)
    assert rollout.status is Status.STOPPED
    receipt = rollout.ask(Verb.PAUSE, "sponsor")
    assert receipt.outcome is Outcome.REFUSED
    assert rollout.status is Status.STOPPED


def test_a_fulfilled_stop_condition_stops_by_itself(rollout: Simulator) -> None:
    rollout.to_pilot()
    rollout.stop = (StopTrigger(condition="the SLA collapses", metric=SLA, cohort="pilot", value=12.0),)
    rollout.report(changed=True)
    assert rollout.status is Status.STOPPED
    assert rollout.effects == ["enrol pilot", "withdraw pilot"]


def test_a_stop_condition_on_data_in_doubt_pauses_and_people_may_stop_from_there() -> None:
    """As the activity judges it: a month of the ledger booked at -60 %, usual 30, takes the margin to -19.2."""
    stop = {"condition": "the margin is eaten up", "metric": MARGIN.value, "unless": ">= 0"}
    rollout = Simulator(make_plan(stop_conditions=[stop]))
    rollout.to_pilot()
    odd = (OddMonth(month=date(2026, 1, 1), currency="USD", value=-60.0, usual=30.0),)
    doubted = reading(-19.2, MARGIN).model_copy(update={"quality": Counts(odd_months=odd)})
    said = AssessmentBrief.of(assess(rollout.plan, snapshot(doubted), (), {}), table=True)
    found = said.against(rollout.plan, "sha256:5")
    rollout.state = assessed(rollout.state, found, "at the gate", rollout.moment)
    rollout.settle()
    pause = rollout.state.pause
    assert pause is not None
    assert (rollout.status, pause.cause, pause.metrics) == (Status.PAUSED, PauseCause.GUARDRAIL, (MARGIN,))
    assert pause.must_act == ("finance_owner",)
    told = (
        "stop condition fulfilled: the margin is eaten up; on data in doubt this pauses, and a stop is left to people"
    )
    assert f"{told}; data in doubt: the ledger's margin of 2026-01 in USD is -60.0 %, usual 30.0" in pause.detail
    assert rollout.effects == ["enrol pilot"]
    rollout.ask(Verb.STOP, "sponsor", resolution=rollout.plan.on_automatic_stop)
    assert (rollout.status, rollout.effects) == (Status.STOPPED, ["enrol pilot", "withdraw pilot"])


def test_an_override_needs_its_quorum_is_shown_and_expires(rollout: Simulator) -> None:
    rollout.to_pilot()
    rollout.verdicts[SLA] = Verdict.NOT_MET
    rollout.report(changed=True)
    until = rollout.now + 5 * DAY
    assert rollout.ask(Verb.OVERRIDE, "finance_owner", metric=SLA, until=until).outcome is Outcome.REFUSED
    rollout.ask(Verb.OVERRIDE, "sponsor", metric=SLA, until=until)
    rollout.ask(Verb.RESUME, "revops_owner")
    assert rollout.status is Status.PAUSED
    rollout.ask(Verb.OVERRIDE, "revops_owner", metric=SLA, until=until)
    assert rollout.status is Status.PAUSED
    rollout.ask(Verb.RESUME, "revops_owner")
    assert rollout.status is Status.RUNNING
    rollout.wait(6 * DAY)
    assert rollout.state.overrides == ()
    assert rollout.status is Status.PAUSED


def test_a_missing_baseline_that_a_threshold_needs_holds_in_prepare() -> None:
    data = plan_data()
    data["metrics"][1]["thresholds"] = [">= -5%"]
    rollout = Simulator(make_plan(metrics=data["metrics"]), baseline=None)
    rollout.confirm_all()
    assert rollout.status is Status.HOLDING
    assert rollout.state.holds[0].kind is HoldKind.BASELINE
    rollout.baseline = 25.0
    rollout.wait(2 * DAY)
    assert rollout.status is Status.AWAITING_APPROVAL


def test_a_store_that_is_down_holds_and_nothing_advances_but_a_pause_works(rollout: Simulator) -> None:
    rollout.to_pilot()
    rollout.broken = {StepKind.RECORD, StepKind.ASSESS, StepKind.NOTIFY}
    receipt = rollout.ask(Verb.PAUSE, "finance_owner", reason="I do not trust this")
    assert receipt.outcome is Outcome.APPLIED
    assert rollout.status is Status.PAUSED
    assert any(hold.kind is HoldKind.STORE for hold in rollout.state.holds)
    before = len(rollout.recorded)
    rollout.broken = set()
    rollout.wait(DAY)
    assert len(rollout.recorded) > before
    assert not any(hold.kind is HoldKind.STORE for hold in rollout.state.holds)
    assert [entry.sequence for entry in rollout.recorded] == list(range(1, len(rollout.recorded) + 1))


@pytest.mark.parametrize("broken", [StepKind.RESOLVE, StepKind.BASELINE, StepKind.ENROL])
def test_a_step_that_alone_had_failed_is_tried_again(broken: StepKind) -> None:
    """The store is there again before the log notices, or the step's own cause is gone: partners are imported."""
    rollout = Simulator(make_plan(), broken={broken})
    rollout.confirm_all()
    if broken is StepKind.ENROL:
        rollout.decide("sponsor")
    assert rollout.status is Status.HOLDING
    rollout.broken = set()
    rollout.wait(DAY)
    assert rollout.state.holds == ()
    rollout.to_scale()


def test_nothing_advances_while_the_log_cannot_be_written(rollout: Simulator) -> None:
    rollout.confirm_all()
    rollout.broken = {StepKind.RECORD}
    rollout.decide("sponsor")
    rollout.wait(DAY)
    assert rollout.effects == []
    rollout.broken = set()
    rollout.wait(DAY)
    assert rollout.effects == ["enrol pilot"]


def test_a_stopped_rollout_does_not_go_on_about_evidence_it_needs_no_more(rollout: Simulator) -> None:
    rollout.to_pilot()
    rollout.broken = {StepKind.ASSESS}
    rollout.report(changed=True)
    assert [hold.kind for hold in rollout.state.holds] == [HoldKind.STORE]
    resolution = StopResolution(finished=Fate.KEEP, current=Fate.WITHDRAW, pending=Fate.KEEP)
    rollout.ask(Verb.STOP, "sponsor", resolution=resolution)
    assert rollout.status is Status.STOPPED
    assert rollout.state.holds == ()


def test_option_a_measures_and_reviews_without_enrolling() -> None:
    rollout = Simulator(make_plan(chosen="A"))
    rollout.confirm_all()
    assert rollout.state.phase is Phase.VALIDATE
    rollout.verdicts[SLA] = Verdict.NOT_MET
    rollout.wait(8 * DAY)
    assert rollout.state.phase is Phase.VALIDATE
    rollout.ask(Verb.REVIEW, "sponsor")
    assert rollout.status is Status.COMPLETED
    assert rollout.effects == []
    assert any(entry.kind is EntryKind.ASSESSMENT for entry in rollout.recorded)


def test_option_c_takes_everybody_at_once() -> None:
    data = plan_data()
    rule = {"roles": ["sponsor", "finance_owner", "compliance_owner"], "quorum": 3, "due": "7d"}
    approvals = data["approvals"] | {"prepare_to_scale": rule}
    rollout = Simulator(make_plan(chosen="C", approvals=approvals))
    rollout.confirm_all()
    rollout.decide("sponsor")
    rollout.decide("finance_owner")
    assert rollout.effects == []
    rollout.decide("compliance_owner")
    assert rollout.effects == ["enrol pilot", "enrol wave-one", "enrol wave-two"]
    rollout.wait(13 * DAY)
    rollout.ask(Verb.REVIEW, "sponsor")
    rollout.wait(20 * DAY)
    assert rollout.status is Status.COMPLETED
