"""Plays a plan's owners by a script: who asks the rollout for what at which moment of programme time, and no I/O."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import Any, NamedTuple

from cli.players import Act
from models.base import short
from models.command import Choice, Verb
from models.log import LogEntry, Outcome
from models.plan import ApprovalRule, Owner, RolloutPlan
from models.rollout import GateState, PauseState, RolloutView
from models.script import Asked, Script


class Due(NamedTuple):
    """What somebody will ask at a moment. `key` tells one asking from the next: each is done once."""

    at: datetime
    act: Act
    key: tuple[str, ...]


class ScriptedOwners:
    """The people of a plan, as their script has them.

    Args:
        begins: programme time at which the rollout starts.
    """

    def __init__(self, plan: RolloutPlan, script: Script, begins: datetime) -> None:
        self._plan = plan
        self._script = script
        self._begins = begins
        self._done: set[tuple[str, ...]] = set()
        self._resumes: dict[datetime, int] = {}
        self._refused: dict[datetime, int] = {}
        self._pause: datetime | None = None

    def due(self, view: RolloutView) -> tuple[Due, ...]:
        """Everything that is still to be asked on what the view shows, the first first."""
        found = [*self._confirmations(), *self._review(view)]
        if view.pause:
            self._pause = view.pause.since
            found += self._resumption(view.pause)
        elif view.gate and not view.gate.approved_at:
            found += self._approvals(view, view.gate)
        return tuple(sorted((one for one in found if one.key not in self._done), key=lambda one: (one.at, one.key)))

    def asked(self, due: Due) -> None:
        """It has been asked for."""
        self._done.add(due.key)
        if due.act.verb is Verb.RESUME and self._pause is not None:
            self._resumes[self._pause] = self._resumes.get(self._pause, 0) + 1

    def heard(self, entries: Iterable[LogEntry]) -> None:
        """What the log says since; a refused resume counts."""
        for entry in entries:
            if entry.verb == Verb.RESUME and entry.outcome is Outcome.REFUSED and self._pause is not None:
                self._refused[self._pause] = self._refused.get(self._pause, 0) + 1

    def _confirmations(self) -> Iterator[Due]:
        for owner in self._plan.owners:
            at = self._script.answers_at(owner, Asked.CONFIRM, self._begins)
            if at is not None:
                act = Act(Verb.CONFIRM_OWNERSHIP, owner, "I own this part of the plan", {"role": owner.role})
                yield Due(at, act, ("confirm", owner.role, owner.identity))

    def _review(self, view: RolloutView) -> Iterator[Due]:
        if view.review_due_at is None:
            return
        first = self._first(self._plan.holders(*self._plan.reviews.roles), Asked.REVIEW, view.review_due_at)
        if first is not None:
            at, owner = first
            told = f"numbers read together, no change to the plan. {view.sentence}"
            yield Due(at, Act(Verb.REVIEW, owner, told[:1000]), ("review", view.review_due_at.isoformat()))

    def _approvals(self, view: RolloutView, gate: GateState) -> Iterator[Due]:
        rule = self._plan.approvals.rule(gate.name)
        if rule is None:
            return
        decided = {one.identity for one in gate.approvals}
        fields: dict[str, Any] = {
            "gate": gate.key,
            "choice": Choice.APPROVE,
            "plan_digest": view.plan_digest,
            "evidence_digest": gate.digest,
        }
        reason = f"evidence {short(gate.digest)} is what we agreed on"
        for owner in self._able(rule):
            at = self._script.answers_at(owner, Asked.APPROVE, gate.opened_at)
            if at is not None and owner.identity not in decided:
                key = ("approve", gate.key, gate.opened_at.isoformat(), gate.digest, owner.role, owner.identity)
                yield Due(at, Act(Verb.DECIDE, owner, reason, fields), key)

    def _resumption(self, pause: PauseState) -> Iterator[Due]:
        refused = self._refused.get(pause.since, 0)
        if self._script.stop_after is not None and refused >= self._script.stop_after:
            yield from self._stopping(pause, refused)
            return
        asked = self._resumes.get(pause.since, 0)
        holders = self._plan.holders(*pause.must_act)
        able = [one for one in holders if not self._proposes(one)] or list(holders)
        answers = [found for one in able if (found := self._asks_to_resume(one, pause.since, asked))]
        if answers:
            at, owner = min(answers, key=lambda one: one[0])
            waited = (at - pause.since).days
            told = f"{waited} days after the pause: does fresh evidence allow to go on?"
            yield Due(at, Act(Verb.RESUME, owner, told), ("resume", pause.since.isoformat(), str(asked)))

    def _asks_to_resume(self, owner: Owner, since: datetime, asked: int) -> tuple[datetime, Owner] | None:
        at = self._script.answers_at(owner, Asked.RESUME, since + asked * self._script.resume_again)
        return (at, owner) if at is not None else None

    def _stopping(self, pause: PauseState, refused: int) -> Iterator[Due]:
        told = f"{refused} resumes refused since the pause of {pause.since:%Y-%m-%d}"
        for owner in self._able(self._plan.approvals.stop):
            at = self._script.answers_at(owner, Asked.RESUME, pause.since)
            if at is not None:
                act = Act(Verb.STOP, owner, told, {"resolution": self._plan.on_automatic_stop})
                yield Due(at, act, ("stop", pause.since.isoformat(), owner.role, owner.identity))

    def _able(self, rule: ApprovalRule) -> tuple[Owner, ...]:
        return tuple(one for one in self._plan.holders(*rule.roles) if not self._proposes(one))

    def _first(self, owners: Iterable[Owner], asked: Asked, since: datetime) -> tuple[datetime, Owner] | None:
        answers = [(at, one) for one in owners if (at := self._script.answers_at(one, asked, since)) is not None]
        return min(answers, key=lambda one: one[0], default=None)

    def _proposes(self, owner: Owner) -> bool:
        return owner.identity.casefold() == self._plan.proposer.casefold()
