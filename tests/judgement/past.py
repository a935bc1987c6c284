"""Pasts to make rollouts of: panels of numbers that a test can work out by hand, and seeded ones that vary."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from judgement.panel import Panel
from judgement.resample import Course
from models.metric import MetricName
from tests.judgement.readings import MARGIN, SCORE, SLA, VELOCITY

__all__ = ["MARGIN", "SCORE", "SLA", "VELOCITY", "course", "leads", "steady"]


def leads(
    rng: np.random.Generator, partners: int, weeks: int = 26, *, daily: float = 0.6, weekly: float = 0.04
) -> Panel:
    """Leads of partners who are in time at 90 %, each a little off, and off by something else every week."""
    own = 0.9 + rng.normal(0, 0.03, (1, partners))
    rate = np.clip(own + np.repeat(rng.normal(0, weekly, (weeks, partners)), 7, axis=0), 0, 1)
    asked = rng.poisson(daily, (7 * weeks, partners))
    sums = np.stack((rng.binomial(asked, rate), asked), axis=-1).astype(float)
    return Panel(SLA, sums, asked.astype(float))


def steady(metric: MetricName, numerators: Sequence[float], denominator: float = 1.0, partners: int = 10) -> Panel:
    """Blocks in which all partners are alike."""
    sums = np.array([[[one, denominator]] * partners for one in numerators], dtype=float)
    return Panel(metric, sums, np.full(sums.shape[:2], denominator))


def course(**changes: Any) -> Course:
    """Four weeks of baseline, then six weeks with a look a day and the gate at the end of them."""
    fields: dict[str, Any] = {"before": 28, "frozen": 28, "length": 42, "gate": 42}
    return Course(**{**fields, **changes})
