"""Under signed decisions only the person a request names can make it, once, as it was signed; the rest is refused and
written down, and the rollout lives on."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from models.claims import BREAK_GLASS
from models.command import COMMANDS, WATCH_ACTOR, Choice, Command, Decide, PauseVerdict, Verb
from models.log import Outcome, Receipt
from models.plan import Decisions
from models.rollout import Phase, RolloutState
from tests.plans import signed_plan, subject_of
from tests.signing import Pen, Signed
from tests.workflows.simulator import Simulator
from workflows.kept import Kept
from workflows.signatures import SPENT

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
        Verb.JUDGE_PAUSE: {"pause": 1, "verdict": PauseVerdict.RIGHT},
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
