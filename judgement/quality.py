"""Says how far a reading can be trusted: each check's finding, green, amber or red, with what was found and allowed."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Sequence
from datetime import date, datetime
from statistics import median
from types import MappingProxyType

from judgement.volumes import age
from models.base import many
from models.evidence import CohortReading, PartnerReading
from models.metric import CATALOGUE, Block, Direction, MetricName, MetricUse, Scale
from models.plan_metric import MetricPlan
from models.quality import (
    DEFAULTS,
    POINTS,
    SIGNED_WITHOUT,
    UNITS,
    WEEK_BY_WEEK,
    Bounds,
    Check,
    Finding,
    OddMonth,
    Severity,
    SourceVolume,
)

ABSENT = frozenset({Check.FRESHNESS, Check.COMPLETENESS, Check.COSTS, Check.COHORT, Check.COMPARED})
"""Checks whose red means that facts are not there: *no evidence*. Of the others the facts are there and contradict
themselves: *cannot tell*."""

POSSIBLE = MappingProxyType(
    {
        # Without any cost; losses have no end.
        MetricName.CONTRIBUTION_MARGIN: (-math.inf, 100.0),
        MetricName.PIPELINE_VELOCITY: (0.0, math.inf),
        MetricName.MDF_SPEND: (0.0, math.inf),
    }
)
"""From where to where a value can lie at all, of metrics that are no shares."""

SMALL_SOURCE = 20
"""Percent of a cohort's partners below which a source that fell silent warns only."""

AMOUNT_IMPROVED = Bounds(100, None)
"""Percent above the baseline at which an amount is too good; it swings more than a share does."""

MONTHS_ENOUGH = 3
"""Earlier months without which none is usual."""

TWINS_ENOUGH = 3
"""Fewer facts that stand twice may be chance."""

SILENT_ENOUGH, MANY_ENOUGH = 2, 3
"""One partner who falls silent is no drift, and two are no flight."""


def findings(reading: CohortReading, plan: MetricPlan, baseline: float | None, as_of: datetime) -> tuple[Finding, ...]:
    """What every check that the metric has found of a reading, in the order of the checks.

    Args:
        baseline: the frozen value in the terms of the reading, for what is too good to be true.
    """
    found: list[Finding] = []
    found += _fresh(reading, plan, as_of)
    found += _complete(reading, plan)
    found += _costs_there(reading, plan)
    found += _cohort_there(reading, plan)
    found += _compared_there(reading, plan)
    found += _possible(reading)
    found += _plausible(reading, plan)
    found += _near(reading, plan)
    found += _improved(reading, plan, baseline)
    found += _once(reading, plan)
    found += _in_time(reading, plan)
    found += _still_there(reading, plan)
    found += _settled(reading, plan)
    return tuple(one for one in found if _agreed(one, plan))


def _agreed(one: Finding, plan: MetricPlan) -> bool:
    """Whether the plan was signed with the check: of one that its metric did not have at first, where it says so."""
    if one.check not in SIGNED_WITHOUT.get(plan.metric, ()):
        return True
    return any(bound.check is one.check and bound.source in (None, *one.sources) for bound in plan.data_quality)


def worst(found: Iterable[Finding]) -> Severity:
    """The gravest of some findings; green where there are none."""
    severities = {one.severity for one in found}
    return next((one for one in (Severity.RED, Severity.AMBER) if one in severities), Severity.GREEN)


def told(one: Finding) -> str:
    """A finding in words, with what is allowed."""
    names = f" ({', '.join(one.partners)})" if one.partners else ""
    return f"{one.found}{names}: {one.allowed}"


def bounds_of(plan: MetricPlan, check: Check, source: str | None = None) -> Bounds:
    """What the plan says of a check, of this source before every source; the default where it is silent."""
    said = [one for one in plan.data_quality if one.check is check and one.source in (None, source)]
    said.sort(key=lambda one: one.source is None)
    if said:
        return Bounds(said[0].amber, said[0].red)
    if check is Check.IMPROVEMENT and CATALOGUE[plan.metric].scale is Scale.AMOUNT:
        return AMOUNT_IMPROVED
    return DEFAULTS[check]


def asked_of_cohorts(plans: Collection[MetricPlan]) -> dict[Check, frozenset[MetricName]]:
    """The metrics of which a plan has the cohort's own facts counted, and those of whom it is compared with: that takes
    a statement over the facts."""
    return {
        check: frozenset(one.metric for one in plans if any(bound.check is check for bound in one.data_quality))
        for check in (Check.COHORT, Check.COMPARED)
    }


def odd_months(months: Sequence[tuple[date, bool, str, float, float]]) -> tuple[OddMonth, ...]:
    """Of each month that lies in the window the margin of its ledger beside that of the months before.

    Args:
        months: month, whether the rows lie in the window, currency, revenue, product cost.
    """
    found = []
    for month, inside, currency, revenue, cost in sorted(months):
        if not inside or revenue <= 0 or cost == 0:
            continue
        before: dict[date, list[float]] = {}
        for one, _, of, sold, spent in months:
            if of == currency and one < month:
                sums = before.setdefault(one, [0.0, 0.0])
                sums[0], sums[1] = sums[0] + sold, sums[1] + spent
        usual = [_margin(sold, spent) for sold, spent in before.values() if sold > 0 and spent != 0]
        value = _margin(revenue, cost)
        if len(usual) >= MONTHS_ENOUGH and math.isfinite(value):
            found.append(OddMonth(month=month, currency=currency, value=value, usual=median(usual)))
    return tuple(found)


def twins(metric: MetricName, rows: Sequence[PartnerReading], counted: int) -> tuple[int, tuple[str, ...]]:
    """Facts that stand twice: those counted and, of MDF, invoices handed in again; and whose they are."""
    again = [(one.parts.get("duplicate_invoices", 0.0), one.partner_id) for one in rows]
    named = sorted((-count, partner) for count, partner in again if count > 0)
    return counted + int(sum(count for count, _ in again)), tuple(partner for _, partner in named[:5])


def _margin(revenue: float, cost: float) -> float:
    return 100 * (revenue - cost) / revenue


def _fresh(reading: CohortReading, plan: MetricPlan, as_of: datetime) -> Iterable[Finding]:
    """Source by source. With one source alone the reading's own age says the same, by the same bound, unless others of
    whom nobody is measured here keep it young."""
    sources = [one for one in reading.quality.sources if one.partners > 0]
    if len(sources) < (1 if reading.quality.elsewhere else 2):
        return
    everybody = sum(one.partners for one in sources)
    for one in sources:
        agreed = bounds_of(plan, Check.FRESHNESS, one.source)
        red = agreed.red if agreed.red is not None else plan.freshness.total_seconds() / 86400
        days = age(one.through, as_of).total_seconds() / 86400 if one.through else math.inf
        # At its bound data are still current, as for the reading as a whole.
        since = f"after {one.through}" if one.through else "at all"
        severity = Severity.RED if days > red else _graded(days, Bounds(agreed.amber, None))
        if severity is Severity.RED and 100 * one.partners < SMALL_SOURCE * everybody:
            severity = Severity.AMBER
        yield Finding(
            check=Check.FRESHNESS,
            severity=severity,
            found=f"source {one.source}, of {one.partners} of {many(everybody, 'partner')}, tells nothing {since}",
            allowed=f"{many(red, 'day is', 'days are')} allowed",
            sources=(one.source,),
        )


def _complete(reading: CohortReading, plan: MetricPlan) -> Iterable[Finding]:
    for one in reading.quality.sources:
        if one.partners > 0 and reading.metric in WEEK_BY_WEEK:
            yield _whole(
                one, bounds_of(plan, Check.COMPLETENESS, one.source), Check.COMPLETENESS, f"source {one.source}"
            )


def _costs_there(reading: CohortReading, plan: MetricPlan) -> Iterable[Finding]:
    """Revenue whose cost did not come looks like margin, so it can only flatter. Said only where bounds are agreed."""
    for one in reading.quality.costs:
        bounds = bounds_of(plan, Check.COSTS, one.source)
        if bounds != DEFAULTS[Check.COSTS]:
            found = _whole(one, bounds, Check.COSTS, f"product costs of source {one.source}")
            yield found.model_copy(update={"flattering": True})


def _cohort_there(reading: CohortReading, plan: MetricPlan) -> Iterable[Finding]:
    """What a source lacks of one cohort alone is little of the whole source."""
    bounds = bounds_of(plan, Check.COHORT)
    if reading.quality.own is not None and bounds != DEFAULTS[Check.COHORT]:
        found = _whole(reading.quality.own, bounds, Check.COHORT, f"the partners of {reading.cohort}")
        yield found.model_copy(update={"sources": ()})


def _compared_there(reading: CohortReading, plan: MetricPlan) -> Iterable[Finding]:
    """Partners of whom no more is heard are no measure of what would have been without the change. What is judged by
    thresholds does not rest on them."""
    bounds = bounds_of(plan, Check.COMPARED)
    if reading.quality.compared is not None and bounds != DEFAULTS[Check.COMPARED]:
        found = _whole(reading.quality.compared, bounds, Check.COMPARED, "the partners compared with")
        yield found.model_copy(update={"sources": ()})


def _whole(one: SourceVolume, bounds: Bounds, check: Check, whose: str) -> Finding:
    unit = "day" if one.period_days == 1 else "week"
    lacking = 100 * one.missing / one.expected if one.expected > 0 else 0.0
    if 2 * one.history < one.periods or one.history == 0:
        lacking = 0.0
        found = f"{whose}: not enough regular history to tell what is usual"
    elif one.short == 0:
        found = f"{whose}: none of {many(one.history, unit)} is short of what is usual"
    else:
        found = f"{whose}: {lacking:.0f} % of what is usual is missing, in {one.short} of {many(one.periods, unit)}"
    return Finding(
        check=check,
        severity=_graded(lacking, bounds),
        found=found,
        allowed=_allowed(check, bounds),
        sources=(one.source,),
        facts=round(one.missing),
    )


def _possible(reading: CohortReading) -> Iterable[Finding]:
    """A value that cannot be: red whatever a plan says."""
    value = reading.group.value
    if value is None or not math.isfinite(value):
        return
    share = CATALOGUE[reading.metric].scale is Scale.SHARE
    low, high = (0.0, 100.0) if share else POSSIBLE.get(reading.metric, (-math.inf, math.inf))
    # Sums of fractions are not exact.
    if not low - 1e-6 <= value <= high + 1e-6:
        yield Finding(
            check=Check.PLAUSIBILITY,
            severity=Severity.RED,
            found=f"a value of {value:.2f} cannot be",
            allowed=f"possible is from {low:g} to {high:g}",
        )


def _plausible(reading: CohortReading, plan: MetricPlan) -> Iterable[Finding]:
    bounds = bounds_of(plan, Check.PLAUSIBILITY)
    return (_month(one, bounds) for one in reading.quality.odd_months)


def _month(one: OddMonth, bounds: Bounds) -> Finding:
    return Finding(
        check=Check.PLAUSIBILITY,
        severity=_graded(abs(one.value - one.usual), bounds),
        found=f"the ledger's margin of {one.month:%Y-%m} in {one.currency} is {one.value:.1f} %, usual {one.usual:.1f}",
        allowed=_allowed(Check.PLAUSIBILITY, bounds),
    )


def months_in_doubt(reading: CohortReading, plan: MetricPlan) -> tuple[Finding, ...]:
    """Months of the ledger in the window, so far below those before that they are amber: booked wrongly, or as bad as
    they look. One as far above has made the value no worse."""
    bounds = bounds_of(plan, Check.PLAUSIBILITY)
    worse = (_month(one, bounds) for one in reading.quality.odd_months if one.value < one.usual)
    return tuple(one for one in worse if one.severity is Severity.AMBER)


def _near(reading: CohortReading, plan: MetricPlan) -> Iterable[Finding]:
    """Near what the cohort's earlier looks found. What is far worse only warns of a guardrail, unless its owners agreed
    on a bound: a collapse is what it is there to see, and it must pause and not wait whether the collapse stays."""
    value, earlier = reading.group.value, reading.quality.earlier
    if value is None or earlier is None or not math.isfinite(value):
        return
    direction = CATALOGUE[reading.metric].direction
    better = value > earlier.usual if direction is Direction.HIGHER else value < earlier.usual
    flattering = better and direction is not Direction.TWO_SIDED
    bounds = bounds_of(plan, Check.BAND)
    agreed = any(one.check is Check.BAND for one in plan.data_quality)
    if plan.purpose is MetricUse.GUARDRAIL and not flattering and not agreed:
        bounds = Bounds(bounds.amber, None)
    away = abs(value - earlier.usual) / earlier.spread
    usual = f"{earlier.usual:.2f}, the median of {earlier.looks} earlier looks"
    since = f", as since {earlier.since:%Y-%m-%d}" if earlier.since and earlier.since < reading.window.end else ""
    yield Finding(
        check=Check.BAND,
        severity=_graded(away, bounds),
        found=f"{value:.2f} lies {away:.1f} spreads of {earlier.spread:.2f} from {usual}{since}",
        allowed=_allowed(Check.BAND, bounds),
        flattering=flattering,
    )


def _improved(reading: CohortReading, plan: MetricPlan, baseline: float | None) -> Iterable[Finding]:
    """Better than can be believed: the easiest way to a good number is to change what is counted."""
    value, spec = reading.group.value, CATALOGUE[reading.metric]
    if value is None or baseline is None or spec.direction is Direction.TWO_SIDED:
        return
    gain = value - baseline if spec.direction is Direction.HIGHER else baseline - value
    if spec.scale is Scale.AMOUNT:
        if baseline == 0:
            return
        gain = 100 * gain / abs(baseline)
    if not math.isfinite(gain):
        return
    bounds = bounds_of(plan, Check.IMPROVEMENT)
    yield Finding(
        check=Check.IMPROVEMENT,
        severity=_graded(max(0.0, gain), bounds),
        found=f"{max(0.0, gain):.1f} {_step(reading.metric)} better than the baseline",
        allowed=_allowed(Check.IMPROVEMENT, bounds, reading.metric),
        flattering=True,
    )


def _once(reading: CohortReading, plan: MetricPlan) -> Iterable[Finding]:
    number, of = reading.quality.duplicates, reading.group.n_facts
    if number == 0:
        return
    bounds = bounds_of(plan, Check.DUPLICATES) if number >= TWINS_ENOUGH else Bounds(None, None)
    yield Finding(
        check=Check.DUPLICATES,
        severity=_graded(100 * number / max(number, of), bounds),
        found=f"{number} of {many(of, 'fact')} {'stands' if number == 1 else 'stand'} there twice",
        allowed=_allowed(Check.DUPLICATES, bounds),
        partners=reading.quality.duplicate_partners,
        facts=number,
    )


def _in_time(reading: CohortReading, plan: MetricPlan) -> Iterable[Finding]:
    """Contacts that were written down days after they are said to have happened."""
    late, met = reading.group.parts.get("met_backdated", 0.0), reading.group.numerator or 0.0
    if late <= 0:
        return
    bounds, those = bounds_of(plan, Check.BACKDATING), many(met, CATALOGUE[reading.metric].written_down)
    yield Finding(
        check=Check.BACKDATING,
        severity=_graded(100 * late / max(late, met), bounds),
        found=f"{late:g} of {those} in time {_were(late)} written down more than three days later",
        allowed=_allowed(Check.BACKDATING, bounds),
        facts=int(late),
        flattering=True,
    )


def _still_there(reading: CohortReading, plan: MetricPlan) -> Iterable[Finding]:
    if CATALOGUE[reading.metric].block is Block.TENURE:
        return  # who leaves is what it counts
    gone = reading.quality.gone
    lost = max(gone.silent, gone.left)
    if lost < SILENT_ENOUGH:
        return
    bounds = bounds_of(plan, Check.DRIFT)
    severity = _graded(100 * lost / max(gone.had, lost), bounds)
    if severity is Severity.RED and lost < MANY_ENOUGH:
        severity = Severity.AMBER
    told = f"of {gone.silent} of {many(gone.had, 'partner')} who always had facts there is none in the window"
    yield Finding(
        check=Check.DRIFT,
        severity=severity,
        found=told + (f"; {gone.left} {'has' if gone.left == 1 else 'have'} left the programme" if gone.left else ""),
        allowed=_allowed(Check.DRIFT, bounds),
        partners=gone.names,
    )


def _settled(reading: CohortReading, plan: MetricPlan) -> Iterable[Finding]:
    restated, value = reading.quality.restated, reading.group.value
    if restated.facts == 0:
        return
    bounds = bounds_of(plan, Check.RESTATEMENT)
    moved = abs(value - restated.before) if value is not None and restated.before is not None else None
    if moved is not None and CATALOGUE[reading.metric].scale is Scale.AMOUNT:
        moved = 100 * moved / abs(restated.before) if restated.before else None
    if moved is not None and not math.isfinite(moved):
        moved = None
    found = f"{many(restated.facts, 'fact')} of the window {_were(restated.facts)} restated in the last 7 days"
    if moved is not None and restated.before is not None:
        found += f"; as they stood before the value was {restated.before:.2f}"
    # A value that came or went with the restatement has no distance, and has certainly moved.
    yield Finding(
        check=Check.RESTATEMENT,
        severity=Severity.AMBER if moved is None else _graded(moved, bounds),
        found=found,
        allowed=_allowed(Check.RESTATEMENT, bounds, reading.metric),
        partners=restated.partners,
        facts=restated.facts,
    )


def _were(number: float) -> str:
    return "was" if number == 1 else "were"


def _graded(number: float, bounds: Bounds) -> Severity:
    if bounds.red is not None and number >= bounds.red:
        return Severity.RED
    return Severity.AMBER if bounds.amber is not None and number >= bounds.amber else Severity.GREEN


def _allowed(check: Check, bounds: Bounds, metric: MetricName | None = None) -> str:
    """From where on a check is amber, or red.

    Args:
        metric: of a check that counts steps of the metric itself.
    """
    parts = [f"{name} from {at:g}" for name, at in (("amber", bounds.amber), ("red", bounds.red)) if at is not None]
    if not parts:
        return "no bound applies"
    unit = UNITS[check] if metric is None else UNITS[check].replace(POINTS, _step(metric))
    return f"{' and '.join(parts)} {unit}"


def _step(metric: MetricName) -> str:
    """In what two values of a metric are told apart: an amount in percent of itself, anything else in its points."""
    return "%" if CATALOGUE[metric].scale is Scale.AMOUNT else POINTS
