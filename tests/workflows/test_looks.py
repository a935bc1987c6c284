"""Whoever asks for a look while one is under way is not answered by it: what it measured was measured before."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from models.command import WATCH_ACTOR, Choice, Verb
from models.evidence import Verdict
from models.log import EntryKind
from models.metric import MetricName
from models.rollout import HoldKind, Phase, Status
from tests.plans import make_plan
from tests.workflows.simulator import Simulator

MARGIN = MetricName.CONTRIBUTION_MARGIN
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


def all_the_time(rollout: Simulator, happens: Callable[[], object], times: int = 12) -> list[int]:
    """Let something happen during each of the next steps that take their time, so many times at most; what is counted
    is how often it did."""
    counted: list[int] = []

    def again() -> None:
        counted.append(1)
        if len(counted) < times:
            rollout.meanwhile = again
        happens()

    rollout.meanwhile = again
    return counted


def a_change(rollout: Simulator) -> None:
    told: dict[str, Any] = {"as_of": rollout.now, "changed": True, "evidence_digest": "sha256:0"}
    rollout.receive(Verb.REPORT_EVIDENCE, WATCH_ACTOR, **told)


def an_alarm(rollout: Simulator) -> None:
    """What nothing bears out."""
    told: dict[str, Any] = {"metric": SLA, "cohort": "pilot", "as_of": rollout.now, "snapshot_digest": "sha256:w"}
    rollout.receive(Verb.REPORT_BREACH, WATCH_ACTOR, **told)


def test_a_resume_is_decided_by_the_first_look_after_it_however_often_the_watch_speaks(rollout: Simulator) -> None:
    rollout.to_pilot()
    rollout.wait(10 * DAY)
    breach(rollout)
    rollout.settle()
    rollout.verdicts[SLA] = Verdict.MET
    before, spoken = len(looks(rollout)), all_the_time(rollout, lambda: a_change(rollout))
    rollout.receive(Verb.RESUME, "revops_owner")
    while rollout.state.pause and len(spoken) < 12:
        rollout.step()
    assert looks(rollout)[before:] == ["before resuming"]
    assert rollout.state.assess_because == "the watch sees a change"


def to_the_end_of_validate(rollout: Simulator) -> None:
    """The next step is the look at the gate."""
    rollout.to_validate()
    rollout.wait(timedelta(days=6, hours=20))
    rollout.now += timedelta(hours=5)


def test_a_gate_opens_on_the_second_look_in_a_row_that_a_change_overtakes(rollout: Simulator) -> None:
    to_the_end_of_validate(rollout)
    before, spoken = len(looks(rollout)), all_the_time(rollout, lambda: a_change(rollout))
    while not rollout.state.gate and len(spoken) < 12:
        rollout.step()
    assert looks(rollout)[before:] == ["at the gate", "the watch sees a change"]
    assert rollout.state.assess_because == "the watch sees a change"


def test_no_gate_opens_while_somebody_says_again_and_again_that_something_is_wrong(rollout: Simulator) -> None:
    to_the_end_of_validate(rollout)
    before, spoken = len(looks(rollout)), all_the_time(rollout, lambda: an_alarm(rollout))
    while len(spoken) < 12:
        rollout.step()
        assert rollout.state.gate is None
    assert len(looks(rollout)) > before
    rollout.settle()
    assert rollout.state.gate is not None


def test_words_that_come_more_often_than_they_can_be_listened_to_keep_nobody_from_looking(rollout: Simulator) -> None:
    """And the log is written all the same."""
    rollout.to_pilot()
    rollout.wait(10 * DAY)
    before, spoken = len(looks(rollout)), all_the_time(rollout, lambda: an_alarm(rollout))
    an_alarm(rollout)
    while len(spoken) < 12:
        rollout.step()
    assert len(looks(rollout)) >= before + 2
    assert any(entry.verb == "report_breach" for entry in rollout.recorded)


def test_an_alarm_that_was_looked_at_keeps_no_gate_closed_though_changes_go_on(rollout: Simulator) -> None:
    to_the_end_of_validate(rollout)
    an_alarm(rollout)
    before = len(looks(rollout))
    rollout.overtaking = lambda: a_change(rollout)
    while not rollout.state.gate and len(looks(rollout)) < before + 6:
        rollout.step()
    assert rollout.state.gate is not None
    assert len(looks(rollout)) == before + 2


def test_what_was_asked_as_a_wave_was_entered_is_looked_at_in_it(rollout: Simulator) -> None:
    """The watch speaks during both looks after the last approval, and the second lets the wave begin."""
    to_the_end_of_validate(rollout)
    rollout.settle()
    rollout.decide("sponsor")
    before = len(looks(rollout))
    rollout.now += timedelta(minutes=1)
    rollout.receive(Verb.DECIDE, "finance_owner", **decision(rollout))
    rollout.overtaking = lambda: a_change(rollout)
    for _ in range(20):
        if len(looks(rollout)) < before + 2:
            rollout.step()
    rollout.overtaking = None
    rollout.settle()
    assert (rollout.state.phase, rollout.state.wave) == (Phase.SCALE, 1)
    assert looks(rollout)[before:] == ["once more after approval", *["the watch sees a change"] * 2]


def test_a_breach_is_looked_at_before_a_phase_is_left_by_what_an_override_lets_be(rollout: Simulator) -> None:
    """One metric alone holds the pilot. Owners let it be, and in the same moment the watch tells of another one."""
    rollout.to_pilot()
    rollout.wait(10 * DAY)
    rollout.verdicts[MARGIN] = Verdict.NO_EVIDENCE
    rollout.wait(5 * DAY)
    rollout.ask(Verb.REVIEW, "sponsor")
    rollout.wait(16 * DAY)
    assert [one.kind for one in rollout.state.holds] == [HoldKind.EVIDENCE]

    def both() -> None:
        breach(rollout)
        for role in rollout.plan.approvals.override.roles:
            rollout.receive(Verb.OVERRIDE, role, metric=MARGIN, until=rollout.now + 30 * DAY)

    rollout.meanwhile = both
    rollout.ask(Verb.ACKNOWLEDGE, "sponsor")
    assert [one.metric for one in rollout.state.overrides] == [MARGIN]
    assert (rollout.state.phase, rollout.status) == (Phase.PILOT, Status.PAUSED)


def decision(rollout: Simulator) -> dict[str, Any]:
    gate = rollout.state.gate
    assert gate is not None
    found = {"gate": gate.key, "plan_digest": rollout.state.plan_digest, "evidence_digest": gate.digest}
    return {**found, "choice": Choice.APPROVE}
