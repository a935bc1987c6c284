"""Spots at which other systems let a rollout through although nothing good is known: here each of them is closed.

Those that lie in a single reading (not a number, no conditions, a group without data) stand in `tests/judgement`, those
that lie in a plan in `tests/models`.
"""

from __future__ import annotations

from datetime import timedelta

import pytest

from models.command import Verb
from models.evidence import Verdict
from models.log import Outcome
from models.metric import MetricName
from models.plan import Fate, StopResolution
from models.rollout import HoldKind, Phase, Status
from tests.plans import make_plan, plan_data
from tests.workflows.simulator import Simulator
from workflows.course import Level
from workflows.judge import blocks
from workflows.step import StepKind

SLA = MetricName.LEAD_FOLLOW_UP_SLA
MARGIN = MetricName.CONTRIBUTION_MARGIN
DAY = timedelta(days=1)
KEEP = StopResolution(finished=Fate.KEEP, current=Fate.KEEP, pending=Fate.KEEP)


@pytest.fixture
def rollout() -> Simulator:
    return Simulator(make_plan())


def test_stopped_before_any_reading_is_stopped_not_completed(rollout: Simulator) -> None:
    rollout.to_pilot()
    rollout.ask(Verb.STOP, "sponsor", resolution=KEEP)
    assert rollout.state.assessment is None
    assert rollout.status is Status.STOPPED


def test_stopped_while_a_source_gives_nothing_is_stopped_not_completed(rollout: Simulator) -> None:
    rollout.to_validate()
    rollout.verdicts = {SLA: Verdict.NO_EVIDENCE, MARGIN: Verdict.NO_EVIDENCE}
    rollout.wait(2 * DAY)
    rollout.broken = {StepKind.ASSESS}
    rollout.report(changed=True)
    rollout.ask(Verb.STOP, "sponsor", resolution=KEEP)
    assert rollout.status is Status.STOPPED
    assert "enrol wave-one" not in rollout.effects


def test_a_watch_that_never_looked_opens_no_gate(rollout: Simulator) -> None:
    """Its time is served, and whatever was read before was read by nobody since."""
    rollout.to_pilot()
    rollout.broken = {StepKind.ASSESS}
    rollout.wait(40 * DAY, watched=False)
    assert (rollout.state.phase, rollout.status) == (Phase.PILOT, Status.HOLDING)
    assert rollout.state.assessment is None


def test_an_outcome_without_evidence_counts_against_the_weight_that_must_be_met() -> None:
    """Of three of one weight two are met, 67 %, and 75 % are agreed; left out, both of two would be."""
    margin = {"metric": "contribution_margin", "thresholds": [">= 20"], "window": "28d", "freshness": "7d"}
    others = [{**margin, "metric": name, "must": False} for name in ("pipeline_velocity", "compliance_score")]
    left = [one for one in plan_data()["not_measured"] if one["metric"] in ("mdf_spend", "enablement_completion")]
    sla = plan_data()["metrics"][0]
    rollout = Simulator(make_plan(metrics=[sla, {**margin, "must": False}, *others], not_measured=left))
    rollout.to_validate()
    rollout.verdicts = {MARGIN: Verdict.NO_EVIDENCE}
    rollout.report(changed=True)
    found = blocks(rollout.state, rollout.state.assessment, Level.OUTCOMES)
    assert [block.kind for block in found] == [HoldKind.EVIDENCE, HoldKind.OUTCOME]
    assert found[1].detail == "67% of the weighted outcomes are met, 75% are agreed"


def test_an_assessment_of_nothing_opens_no_gate(rollout: Simulator) -> None:
    rollout.to_validate()
    rollout.report(changed=True)
    judged = rollout.state.assessment
    assert judged is not None
    nothing = judged.model_copy(update={"items": ()})
    assert blocks(rollout.state, nothing, Level.OUTCOMES)
    assert blocks(rollout.state, None, Level.GUARDRAILS)


@pytest.mark.parametrize("metric", [SLA, MARGIN])
def test_a_metric_that_is_missing_from_the_assessment_opens_no_gate(rollout: Simulator, metric: MetricName) -> None:
    rollout.to_validate()
    rollout.report(changed=True)
    judged = rollout.state.assessment
    assert judged is not None
    assert not blocks(rollout.state, judged, Level.OUTCOMES)
    rest = judged.model_copy(update={"items": tuple(one for one in judged.items if one.metric is not metric)})
    assert [block.kind for block in blocks(rollout.state, rest, Level.OUTCOMES)] == [HoldKind.EVIDENCE]


def test_a_cohort_that_is_missing_from_the_assessment_opens_no_gate(rollout: Simulator) -> None:
    rollout.to_scale()
    rollout.wait(2 * DAY)
    rollout.report(changed=True)
    judged = rollout.state.assessment
    assert judged is not None
    rest = judged.model_copy(update={"items": tuple(one for one in judged.items if one.cohort != "wave-one")})
    assert not blocks(rollout.state, judged, Level.OUTCOMES)
    assert len(blocks(rollout.state, rest, Level.OUTCOMES)) == len(rollout.plan.metrics)


def test_an_approval_does_not_skip_an_assessment_that_is_under_way(rollout: Simulator) -> None:
    """The breach is reported, the numbers cannot be read yet, and the owners approve meanwhile."""
    rollout.to_validate()
    rollout.wait(8 * DAY)
    rollout.broken = {StepKind.ASSESS}
    rollout.verdicts[SLA] = Verdict.NOT_MET
    rollout.report(changed=True)
    rollout.decide("sponsor")
    rollout.decide("finance_owner")
    assert rollout.state.phase is Phase.VALIDATE
    rollout.broken = set()
    rollout.wait(DAY)
    assert (rollout.state.phase, rollout.status) == (Phase.VALIDATE, Status.PAUSED)
    assert "enrol wave-one" not in rollout.effects


def test_no_traffic_does_not_advance(rollout: Simulator) -> None:
    rollout.verdicts = {SLA: Verdict.NO_EVIDENCE, MARGIN: Verdict.NO_EVIDENCE}
    rollout.to_pilot()
    for _ in range(4):
        rollout.wait(28 * DAY)
        rollout.ask(Verb.REVIEW, "sponsor")
    assert (rollout.state.phase, rollout.status) == (Phase.PILOT, Status.HOLDING)


def test_a_failed_period_never_becomes_the_baseline(rollout: Simulator) -> None:
    rollout.to_pilot()
    frozen = rollout.state.baselines
    rollout.baseline = 40.0
    rollout.verdicts[SLA] = Verdict.NOT_MET
    rollout.report(changed=True)
    rollout.wait(40 * DAY)
    rollout.verdicts[SLA] = Verdict.MET
    rollout.ask(Verb.RESUME, "revops_owner")
    rollout.wait(40 * DAY)
    assert {one.value for one in frozen} == {90.0}
    assert rollout.state.baselines == frozen


def test_what_the_plan_keeps_out_of_a_baseline_is_waited_for() -> None:
    """The simulator measures over 28 days."""
    first = Simulator(make_plan()).now.date() - 23 * DAY
    rollout = Simulator(make_plan(phases={**plan_data()["phases"], "baseline_from": first.isoformat()}))
    rollout.confirm_all()
    rollout.wait(3 * DAY)
    assert (rollout.state.phase, rollout.status) == (Phase.PREPARE, Status.HOLDING)
    assert [
        (one.kind, f"what was before {first} may not stand in it" in one.detail) for one in rollout.state.holds
    ] == [(HoldKind.BASELINE, True)]
    rollout.wait(3 * DAY)
    assert rollout.status is Status.AWAITING_APPROVAL
    assert {one.window.start.date() >= first for one in rollout.state.baselines} == {True}


def test_a_missing_baseline_satisfies_nothing() -> None:
    metrics = [
        {"metric": "lead_follow_up_sla", "thresholds": [">= -5pp"], "window": "28d", "freshness": "7d"},
        {"metric": "contribution_margin", "thresholds": [">= 20"], "window": "28d", "freshness": "7d"},
    ]
    rollout = Simulator(make_plan(metrics=metrics), baseline=None)
    rollout.confirm_all()
    rollout.wait(60 * DAY)
    assert rollout.state.phase is Phase.PREPARE
    assert rollout.state.gate is None


def test_a_stop_condition_without_its_baseline_holds_before_anybody_is_enrolled() -> None:
    stop = {"condition": "the SLA falls far", "metric": "lead_follow_up_sla", "unless": ">= -40pp"}
    rollout = Simulator(make_plan(stop_conditions=[stop]), baseline=None)
    rollout.confirm_all()
    assert [hold.kind for hold in rollout.state.holds] == [HoldKind.BASELINE]
    assert rollout.state.gate is None


def test_no_answer_is_never_an_approval(rollout: Simulator) -> None:
    rollout.confirm_all()
    for _ in range(10):
        rollout.wait(25 * DAY)
        rollout.ask(Verb.REVIEW, "sponsor")
    assert rollout.state.phase is Phase.PREPARE
    assert rollout.effects == []


def test_approving_again_does_not_relaunch_into_the_same_failure(rollout: Simulator) -> None:
    rollout.to_validate()
    rollout.wait(8 * DAY)
    rollout.verdicts[MARGIN] = Verdict.NOT_MET
    for _ in range(3):
        rollout.now += timedelta(hours=1)
        rollout.decide("sponsor")
        rollout.decide("finance_owner")
    assert rollout.state.phase is Phase.VALIDATE
    assert rollout.effects == ["enrol pilot"]
    assert rollout.decide("compliance_owner").outcome is Outcome.REFUSED
    assert [hold.kind for hold in rollout.state.holds] == [HoldKind.OUTCOME]


def test_catching_up_after_downtime_jumps_no_approval(rollout: Simulator) -> None:
    """A year passes with nothing running: when it runs again it stands at the first gate that people must open."""
    rollout.to_pilot()
    rollout.now += timedelta(days=365)
    rollout.settle()
    assert rollout.state.phase is Phase.PILOT
    rollout.report()
    rollout.ask(Verb.REVIEW, "sponsor")
    assert rollout.state.phase is Phase.VALIDATE
    rollout.now += timedelta(days=365)
    rollout.settle()
    rollout.report()
    rollout.ask(Verb.REVIEW, "sponsor")
    assert (rollout.state.phase, rollout.status) == (Phase.VALIDATE, Status.AWAITING_APPROVAL)
    assert rollout.effects == ["enrol pilot"]


def test_an_edit_to_a_running_plan_changes_nothing_and_its_decisions_are_refused(rollout: Simulator) -> None:
    rollout.confirm_all()
    edited = make_plan(title="Another title")
    assert edited.digest != rollout.state.plan_digest
    receipt = rollout.decide("sponsor", plan_digest=edited.digest)
    assert receipt.outcome is Outcome.REFUSED
    assert rollout.effects == []
    rollout.decide("sponsor")
    assert rollout.effects == ["enrol pilot"]


def test_evidence_from_before_a_freeze_opens_no_gate_after_it() -> None:
    """The pilot ends in the freeze; what was read then says nothing about the day the freeze is over."""
    window = {"name": "closing", "start": "2026-02-01T00:00:00Z", "end": "2026-03-01T00:00:00Z"}
    rollout = Simulator(make_plan(freeze_windows=[window]))
    rollout.to_pilot()
    rollout.wait(20 * DAY)
    rollout.ask(Verb.REVIEW, "sponsor")
    rollout.wait(20 * DAY)
    assert rollout.state.phase_ended_at is not None
    rollout.verdicts[MARGIN] = Verdict.NO_EVIDENCE
    rollout.wait(20 * DAY)
    assert rollout.moment.programme.isoformat() > "2026-03-01"
    assert (rollout.state.phase, rollout.status) == (Phase.PILOT, Status.HOLDING)


def test_evidence_from_before_a_missed_review_opens_no_gate_after_it(rollout: Simulator) -> None:
    rollout.to_pilot()
    rollout.wait(40 * DAY)
    assert any(hold.kind is HoldKind.REVIEW_MISSED for hold in rollout.state.holds)
    rollout.verdicts[MARGIN] = Verdict.NO_EVIDENCE
    rollout.ask(Verb.REVIEW, "sponsor")
    assert (rollout.state.phase, rollout.status) == (Phase.PILOT, Status.HOLDING)


def test_evidence_from_before_the_watch_fell_silent_opens_no_gate_after_it() -> None:
    """A freeze keeps the gate and good evidence is read when it ends, but the watch is gone for days beyond that."""
    window = {"name": "closing", "start": "2026-02-01T00:00:00Z", "end": "2026-02-10T00:00:00Z"}
    rollout = Simulator(make_plan(freeze_windows=[window]))
    rollout.to_pilot()
    rollout.wait(20 * DAY)
    rollout.ask(Verb.REVIEW, "sponsor")
    rollout.wait(11 * DAY)
    rollout.wait(15 * DAY, watched=False)
    assert [hold.kind for hold in rollout.state.holds] == [HoldKind.WATCH_SILENT]
    rollout.verdicts[MARGIN] = Verdict.NO_EVIDENCE
    rollout.report()
    assert (rollout.state.phase, rollout.status) == (Phase.PILOT, Status.HOLDING)
    assert [hold.kind for hold in rollout.state.holds] == [HoldKind.EVIDENCE]


def test_a_source_that_is_gone_is_let_be_only_by_an_agreed_override(rollout: Simulator) -> None:
    rollout.to_pilot()
    rollout.verdicts[SLA] = Verdict.NOT_MET
    rollout.report(changed=True)
    rollout.verdicts[SLA] = Verdict.NO_EVIDENCE
    assert rollout.ask(Verb.RESUME, "revops_owner").outcome is Outcome.PENDING
    assert rollout.status is Status.PAUSED
    until = rollout.now + 10 * DAY
    for role in ("sponsor", "revops_owner"):
        rollout.ask(Verb.OVERRIDE, role, metric=SLA, until=until)
    rollout.ask(Verb.RESUME, "revops_owner")
    assert rollout.status is Status.RUNNING
