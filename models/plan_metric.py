"""How a plan says what a metric must show: thresholds, warning band, tolerance, sample, and what a breach does."""

from __future__ import annotations

import math
import re
from datetime import timedelta
from decimal import Decimal
from enum import StrEnum
from typing import Annotated, Any, ClassVar, Self

from pydantic import BeforeValidator, ConfigDict, Field, PlainSerializer, WithJsonSchema, model_validator

from models.base import Duration, Frozen, Grown, format_duration
from models.metric import CATALOGUE, MetricName, MetricUse
from models.plan_change import ChangeRule
from models.quality import QualityBound


class OnBreach(StrEnum):
    PAUSE = "pause"
    STOP = "stop"
    WARN = "warn"


class Basis(StrEnum):
    """What a threshold's number is compared with."""

    ABSOLUTE = "absolute"
    RELATIVE = "relative to baseline"
    DIFFERENCE = "difference to baseline"


class Threshold(Frozen):
    """One agreed limit. `at_least` False means `at most`; `inclusive` whether the limit itself is still good.

    ABSOLUTE compares the value; RELATIVE the change in percent of the frozen baseline; DIFFERENCE the change in
    the metric's own unit (percentage points for a percentage).
    """

    at_least: bool
    inclusive: bool = True
    number: float
    basis: Basis = Basis.ABSOLUTE

    def __str__(self) -> str:
        sign = (">" if self.at_least else "<") + ("=" if self.inclusive else "")
        if self.basis is Basis.ABSOLUTE:
            return f"{sign} {_spelled(self.number)}"
        unit = "%" if self.basis is Basis.RELATIVE else "pp"
        return f"{sign} {_spelled(self.number, '+')}{unit}"

    def satisfied(self, value: float, baseline: float | None) -> bool | None:
        """True or False; None where it cannot be told (no baseline, baseline zero, value not finite).

        RELATIVE is `100 * (value - baseline) / |baseline|`.
        """
        compared = self._compared(value, baseline)
        if compared is None or not math.isfinite(compared):
            return None
        if compared == self.number:
            return self.inclusive
        return compared > self.number if self.at_least else compared < self.number

    def distance(self, value: float, baseline: float | None) -> float | None:
        """How far on the good side a value lies, negative beyond, in what the number is in: the metric's unit, percent
        of the baseline, or points against it. None where it cannot be told."""
        compared = self._compared(value, baseline)
        if compared is None or not math.isfinite(compared):
            return None
        return compared - self.number if self.at_least else self.number - compared

    def _compared(self, value: float, baseline: float | None) -> float | None:
        if self.basis is Basis.ABSOLUTE:
            return value
        if baseline is None:
            return None
        if self.basis is Basis.DIFFERENCE:
            return value - baseline
        return None if baseline == 0 else 100 * (value - baseline) / abs(baseline)


def _spelled(number: float, sign: str = "") -> str:
    """Every digit and no exponent: what is written down must be read back as the same limit."""
    return format(Decimal(repr(number)).normalize(), f"{sign}f")


_THRESHOLD = re.compile(r"(>=|<=|>|<)\s*([+-]?)([0-9]+(?:\.[0-9]+)?)\s*(%|pp)?")
LIMITS = ">= 18 (absolute), >= -5% (change against the baseline) or >= -2pp (points against the baseline)"


def parse_threshold(value: Any) -> Any:
    """Read `>= 18`, `<= 110`, `>= -5%` or `>= -2pp`; a change against the baseline needs its sign.

    Raises:
        ValueError: a string that is not of that form.
    """
    if not isinstance(value, str):
        return value
    found = _THRESHOLD.fullmatch(value.strip())
    if found is None or not math.isfinite(float(found[3])):
        raise ValueError(f"{value[:40]!r} is not a threshold; write for example {LIMITS}")
    comparison, sign, number, unit = found.groups()
    if unit and not sign:
        raise ValueError(f"{value!r} needs a sign: a change against the baseline is written like >= -5% or <= +10%")
    return Threshold(
        at_least=comparison.startswith(">"),
        inclusive=comparison.endswith("="),
        number=float(sign + number),
        basis={"%": Basis.RELATIVE, "pp": Basis.DIFFERENCE}.get(unit, Basis.ABSOLUTE),
    )


Limit = Annotated[
    Threshold,
    BeforeValidator(parse_threshold),
    PlainSerializer(str, return_type=str, when_used="json"),
    WithJsonSchema(
        {
            "type": "string",
            "pattern": r"^\s*(>=|<=|>|<)\s*([+-]?[0-9]+(\.[0-9]+)?|[+-][0-9]+(\.[0-9]+)?\s*(%|pp))\s*$",
            "description": f"A limit: {LIMITS}.",
        }
    ),
]
"""A threshold, written the way people agree it."""


class Tolerance(Grown):
    """How many breaches are tolerated before the verdict is *not met*, which is strictly more. Readings that say
    nothing count for neither side, and readings less than half a cadence apart are one."""

    later: ClassVar[frozenset[str]] = frozenset({"met_in_a_row", "cannot_tell", "no_evidence_in_a_row"})

    in_a_row: int = Field(default=0, ge=0, description="breaches in a row that are tolerated")
    in_all: int | None = Field(default=None, ge=0, description="breaches in the phase or wave that are tolerated")
    met_in_a_row: int = Field(
        default=1, ge=1, description="looks in a row that must be *met* before *met* is said; anything else begins anew"
    )
    cannot_tell: int | None = Field(
        default=None,
        ge=0,
        description="guardrails only: looks of the phase or wave that are *cannot tell* and tolerated; with more of "
        "them it is blind, which is *not met*",
    )
    no_evidence_in_a_row: int | None = Field(
        default=None,
        ge=0,
        description="guardrails only: looks in a row that are *no evidence* and tolerated; with more of them it is "
        "blind, which is *not met*",
    )

    @property
    def watches_for_blindness(self) -> bool:
        """Whether it is agreed for how long nothing may be said."""
        return self.cannot_tell is not None or self.no_evidence_in_a_row is not None


class MinimumSample(Frozen):
    """Below this a metric is *cannot tell*; a guardrail beyond its threshold is *not met* all the same, and a lead
    follow-up SLA once leads that are still open cannot change that."""

    partners: int = Field(default=1, ge=1, description="partners with facts behind the value")
    facts: int = Field(
        default=1,
        ge=1,
        description="facts behind it, as each metric counts them: revenue lines, closed deals, decided leads",
    )


WARNED_AHEAD = timedelta(hours=4)
"""Half a working day: enough to reach somebody."""


class MetricPlan(Grown):
    """What one metric must show in this rollout."""

    model_config = ConfigDict(
        json_schema_extra={
            "anyOf": [
                {"required": ["thresholds"], "properties": {"thresholds": {"minItems": 1}}},
                {"required": ["change"]},
            ]
        }
    )
    later: ClassVar[frozenset[str]] = frozenset({"data_quality", "change", "warn_ahead"})

    metric: MetricName = Field(
        description="one of the catalogue; each of the framework's six is here or in `not_measured`"
    )
    use: MetricUse | None = Field(
        default=None,
        description="`outcome` lets the rollout go on, `guardrail` pauses it; left out: as in the framework",
    )
    window: Duration = Field(description="trailing window each reading covers")
    thresholds: tuple[Limit, ...] = Field(
        default=(), description="all of them must hold; may be left out where `change` is agreed"
    )
    change: ChangeRule | None = Field(
        default=None, description="judge the change against comparable partners, beside any thresholds"
    )
    warning: tuple[Limit, ...] = Field(default=(), description="beyond one of these: a warning, nothing more")
    warn_ahead: Duration = Field(
        default=WARNED_AHEAD,
        description="lead follow-up SLA and lead acceptance only: the owner is told when leads that are due within so "
        "many business hours, by each partner's calendar, would take it beyond a threshold; `1h` to `40h`",
        json_schema_extra={"default": format_duration(WARNED_AHEAD)},
    )
    tolerance: Tolerance = Field(default=Tolerance(), description="breaches that are tolerated")
    minimum_sample: MinimumSample = Field(default=MinimumSample(), description="what a reading must rest on")
    on_breach: OnBreach = Field(
        default=OnBreach.PAUSE,
        description="what a guardrail does when it is *not met*: `pause`, `stop`, or only `warn`; an outcome holds",
    )
    freshness: Duration = Field(description="oldest data that still count; older are *no evidence*")
    must: bool = Field(default=True, description="outcomes only: must be met, or else counts by `weight`")
    weight: float = Field(default=1.0, gt=0, description="what an outcome with `must: false` counts")
    data_quality: tuple[QualityBound, ...] = Field(
        default=(), description="bounds of the checks of its data, where the usual ones do not fit"
    )

    @model_validator(mode="after")
    def _something_agreed(self) -> Self:
        if not self.thresholds and self.change is None:
            raise ValueError("agree on at least one of thresholds and change")
        return self

    @property
    def purpose(self) -> MetricUse:
        """Outcome or guardrail, the catalogue's where the plan is silent."""
        return self.use or CATALOGUE[self.metric].use

    @property
    def can_warn_ahead(self) -> bool:
        """Whether there is a breach that can be seen coming: of leads alone it is known when each one is decided."""
        by_deadline = CATALOGUE[self.metric].met_by is not None
        return by_deadline and self.purpose is MetricUse.GUARDRAIL and bool(self.thresholds)

    @property
    def agreed(self) -> tuple[str, ...]:
        """Everything that must hold, as people are shown it."""
        by_change = (self.change.agreed,) if self.change else ()
        return (*map(str, self.thresholds), *by_change)

    @property
    def needs_baseline(self) -> bool:
        """Whether anything is judged against the baseline."""
        return self.change is not None or any(
            limit.basis is not Basis.ABSOLUTE for limit in (*self.thresholds, *self.warning)
        )
