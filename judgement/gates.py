"""Asks whether data can bear any statistics: a baseline, whole weeks, partners, volume, nobody lost from sight.

Which gate lives where. What is asked of every reading, whatever it is judged by, stands in the snapshot already and is
not asked twice: how fresh the sources are, whether they told as much as usual, values that cannot be, facts that stand
twice or were written down late, partners who fell silent for good, and restatements (`judgement.quality`, on what
`judgement.volumes` and the store counted). Here is what only a comparison of two arms before and after needs: whether
each arm has a baseline, enough matured days, partners, facts and events; whether partners are missing, or missing from
one arm more than from the other; whether the rows are those of the frozen lists; whether one partner is most of an arm.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from typing import NamedTuple

from judgement.sums import Sides
from judgement.values import group_value
from models.base import many
from models.change import Gate, GateFinding
from models.evidence import PartnerReading
from models.metric import CATALOGUE, Grouping, MetricName, NoValue, Scale, in_words
from models.quality import FLOWS

LEAST_DAYS = 7
"""Matured days of a stretch: a whole week, so that each weekday counts alike."""

WHATEVER_MATURES = frozenset({Gate.MATURE, Gate.DRIFT, Gate.BASELINE, Gate.CONTROL})
"""What waiting does not mend. Before a week has matured only that is told: of everything else there is too little."""

LEAST_PARTNERS, ENOUGH_PARTNERS = 2, 8
"""Below the first an arm has no spread, below the second its error is known too badly for a verdict that acts."""

LEAST_VOLUME = 30
"""Leads, assignments, partners at the start or closed deals of an arm, in the baseline and since."""

LEAST_EVENTS = 5
"""What went well and what did not, of a proportion, each."""

LEAST_COMPLETE, MOST_UNLIKE = 95.0, 5.0
"""Percent of the partners expected who must have facts, and by how many points the arms may differ in that."""

BY_CHANCE = 0.001
"""A difference in who reports that is less likely than this is no chance."""

EXPECTED = 5.0
"""Facts expected of a partner whose silence means something: none at all then has a chance of e^-5, below 1 %."""

DOMINANT = 60.0
"""Percent of an arm's denominator above which one partner is the arm."""

CAP_QUANTILE, CAP_TIMES = 0.999, 3.0
"""An amount beyond so many times this quantile of the baseline's is looked at by a person."""

COUNTED = frozenset(
    name for name, spec in CATALOGUE.items() if spec.scale is Scale.SHARE and spec.grouping is Grouping.RATIO_OF_SUMS
)
"""Proportions: numerator and denominator count things, and what is not in the one is the other kind of event."""

_SALES = "partner_transaction"
_EITHER_SIGN = frozenset(name for name, spec in CATALOGUE.items() if _SALES in spec.reads)
"""Metrics whose sums may be negative: losses, returns, sales above list."""

_OF_A_ROW = ("numerator", "denominator")


class _Arm(NamedTuple):
    """One side of the comparison before and now, rows in order of partner; `size` is that of its frozen list."""

    name: str
    before: Sequence[PartnerReading]
    now: Sequence[PartnerReading]
    size: int


def gates(
    metric: MetricName,
    before: Sides,
    now: Sides,
    *,
    members: tuple[int, int],
    matured_days: int,
    baseline_days: int | None = None,
) -> tuple[GateFinding, ...]:
    """What stands in the way of reckoning with these rows; nothing where they can bear it.

    A finding that blocks leaves *no evidence*. One that does not takes *met* away, and below eight partners makes the
    verdict advisory. Rows may hold anything, in any order: what is not a number is a finding, never a crash.

    Args:
        members: sizes of the frozen lists, of the cohort and of those it is compared with; 0 where nobody is.
        matured_days: whole days since the cohort was enrolled whose facts are complete.
        baseline_days: length of the baseline. With it, of metrics that count what happened, only those partners must
            have facts now who had them so often that silence over the matured days is no chance.
    """
    arms = [_arm("the cohort", before.cohort, now.cohort, members[0])]
    if members[1] > 0 or before.compared or now.compared:
        arms.append(_arm("those compared with", before.compared, now.compared, members[1]))
    found = [*_matured(matured_days), *_drifted(arms)]
    for arm in arms:
        found += [*_values(metric, arm), *_partners(arm), *_volume(metric, arm), *_events(metric, arm)]
    ratio = matured_days / baseline_days if baseline_days and baseline_days > 0 and metric in FLOWS else None
    found += _complete([(arm, *_reporting(arm, ratio)) for arm in arms])
    found += [one for arm in arms for one in _dominated(metric, arm)]
    if len(arms) == 1:
        found.append(_open(Gate.CONTROL, "there is nobody to compare with: what moved everybody looks like a change"))
    return tuple(one for one in found if matured_days >= LEAST_DAYS or one.gate in WHATEVER_MATURES)


def outliers(metric: MetricName, before: Sides, now: Sides, *, longer: float = 1.0) -> tuple[str, ...]:
    """Partners whose present amounts nobody should believe unseen, in order of their ids.

    An amount is beyond the cap, three times the 99.9 % quantile of the partners' own amounts in the baseline (of both
    arms, by linear interpolation, so with fewer than a thousand partners nearly their largest); or its sign, or a share
    above one, cannot be; or it is not a number. They go to a person: what is shown is never trimmed, but a verdict that
    changes without them is *cannot tell*. Without a baseline there is no cap, and only what cannot be is found.

    Args:
        longer: by how much the present window is longer than the baseline's, of metrics that grow with it.
    """
    stretch = longer if math.isfinite(longer) and longer > 1 else 1.0
    caps = {name: CAP_TIMES * stretch * cap for name in _amounts(metric) if (cap := _cap(before, name)) > 0}
    impossible = _impossible(metric)
    rows = (*now.cohort, *now.compared)
    found = {row.partner_id for row in rows if impossible(row)}
    for name, cap in caps.items():
        found |= {row.partner_id for row in rows if abs(_amount(row, name)) > cap}
    return tuple(sorted(found))


def without(sides: Sides, partners: Collection[str]) -> Sides:
    """The rows of everybody else."""
    if not partners:
        return sides
    return Sides(*(tuple(row for row in rows if row.partner_id not in partners) for rows in sides))


def _arm(name: str, before: Sequence[PartnerReading], now: Sequence[PartnerReading], size: int) -> _Arm:
    return _Arm(name, _ordered(before), _ordered(now), size)


def _ordered(rows: Sequence[PartnerReading]) -> list[PartnerReading]:
    """In one order however they came, because sums of floats depend on it."""
    twice = len({row.partner_id for row in rows}) < len(rows)
    return sorted(rows, key=lambda row: (row.partner_id, repr(row) if twice else ""))


def _shut(gate: Gate, told: str) -> GateFinding:
    return GateFinding(gate=gate, blocks=True, told=told)


def _open(gate: Gate, told: str) -> GateFinding:
    return GateFinding(gate=gate, blocks=False, told=told)


def _matured(days: int) -> Iterator[GateFinding]:
    if days < LEAST_DAYS:
        yield _shut(Gate.MATURE, f"{many(max(days, 0), 'day has', 'days have')} matured, {LEAST_DAYS} are needed")


def _drifted(arms: Sequence[_Arm]) -> Iterator[GateFinding]:
    """Rows that cannot be those of the frozen lists."""
    seen: dict[str, str] = {}
    for arm in arms:
        ids = {row.partner_id for row in (*arm.before, *arm.now)}
        if len(ids) > arm.size:
            yield _shut(
                Gate.DRIFT, f"{arm.name}: rows of {many(len(ids), 'partner')}, {arm.size} are on the frozen list"
            )
        for rows in (arm.before, arm.now):
            twice = [one for one, count in Counter(row.partner_id for row in rows).items() if count > 1]
            if twice:
                yield _shut(Gate.DRIFT, f"{arm.name}: more than one row of {_named(twice)}")
        both = _named(one for one in ids if one in seen)
        if both:
            yield _shut(Gate.DRIFT, f"{both} in the cohort and among those compared with")
        seen |= dict.fromkeys(ids, arm.name)


def _named(partners: Iterable[str]) -> str:
    names = sorted(partners)
    return ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")


def _values(metric: MetricName, arm: _Arm) -> Iterator[GateFinding]:
    """Each window must have a value, in the terms in which changes of it are judged."""
    for rows, gate, when in ((arm.before, Gate.BASELINE, "in the baseline"), (arm.now, Gate.QUALITY, "since")):
        found = group_value(metric, rows)
        if found.value is None:
            yield _shut(gate, f"{arm.name}: no value {when}: {in_words(found.reason or NoValue.NOT_A_NUMBER)}")
        elif CATALOGUE[metric].grouping is Grouping.FROM_PARTS and found.value <= 0:
            yield _shut(gate, f"{arm.name}: nothing was won {when}")


def _partners(arm: _Arm) -> Iterator[GateFinding]:
    before, now = (sum(row.facts > 0 for row in rows) for rows in (arm.before, arm.now))
    least = min(before, now)
    told = f"{arm.name}: {many(now, 'partner has', 'partners have')} data, {before} in the baseline"
    if least < LEAST_PARTNERS:
        yield _shut(Gate.PARTNERS, f"{told}; {LEAST_PARTNERS} are needed")
    elif least < ENOUGH_PARTNERS:
        yield _open(Gate.PARTNERS, f"{told}; below {ENOUGH_PARTNERS} a verdict is advice")


def _volume(metric: MetricName, arm: _Arm) -> Iterator[GateFinding]:
    """Of what is counted. Of money each line may be a thousand times another, so that their number says little."""
    deals = CATALOGUE[metric].grouping is Grouping.FROM_PARTS
    if not deals and metric not in COUNTED:
        return
    for rows, gate, when in ((arm.before, Gate.BASELINE, "in the baseline"), (arm.now, Gate.VOLUME, "since")):
        number = _total(row.facts if deals else row.denominator for row in rows)
        # Written so that what is not a number is too little.
        if not number >= LEAST_VOLUME:
            yield _shut(gate, f"{arm.name}: {_counted(number)} counted {when}, {LEAST_VOLUME} are needed")


def _events(metric: MetricName, arm: _Arm) -> Iterator[GateFinding]:
    """Of each kind over both windows together. A collapse leaves none that went well since, a recovery none that did
    not: neither must be taken for too little data, and what the change is measured against had them."""
    if metric not in COUNTED:
        return
    rows = (*arm.before, *arm.now)
    good = _total(row.numerator for row in rows)
    other = _total(row.denominator for row in rows) - good
    if not min(good, other) >= LEAST_EVENTS:
        told = f"{_counted(good)} of one kind and {_counted(other)} of the other"
        yield _shut(Gate.EVENTS, f"{arm.name}: {told}, {LEAST_EVENTS} of each are needed")


def _reporting(arm: _Arm, ratio: float | None) -> tuple[int, int]:
    """Partners of whom facts are expected, and those of them who have any."""
    expected = {
        row.partner_id for row in arm.before if row.facts > 0 and (ratio is None or row.facts * ratio >= EXPECTED)
    }
    return len(expected), len({row.partner_id for row in arm.now if row.facts > 0} & expected)


def _complete(arms: Sequence[tuple[_Arm, int, int]]) -> Iterator[GateFinding]:
    """Whether whoever had facts still has them: in each arm, and alike in both."""
    asked = [one for one in arms if one[1] > 0]
    for arm, expected, reporting in asked:
        if 100 * reporting < LEAST_COMPLETE * expected:
            told = f"{reporting} of {many(expected, 'partner')} with facts in the baseline {_have(reporting)} any since"
            yield _shut(Gate.COMPLETE, f"{arm.name}: {told}, {LEAST_COMPLETE:g} % are needed")
    if len(asked) < 2:
        return
    (_, expected, reporting), (_, others, theirs) = asked
    apart = abs(100 * reporting / expected - 100 * theirs / others)
    told = f"{reporting} of {many(expected, 'partner')} of the cohort still {_have(reporting)} facts"
    told += f", {theirs} of {others} of the others"
    if apart > MOST_UNLIKE + 1e-9:
        yield _shut(Gate.ALIKE, f"{told}: {apart:.1f} points apart, {MOST_UNLIKE:g} are allowed")
    chance = by_chance(reporting, expected - reporting, theirs, others - theirs)
    if chance < BY_CHANCE:
        yield _shut(Gate.ALIKE, f"{told}: by chance once in {1 / max(chance, 1e-12):.0f} times")


def _have(number: int) -> str:
    return "has" if number == 1 else "have"


def by_chance(a: int, b: int, c: int, d: int) -> float:
    """Chance of a table [[a, b], [c, d]] as uneven as this or more, if both rows are alike.

    Pearson's chi-square with one degree of freedom, `n (ad - bc)^2 / ((a+b)(c+d)(a+c)(b+d))`, whose tail is
    `erfc(sqrt(x / 2))`. Without Yates' correction. 1 where a row or a column is empty.
    """
    margins = (a + b) * (c + d) * (a + c) * (b + d)
    if margins <= 0:
        return 1.0
    return math.erfc(math.sqrt((a + b + c + d) * (a * d - b * c) ** 2 / margins / 2))


def _dominated(metric: MetricName, arm: _Arm) -> Iterator[GateFinding]:
    for rows, when in ((arm.before, "of the baseline"), (arm.now, "since")):
        shares = [(abs(size), row.partner_id) for row in rows if math.isfinite(size := _weight(metric, row))]
        total = _total(size for size, _ in shares)
        largest, partner = max(shares, default=(0.0, ""))
        if math.isfinite(total) and largest > DOMINANT / 100 * total:
            told = f"{partner} is {100 * largest / total:.0f} % {when}, {DOMINANT:g} are allowed"
            yield _open(Gate.DOMINANCE, f"{arm.name}: {told}")


def _weight(metric: MetricName, row: PartnerReading) -> float:
    """How much of the arm a partner is."""
    grouping = CATALOGUE[metric].grouping
    if grouping is Grouping.FROM_PARTS:
        return _amount(row, "won_value")
    return _amount(row, "weight_assessed" if grouping is Grouping.MEAN_OF_SCORES else "denominator")


def _amount(row: PartnerReading, name: str) -> float:
    """A number of a row by name; 0 where it has none."""
    found = getattr(row, name) if name in _OF_A_ROW else row.parts.get(name)
    return 0.0 if found is None else float(found)


def _cap(before: Sides, name: str) -> float:
    """The quantile of what partners had in the baseline; 0 where nobody had anything."""
    sizes = sorted(
        size
        for row in (*before.cohort, *before.compared)
        if math.isfinite(size := abs(_amount(row, name))) and size > 0
    )
    if not sizes:
        return 0.0
    place = CAP_QUANTILE * (len(sizes) - 1)
    low = int(place)
    high = min(low + 1, len(sizes) - 1)
    return sizes[low] + (place - low) * (sizes[high] - sizes[low])


def _amounts(metric: MetricName) -> tuple[str, ...]:
    """What of a partner's row is an amount without a natural end. Scores have one."""
    grouping = CATALOGUE[metric].grouping
    if grouping is Grouping.FROM_PARTS:
        return "won_value", "cycle_days"
    if grouping is Grouping.MEAN_OF_SCORES:
        return ()
    return ("denominator",) if metric in COUNTED else _OF_A_ROW


def _impossible(metric: MetricName) -> Callable[[PartnerReading], bool]:
    """Whether a row of the metric holds what cannot be."""
    named = [name for name in _amounts(metric) if name not in _OF_A_ROW]
    counted, signed = metric in COUNTED, metric in _EITHER_SIGN

    def impossible(row: PartnerReading) -> bool:
        numerator, denominator, parts = row.numerator or 0.0, row.denominator or 0.0, row.parts
        if row.facts < 0 or not (math.isfinite(numerator) and math.isfinite(denominator)):
            return True
        # Most rows have no parts; to look into none costs as much as all the rest.
        if parts and not all(map(math.isfinite, parts.values())):
            return True
        if counted and numerator > denominator:
            return True
        if signed:
            return False
        if numerator < 0 or denominator < 0:
            return True
        return bool(parts and named) and any(parts.get(name, 0.0) < 0 for name in named)

    return impossible


def _total(numbers: Iterable[float | None]) -> float:
    """Their sum whatever their order; infinite or NaN where it is no number."""
    try:
        return math.fsum(one for one in numbers if one is not None)
    except (OverflowError, ValueError):
        return math.nan


def _counted(number: float) -> str:
    return f"{number:g}" if math.isfinite(number) else "no number"
