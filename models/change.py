"""What came of judging a change: estimate, interval, the boundary it had to cross, and what it rests on."""

from __future__ import annotations

from datetime import date
from enum import StrEnum
from typing import ClassVar

from models.base import Frozen, Grown, Instant


class Boundary(StrEnum):
    """What keeps many looks from becoming many chances."""

    PLANNED = "group sequential, over the planned looks"
    OPEN_ENDED = "normal mixture, for as long as it takes"


class Gate(StrEnum):
    """What data must fulfil before anything is reckoned from them."""

    BASELINE = "baseline"
    MATURE = "mature days"
    PARTNERS = "partners"
    VOLUME = "volume"
    EVENTS = "events of each kind"
    COMPLETE = "completeness"
    ALIKE = "completeness alike in both arms"
    DRIFT = "cohort drift"
    DOMINANCE = "one partner dominates"
    OUTLIERS = "outliers"
    QUALITY = "data quality"
    CONTROL = "somebody to compare with"


class GateFinding(Frozen):
    """A gate that is not open. `blocks`: nothing can be said; otherwise only *met* is out of reach."""

    gate: Gate
    blocks: bool
    told: str


class MaterialChange(Grown):
    """How much more a cohort changed since its baseline than comparable partners did, and what that proves.

    `estimate`, `interval` and `margin` are in `unit`: the metric's own (points for percentages), or percent where the
    metric is judged by its relative change. Positive is up, whatever is better. `error` is the estimate's own, by which
    *met* is judged, and `freedom` its degrees of freedom; `pause_error` and `pause_freedom` those by which a pause is
    judged, where the method has others for it. `critical` is what estimate over the error of a pause had to be beyond.
    `detectable` is the smallest change for the worse that would probably have been seen by now, `tells_on` the day on
    which the agreed margin probably could be. `advisory`: too few partners for a verdict that acts. `since` is where
    the stretch begins that decided.
    """

    later: ClassVar[frozenset[str]] = frozenset({"pause_error", "pause_freedom"})

    method: int
    sentence: str
    unit: str
    margin: float | None = None
    estimate: float | None = None
    interval: tuple[float | None, float | None] = (None, None)
    error: float | None = None
    freedom: float | None = None
    pause_error: float | None = None
    pause_freedom: float | None = None
    critical: float | None = None
    boundary: Boundary | None = None
    since: Instant | None = None
    matured_through: Instant | None = None
    partners: int = 0
    compared: int = 0
    facts: int = 0
    top_partner: str | None = None
    top_share: float | None = None
    detectable: float | None = None
    tells_on: date | None = None
    advisory: bool = False
    uncontrolled: bool = False
    gates: tuple[GateFinding, ...] = ()
