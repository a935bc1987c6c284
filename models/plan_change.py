"""How a plan asks that a metric be judged by its change against comparable partners: margin, risks, maturity."""

from __future__ import annotations

import math
import re
from datetime import timedelta
from typing import Annotated, Any, Literal, TypeAlias

from pydantic import BeforeValidator, Field, PlainSerializer, WithJsonSchema

from models.base import Duration, Frozen

MethodNumber: TypeAlias = Literal[1, 2]

METHOD: MethodNumber = 2
"""The method of new plans. A plan keeps the one that it was signed off with: the number is part of its digest."""


class Margin(Frozen):
    """How much worse is material: in the metric's own unit, or in percent of the cohort's own baseline."""

    number: float = Field(gt=0)
    relative: bool = False

    def __str__(self) -> str:
        return f"{self.number:.15g}{'%' if self.relative else 'pp'}"


_MARGIN = re.compile(r"([0-9]+(?:\.[0-9]+)?)\s*(%|pp)")
MARGINS = "5pp (points, the metric's own unit) or 10% (of the cohort's own baseline)"


def parse_margin(value: Any) -> Any:
    """Read `5pp` or `10%`.

    Raises:
        ValueError: a string that is not of that form, or a margin of nothing.
    """
    if not isinstance(value, str):
        return value
    found = _MARGIN.fullmatch(value.strip())
    if found is None or not 0 < float(found[1]) < math.inf:
        raise ValueError(f"{value[:40]!r} is not a margin; write for example {MARGINS}")
    return Margin(number=float(found[1]), relative=found[2] == "%")


MarginText = Annotated[
    Margin,
    BeforeValidator(parse_margin),
    PlainSerializer(str, return_type=str, when_used="json"),
    WithJsonSchema(
        {
            "type": "string",
            "pattern": r"^\s*(?=.*[1-9])[0-9]+(\.[0-9]+)?\s*(%|pp)\s*$",
            "description": f"A margin: {MARGINS}.",
        }
    ),
]
"""A margin, written the way people agree it."""


class ChangeRule(Frozen):
    """The metric is judged by how much more the cohort changed since its baseline than comparable partners did.

    *not met*: proven worse, and by as much as the margin; *met*: proven not worse by the margin; else *cannot tell*.
    """

    margin: MarginText = Field(description="how much worse is material: `5pp`, or `10%` of the baseline")
    maturity: Duration = Field(
        default=timedelta(days=5),
        description="how long until a day's facts are complete; only such days are judged",
        json_schema_extra={"default": "5d"},
    )
    pause_risk: float = Field(
        default=0.05,
        gt=0,
        le=0.2,
        description="chance that a rollout that changes nothing is found worse, over all looks; guardrails share it",
    )
    pass_risk: float = Field(
        default=0.05, gt=0, le=0.2, description="chance that one worse by the margin is found *met*"
    )
    strict: bool = Field(
        default=False, description="*not met* only where worse by the margin is proven, not merely the best estimate"
    )
    method: MethodNumber = Field(
        default=METHOD,
        description="version of the method, written into the plan's digest; 1: of plans from before there was a second",
    )

    @property
    def agreed(self) -> str:
        """What must hold, in words."""
        return f"no more than {self.margin} worse than in comparable partners"
