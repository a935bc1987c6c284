"""Judges one reading against the agreed thresholds: the verdict, and every reason. Absence is never a pass."""

from __future__ import annotations

import math
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import NamedTuple

from judgement.changes import with_change
from judgement.material import Asked
from judgement.projection import at_best, past_deadline
from judgement.quality import ABSENT, findings, told, worst
from judgement.tolerance import over_looks, tolerating
from judgement.values import NoValue
from models.base import format_duration, many
from models.change import Gate, GateFinding
from models.evidence import Baseline, CohortReading, Look, MetricAssessment, Verdict
from models.metric import CATALOGUE, MetricUse, in_words
from models.plan_metric import Basis, MetricPlan, Threshold
from models.quality import BARELY, DOUBT, Check, Finding, Severity

GROWS_WITH_WINDOW = frozenset(name for name, spec in CATALOGUE.items() if spec.grows_with_window)
"""Metrics whose value is larger over a longer window: something is counted, not rated."""


class _Against(NamedTuple):
    """A reading beside its thresholds. `outright` is a breach that no tolerance and no small sample excuses;
    `doubtful` says by which facts alone all thresholds hold."""

    beyond: bool
    untold: bool
    outright: bool
    reasons: tuple[str, ...]
    doubtful: str | None = None


class _State(NamedTuple):
    """What a reading is worth before anything is asked of it: a value that is a number, whether its data are current
    (`age`: None where nobody knows), and whether the agreed sample is reached."""

    value: float | None
    age: timedelta | None
    current: bool
    sample: bool


class Comparable(NamedTuple):
    """A baseline as a reading can be compared with it; `missing` says why there is none."""

    value: float | None
    missing: str | None = None
    note: str | None = None


def judge(
    reading: CohortReading,
    plan: MetricPlan,
    baseline: Baseline | None,
    past: Sequence[Look],
    as_of: datetime,
    *,
    one_look: timedelta = timedelta(0),
    stops: Sequence[Threshold] = (),
    change: Asked | None = None,
) -> MetricAssessment:
    """One reading against what the plan says of its metric.

    The order of the questions: are the data current, is there a value, is it within the thresholds, is a breach
    tolerated, is the sample large enough. A guardrail beyond its threshold is *not met* whatever its sample:
    protecting is never advisory. An SLA on a small sample is beyond once that is certain, whatever becomes of the leads
    that are open. Every reason is given, not only the first.

    Args:
        past: earlier looks, the oldest first, since the count began.
        one_look: readings closer together than this are one reading.
        stops: limits of the plan's stop conditions on this metric; one that cannot be applied is no pass.
        change: what was measured of the metric's change, where the plan asks for it; what was not is *no evidence*.

    Raises:
        ValueError: the reading is of another metric than the plan's.
    """
    if reading.metric is not plan.metric:
        raise ValueError(f"a reading of {reading.metric} cannot be judged by what is agreed of {plan.metric}")
    state = _state(reading, plan, as_of)
    frozen = comparable(baseline, reading)
    against = _against(reading, plan, state.value, frozen, stops, sample=state.sample)
    checked = findings(reading, plan, frozen.value, as_of)
    item = _item(reading, plan, state, frozen, against, checked)
    item = tolerating(item, plan.tolerance, past, as_of, one_look, outright=against.outright)
    if plan.change is not None:
        item = with_change(item, plan, reading, baseline, change, _gates(checked, current=state.current))
    return over_looks(item, plan.tolerance, past, as_of, one_look)


def _state(reading: CohortReading, plan: MetricPlan, as_of: datetime) -> _State:
    value = reading.group.value if reading.group.value is not None and math.isfinite(reading.group.value) else None
    age = as_of - reading.data_through if reading.data_through else None
    least = plan.minimum_sample
    return _State(
        value=value,
        age=age,
        current=age is not None and timedelta(0) <= age <= plan.freshness,
        sample=reading.group.n_partners >= least.partners and reading.group.n_facts >= least.facts,
    )


def _item(
    reading: CohortReading,
    plan: MetricPlan,
    state: _State,
    frozen: Comparable,
    against: _Against,
    checked: tuple[Finding, ...],
) -> MetricAssessment:
    """The verdict of this one look; neither tolerances nor changes are in it yet."""
    doubt = _doubt(checked, against)
    return MetricAssessment(
        cohort=reading.cohort,
        metric=reading.metric,
        use=plan.purpose,
        on_breach=plan.on_breach,
        verdict=_verdict(plan, state, against, doubt),
        reasons=(*_distrust(checked), *against.reasons, *_circumstances(reading, plan, state)),
        value=state.value,
        thresholds=plan.agreed,
        baseline=frozen.value,
        n_partners=reading.group.n_partners,
        n_facts=reading.group.n_facts,
        minimum_sample_reached=state.sample,
        data_current=state.current,
        data_through=reading.data_through,
        data_age=state.age,
        beyond_threshold=against.beyond,
        warning=_warned(plan, state, frozen, against, checked),
        must=plan.must,
        weight=plan.weight,
        partners=tuple(one.partner_id for one in reading.top_partners) if against.beyond else (),
        leads=tuple(lead.lead_id for lead in reading.leads) if against.beyond else (),
        untrusted=doubt is not None and not against.outright,
        quality=checked,
    )


def _warned(plan: MetricPlan, state: _State, frozen: Comparable, against: _Against, checked: Sequence[Finding]) -> bool:
    """Whether a value that may still hold is near its limit, or rests on facts or data that are in doubt."""
    if state.value is None or not state.current:
        return False
    near = any(limit.satisfied(state.value, frozen.value) is False for limit in plan.warning)
    return near or against.doubtful is not None or worst(checked) is not Severity.GREEN


def _gates(checked: Sequence[Finding], *, current: bool) -> tuple[GateFinding, ...]:
    """What the checks of the data leave of a change's verdict: what can only flatter keeps it from being met, anything
    else that is red from being judged."""
    stale = [] if current else [GateFinding(gate=Gate.QUALITY, blocks=True, told="the newest data are too old")]
    red = [one for one in checked if one.severity is Severity.RED]
    return (*stale, *(GateFinding(gate=Gate.QUALITY, blocks=not one.flattering, told=told(one)) for one in red))


def _verdict(plan: MetricPlan, state: _State, against: _Against, doubt: Verdict | None) -> Verdict:
    """The verdict of this reading by itself; tolerances come after."""
    guards = plan.purpose is MetricUse.GUARDRAIL
    if not state.current:
        return Verdict.NO_EVIDENCE
    if against.outright:
        return Verdict.NOT_MET
    if doubt is not None:
        return doubt
    if state.value is None:
        return Verdict.NO_EVIDENCE
    if against.beyond and (guards or state.sample):
        return Verdict.NOT_MET
    if against.untold or not state.sample:
        return Verdict.CANNOT_TELL
    return Verdict.MET


def _doubt(checked: Sequence[Finding], against: _Against) -> Verdict | None:
    """The verdict that red data leave; None where the reading may speak.

    Facts that are not there are *no evidence*; facts that contradict themselves are *cannot tell*. What can only
    flatter a number does not excuse one that lies beyond all the same. Those whom the cohort is compared with are
    nothing to a reading by itself.
    """
    red = [one for one in checked if one.severity is Severity.RED and not (one.flattering and against.beyond)]
    red = [one for one in red if one.check is not Check.COMPARED]
    if not red:
        return None
    return Verdict.NO_EVIDENCE if any(one.check in ABSENT for one in red) else Verdict.CANNOT_TELL


def _distrust(checked: Sequence[Finding]) -> tuple[str, ...]:
    """What speaks against the data, the gravest first."""
    red = [f"data not to be trusted: {told(one)}" for one in checked if one.severity is Severity.RED]
    return (*red, *(f"{DOUBT}: {told(one)}" for one in checked if one.severity is Severity.AMBER))


def comparable(baseline: Baseline | None, reading: CohortReading) -> Comparable:
    """The baseline in the terms of the reading: of the same definition, and for the same length of window."""
    if baseline is None:
        return Comparable(None, "there is no baseline")
    if baseline.value is None or not math.isfinite(baseline.value):
        return Comparable(None, f"the baseline has no value: {in_words(baseline.reason or NoValue.NOT_A_NUMBER.value)}")
    if baseline.definition_version != reading.definition_version:
        versions = f"{baseline.definition_version}, the reading {reading.definition_version}"
        return Comparable(None, f"the baseline has definition {versions}")
    before, now = (one.window.end - one.window.start for one in (baseline, reading))
    if reading.metric not in GROWS_WITH_WINDOW or before == now:
        return Comparable(baseline.value)
    scaled = baseline.value * (now / before)
    spans = f"{baseline.value:.2f} over {format_duration(before)} is {scaled:.2f} over {format_duration(now)}"
    return Comparable(scaled, note=f"baseline {spans}")


def _against(
    reading: CohortReading,
    plan: MetricPlan,
    value: float | None,
    frozen: Comparable,
    stops: Sequence[Threshold],
    *,
    sample: bool,
) -> _Against:
    """The reading beside each threshold, and the breaches and doubts that no threshold shows."""
    group, unit = reading.group, CATALOGUE[reading.metric].unit
    beyond, untold, undecided, reasons = False, False, False, []
    if value is None:
        reasons.append(f"no value: {in_words(group.reason or NoValue.NOT_A_NUMBER.value)}")
    else:
        holds = [limit.satisfied(value, frozen.value) for limit in plan.thresholds]
        # Nothing agreed is nothing fulfilled: all() of nothing would be a pass. Where a change is agreed that decides.
        beyond, untold = False in holds, None in holds or not (holds or plan.change)
        reasons += [_told(limit, value, frozen, held, unit) for limit, held in zip(plan.thresholds, holds, strict=True)]
        for limit in stops:
            if limit.satisfied(value, frozen.value) is None:
                untold = True
                reasons.append(f"the stop condition {limit} cannot be judged: {_why_untold(frozen)}")
        if beyond:
            certain, told_of = _certain(reading, plan, frozen, value)
            reasons += told_of
            undecided = not certain and not sample
    critical = group.parts.get("critical_failed", 0.0)
    if critical > 0:
        reasons.append(f"{many(critical, 'critical check')} failed")
    unbudgeted = value is None and group.reason == NoValue.UNBUDGETED_SPEND
    if group.parts.get("immature", 0.0) > 0:
        untold = True
        reasons.append("the window is shorter than most sales cycles: only the fast deals show")
    if frozen.note:
        reasons.append(frozen.note)
    outright = critical > 0 or unbudgeted
    doubtful = None if beyond else _doubtful(reading, plan, frozen) or _flattered(reading, plan, frozen)
    if doubtful:
        reasons.append(doubtful)
    return _Against((beyond and not undecided) or outright, untold, outright, tuple(reasons), doubtful)


def _doubtful(reading: CohortReading, plan: MetricPlan, frozen: Comparable) -> str | None:
    """Facts without which a threshold would not hold: contacts written down days later, leads excluded only after
    their deadline. Both are how this number is made to look better, so they are said, and decide nothing."""
    parts = reading.group.parts
    late, excluded = parts.get("met_backdated", 0.0), parts.get("excluded_after_due", 0.0)
    decided = (reading.group.denominator or 0.0) + excluded
    if not (late or excluded) or decided <= 0:
        return None
    without = 100 * ((reading.group.numerator or 0.0) - late) / decided
    if all(limit.satisfied(without, frozen.value) is not False for limit in plan.thresholds):
        return None
    told = [f"{many(late, CATALOGUE[reading.metric].written_down)} written down days later"] if late else []
    if excluded:
        told.append(f"{many(excluded, 'lead')} excluded after {'its' if excluded == 1 else 'their'} deadline")
    return f"{BARELY} {' and '.join(told)}: {without:.2f} without {'it' if late + excluded == 1 else 'them'}"


def _certain(
    reading: CohortReading, plan: MetricPlan, frozen: Comparable, value: float
) -> tuple[bool, tuple[str, ...]]:
    """Whether a value that lies beyond will do so whatever becomes of the leads that are open, and that in words."""
    best = at_best(reading)
    if best is None:
        return True, ()
    # An upper limit that is broken stays so: at best the value is only higher.
    broken = [limit for limit in plan.thresholds if limit.satisfied(value, frozen.value) is False]
    if any(limit.satisfied(best.value, frozen.value) is False for limit in broken):
        return True, (f"certain: even if {best.told}, it is {best.value:.2f}",)
    return False, (f"not certain: if {best.told}, it is {best.value:.2f}",)


def _flattered(reading: CohortReading, plan: MetricPlan, frozen: Comparable) -> str | None:
    """Leads met before their deadline, without which a threshold would not hold: those of their age that are not met
    do not count yet. It is said, and decides nothing."""
    past = past_deadline(reading)
    if past is None or all(limit.satisfied(past, frozen.value) is not False for limit in plan.thresholds):
        return None
    early = reading.group.parts["met_early"]
    whose = "its" if early == 1 else "their"
    return f"{BARELY} {many(early, 'lead')} met before {whose} deadline: {past:.2f} of those past it"


def _told(limit: Threshold, value: float, frozen: Comparable, holds: bool | None, unit: str) -> str:
    """One threshold in words, with the number it comes down to."""
    agreed = f"agreed {limit}" if limit.basis is Basis.ABSOLUTE else f"agreed {limit} against the baseline"
    target = _target(limit, frozen.value)
    if holds is None or target is None:
        return f"{value:.2f} {unit}, {agreed}: cannot be judged, {_why_untold(frozen)}"
    shown, limited = _apart(value, target)
    told = f"{shown} {unit}, {agreed}"
    if limit.basis is not Basis.ABSOLUTE:
        told += f" {frozen.value:.2f}, that is {limited}"
    return told if holds else f"{told}: beyond"


def _why_untold(frozen: Comparable) -> str:
    return frozen.missing or ("the baseline is zero" if frozen.value == 0 else "the change is not a number")


def _target(limit: Threshold, baseline: float | None) -> float | None:
    """The value at which a limit lies, in the metric's unit."""
    if limit.basis is Basis.ABSOLUTE:
        return limit.number
    if baseline is None:
        return None
    return baseline + (limit.number if limit.basis is Basis.DIFFERENCE else abs(baseline) * limit.number / 100)


def _apart(value: float, target: float) -> tuple[str, str]:
    """Both numbers with as many digits as it takes to see that they differ."""
    for digits in range(2, 10):
        shown, limited = f"{value:.{digits}f}", f"{target:.{digits}f}"
        if shown != limited or value == target:
            return shown, limited
    return repr(value), repr(target)


def _circumstances(reading: CohortReading, plan: MetricPlan, state: _State) -> tuple[str, ...]:
    """How much the reading rests on, and how old it is."""
    least, age = plan.minimum_sample, state.age
    size = f"{many(reading.group.n_partners, 'partner')}, {many(reading.group.n_facts, 'fact')}"
    if not state.sample:
        size += f": at least {least.partners} and {least.facts} are agreed"
    if age is None:
        return size, "no data known"
    if age < timedelta(0):
        return size, "data are dated after the moment they were read"
    told = f"data {format_duration(age)} old"
    return size, told if state.current else f"{told}: at most {format_duration(plan.freshness)} is agreed"
