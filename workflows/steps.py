"""The rollout's own mind: what time alone changes (`advance`), and what to do next (`next_step`)."""

from __future__ import annotations

from collections.abc import Iterator

from models.agreement import satisfied
from models.log import EntryKind
from models.rollout import EVERY_LETTER, GateState, HoldKind, Phase, RolloutState
from workflows.closing import begin, closed, closing_step, gate_step
from workflows.course import Level, Transition, freeze_at, rule_of, served, thawed_at, transition, unenrolled, watched
from workflows.hindsight import still_to_judge
from workflows.journal import Now, held_by, hold, notify, release, write
from workflows.judge import baseline_blocks
from workflows.looks import waits_for_room
from workflows.pauses import all_roles, stop_done, to_withdraw
from workflows.phases import close_gate, communicate, complete, enter, findings, hold_for, look_again_after, open_gate
from workflows.signatures import cleared, keys_due_at
from workflows.step import LEAVES_BEHIND, Step, StepKind, over
from workflows.timer import nearest
from workflows.word import AFTERWARDS

AFTER_A_STOP = {
    StepKind.OPEN.value,
    StepKind.RECORD.value,
    StepKind.NOTIFY.value,
    StepKind.WITHDRAW.value,
    *LEAVES_BEHIND,
}
"""Steps that a stopping rollout still does."""


def next_step(state: RolloutState, now: Now, *, together: bool = True, export_first: bool = True) -> Step:
    """The first thing that is due: the record first, then what protects, then what advances.

    Args:
        together: what only looks goes before the record, and an enrolment takes the record along, so that both are
            done or neither. False for a run that began before there was this order.
        export_first: so does the export at a gate, so that one record tells of both. False for a run from before.
    """
    for step in _due(state, now, together=together, export_first=export_first):
        if step is not None and not _waits_for_retry(state, step, now):
            return step
    if state.terminal and not state.unrecorded and not state.notices:
        return Step(kind=StepKind.FINISH)
    return Step(kind=StepKind.WAIT, until=nearest(state, now))


def _due(state: RolloutState, now: Now, *, together: bool, export_first: bool) -> Iterator[Step | None]:
    """What is to be done, in order. Before its start is proven, a rollout whose decisions are signed only asks for the
    keys to prove it with."""
    keys_at = keys_due_at(state, now)
    keys = Step(kind=StepKind.KEYS) if keys_at is not None and keys_at <= now.real else None
    if not cleared(state):
        yield keys
        return
    yield _looking(state, now) if together and state.registered else None
    yield keys
    yield _exporting(state, now) if together and export_first else None
    yield _bookkeeping(state)
    yield _stopping(state)
    yield _evidence(state)
    yield _work(state, now)
    yield closing_step(state) if state.closing else gate_step(state)


def protects(state: RolloutState, now: Now) -> bool:
    """Whether something is due that must not wait for what only keeps: taking partners back, or looking at them."""
    due = (_stopping(state), _evidence(state))
    return any(step is not None and not _waits_for_retry(state, step, now) for step in due)


def _waits_for_retry(state: RolloutState, step: Step, now: Now) -> bool:
    waits = (state.retry_at.get(step.kind.value), state.look_again_at.get(step.kind.value))
    return any(until is not None and now.programme < until for until in waits)


def _looking(state: RolloutState, now: Now) -> Step | None:
    """What changes nothing in the world, or writes the log in the same transaction: it need not wait for the record.

    A second look does wait for the record of the first, so that a flood of reports does not keep the log from being
    written.
    """
    evidence = _evidence(state)
    if evidence is not None:
        if evidence.about == AFTERWARDS and state.notices:
            return None  # who has to act hears of it first
        judged = any(one.kind is EntryKind.ASSESSMENT and "verdicts" in one.detail for one in state.unrecorded)
        return None if judged else evidence
    work = _work(state, now)
    return work if work is not None and work.kind in (StepKind.RESOLVE, StepKind.ENROL) else None


def _exporting(state: RolloutState, now: Now) -> Step | None:
    """The export at a gate, which changes nothing in the world either: what it came to is recorded with the passing.
    Not where it would keep somebody from hearing what they must know, or where it would be left alone for what
    protects; and where the log cannot be written, nothing is exported either."""
    told = state.notices or state.pause or state.stop_resolution or StepKind.RECORD.value in state.failures
    over = state.closing or state.terminal
    if not state.registered or not state.unrecorded or told or over or protects(state, now):
        return None
    return gate_step(state)


def _bookkeeping(state: RolloutState) -> Step | None:
    if not state.registered:
        return Step(kind=StepKind.OPEN)
    if state.unrecorded:
        return Step(kind=StepKind.RECORD)
    return Step(kind=StepKind.NOTIFY) if state.notices else None


def _stopping(state: RolloutState) -> Step | None:
    if state.terminal:
        return None
    names = to_withdraw(state)
    return Step(kind=StepKind.WITHDRAW, about=names[0]) if names else None


def _evidence(state: RolloutState) -> Step | None:
    """Looking at the numbers: asked for by a report, a resume, or a gate."""
    if state.terminal or state.stop_resolution or not watched(state):
        return None
    if state.resume_request:
        return Step(kind=StepKind.ASSESS, about="before resuming")
    asked = state.assess_because and not waits_for_room(state)
    return Step(kind=StepKind.ASSESS, about=state.assess_because or "") if asked else None


def _work(state: RolloutState, now: Now) -> Step | None:
    """What takes the rollout forward. Nothing does while the log cannot be written; what has failed itself does."""
    log_fails = StepKind.RECORD.value in state.failures
    if state.terminal or state.stop_resolution or state.closing or not state.registered or log_fails:
        return None
    if not state.cohorts:
        return Step(kind=StepKind.RESOLVE)
    if not state.baselines or _baseline_due(state):
        return Step(kind=StepKind.BASELINE)
    if state.pause or freeze_at(state.plan, now.programme):
        return None
    names = unenrolled(state)
    return Step(kind=StepKind.ENROL, about=names[0]) if names else None


def _baseline_due(state: RolloutState) -> bool:
    return state.phase is Phase.PREPARE and held_by(state, HoldKind.BASELINE) is not None and not state.gate


def advance(state: RolloutState, now: Now, *, heed: bool = True) -> RolloutState:
    """Everything that time alone changes at this moment. Calling it twice changes nothing more.

    Args:
        heed: no gate opens while somebody has said that something is wrong and nobody has looked since, and what else
            was asked is not forgotten with the phase. False for a run that has gone on without.
    """
    if state.terminal:
        return state
    if state.stop_resolution:
        state = over(state, set(state.failures) - AFTER_A_STOP, now)
        return state if to_withdraw(state) else _stopped(state, now)
    if state.closing:
        return _completed(state, now)
    state = _watchdog(_overrides(_freeze(state, now), now), now)
    state = _review(_gate_times(state, now), now)
    if state.phase is Phase.PREPARE:
        state = _prepare(state, now)
    return _toward_transition(state, now, heed=heed)


def _stopped(state: RolloutState, now: Now) -> RolloutState:
    """Everything is taken back; what the rollout leaves behind is kept first, where it began with that."""
    if not state.exports:
        return stop_done(state, now)
    state, kept = closed(state if state.closing else begin(state, now), now)
    return stop_done(state, now) if kept else state


def _completed(state: RolloutState, now: Now) -> RolloutState:
    """The same at the end of the plan. A pause also stands here in the way."""
    state, kept = closed(state, now)
    return complete(state, now) if kept and not state.pause else state


def _freeze(state: RolloutState, now: Now) -> RolloutState:
    window = freeze_at(state.plan, now.programme)
    if window is None or window.name in state.freezes_logged:
        return state
    state = state.model_copy(update={"freezes_logged": (*state.freezes_logged, window.name)})
    told = f"Frozen until {window.end:%Y-%m-%d %H:%M}: {window.name}. Guardrails stay armed."
    return write(state, now, EntryKind.HOLD, told)


def _overrides(state: RolloutState, now: Now) -> RolloutState:
    over = [one for one in state.overrides if one.until <= now.programme]
    if not over:
        return state
    rest = tuple(one for one in state.overrides if one.until > now.programme)
    state = state.model_copy(update={"overrides": rest, "assess_because": "an override expired"})
    names = ", ".join(one.metric.value for one in over)
    return write(state, now, EntryKind.OVERRIDE, f"Override expired: {names}")


def _watchdog(state: RolloutState, now: Now) -> RolloutState:
    """Silence of the watch is no good news: hold until it speaks again."""
    if not watched(state) or state.last_evidence_at is None or state.pause:
        return state
    silent = now.programme - state.last_evidence_at
    if silent < state.plan.phases.watchdog:
        return release(state, now, HoldKind.WATCH_SILENT)
    if held_by(state, HoldKind.WATCH_SILENT):
        return state
    told = f"no word from the watch since {state.last_evidence_at:%Y-%m-%d %H:%M}"
    state = hold(state, now, HoldKind.WATCH_SILENT, told)
    title = f"{state.plan.title}: the watch is silent"
    kind = "watch-silent" if state.letters >= EVERY_LETTER else "silent"
    return notify(state, kind, state.plan.reviews.roles, title, told, cause=HoldKind.WATCH_SILENT.value)


def _gate_times(state: RolloutState, now: Now) -> RolloutState:
    """Remind before the due time, escalate after it. Silence never approves."""
    gate = state.gate
    rule = rule_of(state.plan, transition(state.plan, state.phase, state.wave))
    if gate is None or rule is None or gate.approved_at:
        return state
    if now.programme >= gate.due_at and not gate.overdue:
        state = _gate(state, gate, reminded=True, overdue=True)
        told = f"gate {gate.key} was due {gate.due_at:%Y-%m-%d %H:%M}"
        state = hold(state, now, HoldKind.APPROVAL_OVERDUE, told)
        roles = tuple(dict.fromkeys((*rule.roles, *rule.escalate_to)))
        cause = HoldKind.APPROVAL_OVERDUE.value
        facts = {"cause": cause, "must_act": rule.roles, "due": gate.due_at}
        return notify(state, "escalation", roles, f"{state.plan.title}: decision overdue", told, **facts)
    if rule.remind_before and now.programme >= gate.due_at - rule.remind_before and not gate.reminded:
        state = _gate(state, gate, reminded=True)
        told = f"gate {gate.key} is due {gate.due_at:%Y-%m-%d %H:%M}"
        state = write(state, now, EntryKind.NOTICE, f"Reminder: {told}", gate=gate.key)
        facts = {"must_act": rule.roles, "due": gate.due_at}
        return notify(state, "reminder", rule.roles, f"{state.plan.title}: your decision is due", told, **facts)
    return state


def _gate(state: RolloutState, gate: GateState, **changes: bool) -> RolloutState:
    return state.model_copy(update={"gate": gate.model_copy(update=changes)})


def _review(state: RolloutState, now: Now) -> RolloutState:
    """Announce a checkpoint when it is due; hold and escalate when it is missed."""
    due, reviews = state.review_due_at, state.plan.reviews
    if due is None or now.programme < due:
        return state
    if not state.review_noticed:
        state = state.model_copy(update={"review_noticed": True})
        told = f"Review checkpoint {state.reviews_held + 1} is due"
        state = write(state, now, EntryKind.REVIEW, told)
        facts = {"must_act": reviews.roles, "due": due + reviews.grace}
        kind = "checkpoint-due" if state.letters >= EVERY_LETTER else "review"
        body = told + still_to_judge(state)
        state = notify(state, kind, reviews.roles, f"{state.plan.title}: review due", body, **facts)
    if now.programme < due + reviews.grace or held_by(state, HoldKind.REVIEW_MISSED):
        return state
    told = f"checkpoint {state.reviews_held + 1} was due {due:%Y-%m-%d %H:%M} and has not been held"
    state = hold(state, now, HoldKind.REVIEW_MISSED, told)
    kind = "checkpoint-missed" if state.letters >= EVERY_LETTER else "escalation"
    facts = {"cause": HoldKind.REVIEW_MISSED.value, "must_act": reviews.roles, "due": due + reviews.grace}
    return notify(state, kind, all_roles(state), f"{state.plan.title}: review missed", told, **facts)


def _prepare(state: RolloutState, now: Now) -> RolloutState:
    """The framework's *Next* list; the first review is scheduled when it is complete."""
    if not state.cohorts:
        return state
    if not state.communicated:
        state = communicate(state, now)
    if state.baselines:
        found = baseline_blocks(state)
        if found:
            state = hold(state, now, HoldKind.BASELINE, "; ".join(block.detail for block in found))
        else:
            state = release(state, now, HoldKind.BASELINE)
    if state.prepared_at is None and _prepared(state):
        first = now.programme + state.plan.reviews.first
        state = state.model_copy(update={"prepared_at": now.programme, "review_due_at": first})
        told = f"Preparation complete: ownership confirmed, baselines frozen, first review {first:%Y-%m-%d}"
        state = write(state, now, EntryKind.PHASE, told)
    return state


def _prepared(state: RolloutState) -> bool:
    everybody = {owner.identity for owner in state.plan.owners}
    return bool(state.baselines) and not baseline_blocks(state) and everybody <= set(state.confirmed)


def _toward_transition(state: RolloutState, now: Now, *, heed: bool) -> RolloutState:
    """The gate order: time served, fresh evidence, what it says, approval, and the evidence once more."""
    if not _time_served(state, now) or state.pause or unenrolled(state):
        return state
    if state.phase is not Phase.PREPARE and state.phase_ended_at is None:
        state = state.model_copy(update={"phase_ended_at": now.programme})
        state = write(state, now, EntryKind.PHASE, "Time served; asking for fresh evidence")
    way = transition(state.plan, state.phase, state.wave)
    if way.needs_review and state.reviews_held == 0:
        return state
    alarmed = heed and state.alarmed_at is not None
    if watched(state) and (alarmed or not _fresh(state, now)):
        because = state.assess_because or _why_assess(state)
        return state.model_copy(update={"assess_because": because})
    return _decide(state, way, now, heed=heed)


def _time_served(state: RolloutState, now: Now) -> bool:
    if state.phase is Phase.PREPARE:
        return state.prepared_at is not None
    clock = state.phase_clock
    return clock is not None and served(clock, now.programme) >= clock.required


def _fresh(state: RolloutState, now: Now) -> bool:
    """Whether the evidence at hand is newer than the phase's end, than the approvals it is to confirm, and than
    every hold and freeze during which the numbers may have moved on."""
    if state.assessment is None or state.phase_ended_at is None:
        return False
    approved_at = state.gate.approved_at if state.gate else None
    moments = (state.phase_ended_at, approved_at, state.evidence_floor, thawed_at(state.plan, now.programme))
    return all(state.assessment.as_of >= moment for moment in moments if moment is not None)


def _why_assess(state: RolloutState) -> str:
    if state.gate and state.gate.approved_at:
        return "once more after approval"
    return "at the gate"


def _decide(state: RolloutState, way: Transition, now: Now, *, heed: bool) -> RolloutState:
    """Open the gate, wait at it, or pass it."""
    found = findings(state)
    if way.level >= Level.GUARDRAILS:
        state = hold_for(state, found, now)
    if found:
        state = close_gate(state, found, now)
        return _look_again(state, now)
    if freeze_at(state.plan, now.programme) or _held(state):
        return state
    rule = rule_of(state.plan, way)
    if rule is None:
        return enter(state, way, now, "evidence allows it, no approval is agreed for it", heed=heed)
    if state.gate is None:
        evidence = state.assessment.digest if watched(state) and state.assessment else _baseline_digest(state)
        return open_gate(state, way, evidence, now)
    if not satisfied(rule, state.gate.approvals):
        return state
    names = ", ".join(f"{one.identity} ({one.role})" for one in state.gate.approvals)
    return enter(state, way, now, f"approved by {names}", heed=heed)


def _held(state: RolloutState) -> bool:
    """Holds that nobody's approval gets past: only their cause's end does."""
    passable = (HoldKind.APPROVAL_OVERDUE,)
    return any(one.kind not in passable for one in state.holds)


def _look_again(state: RolloutState, now: Now) -> RolloutState:
    """Nothing moves now: look at the numbers again after one cadence."""
    again = state.look_again_at.get("look")
    if again is None:
        return look_again_after(state, "look", now)
    if now.programme < again:
        return state
    state = look_again_after(state, "look", now)
    return state.model_copy(update={"assess_because": "holding at the gate"})


def _baseline_digest(state: RolloutState) -> str:
    """The evidence of the gate out of prepare: the frozen baselines; the plan's own digest where none is needed."""
    return state.baselines[0].evidence_digest if state.baselines else state.plan_digest
