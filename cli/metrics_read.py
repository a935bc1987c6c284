"""Reads a metric for whoever asks, without a rollout: of which partners, over which window, as known at a moment."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, NamedTuple

from cli.output import CliError, Exit
from cli.tree import moment
from models.base import many, parse_duration
from models.clock import FIRST, LAST
from models.evidence import CohortReading, Contribution, MetricAssessment, PartnerReading, Window
from models.metric import CATALOGUE, MetricName
from models.rollout import CohortMembers

if TYPE_CHECKING:
    from models.plan import Selector
    from store.pool import Connection

MOST_NAMED = 10
"""Names in a sentence that says which cannot be used."""

EACH = 3
"""Facts named of a partner who moved the number."""

MOVERS = 5
"""Partners of whom facts are named."""


class Span(NamedTuple):
    """What is read: a window, and the moment as of which it is known."""

    window: Window
    as_of: datetime

    @property
    def length(self) -> timedelta:
        """How long the window is."""
        return self.window.end - self.window.start

    @property
    def later(self) -> bool:
        """Whether the window had ended before the moment: a look at a rollout's metrics reads no such one."""
        return self.as_of > self.window.end


class Asked(NamedTuple):
    """Whom to read: ids or, without any, the active partners that tier, region and type take, at most `limit`."""

    partners: Sequence[str] = ()
    tier: Sequence[str] = ()
    region: Sequence[str] = ()
    type: Sequence[str] = ()
    limit: int | None = None


class Shown(NamedTuple):
    """A metric as it was read. `judged` has what the checks of its data found by the bounds of a new plan, None where
    they are not made. `before` is the reading of the window before and `moved` who made the difference, where that was
    asked for."""

    span: Span
    members: int
    reading: CohortReading
    rows: tuple[PartnerReading, ...]
    judged: MetricAssessment | None
    before: CohortReading | None = None
    moved: tuple[Contribution, ...] = ()


def span_of(
    metric: MetricName,
    length: timedelta | None,
    start: datetime | None,
    end: datetime | None,
    as_of: datetime | None,
    now: datetime,
) -> Span:
    """The window and the moment that options name. A window ends at the moment, and the moment is now, unless either is
    said; without a length or a start it is as long as people usually agree of the metric.

    Raises:
        CliError: they contradict each other, or lie where no clock of a programme does.
    """
    if length is not None and start is not None:
        raise CliError("--window and --from both say where the window begins; leave one of them out.", Exit.BAD_INPUT)
    known = _utc(as_of) or _utc(end) or now
    ends = _utc(end) or known
    if ends > known:
        told = f"--to is {moment(ends)}, after --as-of, {moment(known)}: nothing was known of that yet."
        raise CliError(told, Exit.BAD_INPUT)
    begins = _utc(start) or ends - (length or parse_duration(CATALOGUE[metric].defaults.window))
    if begins >= ends:
        raise CliError(f"--from is {moment(begins)}; it must lie before the end, {moment(ends)}.", Exit.BAD_INPUT)
    for option, one in (("--as-of", known), ("--from" if start else "--window", begins)):
        if not FIRST <= one <= LAST:
            told = f"{option} leads to {one:%Y-%m-%d}; allowed: {FIRST:%Y-%m-%d} to {LAST:%Y-%m-%d}."
            raise CliError(told, Exit.BAD_INPUT)
    return Span(Window(start=begins, end=ends), known)


def _utc(at: datetime | None) -> datetime | None:
    return at.replace(tzinfo=UTC) if at else None


async def whom(conn: Connection, asked: Asked, as_of: datetime) -> CohortMembers:
    """The partners asked for; by id they need not be active, as in a plan.

    Raises:
        CliError: an id or an attribute is nobody's, or nobody is taken.
    """
    from store.enrolments import select_partners, unknown_partners

    selected = asked.tier or asked.region or asked.type or asked.limit
    if asked.partners and selected:
        raise CliError("Name partners by --partner or select them by what they are, not both.", Exit.BAD_INPUT)
    if asked.partners:
        unknown = await unknown_partners(conn, asked.partners)
        if unknown:
            told = f"{many(len(unknown), 'partner is', 'partners are')} not in the store: {_names(unknown)}"
            raise CliError(
                f"{told}; import {'it' if len(unknown) == 1 else 'them'} first, or name others.", Exit.BAD_INPUT
            )
        return CohortMembers(name="named", partners=tuple(dict.fromkeys(asked.partners)))
    selector = await _selector(conn, asked)
    found = (await select_partners(conn, selector, as_of))[: asked.limit]
    if not found:
        told = f"The store has no active partner at {moment(as_of)}" + (" that is all of this" if selected else "")
        raise CliError(f"{told}; `rollouts data status` says what it has.", Exit.BAD_INPUT)
    return CohortMembers(name="selected" if selected else "everybody", partners=found)


async def _selector(conn: Connection, asked: Asked) -> Selector:
    """What a plan would select by; what no partner is, is a slip of the pen."""
    from models.plan import Selector
    from store.views import attributes

    allowed = await attributes(conn) if asked.tier or asked.region or asked.type else {}
    for field, there in allowed.items():
        strange = [one for one in getattr(asked, field) if one not in there]
        if strange:
            told = f"--{field}: no partner has {_names(strange)}; there are {_names(there) or 'none'}."
            raise CliError(told, Exit.BAD_INPUT)
    return Selector(tier=tuple(asked.tier), region=tuple(asked.region), type=tuple(asked.type))


def _names(found: Sequence[str]) -> str:
    more = f" and {len(found) - MOST_NAMED} more" if len(found) > MOST_NAMED else ""
    return ", ".join(found[:MOST_NAMED]) + more


async def read(conn: Connection, metric: MetricName, cohort: CohortMembers, span: Span, *, movers: bool) -> Shown:
    """One metric of one cohort, by the statements that a rollout's look reads and judges it by.

    Args:
        movers: also who made the difference to the window of the same length before, as a look then would have read it.

    Raises:
        CliError: it took too long.
    """
    try:
        shown = await _now(conn, metric, cohort, span)
        return await _with_movers(conn, metric, cohort, shown) if movers else shown
    except TimeoutError as problem:
        raise CliError("The store took too long to read it; ask of fewer partners or a shorter window.") from problem


async def _now(conn: Connection, metric: MetricName, cohort: CohortMembers, span: Span) -> Shown:
    from activities.measuring import measure, measure_later
    from cli.plan_template import usual_rule
    from judgement.quality import asked_of_cohorts
    from judgement.thresholds import judge

    if span.later:
        reading, rows = await measure_later(conn, metric, span.window, cohort, span.as_of)
        return Shown(span, cohort.size, reading, rows.partners, None)
    rule = usual_rule(CATALOGUE[metric]).model_copy(update={"window": span.length})
    found = await measure(conn, span.as_of, (cohort,), {metric: span.length}, alone=asked_of_cohorts((rule,)))
    [reading], [of_partners] = found.snapshot.readings, found.rows
    judged = judge(reading, rule, None, (), span.as_of)
    return Shown(span, cohort.size, reading, of_partners.partners, judged)


async def _with_movers(conn: Connection, metric: MetricName, cohort: CohortMembers, shown: Shown) -> Shown:
    from activities.measuring import measure
    from judgement.contributions import contributions
    from store.quality import facts_behind

    span = shown.span
    found = await measure(conn, span.window.start, (cohort,), {metric: span.length})
    [before], [then] = found.snapshot.readings, found.rows
    moved = contributions(metric, shown.rows, then.partners)
    first = [one.partner_id for one in moved[:MOVERS]]
    facts = await facts_behind(conn, metric, first, span.window, each=EACH)
    named = tuple(one.model_copy(update={"facts": facts.get(one.partner_id, ())}) for one in moved)
    return shown._replace(before=before, moved=named)
