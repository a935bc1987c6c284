"""What an assessment allows: which guardrails are breached, and what keeps a transition from opening."""

from __future__ import annotations

from models.base import Frozen
from models.evidence import Assessment, MetricAssessment, Verdict
from models.metric import CATALOGUE, MetricName, MetricUse
from models.plan import OptionKey, RolloutPlan
from models.plan_metric import Basis, OnBreach
from models.rollout import HoldKind, RolloutState
from workflows.course import Level, watched


class Block(Frozen):
    """One reason why a transition does not open."""

    kind: HoldKind
    detail: str


def overridden(state: RolloutState, metric: MetricName) -> bool:
    """Whether people decided to let this metric be."""
    return any(one.metric is metric for one in state.overrides)


def breached(state: RolloutState, assessment: Assessment, *actions: OnBreach) -> tuple[MetricAssessment, ...]:
    """The guardrails found *not met* whose plan asks for one of the actions, leaving out overridden ones.

    Under option A nothing is enrolled, so nothing can be paused: breaches are only reported.
    """
    if state.plan.chosen is OptionKey.MAINTAIN and OnBreach.WARN not in actions:
        return ()
    return tuple(
        item
        for item in assessment.items
        if item.use is MetricUse.GUARDRAIL
        and item.verdict is Verdict.NOT_MET
        and (item.on_breach in actions or state.plan.chosen is OptionKey.MAINTAIN)
        and not overridden(state, item.metric)
    )


def blocks(state: RolloutState, assessment: Assessment | None, level: Level) -> tuple[Block, ...]:
    """What keeps a transition closed, in the order that matters: evidence there at all, its quality,
    guardrails, minimum sample, outcomes. Empty only when every judged metric of every watched cohort allows it.
    """
    if level < Level.GUARDRAILS:
        return ()
    if assessment is None or not assessment.items:
        return (Block(kind=HoldKind.EVIDENCE, detail="nothing has been judged yet"),)
    items = _judged(state, assessment)
    found = _unjudged(state, assessment) + _without_evidence(items) + _guardrails(items) + _sample(items)
    if level >= Level.OUTCOMES:
        found += _outcomes(state.plan, items)
    return found


def baseline_blocks(state: RolloutState) -> tuple[Block, ...]:
    """Baselines that thresholds or stop conditions need and that could not be measured."""
    needed = {metric.metric for metric in state.plan.metrics if metric.needs_baseline}
    stops = state.plan.stop_conditions
    needed |= {one.metric for one in stops if one.metric and one.unless and one.unless.basis is not Basis.ABSOLUTE}
    control = state.plan.cohorts.control.name if state.plan.cohorts.control else None
    if not state.baselines:
        return (Block(kind=HoldKind.BASELINE, detail="no baseline has been measured"),)
    first, begins = state.plan.phases.baseline_from, min(one.window.start for one in state.baselines).date()
    if first is not None and begins < first:
        told = f"the baseline window begins on {begins}, and what was before {first} may not stand in it"
        return (Block(kind=HoldKind.BASELINE, detail=told),)
    return tuple(
        Block(
            kind=HoldKind.BASELINE,
            detail=f"{title(one.metric)} of {one.cohort} has no baseline: {one.reason or 'no value'}",
        )
        for one in state.baselines
        if one.metric in needed and one.cohort != control and one.value is None and not overridden(state, one.metric)
    )


def title(metric: MetricName) -> str:
    """The metric's name as people read it."""
    return CATALOGUE[metric].title


def _judged(state: RolloutState, assessment: Assessment) -> tuple[MetricAssessment, ...]:
    return tuple(
        item for item in assessment.items if item.on_breach is not OnBreach.WARN and not overridden(state, item.metric)
    )


def _unjudged(state: RolloutState, assessment: Assessment) -> tuple[Block, ...]:
    """A metric or cohort that is missing from the assessment altogether is no pass either."""
    present = {(item.cohort, item.metric) for item in assessment.items}
    return tuple(
        Block(kind=HoldKind.EVIDENCE, detail=f"{title(metric.metric)} of {cohort.name} was not judged")
        for cohort in watched(state)
        for metric in state.plan.metrics
        if (cohort.name, metric.metric) not in present
    )


def _without_evidence(items: tuple[MetricAssessment, ...]) -> tuple[Block, ...]:
    """No evidence, or none that can be trusted, whatever the metric is used for."""
    return tuple(
        _block(HoldKind.EVIDENCE, item) for item in items if item.verdict is Verdict.NO_EVIDENCE or item.untrusted
    )


def _guardrails(items: tuple[MetricAssessment, ...]) -> tuple[Block, ...]:
    return tuple(
        _block(HoldKind.EVIDENCE, item)
        for item in items
        if item.use is MetricUse.GUARDRAIL
        and item.verdict in (Verdict.NOT_MET, Verdict.CANNOT_TELL)
        and not item.untrusted
    )


def _sample(items: tuple[MetricAssessment, ...]) -> tuple[Block, ...]:
    return tuple(
        _block(HoldKind.EVIDENCE, item)
        for item in items
        if item.use is MetricUse.OUTCOME
        and not item.minimum_sample_reached
        and item.verdict is not Verdict.NO_EVIDENCE
        and not item.untrusted
    )


def _outcomes(plan: RolloutPlan, items: tuple[MetricAssessment, ...]) -> tuple[Block, ...]:
    outcomes = tuple(item for item in items if item.use is MetricUse.OUTCOME)
    found = tuple(
        _block(HoldKind.OUTCOME, item)
        for item in outcomes
        if item.must
        and item.verdict not in (Verdict.MET, Verdict.NO_EVIDENCE)
        and item.minimum_sample_reached
        and not item.untrusted
    )
    weighted = tuple(item for item in outcomes if not item.must)
    total = sum(item.weight for item in weighted)
    met = sum(item.weight for item in weighted if item.verdict is Verdict.MET)
    if weighted and met < plan.weighted_pass * total:
        detail = f"{met / total:.0%} of the weighted outcomes are met, {plan.weighted_pass:.0%} are agreed"
        found += (Block(kind=HoldKind.OUTCOME, detail=detail),)
    return found


def _block(kind: HoldKind, item: MetricAssessment) -> Block:
    reasons = "; ".join(item.reasons) or item.verdict.value
    return Block(kind=kind, detail=f"{title(item.metric)} of {item.cohort}: {item.verdict.value} ({reasons})")
