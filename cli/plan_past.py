"""Reads what planning with numbers rests on: the past of a plan's pilot, and of whom it is compared with."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Annotated, NamedTuple, TypeAlias

import typer

from cli.output import CliError, Exit
from models.base import many
from models.metric import CATALOGUE, Block, MetricName
from models.plan import CohortSpec, RolloutPlan, Selector
from models.plan_metric import MetricPlan

if TYPE_CHECKING:
    from judgement.panel import Panel
    from judgement.planning import History
    from store.past import PastRows
    from store.pool import Connection

Done: TypeAlias = Callable[[], None]

LEAST = 26
"""Weeks of history to read, where a plan's baseline is not longer."""

MOST = 260

MOST_COMPARED = 200
"""Partners to compare with that are read: more of them add nothing to what a pilot can show."""

SETTLED = timedelta(days=5)
"""How long it takes for a day's facts to be complete, where the plan does not say."""

Weeks = Annotated[
    int | None,
    typer.Option(
        "--weeks", min=8, max=MOST, help=f"Weeks of history to read; default: the plan's baseline, {LEAST} at least."
    ),
]
ClockStart = Annotated[
    datetime | None,
    typer.Option(
        formats=["%Y-%m-%d"], metavar="DATE", help="Read as of this day, as `start --clock-start`; default now."
    ),
]


class NobodyThere(CliError):
    """The pilot has no partner in the store, or one that it does not know."""

    def __init__(self, message: str) -> None:
        super().__init__(message, Exit.BAD_INPUT)


class Compared(NamedTuple):
    """The pilot, and the partners beside it under the name that says who they are."""

    pilot: tuple[str, ...]
    others: tuple[str, ...]
    who: str | None


class PastOf(NamedTuple):
    """One metric's past; without one, why. `notes` say what of it cannot be used."""

    history: History | None
    end: datetime | None
    nothing: str | None
    notes: tuple[str, ...] = ()


def moment(clock_start: datetime | None) -> datetime:
    """The moment asked for."""
    return clock_start.replace(tzinfo=UTC) if clock_start else datetime.now(UTC)


def weeks_of(plan: RolloutPlan, asked: int | None) -> int:
    """Weeks to read."""
    return asked or min(MOST, max(LEAST, -(-plan.phases.baseline_window // timedelta(weeks=1))))


async def whom(conn: Connection, plan: RolloutPlan, as_of: datetime) -> Compared:
    """Whom the pilot would have if it were resolved now, and whom it would be compared with: the control cohort, or
    partners of the waves and, without any, everybody else who is active.

    Raises:
        NobodyThere: there is nobody in the pilot, or an id that no partner has.
    """
    from store.enrolments import resolve, select_partners, unknown_partners

    pilot, control, waves = plan.cohorts.pilot, plan.cohorts.control, plan.cohorts.waves
    unknown = await unknown_partners(conn, pilot.partners)
    if unknown:
        told = (
            f"{many(len(unknown), f'partner of {pilot.name} is', f'partners of {pilot.name} are')} not in the store: "
            f"{', '.join(unknown[:5])}"
        )
        raise NobodyThere(f"{told}; import the partners first, or name others.")
    specs: list[CohortSpec] = [pilot, *([control] if control else waves)]
    members, *beside = await resolve(conn, specs, as_of)
    if not members.partners:
        raise NobodyThere(f"The pilot {pilot.name} selects no active partner of the store.")
    others = tuple(partner for cohort in beside for partner in cohort.partners)
    who = control.name if control else "the waves"
    if not others:
        everybody = await select_partners(conn, Selector(), as_of)
        others, who = tuple(set(everybody) - set(members.partners)), "everybody else"
    return Compared(members.partners, _spread(sorted(others)), who if others else None)


def _spread(partners: Sequence[str]) -> tuple[str, ...]:
    """At most `MOST_COMPARED` of them, evenly over all."""
    step = max(1.0, len(partners) / MOST_COMPARED)
    return tuple(partners[int(at * step)] for at in range(min(len(partners), MOST_COMPARED)))


def blocks_of(metrics: Sequence[MetricPlan], weeks: int) -> int:
    """How many blocks there are to read, of all metrics."""
    return sum(weeks if CATALOGUE[one.metric].block is Block.STATE else 7 * weeks for one in metrics)


class Reading(NamedTuple):
    """What is the same for all metrics of one read."""

    conn: Connection
    compared: Compared
    as_of: datetime
    weeks: int

    async def past(self, rule: MetricPlan, done: Done) -> PastOf:
        """The past of one metric, without weeks at either end of which the pilot has no facts."""
        from store.past import read_days, read_states

        groups = (self.compared.pilot, self.compared.others)
        settled = max(SETTLED, rule.change.maturity if rule.change else SETTLED)
        async with self.conn.transaction(isolation="repeatable_read", readonly=True):
            if CATALOGUE[rule.metric].block is Block.STATE:
                rows = await read_states(
                    self.conn,
                    rule.metric,
                    groups,
                    weeks=self.weeks,
                    window=rule.window,
                    as_of=self.as_of,
                    done=done,
                )
            else:
                rows = await read_days(
                    self.conn, rule.metric, groups, weeks=self.weeks, settled=settled, as_of=self.as_of, done=done
                )
        return _usable(rule.metric, rows, self.compared)


def _usable(metric: MetricName, rows: PastRows, compared: Compared) -> PastOf:
    from judgement.panel import panel_of, wrong_blocks
    from judgement.planning import History

    if rows.end is None:
        return PastOf(None, None, "the store has no facts of it")
    pilot = panel_of(metric, [block[0] for block in rows.blocks], compared.pilot)
    told = [week for week in range(pilot.weeks) if _facts(pilot, week)]
    if not told:
        return PastOf(
            None,
            rows.end,
            "nobody of the pilot has a fact in the weeks that were read; --clock-start and --weeks read others",
        )
    wrong = {at // pilot.per_week: why for at, why in wrong_blocks(metric, [b[0] for b in rows.blocks]).items()}
    kept = [week for week in range(told[0], told[-1] + 1) if week not in wrong]
    reasons = tuple(wrong.values())
    notes = tuple(f"{many(reasons.count(why), 'week')} cannot be used: {why}" for why in dict.fromkeys(reasons))
    if not kept:
        return PastOf(None, rows.end, "; ".join(notes))
    others = panel_of(metric, [block[1] for block in rows.blocks], compared.others) if compared.others else None
    history = History(pilot.keeping(kept), others.keeping(kept) if others else None)
    return PastOf(history, rows.end, None, notes)


def _facts(panel: Panel, week: int) -> float:
    return float(panel.facts[week * panel.per_week : (week + 1) * panel.per_week].sum())
