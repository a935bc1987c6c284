"""What becomes of a stop that nobody called and that rests on data in doubt: a pause, and people decide on the stop.

A stop withdraws partners and cannot be taken back; a pause halts as well, and whoever may stop can do so from there.
"""

from __future__ import annotations

from collections.abc import Sequence

from models.evidence import MetricAssessment, StopTrigger, Verdict
from models.metric import MetricUse
from models.plan_metric import OnBreach
from models.quality import DOUBT

LEFT_TO_PEOPLE = f"on {DOUBT} this pauses, and a stop is left to people"


def pausing(item: MetricAssessment, fulfilled: Sequence[StopTrigger]) -> MetricAssessment:
    """What was judged on data in doubt, made to pause where it would stop; as it is where it would not.

    What fulfils a stop condition is *not met* and pauses as a guardrail does, also an outcome, which otherwise holds at
    its gate only, and whatever number of breaches is tolerated: the condition excuses none.

    Args:
        fulfilled: the stop conditions that its value fulfils.
    """
    if fulfilled:
        told = f"stop condition fulfilled: {'; '.join(one.condition for one in fulfilled)}"
    elif _stops(item):
        told = "agreed to stop when not met"
    else:
        return item
    return item.model_copy(
        update={
            "use": MetricUse.GUARDRAIL,
            "on_breach": OnBreach.PAUSE,
            "verdict": Verdict.NOT_MET,
            "looked": None,
            "reasons": (f"{told}; {LEFT_TO_PEOPLE}", *item.reasons),
        }
    )


def _stops(item: MetricAssessment) -> bool:
    guards = item.use is MetricUse.GUARDRAIL and item.verdict is Verdict.NOT_MET
    return guards and item.on_breach is OnBreach.STOP
