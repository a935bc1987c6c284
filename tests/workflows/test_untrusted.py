"""Data that cannot be trusted: the rollout holds and says why, does not pause, and resumes on nothing of the kind."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta

import pytest

from models.command import Verb
from models.evidence import MetricAssessment, Verdict
from models.log import Outcome
from models.metric import MetricName
from models.rollout import HoldKind, Phase, Status
from tests.plans import make_plan
from tests.workflows.simulator import Simulator

SLA, MARGIN = MetricName.LEAD_FOLLOW_UP_SLA, MetricName.CONTRIBUTION_MARGIN
BLIND = "blind: no evidence for 5 looks in a row, tolerates 4"
WHY = "data not to be trusted: source crm: 60 % of what is usual is missing"


@dataclass
class Doubtful(Simulator):
    """A rollout of which some metrics are judged on red data, or not at all for longer than agreed."""

    red: set[MetricName] = field(default_factory=set)
    blind: set[MetricName] = field(default_factory=set)

    def _item(self, cohort: str, metric: MetricName) -> MetricAssessment:
        item = super()._item(cohort, metric)
        if metric in self.blind:
            none = {"verdict": Verdict.NOT_MET, "looked": Verdict.NO_EVIDENCE, "reasons": (BLIND,)}
            return item.model_copy(update=none)
        if metric not in self.red:
            return item
        return item.model_copy(update={"untrusted": True, "reasons": (WHY,)})


@pytest.fixture
def rollout() -> Doubtful:
    return Doubtful(make_plan())


@pytest.mark.parametrize("metric", [SLA, MARGIN], ids=["guardrail", "outcome"])
@pytest.mark.parametrize("verdict", [Verdict.CANNOT_TELL, Verdict.NO_EVIDENCE])
def test_red_data_hold_the_way_out_of_the_pilot_whatever_the_metric_is_for(
    rollout: Doubtful, metric: MetricName, verdict: Verdict
) -> None:
    """Also an outcome, which does not decide there: nobody can say what the pilot did."""
    rollout.to_pilot()
    rollout.red, rollout.verdicts = {metric}, {metric: verdict}
    rollout.wait(timedelta(days=40))
    assert (rollout.state.phase, rollout.status) == (Phase.PILOT, Status.HOLDING)
    (hold,) = (one for one in rollout.state.holds if one.kind is HoldKind.EVIDENCE)
    assert hold.detail.count(WHY) == 1
    assert rollout.state.pause is None
    rollout.red, rollout.verdicts = set(), {}
    rollout.ask(Verb.REVIEW, "sponsor")
    rollout.wait(timedelta(days=3))
    assert not [one for one in rollout.state.holds if one.kind is HoldKind.EVIDENCE], "it releases itself"
    assert rollout.state.phase is not Phase.PILOT


def test_a_pause_is_not_resumed_on_data_that_nobody_can_trust(rollout: Doubtful) -> None:
    rollout.to_pilot()
    rollout.verdicts = {SLA: Verdict.NOT_MET}
    rollout.report(changed=True)
    assert rollout.state.pause is not None
    rollout.verdicts, rollout.red = {SLA: Verdict.CANNOT_TELL}, {SLA}
    rollout.ask(Verb.RESUME, "revops_owner")
    assert rollout.state.pause is not None
    refused = [entry for entry in rollout.recorded if entry.verb == "resume" and entry.outcome is Outcome.REFUSED]
    assert WHY in (refused[-1].refusal or "")
    rollout.verdicts, rollout.red = {}, set()
    rollout.ask(Verb.RESUME, "revops_owner")
    assert rollout.state.pause is None


@dataclass
class Young(Simulator):
    """A rollout that judges a change as well, of which nothing has matured."""

    by_thresholds: Verdict = Verdict.MET

    def _item(self, cohort: str, metric: MetricName) -> MetricAssessment:
        item = super()._item(cohort, metric)
        return item.model_copy(update={"by_thresholds": self.by_thresholds, "by_change": Verdict.NO_EVIDENCE})


@pytest.mark.parametrize("by_thresholds", [Verdict.MET, Verdict.NO_EVIDENCE])
def test_a_change_that_cannot_be_judged_yet_keeps_nobody_from_resuming_and_opens_no_gate(
    by_thresholds: Verdict,
) -> None:
    """Days mature only while the rollout goes on; data that are missing for the threshold refuse it as ever."""
    rollout = Young(make_plan())
    rollout.to_pilot()
    rollout.verdicts = {SLA: Verdict.NOT_MET}
    rollout.report(changed=True)
    assert rollout.state.pause is not None
    rollout.verdicts, rollout.by_thresholds = {SLA: Verdict.NO_EVIDENCE}, by_thresholds
    rollout.ask(Verb.RESUME, "revops_owner")
    assert (rollout.state.pause is None) == (by_thresholds is Verdict.MET)
    rollout.ask(Verb.REVIEW, "sponsor")
    rollout.wait(timedelta(days=40))
    assert rollout.state.phase is Phase.PILOT


def test_a_blind_guardrail_pauses_until_it_sees_or_people_let_it_be(rollout: Doubtful) -> None:
    rollout.to_pilot()
    rollout.blind = {SLA}
    rollout.report(changed=True)
    assert rollout.state.pause is not None
    assert BLIND in rollout.state.pause.detail
    rollout.ask(Verb.RESUME, "revops_owner")
    assert rollout.state.pause is not None, "nothing has been seen since"
    rollout.blind = set()
    rollout.ask(Verb.RESUME, "revops_owner")
    assert rollout.state.pause is None
