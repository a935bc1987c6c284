"""Combines per-partner readings into a cohort's value: ratios of sums, and no value with a reason rather than zero."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from enum import StrEnum

from models.evidence import GroupValue, PartnerReading
from models.metric import MetricName

MINIMUM_COVERAGE = 0.8
"""Share of the applicable compliance weight that must be assessed for a score to mean anything."""


class NoValue(StrEnum):
    """Why a metric of a group cannot be given."""

    NO_DATA = "no_data"
    NOT_A_NUMBER = "not_a_number"
    MISSING_FX_RATE = "missing_fx_rate"
    OVER_CREDITED = "over_credited"
    NO_POSITIVE_REVENUE = "no_positive_revenue"
    NO_COST_DATA = "no_cost_data"
    NO_CLOSED_DEALS = "no_closed_deals"
    LOW_COVERAGE = "low_coverage"
    UNBUDGETED_SPEND = "unbudgeted_spend"
    PERIOD_TOO_YOUNG = "period_too_young"
    NOTHING_DUE = "nothing_due"
    NOTHING_DECIDED = "nothing_decided"


# These describe the whole group asked for and come alike in every row: adding them up would be wrong.
_OF_THE_GROUP = frozenset(
    {
        "accruals_open",
        "contact_hours_median",
        "contact_hours_p90",
        "cycle_median_days",
        "cycle_p75_days",
        "immature",
        "window_days",
    }
)


class _Sums:
    """What the readings of a group add up to."""

    def __init__(self, readings: Sequence[PartnerReading]) -> None:
        self.readings = readings
        self.parts: dict[str, float] = {}
        for reading in readings:
            for name, part in reading.parts.items():
                before = self.parts.get(name)
                if before is None:
                    self.parts[name] = float(part)
                else:
                    self.parts[name] = max(before, part) if name in _OF_THE_GROUP else before + part
        self.numerator = sum(reading.numerator or 0.0 for reading in readings)
        self.denominator = sum(reading.denominator or 0.0 for reading in readings)
        self.facts = sum(reading.facts for reading in readings)
        self.partners = sum(reading.facts > 0 for reading in readings)

    def __getitem__(self, part: str) -> float:
        return self.parts.get(part, 0.0)

    def value(self, value: float, numerator: float, denominator: float | None, **more: float) -> GroupValue:
        numbers = (value, numerator, denominator or 0.0, *more.values(), *self.parts.values())
        if not all(map(math.isfinite, numbers)):
            return self.nothing(NoValue.NOT_A_NUMBER)
        return GroupValue(
            value=value,
            numerator=numerator,
            denominator=denominator,
            n_partners=self.partners,
            n_facts=self.facts,
            parts={**self.parts, **more},
        )

    def nothing(self, reason: NoValue) -> GroupValue:
        return GroupValue(
            value=None,
            reason=reason.value,
            n_partners=self.partners,
            n_facts=self.facts,
            parts={name: part for name, part in self.parts.items() if math.isfinite(part)},
        )


def group_value(metric: MetricName, readings: Sequence[PartnerReading]) -> GroupValue:
    """The metric over all partners of `readings`, in the unit of its catalogue entry.

    Ratios are sums over sums; velocity follows from the summed parts; compliance is the mean over partners with a
    score. `n_partners` counts the partners with facts behind the value (for compliance: with a score), `n_facts`
    those facts. Where the value is None the parts still hold the amounts, and `reason` one of `NoValue`.
    """
    sums = _Sums(readings)
    if not readings:
        return sums.nothing(NoValue.NO_DATA)
    if not all(_finite(reading) for reading in readings):
        return sums.nothing(NoValue.NOT_A_NUMBER)
    return _FORMULA[metric](sums)


def _finite(reading: PartnerReading) -> bool:
    numbers = (reading.numerator or 0.0, reading.denominator or 0.0, *reading.parts.values())
    return all(map(math.isfinite, numbers))


def _percent(sums: _Sums, nothing: NoValue, **beside: float) -> GroupValue:
    if sums.denominator <= 0:
        return sums.nothing(nothing)
    return sums.value(100 * sums.numerator / sums.denominator, sums.numerator, sums.denominator, **beside)


def _share(part: float, whole: float) -> float:
    return 100 * part / whole if whole > 0 else 0.0


def _contribution_margin(sums: _Sums) -> GroupValue:
    """Beside it: cm1 less product cost only, cm2 less what partners are paid as well, and the mean of the partners' own
    margins, which does not move when revenue shifts from one partner to another and nobody's margin changes."""
    if sums["missing_fx"]:
        return sums.nothing(NoValue.MISSING_FX_RATE)
    if sums["over_credited"]:
        return sums.nothing(NoValue.OVER_CREDITED)
    if sums.denominator > 0 and not sums["cost_lines"]:
        # Revenue without any cost is a missing feed, not a margin of 100 percent.
        return sums.nothing(NoValue.NO_COST_DATA)
    revenue, product = sums.denominator, sums["product_cost"]
    paid = sums["partner_payments"] + sums["mdf"]
    own = [
        100 * (one.numerator or 0.0) / one.denominator
        for one in sums.readings
        if one.denominator and one.denominator > 0
    ]
    return _percent(
        sums,
        NoValue.NO_POSITIVE_REVENUE,
        cm1=_share(revenue - product, revenue),
        cm2=_share(revenue - product - paid, revenue),
        mean_of_partners=sum(own) / len(own) if own else 0.0,
    )


def _pipeline_velocity(sums: _Sums) -> GroupValue:
    """opportunities x win rate x average won value / mean cycle, which is won x won value / sum of won cycles."""
    closed, won, lost = sums["opportunities"], sums["won"], sums["lost"]
    if not closed:
        return sums.nothing(NoValue.NO_CLOSED_DEALS)
    if sums["missing_fx"]:
        return sums.nothing(NoValue.MISSING_FX_RATE)
    win_rate = 100 * won / (won + lost)
    if not won:
        return sums.value(0.0, 0.0, None, win_rate=win_rate)
    cycle = sums["cycle_days"] / won
    return sums.value(
        sums["won_value"] / cycle,
        sums["won_value"],
        cycle,
        win_rate=win_rate,
        average_won_value=sums["won_value"] / won,
        mean_cycle_days=cycle,
    )


def _compliance_score(sums: _Sums) -> GroupValue:
    scored = [reading for reading in sums.readings if reading.numerator is not None]
    sums.partners = len(scored)
    if not sums["weight_applicable"]:
        return sums.nothing(NoValue.NO_DATA)
    coverage = sums["weight_assessed"] / sums["weight_applicable"]
    sums.parts["coverage"] = 100 * coverage
    sums.parts["partners_without_score"] = float(len(sums.readings) - len(scored))
    if not scored or coverage < MINIMUM_COVERAGE:
        return sums.nothing(NoValue.LOW_COVERAGE)
    return sums.value(sums.numerator / len(scored), sums.numerator, float(len(scored)))


def _mdf_spend(sums: _Sums) -> GroupValue:
    """Beside it: utilisation, paid and approved over all that is allocated, and the spend rate, paid in the window over
    what was planned for it."""
    if sums["unbudgeted"] > 0:
        return sums.nothing(NoValue.UNBUDGETED_SPEND)
    if sums["missing_fx"]:
        return sums.nothing(NoValue.MISSING_FX_RATE)
    if sums.denominator <= 0:
        if sums.numerator > 0:
            return sums.nothing(NoValue.UNBUDGETED_SPEND)
        return sums.nothing(NoValue.PERIOD_TOO_YOUNG if sums["young_allocations"] else NoValue.NO_DATA)
    return _percent(
        sums,
        NoValue.NO_DATA,
        utilisation=_share(sums["paid"] + sums["approved_unpaid"], sums["allocation"]),
        spend_rate=_share(sums["paid_in_window"], sums["planned_in_window"]),
    )


def _enablement_completion(sums: _Sums) -> GroupValue:
    return _percent(sums, NoValue.NOTHING_DUE, on_time_rate=_share(sums["on_time"], sums.denominator))


def _lead_follow_up_sla(sums: _Sums) -> GroupValue:
    return _percent(sums, NoValue.NOTHING_DECIDED)


_FORMULA: dict[MetricName, Callable[[_Sums], GroupValue]] = {
    MetricName.CONTRIBUTION_MARGIN: _contribution_margin,
    MetricName.PIPELINE_VELOCITY: _pipeline_velocity,
    MetricName.COMPLIANCE_SCORE: _compliance_score,
    MetricName.MDF_SPEND: _mdf_spend,
    MetricName.ENABLEMENT_COMPLETION: _enablement_completion,
    MetricName.LEAD_FOLLOW_UP_SLA: _lead_follow_up_sla,
}
