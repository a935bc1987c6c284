"""Leaves a baseline without a value whose data nobody can trust, and says why: nothing is compared with it."""

from __future__ import annotations

from datetime import datetime

from judgement.quality import findings, told
from models.evidence import CohortReading
from models.plan import RolloutPlan
from models.quality import Severity


def trusted(plan: RolloutPlan, reading: CohortReading, as_of: datetime) -> CohortReading:
    """The reading, without its value where a check of its data is red."""
    metric = plan.metric(reading.metric)
    if metric is None or reading.group.value is None:
        return reading
    red = [one for one in findings(reading, metric, None, as_of) if one.severity is Severity.RED]
    if not red:
        return reading
    why = "; ".join(f"data not to be trusted: {told(one)}" for one in red)
    group = reading.group.model_copy(update={"value": None, "reason": why})
    return reading.model_copy(update={"group": group})
