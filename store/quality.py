"""Counts what can make facts mislead: silent sources, odd months, twins, partners who vanish, restatements."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from functools import partial
from types import MappingProxyType
from typing import Any, NamedTuple

from models.evidence import Window
from models.metric import CATALOGUE, MetricName, MetricSpec
from models.quality import Gone
from models.rollout import CohortMembers
from models.work import RolloutKey
from store.corrections import Corrections, corrected_since, days_at, facts_at, forms, read_corrections
from store.metrics import STATEMENT_SECONDS, Newest, data_through
from store.pool import Connection
from store.statements import shared_statement, statement

RESTATED_LATELY = timedelta(days=7)
"""A fact that was restated longer ago has settled; the functions `..._as_told` hold the same."""

MONTHS_BEFORE = 13
"""Months before the window that say what a usual month is."""

_TABLES_OF = MappingProxyType(
    {
        MetricName.LEAD_FOLLOW_UP_SLA: ("lead",),
        MetricName.PIPELINE_VELOCITY: ("opportunity",),
        MetricName.CONTRIBUTION_MARGIN: ("partner_transaction", "partner_cost"),
        MetricName.MDF_SPEND: ("mdf_claim",),
        MetricName.ENABLEMENT_COMPLETION: ("enablement_assignment",),
        MetricName.COMPLIANCE_SCORE: ("compliance_result",),
    }
)
"""The tables of facts behind a metric of the framework; the first is counted."""


def _tables(spec: MetricSpec) -> tuple[str, ...]:
    """Of a further metric those that it reads itself; where it shares none, the first of what it reads."""
    of = _TABLES_OF.get(spec.facts_of or spec.name, spec.reads[:1])
    return tuple(table for table in of if table in spec.reads)


_TABLES = {name: _tables(spec) for name, spec in CATALOGUE.items()}

_FLOWS = MappingProxyType(
    {
        MetricName.LEAD_FOLLOW_UP_SLA: ("assigned_at", "x.known_at"),
        MetricName.PIPELINE_VELOCITY: ("closed_at", "greatest(x.known_at, x.closed_known_at)"),
        MetricName.CONTRIBUTION_MARGIN: ("transaction_date", "x.known_at"),
    }
)
"""When a fact of what flows happened, and when that became known; what is not here is a state."""

_FIRST = MappingProxyType(
    {
        "enablement_assignment": "f.person_id, f.course_id, f.assigned_at desc, f.source_id desc",
        "compliance_result": "f.check_id, f.assessed_at desc, f.known_at desc, f.source_id desc",
    }
)
"""Which fact of a partner stands for the others where they are states: the first in the order of its table's index."""

_LEADS = frozenset(name for name, tables in _TABLES.items() if tables[0] == "lead")
"""The metrics of leads. A read of the SLA says beside its values what is checked here."""

_MEMBERS = "$1::int[], $2::text[]"
_NOT_TOLD_OF = "$12::int[], $13::text[]"
"""The members of whom no read of values has said which fact is the newest."""


def tables_behind(metrics: Iterable[MetricName]) -> frozenset[str]:
    """The tables of facts that the checks of these metrics count."""
    return frozenset(table for metric in metrics for table in _TABLES[metric])


def _newest(metric: MetricName, table: str) -> str:
    """Built of the project's own names only."""
    flow = _FLOWS.get(CATALOGUE[metric].facts_of or metric)
    kind, (at, known) = ("newest_of_flow", flow) if flow else ("newest_of_state", ("", ""))
    sql = statement(f"quality/{kind}").replace(":members", _NOT_TOLD_OF if metric in _LEADS else _MEMBERS)
    sql = sql.replace(":first", _FIRST.get(table, "f.known_at, f.source_id, f.source_system"))
    return sql.replace(":at", at).replace(":known", known)


def _counts(metric: MetricName, moment: str | None) -> str:
    """One statement of all that is counted: each that is asked by itself is waited for by itself."""
    table, *_ = _TABLES[metric]
    parts = {
        "newest": _newest(metric, table),
        "left": statement("quality/left"),
        "restated": statement("quality/restated"),
        "twice": shared_statement("quality/twice", metric) or statement("quality/twice/none"),
        "volumes": days_at(statement("quality/volumes"), (table,), moment),
        "through": data_through(metric).replace("$1", "$4"),
    }
    sql = statement("quality/counts")
    for name, part in parts.items():
        sql = sql.replace(f"(:{name})", f"(\n{part})")
    return facts_at(sql, table, moment)


_COUNTS = {metric: forms(partial(_counts, metric), "$4") for metric in _TABLES}
_FACTS = {
    metric: sql.replace("(:rate)", f"(\n{statement('quality/rate')})")
    for metric in _TABLES
    if (sql := shared_statement("quality/facts", metric))
}
"""Of churn the partner is the fact, and nothing stands behind it."""

_MONTHS = forms(partial(days_at, statement("quality/months"), _TABLES[MetricName.CONTRIBUTION_MARGIN]), "$4")
_COMPARISON = statement("quality/comparison")
_UNSETTLED = statement("quality/unsettled")


NOT_READ: Mapping[str, Newest] = MappingProxyType({})


class Period(NamedTuple):
    """What a source told of one period. `number` counts back from the newest, 0; `fresh` was known by its own end."""

    number: int
    facts: float
    fresh: float
    through: date


class LedgerMonth(NamedTuple):
    """Revenue and product cost of a month; of a month that the window cuts, what lies in it or before it."""

    month: date
    in_window: bool
    currency: str
    revenue: float
    cost: float


class Some(NamedTuple):
    """So many facts, and some of the partners they are of."""

    facts: int = 0
    partners: tuple[str, ...] = ()


class Heard(NamedTuple):
    """From which sources a group's newest facts come and of which day they are, and who of it has fallen silent."""

    partners: Mapping[str, int]
    through: Mapping[str, date]
    gone: Gone


class Raw(NamedTuple):
    """All that was read for the groups of one metric and window. `volumes` and `months` are of all partners; `through`
    is the latest event of the metric's facts, as `store.metrics.read_data_through` says it."""

    volumes: Mapping[str, Sequence[Period]]
    months: Sequence[LedgerMonth]
    heard: Sequence[Heard]
    twice: Sequence[Some]
    restated: Sequence[Some]
    through: datetime | None


async def read_quality(
    conn: Connection,
    metric: MetricName,
    groups: Sequence[Collection[str]],
    window: Window,
    *,
    days: int,
    periods: int,
    newest: Mapping[str, Newest] = NOT_READ,
    corrections: Corrections | None = None,
) -> Raw:
    """Count for many groups of partners at once, as of the end of the window.

    Args:
        days: length of the periods in which a source's volume is compared.
        periods: how many of them to read, back from the end of the window.
        newest: what a read of the same window, in the same state of the database, says of partners' leads already. They
            are not looked at again, but for those of whom it does not say enough or of whom a lead was corrected since:
            it is said of leads as they stand.
        corrections: what `read_corrections` found of `tables_behind` the metric; it is asked where nobody says.
    """
    tables = _TABLES[metric]
    pairs = [(number, partner) for number, group in enumerate(groups) for partner in dict.fromkeys(group)]
    members = [number for number, _ in pairs], [partner for _, partner in pairs]
    start, as_of = window.start, window.end
    asked = (start, as_of, as_of - start, as_of - RESTATED_LATELY, list(tables))
    counted = (tables[0], as_of.date(), days, periods)
    rows: dict[str, list[Any]] = defaultdict(list)
    if corrections is None:
        corrections = await read_corrections(conn, tables)
    corrected = corrected_since(corrections, tables, as_of)
    sql = _COUNTS[metric].known if corrected else _COUNTS[metric].standing
    told = newest if metric in _LEADS else NOT_READ
    if corrected and told:
        told = await _settled(conn, told, as_of)
    left_open = _left_open(pairs, told) if metric in _LEADS else ()
    for row in await conn.fetch(sql, *members, *asked, *counted, *left_open, timeout=STATEMENT_SECONDS):
        rows[row["what"]].append(row)
    [through] = rows["through"]
    return Raw(
        volumes=_volumes(rows["volumes"]),
        months=await _months(conn, window, corrected) if metric is MetricName.CONTRIBUTION_MARGIN else (),
        heard=[
            _heard(
                [row for row in rows["newest"] if row["group_no"] == number],
                [told[partner] for partner in dict.fromkeys(group) if partner in told],
                sum(int(row["numbers"][0]) for row in rows["left"] if row["group_no"] == number),
            )
            for number, group in enumerate(groups)
        ],
        twice=_some(rows["twice"], len(groups)),
        restated=_some(rows["restated"], len(groups)),
        through=through["moment"],
    )


async def _settled(conn: Connection, told: Mapping[str, Newest], as_of: datetime) -> dict[str, Newest]:
    """What was told of leads, of whom none was corrected since: of them leads as they stand are what was known."""
    unsettled = {row["partner_id"] for row in await conn.fetch(_UNSETTLED, as_of)}
    return {partner: one for partner, one in told.items() if partner not in unsettled}


def _left_open(
    members: Sequence[tuple[int, str]], told: Mapping[str, Newest]
) -> tuple[list[int], list[str], list[str]]:
    """Of which members, by number of group and partner, it is still to be asked which fact is the newest; and of whom
    facts may stand there twice."""
    open_ = [(number, one) for number, one in members if one not in told or told[one].source is None]
    twice = [one for one in dict.fromkeys(one for _, one in members) if one not in told or told[one].alike]
    return [number for number, _ in open_], [one for _, one in open_], twice


async def comparison_cohort(
    conn: Connection, key: RolloutKey, control: str | None, measured: Sequence[str], as_of: datetime
) -> CohortMembers | None:
    """The partners beside a rollout: its control cohort or, without one, whoever of its cohorts is not enrolled yet.

    Args:
        measured: names of the cohorts that are measured themselves; nobody is compared with themselves.
    """
    rows = await conn.fetch(_COMPARISON, key.rollout_id, key.chain_id, control, as_of, list(measured))
    partners = tuple(row["partner_id"] for row in rows)
    return CohortMembers(name=control or "not enrolled", partners=partners) if partners else None


def _volumes(rows: Sequence[Any]) -> dict[str, list[Period]]:
    found: dict[str, list[Period]] = defaultdict(list)
    for row in rows:
        number, facts, fresh = row["numbers"]
        found[row["source"]].append(Period(int(number), facts, fresh, row["day"]))
    return {source: sorted(periods) for source, periods in sorted(found.items())}


async def _months(conn: Connection, window: Window, corrected: bool) -> tuple[LedgerMonth, ...]:
    first = window.start.date().replace(day=1) - timedelta(days=MONTHS_BEFORE * 31)
    asked = (first.replace(day=1), window.start.date(), window.end.date())
    rows = await _MONTHS.read(conn, window.end if corrected else None, *asked)
    return tuple(LedgerMonth(*row.values()) for row in rows)


def _heard(rows: Sequence[Any], told: Sequence[Newest], left: int) -> Heard:
    """What was counted of some of a group, and what had been told of the others: all of them were heard of in the
    window."""
    partners, through = defaultdict[str, int](int), dict[str, date]()
    numbers = [[*map(int, row["numbers"])] for row in rows]
    days = [(row["source"], of, row["day"]) for row, (of, _, _) in zip(rows, numbers, strict=True)]
    known = [(one.source, 1, one.at.astimezone(UTC).date()) for one in told]
    for source, of, day in (*days, *known):
        if source:
            partners[source] += of
            through[source] = max(day, through.get(source, day))
    silent = sum(silent for _, _, silent in numbers)
    return Heard(
        partners=partners,
        through=through,
        gone=Gone(
            had=sum(heard for _, heard, _ in numbers) + silent + sum(one.source is not None for one in told),
            silent=silent,
            left=left,
            names=tuple(sorted({name for row in rows for name in row["names"] or ()})[:5]),
        ),
    )


def _some(rows: Sequence[Any], groups: int) -> tuple[Some, ...]:
    found = {row["group_no"]: Some(int(row["numbers"][0]), tuple(row["names"])) for row in rows}
    return tuple(found.get(number, Some()) for number in range(groups))


async def facts_behind(
    conn: Connection, metric: MetricName, partners: Sequence[str], window: Window, *, each: int
) -> dict[str, tuple[str, ...]]:
    """By partner the facts that count most against the metric, at most `each`: leads, deals, claims by their ids."""
    sql = _FACTS.get(metric)
    if sql is None or not partners:
        return {}
    found: dict[str, list[str]] = defaultdict(list)
    for row in await conn.fetch(sql, list(partners), window.start, window.end, each):
        found[row["partner_id"]].append(row["fact"])
    return {partner: tuple(facts) for partner, facts in found.items()}
