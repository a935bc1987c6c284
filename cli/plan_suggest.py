"""plan new --from-history: cohorts drawn by lot, and for each metric what its own past suggests, with the reason."""

from __future__ import annotations

import asyncio
import json
import random
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, date, datetime, time, timedelta
from typing import TYPE_CHECKING, NamedTuple

from cli.output import CliError, Exit
from cli.plan_past import LEAST, Compared, PastOf, Reading
from cli.plan_template import Filled, ahead_text, checks_text, metric_text, plan_template, window_text
from models.metric import CATALOGUE, Block, MetricName, MetricSpec, MetricUse, Scale
from models.plan import RolloutPlan, Selector
from models.plan_change import ChangeRule, Margin, parse_margin
from models.plan_metric import Basis, MetricPlan, Threshold, Tolerance, parse_threshold
from models.power import MetricPower, RulesCost
from models.quality import DEFAULTS, Check

if TYPE_CHECKING:
    from cli.progress import Advance
    from judgement.seasons import Month
    from store.pool import Connection

SIZE = 24
"""Partners of a pilot, and of its control; where there are fewer, a third of them each."""

FEWEST = 12
MONTHS = 36
"""How far back months are looked at."""

BASELINE = 13
"""Weeks; whole ones, as a change asks for."""

FAR = 3.0
"""A margin more than so many times the usual one is none that anybody would agree on."""

CUSHION = 1.05
"""What is shown today must be shown tomorrow, with another day of history."""

_COMMENT = 43


class Facts(NamedTuple):
    """What the store has of one metric: its past in blocks, and month by month."""

    past: PastOf
    months: Sequence[Month]
    odd: Mapping[date, str] = {}


async def filled_plan(
    opened: Connection, plan_id: str, option: str, as_of: datetime, weeks: int | None, runs: int, advance: Advance
) -> str:
    """A plan's text, filled in from the store.

    Raises:
        CliError: there are too few active partners for a pilot and somebody to compare it with.
    """
    from cli.planfile import parse_plan
    from store.enrolments import select_partners

    partners = await select_partners(opened, Selector(), as_of)
    if len(partners) < FEWEST:
        raise CliError(
            f"The store has {len(partners)} active partners at {as_of:%Y-%m-%d}; {FEWEST} at least are needed for a "
            "pilot and others to compare it with.",
            Exit.BAD_INPUT,
        )
    cohorts, compared, smallest = _by_lot(plan_id, partners)
    read = weeks or LEAST
    baseline = f"{7 * min(BASELINE, read)}d"
    usual = [spec for spec in CATALOGUE.values() if spec.framework]
    blank = Filled(cohorts, "".join(metric_text(spec, smallest) for spec in usual), _GIVE_UP, baseline)
    plan = parse_plan(plan_template(plan_id, option, blank), "plan.yaml")
    reading = Reading(opened, compared, as_of, read)
    texts, stops = [], []
    for done, spec in enumerate(usual):
        advance(done, len(usual))
        found = await _facts(reading, plan, spec)
        text, stop = await asyncio.to_thread(_suggested, plan, spec, found, runs)
        texts.append(text)
        stops += stop
    advance(len(usual), len(usual))
    texts += [metric_text(spec, smallest) for spec in CATALOGUE.values() if not spec.framework]
    text = plan_template(plan_id, option, Filled(cohorts, "".join(texts), "".join(stops) or _GIVE_UP, baseline))
    parse_plan(text, "plan.yaml")
    return text


_GIVE_UP = "  - {condition: The owners see no way to go on}\n"


def _by_lot(plan_id: str, partners: Sequence[str]) -> tuple[str, Compared, int]:
    """Cohorts as lines of a plan, and how many partners the smallest enrolled one has: pilot and control by lot, so
    that neither was picked on a good month."""
    size = min(SIZE, len(partners) // 3)
    drawn = random.Random(plan_id).sample(list(partners), 2 * size)  # noqa: S311 - a lot, no secret
    pilot, control = sorted(drawn[:size]), sorted(drawn[size:])
    rest = len(partners) - 2 * size
    half = rest // 2
    text = (
        f"  # Drawn by lot among {len(partners)} active partners: who is picked on a good month falls back by itself.\n"
        f"  pilot: {{name: pilot, partners: [{_ids(pilot)}]}}\n"
        f"  control: {{name: control, partners: [{_ids(control)}]}}\n"
        "  waves:                                   # everybody else, in order of their ids\n"
        f"    - {{name: wave-one, select: {{limit: {half}}}, bake: 14d}}\n"
        f"    - {{name: wave-two, select: {{limit: {rest - half}}}, bake: 14d}}\n"
    )
    return text, Compared(tuple(pilot), tuple(control), "control"), min(size, half)


def _ids(partners: Sequence[str]) -> str:
    return ", ".join(json.dumps(one, ensure_ascii=False) for one in partners)


async def _facts(reading: Reading, plan: RolloutPlan, spec: MetricSpec) -> Facts:
    from judgement.seasons import Month
    from store.past import read_months

    past = await reading.past(_of(plan, spec), lambda: None)
    if past.history is None or past.end is None:
        return Facts(past, ())
    starts = _months(past.end)
    async with reading.conn.transaction(isolation="repeatable_read", readonly=True):
        state = spec.block is Block.STATE
        rows = await read_months(reading.conn, spec.name, reading.compared.pilot, starts, state=state)
        odd = await _odd_months(reading, starts) if spec.name is MetricName.CONTRIBUTION_MARGIN else {}
    found = [Month(start.date(), of_month) for start, of_month in rows.items()]
    while found and not any(row.facts for row in found[0].rows):
        found.pop(0)
    return Facts(past, found, odd)


def _months(end: datetime) -> list[datetime]:
    """First moments of the whole months before a moment, and the one at which the last of them ends."""
    last = end.date().replace(day=1)
    found = [last]
    while len(found) <= MONTHS:
        found.append((found[-1] - timedelta(days=1)).replace(day=1))
    return [datetime.combine(one, time(), UTC) for one in reversed(found)]


async def _odd_months(reading: Reading, starts: Sequence[datetime]) -> dict[date, str]:
    from judgement.quality import odd_months
    from models.evidence import Window
    from store.quality import read_quality

    raw = await read_quality(
        reading.conn,
        MetricName.CONTRIBUTION_MARGIN,
        [reading.compared.pilot],
        Window(start=starts[0], end=starts[-1]),
        days=7,
        periods=1,
    )
    far = DEFAULTS[Check.PLAUSIBILITY].amber or 0.0
    return {
        one.month: f"the ledger's margin in {one.currency} is {one.value:.1f} %, usual {one.usual:.1f}"
        for one in odd_months(raw.months)
        if abs(one.value - one.usual) >= far
    }


def _suggested(plan: RolloutPlan, spec: MetricSpec, found: Facts, runs: int) -> tuple[str, list[str]]:
    """What a plan says of a metric, as lines; and the stop conditions that go with it."""
    from judgement.planning import Ask, course_of, metric_power

    rule = _rule(plan, spec)
    if found.past.history is None:
        told = f"    # nothing in the store to go by: {found.past.nothing}. This is what people usually agree.\n"
        return "".join(_lines(spec, rule, told)), _stops(spec, rule)
    share = _pause_share(spec)
    power = metric_power(rule, found.past.history, Ask(course_of(plan, rule), runs, risk_share=share))
    if power.nothing is not None:
        told = f"    # nothing can be said: {power.nothing}. This is what people usually agree.\n"
        return "".join(_lines(spec, rule, told)), _stops(spec, rule)
    margin, why = _margin(spec, power)
    limits = _limits(rule, power.rules, keep_changes=margin is None)
    agreed = rule.model_copy(
        update={
            "thresholds": tuple(limits) or (() if margin else rule.thresholds),
            "change": ChangeRule(margin=margin) if margin else None,
        }
    )
    told = "".join(f"    # {line}\n" for line in _reasons(spec, found, power, margin or _usual_margin(spec)))
    return "".join(_lines(spec, agreed, told, limits, why)), _stops(spec, agreed)


def _rule(plan: RolloutPlan, spec: MetricSpec) -> MetricPlan:
    """What people usually agree, with the margin beside the limits."""
    usual = _usual_margin(spec)
    change = ChangeRule(margin=usual) if usual else None
    return _of(plan, spec).model_copy(update={"change": change, "tolerance": Tolerance()})


def _of(plan: RolloutPlan, spec: MetricSpec) -> MetricPlan:
    """What the plan says of a metric that it has."""
    return next(one for one in plan.metrics if one.metric is spec.name)


def _usual_margin(spec: MetricSpec) -> Margin | None:
    """By how much worse than its baseline people usually agree that a metric may be."""
    for text in spec.defaults.thresholds:
        limit: Threshold = parse_threshold(text)
        if limit.basis is not Basis.ABSOLUTE:
            return Margin(number=abs(limit.number), relative=limit.basis is Basis.RELATIVE)
    return None


def _pause_share(spec: MetricSpec) -> float:
    """As `judgement.horizon.pause_share` of a plan with waves in which every guardrail has a margin that can."""
    guards = sum(one.framework and one.use is MetricUse.GUARDRAIL and _usual_margin(one) is not None for one in _ALL)
    return 0.5 / max(1, guards if spec.use is MetricUse.GUARDRAIL else 1)


_ALL = tuple(CATALOGUE.values())


def _margin(spec: MetricSpec, power: MetricPower) -> tuple[Margin | None, str]:
    """The margin to agree on, and why; none where the cohort cannot show anything near the usual one."""
    from judgement.healthy import rounded_out, step_of

    change, usual = power.change, _usual_margin(spec)
    if change is None or usual is None:
        return None, ""
    passes = f", and {100 * (change.passed or 0):.0f} % of healthy ones are met at the gate"
    beside = f"{power.partners} partners beside {power.compared}"
    if change.resolves:
        return usual, f"usual; {beside} prove it by day {change.days_to_margin} in 4 of 5 rollouts{passes}"
    if change.margin_needed is not None:
        least: Margin = parse_margin(change.margin_needed)
        number = rounded_out(CUSHION * least.number, step_of(least.number), down=False)
        needed = least.model_copy(update={"number": number})
        if needed.number <= FAR * usual.number:
            more = f", {change.partners_needed} would show the usual {usual}" if change.partners_needed else ""
            return needed, f"the smallest that {beside} show by the planned end{more}"
    return None, ""


def _limits(rule: MetricPlan, cost: RulesCost | None, *, keep_changes: bool) -> dict[Threshold, str]:
    """The limits to agree on, each with what it costs."""
    found: dict[Threshold, str] = {}
    for one in cost.limits if cost else ():
        limit: Threshold = parse_threshold(one.wider or one.limit)
        if limit.basis is not Basis.ABSOLUTE and not keep_changes:
            continue
        if one.alone <= 0.1:
            found[limit] = f"{100 * one.alone:.1f} % of healthy rollouts are beyond {limit}"
        elif one.wider is not None:
            found[limit] = f"beyond the usual {one.limit} are {100 * one.alone:.0f} % of healthy rollouts"
    return found


def _reasons(spec: MetricSpec, found: Facts, power: MetricPower, margin: Margin | None) -> Iterator[str]:
    """What its past says of a metric, line by line."""
    from judgement import seasons

    state = spec.block is Block.STATE
    doubts = {**seasons.doubtful(spec.name, found.months, state=state), **found.odd}
    months = [one._replace(rows=()) if one.first in doubts else one for one in found.months]
    # Who orders once a quarter has two thin months in each.
    whole = [one._replace(rows=()) if one.first in found.odd else one for one in found.months]
    unit = "%" if spec.scale is Scale.AMOUNT else "pp"
    yield f"{power.value:.2f} over {power.weeks} weeks, of {power.partners} partners"
    moves = seasons.quarters(spec.name, whole, state=state)
    if moves is not None:
        yield f"moved by at most {moves.most:.1f}{unit} between quarters, {moves.first:%Y-%m} to {moves.last:%Y-%m}"
    season = seasons.months_of_year(spec.name, months)
    if season is not None and margin is not None and season.range > margin.number:
        once = "" if season.years > 1 else "; of one year only, so it may be chance"
        yield (
            f"season: {season.range:.1f}{unit} between {season.low_at} and {season.high_at}, more than the margin{once}"
        )
    history, end = found.past.history, found.past.end
    week = seasons.weekdays(history.pilot, end.weekday()) if history and end else None
    if week is not None and margin is not None and week.range > margin.number:
        yield f"weekdays: {week.range:.1f}{unit} between {week.low_at} and {week.high_at}: keep windows of whole weeks"
    for told in (*seasons.told(doubts), *found.past.notes):
        yield f"not to be used, {told}"


def _lines(
    spec: MetricSpec,
    rule: MetricPlan,
    told: str,
    limits: dict[Threshold, str] | None = None,
    why: str = "",
) -> list[str]:
    """The metric's part of the plan. Its fields are those of the template, in the same order."""
    does = {MetricUse.OUTCOME: "not met holds at the gate", MetricUse.GUARDRAIL: "not met pauses the rollout"}[spec.use]
    head = f"  - metric: {spec.name.value}".ljust(_COMMENT) + f"# {spec.use.value}, {spec.direction.value}: {does}\n"
    lines = [head, told, f"{window_text(spec)}\n"]
    if rule.thresholds:
        prices = "; ".join((limits or {}).values())
        lines.append(_beside(f"    thresholds: [{_quoted(map(str, rule.thresholds))}]", prices))
        lines.append(_beside("    tolerance: {in_a_row: 0}", "the limits leave room for chance already"))
    if rule.change is not None:
        lines.append(_beside(f"    change: {{margin: {rule.change.margin}}}", why))
    if spec.defaults.warns_unless:
        lines.append(f"    warning: [{_quoted(_warnings(spec, rule))}]\n")
    if rule.thresholds:
        lines += [f"{line}\n" for line in ahead_text(spec)]
    sample = rule.minimum_sample
    lines.append(f"    minimum_sample: {{partners: {sample.partners}, facts: {sample.facts}}}\n")
    lines.append(f"    freshness: {spec.defaults.freshness}\n")
    lines += [f"{line}\n" for line in checks_text(spec, by_change=rule.change is not None)]
    if spec.use is MetricUse.GUARDRAIL:
        lines.append("    on_breach: pause\n")
    return lines


def _quoted(limits: Iterable[str]) -> str:
    return ", ".join(f'"{one}"' for one in limits)


def _warnings(spec: MetricSpec, rule: MetricPlan) -> Iterator[str]:
    """The usual ones, without those that are looser than a threshold."""
    for text in spec.defaults.warns_unless:
        limit: Threshold = parse_threshold(text)
        if all(not _stricter(one, limit) for one in rule.thresholds):
            yield text


def _stops(spec: MetricSpec, rule: MetricPlan) -> list[str]:
    """The usual stop conditions, at least twice as far off as the margin; none that a threshold lies beyond."""
    found = []
    for text in spec.defaults.stops_unless:
        stop: Threshold = parse_threshold(text)
        margin = rule.change.margin if rule.change else None
        if margin is not None and stop.basis is (Basis.RELATIVE if margin.relative else Basis.DIFFERENCE):
            far = max(abs(stop.number), 2 * margin.number)
            stop = stop.model_copy(update={"number": -far if stop.at_least else far})
        if any(_stricter(stop, one) for one in rule.thresholds):
            continue
        found.append(f'  - {{condition: {spec.title} breaks down, metric: {spec.name.value}, unless: "{stop}"}}\n')
    return found


def _stricter(one: Threshold, other: Threshold) -> bool:
    """Whether a limit leaves less room than another of its kind."""
    alike = one.basis is other.basis and one.at_least is other.at_least
    return alike and (one.number > other.number if one.at_least else one.number < other.number)


def _beside(line: str, comment: str) -> str:
    return f"{line.ljust(_COMMENT)}# {comment}\n" if comment else f"{line}\n"
