"""Keys that come, go and cannot be had, and what has to be proven before a rollout begins."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from models.claims import BREAK_GLASS
from models.clock import clock_at
from models.command import COMMANDS, Verb
from models.log import LogEntry, Outcome
from models.plan import Decisions, Fate, StopResolution
from models.rollout import HoldKind, Phase, Status
from tests.plans import ISSUER, make_plan, signed_plan
from tests.signing import Pen, Signed
from tests.workflows.simulator import Simulator
from tests.workflows.test_signed import approval, carried, refused, service
from workflows.phases import initial_state
from workflows.signatures import ASK_AGAIN, PARKED
from workflows.step import StepKind

PLAN = signed_plan()
SPONSOR = PLAN.owners[0]
MINUTE = timedelta(minutes=1)


@pytest.fixture
def rollout() -> Simulator:
    """At its first gate."""
    found = Simulator(PLAN, service=Signed(PLAN))
    found.confirm_all()
    return found


# Keys.


def newer(rollout: Simulator) -> Signed:
    """The service with a new key that the file has and the rollout does not know yet."""
    pen = Pen("key-2")
    rollout.keys = pen.keys(service(rollout).pen)
    return Signed(PLAN, pen=pen)


def test_a_key_that_came_later_is_asked_for_and_the_request_then_applied(rollout: Simulator) -> None:
    rollout.now += MINUTE
    command = approval(rollout)
    token = newer(rollout).request(Verb.DECIDE, command, rollout.now)
    receipt = rollout.take(Verb.DECIDE, command.model_copy(update={"token": token}))
    assert receipt.outcome is Outcome.PENDING
    rollout.settle()
    assert rollout.state.phase is Phase.PILOT
    assert any("key-2, key-1" in entry.message for entry in rollout.recorded)


def test_keys_are_asked_for_every_half_minute_at_most(rollout: Simulator) -> None:
    command = approval(rollout)
    token = newer(rollout).request(Verb.DECIDE, command, rollout.now)
    rollout.take(Verb.DECIDE, command.model_copy(update={"token": token}))
    step = rollout.settle()
    assert rollout.state.parked
    assert step.until == rollout.now + ASK_AGAIN
    rollout.now += ASK_AGAIN
    rollout.settle()
    assert (rollout.state.parked, rollout.state.phase) == ((), Phase.PILOT)


def test_a_key_that_nobody_has_heard_of_is_refused_after_one_look(rollout: Simulator) -> None:
    rollout.now += MINUTE
    command = approval(rollout)
    token = Signed(PLAN, pen=Pen("made-up")).request(Verb.DECIDE, command, rollout.now)
    receipt = rollout.take(Verb.DECIDE, command.model_copy(update={"token": token}))
    assert receipt.outcome is Outcome.PENDING
    rollout.settle()
    answer = receipt.model_copy(update={"outcome": Outcome.REFUSED, "message": rollout.state.recent[-1].message})
    refused(rollout, answer, "'made-up', which is not among the keys")


def test_only_so_many_requests_wait_for_keys(rollout: Simulator) -> None:
    stranger = Signed(PLAN, pen=Pen("made-up"))
    for _ in range(PARKED):
        command = approval(rollout)
        token = stranger.request(Verb.DECIDE, command, rollout.now)
        assert rollout.take(Verb.DECIDE, command.model_copy(update={"token": token})).outcome is Outcome.PENDING
    command = approval(rollout)
    token = stranger.request(Verb.DECIDE, command, rollout.now)
    receipt = rollout.take(Verb.DECIDE, command.model_copy(update={"token": token}))
    refused(rollout, receipt, "too many requests wait")


def test_a_request_that_waits_for_keys_is_carried_to_the_next_run(rollout: Simulator) -> None:
    command = approval(rollout)
    token = newer(rollout).request(Verb.DECIDE, command, rollout.now)
    rollout.take(Verb.DECIDE, command.model_copy(update={"token": token}))
    rollout.state = carried(rollout.state)
    rollout.now += ASK_AGAIN
    rollout.settle()
    assert rollout.state.phase is Phase.PILOT


def test_keys_are_asked_for_anew_at_each_phase_so_that_one_taken_out_counts_no_more(rollout: Simulator) -> None:
    old = service(rollout)
    rollout.decide("sponsor")
    rollout.wait(timedelta(days=15))
    rollout.ask(Verb.REVIEW, "sponsor")
    rollout.keys = Pen("key-2").keys()
    rollout.wait(timedelta(days=16))
    assert rollout.state.phase is Phase.VALIDATE
    assert rollout.state.keys == rollout.keys
    rollout.now += MINUTE
    receipt = rollout.receive(Verb.PAUSE, "sponsor")
    rollout.settle()
    assert receipt.outcome is Outcome.PENDING
    assert f"'{old.pen.kid}', which is not among" in rollout.state.recent[-1].message
    assert rollout.state.pause is None


def test_without_keys_the_rollout_holds_tells_why_and_goes_on_when_they_are_there() -> None:
    rollout = Simulator(PLAN, service=Signed(PLAN), broken={StepKind.KEYS})
    [hold] = rollout.state.holds
    assert (hold.kind, "it is down" in hold.detail) == (HoldKind.KEYS, True)
    assert (rollout.state.registered, rollout.recorded, rollout.sent) == (False, [], [])
    assert rollout.ask(Verb.PAUSE, "sponsor").outcome is Outcome.PENDING
    rollout.broken.clear()
    rollout.wait(MINUTE)
    assert rollout.state.holds == ()
    assert rollout.state.registered
    assert rollout.state.pause is not None


def test_what_waits_is_refused_when_keys_cannot_be_had(rollout: Simulator) -> None:
    rollout.now += MINUTE
    rollout.broken.add(StepKind.KEYS)
    command = approval(rollout)
    token = newer(rollout).request(Verb.DECIDE, command, rollout.now)
    rollout.take(Verb.DECIDE, command.model_copy(update={"token": token}))
    rollout.settle()
    told = next(entry for entry in reversed(rollout.state.recent) if entry.request_id == command.request_id)
    assert told.outcome is Outcome.REFUSED
    assert "could not be verified: it is down" in told.message


# The start.


@pytest.mark.parametrize(
    ("claims", "said"),
    [
        ({"plan": "sha256:another", "request": "sha256:another"}, "another version of the plan"),
        ({"wf": "rollout/another"}, "another rollout"),
        ({"sub": "sub-stranger", "name": "Stranger"}, "Stranger signed the start as sponsor"),
        ({"role": "finance_owner"}, "signed the start as finance_owner"),
        ({"role": BREAK_GLASS}, "signed the start as break-glass"),
        ({"exp": 1}, "must be good for some time"),
    ],
)
def test_a_start_that_is_not_proven_ends_before_anything_is_touched(claims: dict[str, Any], said: str) -> None:
    signs = Signed(PLAN)
    over = Simulator(PLAN, service=signs, start_token=signs.start(Simulator(make_plan()).now, **claims))
    _not_started(over, said)


def _not_started(rollout: Simulator, said: str) -> None:
    assert rollout.status is Status.STOPPED
    assert [entry.message for entry in rollout.recorded if said in entry.message] != []
    assert (rollout.state.cohorts, rollout.effects, rollout.sent) == ((), [], [])


def test_owners_that_were_forged_into_a_plan_start_nothing() -> None:
    """The plan names the forger as every owner; the start was signed for the plan as it was."""
    data = [{**owner.model_dump(), "issuer": ISSUER, "subject": f"forger-{owner.role}"} for owner in PLAN.owners]
    forged = signed_plan()
    forged = forged.model_copy(
        update={"owners": tuple(type(SPONSOR).model_validate(one) for one in data), "title": "Test plan"}
    )
    honest = Signed(PLAN)
    over = Simulator(
        forged, service=Signed(forged, pen=honest.pen), start_token=honest.start(Simulator(make_plan()).now)
    )
    _not_started(over, "another version of the plan")


def test_a_start_that_nobody_signed_ends_at_once() -> None:
    class Silent(Signed):
        def start(self, *_: Any, **__: Any) -> str:
            return ""

    rollout = Simulator(PLAN, service=Silent(PLAN), start_token="")
    _not_started(rollout, "no compact JWS")


def test_the_proposer_may_start_and_so_may_an_owner() -> None:
    signs = Signed(PLAN)
    now = Simulator(make_plan()).now
    for claims in ({"role": "proposer", "sub": "sub-somebody"}, {"role": "proposer"}, {}):
        begun = Simulator(PLAN, service=signs, start_token=signs.start(now, **claims))
        assert begun.state.started_by
        assert begun.state.registered


def test_a_start_signed_with_a_key_that_is_on_its_way_waits_for_it_and_not_for_ever() -> None:
    signs, old = Signed(PLAN, pen=Pen("key-2")), Pen()
    rollout = Simulator(PLAN, service=signs, keys=old.keys())
    assert [one.kind for one in rollout.state.holds] == [HoldKind.KEYS]
    assert "no signature" not in rollout.state.holds[0].detail
    assert not rollout.state.registered
    rollout.keys = signs.pen.keys(old)
    rollout.wait(MINUTE)
    assert rollout.state.started_by == "Sam Sponsor"
    never = Simulator(PLAN, service=signs, keys=old.keys())
    never.wait(timedelta(minutes=11))
    _not_started(never, "not among the keys")


# Unsigned.


def test_where_decisions_are_unsigned_nothing_is_asked_for_and_the_state_says_so() -> None:
    rollout = Simulator(make_plan())
    rollout.to_scale()
    assert rollout.state.decisions is Decisions.UNSIGNED
    assert (rollout.state.keys_asked_at, rollout.state.keys, rollout.state.spent) == (None, None, ())


def test_where_decisions_are_unsigned_a_token_is_looked_at_all_the_same() -> None:
    plan = make_plan()
    rollout = Simulator(plan)
    rollout.confirm_all()
    signs = Signed(plan)
    rollout.keys = signs.pen.keys()
    bad = rollout.receive(Verb.PAUSE, "sponsor", token="no token at all")
    assert bad.outcome is Outcome.REFUSED
    data = {"request_id": "pause-0001", "actor": SPONSOR.identity, "reason": "wait for the auditors"}
    command = COMMANDS[Verb.PAUSE].model_validate(data)
    token = signs.request(Verb.PAUSE, command, rollout.now)
    assert rollout.take(Verb.PAUSE, command.model_copy(update={"token": token})).outcome is Outcome.PENDING
    rollout.settle()
    assert rollout.state.pause is not None
    entry = _of(rollout, "pause-0001")
    assert entry.signed_by is not None


def test_where_decisions_are_unsigned_keys_that_cannot_be_had_hold_nothing_up() -> None:
    plan = make_plan()
    rollout = Simulator(plan, broken={StepKind.KEYS})
    rollout.confirm_all()
    data = {"request_id": "pause-0001", "actor": SPONSOR.identity, "reason": "wait for the auditors"}
    command = COMMANDS[Verb.PAUSE].model_validate(data)
    token = Signed(plan).request(Verb.PAUSE, command, rollout.now)
    rollout.take(Verb.PAUSE, command.model_copy(update={"token": token}))
    rollout.settle()
    assert _of(rollout, "pause-0001").outcome is Outcome.REFUSED
    assert rollout.state.holds == ()
    assert rollout.decide("sponsor").outcome is Outcome.APPLIED


def _of(rollout: Simulator, request_id: str) -> LogEntry:
    return next(entry for entry in reversed(rollout.state.recent) if entry.request_id == request_id)


# The end.


def test_what_waits_for_a_key_as_the_rollout_ends_is_refused_in_the_log(rollout: Simulator) -> None:
    """The pause bears the signature of a key that is on its way; the stop one that is known."""
    rollout.now += MINUTE
    rollout.broken = {StepKind.KEYS}
    command = COMMANDS[Verb.PAUSE].model_validate(
        {"request_id": "request-late", "actor": SPONSOR.identity, "reason": "not so fast"}
    )
    token = newer(rollout).request(Verb.PAUSE, command, rollout.now)
    assert rollout.take(Verb.PAUSE, command.model_copy(update={"token": token})).outcome is Outcome.PENDING
    fates = StopResolution(finished=Fate.KEEP, current=Fate.KEEP, pending=Fate.KEEP)
    assert rollout.receive(Verb.STOP, "sponsor", resolution=fates).outcome is Outcome.APPLIED
    rollout.state = rollout.state.model_copy(update={"keys_asked_at": rollout.now})
    rollout.settle()
    assert rollout.status is Status.STOPPED
    assert [entry.outcome for entry in rollout.recorded if entry.request_id == "request-late"] == [Outcome.REFUSED]


def test_what_waited_for_keys_that_prove_no_start_is_refused_in_the_log() -> None:
    signs = Signed(PLAN)
    over = Simulator(PLAN, service=signs, start_token=signs.start(Simulator(make_plan()).now, role=BREAK_GLASS))
    begun = initial_state(PLAN, "chain", clock_at(over.now), over.moment, start_token=over.start_token)
    command = COMMANDS[Verb.PAUSE].model_validate(
        {"request_id": "request-soon", "actor": SPONSOR.identity, "reason": "not so fast"}
    )
    command = command.model_copy(update={"token": signs.request(Verb.PAUSE, command, over.now)})
    over.state, over.recorded = begun, []
    assert over.take(Verb.PAUSE, command).outcome is Outcome.PENDING
    over.settle()
    _not_started(over, "signed the start as break-glass")
    assert [entry.outcome for entry in over.recorded if entry.request_id == "request-soon"] == [Outcome.REFUSED]
