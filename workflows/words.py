"""Sentences about evidence, as they stand in the log, in notices and in the status."""

from __future__ import annotations

from models.evidence import Assessment, MetricAssessment, Verdict
from workflows.judge import title

SHOWN = 5
"""Partners and leads named in a sentence; the evidence holds all of them."""


def describe(item: MetricAssessment) -> str:
    """One sentence on one metric of one cohort, naming those who drive it."""
    reasons = "; ".join(item.reasons)
    drivers = f" (partners {some(item.partners)}" if item.partners else ""
    leads = f", leads {some(item.leads)}" if item.leads and drivers else ""
    return f"{title(item.metric)} of {item.cohort}: {reasons}{drivers}{leads}{')' if drivers else ''}"


def tally(assessment: Assessment) -> str:
    """How many verdicts of each kind."""
    counts = {verdict: sum(item.verdict is verdict for item in assessment.items) for verdict in Verdict}
    return ", ".join(f"{count} {verdict.value}" for verdict, count in counts.items() if count) or "nothing judged"


def verdicts(assessment: Assessment) -> dict[str, str]:
    return {f"{item.cohort}/{item.metric.value}": item.verdict.value for item in assessment.items}


def some(names: tuple[str, ...]) -> str:
    more = len(names) - SHOWN
    return ", ".join(names[:SHOWN]) + (f" and {more} more" if more > 0 else "") if names else "none named"
