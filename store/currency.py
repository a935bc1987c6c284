"""The one currency that all money is reported in: which it is, what it lacks rates for, and setting another one."""

from __future__ import annotations

from datetime import date
from typing import NamedTuple

from models.base import Frozen
from store.pool import Connection
from store.statements import statement

_WITHOUT_RATE = statement("currency/without_rate")
_ROLLOUTS = statement("currency/rollouts")
_READ = "select currency from reporting_currency"
_SET = "update reporting_currency set currency = $1"
# Whoever registers a rollout waits, so that none begins between the look and the change.
_NOBODY_BEGINS = "lock table rollout in share row exclusive mode"


class WithoutRate(Frozen):
    """Money that has no value in a reporting currency: months in which there is some, and no rate."""

    currency: str
    months: int
    first: date
    last: date


class Rollouts(NamedTuple):
    """Rollouts whose evidence is in the reporting currency: names of those that are open, and how many are over."""

    open: tuple[str, ...]
    over: int


class RolloutsOpen(Exception):
    """Rollouts are judged against baselines in the currency that there is; `names` are theirs."""

    def __init__(self, names: tuple[str, ...]) -> None:
        super().__init__(f"open rollouts: {', '.join(names)}")
        self.names = names


async def reporting_currency(conn: Connection) -> str:
    """Its code, of three letters."""
    found: str = await conn.fetchval(_READ)
    return found


async def without_rate(conn: Connection, currency: str) -> tuple[WithoutRate, ...]:
    """The currencies that there is money of and no rate into `currency` for. Reads every amount there is."""
    return tuple(WithoutRate(**row) for row in await conn.fetch(_WITHOUT_RATE, currency))


async def rollouts_in_it(conn: Connection) -> Rollouts:
    """Whose evidence is in the reporting currency that there is."""
    row = await conn.fetchrow(_ROLLOUTS)
    return Rollouts(open=tuple(row["open"]), over=row["over"]) if row else Rollouts((), 0)


async def set_reporting_currency(conn: Connection, currency: str) -> Rollouts:
    """Report all money in another currency from now on; the rollouts whose evidence stays in the one before.

    Raises:
        RolloutsOpen: some are open. Nothing is changed.
        asyncpg.InsufficientPrivilegeError: the role may not.
    """
    async with conn.transaction():
        await conn.execute(_NOBODY_BEGINS)
        found = await rollouts_in_it(conn)
        if found.open:
            raise RolloutsOpen(found.open)
        await conn.execute(_SET, currency)
    return found
