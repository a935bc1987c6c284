"""Combines per-partner readings into a cohort's value: ratios of sums, and no value with a reason rather than zero."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from statistics import median

from models.evidence import GroupValue, PartnerReading
from models.metric import CATALOGUE, Grouping, MetricName, NoValue

__all__ = ["MINIMUM_COVERAGE", "NoValue", "group_value"]

MINIMUM_COVERAGE = 0.8
"""Share of what should be looked at that must be for a number to mean anything."""

_OF_THE_GROUP = {
    metric: frozenset(part.name for part in spec.parts if part.of_group) for metric, spec in CATALOGUE.items()
}


class _Sums:
    """What the readings of a group add up to, and what is worked out beside that."""

    def __init__(self, metric: MetricName, readings: Sequence[PartnerReading]) -> None:
        self.metric, self.readings = metric, readings
        self.parts = parts = dict[str, float]()
        of_group = _OF_THE_GROUP[metric]
        # The better part of what a small cohort's number costs in Python: a dozen parts of each partner, each look.
        for reading in readings:
            for name, part in reading.parts.items():
                if name not in parts:
                    parts[name] = float(part)
                elif name in of_group:
                    parts[name] = max(parts[name], part)
                else:
                    parts[name] += part
        self.numerator = sum(reading.numerator or 0.0 for reading in readings)
        self.denominator = sum(reading.denominator or 0.0 for reading in readings)
        self.rated = bool(readings) and CATALOGUE[metric].grouping is Grouping.RATIO_OF_SUMS
        self.facts = sum(reading.facts for reading in readings)
        self.partners = sum(reading.facts > 0 for reading in readings)

    def all_finite(self) -> bool:
        """Whether every number of every reading is one. A sum is finite only if all it adds up are; where it is not, or
        is the largest of its parts, each is asked."""
        sums = (self.numerator, self.denominator, *self.parts.values())
        if _OF_THE_GROUP[self.metric].isdisjoint(self.parts) and all(map(math.isfinite, sums)):
            return True
        return all(map(_finite, self.readings))

    def __getitem__(self, part: str) -> float:
        return self.parts.get(part, 0.0)

    def beside(self, **parts: float | None) -> None:
        """What is worked out from the sums; without a denominator there is no such part either."""
        self.parts.update({name: part for name, part in parts.items() if part is not None})

    def value(self, value: float, numerator: float, denominator: float | None) -> GroupValue:
        numbers = (value, numerator, denominator or 0.0, *self.parts.values())
        if not all(map(math.isfinite, numbers)):
            return self.nothing(NoValue.NOT_A_NUMBER)
        return GroupValue(
            value=value,
            numerator=numerator,
            denominator=denominator,
            n_partners=self.partners,
            n_facts=self.facts,
            parts=self.parts,
        )

    def nothing(self, reason: NoValue) -> GroupValue:
        """No value, and all that is known beside it. Of what is not rated the sums of both sides mean nothing."""
        sides = (self.numerator, self.denominator) if self.rated else (None, None)
        numerator, denominator = (side if side is not None and math.isfinite(side) else None for side in sides)
        return GroupValue(
            value=None,
            reason=reason.value,
            numerator=numerator,
            denominator=denominator,
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
    sums = _Sums(metric, readings)
    if not readings:
        return sums.nothing(NoValue.NO_DATA)
    if not sums.all_finite():
        return sums.nothing(NoValue.NOT_A_NUMBER)
    return _FORMULA[metric](sums)


def _finite(reading: PartnerReading) -> bool:
    numbers = (reading.numerator or 0.0, reading.denominator or 0.0, *reading.parts.values())
    return all(map(math.isfinite, numbers))


def _percent(sums: _Sums, nothing: NoValue) -> GroupValue:
    if sums.denominator <= 0:
        return sums.nothing(nothing)
    return sums.value(100 * sums.numerator / sums.denominator, sums.numerator, sums.denominator)


def _share(part: float, whole: float) -> float | None:
    return 100 * part / whole if whole > 0 else None


def _contribution_margin(sums: _Sums) -> GroupValue:
    """Beside it: cm1 less product cost only, cm2 less what partners are paid as well, and mean and median of the
    partners' own margins, which do not move when revenue shifts between partners and nobody's margin changes."""
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
    sums.beside(
        cm1=_share(revenue - product, revenue),
        cm2=_share(revenue - product - paid, revenue),
        mean_of_partners=sum(own) / len(own) if own else None,
        median_of_partners=median(own) if own else None,
    )
    return _percent(sums, NoValue.NO_POSITIVE_REVENUE)


def _pipeline_velocity(sums: _Sums) -> GroupValue:
    """opportunities x win rate x average won value / mean cycle, which is won x won value / sum of won cycles."""
    closed, won, lost = sums["opportunities"], sums["won"], sums["lost"]
    if not closed:
        return sums.nothing(NoValue.NO_CLOSED_DEALS)
    sums.beside(win_rate=_share(won, won + lost))
    if sums["missing_fx"]:
        return sums.nothing(NoValue.MISSING_FX_RATE)
    if not won:
        return sums.value(0.0, 0.0, None)
    cycle = sums["cycle_days"] / won
    sums.beside(average_won_value=sums["won_value"] / won, mean_cycle_days=cycle)
    velocity = sums["won_value"] / cycle if cycle > 0 else math.inf
    return sums.value(velocity, sums["won_value"], cycle)


def _compliance_score(sums: _Sums) -> GroupValue:
    scored = [reading for reading in sums.readings if reading.numerator is not None]
    sums.partners = len(scored)
    if not sums["weight_applicable"]:
        return sums.nothing(NoValue.NO_DATA)
    coverage = sums["weight_assessed"] / sums["weight_applicable"]
    sums.beside(coverage=100 * coverage, partners_without_score=float(len(sums.readings) - len(scored)))
    if not scored or coverage < MINIMUM_COVERAGE:
        return sums.nothing(NoValue.LOW_COVERAGE)
    return sums.value(sums.numerator / len(scored), sums.numerator, float(len(scored)))


def _mdf_spend(sums: _Sums) -> GroupValue:
    """Beside it: the third balance, what is still available; utilisation, paid and approved over all that is allocated;
    and the spend rate, paid in the window over what was planned for it."""
    if not sums["missing_fx"]:
        owed = sums["approved_unpaid"]
        sums.beside(
            available=sums["allocation"] - sums["paid"] - owed - sums["reserved"],
            utilisation=_share(sums["paid"] + owed, sums["allocation"]),
            spend_rate=_share(sums["paid_in_window"], sums["planned_in_window"]),
        )
    if sums["unbudgeted"] > 0:
        return sums.nothing(NoValue.UNBUDGETED_SPEND)
    if sums["missing_fx"]:
        return sums.nothing(NoValue.MISSING_FX_RATE)
    if sums.denominator <= 0:
        if sums.numerator > 0:
            return sums.nothing(NoValue.UNBUDGETED_SPEND)
        return sums.nothing(NoValue.PERIOD_TOO_YOUNG if sums["young_allocations"] else NoValue.NO_DATA)
    return _percent(sums, NoValue.NO_DATA)


def _enablement_completion(sums: _Sums) -> GroupValue:
    sums.beside(
        late=sums["completed"] - sums["on_time"],
        on_time_rate=_share(sums["on_time"], sums.denominator),
    )
    return _percent(sums, NoValue.NOTHING_DUE)


def _lead_follow_up_sla(sums: _Sums) -> GroupValue:
    return _percent(sums, NoValue.NOTHING_DECIDED)


def _lead_acceptance(sums: _Sums) -> GroupValue:
    return _percent(sums, NoValue.NOTHING_DECIDED)


def _partner_churn(sums: _Sums) -> GroupValue:
    return _percent(sums, NoValue.NOBODY_AT_START)


def _discount_leakage(sums: _Sums) -> GroupValue:
    """Beside it: how many of the lines can be looked at, and how many of those are below list."""
    lines, unknown = sums["lines"], sums["lines_without_list"]
    sums.beside(listed=_share(lines, lines + unknown), discounted=_share(sums["discounted_lines"], lines))
    if sums["missing_fx"]:
        return sums.nothing(NoValue.MISSING_FX_RATE)
    if sums["over_credited"]:
        return sums.nothing(NoValue.OVER_CREDITED)
    if unknown and lines < MINIMUM_COVERAGE * (lines + unknown):
        return sums.nothing(NoValue.LOW_COVERAGE)
    return _percent(sums, NoValue.NO_LIST_VALUE)


def _certified_partners(sums: _Sums) -> GroupValue:
    """Where no course is known of anybody, nobody knows who is certified."""
    return _percent(sums, NoValue.NO_DATA) if sums.facts else sums.nothing(NoValue.NO_DATA)


_FORMULA: dict[MetricName, Callable[[_Sums], GroupValue]] = {
    MetricName.CONTRIBUTION_MARGIN: _contribution_margin,
    MetricName.PIPELINE_VELOCITY: _pipeline_velocity,
    MetricName.COMPLIANCE_SCORE: _compliance_score,
    MetricName.MDF_SPEND: _mdf_spend,
    MetricName.ENABLEMENT_COMPLETION: _enablement_completion,
    MetricName.LEAD_FOLLOW_UP_SLA: _lead_follow_up_sla,
    MetricName.PARTNER_CHURN: _partner_churn,
    MetricName.DISCOUNT_LEAKAGE: _discount_leakage,
    MetricName.CERTIFIED_PARTNERS: _certified_partners,
    MetricName.LEAD_ACCEPTANCE: _lead_acceptance,
}
