"""The view of a rollout that people are shown: status, one plain sentence, who is awaited, what comes next."""

from __future__ import annotations

from datetime import datetime

from models.base import format_duration, short
from models.evidence import Verdict
from models.metric import MetricName
from models.rollout import Awaited, CohortView, Phase, RolloutState, RolloutView, Status
from workflows.course import deadline, freeze_at, members, rule_of, transition, unenrolled, watched
from workflows.delegation import standing
from workflows.hindsight import unjudged
from workflows.journal import Now
from workflows.petitions import awaited_to_agree


def status_of(state: RolloutState, now: Now) -> Status:
    """The one status word: endings first, then what only people can lift, then what lifts itself."""
    if state.terminal:
        return state.terminal
    if state.stop_resolution:
        return Status.STOPPING
    if state.pause:
        return Status.PAUSED
    if state.gate:
        return Status.AWAITING_APPROVAL
    if state.holds:
        return Status.HOLDING
    return Status.FROZEN if freeze_at(state.plan, now.programme) else Status.RUNNING


def view(state: RolloutState, now: Now) -> RolloutView:
    """Everything one screen shows."""
    plan = state.plan
    rule = rule_of(plan, transition(plan, state.phase, state.wave)) if state.gate else None
    return RolloutView(
        rollout_id=plan.id,
        title=plan.title,
        plan_digest=state.plan_digest,
        option=plan.chosen.value,
        programme_now=now.programme,
        speed=state.clock.speed,
        phase=state.phase,
        wave=state.wave,
        waves=len(plan.cohorts.waves),
        status=status_of(state, now),
        sentence=sentence(state, now),
        since=since(state, now),
        holds=state.holds,
        pause=state.pause,
        gate=state.gate,
        gate_rule=f"{rule.quorum} of {', '.join(rule.roles)}" if rule else None,
        phase_clock=state.phase_clock,
        cohorts=tuple(_cohort(state, one.name) for one in state.cohorts),
        assessment=state.assessment,
        baselines=state.baselines,
        awaited=awaited(state, now),
        next=upcoming(state, now),
        review_due_at=state.review_due_at,
        last_evidence_at=state.last_evidence_at,
        overrides=state.overrides,
        history=state.history,
        entries=state.sequence,
        refused=state.refused,
        decisions=state.decisions,
        delegations=standing(state, now),
        unjudged=() if state.terminal else unjudged(state),
    )


def sentence(state: RolloutState, now: Now) -> str:
    """Where the rollout stands, in words a business owner uses."""
    where = state.phase.value if state.wave is None else f"{state.phase.value}, wave {state.wave}"
    match status_of(state, now):
        case Status.COMPLETED:
            return "Completed: every phase of the plan has been passed."
        case Status.STOPPED:
            return "Stopped before the end of the plan; the log says why and what was kept."
        case Status.STOPPING:
            if state.closing:
                return f"Stopping in {where}: what was to be withdrawn is; the history is being kept."
            return f"Stopping in {where}: taking back what is to be withdrawn."
        case Status.PAUSED if state.pause:
            return f"Paused in {where}: {state.pause.detail}"
        case Status.AWAITING_APPROVAL if state.gate:
            return f"The evidence allows {state.gate.key}; it waits for the owners' approval."
        case Status.HOLDING:
            return f"Holding in {where}: " + "; ".join(f"{one.kind.value}: {one.detail}" for one in state.holds)
        case Status.FROZEN:
            window = freeze_at(state.plan, now.programme)
            return f"Frozen in {where} until {window.end:%Y-%m-%d %H:%M}: {window.name}" if window else "Frozen"
        case _:
            return _running(state, where)


def _running(state: RolloutState, where: str) -> str:
    if state.closing:
        return "Closing: what the rollout leaves behind is being kept."
    if state.phase is Phase.PREPARE:
        missing = len(state.plan.owners) - len(state.confirmed)
        if missing:
            return f"Preparing: {missing} of {len(state.plan.owners)} owners have still to confirm ownership."
        return "Preparing: baselines and cohorts are being settled."
    return f"Running {where}."


def since(state: RolloutState, now: Now) -> datetime:
    """Since when the present status holds (programme time)."""
    if state.pause:
        return state.pause.since
    if state.gate:
        return state.gate.opened_at
    if state.holds:
        return min(one.since for one in state.holds)
    return state.history[-1].entered_at if state.history else now.programme


def awaited(state: RolloutState, now: Now) -> tuple[Awaited, ...]:
    """Who must act before the rollout can go on, since when and by when."""
    if state.terminal or state.stop_resolution:
        return ()
    plan, found = state.plan, []
    if state.phase is Phase.PREPARE:
        missing = tuple(one.identity for one in plan.owners if one.identity not in state.confirmed)
        if missing:
            opened = state.history[0].entered_at
            found.append(Awaited(what="confirm ownership", who=missing, since=opened))
    if state.pause:
        who = _or_in_their_place(state, now, *(one.identity for one in plan.holders(*state.pause.must_act)))
        found.append(Awaited(what="resume or stop", who=who, since=state.pause.since))
    if state.gate and not state.gate.approved_at:
        found.append(_awaited_at_gate(state, now))
    for one in awaited_to_agree(state, now):
        found.append(one.model_copy(update={"who": _or_in_their_place(state, now, *one.who)}))
    if state.review_due_at and state.review_due_at <= now.programme:
        who = _or_in_their_place(state, now, *(one.identity for one in plan.holders(*plan.reviews.roles)))
        due = state.review_due_at + plan.reviews.grace
        found.append(Awaited(what="hold the review", who=who, since=state.review_due_at, due=due))
    return tuple(found)


def _or_in_their_place(state: RolloutState, now: Now, *owners: str) -> tuple[str, ...]:
    """The owners, and after them whoever acts for one of them."""
    return (*owners, *(one.identity for one in standing(state, now) if one.owner in owners))


def _awaited_at_gate(state: RolloutState, now: Now) -> Awaited:
    gate, plan = state.gate, state.plan
    if gate is None:
        raise ValueError("no gate is open")
    rule = rule_of(plan, transition(plan, state.phase, state.wave))
    decided = {one.identity for one in gate.approvals}
    who = tuple(
        one.identity
        for one in plan.holders(*(rule.roles if rule else ()))
        if one.identity not in decided and one.identity.casefold() != plan.proposer.casefold()
    )
    who = _or_in_their_place(state, now, *who)
    return Awaited(what=f"decide {gate.key}", who=who, since=gate.opened_at, due=gate.due_at)


def upcoming(state: RolloutState, now: Now) -> str:
    """What happens next by itself, or what it depends on."""
    if state.terminal:
        return "Nothing: the rollout is over."
    if state.closing and (state.stop_resolution or not state.pause):
        return "Its history is exported, then the rollout is over."
    way = transition(state.plan, state.phase, state.wave)
    target = way.to.value if way.wave is None else f"{way.to.value}, wave {way.wave}"
    if state.pause:
        return "After a resume on fresh evidence the remaining time of the phase runs again."
    if unenrolled(state):
        return f"Cohort {unenrolled(state)[0]} is enrolled."
    due = deadline(state.phase_clock) if state.phase_clock else None
    if due and due > now.programme:
        return f"Until {due:%Y-%m-%d %H:%M} the phase serves its time; then the evidence decides on {target}."
    if state.gate:
        return f"With enough approvals the evidence is read once more, then {target} begins."
    if state.holds:
        again = format_duration(state.plan.phases.cadence)
        return f"The evidence is read again every {again}; when the hold lifts, {target} is next."
    return f"{target} is next."


def _cohort(state: RolloutState, name: str) -> CohortView:
    control = state.plan.cohorts.control
    if name in state.withdrawn:
        where = "withdrawn"
    elif name in state.enrolled:
        where = "enrolled"
    else:
        where = "comparison" if control and name == control.name else "not enrolled"
    verdicts: dict[MetricName, Verdict] = {}
    if state.assessment:
        verdicts = {item.metric: item.verdict for item in state.assessment.items if item.cohort == name}
    return CohortView(
        name=name,
        partners=members(state, name).size,
        state=where,
        verdicts={metric.value: verdict for metric, verdict in verdicts.items()},
    )


def details(state: RolloutState, now: Now) -> str:
    """The same in Markdown, for the Temporal Web UI's details pane."""
    lines = [
        f"### {state.plan.title}",
        f"**{status_of(state, now).value}** · {sentence(state, now)}",
        f"- Next: {upcoming(state, now)}",
        f"- Decisions are {state.decisions.value}",
        f"- Programme time {now.programme:%Y-%m-%d %H:%M}, plan `{short(state.plan_digest)}`",
        *(f"- Waiting for {', '.join(one.who)}: {one.what}" for one in awaited(state, now)),
        *(
            f"- {item.cohort} · {item.metric.value}: **{item.verdict.value}**"
            for item in (state.assessment.items if state.assessment and watched(state) else ())
        ),
    ]
    return "\n".join(lines)
