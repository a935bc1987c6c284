"""A step of a rollout, and what becomes of it: it worked, or it is held for and tried again."""

from __future__ import annotations

from datetime import timedelta
from enum import StrEnum

from models.base import Frozen, Instant
from models.log import EntryKind
from models.rollout import HoldKind, RolloutState
from workflows.journal import Now, hold, release, write
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
    REVIEW = "review"
    KEEP = "keep"
    EXPORT = "export"
    WAIT = "wait"
    FINISH = "finish"


FIRST_RETRY = timedelta(seconds=3)
LAST_RETRY = timedelta(minutes=10)
"""Real time after which a step that used up its retries is tried again; it doubles from first to last."""

LEAVES_BEHIND = {StepKind.REVIEW.value, StepKind.KEEP.value, StepKind.EXPORT.value}
"""Steps that keep what a rollout leaves behind."""

LAST_RETRY_OF_THESE = timedelta(hours=1)
"""They are tried less often in the end: each try reads a whole history."""

HOLDS_NOTHING = {StepKind.NOTIFY.value, StepKind.KEYS.value, *LEAVES_BEHIND}
"""Steps whose failure is not held as the store's: telling people waits, keys have a hold of their own, and what is
left behind holds nothing but the end."""


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
    pause = min(FIRST_RETRY * 2**doublings, _longest(step.kind))
    again = state.clock.programme(now.real + pause)
    update = {"retry_at": {**state.retry_at, what: again}, "failures": {**state.failures, what: failures}}
    state = state.model_copy(update=update)
    if step.kind is StepKind.NOTIFY:
        return state
    if what in LEAVES_BEHIND:
        return _put_off(state, step, problem, now)
    kind = HoldKind.KEYS if step.kind is StepKind.KEYS else HoldKind.STORE
    return hold(state, now, kind, f"{what} failed: {problem}")


def _longest(kind: StepKind) -> timedelta:
    if kind is StepKind.KEYS:
        return ASK_AGAIN
    return LAST_RETRY_OF_THESE if kind.value in LEAVES_BEHIND else LAST_RETRY


def _put_off(state: RolloutState, step: Step, problem: str, now: Now) -> RolloutState:
    """While a rollout goes on, the server keeps its history: that it could not be exported is only written down, once.
    Only the end waits for it, because from then on the server's retention runs."""
    if state.closing is not None:
        return hold(state, now, HoldKind.CLOSING, f"{step.kind.value} failed: {problem}")
    if state.failures[step.kind.value] > 1:
        return state
    return write(state, now, EntryKind.EXPORT, f"History not exported ({step.about}), tried again: {problem}")


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
    if not set(failures) & LEAVES_BEHIND:
        state = release(state, now, HoldKind.CLOSING)
    return state if set(failures) - HOLDS_NOTHING else release(state, now, HoldKind.STORE)
