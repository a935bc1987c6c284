"""What enrolling and withdrawing rests on is looked at once more, and nothing but what people signed for is enough.

Honest rollouts pass it at every step (`Simulator`); here is what somebody could send who works on the rollouts' queue
and has seen every token that was ever sent.
"""

from __future__ import annotations

import dataclasses
import json
from datetime import timedelta
from itertools import product
from typing import Any

import pytest

from models.claims import BREAK_GLASS
from models.command import Choice, Command, Decide, Delegate, Stop, Verb
from models.evidence import StopTrigger, Verdict
from models.metric import MetricName
from models.plan import OptionKey, RolloutPlan
from models.plan_metric import OnBreach
from models.proof import Proofs
from models.reach import gate_into
from models.rollout import Phase, Status
from models.warrant import Case, NotProven
from tests.models.changes import REDESIGN
from tests.plans import ISSUER, make_plan, signed_data, signed_plan
from tests.signing import Pen, Signed
from tests.workflows.simulator import START, Simulator
from workflows.course import rule_of, transition

PLAN = signed_plan()
SPONSOR, PROPOSER, FINANCE, COMPLIANCE = PLAN.owners[:4]
SERVICE = Signed(PLAN)
DAY = timedelta(days=1)


@pytest.fixture(scope="module")
def scaled() -> Case:
    """What came along when the first wave was enrolled."""
    rollout = Simulator(PLAN, service=SERVICE)
    rollout.to_scale()
    assert rollout.effects == ["enrol pilot", "enrol wave-one"]
    found = rollout.case()
    assert found is not None
    assert len(found.proofs.decisions) == 2
    found.enrol("scale", 1, "wave-one")
    return found


def but(case: Case, **proofs: Any) -> Case:
    return dataclasses.replace(case, proofs=case.proofs.model_copy(update=proofs))


def signed(command: Command, verb: Verb = Verb.DECIDE, service: Signed = SERVICE, **claims: Any) -> Any:
    """With the token of its person."""
    return command.model_copy(update={"token": service.request(verb, command, START, **claims)})


def decision(actor: str, **changes: Any) -> Decide:
    data = {
        "request_id": f"approval-of-{actor}",
        "actor": actor,
        "reason": "the pilot held its limits",
        "gate": "validate_to_scale",
        "choice": Choice.APPROVE,
        "plan_digest": PLAN.digest,
        "evidence_digest": "sha256:e",
    }
    return Decide.model_validate({**data, **changes})


def no(case: Case, said: str, phase: str = "scale", wave: int | None = 1, cohort: str = "wave-one") -> None:
    with pytest.raises(NotProven, match=said):
        case.enrol(phase, wave, cohort)


def test_nothing_is_enrolled_on_nobodys_word(scaled: Case) -> None:
    no(
        but(scaled, decisions=()),
        "validate_to_scale needs 2 of sponsor, finance_owner, compliance_owner; nobody signed",
    )


def test_one_of_two_is_not_enough_and_twice_one_is_one(scaled: Case) -> None:
    first, _ = scaled.proofs.decisions
    no(but(scaled, decisions=(first,)), "needs 2 of .*; Sam Sponsor")
    no(but(scaled, decisions=(first, first)), "needs 2 of")
    again = signed(decision(SPONSOR.identity))
    no(but(scaled, decisions=(first, again)), "needs 2 of")


def test_approvals_of_another_gate_or_rejections_open_nothing(scaled: Case) -> None:
    pilot = tuple(signed(decision(one.identity, gate="prepare_to_pilot")) for one in (SPONSOR, FINANCE))
    no(but(scaled, decisions=pilot), "did not approve validate_to_scale")
    against = tuple(signed(decision(one.identity, choice=Choice.REJECT)) for one in (SPONSOR, FINANCE))
    no(but(scaled, decisions=against), "did not approve")


def test_approvals_do_not_reach_further_than_their_wave(scaled: Case) -> None:
    no(scaled, "did not approve wave_2", wave=2, cohort="wave-two")
    no(scaled, "the plan enrols no cohort wave-two in scale 1", cohort="wave-two")
    no(scaled, "the plan enrols no cohort control", cohort="control")
    no(scaled, "the plan has no wave 3", wave=3, cohort="wave-two")
    no(scaled, "the plan enrols no cohort wave-one in validate", phase="validate", wave=None)


@pytest.mark.parametrize(
    ("claims", "said"),
    [
        ({"chain": "earlier"}, "an earlier or later rollout"),
        ({"wf": "rollout/other"}, "another rollout"),
        ({"aud": "elsewhere"}, "is for 'elsewhere'"),
        ({"sub": "sub-forger", "name": "Forger"}, "Forger .* is no owner of the plan"),
        ({"role": "sponsor"}, "signed as sponsor; Fin Finance is finance_owner"),
        ({"role": BREAK_GLASS}, "signed as break-glass"),
        ({"iat": 4_000_000_000, "exp": 4_000_000_100}, "from the future"),
        ({"exp": 4_000_000_000}, "600 seconds at most"),
    ],
)
def test_a_signature_that_says_something_else_counts_for_nothing(
    scaled: Case, claims: dict[str, Any], said: str
) -> None:
    bad = signed(decision(FINANCE.identity), **claims)
    no(but(scaled, decisions=(scaled.proofs.decisions[0], bad)), said)


def test_a_forgers_key_counts_for_nothing_whatever_the_workflow_says_of_keys(scaled: Case) -> None:
    forger = Signed(PLAN, pen=Pen())
    forged = tuple(signed(decision(one.identity), service=forger) for one in (SPONSOR, FINANCE))
    no(but(scaled, decisions=forged), "not that of its key")
    no(dataclasses.replace(scaled, keys=Pen("key-2").keys()), "not among the keys")


def test_a_request_without_its_token_or_with_words_changed_counts_for_nothing(scaled: Case) -> None:
    first, second = scaled.proofs.decisions
    no(but(scaled, decisions=(first, second.model_copy(update={"token": None}))), "a decide is not signed")
    no(but(scaled, decisions=(first, second.model_copy(update={"reason": "anything"}))), "another rationale")


def test_those_who_do_not_approve_this_gate_do_not_count(scaled: Case) -> None:
    other = signed(decision(PLAN.owners[4].identity))
    no(but(scaled, decisions=(*scaled.proofs.decisions, other)), "Rev Ops is revops_owner, who does not approve")


def test_the_proposer_counts_for_nothing() -> None:
    approvals = {**PLAN.model_dump(mode="json")["approvals"]}
    approvals["prepare_to_pilot"]["roles"] = ["sponsor", "programme_owner"]
    plan = signed_plan(approvals=approvals)
    service = Signed(plan)
    vote = decision(PROPOSER.identity, gate="prepare_to_pilot", plan_digest=plan.digest)
    proofs = Proofs(start=service.start(START), decisions=(signed(vote, service=service),))
    no(_case(plan, service, proofs), "the proposer does not approve", "pilot", None, "pilot")


def test_a_declared_conflict_bars(scaled: Case) -> None:
    barred = signed(decision(FINANCE.identity, declared_conflict="my brother works there"))
    no(but(scaled, decisions=(scaled.proofs.decisions[0], barred)), "declared a conflict of interest")


def _case(plan: RolloutPlan, service: Signed, proofs: Proofs) -> Case:
    rollout = Simulator(make_plan())
    return Case(
        rollout_id=plan.id,
        chain_id="chain",
        plan=plan,
        clock=rollout.state.clock,
        proofs=proofs,
        keys=service.pen.keys(),
        at=START,
    )


# The start.


def test_a_plan_with_forged_owners_enrols_nobody_though_all_its_owners_sign(scaled: Case) -> None:
    """The forger signs in as themself, honestly, and has written themself into the plan as every owner."""
    data = signed_data()
    for number, owner in enumerate(data["owners"]):
        owner["subject"] = f"forger-{number}"
    forged = RolloutPlan.model_validate_json(json.dumps(data))
    service = Signed(forged, pen=SERVICE.pen)
    votes = []
    for number, owner in ((0, SPONSOR), (2, FINANCE)):
        vote = decision(owner.identity, plan_digest=forged.digest)
        votes.append(signed(vote, service=service, sub=f"forger-{number}"))
    case = dataclasses.replace(scaled, plan=forged, proofs=Proofs(start=scaled.proofs.start, decisions=tuple(votes)))
    no(case, "the start is not proven: the token was signed for another version of the plan")
    no(dataclasses.replace(case, proofs=Proofs(decisions=tuple(votes))), "nobody signed the start")
    no(but(case, start=Signed(forged, pen=Pen()).start(START)), "the start is not proven")


def test_a_start_of_another_rollout_or_by_a_stranger_starts_nothing(scaled: Case) -> None:
    no(dataclasses.replace(scaled, rollout_id="other"), "is registered with the plan test-plan")
    no(but(scaled, start=SERVICE.start(START, sub="sub-stranger")), "signed the start as sponsor")
    no(but(scaled, start=SERVICE.start(START, wf="rollout/other")), "another rollout")
    no(but(scaled, start=scaled.proofs.decisions[0].token), "another request")


# Standing in.


def hand_over(owner: str = FINANCE.identity, **changes: Any) -> Delegate:
    data = {
        "request_id": "delegation-1",
        "actor": owner,
        "reason": "on leave",
        "identity": "dana@example.com",
        "name": "Dana",
        "issuer": ISSUER,
        "subject": "sub-dana",
        "until": START + DAY,
    }
    return Delegate.model_validate({**data, **changes})


def dana(**claims: Any) -> Any:
    return signed(decision("dana@example.com"), role="finance_owner", sub="sub-dana", name="Dana", **claims)


def test_a_delegate_counts_with_the_owners_signed_word_and_not_without(scaled: Case) -> None:
    votes = (scaled.proofs.decisions[0], dana())
    given = signed(hand_over(), Verb.DELEGATE)
    but(scaled, decisions=votes, delegations=(given,)).enrol("scale", 1, "wave-one")
    no(but(scaled, decisions=votes), "Dana .* is no owner of the plan")
    forged = signed(hand_over(), Verb.DELEGATE, Signed(PLAN, pen=Pen()))
    no(but(scaled, decisions=votes, delegations=(forged,)), "the signature of a delegate does not hold")
    own = signed(hand_over("dana@example.com"), Verb.DELEGATE, sub="sub-dana", name="Dana")
    no(but(scaled, decisions=votes, delegations=(own,)), "Dana has no place in the plan")
    over = signed(hand_over(until=START), Verb.DELEGATE)
    no(but(scaled, decisions=votes, delegations=(over,)), "is no owner of the plan")


def test_a_delegate_and_their_owner_are_one(scaled: Case) -> None:
    given = signed(hand_over(SPONSOR.identity), Verb.DELEGATE)
    both = (scaled.proofs.decisions[0], signed(decision("dana@example.com"), role="sponsor", sub="sub-dana"))
    no(but(scaled, decisions=both, delegations=(given,)), "needs 2 of")


def test_the_proposer_acts_in_nobodys_place(scaled: Case) -> None:
    plan = signed_plan(proposer="outside@example.com")
    service = Signed(plan, pen=SERVICE.pen)
    given = signed(hand_over(identity="outside@example.com"), Verb.DELEGATE, service)
    votes = tuple(
        signed(decision(one.identity, plan_digest=plan.digest), service=service) for one in (SPONSOR, FINANCE)
    )
    proofs = Proofs(start=service.start(START), decisions=votes, delegations=(given,))
    no(dataclasses.replace(scaled, plan=plan, proofs=proofs), "the proposer acts in nobody's place")


# Withdrawing.


def stopping(actor: str = SPONSOR.identity, fate: str = "withdraw") -> Stop:
    resolution = {"finished": "keep", "current": fate, "pending": "keep"}
    data = {"request_id": f"stop-{actor}", "actor": actor, "reason": "enough", "resolution": resolution}
    return Stop.model_validate_json(json.dumps(data))


def test_nobody_is_withdrawn_on_nobodys_word(scaled: Case) -> None:
    with pytest.raises(NotProven, match="nobody signed a stop, and no evidence"):
        scaled.withdraw(None)
    healthy = Simulator(PLAN, service=SERVICE)
    healthy.to_pilot()
    with pytest.raises(NotProven, match="nobody signed a stop, and no evidence"):
        scaled.withdraw(healthy.assessment())


def test_a_stop_is_signed_by_those_who_agree_to_one(scaled: Case) -> None:
    but(scaled, stops=(signed(stopping(), Verb.STOP),)).withdraw(None)
    for wrong, said in (
        (signed(stopping(FINANCE.identity), Verb.STOP), "a stop needs 1 of sponsor; nobody"),
        (stopping(), "a stop is not signed"),
        (signed(stopping(), Verb.STOP, Signed(PLAN, pen=Pen())), "not that of its key"),
        (signed(stopping(fate="keep"), Verb.STOP), "keeps every cohort"),
    ):
        with pytest.raises(NotProven, match=said):
            but(scaled, stops=(wrong,)).withdraw(None)


def test_broken_glass_is_enough_to_stop_and_not_to_enrol(scaled: Case) -> None:
    command = stopping("on.call@example.com")
    token = signed(command, Verb.STOP, role=BREAK_GLASS, sub="sub-on-call")
    but(scaled, stops=(token,)).withdraw(None)


def test_evidence_stops_as_the_plan_says(scaled: Case) -> None:
    rollout = Simulator(PLAN, service=SERVICE)
    rollout.to_pilot()
    trigger = StopTrigger(
        condition="the SLA collapses", metric=MetricName.LEAD_FOLLOW_UP_SLA, cohort="pilot", value=10.0
    )
    rollout.stop = (trigger,)
    rollout.report(changed=True)
    assert (rollout.status, rollout.effects) == (Status.STOPPED, ["enrol pilot", "withdraw pilot"])
    breach = rollout.assessment()
    keeps = signed_plan(on_automatic_stop={"finished": "keep", "current": "keep", "pending": "keep"})
    start = Signed(keeps, pen=SERVICE.pen).start(START)
    with pytest.raises(NotProven, match="keeps every cohort"):
        dataclasses.replace(scaled, plan=keeps, proofs=Proofs(start=start)).withdraw(breach)


def test_a_guardrail_that_stops_is_evidence_and_one_that_pauses_is_none(scaled: Case) -> None:
    rollout = Simulator(PLAN, service=SERVICE)
    rollout.to_pilot()
    rollout.verdicts = {MetricName.LEAD_FOLLOW_UP_SLA: Verdict.NOT_MET}
    with pytest.raises(NotProven, match="no evidence in the store asks for one"):
        scaled.withdraw(rollout.assessment())
    data = signed_data()
    data["metrics"][0]["on_breach"] = "stop"
    plan = RolloutPlan.model_validate_json(json.dumps(data))
    start = Signed(plan, pen=SERVICE.pen).start(START)
    stopping, breach = dataclasses.replace(scaled, plan=plan, proofs=Proofs(start=start)), rollout.assessment()
    stops = tuple(one.model_copy(update={"on_breach": OnBreach.STOP}) for one in breach.items)
    stopping.withdraw(breach.model_copy(update={"items": stops}))
    # One that pauses instead, because nobody can see or the data are in doubt, takes nobody out.
    with pytest.raises(NotProven, match="no evidence in the store asks for one"):
        stopping.withdraw(breach)


def test_a_stop_agreed_by_people_passes_in_a_whole_rollout() -> None:
    rollout = Simulator(PLAN, service=SERVICE)
    rollout.to_pilot()
    rollout.ask(Verb.STOP, "sponsor", resolution=stopping().resolution)
    assert (rollout.status, rollout.effects[-1]) == (Status.STOPPED, "withdraw pilot")


# Which gate it was.


def _plans() -> list[RolloutPlan]:
    approvals = make_plan().model_dump(mode="json")["approvals"]
    return [
        make_plan(),
        make_plan(approvals={**approvals, "wave": None}),
        make_plan(approvals={**approvals, "pilot_to_validate": approvals["wave"]}),
        make_plan(chosen="C", approvals={**approvals, "prepare_to_scale": REDESIGN}),
        make_plan(chosen="A"),
    ]


@pytest.mark.parametrize(("plan", "phase", "wave"), list(product(_plans(), Phase, [None, 1, 2])))
def test_the_gate_that_is_looked_at_is_the_one_a_rollout_passes(
    plan: RolloutPlan, phase: Phase, wave: int | None
) -> None:
    staged = plan.chosen is OptionKey.STAGED
    if phase is Phase.CLOSE or (staged and (phase is Phase.SCALE) is not (wave is not None)):
        return  # no rollout gets there
    way = transition(plan, phase, wave)
    if way.to not in (Phase.PILOT, Phase.SCALE) or plan.chosen is OptionKey.MAINTAIN:
        return
    found, rule = gate_into(plan, way.to.value, way.wave), rule_of(plan, way)
    if rule is not None:
        assert found == (way.key, rule)
    else:
        assert found == ("validate_to_scale", plan.approvals.validate_to_scale)
