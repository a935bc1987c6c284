"""What an assessment allows a rollout where it stands: `models/allowance.py` with what its state says."""

from __future__ import annotations

from models import allowance
from models.allowance import Block as Block
from models.allowance import title as title
from models.evidence import Assessment, MetricAssessment
from models.metric import MetricName
from models.plan_metric import OnBreach
from models.rollout import RolloutState
from workflows.course import Level, watched


def let_be(state: RolloutState) -> frozenset[MetricName]:
    """The metrics that people decided to let be."""
    return frozenset(one.metric for one in state.overrides)


def breached(state: RolloutState, assessment: Assessment, *actions: OnBreach) -> tuple[MetricAssessment, ...]:
    """The guardrails found *not met* whose plan asks for one of the actions, leaving out overridden ones."""
    return allowance.breached(state.plan, assessment, let_be(state), *actions)


def blocks(state: RolloutState, assessment: Assessment | None, level: Level) -> tuple[Block, ...]:
    """What keeps a transition closed."""
    names = tuple(one.name for one in watched(state))
    return allowance.blocks(state.plan, names, let_be(state), assessment, level)


def baseline_blocks(state: RolloutState) -> tuple[Block, ...]:
    """Baselines that thresholds or stop conditions need and that could not be measured."""
    return allowance.baseline_blocks(state.plan, state.baselines, let_be(state))
