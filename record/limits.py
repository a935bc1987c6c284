"""What was agreed of a metric, as people write it."""

from __future__ import annotations

from collections.abc import Sequence

from drawing.charts import Limit, limits_of
from models.plan_metric import Threshold
from record.words import Words


def limit_words(words: Words, limit: str) -> str:
    """What was agreed: `>= -5pp` is against the baseline; what is agreed of a change says so itself."""
    told = spelled(limit)
    if limit[:1] in "<>" and limit.endswith(("pp", "%")):
        return words("%(limit)s against the baseline", limit=told)
    return told


def spelled(limit: str) -> str:
    """A threshold with the signs that people write."""
    return limit.replace(">=", "≥").replace("<=", "≤").replace("-", "\N{MINUS SIGN}")


def levels(words: Words, thresholds: Sequence[Threshold], baseline: float | None) -> tuple[Limit, ...]:
    """Thresholds as levels of the metric itself, in the reader's language."""
    return limits_of(thresholds, baseline, lambda one: words("Threshold %(limit)s", limit=spelled(str(one))))
