"""Pausing, resuming and stopping: pure transitions that freeze a rollout, let it go on, or end it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from models.allowance import unreadable
from models.evidence import Assessment, MetricAssessment
from models.log import EntryKind, Outcome
from models.metric import CATALOGUE
from models.plan import Fate, StopResolution
from models.reach import cohorts_to_enrol
from models.rollout import (
    EVERY_LETTER,
    HoldKind,
    PauseCause,
    PauseState,
    Phase,
    PhaseRecord,
    ResumeRequest,
    RolloutState,
    Status,
)
from workflows.asking import ON_BEHALF_OF, both_names
from workflows.course import restarted, stopped
from workflows.hindsight import left_unjudged, remember, still_to_judge
from workflows.journal import Now, notify, release, write
from workflows.judge import let_be
from workflows.looks import NOTHING_ASKED
from workflows.words import describe, some


def pause_for_breach(state: RolloutState, items: tuple[MetricAssessment, ...], now: Now) -> RolloutState:
    """A guardrail is breached: stop the phase clock, void approvals, tell who must act."""
    told = "; ".join(map(describe, items))
    metrics = tuple(dict.fromkeys(item.metric for item in items))
    pause = PauseState(
        cause=PauseCause.GUARDRAIL,
        since=now.programme,
        detail=told,
        must_act=_acting_roles(state, items),
        metrics=metrics,
        partners=tuple(dict.fromkeys(one for item in items for one in item.partners)),
        leads=tuple(dict.fromkeys(one for item in items for one in item.leads)),
    )
    return pause_now(state, pause, now)


def pause_now(state: RolloutState, pause: PauseState, now: Now, **who: Any) -> RolloutState:
    """Pause: the phase clock stands still, and approvals collected so far count no more.

    Args:
        who: what the entry says of whoever asked; its `detail` stands beside that of the pause.
    """
    voided = len(state.gate.approvals) if state.gate else 0
    state = release(state, now, HoldKind.APPROVAL_OVERDUE)
    update = {"pause": pause, "gate": None, "phase_clock": stopped(state.phase_clock, now.programme)}
    state = state.model_copy(update=update)
    state = write(
        state,
        now,
        EntryKind.PAUSE,
        f"Paused ({pause.cause.value}): {pause.detail}" + (f"; {voided} approvals void" if voided else ""),
        evidence_digest=state.assessment.digest if state.assessment else None,
        detail={
            **who.pop("detail", {}),
            "partners": list(pause.partners),
            "leads": list(pause.leads),
            "must_act": list(pause.must_act),
            "approvals_voided": voided,
            "metrics": [one.value for one in pause.metrics],
        },
        **who,
    )
    state = remember(state, pause)
    names = ", ".join(owner.name for owner in state.plan.holders(*pause.must_act))
    body = f"{pause.detail}\nWaiting for: {names}\nPartners: {some(pause.partners)}\nLeads: {some(pause.leads)}"
    roles = tuple(dict.fromkeys((*pause.must_act, *state.plan.reviews.roles)))
    facts = {"cause": pause.cause.value, "must_act": pause.must_act}
    return notify(state, "paused", roles, f"{state.plan.title}: paused", body, **facts)


def paused_in_place(before: RolloutState, after: RolloutState) -> bool:
    """Whether a request has paused a rollout, and whoever asked it stands in for an owner."""
    new = (one for one in after.recent if one.sequence > before.sequence)
    return any(one.kind is EntryKind.PAUSE and ON_BEHALF_OF in one.detail for one in new)


def asks_in_place(before: RolloutState, after: RolloutState) -> bool:
    """Whether a request is a resume that waits for evidence, and whoever asked it stands in for an owner."""
    asked = after.resume_request
    return asked is not None and asked.by is not None and asked != before.resume_request


def owner_alone(state: RolloutState) -> RolloutState:
    """The same as if nobody had been kept who asks to resume in an owner's place."""
    if state.resume_request is None:
        return state
    return state.model_copy(update={"resume_request": state.resume_request.model_copy(update={"by": None})})


def _acting_roles(state: RolloutState, items: tuple[MetricAssessment, ...]) -> tuple[str, ...]:
    """Who may resume: the owners of the tripped guardrails where the plan names them, else who may override."""
    roles = tuple(dict.fromkeys(CATALOGUE[item.metric].owner_role for item in items))
    held = tuple(role for role in roles if any(o.identity != state.plan.proposer for o in state.plan.holders(role)))
    return held or state.plan.approvals.override.roles


def resume_decided(
    state: RolloutState, breaches: tuple[MetricAssessment, ...], assessment: Assessment, now: Now
) -> RolloutState:
    """Fresh evidence decides whether a resume takes effect: a breach or missing evidence refuses it, unless people
    have agreed to let the metric be.
    """
    request = state.resume_request
    if request is None or state.pause is None:
        return state.model_copy(update={"resume_request": None})
    missing = unreadable(assessment, state.pause.metrics, let_be(state))
    told = "; ".join(map(describe, (*breaches, *missing)))
    if not assessment.items:
        told = "nothing could be judged"
    state = state.model_copy(update={"resume_request": None})
    who = {**_asked_by(request), "evidence_digest": assessment.digest}
    if not told:
        return resumed(state, now, outcome=Outcome.APPLIED, **who)
    refusal = f"fresh evidence still stands in the way: {told}"
    return write(
        state,
        now,
        EntryKind.REFUSAL,
        f"Resume refused: {refusal}",
        outcome=Outcome.REFUSED,
        refusal=refusal,
        **who,
    )


def resumed(state: RolloutState, now: Now, **who: Any) -> RolloutState:
    """Go on: the remaining time runs again and breaches are counted anew."""
    update = {
        "pause": None,
        "phase_clock": restarted(state.phase_clock, now.programme),
        "tolerance_since": now.programme,
        "last_evidence_at": now.programme,
    }
    cause = state.pause.cause.value if state.pause else None
    state = write(state.model_copy(update=update), now, EntryKind.RESUME, "Resumed", **who)
    if state.letters < EVERY_LETTER:
        return state
    body = f"{who.get('actor')} ({who.get('role')}): {who.get('rationale')}{still_to_judge(state)}"
    return notify(state, "resumed", all_roles(state), f"{state.plan.title}: resumed", body, cause=cause)


def stop(state: RolloutState, resolution: StopResolution, why: str, now: Now, **who: Any) -> RolloutState:
    """Begin to stop: nothing advances any more; cohorts are kept or withdrawn as resolved."""
    fates = ", ".join(f"{part} {getattr(resolution, part).value}" for part in ("finished", "current", "pending"))
    update = {
        "stop_resolution": resolution,
        "gate": None,
        "resume_request": None,
        **NOTHING_ASKED,
        "phase_clock": stopped(state.phase_clock, now.programme),
    }
    if state.resume_request:
        state = _resume_overtaken(state, state.resume_request, now)
    if state.keeps:
        update["closing"] = None  # what was kept of a completed rollout does not tell of the stop: it is kept anew
    state = state.model_copy(update=update)
    state = write(state, now, EntryKind.STOP, f"Stopping: {why} ({fates})", **who)
    if state.letters >= EVERY_LETTER and not to_withdraw(state):
        return state  # that it has stopped follows at once
    kind = "stopping" if state.letters >= EVERY_LETTER else "stopped"
    body = f"{why}\n{fates}{still_to_judge(state)}"
    return notify(state, kind, all_roles(state), f"{state.plan.title}: stopping", body, cause=stop_cause(who))


def stop_cause(who: Mapping[str, Any]) -> str:
    """Whether people agreed to stop, or the plan's own conditions did."""
    return "person" if who.get("actor") else "stop condition"


def _resume_overtaken(state: RolloutState, request: ResumeRequest, now: Now) -> RolloutState:
    """Every request ends with an outcome, also one that a stop overtakes."""
    return write(
        state,
        now,
        EntryKind.REFUSAL,
        "Resume refused: the rollout is being stopped",
        outcome=Outcome.REFUSED,
        refusal="the rollout is being stopped",
        **_asked_by(request),
    )


def _asked_by(request: ResumeRequest) -> dict[str, Any]:
    """What an entry says of the resume that it settles."""
    told = {
        "verb": "resume",
        "actor": request.identity,
        "role": request.role,
        "request_id": request.request_id,
        "rationale": request.reason,
    }
    return told if request.by is None else told | both_names(request.identity, request.by)


def to_withdraw(state: RolloutState) -> tuple[str, ...]:
    """The enrolled cohorts that the stop's resolution takes back: the current one is the last enrolled phase's."""
    resolution = state.stop_resolution
    if resolution is None:
        return ()
    current = set(_current_cohorts(state))
    return tuple(
        name
        for name in state.enrolled
        if name not in state.withdrawn
        and (resolution.current if name in current else resolution.finished) is Fate.WITHDRAW
    )


def _current_cohorts(state: RolloutState) -> tuple[str, ...]:
    if state.phase is Phase.VALIDATE:
        return state.enrolled
    return cohorts_to_enrol(state.plan, state.phase.value, state.wave)


def withdrew(state: RolloutState, cohort: str, changed: int, now: Now) -> RolloutState:
    """A cohort was taken back after a stop."""
    state = state.model_copy(update={"withdrawn": (*state.withdrawn, cohort)})
    return write(
        state,
        now,
        EntryKind.ENROLMENT,
        f"Cohort {cohort} withdrawn: {changed} partners",
        detail={"cohort": cohort, "changed": changed},
    )


def stop_done(state: RolloutState, now: Now) -> RolloutState:
    """Everything to be withdrawn is withdrawn."""
    left = tuple(
        one.model_copy(update={"left_at": now.programme}) if one.left_at is None else one for one in state.history
    )
    kept = [name for name in state.enrolled if name not in state.withdrawn]
    state = state.model_copy(
        update={
            "terminal": Status.STOPPED,
            "history": (*left, PhaseRecord(phase=Phase.CLOSE, entered_at=now.programme)),
            "phase": Phase.CLOSE,
            "wave": None,
        }
    )
    told = f"cohorts kept: {', '.join(kept) or 'none'}"
    state = write(state, now, EntryKind.PHASE, f"Rollout stopped; {told}")
    if state.letters < EVERY_LETTER:
        return state
    began = next((one for one in reversed(state.recent) if one.kind is EntryKind.STOP), None)
    body = (f"{began.message}\n{told}" if began else told) + left_unjudged(state)
    cause = stop_cause({"actor": began.actor}) if began else None
    return notify(state, "stopped", all_roles(state), f"{state.plan.title}: stopped", body, cause=cause)


def all_roles(state: RolloutState) -> tuple[str, ...]:
    return tuple(owner.role for owner in state.plan.owners)
