"""The six metrics of the framework: what each is, in which unit, which way is better, and who usually owns it."""

from __future__ import annotations

from enum import StrEnum

from models.base import Frozen


class MetricName(StrEnum):
    CONTRIBUTION_MARGIN = "contribution_margin"
    PIPELINE_VELOCITY = "pipeline_velocity"
    COMPLIANCE_SCORE = "compliance_score"
    MDF_SPEND = "mdf_spend"
    ENABLEMENT_COMPLETION = "enablement_completion"
    LEAD_FOLLOW_UP_SLA = "lead_follow_up_sla"


class MetricUse(StrEnum):
    """What a metric does in a rollout: outcomes let it go on, guardrails pause it."""

    OUTCOME = "outcome"
    GUARDRAIL = "guardrail"


class Direction(StrEnum):
    HIGHER = "higher is better"
    LOWER = "lower is better"
    TWO_SIDED = "both sides are alarms"


class MetricSpec(Frozen):
    """One catalogue entry. `definition_version` changes when the SQL's meaning changes."""

    name: MetricName
    title: str
    unit: str
    direction: Direction
    use: MetricUse
    owner_role: str
    definition_version: int = 1


_SPECS = (
    MetricSpec(
        name=MetricName.CONTRIBUTION_MARGIN,
        title="Partner contribution margin",
        unit="%",
        direction=Direction.HIGHER,
        use=MetricUse.OUTCOME,
        owner_role="finance_owner",
    ),
    MetricSpec(
        name=MetricName.PIPELINE_VELOCITY,
        title="Pipeline velocity",
        unit="per day",
        direction=Direction.HIGHER,
        use=MetricUse.OUTCOME,
        owner_role="revops_owner",
    ),
    MetricSpec(
        name=MetricName.COMPLIANCE_SCORE,
        title="Compliance score",
        unit="points",
        direction=Direction.HIGHER,
        use=MetricUse.OUTCOME,
        owner_role="compliance_owner",
    ),
    MetricSpec(
        name=MetricName.MDF_SPEND,
        title="MDF spend",
        unit="% of plan to date",
        direction=Direction.TWO_SIDED,
        use=MetricUse.GUARDRAIL,
        owner_role="finance_owner",
    ),
    MetricSpec(
        name=MetricName.ENABLEMENT_COMPLETION,
        title="Enablement completion",
        unit="%",
        direction=Direction.HIGHER,
        use=MetricUse.GUARDRAIL,
        owner_role="enablement_owner",
    ),
    MetricSpec(
        name=MetricName.LEAD_FOLLOW_UP_SLA,
        title="Lead follow-up SLA",
        unit="%",
        direction=Direction.HIGHER,
        use=MetricUse.GUARDRAIL,
        owner_role="revops_owner",
    ),
)

CATALOGUE: dict[MetricName, MetricSpec] = {spec.name: spec for spec in _SPECS}
"""Every metric a plan may name."""
