"""Plays a plan's owners by its rules, for rollouts over past or made-up facts: who does what when, and no I/O."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from models.base import short
from models.command import Choice, Verb
from models.evidence import Assessment, Verdict
from models.log import Outcome, Receipt
from models.metric import CATALOGUE
from models.plan import ApprovalRule, Owner, RolloutPlan
from models.rollout import TERMINAL, GateState, HoldKind, PauseState, RolloutView

ASK_EVERY = timedelta(days=30)
GIVE_UP = 9

_LASTING = frozenset({HoldKind.BASELINE, HoldKind.EVIDENCE, HoldKind.OUTCOME})
"""Holds that only better numbers end; the others end by what people or servers do."""


class Act(NamedTuple):
    """What one owner asks of the rollout. `fields` are those of the verb's command beside who and why."""

    verb: Verb
    owner: Owner
    reason: str
    fields: Mapping[str, Any] = {}


class Players:
    """The people of a plan. They confirm, approve what the evidence allows, hold the reviews, and resume once fresh
    evidence shows no breach. While it still shows one they ask all the same, every `ask_every` of programme time since
    the pause, and stop the rollout once `give_up` resumes were refused, or a hold has lasted as long as those would.

    Args:
        give_up: None never stops.
    """

    def __init__(self, plan: RolloutPlan, *, ask_every: timedelta = ASK_EVERY, give_up: int | None = GIVE_UP) -> None:
        self._plan = plan
        self._ask_every = ask_every
        self._give_up = give_up
        self._confirmed: set[str] = set()
        self._pause_since: datetime | None = None
        self._asked = 0
        self._refused = 0

    def acts(self, view: RolloutView) -> tuple[Act, ...]:
        """What is to be done now, on what the view shows; empty when nobody is awaited."""
        if view.status in TERMINAL:
            return ()
        found = [self._confirm(owner) for owner in self._plan.owners if owner.identity not in self._confirmed]
        if view.review_due_at and view.review_due_at <= view.programme_now:
            found.append(Act(Verb.REVIEW, self._plan.holders(*self._plan.reviews.roles)[0], _reviewed(view)))
        if view.pause:
            return (*found, *self._paused(view, view.pause))
        if view.gate and not view.gate.approved_at:
            return (*found, *self._approve(view, view.gate))
        return (*found, *self._held(view))

    def heard(self, act: Act, receipt: Receipt) -> None:
        """What came of an act; a resume that was refused counts."""
        if act.verb is Verb.CONFIRM_OWNERSHIP:
            self._confirmed.add(act.owner.identity)
        if act.verb is Verb.RESUME and receipt.outcome is Outcome.REFUSED:
            self._refused += 1

    def _confirm(self, owner: Owner) -> Act:
        return Act(Verb.CONFIRM_OWNERSHIP, owner, "I own this part of the plan", {"role": owner.role})

    def _approve(self, view: RolloutView, gate: GateState) -> list[Act]:
        rule = self._plan.approvals.rule(gate.name)
        if rule is None:
            return []
        decided = {one.role for one in gate.approvals}
        told = _tally(view.assessment) if view.assessment else "baselines frozen"
        fields = {
            "gate": gate.key,
            "choice": Choice.APPROVE,
            "plan_digest": view.plan_digest,
            "evidence_digest": gate.digest,
        }
        reason = f"evidence {short(gate.digest)} is what we agreed on: {told}"
        return [Act(Verb.DECIDE, owner, reason, fields) for owner in self._agreeing(rule) if owner.role not in decided]

    def _paused(self, view: RolloutView, pause: PauseState) -> list[Act]:
        if pause.since != self._pause_since:
            self._pause_since, self._asked, self._refused = pause.since, 0, 0
        if self._give_up is not None and self._refused >= self._give_up:
            return self._stop(f"{self._refused} resumes refused since the pause of {pause.since:%Y-%m-%d}")
        by = self._not_the_proposer(pause.must_act)
        waited = view.programme_now - pause.since
        recovered = _recovered(view.assessment, pause)
        if recovered is not None:
            return [Act(Verb.RESUME, by, recovered)]
        if waited // self._ask_every <= self._asked:
            return []
        self._asked = waited // self._ask_every
        return [Act(Verb.RESUME, by, f"{waited.days} days after the pause: does fresh evidence allow to go on?")]

    def _held(self, view: RolloutView) -> list[Act]:
        if self._give_up is None:
            return []
        since = view.programme_now - self._ask_every * self._give_up
        lasting = next((one for one in view.holds if one.kind in _LASTING and one.since <= since), None)
        return self._stop(f"holding since {lasting.since:%Y-%m-%d}: {lasting.detail}") if lasting else []

    def _stop(self, reason: str) -> list[Act]:
        fields = {"resolution": self._plan.on_automatic_stop}
        return [Act(Verb.STOP, owner, reason[:1000], fields) for owner in self._agreeing(self._plan.approvals.stop)]

    def _agreeing(self, rule: ApprovalRule) -> list[Owner]:
        """As many owners as the quorum asks for, each with another role, those required first."""
        roles = dict.fromkeys((*rule.required, *rule.roles))
        able = [self._not_the_proposer((role,)) for role in roles if self._others(role)]
        return able[: rule.quorum]

    def _not_the_proposer(self, roles: tuple[str, ...]) -> Owner:
        others = [owner for role in roles for owner in self._others(role)]
        return (others or self._plan.holders(*roles))[0]

    def _others(self, role: str) -> tuple[Owner, ...]:
        proposer = self._plan.proposer.casefold()
        return tuple(one for one in self._plan.holders(role) if one.identity.casefold() != proposer)


def _recovered(assessment: Assessment | None, pause: PauseState) -> str | None:
    """The numbers that speak for a resume: every metric of the pause is met again. None while one is not."""
    if assessment is None or assessment.as_of <= pause.since:
        return None
    items = [item for item in assessment.items if item.metric in pause.metrics]
    if not items or any(item.verdict is not Verdict.MET for item in items):
        return None
    return f"as of {assessment.as_of:%Y-%m-%d} what was agreed is met again: {_tally(assessment)}"


def _tally(assessment: Assessment) -> str:
    """The values that have been judged, one by one."""
    told = (
        f"{item.cohort} {item.metric.value} {item.value:.2f} {CATALOGUE[item.metric].unit}, {item.verdict.value}"
        if item.value is not None
        else f"{item.cohort} {item.metric.value}: {item.verdict.value}"
        for item in assessment.items
    )
    return "; ".join(told)


def _reviewed(view: RolloutView) -> str:
    return f"numbers read together, no change to the plan. {view.sentence}"[:1000]
