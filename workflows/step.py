"""A step of a rollout, and what becomes of it: it worked, or it is held for and tried again."""

from __future__ import annotations

from datetime import timedelta
from enum import StrEnum

from models.base import Frozen, Instant
from models.rollout import HoldKind, RolloutState
from workflows.journal import Now, hold, release
from workflows.requests import refuse_waiting
from workflows.signatures import ASK_AGAIN, signed


class StepKind(StrEnum):
    KEYS = "keys"
    OPEN = "open"
    RECORD = "record"
    NOTIFY = "notify"
    RESOLVE = "resolve"
    BASELINE = "baseline"
    ENROL = "enrol"
    WITHDRAW = "withdraw"
    ASSESS = "assess"
    WAIT = "wait"
    FINISH = "finish"


FIRST_RETRY = timedelta(seconds=3)
LAST_RETRY = timedelta(minutes=10)
"""Real time after which a step that used up its retries is tried again; it doubles from first to last."""

HOLDS_NOTHING = {StepKind.NOTIFY.value, StepKind.KEYS.value}
"""Steps whose failure is not held as the store's: telling people waits, and keys have a hold of their own."""


class Step(Frozen):
    """The next thing to do. `about` names the cohort or the reason; `until` ends a wait (None: only a signal does)."""

    kind: StepKind
    about: str = ""
    until: Instant | None = None


def failed(state: RolloutState, step: Step, problem: str, now: Now) -> RolloutState:
    """A step's retries are used up: hold, and try again in real time that doubles; never crash."""
    what = step.kind.value
    if step.kind is StepKind.KEYS:
        state = refuse_waiting(state.model_copy(update={"keys_asked_at": now.real}), problem, now)
        if not signed(state):
            return state
    failures = state.failures.get(what, 0) + 1
    doublings = min(failures - 1, 10)  # bounded: an outage of weeks must not overflow the arithmetic
    pause = min(FIRST_RETRY * 2**doublings, ASK_AGAIN if step.kind is StepKind.KEYS else LAST_RETRY)
    again = state.clock.programme(now.real + pause)
    update = {"retry_at": {**state.retry_at, what: again}, "failures": {**state.failures, what: failures}}
    state = state.model_copy(update=update)
    if step.kind is StepKind.NOTIFY:
        return state
    kind = HoldKind.KEYS if step.kind is StepKind.KEYS else HoldKind.STORE
    return hold(state, now, kind, f"{what} failed: {problem}")


def done(state: RolloutState, step: Step, now: Now) -> RolloutState:
    """A step worked: what was held for it goes on."""
    return over(state, {step.kind.value} & set(state.failures), now)


def over(state: RolloutState, steps: set[str], now: Now) -> RolloutState:
    """These steps have failed and are not tried again, because they worked or nobody needs them any more."""
    if not steps:
        return state
    failures = {key: count for key, count in state.failures.items() if key not in steps}
    retry_at = {key: at for key, at in state.retry_at.items() if key not in steps}
    state = state.model_copy(update={"failures": failures, "retry_at": retry_at})
    return state if set(failures) - HOLDS_NOTHING else release(state, now, HoldKind.STORE)
