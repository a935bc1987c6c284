"""The catalogue: every metric a plan may name. How to add one stands in docs/metrics.md."""

from __future__ import annotations

from models.metric_further import FURTHER
from models.metric_guardrails import GUARDRAILS
from models.metric_outcomes import OUTCOMES
from models.metric_terms import (
    WHY_NO_VALUE,
    Block,
    Defaults,
    Direction,
    Grouping,
    MetricName,
    MetricSpec,
    MetricUse,
    NoValue,
    Part,
    Scale,
    in_words,
    worded,
)

__all__ = [
    "CATALOGUE",
    "WHY_NO_VALUE",
    "Block",
    "Defaults",
    "Direction",
    "Grouping",
    "MetricName",
    "MetricSpec",
    "MetricUse",
    "NoValue",
    "Part",
    "Scale",
    "in_words",
    "worded",
]

CATALOGUE: dict[MetricName, MetricSpec] = {spec.name: spec for spec in (*OUTCOMES, *GUARDRAILS, *FURTHER)}
"""Every metric a plan may name."""
