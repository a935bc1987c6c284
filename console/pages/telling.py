"""Sentences about a rollout for people who own it: where it stands, what comes next, what an approval does."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import NamedTuple

from console.pages import terms
from console.pages.asking import Look
from console.pages.words import N_, Words
from models.ahead import Ahead
from models.command import Verb
from models.evidence import Verdict
from models.metric import worded
from models.outline import Outline
from models.plan import Fate, RolloutPlan
from models.reach import cohorts_to_enrol
from models.rollout import Awaited, Delegation, Phase, Status
from record.limits import limit_words
from record.people import name_of as name_of
from store.views import CohortScope, Line
from workflows.course import deadline, transition


class Effect(NamedTuple):
    """What a transition does: to which phase it leads, whom it enrols, and how many partners are in before and after.
    None for numbers that are not known before the cohorts are frozen."""

    to: str
    cohorts: tuple[str, ...]
    before: int
    after: int | None


class Cause(NamedTuple):
    """Why a rollout does not go on: the kind of cause, the numbers behind it, and the detail as it was written down."""

    cause: str
    told: str
    detail: str


class Waits(NamedTuple):
    """Somebody a rollout waits for, in words."""

    what: str
    who: str
    since: datetime
    due: datetime | None
    overdue: bool
    mine: bool


def effect_of(
    words: Words, plan: RolloutPlan | Outline, phase: str, wave: int | None, scope: tuple[CohortScope, ...]
) -> Effect:
    """What the way out of a phase would do."""
    way = transition(plan, Phase(phase), wave)
    entering = cohorts_to_enrol(plan, way.to.value, way.wave)
    before = sum(one.enrolled for one in scope)
    joining = sum(one.partners - one.enrolled for one in scope if one.name in entering)
    known = bool(scope) or not entering
    to = terms.phase(words, way.to.value, way.wave, len(plan.cohorts.waves))
    return Effect(to, entering, before, before + joining if known else None)


def effect_words(words: Words, effect: Effect) -> str:
    """The effect as a sentence."""
    if not effect.cohorts:
        return words("%(phase)s begins; nobody more is enrolled.", phase=effect.to)
    if effect.after is None:
        return words("%(phase)s begins, and its cohort is enrolled.", phase=effect.to)
    return words(
        "%(before)s → %(after)s partners under the new rule: %(phase)s begins.",
        before=words.count(effect.before),
        after=words.count(effect.after),
        phase=effect.to,
    )


def where(words: Words, line: Line) -> str:
    """Phase and wave of a line."""
    return terms.phase(words, line.phase, line.wave, line.waves)


def headline(words: Words, look: Look) -> str:
    """One sentence: what the rollout does now."""
    line, view = look.line, look.view
    status = view.status.value if view else line.status
    here = where(words, line) if view is None else terms.phase(words, view.phase.value, view.wave, view.waves)
    match status:
        case Status.COMPLETED:
            return words("Completed: every phase of the plan has been passed.")
        case Status.STOPPED:
            return words("Stopped before the end of the plan; the log says why and what was kept.")
        case Status.STOPPING:
            return words("Stopping: what is to be withdrawn is being taken back.")
        case Status.PAUSED:
            return words("Paused in %(phase)s. Nothing advances until a named person resumes.", phase=here)
        case Status.AWAITING_APPROVAL if view and view.gate:
            gate = terms.gate(words, view.gate.key)
            return words("The evidence allows “%(gate)s”; it waits for the owners' approval.", gate=gate)
        case Status.AWAITING_APPROVAL:
            return words("The evidence allows the next step; it waits for the owners' approval.")
        case Status.HOLDING:
            return words("Holding in %(phase)s. It goes on by itself when the cause is gone.", phase=here)
        case Status.FROZEN:
            return words("Frozen in %(phase)s: an agreed window in which nothing moves.", phase=here)
        case _:
            return _running(words, look, here)


def _running(words: Words, look: Look, here: str) -> str:
    if (look.view.phase.value if look.view else look.line.phase) != Phase.PREPARE:
        return words("Running: %(phase)s.", phase=here)
    missing = sum(len(one.who) for one in awaited_of(look) if one.what == "confirm ownership")
    if missing:
        return words.many(
            "Preparing: %(num)s owner has still to confirm ownership.",
            "Preparing: %(num)s owners have still to confirm ownership.",
            missing,
        )
    return words("Preparing: baselines and cohorts are being settled.")


def why(words: Words, look: Look) -> tuple[Cause, ...]:
    """Why it does not go on."""
    view = look.view
    if view is None:
        return (Cause("", "", look.line.sentence),) if look.line.sentence else ()
    if view.pause:
        cause = terms.term(words, terms.CAUSE, view.pause.cause)
        by = words("by %(who)s", who=name_of(look.plan, view.pause.by)) if view.pause.by else ""
        return (Cause(f"{cause} {by}".strip(), _breached(words, look), view.pause.detail),)
    return tuple(Cause(terms.term(words, terms.HOLD, one.kind), "", worded(one.detail)) for one in view.holds)


def ahead_words(words: Words, one: Ahead) -> str:
    """What is about to breach: how many leads are due by when, and what becomes of the metric if they are missed."""
    # Outside of the call, in which whoever collects the texts would take the word for another text.
    metric, limits = terms.metric(words, one.metric), [limit_words(words, limit) for limit in one.agreed]
    hours = f"{one.within / timedelta(hours=1):.3g}"
    told = {
        "metric": metric,
        "cohort": one.cohort,
        "hours": hours,
        "at": words.moment(one.first_due_at),
        "value": words.number(one.falls_to) + terms.unit(one.metric),
        "limits": words.listed(limits),
        "partners": words.listed(one.partners),
    }
    return words.many(
        "%(metric)s of %(cohort)s: %(num)s lead is due at %(at)s and open. Missed, it takes the metric to %(value)s; "
        "agreed is %(limits)s. It is a lead of %(partners)s.",
        "%(metric)s of %(cohort)s: %(num)s leads that are open are due within %(hours)s business hours, the first at "
        "%(at)s. Missed, they take the metric to %(value)s; agreed is %(limits)s. Most are of %(partners)s.",
        one.leads,
        **told,
    )


def _breached(words: Words, look: Look) -> str:
    """The metrics behind a pause that are not met now, each with its number."""
    wanted = look.view.pause.metrics if look.view and look.view.pause else ()
    return words.listed(
        [
            words(
                "%(metric)s of %(cohort)s is %(value)s, agreed %(limits)s",
                metric=terms.metric(words, one.metric),
                cohort=one.cohort,
                value=words.number(one.value) + terms.unit(one.metric),
                limits=words.listed([limit_words(words, limit) for limit in one.thresholds]),
            )
            for one in (look.assessment.items if look.assessment else ())
            if one.metric in wanted and one.verdict is Verdict.NOT_MET
        ]
    )


def next_words(words: Words, look: Look) -> str:
    """What happens next by itself, or what it depends on."""
    view, plan = look.view, look.plan
    if view is None:
        return look.line.next
    if view.status in (Status.STOPPED, Status.COMPLETED):
        return words("Nothing: the rollout is over.")
    effect = effect_of(words, plan, view.phase.value, view.wave, look.scope)
    if view.status is Status.STOPPING:
        return words("When that is done the rollout is over.")
    if view.pause:
        return words("After a resume on fresh evidence the remaining time of the phase runs on.")
    due = deadline(view.phase_clock) if view.phase_clock else None
    if due and due > view.programme_now:
        told = words("Until %(due)s the phase serves its time; then the evidence decides.", due=words.moment(due))
    elif view.gate:
        told = words("With enough approvals the evidence is read once more before anything moves.")
    elif view.holds:
        told = words("The evidence is read again every %(span)s.", span=words.span(plan.phases.cadence))
    else:
        told = ""
    effect_told = effect_words(words, effect)
    then = words("Then: %(effect)s", effect=effect_told)
    return f"{told} {then}" if told else effect_told


def awaited_of(look: Look) -> tuple[Awaited, ...]:
    """Whom it waits for, as it says itself or said last."""
    return look.view.awaited if look.view else look.line.awaited


def waits(
    words: Words,
    plan: RolloutPlan | Outline | None,
    awaited: tuple[Awaited, ...],
    identity: str,
    now: datetime,
    given: Sequence[Delegation] = (),
) -> tuple[Waits, ...]:
    """Whom it waits for, in words; `now` is programme time."""
    return tuple(
        Waits(
            what=what_words(words, one.what),
            who=words.listed([name_of(plan, who, given) for who in one.who]) or words("nobody"),
            since=one.since,
            due=one.due,
            overdue=one.due is not None and one.due < now,
            mine=identity.casefold() in (who.casefold() for who in one.who),
        )
        for one in awaited
    )


def what_words(words: Words, what: str) -> str:
    """What somebody is awaited for."""
    head, _, rest = what.partition(" ")
    match head:
        case "confirm":
            return words("Confirm ownership")
        case "decide":
            return words("Decide “%(gate)s”", gate=terms.gate(words, rest))
        case "resume":
            return words("Resume or stop")
        case "hold":
            return words("Hold the review")
        case "agree":
            verb, _, key = rest.removeprefix("to ").partition(" ")
            about = _petition(words, key)
            return words("Agree to %(what)s: %(key)s", what=terms.term(words, terms.VERB, Verb(verb)), key=about)
        case _:
            return what


_UNTIL = re.compile(r"(\w+) until (\S+)")
_FATES = re.compile(r"finished (keep|withdraw), current (keep|withdraw), pending (keep|withdraw)")
FATE = {Fate.KEEP: N_("keep"), Fate.WITHDRAW: N_("withdraw")}


def _petition(words: Words, key: str) -> str:
    """What exactly is agreed to: a metric that is let be until a day, or what becomes of the cohorts. What is neither
    is shown as the rollout says it."""
    fates = _FATES.fullmatch(key)
    if fates is not None:
        finished, current, pending = (words(FATE[Fate(one)]) for one in fates.groups())
        return words(
            "Cohorts that are over: %(finished)s; present: %(current)s; not enrolled: %(pending)s.",
            finished=finished,
            current=current,
            pending=pending,
        )
    until = _UNTIL.fullmatch(key)
    try:
        at = datetime.fromisoformat(until[2]) if until else None
    except ValueError:
        at = None
    if until is None or at is None:
        return key
    return words("%(metric)s until %(until)s", metric=terms.metric(words, until[1]), until=words.moment(at))


def with_role(words: Words, plan: RolloutPlan, identity: str, given: Sequence[Delegation] = ()) -> str:
    """Somebody by name, an owner with their role."""
    owner = plan.owner(identity)
    return f"{owner.name} ({terms.role(words, owner.role)})" if owner else name_of(plan, identity, given)
