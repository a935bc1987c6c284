"""What people and the watch ask for: every request is applied, or refused with a reason, and written down."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from models.agreement import conflict_bars, may_not_approve, satisfied
from models.claims import BREAK_GLASS, Claims
from models.command import (
    COMMANDS,
    WATCH_ACTOR,
    Acknowledge,
    Choice,
    Command,
    ConfirmOwnership,
    Decide,
    Override,
    Pause,
    ReportBreach,
    ReportEvidence,
    Resume,
    Review,
    Stop,
    Verb,
)
from models.log import EntryKind, Outcome, Receipt
from models.plan import ApprovalRule, Owner
from models.rollout import (
    HoldKind,
    OverrideState,
    PauseCause,
    PauseState,
    Petition,
    ResumeRequest,
    RolloutState,
)
from workflows.asking import Refused, approval, fields, in_place, refuse, same, who
from workflows.course import rule_of, transition, watched
from workflows.delegation import delegate
from workflows.glass import break_glass
from workflows.hindsight import WHILE_STOPPING, judge_pause
from workflows.journal import SEEN, Now, backlog_full, heard_in_bulk, held_by, release, write
from workflows.looks import ask_for_look, heard_from
from workflows.pauses import pause_now, resumed, stop
from workflows.petitions import ask_to_agree
from workflows.signatures import ALWAYS_WORK, UnknownKey, cleared, examined, is_word, kept, parked, stamped, used


def receive(
    state: RolloutState, verb: Verb, command: Command, now: Now, *, again: bool = False, hear: bool = True
) -> tuple[RolloutState, Receipt]:
    """Apply a request, write down why not, or let it wait for the keys.

    Args:
        again: it has waited; what is not known now is not waited for any more.
        hear: a word of the watch is heard although the log is behind: the watch does not repeat itself. False for a
            run that has refused one.
    """
    folds = hear and unheard(state, verb, command)
    claims: Claims | None = None
    try:
        _check_repetition(state, command)
        if state.terminal or (state.stop_resolution and verb not in WHILE_STOPPING):
            raise Refused(f"the rollout is {(state.terminal or 'stopping')}; nothing changes it any more")
        if backlog_full(state) and verb not in ALWAYS_WORK and not folds:
            raise Refused("the log is behind and takes no more requests until it can be written; ask again then")
        try:
            claims = examined(state, verb, command, now)
        except UnknownKey:
            if again:
                raise
            return parked(state, verb, command), _waiting(state, command)
        _must_be_cleared(state)
        applied = _apply(state, verb, command, claims, now)
        applied = heard_in_bulk(state, applied, now) if folds else applied
    except Refused as refusal:
        after = refuse(state, verb.value, str(refusal), now, command)
        after = used(stamped(state, after, command, claims), claims, now) if claims else after
        return after, receipt_of(after).model_copy(update={"request_id": command.request_id})
    if claims is not None:
        applied = kept(used(stamped(state, applied, command, claims), claims, now), command)
    state = applied.model_copy(update={"seen": (*applied.seen, command.request_id)[-SEEN:]})
    return state, _receipt(state, command)


def unheard(state: RolloutState, verb: Verb, command: Command) -> bool:
    """Whether this is a word of the watch for which the log has no room, so that it cannot have an entry of its own."""
    return is_word(verb, command) and backlog_full(state)


def receive_again(state: RolloutState, now: Now) -> RolloutState:
    """What waited for the keys, as if it came now. Here nobody stands before the server and writes down what a handler
    could not take: what raised would fail the rollout's every step from then on."""
    waiting, state = state.parked, state.model_copy(update={"parked": ()})
    for one in waiting:
        command = COMMANDS[one.verb].model_validate_json(one.command)
        try:
            state, _ = receive(state, one.verb, command, now, again=True)
        except Exception as problem:
            state = refuse(state, one.verb.value, f"{type(problem).__name__}: {problem}"[:500], now, command)
    return state


def refuse_waiting(state: RolloutState, problem: str, now: Now) -> RolloutState:
    """What waited for keys that could not be had: it is refused, so that whoever asked hears of it."""
    waiting, state = state.parked, state.model_copy(update={"parked": ()})
    for one in waiting:
        command = COMMANDS[one.verb].model_validate_json(one.command)
        told = f"the signature could not be verified: {problem}"
        state = refuse(state, one.verb.value, told, now, command)
    return state


def _apply(state: RolloutState, verb: Verb, command: Command, claims: Claims | None, now: Now) -> RolloutState:
    if claims is not None and claims.role == BREAK_GLASS:
        return break_glass(state, command, claims, now)
    return _HANDLERS[verb](state, command, now)


def _must_be_cleared(state: RolloutState) -> None:
    if not cleared(state):
        raise Refused("who started the rollout is not proven yet; ask again in a minute")


def _check_repetition(state: RolloutState, command: Command) -> None:
    if command.request_id in state.seen or any(one.jti == command.request_id for one in state.spent):
        raise Refused(f"duplicate: request {command.request_id} has been dealt with already")


def _waiting(state: RolloutState, command: Command) -> Receipt:
    told = "the signature's key is not known yet; the keys are asked for"
    return Receipt(request_id=command.request_id, outcome=Outcome.PENDING, message=told, sequence=state.sequence)


def receipt_of(state: RolloutState) -> Receipt:
    """The answer that belongs to the newest entry."""
    entry = state.recent[-1]
    return Receipt(
        request_id=entry.request_id,
        outcome=entry.outcome or Outcome.APPLIED,
        message=entry.message,
        sequence=entry.sequence,
    )


def _receipt(state: RolloutState, command: Command) -> Receipt:
    for entry in reversed(state.recent):
        if entry.request_id == command.request_id:
            outcome = entry.outcome or Outcome.APPLIED
            return Receipt(
                request_id=command.request_id, outcome=outcome, message=entry.message, sequence=entry.sequence
            )
    return Receipt(request_id=command.request_id, outcome=Outcome.APPLIED, message="received", sequence=state.sequence)


def _decide(state: RolloutState, command: Decide, now: Now) -> RolloutState:
    gate = state.gate
    rule = rule_of(state.plan, transition(state.plan, state.phase, state.wave))
    if gate is None or rule is None:
        raise Refused(f"no gate is open{' while the rollout is paused' if state.pause else ''}")
    if command.gate != gate.key:
        raise Refused(f"gate {command.gate} is not open; {gate.key} is")
    owner = who(state, command, now, *rule.roles)
    if command.plan_digest != state.plan_digest:
        raise Refused("the decision names another version of the plan")
    if command.evidence_digest != gate.digest:
        raise Refused("stale: the evidence has changed since; read it again")
    _unless(conflict_bars(state.plan, command.declared_conflict))
    entry = fields(command, owner, Verb.DECIDE) | {"gate": gate.key, "evidence_digest": gate.digest}
    if command.declared_conflict:
        entry["detail"] = {**entry.get("detail", {}), "declared_conflict": command.declared_conflict}
    if command.choice is Choice.REJECT:
        return _reject(state, owner, command, rule, entry, now)
    _unless(may_not_approve(state.plan, owner, gate.approvals))
    approvals = (*gate.approvals, approval(owner, command, now))
    enough = satisfied(rule, approvals)
    gate = gate.model_copy(update={"approvals": approvals, "approved_at": now.programme if enough else None})
    state = state.model_copy(update={"gate": gate})
    told = f"{owner.name} approved {gate.key} ({len(approvals)} of {rule.quorum})"
    return write(state, now, EntryKind.DECISION, told, **entry)


def _unless(problem: str | None) -> None:
    if problem:
        raise Refused(problem)


def _reject(
    state: RolloutState,
    owner: Owner,
    command: Decide,
    rule: ApprovalRule,
    entry: dict[str, Any],
    now: Now,
) -> RolloutState:
    state = write(state, now, EntryKind.DECISION, f"{owner.name} rejected {command.gate}", **entry)
    pause = PauseState(
        cause=PauseCause.REJECTION,
        since=now.programme,
        detail=f"{owner.name} rejected {command.gate}: {command.reason}",
        must_act=rule.roles,
        by=owner.identity,
    )
    return pause_now(state, pause, now)


def _pause(state: RolloutState, command: Pause, now: Now) -> RolloutState:
    owner = who(state, command, now)
    if state.pause:
        raise Refused(f"already paused: {state.pause.detail}")
    must_act = tuple(dict.fromkeys((owner.role, *state.plan.approvals.override.roles)))
    pause = PauseState(
        cause=PauseCause.PERSON,
        since=now.programme,
        detail=f"{owner.name}: {command.reason}",
        must_act=must_act,
        by=owner.identity,
    )
    return pause_now(state, pause, now, **fields(command, owner, Verb.PAUSE))


def _resume(state: RolloutState, command: Resume, now: Now) -> RolloutState:
    if state.pause is None:
        raise Refused("the rollout is not paused")
    if state.resume_request:
        raise Refused("a resume is being examined already")
    owner = who(state, command, now, *state.pause.must_act)
    if state.pause.cause is PauseCause.GUARDRAIL and same(owner.identity, state.plan.proposer):
        raise Refused("the proposer does not resume their own change after a breach")
    if not watched(state):
        return resumed(state, now, **fields(command, owner, Verb.RESUME))
    request = ResumeRequest(
        request_id=command.request_id,
        identity=owner.identity,
        role=owner.role,
        reason=command.reason,
        asked_at=now.programme,
        by=in_place(owner, command),
    )
    state = state.model_copy(update={"resume_request": request, "asked_at": now.programme})
    told = f"{owner.name} asks to resume; fresh evidence is read first"
    return write(state, now, EntryKind.RESUME, told, **fields(command, owner, Verb.RESUME, Outcome.PENDING))


def _override(state: RolloutState, command: Override, now: Now) -> RolloutState:
    rule = state.plan.approvals.override
    owner = who(state, command, now, *rule.roles)
    if command.until <= now.programme:
        raise Refused(f"until must lie in the future of the programme clock ({now.programme.isoformat()})")
    if state.plan.metric(command.metric) is None:
        raise Refused(f"the plan does not measure {command.metric.value}")
    key = f"{command.metric.value} until {command.until.isoformat()}"
    state, petition = _petition(state, Verb.OVERRIDE, key, rule, owner, command, now)
    told = f"{owner.name} agrees to override {key} ({len(petition.approvals)} of {rule.quorum})"
    state = write(state, now, EntryKind.OVERRIDE, told, **fields(command, owner, Verb.OVERRIDE))
    if not satisfied(rule, petition.approvals):
        return ask_to_agree(state, petition, f"{owner.name} asks to override {key}: {command.reason}")
    override = OverrideState(
        metric=command.metric,
        until=command.until,
        by=tuple(one.identity for one in petition.approvals),
        reason=command.reason,
    )
    others = tuple(one for one in state.overrides if one.metric is not command.metric)
    update: dict[str, Any] = {"overrides": (*others, override), "petitions": _without(state, petition)}
    if watched(state):
        update |= ask_for_look("an override was agreed", now)
    state = state.model_copy(update=update)
    return write(state, now, EntryKind.OVERRIDE, f"Override in force: {key}", rationale=command.reason)


def _stop(state: RolloutState, command: Stop, now: Now) -> RolloutState:
    rule = state.plan.approvals.stop
    owner = who(state, command, now, *rule.roles)
    fates = command.resolution
    key = f"finished {fates.finished}, current {fates.current}, pending {fates.pending}"
    state, petition = _petition(state, Verb.STOP, key, rule, owner, command, now)
    if not satisfied(rule, petition.approvals):
        told = f"{owner.name} agrees to stop: {key} ({len(petition.approvals)} of {rule.quorum})"
        state = write(state, now, EntryKind.STOP, told, **fields(command, owner, Verb.STOP))
        return ask_to_agree(state, petition, f"{owner.name} asks to stop, {key}: {command.reason}")
    state = state.model_copy(update={"petitions": _without(state, petition)})
    why = f"{owner.name}: {command.reason}"
    return stop(state, fates, why, now, **fields(command, owner, Verb.STOP))


def _petition(
    state: RolloutState,
    verb: Verb,
    key: str,
    rule: ApprovalRule,
    owner: Owner,
    command: Command,
    now: Now,
) -> tuple[RolloutState, Petition]:
    """Collect agreement to exactly the same thing."""
    found = next((one for one in state.petitions if (one.verb, one.key) == (verb, key)), None)
    approvals = found.approvals if found else ()
    if any(same(one.identity, owner.identity) for one in approvals):
        raise Refused(f"{owner.name} has agreed already")
    if verb is Verb.OVERRIDE and same(owner.identity, state.plan.proposer):
        raise Refused("the proposer does not override a guardrail of their own change")
    petition = Petition(verb=verb, key=key, approvals=(*approvals, approval(owner, command, now)))
    others = tuple(one for one in state.petitions if (one.verb, one.key) != (verb, key))
    return state.model_copy(update={"petitions": (*others, petition)}), petition


def _without(state: RolloutState, petition: Petition) -> tuple[Petition, ...]:
    return tuple(one for one in state.petitions if one != petition)


def _review(state: RolloutState, command: Review, now: Now) -> RolloutState:
    owner = who(state, command, now, *state.plan.reviews.roles)
    if state.review_due_at is None:
        raise Refused("no review is scheduled before preparation is complete")
    held = state.reviews_held + 1
    following = now.programme + state.plan.reviews.every
    update = {"reviews_held": held, "review_due_at": following, "review_noticed": False}
    state = release(state.model_copy(update=update), now, HoldKind.REVIEW_MISSED)
    told = f"{owner.name} held review checkpoint {held}; next {following:%Y-%m-%d}"
    return write(state, now, EntryKind.REVIEW, told, **fields(command, owner, Verb.REVIEW))


def _confirm(state: RolloutState, command: ConfirmOwnership, now: Now) -> RolloutState:
    owner = who(state, command, now, in_person=True)
    if owner.role != command.role:
        raise Refused(f"{owner.name} is {owner.role} in the plan, not {command.role}")
    if owner.identity in state.confirmed:
        raise Refused(f"{owner.name} has confirmed already")
    state = state.model_copy(update={"confirmed": (*state.confirmed, owner.identity)})
    told = f"{owner.name} confirmed ownership as {owner.role} ({len(state.confirmed)} of {len(state.plan.owners)})"
    return write(state, now, EntryKind.DECISION, told, **fields(command, owner, Verb.CONFIRM_OWNERSHIP))


def _acknowledge(state: RolloutState, command: Acknowledge, now: Now) -> RolloutState:
    owner = who(state, command, now)
    told = f"{owner.name} has taken note"
    return write(state, now, EntryKind.NOTICE, told, **fields(command, owner, Verb.ACKNOWLEDGE))


def _report_breach(state: RolloutState, command: ReportBreach, now: Now) -> RolloutState:
    owner = None if command.actor == WATCH_ACTOR else who(state, command, now)
    if state.plan.metric(command.metric) is None:
        raise Refused(f"the plan does not measure {command.metric.value}")
    if not any(one.name == command.cohort for one in watched(state)):
        raise Refused(f"cohort {command.cohort} is not being watched now")
    because = f"{command.metric.value} of {command.cohort} reported beyond its limit"
    update: dict[str, Any] = ask_for_look(because, now, alarm=True)
    if owner is None:
        update |= heard_from(state, command, now) or {}
        update["reported"] = command.snapshot_digest
    state = state.model_copy(update=update)
    entry = fields(command, owner, Verb.REPORT_BREACH)
    return write(state, now, EntryKind.ASSESSMENT, f"{command.actor}: {because}", **entry)


def _report_evidence(state: RolloutState, command: ReportEvidence, now: Now) -> RolloutState:
    """The watch's daily word leaves no entry of its own: the signal itself stands in the history."""
    if command.actor != WATCH_ACTOR:
        raise Refused("only the watch reports evidence; report a breach instead")
    if not watched(state):
        raise Refused("nothing is being watched now")
    heard = heard_from(state, command, now)
    if not command.changed:
        if heard is None:
            raise Refused("nothing proves that the watch says this")
        return state.model_copy(update=heard)
    update: dict[str, Any] = heard or {}
    update |= ask_for_look("the watch sees a change", now)
    state = state.model_copy(update=update)
    entry = fields(command, None, Verb.REPORT_EVIDENCE) | {"evidence_digest": command.evidence_digest}
    return write(state, now, EntryKind.ASSESSMENT, f"The watch sees a change: {command.reason}", **entry)


def quiet(before: RolloutState, after: RolloutState) -> bool:
    """Whether a request left nothing to do, so that the rollout's timer may go on undisturbed."""
    waits = len(after.parked) > len(before.parked)
    same = after.sequence == before.sequence and after.asked_at == before.asked_at
    return same and not waits and not held_by(after, HoldKind.WATCH_SILENT)


_HANDLERS: dict[Verb, Callable[[RolloutState, Any, Now], RolloutState]] = {
    Verb.DECIDE: _decide,
    Verb.PAUSE: _pause,
    Verb.RESUME: _resume,
    Verb.OVERRIDE: _override,
    Verb.REVIEW: _review,
    Verb.CONFIRM_OWNERSHIP: _confirm,
    Verb.ACKNOWLEDGE: _acknowledge,
    Verb.REPORT_BREACH: _report_breach,
    Verb.REPORT_EVIDENCE: _report_evidence,
    Verb.STOP: _stop,
    Verb.DELEGATE: delegate,
    Verb.JUDGE_PAUSE: judge_pause,
}
