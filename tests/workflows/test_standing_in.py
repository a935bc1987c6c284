"""Delegation and broken glass: who else may act, for how long, and that nobody gets a second say by it."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from models.claims import BREAK_GLASS
from models.command import COMMANDS, Command, Decide, PauseVerdict, Verb
from models.evidence import Verdict
from models.log import Outcome, Receipt
from models.plan import Fate, StopResolution
from models.rollout import Phase, RolloutState, Status
from tests.plans import ISSUER, make_plan, signed_plan, subject_of
from tests.signing import Pen, Signed
from tests.workflows.simulator import Simulator
from tests.workflows.test_signed import approval, send, service
from workflows import requests
from workflows.actions import allowed_actions
from workflows.view import view

PLAN = signed_plan()
SPONSOR, PROPOSER, FINANCE = PLAN.owners[:3]
DANA = "dana.deputy@example.com"
DAY = timedelta(days=1)


@pytest.fixture
def rollout() -> Simulator:
    """At its first gate."""
    found = Simulator(PLAN, service=Signed(PLAN))
    found.confirm_all()
    return found


def delegate(rollout: Simulator, role: str = "sponsor", days: int = 7, **changes: Any) -> Receipt:
    given = {"identity": DANA, "name": "Dana Deputy", "issuer": ISSUER, "subject": subject_of(DANA)}
    return rollout.ask(Verb.DELEGATE, role, **{**given, "until": rollout.now + days * DAY, **changes})


def by_dana(rollout: Simulator, verb: Verb, signs_as: str = "sponsor", **fields: Any) -> Receipt:
    """Dana asks, signed in the role of whom she acts for."""
    if verb is Verb.DECIDE:
        command: Command = approval(rollout, DANA, **fields)
    else:
        rollout.requests += 1
        data = {"request_id": f"dana-{rollout.requests:04d}", "actor": DANA, "reason": "in their place", **fields}
        command = COMMANDS[verb].model_validate(data)
    return send(rollout, command, verb, role=signs_as, name="Dana Deputy")


def test_a_delegate_approves_as_the_owners_one_voice_and_the_log_names_both(rollout: Simulator) -> None:
    assert delegate(rollout).outcome is Outcome.APPLIED
    receipt = by_dana(rollout, Verb.DECIDE)
    assert receipt.outcome is Outcome.APPLIED
    assert "Dana Deputy for Sam Sponsor approved" in receipt.message
    entry = next(one for one in rollout.recorded if one.request_id == receipt.request_id)
    assert (entry.actor, entry.role, entry.detail["on_behalf_of"]) == (DANA, "sponsor", SPONSOR.identity)
    assert entry.signed_by
    assert entry.signed_by.subject == subject_of(DANA)
    assert rollout.state.phase is Phase.PILOT


def test_owner_and_delegate_are_one_voice_together() -> None:
    rollout = Simulator(PLAN, service=Signed(PLAN))
    rollout.to_validate()
    rollout.wait(8 * DAY)
    delegate(rollout)
    assert by_dana(rollout, Verb.DECIDE).outcome is Outcome.APPLIED
    assert "has approved already" in rollout.decide("sponsor").message
    assert rollout.state.phase is Phase.VALIDATE
    assert rollout.decide("finance_owner").outcome is Outcome.APPLIED
    assert rollout.state.phase is Phase.SCALE


def test_a_delegation_ends_at_its_time_and_when_it_is_taken_back(rollout: Simulator) -> None:
    delegate(rollout, days=1)
    assert [one.identity for one in view(rollout.state, rollout.moment).delegations] == [DANA]
    rollout.now += DAY
    assert by_dana(rollout, Verb.DECIDE).outcome is Outcome.REFUSED
    assert view(rollout.state, rollout.moment).delegations == ()
    delegate(rollout)
    assert rollout.ask(Verb.DELEGATE, "sponsor", identity=DANA, name="Dana").outcome is Outcome.APPLIED
    assert by_dana(rollout, Verb.DECIDE).outcome is Outcome.REFUSED
    assert "nobody acts in the place" in rollout.ask(Verb.DELEGATE, "sponsor", identity=DANA, name="Dana").message
    assert rollout.decide("sponsor").outcome is Outcome.APPLIED


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"identity": PROPOSER.identity}, "the proposer does not decide on their own change"),
        ({"identity": FINANCE.identity}, "Fin Finance is finance_owner in the plan; one person holds one role"),
        ({"subject": subject_of(FINANCE.identity)}, "Fin Finance is finance_owner in the plan; one person holds one"),
        ({"issuer": None, "subject": None}, "say whose signature is theirs"),
        ({"subject": None}, "say whose signature is theirs"),
        ({"identity": "Dana"}, "an e-mail address and a name"),
        ({"days": 0}, "until must lie in the future"),
    ],
)
def test_nobody_gets_a_say_who_must_not_have_one(rollout: Simulator, changes: dict[str, Any], said: str) -> None:
    receipt = delegate(rollout, **changes)
    assert (receipt.outcome, rollout.state.delegations) == (Outcome.REFUSED, ())
    assert said in receipt.message


def test_one_person_does_not_act_for_two_owners(rollout: Simulator) -> None:
    delegate(rollout)
    assert "acts for another owner already" in delegate(rollout, "finance_owner").message
    other = delegate(rollout, "finance_owner", identity="dana@other.example.com")
    assert "acts for another owner already" in other.message


def test_a_delegate_does_not_delegate_on_nor_confirm_ownership(rollout: Simulator) -> None:
    delegate(rollout)
    on = by_dana(rollout, Verb.DELEGATE, identity="e@example.com", name="Eve", until=rollout.now + DAY)
    assert "does this in person" in on.message
    assert "does this in person" in by_dana(rollout, Verb.CONFIRM_OWNERSHIP, role="sponsor").message


def test_a_delegate_pauses_and_the_log_names_both(rollout: Simulator) -> None:
    rollout.decide("sponsor")
    delegate(rollout)
    receipt = by_dana(rollout, Verb.PAUSE)
    assert (receipt.outcome, rollout.status) == (Outcome.APPLIED, Status.PAUSED)
    entry = next(one for one in rollout.recorded if one.request_id == receipt.request_id)
    assert (entry.actor, entry.role, entry.detail["on_behalf_of"]) == (DANA, "sponsor", SPONSOR.identity)
    assert entry.detail["must_act"] == ["sponsor", "revops_owner"]


@pytest.mark.parametrize("ends", ["Resumed", "Resume refused: fresh evidence", "Resume refused: the rollout is being"])
def test_what_came_of_a_delegate_s_resume_on_fresh_evidence_names_both(rollout: Simulator, ends: str) -> None:
    """Also where they stand in no more by then."""
    rollout.decide("sponsor")
    delegate(rollout)
    rollout.ask(Verb.PAUSE, "sponsor")
    if "evidence" in ends:
        rollout.verdicts[PLAN.metrics[0].metric] = Verdict.NOT_MET
    stop = StopResolution(finished=Fate.KEEP, current=Fate.KEEP, pending=Fate.KEEP)
    over = (Verb.STOP, {"resolution": stop}) if "being" in ends else (Verb.DELEGATE, {"identity": DANA, "name": "Dana"})
    rollout.meanwhile = lambda: rollout.receive(over[0], "sponsor", **over[1])
    asked = by_dana(rollout, Verb.RESUME)
    first, settled = [one for one in rollout.recorded if one.request_id == asked.request_id]
    assert settled.message.startswith(ends)
    assert (first.outcome, settled.verb, settled.role) == (Outcome.PENDING, Verb.RESUME, SPONSOR.role)
    assert {(one.actor, one.detail["on_behalf_of"]) for one in (first, settled)} == {(DANA, SPONSOR.identity)}


def test_a_delegate_s_pause_that_waits_for_its_key_pauses_once_the_key_is_known(rollout: Simulator) -> None:
    delegate(rollout)
    waits_for_its_key(rollout)
    assert by_dana(rollout, Verb.PAUSE).outcome is Outcome.PENDING
    assert rollout.status is Status.PAUSED


def test_what_waits_for_its_key_and_cannot_be_applied_at_all_is_refused_and_the_rollout_goes_on(
    rollout: Simulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No handler stands around it: what it raised would fail every step of the workflow from then on."""

    def broken(*_: Any) -> RolloutState:
        raise OverflowError("nobody has thought of this")

    monkeypatch.setitem(requests._HANDLERS, Verb.PAUSE, broken)
    delegate(rollout)
    waits_for_its_key(rollout)
    asked = by_dana(rollout, Verb.PAUSE)
    entry = next(one for one in rollout.recorded if one.request_id == asked.request_id)
    assert (entry.outcome, entry.refusal) == (Outcome.REFUSED, "OverflowError: nobody has thought of this")
    assert by_dana(rollout, Verb.DECIDE).outcome is Outcome.APPLIED


def waits_for_its_key(rollout: Simulator) -> None:
    """From now on people sign with a key that the rollout has to ask for."""
    rollout.now += timedelta(minutes=1)
    pen = Pen("key-2")
    rollout.keys, rollout.service = pen.keys(service(rollout).pen), Signed(PLAN, pen=pen)


def test_a_delegate_of_the_proposer_does_not_approve() -> None:
    data = {**PLAN.model_dump(mode="json")["approvals"]}
    data["prepare_to_pilot"]["roles"] = ["sponsor", "programme_owner"]
    plan = signed_plan(approvals=data)
    rollout = Simulator(plan, service=Signed(plan))
    rollout.confirm_all()
    assert delegate(rollout, "programme_owner").outcome is Outcome.APPLIED
    gate = rollout.state.gate
    assert gate is not None
    command = Decide.model_validate(approval(rollout, DANA).model_dump() | {"plan_digest": plan.digest})
    receipt = send(rollout, command, role="programme_owner")
    assert "the proposer does not approve their own change" in receipt.message


def test_a_delegate_signs_in_the_role_of_whom_they_act_for(rollout: Simulator) -> None:
    delegate(rollout)
    assert "signed in the role of finance_owner" in by_dana(rollout, Verb.DECIDE, signs_as="finance_owner").message


def test_what_may_be_done_names_the_delegate_too(rollout: Simulator) -> None:
    delegate(rollout)
    allowed = {one.verb: one for one in allowed_actions(rollout.state, rollout.moment)}
    assert allowed[Verb.DECIDE].who == (SPONSOR.identity, DANA)
    assert DANA not in allowed[Verb.DELEGATE].who
    mine = {one.verb: one for one in allowed_actions(rollout.state, rollout.moment, DANA.upper())}
    assert mine[Verb.DECIDE].allowed
    assert not mine[Verb.DELEGATE].allowed


def test_whoever_acts_for_an_owner_is_awaited_after_them_until_the_voice_is_given_or_the_time_is_over(
    rollout: Simulator,
) -> None:
    def awaited() -> list[str]:
        return [who for one in view(rollout.state, rollout.moment).awaited for who in one.who]

    assert awaited() == [SPONSOR.identity]
    delegate(rollout)
    assert awaited() == [SPONSOR.identity, DANA]
    rollout.now += 7 * DAY
    assert DANA not in awaited()


def test_a_signature_that_an_unsigned_rollout_does_not_ask_for_does_not_shut_a_delegate_out() -> None:
    rollout = Simulator(make_plan(), service=Signed(make_plan()))
    rollout.confirm_all()
    assert delegate(rollout, issuer=None, subject=None).outcome is Outcome.APPLIED
    command = approval(rollout, DANA, plan_digest=rollout.plan.digest)
    assert "signed in the role of finance_owner" in send(rollout, command, role="finance_owner").message
    again = command.model_copy(update={"request_id": "approval-again"})
    assert send(rollout, again, role="sponsor").outcome is Outcome.APPLIED
    assert rollout.state.phase is Phase.PILOT


def test_where_a_delegation_says_whose_signature_it_means_no_other_one_will_do() -> None:
    rollout = Simulator(make_plan(), service=Signed(make_plan()))
    rollout.confirm_all()
    assert delegate(rollout).outcome is Outcome.APPLIED
    command = approval(rollout, DANA, plan_digest=rollout.plan.digest)
    assert "is not an owner named in the plan" in send(rollout, command, role="sponsor", sub="sub-eve").message
    assert rollout.state.phase is Phase.PREPARE


def test_where_decisions_are_unsigned_an_owner_delegates_all_the_same() -> None:
    rollout = Simulator(make_plan())
    rollout.confirm_all()
    assert delegate(rollout, issuer=None, subject=None).outcome is Outcome.APPLIED
    command = approval(rollout, DANA, plan_digest=rollout.plan.digest)
    over = rollout.now + 7 * DAY
    rollout.now = over
    assert "not an owner named in the plan" in rollout.take(Verb.DECIDE, command).message
    rollout.now = over - DAY
    again = command.model_copy(update={"request_id": "approval-again"})
    assert rollout.take(Verb.DECIDE, again).outcome is Outcome.APPLIED


# Broken glass.


def glass(rollout: Simulator, verb: Verb, **fields: Any) -> Receipt:
    rollout.requests += 1
    data = {"request_id": f"glass-{rollout.requests:04d}", "actor": "on.call@example.com", "reason": "fire", **fields}
    command = COMMANDS[verb].model_validate(data)
    return send(rollout, command, verb, role=BREAK_GLASS, name="On Call")


def test_broken_glass_pauses_and_those_who_may_override_resume(rollout: Simulator) -> None:
    rollout.decide("sponsor")
    assert glass(rollout, Verb.PAUSE).outcome is Outcome.APPLIED
    pause = rollout.state.pause
    assert pause is not None
    assert pause.must_act == PLAN.approvals.override.roles
    assert "On Call broke the glass: fire" in pause.detail
    entry = next(one for one in rollout.recorded if one.message.startswith("Paused"))
    assert (entry.actor, entry.role, entry.signed_by and entry.signed_by.name) == (
        "on.call@example.com",
        BREAK_GLASS,
        "On Call",
    )
    assert "already paused" in glass(rollout, Verb.PAUSE).message
    assert rollout.ask(Verb.RESUME, "sponsor").outcome is Outcome.PENDING
    assert rollout.state.pause is None


def test_broken_glass_stops_alone(rollout: Simulator) -> None:
    rollout.decide("sponsor")
    resolution = StopResolution(finished=Fate.KEEP, current=Fate.WITHDRAW, pending=Fate.KEEP)
    assert glass(rollout, Verb.STOP, resolution=resolution).outcome is Outcome.APPLIED
    assert (rollout.status, rollout.effects[-1]) == (Status.STOPPED, "withdraw pilot")


@pytest.mark.parametrize("verb", [one for one in Verb if one not in (Verb.PAUSE, Verb.STOP)])
def test_broken_glass_does_nothing_else(rollout: Simulator, verb: Verb) -> None:
    fields: dict[Verb, dict[str, Any]] = {
        Verb.DECIDE: approval(rollout).model_dump(exclude={"request_id", "actor", "reason", "token"}),
        Verb.OVERRIDE: {"metric": PLAN.metrics[0].metric, "until": rollout.now + DAY},
        Verb.CONFIRM_OWNERSHIP: {"role": SPONSOR.role},
        Verb.DELEGATE: {"identity": DANA, "name": "Dana", "until": rollout.now + DAY},
        Verb.JUDGE_PAUSE: {"pause": 1, "verdict": PauseVerdict.RIGHT},
        Verb.REPORT_BREACH: {"metric": PLAN.metrics[0].metric, "cohort": "pilot", "as_of": rollout.now},
        Verb.REPORT_EVIDENCE: {"as_of": rollout.now, "changed": True, "evidence_digest": "sha256:e"},
    }
    receipt = glass(rollout, verb, **fields.get(verb, {}))
    assert receipt.outcome is Outcome.REFUSED
    assert "lets them pause and stop, and nothing else" in receipt.message
    assert rollout.state.phase is Phase.PREPARE


def test_glass_is_not_broken_without_a_signature(rollout: Simulator) -> None:
    receipt = rollout.ask(Verb.PAUSE, "on.call@example.com", token=None)
    assert receipt.outcome is Outcome.REFUSED
    assert service(rollout) is not None
    assert rollout.state.pause is None
