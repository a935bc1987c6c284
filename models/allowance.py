"""What an assessment allows: which guardrails are breached, what keeps a transition from opening, and a pause standing.

The one reading of it, for rollouts and for whoever looks at their record.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence

from models.base import Frozen
from models.evidence import Assessment, Baseline, MetricAssessment, Verdict
from models.metric import CATALOGUE, MetricName, MetricUse
from models.plan import OptionKey, RolloutPlan
from models.plan_metric import Basis, OnBreach
from models.rollout import HoldKind
from models.transitions import Level


class Block(Frozen):
    """One reason why a transition does not open."""

    kind: HoldKind
    detail: str


def breached(
    plan: RolloutPlan, assessment: Assessment, let_be: Collection[MetricName], *actions: OnBreach
) -> tuple[MetricAssessment, ...]:
    """The guardrails found *not met* whose plan asks for one of the actions.

    Under option A nothing is enrolled, so nothing can be paused: breaches are only reported.

    Args:
        let_be: metrics that people decided to let be.
    """
    if plan.chosen is OptionKey.MAINTAIN and OnBreach.WARN not in actions:
        return ()
    return tuple(
        item
        for item in assessment.items
        if item.use is MetricUse.GUARDRAIL
        and item.verdict is Verdict.NOT_MET
        and (item.on_breach in actions or plan.chosen is OptionKey.MAINTAIN)
        and item.metric not in let_be
    )


def unreadable(
    assessment: Assessment, metrics: Collection[MetricName], let_be: Collection[MetricName]
) -> tuple[MetricAssessment, ...]:
    """Those of the metrics that a rollout was paused for of which there is no evidence, or none to trust: it is not
    resumed on that. That a change cannot be judged yet stands in nobody's way: gates still ask for it."""
    return tuple(
        item
        for item in assessment.items
        if item.metric in metrics
        and ((item.by_thresholds or item.verdict) is Verdict.NO_EVIDENCE or item.untrusted)
        and item.metric not in let_be
    )


def blocks(
    plan: RolloutPlan,
    watched: Collection[str],
    let_be: Collection[MetricName],
    assessment: Assessment | None,
    level: Level,
) -> tuple[Block, ...]:
    """What keeps a transition closed, in the order that matters: evidence there at all, its quality,
    guardrails, minimum sample, outcomes. Empty only when every judged metric of every watched cohort allows it.

    Args:
        watched: names of the cohorts whose numbers are judged.
        let_be: metrics that people decided to let be.
    """
    if level < Level.GUARDRAILS:
        return ()
    if assessment is None or not assessment.items:
        return (Block(kind=HoldKind.EVIDENCE, detail="nothing has been judged yet"),)
    items = tuple(
        item for item in assessment.items if item.on_breach is not OnBreach.WARN and item.metric not in let_be
    )
    found = _unjudged(plan, watched, assessment) + _without_evidence(items) + _guardrails(items) + _sample(items)
    if level >= Level.OUTCOMES:
        found += _outcomes(plan, items)
    return found


def baseline_blocks(
    plan: RolloutPlan, baselines: Sequence[Baseline], let_be: Collection[MetricName]
) -> tuple[Block, ...]:
    """Baselines that thresholds or stop conditions need and that could not be measured."""
    needed = {metric.metric for metric in plan.metrics if metric.needs_baseline}
    stops = plan.stop_conditions
    needed |= {one.metric for one in stops if one.metric and one.unless and one.unless.basis is not Basis.ABSOLUTE}
    control = plan.cohorts.control.name if plan.cohorts.control else None
    if not baselines:
        return (Block(kind=HoldKind.BASELINE, detail="no baseline has been measured"),)
    first, begins = plan.phases.baseline_from, min(one.window.start for one in baselines).date()
    if first is not None and begins < first:
        told = f"the baseline window begins on {begins}, and what was before {first} may not stand in it"
        return (Block(kind=HoldKind.BASELINE, detail=told),)
    return tuple(
        Block(
            kind=HoldKind.BASELINE,
            detail=f"{title(one.metric)} of {one.cohort} has no baseline: {one.reason or 'no value'}",
        )
        for one in baselines
        if one.metric in needed and one.cohort != control and one.value is None and one.metric not in let_be
    )


def title(metric: MetricName) -> str:
    """The metric's name as people read it."""
    return CATALOGUE[metric].title


def _unjudged(plan: RolloutPlan, watched: Collection[str], assessment: Assessment) -> tuple[Block, ...]:
    """A metric or cohort that is missing from the assessment altogether is no pass either."""
    present = {(item.cohort, item.metric) for item in assessment.items}
    return tuple(
        Block(kind=HoldKind.EVIDENCE, detail=f"{title(metric.metric)} of {cohort} was not judged")
        for cohort in watched
        for metric in plan.metrics
        if (cohort, metric.metric) not in present
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
