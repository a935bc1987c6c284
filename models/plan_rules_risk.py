"""Rules across what a plan says of its risks: what shows them must be there to be seen."""

from __future__ import annotations

from typing import TYPE_CHECKING

from models.plan_rule import Broken, BrokenRule, Rule

if TYPE_CHECKING:
    from models.plan import RolloutPlan


def _risks_show_in_metrics(plan: RolloutPlan) -> Broken:
    """A risk that is to be shown by a metric that the plan does not measure."""
    measured = [one.metric for one in plan.metrics]
    for index, risk in enumerate(plan.risks):
        for place, metric in enumerate(risk.shown_by.metrics if risk.shown_by else ()):
            if metric not in measured:
                told = f"{metric.value} is not among the plan's metrics, so it shows nothing"
                more = f"they are {', '.join(measured)}"
                yield BrokenRule(field=f"risks.{index}.shown_by.metrics.{place}", message=f"{told}; {more}")


RISK_RULES: tuple[Rule, ...] = (_risks_show_in_metrics,)
"""What a plan may say of its risks, and what it is refused for."""
