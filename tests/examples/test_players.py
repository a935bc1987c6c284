"""The played owners do what a plan asks of its people, and no more."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import typer
from typer.core import TyperGroup

from cli.main import app
from cli.players import Act, Players
from examples.run_history import arguments_of
from models.clock import clock_at
from models.command import Verb
from models.evidence import Assessment, MetricAssessment, Verdict
from models.log import Outcome, Receipt
from models.metric import MetricName, MetricUse
from models.plan import GateName, RolloutPlan
from models.plan_metric import OnBreach
from models.rollout import Approval, GateState, Hold, HoldKind, PauseCause, PauseState, RolloutView, Status
from tests.plans import make_plan
from workflows.journal import Now
from workflows.phases import initial_state
from workflows.view import view

BEGIN = datetime(2026, 1, 5, tzinfo=UTC)
DAY = timedelta(days=1)
PLAN = make_plan()


def seen(plan: RolloutPlan = PLAN, days: float = 0, **what: Any) -> RolloutView:
    """What the rollout shows some days after its start."""
    begun = initial_state(plan, "chain", clock_at(BEGIN), Now(real=BEGIN, programme=BEGIN))
    now = BEGIN + DAY * days
    return view(begun, Now(real=now, programme=now)).model_copy(update=what)


def confirmed(plan: RolloutPlan = PLAN, **options: Any) -> Players:
    """Players who have confirmed already."""
    players = Players(plan, **options)
    for act in players.acts(seen(plan)):
        players.heard(act, said(Outcome.APPLIED))
    return players


def said(outcome: Outcome) -> Receipt:
    return Receipt(request_id="request-1", outcome=outcome, message="so it is", sequence=1)


def paused(days: float, **what: Any) -> RolloutView:
    pause = PauseState(
        cause=PauseCause.GUARDRAIL,
        since=BEGIN,
        detail="the SLA slumped",
        must_act=("revops_owner",),
        metrics=(MetricName.LEAD_FOLLOW_UP_SLA,),
    )
    return seen(days=days, pause=pause, status=Status.PAUSED, **what)


def judged(days: float, verdict: Verdict) -> Assessment:
    item = MetricAssessment(
        cohort="pilot",
        metric=MetricName.LEAD_FOLLOW_UP_SLA,
        use=MetricUse.GUARDRAIL,
        on_breach=OnBreach.PAUSE,
        verdict=verdict,
        reasons=(),
        value=91.5,
        thresholds=(">= 85",),
        baseline=None,
        n_partners=12,
        n_facts=100,
        minimum_sample_reached=True,
        data_current=True,
        data_through=None,
        data_age=None,
    )
    return Assessment(evidence_id="a", digest="d", snapshot_digest="s", as_of=BEGIN + DAY * days, items=(item,))


def by(acts: tuple[Act, ...]) -> list[tuple[Verb, str]]:
    return [(act.verb, act.owner.role) for act in acts]


def test_everybody_confirms_once() -> None:
    players = Players(PLAN)
    acts = players.acts(seen())
    assert by(acts) == [(Verb.CONFIRM_OWNERSHIP, owner.role) for owner in PLAN.owners]
    players.heard(acts[0], said(Outcome.REFUSED))
    assert by(players.acts(seen())) == by(acts[1:])


def at_gate(*approved: str) -> RolloutView:
    people = {owner.role: owner.identity for owner in PLAN.owners}
    gate = GateState(
        name=GateName.VALIDATE_TO_SCALE,
        key="validate_to_scale",
        opened_at=BEGIN,
        due_at=BEGIN + DAY,
        digest="sha256:abc",
        approvals=tuple(Approval(identity=people[role], role=role, at=BEGIN, request_id="r") for role in approved),
    )
    return seen(gate=gate, status=Status.AWAITING_APPROVAL)


def test_as_many_as_the_quorum_asks_for_approve_the_evidence_that_the_gate_shows() -> None:
    acts = confirmed().acts(at_gate())
    assert by(acts) == [(Verb.DECIDE, "sponsor"), (Verb.DECIDE, "finance_owner")]
    assert acts[0].fields["evidence_digest"] == "sha256:abc"
    assert acts[0].fields["plan_digest"] == PLAN.digest


def test_who_has_approved_does_not_approve_again() -> None:
    assert by(confirmed().acts(at_gate("sponsor"))) == [(Verb.DECIDE, "finance_owner")]


def test_required_roles_approve_first_and_the_proposer_never() -> None:
    rule = PLAN.approvals.validate_to_scale
    assert rule is not None
    changed = {"roles": ("programme_owner", *rule.roles), "required": ("compliance_owner",)}
    approvals = PLAN.approvals.model_copy(update={"validate_to_scale": rule.model_copy(update=changed)})
    plan = PLAN.model_copy(update={"approvals": approvals})
    acts = confirmed(plan).acts(at_gate())
    assert by(acts) == [(Verb.DECIDE, "compliance_owner"), (Verb.DECIDE, "sponsor")]


def test_a_breach_that_stands_is_asked_about_once_a_month_and_stopped_after_the_agreed_refusals() -> None:
    players = confirmed(give_up=3)
    asked = []
    for day in range(0, 120, 10):
        acts = players.acts(paused(day))
        asked += [(day, act.verb) for act in acts]
        for act in acts:
            players.heard(act, said(Outcome.REFUSED))
    assert asked == [
        (30, Verb.RESUME),
        (60, Verb.RESUME),
        (90, Verb.RESUME),
        (100, Verb.STOP),
        (110, Verb.STOP),
    ]
    (stop,) = players.acts(paused(120))
    assert stop.owner.role == "sponsor"
    assert stop.fields["resolution"] == PLAN.on_automatic_stop
    assert "3 resumes refused" in stop.reason


def test_a_new_pause_is_counted_from_its_own_beginning() -> None:
    players = confirmed(give_up=1)
    for act in players.acts(paused(30)):
        players.heard(act, said(Outcome.REFUSED))
    again = paused(60)
    assert again.pause is not None
    later = again.pause.model_copy(update={"since": BEGIN + DAY * 55})
    assert players.acts(again.model_copy(update={"pause": later})) == ()


def test_fresh_evidence_without_a_breach_is_resumed_on_at_once() -> None:
    (act,) = confirmed().acts(paused(5, assessment=judged(4, Verdict.MET)))
    assert (act.verb, act.owner.role) == (Verb.RESUME, "revops_owner")
    assert "91.50 %, met" in act.reason


@pytest.mark.parametrize(
    "assessment",
    [
        judged(0, Verdict.MET),
        judged(4, Verdict.NOT_MET),
        judged(4, Verdict.CANNOT_TELL),
        judged(4, Verdict.NO_EVIDENCE),
    ],
    ids=["as old as the pause", "not met", "cannot tell", "no evidence"],
)
def test_anything_less_is_no_reason_to_resume(assessment: Assessment) -> None:
    assert confirmed().acts(paused(5, assessment=assessment)) == ()


def test_only_a_hold_that_better_numbers_would_end_is_given_up() -> None:
    players = confirmed(give_up=2)
    review = Hold(kind=HoldKind.REVIEW_MISSED, since=BEGIN, detail="nobody came")
    outcome = Hold(kind=HoldKind.OUTCOME, since=BEGIN, detail="margin is not met")
    assert players.acts(seen(days=90, holds=(review,))) == ()
    assert players.acts(seen(days=59, holds=(outcome,))) == ()
    (stop,) = players.acts(seen(days=60, holds=(review, outcome)))
    assert (stop.verb, stop.reason) == (Verb.STOP, "holding since 2026-01-05: margin is not met")
    assert confirmed(give_up=None).acts(seen(days=900, holds=(outcome,))) == ()


def test_a_review_is_held_when_it_is_due_and_not_before() -> None:
    assert confirmed().acts(seen(days=3, review_due_at=BEGIN + DAY * 4)) == ()
    (act,) = confirmed().acts(seen(days=4, review_due_at=BEGIN + DAY * 4))
    assert (act.verb, act.owner.role) == (Verb.REVIEW, "sponsor")


def test_nobody_does_anything_after_the_end() -> None:
    assert Players(PLAN).acts(seen(status=Status.STOPPED)) == ()


def test_every_act_is_a_command_line_that_the_program_takes() -> None:
    players = confirmed(give_up=1)
    resume = players.acts(paused(30))
    for act in resume:
        players.heard(act, said(Outcome.REFUSED))
    due = seen(days=4, review_due_at=BEGIN + DAY * 4)
    acts = (
        *Players(PLAN).acts(seen()),
        *players.acts(at_gate()),
        *resume,
        *players.acts(due),
        *players.acts(paused(31)),
    )
    assert {act.verb for act in acts} == {
        Verb.CONFIRM_OWNERSHIP,
        Verb.DECIDE,
        Verb.RESUME,
        Verb.REVIEW,
        Verb.STOP,
    }
    program = typer.main.get_command(app)
    assert isinstance(program, TyperGroup)
    for act in acts:
        verb, *rest = arguments_of("test-plan", act)
        command = program.get_command(typer.Context(program), verb)
        assert command is not None
        assert command.make_context(verb, [*rest, "-o", "json"]).params["who"] == act.owner.identity
