"""Facts for workflow tests: partners whose leads and sales are regular, so that each number can be told by hand.

Every partner gets one lead a day at 08:00 UTC, due after 24 hours and contacted after 4, and one sale of 100 a
week at a cost of 70: an SLA of 100 % and a margin of 30 %, until a test says otherwise.
"""

from __future__ import annotations

from datetime import date, datetime

import asyncpg

from tests.plans import CONTROL, PILOT, WAVE_1, WAVE_2

UNHURRIED = 300.0
"""Seconds that a statement has which writes years of facts; what the pools of a service give one is for its own."""

EVERYBODY = (*PILOT, *WAVE_1, *WAVE_2, *CONTROL)

_PARTNERS = """
insert into partner (partner_id, name, type, tier, region, active_from, source_system, source_id, known_at)
select id, 'Partner ' || id, 'reseller', 'gold', 'north', '2020-01-01', 'test', id, '2020-01-01Z'
from unnest($1::text[]) id
"""
_LEADS = """
insert into lead (source_system, source_id, partner_id, assigned_at, contact_due_at, first_contact_at, known_at)
select 'test', id || '-' || to_char(day, 'YYYYMMDD'), id, day + interval '8 hours', day + interval '32 hours',
       day + interval '12 hours', day + interval '8 hours'
from unnest($1::text[]) id, generate_series($2::timestamptz, $3::timestamptz - interval '1 day', interval '1 day') day
"""
_SALES = """
insert into partner_transaction (source_system, source_id, transaction_id, partner_id, kind, transaction_date,
                                 net_amount, currency, known_at)
select 'test', 'T' || id || to_char(day, 'YYYYMMDD'), 'T' || id || to_char(day, 'YYYYMMDD'), id, 'sale', day::date,
       100, 'USD', day
from unnest($1::text[]) id, generate_series($2::timestamptz, $3::timestamptz - interval '1 day', interval '7 days') day
"""
_COSTS = """
insert into partner_cost (source_system, source_id, partner_id, transaction_id, kind, amount, currency,
                          recognised_on, known_at)
select 'test', 'C' || transaction_id, partner_id, transaction_id, 'product', 70, 'USD', transaction_date, known_at
from partner_transaction
"""


async def seed_facts(pool: asyncpg.Pool, start: date, end: date) -> None:
    """Partners of all test cohorts with facts from `start` until the day before `end`."""
    async with pool.acquire() as connection, connection.transaction():
        first, last = _midnight(start), _midnight(end)
        await connection.execute(_PARTNERS, EVERYBODY, timeout=UNHURRIED)
        await connection.execute(_LEADS, EVERYBODY, first, last, timeout=UNHURRIED)
        await connection.execute(_SALES, EVERYBODY, first, last, timeout=UNHURRIED)
        await connection.execute(_COSTS, timeout=UNHURRIED)


async def slump(pool: asyncpg.Pool, partners: tuple[str, ...], start: date, end: date, *, every: int = 1) -> None:
    """These partners contact the leads assigned in `[start, end)` two days late; `every` third day only, for 3."""
    await pool.execute(
        "update lead set first_contact_at = assigned_at + interval '3 days' "
        "where partner_id = any($1) and assigned_at >= $2 and assigned_at < $3 "
        "and extract(doy from assigned_at)::int % $4 = 0",
        partners,
        _midnight(start),
        _midnight(end),
        every,
        timeout=UNHURRIED,
    )


async def silence(pool: asyncpg.Pool, start: date, end: date) -> None:
    """No lead becomes known in `[start, end)`: as if the source had been cut off."""
    await pool.execute(
        "delete from lead where assigned_at >= $1 and assigned_at < $2", _midnight(start), _midnight(end)
    )


def _midnight(day: date) -> datetime:
    return datetime.fromisoformat(f"{day.isoformat()}T00:00:00+00:00")


async def stumble(pool: asyncpg.Pool) -> None:
    """Everybody misses some deadlines, some partners more than others: from 4 to 15 leads of a hundred, always the same
    ones."""
    await pool.execute(
        "update lead set first_contact_at = assigned_at + interval '3 days' "
        "where ('x' || left(md5(source_id), 6))::bit(24)::int % 100 "
        "< 4 + ('x' || left(md5(partner_id), 6))::bit(24)::int % 12"
    )
