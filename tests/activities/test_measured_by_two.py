"""A look that two connections read is what one reads: one state, one evidence, and nothing left open."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import date
from typing import Any

import asyncpg
import pytest

from activities import measuring
from activities.measuring import Ask, measure_all
from models.rollout import CohortMembers
from store.metrics import same_state
from store.pool import Connection
from tests.activities.setting import DAY, MARGIN, SLA, START, Setting
from tests.facts import slump
from tests.plans import PILOT, WAVE_1

COHORTS = (CohortMembers(name="pilot", partners=PILOT), CohortMembers(name="wave-one", partners=WAVE_1))
ASKS = (
    Ask(START, COHORTS, {SLA: 28 * DAY, MARGIN: 28 * DAY}),
    Ask(START - DAY, COHORTS[:1], {MARGIN: 7 * DAY, SLA: 28 * DAY}),
)


@pytest.fixture
async def two(setting: Setting) -> AsyncIterator[tuple[Connection, Connection]]:
    """A connection in use and, of the same pool, one that will be the only one with nothing to do."""
    await slump(setting.pool, PILOT[:7], date(2026, 1, 12), date(2026, 2, 1))
    async with setting.pool.acquire() as conn:
        async with setting.pool.acquire() as other:
            known = other
        yield conn, known


def taken(
    monkeypatch: pytest.MonkeyPatch, before: Any = None, left: list[tuple[bool, int]] | None = None
) -> list[Connection]:
    """Who helps, each time that somebody does; `before` is awaited before they take the state over.

    `left` is told how a helper is left while it is still lent: whether in a transaction, and what it answers to a 1.
    """
    helpers: list[Connection] = []

    @asynccontextmanager
    async def helped(conn: Connection, other: Connection, *rest: Any) -> AsyncIterator[None]:
        helpers.append(other)
        if before is not None:
            await conn.execute("select 1")  # a state is that of the first statement that reads
            await before()
        try:
            async with same_state(conn, other, *rest):
                yield
        finally:
            if left is not None:
                left.append((other.is_in_transaction(), await other.fetchval("select 1")))

    monkeypatch.setattr(measuring, "same_state", helped)
    return helpers


async def test_it_is_the_same_evidence(
    setting: Setting, two: tuple[Connection, Connection], monkeypatch: pytest.MonkeyPatch
) -> None:
    alone = await measure_all(two[0], ASKS)
    helpers = taken(monkeypatch)
    assert await measure_all(two[0], ASKS, setting.pool) == alone
    assert len(helpers) == 1
    # And when it is read again after facts were corrected, so that they are read as they stood.
    corrected = "update {} set partner_id = $1, amended_at = $2 where partner_id = any ($3)"
    for table in ("lead", "partner_transaction", "partner_cost"):
        await setting.pool.execute(corrected.format(table), PILOT[0], START + DAY, [*PILOT[1:3], *WAVE_1[:3]])
    assert await measure_all(two[0], ASKS, setting.pool) == alone
    assert await measure_all(two[0], [one._replace(as_of=START + DAY) for one in ASKS], setting.pool) != alone
    assert len(helpers) == 3


async def test_what_is_committed_in_between_neither_of_them_sees(
    setting: Setting, two: tuple[Connection, Connection], monkeypatch: pytest.MonkeyPatch
) -> None:
    alone = await measure_all(two[0], ASKS)

    async def change() -> None:
        await setting.pool.execute("update lead set first_contact_at = assigned_at")
        await setting.pool.execute("update partner_cost set amount = amount / 2")

    helpers = taken(monkeypatch, change)
    assert await measure_all(two[0], ASKS, setting.pool) == alone
    assert len(helpers) == 1
    assert await measure_all(two[0], ASKS, setting.pool) != alone


@pytest.mark.parametrize("whose", ["the helper's", "the first one's"])
async def test_a_read_that_fails_leaves_neither_of_them_in_a_transaction(
    setting: Setting, two: tuple[Connection, Connection], monkeypatch: pytest.MonkeyPatch, whose: str
) -> None:
    """One of them is told to do what the database refuses, while the other one is in the midst of something."""
    alone = await measure_all(two[0], ASKS)
    read = measuring._read_rows

    async def refused(conn: Connection, *rest: Any) -> Any:
        if (conn in helpers) != (whose == "the helper's"):
            await conn.execute("select pg_sleep(60)")
        await conn.execute("select 1 / 0")
        return await read(conn, *rest)

    left: list[tuple[bool, int]] = []
    helpers = taken(monkeypatch, left=left)
    with monkeypatch.context() as broken:
        broken.setattr(measuring, "_read_rows", refused)
        with pytest.raises(asyncpg.DivisionByZeroError):
            await measure_all(two[0], ASKS, setting.pool)
    # Not only once it is back in its pool, which rolls back what it finds open.
    assert left == [(False, 1)]
    assert not two[0].is_in_transaction()
    assert await measure_all(two[0], ASKS, setting.pool) == alone
    assert len(helpers) == 2


async def test_where_everybody_is_busy_it_is_read_by_one(
    setting: Setting, two: tuple[Connection, Connection], monkeypatch: pytest.MonkeyPatch
) -> None:
    helpers = taken(monkeypatch)
    async with AsyncExitStack() as busy:
        for _ in range(setting.pool.get_max_size() - 1):
            await busy.enter_async_context(setting.pool.acquire())
        found = await measure_all(two[0], ASKS, setting.pool)
    assert (helpers, len(found)) == ([], 2)


async def test_a_look_at_one_metric_asks_nobody_for_help(
    setting: Setting, two: tuple[Connection, Connection], monkeypatch: pytest.MonkeyPatch
) -> None:
    helpers = taken(monkeypatch)
    await measure_all(two[0], [Ask(START, COHORTS, {SLA: 28 * DAY})] * 3, setting.pool)
    assert helpers == []
