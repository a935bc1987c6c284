"""Under signed decisions only the person a request names can make it, once, as it was signed; the rest is refused and
written down, and the rollout lives on."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from models.claims import BREAK_GLASS
from models.command import COMMANDS, WATCH_ACTOR, Choice, Command, Decide, Verb
from models.log import LogEntry, Outcome, Receipt
from models.plan import Decisions
from models.rollout import HoldKind, Phase, RolloutState, Status
from tests.plans import ISSUER, make_plan, signed_plan, subject_of
from tests.signing import Pen, Signed
from tests.workflows.simulator import Simulator
from workflows.kept import Kept
from workflows.signatures import ASK_AGAIN, PARKED, SPENT
from workflows.step import StepKind

PLAN = signed_plan()
SPONSOR, PROPOSER, FINANCE = PLAN.owners[:3]
MINUTE = timedelta(minutes=1)


@pytest.fixture
def rollout() -> Simulator:
    """At its first gate."""
    found = Simulator(PLAN, service=Signed(PLAN))
    found.confirm_all()
    assert found.state.gate is not None
    return found


def service(rollout: Simulator) -> Signed:
    assert rollout.service is not None
    return rollout.service


def approval(rollout: Simulator, actor: str = SPONSOR.identity, **changes: Any) -> Decide:
    """An approval of the open gate that nobody has signed."""
    gate = rollout.state.gate
    assert gate is not None
    rollout.requests += 1
    data = {
        "request_id": f"approval-{rollout.requests:04d}",
        "actor": actor,
        "reason": "the baselines are sound",
        "gate": gate.key,
        "choice": Choice.APPROVE,
        "plan_digest": PLAN.digest,
        "evidence_digest": gate.digest,
    }
    return Decide.model_validate({**data, **changes})


def send(rollout: Simulator, command: Command, verb: Verb = Verb.DECIDE, **claims: Any) -> Receipt:
    """A request with its token, whose claims may be made to differ."""
    token = service(rollout).request(verb, command, rollout.now, **claims)
    receipt = rollout.take(verb, command.model_copy(update={"token": token}))
    rollout.settle()
    return receipt


def carried(state: RolloutState) -> RolloutState:
    """As the next run of the chain reads it."""
    kept = Kept(state)
    kept.pack()
    return kept.state


def refused(rollout: Simulator, receipt: Receipt, said: str) -> None:
    """It was refused, that stands in the log, and neither gate nor rollout moved; the sponsor can still approve."""
    entry = rollout.state.recent[-1]
    assert receipt.outcome is Outcome.REFUSED
    assert said in receipt.message
    assert (entry.outcome, entry.request_id) == (Outcome.REFUSED, receipt.request_id)
    gate = rollout.state.gate
    assert gate is not None
    assert gate.approvals == ()
    assert rollout.state.phase is Phase.PREPARE
    assert rollout.decide("sponsor").outcome is Outcome.APPLIED
    assert rollout.state.phase is Phase.PILOT


def test_a_signed_rollout_goes_all_the_way_and_its_log_says_who_signed() -> None:
    rollout = Simulator(PLAN, service=Signed(PLAN))
    rollout.to_scale()
    assert (rollout.state.decisions, rollout.state.phase) == (Decisions.SIGNED, Phase.SCALE)
    asked = [entry for entry in rollout.recorded if entry.verb and entry.actor != WATCH_ACTOR]
    assert len(asked) > 8
    for entry in asked:
        assert entry.signed_by is not None
        assert entry.signed_by.subject == subject_of(entry.actor or "")
        assert entry.token
    opened = next(entry for entry in rollout.recorded if entry.message.startswith("Started by Sam Sponsor"))
    assert opened.token == rollout.start_token
    assert "decisions are signed" in rollout.recorded[0].message


def test_tokens_go_to_the_store_and_are_not_carried_in_the_newest_entries(rollout: Simulator) -> None:
    assert any(entry.signed_by for entry in rollout.state.recent)
    assert not any(entry.token for entry in rollout.state.recent)


def test_an_approval_that_nobody_signed_is_refused_whatever_name_is_on_it(rollout: Simulator) -> None:
    receipt = rollout.take(Verb.DECIDE, approval(rollout))
    refused(rollout, receipt, "no signature proves that this is sam.sponsor@example.com")


@pytest.mark.parametrize("verb", [one for one in Verb if one not in (Verb.REPORT_BREACH, Verb.REPORT_EVIDENCE)])
def test_no_verb_of_people_works_unsigned(rollout: Simulator, verb: Verb) -> None:
    fields: dict[Verb, dict[str, Any]] = {
        Verb.DECIDE: approval(rollout).model_dump(exclude={"request_id", "actor", "reason", "token"}),
        Verb.OVERRIDE: {"metric": PLAN.metrics[0].metric, "until": rollout.now + timedelta(days=5)},
        Verb.CONFIRM_OWNERSHIP: {"role": SPONSOR.role},
        Verb.STOP: {"resolution": PLAN.on_automatic_stop},
        Verb.DELEGATE: {"identity": "dana@example.com", "name": "Dana", "until": rollout.now + timedelta(days=5)},
    }
    data = {"request_id": "unsigned-01", "actor": SPONSOR.identity, "reason": "because", **fields.get(verb, {})}
    receipt = rollout.take(verb, COMMANDS[verb].model_validate(data))
    refused(rollout, receipt, "no signature proves")


def test_the_watch_needs_no_signature_because_its_words_can_only_halt(rollout: Simulator) -> None:
    rollout.decide("sponsor")
    assert rollout.report(changed=True).outcome is Outcome.APPLIED


def test_nobody_reports_a_breach_unsigned_in_an_owners_name(rollout: Simulator) -> None:
    rollout.decide("sponsor")
    breach: dict[str, Any] = {"metric": PLAN.metrics[0].metric, "cohort": "pilot", "as_of": rollout.now}
    assert rollout.ask(Verb.REPORT_BREACH, "sponsor", token=None, **breach).outcome is Outcome.REFUSED
    assert rollout.ask(Verb.REPORT_BREACH, "sponsor", **breach).outcome is Outcome.APPLIED


@pytest.mark.parametrize(
    ("claims", "said"),
    [
        ({"gate": "validate_to_scale"}, "another gate"),
        ({"evidence": "sha256:stale"}, "other evidence"),
        ({"wf": "rollout/other-plan"}, "another rollout"),
        ({"chain": "an-earlier-chain"}, "an earlier or later rollout"),
        ({"aud": "somewhere-else"}, "is for 'somewhere-else'"),
        (
            {"sub": "sub-stranger", "name": "Stranger"},
            "Stranger (sub-stranger at https://id.example.com) is not an owner",
        ),
        ({"iss": "https://evil.example.com"}, "is not an owner named in the plan"),
        ({"sub": subject_of(FINANCE.identity), "role": "finance_owner"}, "in the name of sam.sponsor@example.com"),
        ({"role": "finance_owner"}, "signed in the role of finance_owner; Sam Sponsor is sponsor in the plan"),
        ({"role": BREAK_GLASS}, "lets them pause and stop, and nothing else"),
    ],
)
def test_a_signature_for_something_else_or_somebody_else_is_refused(
    rollout: Simulator, claims: dict[str, Any], said: str
) -> None:
    refused(rollout, send(rollout, approval(rollout), **claims), said)


def test_a_key_of_ones_own_proves_nothing(rollout: Simulator) -> None:
    forger = Signed(PLAN, pen=Pen())
    command = approval(rollout)
    token = forger.request(Verb.DECIDE, command, rollout.now)
    receipt = rollout.take(Verb.DECIDE, command.model_copy(update={"token": token}))
    refused(rollout, receipt, "not that of its key")


def test_a_word_changed_on_the_way_makes_it_another_request(rollout: Simulator) -> None:
    command = approval(rollout, choice=Choice.REJECT, reason="not on these numbers")
    token = service(rollout).request(Verb.DECIDE, command, rollout.now)
    changed = command.model_copy(update={"choice": Choice.APPROVE, "token": token})
    refused(rollout, rollout.take(Verb.DECIDE, changed), "another decision")


def test_a_token_that_has_run_out_or_is_not_good_yet_is_refused(rollout: Simulator) -> None:
    command = approval(rollout)
    late = service(rollout).request(Verb.DECIDE, command, rollout.now - timedelta(minutes=10))
    early = service(rollout).request(Verb.DECIDE, command, rollout.now + timedelta(minutes=2))
    assert "expired" in rollout.take(Verb.DECIDE, command.model_copy(update={"token": late})).message
    receipt = rollout.take(Verb.DECIDE, command.model_copy(update={"token": early}))
    refused(rollout, receipt, "from the future")


def test_a_good_token_for_evidence_that_has_changed_since_is_refused(rollout: Simulator) -> None:
    """The person read the old evidence while new evidence came."""
    refused(rollout, send(rollout, approval(rollout, evidence_digest="sha256:what-was-shown-before")), "stale")


def test_the_proposer_does_not_approve_with_the_best_of_signatures() -> None:
    data = {**PLAN.model_dump(mode="json")["approvals"]}
    data["prepare_to_pilot"]["roles"] = ["sponsor", "programme_owner"]
    plan = signed_plan(approvals=data)
    rollout = Simulator(plan, service=Signed(plan))
    rollout.confirm_all()
    receipt = rollout.decide("programme_owner")
    assert (receipt.outcome, rollout.state.phase) == (Outcome.REFUSED, Phase.PREPARE)
    assert "the proposer does not approve their own change" in receipt.message


def test_one_person_does_not_count_for_two_roles_or_twice() -> None:
    rollout = Simulator(PLAN, service=Signed(PLAN))
    rollout.to_validate()
    rollout.wait(timedelta(days=8))
    assert rollout.decide("sponsor").outcome is Outcome.APPLIED
    again = send(rollout, approval(rollout))
    assert "has approved already" in again.message
    hat = send(
        rollout,
        approval(rollout, FINANCE.identity),
        sub=subject_of(SPONSOR.identity),
        role="finance_owner",
    )
    assert hat.outcome is Outcome.REFUSED
    assert rollout.state.phase is Phase.VALIDATE


def test_what_was_used_is_used_up_also_in_the_next_run_of_the_chain(rollout: Simulator) -> None:
    command = approval(rollout, reason="a first look", declared_conflict="my brother works there")
    assert send(rollout, command).outcome is Outcome.REFUSED
    token = service(rollout).request(Verb.DECIDE, command, rollout.now)
    rollout.state = carried(rollout.state)
    rollout.state = rollout.state.model_copy(update={"seen": ()})
    receipt = rollout.take(Verb.DECIDE, command.model_copy(update={"token": token}))
    refused(rollout, receipt, "duplicate")


def test_an_applied_request_is_not_applied_again_though_a_flood_washed_its_id_away() -> None:
    """Words in the watch's name are nobody's and take up the room in which request ids are remembered."""
    rollout = Simulator(PLAN, service=Signed(PLAN))
    rollout.to_pilot()
    pause = {"request_id": "pause-0001", "actor": SPONSOR.identity, "reason": "wait for the auditors"}
    command = COMMANDS[Verb.PAUSE].model_validate(pause)
    assert send(rollout, command, Verb.PAUSE).outcome is Outcome.APPLIED
    token = service(rollout).request(Verb.PAUSE, command, rollout.now)
    assert rollout.ask(Verb.RESUME, "sponsor").outcome is Outcome.PENDING
    assert rollout.state.pause is None
    for _ in range(1100):
        rollout.receive(Verb.REPORT_EVIDENCE, WATCH_ACTOR, as_of=rollout.now, changed=False, evidence_digest="none")
    assert "pause-0001" not in rollout.state.seen
    again = rollout.take(Verb.PAUSE, command.model_copy(update={"token": token}))
    assert "duplicate" in again.message
    assert rollout.state.pause is None


def test_used_tokens_are_forgotten_when_they_have_run_out(rollout: Simulator) -> None:
    assert rollout.state.spent
    rollout.now += timedelta(minutes=11)
    send(rollout, approval(rollout, declared_conflict="mine"))
    assert [one.jti for one in rollout.state.spent] == [rollout.state.recent[-1].request_id]


def test_what_protects_works_though_more_was_signed_than_can_be_remembered(rollout: Simulator) -> None:
    spent = rollout.state.spent[0]
    many = tuple(spent.model_copy(update={"jti": f"token-{number}"}) for number in range(SPENT))
    rollout.state = rollout.state.model_copy(update={"spent": many})
    assert "too many signed requests" in rollout.decide("sponsor").message
    assert rollout.ask(Verb.PAUSE, "finance_owner").outcome is Outcome.APPLIED


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
