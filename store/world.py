"""A seeded synthetic partner world, written to the tables of facts by COPY: for demos, benches and tests.

Everything follows from the seed. What is drawn, for an average (silver) partner, stands in docs/data.md; other tiers
are 0.85 to 1.6 times as large, each partner +-10 percent of that. What facts usually come to has a stream of chance;
what befalls a few of them, their `fate`, has another, so that one more fate moves nothing else.

Facts become known as late as they do in practice: leads in ten minutes, contacts in hours and a few after two days,
sales the next night and 3 percent up to five days later, rebates on the tenth of the next month.

Leads, deals and sales can be made more or fewer (`WorldSpec`); MDF follows the sales.

This is a calm world on purpose: real months vary more. It stands well clear of the usual thresholds, so that what a
rollout reports is what was planted with a `Slump`.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Final, NamedTuple

import asyncpg

from models.base import Frozen, Instant
from store.calendars.staged import settle_pauses_of
from store.intake.ahead import made_ahead
from store.intake.kinds import KINDS
from store.intake.ledger import Counted, Origin, Run, write_run
from store.intake.reach import Reach, events_of
from store.world_accruals import add_accrual_budgets, add_accruals
from store.world_hours import DaysOff, take_in_days_off
from store.world_leads import add_leads, add_policies
from store.world_partners import COUNTRY_OF, each_partner, roster, slumping
from store.world_programme import add_budgets, add_checks, add_compliance, add_courses, add_enablement, add_mdf
from store.world_rows import COLUMNS, FURTHER_COLUMNS, Rows
from store.world_sales import add_deals, add_rates_and_runs, add_sales
from store.world_spec import SOURCE, Further, Slump, WorldPartner, WorldSpec, midnight
from store.world_wrong import hears_wrong

_SECONDS: Final = 3600.0
_AFTERMATH: Final = timedelta(days=366)
"""By then what began in the world has ended and is known."""
_COUNTED: Final = ("fact_day", "fact_restated")
"""Counted from facts as they are written, by triggers."""
_SMALLEST, _LARGEST = 20_000, 200_000
"""Rows of a portion. The first are small, so that something is to be seen soon; all later ones large, because what
follows from facts costs the same for many of them as for few. They bound what is held in memory."""


class WorldExistsError(Exception):
    """The database holds a synthetic world already; two would mix."""


class WorldReport(Frozen):
    """What was written: rows by table, how many of these say something else later, the moments the world runs from and
    to, and the partners each slump hits."""

    partners: int
    rows: dict[str, int]
    amended: dict[str, int] = {}
    starts_at: Instant
    ends_at: Instant
    slumping: tuple[tuple[str, ...], ...]


async def generate_world(
    conn: asyncpg.Connection[asyncpg.Record], spec: WorldSpec, progress: Callable[[int, int], None] | None = None
) -> WorldReport:
    """Write the world in one transaction, and bring the planner's statistics up to date.

    Memory does not grow with the world: partners are made in portions, while those before are written.

    Args:
        progress: called with the partners that are written, and how many there are.

    Raises:
        WorldExistsError: there is one already; nothing was written.
        ValueError: a slump names partners the world does not have; nothing was written.
        asyncpg.PostgresError: the database refused; nothing was written.
    """
    began = time.monotonic()
    hit = tuple(tuple(sorted(slumping(slump, each_partner(spec)))) for slump in spec.slumps)
    counts, amended = Counter[str](), Counter[str]()
    async with conn.transaction():
        # Two that begin at the same time must not both find none.
        await conn.execute("select pg_advisory_xact_lock(hashtext('rollouts data generate'))", timeout=_SECONDS)
        if await conn.fetchval("select exists (select from partner where source_system = $1)", SOURCE):
            raise WorldExistsError("this database already holds a synthetic world; use an empty one")
        off: DaysOff = await take_in_days_off(conn, spec, COUNTRY_OF) if Further.HOLIDAYS in spec.further else {}
        portions = _portions(spec, hit, off)
        async with made_ahead(lambda: next(portions, None)) as made:
            async for portion in made:
                rows = portion.rows
                counts.update(await rows.copy(conn, _SECONDS))
                amended.update(await rows.write_amendments(conn, _SECONDS))
                await settle_pauses_of(conn, [(SOURCE, one) for one in rows.pauses], spec.ends_at + _AFTERMATH)
                if progress is not None:
                    progress(portion.partners, spec.partners)
        await conn.execute(f"analyze {', '.join((*COLUMNS, *FURTHER_COLUMNS))}", timeout=_SECONDS)
        await _enter(conn, spec, counts, time.monotonic() - began)
    kinds = {of_kind.table for of_kind in KINDS.values()}
    return WorldReport(
        partners=spec.partners,
        rows={table: counts[table] for table in (*COLUMNS, *FURTHER_COLUMNS) if counts[table] and table in kinds},
        amended=dict(sorted(amended.items())),
        starts_at=spec.starts_at,
        ends_at=spec.ends_at,
        slumping=hit,
    )


async def tidy_world(conn: asyncpg.Connection[asyncpg.Record]) -> None:
    """What the database does by itself a minute or so after so many rows have come, done now: until then nothing is
    read from an index alone, and who reads until then goes on with the plans made then. Not within a transaction.

    Raises:
        asyncpg.PostgresError, TimeoutError: the world stands all the same.
    """
    await conn.execute(f"vacuum {', '.join((*COLUMNS, *FURTHER_COLUMNS))}", timeout=_SECONDS)
    await conn.execute(f"vacuum (analyze) {', '.join(_COUNTED)}", timeout=_SECONDS)


class _Portion(NamedTuple):
    """Rows that are written together, and how many partners are made when they are."""

    rows: Rows
    partners: int


def _portions(spec: WorldSpec, hit: tuple[tuple[str, ...], ...], off: DaysOff) -> Iterator[_Portion]:
    """What all partners share, then partner by partner. Where one portion ends says nothing about the facts."""
    heard = hears_wrong(spec) if Further.CORRECTIONS in spec.further else None
    rows, wanted = Rows(heard), _SMALLEST
    add_rates_and_runs(rows, spec)
    add_policies(rows, spec, COUNTRY_OF)
    add_courses(rows, spec)
    add_checks(rows, spec)
    add_budgets(rows, spec, each_partner(spec))
    if Further.ACCRUALS in spec.further:
        add_accrual_budgets(rows, spec, each_partner(spec))
    members = [(slump, frozenset(ids)) for slump, ids in zip(spec.slumps, hit, strict=True)]
    for number, partner in enumerate(each_partner(spec), 1):
        _add_partner(rows, spec, partner, [slump for slump, ids in members if partner.partner_id in ids], off)
        if rows.count >= wanted or number == spec.partners:
            yield _Portion(rows, number)
            rows, wanted = Rows(heard), min(2 * wanted, _LARGEST)


def _add_partner(rows: Rows, spec: WorldSpec, one: WorldPartner, slumps: list[Slump], off: DaysOff) -> None:
    rows.add(
        "partner",
        *(one.partner_id, one.name, one.type, one.tier, one.region, one.country, one.time_zone, one.time_zone),
        *(one.currency, f"{one.region}-{one.country.lower()}@vendor.example", one.active_from, one.active_to),
        *(one.partner_id, _registered(one, spec)),
    )
    sold = add_sales(rows, spec, one)
    add_deals(rows, spec, one)
    add_leads(rows, spec, one, slumps, off)
    add_mdf(rows, spec, one)
    if Further.ACCRUALS in spec.further:
        add_accruals(rows, spec, one, sold)
    add_enablement(rows, spec, one)
    add_compliance(rows, spec, one)


def _registered(partner: WorldPartner, spec: WorldSpec) -> datetime:
    """Those who join during the world are registered a month ahead."""
    return min(midnight(partner.active_from) - timedelta(days=30), spec.starts_at - timedelta(days=400))


async def _enter(
    conn: asyncpg.Connection[asyncpg.Record], spec: WorldSpec, counts: Mapping[str, int], seconds: float
) -> None:
    """Enter the world into the ledger, a row for each kind. It reaches to its end; until then to each moment."""
    for kind, of_kind in KINDS.items():
        if rows := counts[of_kind.table]:
            run = Run(
                kind=kind,
                source=SOURCE,
                origin=Origin.GENERATED,
                imported_at=datetime.now(UTC),
                seconds=seconds,
                counted=Counted(read=rows, new=rows),
            )
            await write_run(conn, run, Reach(through=spec.ends_at if events_of(of_kind) else None))


__all__ = [
    "Further",
    "Slump",
    "WorldExistsError",
    "WorldPartner",
    "WorldReport",
    "WorldSpec",
    "generate_world",
    "roster",
    "tidy_world",
]
