"""Judges whether a metric changed materially in a cohort: proven worse, proven not worse, or not to be told."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple

from models.change import GateFinding, MaterialChange
from models.evidence import PartnerReading, Verdict
from models.metric import MetricName
from models.plan_change import ChangeRule


class Sides(NamedTuple):
    """Rows of the cohort, one for each partner with facts, and of the partners that it is compared with."""

    cohort: Sequence[PartnerReading]
    compared: Sequence[PartnerReading]


class Stretch(NamedTuple):
    """What was measured of the matured days since a moment."""

    since: datetime
    rows: Sides


class Asked(NamedTuple):
    """What is to be judged.

    Attributes:
        before: the frozen baseline's rows.
        stretches: the first since the cohort was enrolled; a further one since each later enlargement of the rollout.
        ends: when the looks are planned to end; None where there is no planned end.
        share: of the plan's pause risk that this metric of this cohort may spend.
        gates: what the data gates found; one that blocks leaves nothing to reckon.
    """

    metric: MetricName
    rule: ChangeRule
    before: Sides
    stretches: Sequence[Stretch]
    matured_through: datetime
    ends: datetime | None
    share: float = 1.0
    gates: tuple[GateFinding, ...] = ()


def judge_change(asked: Asked) -> tuple[Verdict, MaterialChange]:
    """The verdict and all that it rests on. Nothing to reckon with is *no evidence*, never a pass."""
    raise NotImplementedError
