"""The rollout's one timer: the moment it is set to, and when it is set anew before it fires."""

from __future__ import annotations

from datetime import datetime

from models.base import earliest
from models.plan_rules import keeps_quiet
from models.rollout import RolloutState
from workflows.course import deadline, rule_of, transition, watched
from workflows.journal import Now
from workflows.signatures import keys_due_at

EARLY = 1.25
"""A timer that fires within so many times what the watch may keep quiet would fire before its next word, or as that
comes: a server that skips time loses a run whose timer is cancelled just as it fires."""


def nearest(state: RolloutState, now: Now) -> datetime | None:
    """The nearest moment at which time alone changes something."""
    if state.terminal or state.closing:
        return earliest(*(at for at in state.retry_at.values() if at > now.programme))
    gate, plan = state.gate, state.plan
    rule = rule_of(plan, transition(plan, state.phase, state.wave))
    keys_at = keys_due_at(state, now)
    moments = [
        state.clock.programme(keys_at) if keys_at is not None else None,
        deadline(state.phase_clock) if state.phase_clock else None,
        state.last_evidence_at + plan.phases.watchdog if watched(state) and state.last_evidence_at else None,
        gate.due_at if gate else None,
        gate.due_at - rule.remind_before if gate and rule and rule.remind_before else None,
        state.review_due_at,
        state.review_due_at + plan.reviews.grace if state.review_due_at else None,
        *(edge for window in plan.freeze_windows for edge in (window.start, window.end)),
        *(one.until for one in state.overrides),
        *state.retry_at.values(),
        *state.look_again_at.values(),
    ]
    return earliest(*(moment for moment in moments if moment is not None and moment > now.programme))


def overtaken(state: RolloutState, until: datetime, now: Now) -> bool:
    """Whether a timer would fire for nothing before the watch speaks again: only its silence was waited for, and it has
    spoken.

    Setting it anew as the word comes is two events; firing, and being set anew then, is five.
    """
    if until - now.programme > EARLY * keeps_quiet(state.plan.phases):
        return False
    later = nearest(state, now)
    return later is None or later > until
