"""Whoever asks for a look while one is under way is not answered by it: what it measured was measured before."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from models.command import WATCH_ACTOR, Verb
from models.evidence import Verdict
from models.log import EntryKind
from models.metric import MetricName
from models.rollout import Phase, Status
from tests.plans import make_plan
from tests.workflows.simulator import Simulator

SLA = MetricName.LEAD_FOLLOW_UP_SLA
DAY = timedelta(days=1)


@pytest.fixture
def rollout() -> Simulator:
    return Simulator(make_plan())


def breach(rollout: Simulator) -> None:
    """The SLA is no longer met, and the watch says so."""
    rollout.verdicts[SLA] = Verdict.NOT_MET
    told: dict[str, Any] = {"metric": SLA, "cohort": "pilot", "as_of": rollout.now, "snapshot_digest": "sha256:w"}
    rollout.receive(Verb.REPORT_BREACH, WATCH_ACTOR, **told)


def looks(rollout: Simulator) -> list[str]:
    """Why the rollout looked at its numbers, in order."""
    told = [one.message for one in rollout.state.recent if one.kind is EntryKind.ASSESSMENT]
    return [one.partition("(")[2].partition(")")[0] for one in told if one.startswith("Assessed")]


def test_a_breach_reported_during_a_look_pauses_although_that_look_saw_nothing(rollout: Simulator) -> None:
    rollout.to_pilot()
    rollout.wait(10 * DAY)
    rollout.meanwhile = lambda: breach(rollout)
    rollout.report(changed=True)
    assert rollout.status is Status.PAUSED
    assert rollout.state.asked_at is None


def test_no_gate_opens_on_a_look_that_a_breach_overtook(rollout: Simulator) -> None:
    """Also not where nobody has to approve any more."""
    rollout.to_validate()
    rollout.wait(8 * DAY)
    rollout.decide("sponsor")
    rollout.meanwhile = lambda: breach(rollout)
    rollout.decide("finance_owner")
    assert (rollout.state.phase, rollout.status) == (Phase.VALIDATE, Status.PAUSED)
    assert "enrol wave-one" not in rollout.effects


def test_a_resume_is_decided_on_numbers_read_after_it_was_asked_for(rollout: Simulator) -> None:
    """The breach still stands in what was being read; by the time the owner asks, it is over."""
    rollout.to_pilot()
    rollout.wait(10 * DAY)

    def mended() -> None:
        rollout.verdicts[SLA] = Verdict.MET
        rollout.receive(Verb.RESUME, "revops_owner")

    breach(rollout)
    rollout.settle()
    assert rollout.status is Status.PAUSED
    rollout.now += DAY
    rollout.meanwhile = mended
    rollout.report(changed=True)
    assert rollout.status is Status.RUNNING
    assert looks(rollout)[-2:] == ["the watch sees a change", "before resuming"]


def test_an_override_agreed_during_a_look_is_looked_at_again(rollout: Simulator) -> None:
    rollout.to_pilot()
    rollout.wait(10 * DAY)

    def override() -> None:
        for role in rollout.plan.approvals.override.roles[: rollout.plan.approvals.override.quorum]:
            rollout.receive(Verb.OVERRIDE, role, metric=SLA, until=rollout.now + 30 * DAY)

    rollout.meanwhile = override
    rollout.report(changed=True)
    assert looks(rollout)[-2:] == ["the watch sees a change", "an override was agreed"]


def test_what_was_asked_before_a_look_began_is_answered_by_it(rollout: Simulator) -> None:
    rollout.to_pilot()
    rollout.wait(10 * DAY)
    before = len(looks(rollout))
    rollout.report(changed=True)
    assert looks(rollout)[before:] == ["the watch sees a change"]
    assert rollout.state.evidence_floor is None
