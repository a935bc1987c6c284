"""The watch's word on a breach: when a rollout takes it, and that it can only ever halt."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from models.command import WATCH_ACTOR, Verb
from models.evidence import Assessment, StopTrigger, Verdict
from models.log import EntryKind
from models.metric import MetricName
from models.rollout import RolloutState, Status
from tests.plans import make_plan
from tests.workflows.simulator import Simulator
from workflows.course import Level
from workflows.judge import blocks
from workflows.step import StepKind
from workflows.steps import next_step
from workflows.view import status_of
from workflows.word import AFTERWARDS, borne_out, not_before, takes_words

SLA = MetricName.LEAD_FOLLOW_UP_SLA
MARGIN = MetricName.CONTRIBUTION_MARGIN
DAY = timedelta(days=1)


@pytest.fixture
def pilot() -> Simulator:
    """A rollout ten days into its pilot."""
    rollout = Simulator(make_plan())
    rollout.to_pilot()
    rollout.wait(10 * DAY)
    return rollout


def evidence(rollout: Simulator, verdict: Verdict, *metrics: MetricName) -> Assessment:
    """The rollout's judgement of what the watch measured: of some metrics only."""
    rollout.verdicts = dict.fromkeys(metrics, verdict)
    return rollout.assessment(*metrics)


def listened(rollout: Simulator, assessment: Assessment) -> RolloutState | None:
    return borne_out(rollout.state, assessment, "the watch's word", rollout.moment)


def test_a_breach_that_the_evidence_bears_out_pauses_at_once(pilot: Simulator) -> None:
    found = evidence(pilot, Verdict.NOT_MET, SLA)
    state = listened(pilot, found)
    assert state is not None
    assert state.pause is not None
    assert state.pause.metrics == (SLA,)
    kinds = [(one.kind, one.evidence_digest) for one in state.unrecorded if one.kind is not EntryKind.NOTICE]
    assert kinds == [(EntryKind.ASSESSMENT, found.digest), (EntryKind.PAUSE, found.digest)]


def test_a_stop_condition_that_the_evidence_fulfils_stops_at_once(pilot: Simulator) -> None:
    trigger = StopTrigger(condition="too low", metric=SLA, cohort="pilot", value=10.0)
    found = evidence(pilot, Verdict.NOT_MET, SLA).model_copy(update={"stop": (trigger,)})
    state = listened(pilot, found)
    assert state is not None
    assert status_of(state, pilot.moment) is Status.STOPPING
    assert state.assess_because is None


@pytest.mark.parametrize("verdict", [one for one in Verdict if one is not Verdict.NOT_MET])
def test_what_bears_no_breach_out_changes_nothing(pilot: Simulator, verdict: Verdict) -> None:
    assert listened(pilot, evidence(pilot, verdict, SLA)) is None


def test_evidence_of_nothing_changes_nothing(pilot: Simulator) -> None:
    nothing = evidence(pilot, Verdict.NOT_MET, SLA).model_copy(update={"items": ()})
    assert listened(pilot, nothing) is None


def test_evidence_of_a_cohort_that_is_not_watched_changes_nothing(pilot: Simulator) -> None:
    found = evidence(pilot, Verdict.NOT_MET, SLA)
    stranger = found.items[0].model_copy(update={"cohort": "wave-one"})
    assert listened(pilot, found.model_copy(update={"items": (*found.items, stranger)})) is None


def test_after_the_pause_is_recorded_and_told_the_rollout_looks_at_everything(pilot: Simulator) -> None:
    state = listened(pilot, evidence(pilot, Verdict.NOT_MET, SLA))
    assert state is not None
    assert next_step(state, pilot.moment).kind is StepKind.RECORD
    state = state.model_copy(update={"unrecorded": ()})
    assert next_step(state, pilot.moment).kind is StepKind.NOTIFY
    step = next_step(state.model_copy(update={"notices": ()}), pilot.moment)
    assert (step.kind, step.about) == (StepKind.ASSESS, AFTERWARDS)


def test_evidence_of_one_metric_opens_no_gate(pilot: Simulator) -> None:
    """Were the rollout resumed on it, what it does not speak of would hold it."""
    state = listened(pilot, evidence(pilot, Verdict.NOT_MET, SLA))
    assert state is not None
    met = evidence(pilot, Verdict.MET, SLA)
    missing = [one.detail for one in blocks(state, met, Level.GUARDRAILS)]
    assert missing
    assert all("was not judged" in one for one in missing)


def test_a_rollout_that_is_paused_or_over_or_asked_to_resume_takes_no_word(pilot: Simulator) -> None:
    assert takes_words(pilot.state)
    pilot.ask(Verb.PAUSE, "sponsor")
    assert not takes_words(pilot.state)
    assert listened(pilot, evidence(pilot, Verdict.NOT_MET, SLA)) is None
    begun = Simulator(make_plan())
    assert not takes_words(begun.state)
    over = pilot.state.model_copy(update={"pause": None, "terminal": Status.STOPPED})
    assert not takes_words(over)


def test_evidence_must_be_newer_than_what_was_seen_and_than_a_resume(pilot: Simulator) -> None:
    begun = pilot.state.tolerance_since
    assert not_before(pilot.state) == begun
    pilot.report(changed=True)
    seen = pilot.state.assessment
    assert seen is not None
    assert begun is not None
    assert not_before(pilot.state) == seen.as_of > begun
    pilot.wait(DAY)
    pilot.ask(Verb.PAUSE, "sponsor")
    pilot.wait(DAY)
    pilot.ask(Verb.RESUME, "sponsor")
    assert pilot.status is Status.RUNNING
    assert not_before(pilot.state) == pilot.now


def test_only_the_watch_names_evidence_and_a_look_settles_it(pilot: Simulator) -> None:
    named: dict[str, Any] = {"metric": SLA, "cohort": "pilot", "as_of": pilot.now, "snapshot_digest": "sha256:1"}
    for actor, digest in (("sponsor", None), (WATCH_ACTOR, "sha256:1")):
        pilot.receive(Verb.REPORT_BREACH, actor, **named)
        assert pilot.state.reported == digest
        assert next_step(pilot.state, pilot.moment).kind is StepKind.ASSESS
    pilot.settle()
    assert pilot.state.reported is None
    assert (pilot.state.assess_because, pilot.status) == (None, Status.RUNNING)
