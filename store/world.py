"""A seeded synthetic partner world, written to the tables of facts by COPY: for demos, benches and tests.

Everything follows from the seed. What is drawn, for an average (silver) partner; other tiers are 0.85 to 1.6 times
as large, each partner +-10 percent of that:

| stream | distribution | so that a cohort of 20 or more reads, over 28 to 90 days |
| --- | --- | --- |
| partners | 10/20/35/35 percent platinum/gold/silver/bronze, 40/35/25 emea/amer/apac; 3 percent join, 2 leave | |
| leads | 11 in 28 days, gaps uniform 0.4-1.6 of their mean, local working hours, 12 percent of weekend ones stay there; due in 8, 16 or 24 business hours; each partner's share in time normal(94, 1.5); a quarter of misses never contacted; 1.5 percent excluded | SLA about 93 (sd 1.5) |
| deals | 10 in 28 days, half won (every other one), cycle triangular(12, 30, 18) days, value lognormal(sigma 0.18); 5 percent never qualify, 4 percent cancelled or duplicate | velocity steady within 5 percent a month (sd) |
| sales | 7 in 28 days, list value lognormal(sigma 0.5), discount uniform 5-15 percent; product cost normal(67.5, 1.5) percent by partner and normal(., 3) by line, freight 1.5-3.5, rebate 1.5, returns 2 | margin 26-29 |
| rates | five currencies beside the dollar, each wandering +-1.2 percent a month | |
| MDF | 1.4 percent of expected sales a quarter, in 13 weekly requests of 88-118 percent of their share; 3 percent rejected, 2 never claimed, claims at 93-106 percent, co-pay 50 | 90-105 percent of plan to date |
| enablement | 4 to 7 people, three yearly courses and a quarterly one; 87 percent on time, 7 late, 6 never | 90-93 |
| compliance | nine checks, weight 10/7/4/2; critical ones pass, others pass 78, partial 17, fail 5 percent, failures assessed again after 45 days | 93-95 |

Facts become known as late as they do in practice: leads in ten minutes, contacts in hours and a few after two days,
sales the next night and 3 percent up to five days later, rebates on the tenth of the next month.

This is a calm world on purpose: real months vary more. It stands well clear of the usual thresholds, so that what a
rollout reports is what was planted with a `Slump`.
"""  # noqa: E501

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from datetime import datetime, timedelta
from typing import Final

import asyncpg

from models.base import Frozen, Instant
from store.world_leads import lead_rows
from store.world_partners import roster, slumping
from store.world_programme import compliance_rows, enablement_rows, mdf_rows
from store.world_rows import COLUMNS, Rows
from store.world_sales import opportunity_rows, sales_rows
from store.world_spec import SOURCE, Slump, WorldPartner, WorldSpec, midnight

_COPY_SECONDS: Final = 600.0
_STREAMS: Final[tuple[Callable[[WorldSpec, Sequence[WorldPartner]], Rows], ...]] = (
    sales_rows,
    opportunity_rows,
    lead_rows,
    mdf_rows,
    enablement_rows,
    compliance_rows,
)


class WorldExistsError(Exception):
    """The database holds a synthetic world already; two would mix."""


class WorldReport(Frozen):
    """What was written: rows by table, the moments the world runs from and to, and the partners each slump hits."""

    partners: int
    rows: dict[str, int]
    starts_at: Instant
    ends_at: Instant
    slumping: tuple[tuple[str, ...], ...]


async def generate_world(
    conn: asyncpg.Connection[asyncpg.Record], spec: WorldSpec, progress: Callable[[int, int], None] | None = None
) -> WorldReport:
    """Write the world in one transaction, and bring the planner's statistics up to date.

    Args:
        progress: called with the streams of facts that are written, and how many there are.

    Raises:
        WorldExistsError: there is one already; nothing was written.
        ValueError: a slump names partners the world does not have; nothing was written.
        asyncpg.PostgresError: the database refused; nothing was written.
    """
    partners = roster(spec)
    hit = tuple(tuple(sorted(slumping(slump, partners))) for slump in spec.slumps)
    async with conn.transaction():
        if await conn.fetchval("select exists (select from partner where source_system = $1)", SOURCE):
            raise WorldExistsError("this database already holds a synthetic world; use an empty one")
        counts = await _partner_rows(spec, partners).copy(conn, _COPY_SECONDS)
        written = 0
        async for rows in _made_ahead(spec, partners):
            counts |= await rows.copy(conn, _COPY_SECONDS)
            written += 1
            if progress is not None:
                progress(written, len(_STREAMS))
        await conn.execute(f"analyze {', '.join(COLUMNS)}", timeout=_COPY_SECONDS)
    return WorldReport(
        partners=len(partners), rows=counts, starts_at=spec.starts_at, ends_at=spec.ends_at, slumping=hit
    )


async def _made_ahead(spec: WorldSpec, partners: Sequence[WorldPartner]) -> AsyncIterator[Rows]:
    """The rows of each stream, made in a thread while the database still takes in those before."""
    first, *others = _STREAMS
    upcoming = asyncio.create_task(asyncio.to_thread(first, spec, partners))
    for stream in others:
        rows = await upcoming
        upcoming = asyncio.create_task(asyncio.to_thread(stream, spec, partners))
        yield rows
    yield await upcoming


def _partner_rows(spec: WorldSpec, partners: Sequence[WorldPartner]) -> Rows:
    rows = Rows()
    for one in partners:
        known = _registered(one, spec)
        rows.add(
            "partner",
            *(one.partner_id, one.name, one.type, one.tier, one.region, one.country, one.time_zone, one.currency),
            *(one.active_from, one.active_to, one.partner_id, known),
        )
    return rows


def _registered(partner: WorldPartner, spec: WorldSpec) -> datetime:
    """Those who join during the world are registered a month ahead."""
    return min(midnight(partner.active_from) - timedelta(days=30), spec.starts_at - timedelta(days=400))


__all__ = [
    "Slump",
    "WorldExistsError",
    "WorldPartner",
    "WorldReport",
    "WorldSpec",
    "generate_world",
    "roster",
]
