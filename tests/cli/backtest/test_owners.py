"""Owners by a script: who asks for what when, and what is never asked for."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from pydantic import ValidationError

from cli.backtest.owners import Due, ScriptedOwners
from models.command import Verb
from models.log import EntryKind, LogEntry, Outcome
from models.plan import GateName, RolloutPlan
from models.rollout import Approval, GateState, PauseCause, PauseState, Phase, RolloutView, Status
from models.script import Absence, Asked, Habits, Script
from tests.plans import make_plan

BEGINS = datetime(2026, 1, 5, tzinfo=UTC)
DAY = timedelta(days=1)
PLAN = make_plan()


def view(**changes: Any) -> RolloutView:
    """A rollout in its pilot on which nothing is to be done."""
    usual: dict[str, Any] = {
        "rollout_id": PLAN.id,
        "title": PLAN.title,
        "plan_digest": PLAN.digest,
        "option": "B",
        "programme_now": BEGINS,
        "speed": 1.0,
        "phase": Phase.PILOT,
        "wave": None,
        "waves": 2,
        "status": Status.RUNNING,
        "sentence": "Running pilot.",
        "since": BEGINS,
        "holds": (),
        "pause": None,
        "gate": None,
        "gate_rule": None,
        "cohorts": (),
        "assessment": None,
        "baselines": (),
        "awaited": (),
        "next": "",
        "review_due_at": None,
        "last_evidence_at": None,
        "overrides": (),
        "history": (),
        "entries": 1,
        "refused": 0,
    }
    return RolloutView(**usual | changes)


def gate(**changes: Any) -> GateState:
    usual: dict[str, Any] = {
        "name": GateName.VALIDATE_TO_SCALE,
        "key": "validate_to_scale",
        "opened_at": BEGINS + 10 * DAY,
        "due_at": BEGINS + 17 * DAY,
        "digest": "sha256:one",
    }
    return GateState(**usual | changes)


def pause(**changes: Any) -> PauseState:
    usual: dict[str, Any] = {
        "cause": PauseCause.GUARDRAIL,
        "since": BEGINS + 20 * DAY,
        "detail": "SLA",
        "must_act": ("revops_owner",),
    }
    return PauseState(**usual | changes)


def owners(script: Script | None = None, plan: RolloutPlan = PLAN) -> ScriptedOwners:
    return ScriptedOwners(plan, script or Script(), BEGINS)


def decisions(found: tuple[Due, ...]) -> dict[str, datetime]:
    return {one.act.owner.role: one.at for one in found if one.act.verb is not Verb.CONFIRM_OWNERSHIP}


def refusal(number: int) -> LogEntry:
    at = BEGINS + number * DAY
    return LogEntry(
        sequence=number,
        at=at,
        programme_at=at,
        kind=EntryKind.REFUSAL,
        phase="pilot",
        message="Resume refused",
        verb="resume",
        outcome=Outcome.REFUSED,
    )


def test_everybody_confirms_two_days_after_the_start_where_nobody_says_otherwise() -> None:
    found = owners().due(view())
    assert {one.at for one in found} == {BEGINS + 2 * DAY}
    assert {one.act.owner.role for one in found} == {one.role for one in PLAN.owners}


def test_what_has_been_asked_is_not_asked_again() -> None:
    played = owners()
    for one in played.due(view()):
        played.asked(one)
    assert played.due(view()) == ()


def test_all_who_may_approve_do_each_after_their_own_time_but_the_proposer() -> None:
    script = Script(answers_after=DAY, approve=3 * DAY, owners={"finance_owner": Habits(approve=5 * DAY)})
    found = decisions(owners(script).due(view(gate=gate())))
    assert found == {
        "sponsor": BEGINS + 13 * DAY,
        "compliance_owner": BEGINS + 13 * DAY,
        "finance_owner": BEGINS + 15 * DAY,
    }


def test_a_decision_names_the_evidence_that_the_gate_shows_and_is_repeated_only_for_other_evidence() -> None:
    played = owners()
    first = [one for one in played.due(view(gate=gate())) if one.act.owner.role == "sponsor"][-1]
    assert first.act.fields["evidence_digest"] == "sha256:one"
    played.asked(first)
    assert "sponsor" not in decisions(played.due(view(gate=gate())))
    assert "sponsor" in decisions(played.due(view(gate=gate(digest="sha256:two"))))


def test_who_has_approved_is_not_asked_again_for_newer_evidence() -> None:
    sponsor = PLAN.holders("sponsor")[0]
    given = Approval(identity=sponsor.identity, role="sponsor", at=BEGINS, request_id="r")
    assert "sponsor" not in decisions(owners().due(view(gate=gate(digest="sha256:two", approvals=(given,)))))


def test_an_owner_who_is_absent_never_answers_and_the_others_do() -> None:
    script = Script(owners={"sponsor": Habits(absent=True)})
    found = decisions(owners(script).due(view(gate=gate())))
    assert set(found) == {"finance_owner", "compliance_owner"}


def test_a_pause_is_asked_about_after_the_owner_s_time_and_then_once_a_week() -> None:
    played = owners(Script(resume=4 * DAY))
    first = played.due(view(pause=pause()))[-1]
    assert (first.act.verb, first.at) == (Verb.RESUME, BEGINS + 24 * DAY)
    played.asked(first)
    assert played.due(view(pause=pause()))[-1].at == BEGINS + 31 * DAY


def test_a_resume_is_asked_for_again_as_often_as_the_script_says() -> None:
    played = owners(Script(resume=timedelta(0), resume_again=3 * DAY))
    for days in (20, 23, 26):
        found = played.due(view(pause=pause()))[-1]
        assert found.at == BEGINS + days * DAY
        played.asked(found)


def test_after_as_many_refusals_as_agreed_it_is_stopped_and_never_before() -> None:
    played = owners(Script(resume=DAY, stop_after=2))
    played.due(view(pause=pause()))
    played.heard([refusal(1)])
    assert played.due(view(pause=pause()))[-1].act.verb is Verb.RESUME
    played.heard([refusal(2)])
    stop = played.due(view(pause=pause()))[-1]
    assert (stop.act.verb, stop.act.owner.role) == (Verb.STOP, "sponsor")
    assert stop.act.fields["resolution"] == PLAN.on_automatic_stop


def test_a_review_is_held_by_whoever_of_its_roles_answers_first() -> None:
    script = Script(owners={"programme_owner": Habits(review=6 * DAY), "sponsor": Habits(review=3 * DAY)})
    found = decisions(owners(script).due(view(review_due_at=BEGINS + 14 * DAY)))
    assert found == {"sponsor": BEGINS + 17 * DAY}


def test_while_paused_nobody_decides_at_a_gate() -> None:
    found = owners().due(view(gate=gate(), pause=pause()))
    assert not [one for one in found if one.act.verb is Verb.DECIDE]


@pytest.mark.parametrize(
    ("since", "back", "answers"),
    [(6, 12, 12), (2, 5, 7), (7, 8, 8), (8, 20, 7), (1, 7, 7)],
)
def test_who_is_away_when_the_answer_is_due_answers_on_coming_back(since: int, back: int, answers: int) -> None:
    """Asked on the fifth, and quick: two days later is the seventh."""
    absence = Absence(since=date(2026, 1, since), back=date(2026, 1, back))
    script = Script(owners={"sponsor": Habits(absent=(absence,))})
    found = script.answers_at(PLAN.holders("sponsor")[0], Asked.APPROVE, datetime(2026, 1, 5, tzinfo=UTC))
    assert found == datetime(2026, 1, answers, tzinfo=UTC)


def test_one_absence_after_the_other_is_served() -> None:
    away = (
        Absence(since=date(2026, 1, 10), back=date(2026, 1, 14)),
        Absence(since=date(2026, 1, 6), back=date(2026, 1, 11)),
    )
    script = Script(owners={"Sam.Sponsor@example.com": Habits(absent=away)})
    found = script.answers_at(PLAN.holders("sponsor")[0], Asked.APPROVE, datetime(2026, 1, 5, tzinfo=UTC))
    assert found == datetime(2026, 1, 14, tzinfo=UTC)


@pytest.mark.parametrize(
    "wrong",
    [
        {"answers_after": "-1d"},
        {"answers_after": "soon"},
        {"stop_after": 0},
        {"resume_again": "12h"},
        {"owners": {"sponsor": {"absent": [{"since": "2026-01-05", "back": "2026-01-05"}]}}},
        {"owners": {"sponsor": {"aprove": "2d"}}},
    ],
)
def test_a_script_that_makes_no_sense_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        Script.model_validate_json(json.dumps(wrong))


def test_strangers_are_those_who_hold_no_role_and_are_no_owner() -> None:
    script = Script(owners={"sponsor": Habits(), "SAM.sponsor@example.com": Habits(), "boss": Habits()})
    assert script.strangers(PLAN.owners) == ("boss",)
