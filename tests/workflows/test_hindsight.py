"""Judging a pause in hindsight: who may, of which pause, and that it moves nothing."""

from __future__ import annotations

from datetime import timedelta

import pytest

from models.command import PauseVerdict, Verb
from models.log import EntryKind, Outcome, Receipt
from models.plan import Fate, StopResolution
from models.rollout import RolloutState
from tests.learning.stories import PLAN, breach
from tests.plans import make_plan, signed_plan
from tests.signing import Signed
from tests.workflows.simulator import Simulator
from workflows.actions import allowed_actions
from workflows.hindsight import MOST, remember


@pytest.fixture
def paused() -> Simulator:
    rollout = Simulator(PLAN)
    rollout.to_pilot()
    rollout.wait(timedelta(days=5))
    breach(rollout)
    return rollout


def judged(rollout: Simulator, role: str, pause: int | None = None) -> Receipt:
    number = rollout.state.pauses[-1].sequence if pause is None else pause
    return rollout.ask(Verb.JUDGE_PAUSE, role, "a holiday", pause=number, verdict=PauseVerdict.FALSE_ALARM)


def test_the_pause_is_known_by_the_entry_that_tells_of_it(paused: Simulator) -> None:
    [entry] = [one for one in paused.recorded if one.kind is EntryKind.PAUSE]
    assert paused.state.pauses[-1].sequence == entry.sequence
    assert entry.detail["metrics"] == ["lead_follow_up_sla"]


def test_who_had_to_act_judges_and_nothing_moves(paused: Simulator) -> None:
    before = paused.state
    receipt = judged(paused, "revops_owner")
    assert receipt.outcome is Outcome.APPLIED
    assert paused.recorded[-1].detail == {"pause": before.pauses[-1].sequence, "verdict": "false-alarm"}
    assert standing(paused.state) == standing(before)


def standing(state: RolloutState) -> RolloutState:
    """A state apart from what every entry changes."""
    blank = {"sequence": 0, "recent": (), "seen": (), "recording": 0, "unrecorded": ()}
    return state.model_copy(update=blank)


def test_an_owner_who_had_not_to_act_is_refused_by_role(paused: Simulator) -> None:
    receipt = judged(paused, "finance_owner")
    assert receipt.outcome is Outcome.REFUSED
    assert "this needs revops_owner" in receipt.message


def test_a_stranger_is_refused(paused: Simulator) -> None:
    receipt = judged(paused, "stranger@example.com")
    assert (receipt.outcome, "not an owner named in the plan" in receipt.message) == (Outcome.REFUSED, True)


def test_what_is_no_pause_is_refused_naming_those_that_are(paused: Simulator) -> None:
    receipt = judged(paused, "revops_owner", 1)
    assert receipt.outcome is Outcome.REFUSED
    assert receipt.message.endswith(f"its pauses: {paused.state.pauses[0].sequence}")


def test_the_proposer_does_not_judge_a_breach_of_their_own_change() -> None:
    second = {
        "role": "revops_owner",
        "name": "Ren Ops",
        "identity": "ren.ops@example.com",
        "contact": "ren@example.com",
    }
    owners = [*(one.model_dump(mode="json") for one in PLAN.owners), second]
    rollout = Simulator(make_plan(owners=owners, proposer="rev.ops@example.com"))
    rollout.to_pilot()
    rollout.wait(timedelta(days=5))
    breach(rollout)
    receipt = judged(rollout, rollout.plan.proposer)
    assert (receipt.outcome, "their own change" in receipt.message) == (Outcome.REFUSED, True)
    assert judged(rollout, "ren.ops@example.com").outcome is Outcome.APPLIED


def test_a_stopping_rollout_takes_judgements_and_a_stopped_one_does_not(paused: Simulator) -> None:
    fates = StopResolution(finished=Fate.KEEP, current=Fate.WITHDRAW, pending=Fate.KEEP)
    paused.receive(Verb.STOP, "sponsor", "it stays", resolution=fates)
    if paused.state.stop_resolution is None:
        paused.receive(Verb.STOP, "finance_owner", "agreed", resolution=fates)
    assert paused.state.stop_resolution is not None
    number = paused.state.pauses[-1].sequence
    told = {"pause": number, "verdict": PauseVerdict.RIGHT}
    assert paused.receive(Verb.JUDGE_PAUSE, "revops_owner", "it was right", **told).outcome is Outcome.APPLIED
    paused.settle()
    assert judged(paused, "revops_owner").outcome is Outcome.REFUSED


def test_every_surface_is_told_who_may_judge(paused: Simulator) -> None:
    fresh = Simulator(PLAN)
    [none] = [one for one in allowed_actions(fresh.state, fresh.moment) if one.verb is Verb.JUDGE_PAUSE]
    assert (none.allowed, none.why_not) == (False, "there was no pause to judge")
    [some] = [one for one in allowed_actions(paused.state, paused.moment) if one.verb is Verb.JUDGE_PAUSE]
    assert (some.allowed, some.who) == (True, ("rev.ops@example.com",))


def test_what_a_rollout_carries_of_its_pauses_is_bounded(paused: Simulator) -> None:
    state, pause = paused.state, paused.state.pause
    assert pause is not None
    for _ in range(MOST + 20):
        state = remember(state, pause)
    assert len(state.pauses) == MOST


def test_a_signed_rollout_takes_a_signed_judgement_alone() -> None:
    plan = signed_plan()
    rollout = Simulator(plan, service=Signed(plan))
    rollout.to_pilot()
    rollout.wait(timedelta(days=5))
    breach(rollout)
    number = rollout.state.pauses[-1].sequence
    told = {"pause": number, "verdict": PauseVerdict.RIGHT}
    unsigned = rollout.ask(Verb.JUDGE_PAUSE, "revops_owner", "it was right", token=None, **told)
    assert unsigned.outcome is Outcome.REFUSED
    assert rollout.ask(Verb.JUDGE_PAUSE, "revops_owner", "it was right", **told).outcome is Outcome.APPLIED
