"""Judging a pause in hindsight: who may, of which pause, and that it moves nothing."""

from __future__ import annotations

from datetime import timedelta

import pytest

from models.command import PauseVerdict, Verb
from models.log import EntryKind, Outcome, Receipt
from models.plan import Fate, StopResolution
from models.rollout import RolloutState
from tests.learning.stories import PLAN, breach, paused_and_finished
from tests.plans import make_plan, signed_plan
from tests.signing import Signed
from tests.workflows.simulator import Simulator
from workflows.actions import allowed_actions
from workflows.hindsight import MOST, judges, remember, still_to_judge
from workflows.view import view

SECOND = {"role": "revops_owner", "name": "Ren Ops", "identity": "ren.ops@example.com", "contact": "ren@example.com"}
PROPOSED = make_plan(
    owners=[*(one.model_dump(mode="json") for one in PLAN.owners), SECOND], proposer="rev.ops@example.com"
)
"""One of two who would have to act on a breach proposed the change."""


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
    known = tuple(one.model_copy(update={"judged": None}) for one in state.pauses)
    blank = {"sequence": 0, "recent": (), "seen": (), "recording": 0, "unrecorded": (), "pauses": known}
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
    rollout = Simulator(PROPOSED)
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


def letter(rollout: Simulator, kind: str) -> str:
    """The newest letter of a kind."""
    return [one for one in rollout.notices if one.kind == kind][-1].body


def resumed(rollout: Simulator) -> None:
    rollout.wait(timedelta(days=2))
    rollout.verdicts.clear()
    rollout.ask(Verb.RESUME, "revops_owner", "staff is back")
    assert rollout.state.pause is None


def asked(rollout: Simulator) -> str:
    """What a letter asks of whoever may judge the first pause."""
    one = rollout.state.pauses[0]
    return (
        f"Not judged by anybody yet:\nthe pause of {one.since:%Y-%m-%d} (entry {one.sequence}): Rev Ops\nHow: rollouts "
    )


def test_the_letter_that_it_goes_on_says_which_pause_nobody_has_judged_and_how(paused: Simulator) -> None:
    assert view(paused.state, paused.moment).unjudged == ()  # it stands
    resumed(paused)
    told = letter(paused, "resumed")
    assert told.startswith("rev.ops@example.com (revops_owner): staff is back\n")
    assert asked(paused) in told
    assert "judge-pause test-plan --pause ENTRY --verdict right|false-alarm -m WHY" in told
    assert view(paused.state, paused.moment).unjudged == paused.state.pauses


def test_a_pause_that_was_judged_is_asked_about_no_more(paused: Simulator) -> None:
    judged(paused, "revops_owner")
    resumed(paused)
    assert letter(paused, "resumed") == "rev.ops@example.com (revops_owner): staff is back"
    assert view(paused.state, paused.moment).unjudged == ()


def test_a_judgement_that_was_refused_leaves_it_unjudged(paused: Simulator) -> None:
    judged(paused, "finance_owner")
    resumed(paused)
    assert asked(paused) in letter(paused, "resumed")


def test_the_letter_about_a_checkpoint_asks_as_well(paused: Simulator) -> None:
    resumed(paused)
    paused.wait(timedelta(days=14))
    told = letter(paused, "checkpoint-due")
    assert told.startswith("Review checkpoint 1 is due\n")
    assert asked(paused) in told


def test_letters_about_the_end_say_what_was_never_judged_and_ask_for_nothing_any_more(paused: Simulator) -> None:
    """Also of a pause that the stop itself overtook."""
    entry = paused.state.pauses[0].sequence
    fates = StopResolution(finished=Fate.KEEP, current=Fate.WITHDRAW, pending=Fate.KEEP)
    paused.ask(Verb.STOP, "sponsor", "the breach stays", resolution=fates)
    assert asked(paused) in letter(paused, "stopping")
    told = letter(paused, "stopped")
    assert (
        f"Never judged, so counted as neither right nor a false alarm: the pause of 2026-01-10 (entry {entry})" in told
    )
    assert "judge-pause" not in told
    assert view(paused.state, paused.moment).unjudged == ()


def test_the_letter_about_a_completed_rollout_tells_it_too() -> None:
    for verdict, told in ((None, True), (PauseVerdict.RIGHT, False)):
        rollout = paused_and_finished(verdict)
        bodies = letter(rollout, "completed")
        first = f"entry {rollout.state.pauses[0].sequence}"
        assert (first in bodies) is told
        assert f"entry {rollout.state.pauses[1].sequence}" in bodies


def test_of_pauses_from_before_it_was_kept_nobody_says_that_they_are_unjudged(paused: Simulator) -> None:
    old = tuple(one.model_copy(update={"judged": None}) for one in paused.state.pauses)
    paused.state = paused.state.model_copy(update={"pauses": old})
    resumed(paused)
    assert letter(paused, "resumed") == "rev.ops@example.com (revops_owner): staff is back"


def test_of_many_a_letter_tells_the_newest(paused: Simulator) -> None:
    resumed(paused)
    [one] = paused.state.pauses
    many = tuple(one.model_copy(update={"sequence": number}) for number in range(101, 109))
    told = still_to_judge(paused.state.model_copy(update={"pauses": many}))
    assert "Not judged by anybody yet, the newest 5 of 8:" in told
    assert [number for number in range(101, 109) if f"entry {number})" in told] == [104, 105, 106, 107, 108]


def test_whose_a_pause_is_to_judge_are_those_whose_judgement_is_taken() -> None:
    """Whoever had to act, without the proposer: owner by owner what the letter says and what the rollout does."""
    for plan in (PLAN, PROPOSED):
        rollout = Simulator(plan)
        rollout.to_pilot()
        breach(rollout)
        [pause] = rollout.state.pauses
        named = {one.name for one in judges(plan, pause.roles, guardrail=pause.guardrail)}
        taken = {one.name for one in plan.owners if judged(rollout, one.identity).outcome is Outcome.APPLIED}
        assert named == taken
