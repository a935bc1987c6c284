"""What a look keeps of many rollouts by one statement is what each would have kept by itself: all of it or nothing."""

from __future__ import annotations

import asyncio
from datetime import date
from random import Random
from typing import Any

import asyncpg
import pytest

from activities.measuring import WATCH, counted, keep_judgement, measure
from judgement.assessment import assess
from models.rollout import CohortMembers
from store import evidence
from store.evidence import Judgement, Measured
from tests.activities.setting import DAY, MARGIN, SLA, START, Pool, Setting
from tests.facts import slump
from tests.plans import PILOT, WAVE_1, make_plan

_KEPT = """
select rollout_id, chain_id, digest, evidence_id, kind, purpose, as_of, body::text from evidence order by 1, 2, 3
"""
_COUNTED = "select * from judged_reading order by rollout_id, chain_id, cohort, metric, as_of"


async def several(setting: Setting, count: int) -> list[Setting]:
    """Rollouts beside the first, whose pilot has been slow."""
    await slump(setting.pool, PILOT, date(2026, 1, 12), date(2026, 2, 1))
    others = [Setting(setting.pool, make_plan(id=f"kept-{number:02}"), f"chain-{number}") for number in range(count)]
    return [await one.register() for one in others]


async def judged(setting: Setting, days: int, partners: tuple[str, ...]) -> tuple[Judgement, Measured]:
    """What comes of a look at some partners so many days before the start."""
    cohorts = (CohortMembers(name="pilot", partners=partners),)
    async with setting.pool.acquire() as conn:
        measured = await measure(conn, START - days * DAY, cohorts, {SLA: 28 * DAY, MARGIN: 7 * DAY})
    assessment = assess(setting.plan, measured.snapshot, (), {})
    return Judgement(counted(setting.key, assessment), measured=measured), measured


async def stored(pool: Pool) -> list[tuple[Any, ...]]:
    return [tuple(row) for sql in (_KEPT, _COUNTED) for row in await pool.fetch(sql)]


@pytest.mark.parametrize("seed", range(3))
async def test_kept_together_is_what_each_is_kept_alone(setting: Setting, seed: int) -> None:
    """Some whole, some whose snapshot stands already, some of whom only the verdicts count; one of them twice."""
    chance = Random(seed)
    found = []
    for one in await several(setting, 6):
        judgement, measured = await judged(one, chance.randrange(9), tuple(chance.sample(PILOT + WAVE_1, 5)))
        kind = chance.choice(("whole", "snapshot there", "verdicts"))
        if kind == "snapshot there":
            async with setting.pool.acquire() as conn:
                await evidence.keep_snapshot(conn, one.key, WATCH, measured)
        given = measured if kind == "whole" else None
        found.append(judgement._replace(whole=kind != "verdicts", measured=given))
    found.append(found[0])
    chance.shuffle(found)
    before = await stored(setting.pool)
    async with setting.pool.acquire() as conn:
        change = conn.transaction()
        await change.start()
        for one in found:
            key, assessment, _ = one.counted
            if one.whole:
                await keep_judgement(conn, key, WATCH, assessment, one.measured)
            else:
                await evidence.keep_readings(conn, WATCH, [one.counted])
        alone = [tuple(row) for sql in (_KEPT, _COUNTED) for row in await conn.fetch(sql)]
        await change.rollback()
    assert await stored(setting.pool) == before
    async with setting.pool.acquire() as conn:
        await evidence.keep_judgements(conn, WATCH, found)
        together = await stored(setting.pool)
        await evidence.keep_judgements(conn, WATCH, found)
    assert together == alone
    assert len(together) > len(before)
    assert await stored(setting.pool) == together, "twice is once"


async def test_of_what_cannot_be_kept_nothing_is_kept_of_the_others_either(setting: Setting) -> None:
    """A rollout that the store does not know stands between two that it knows."""
    known = await several(setting, 2)
    stranger = Setting(setting.pool, make_plan(id="kept-00-stranger"))
    found = [(await judged(one, 0, PILOT))[0] for one in (known[0], stranger, known[1])]
    async with setting.pool.acquire() as conn:
        with pytest.raises(asyncpg.ForeignKeyViolationError):
            await evidence.keep_judgements(conn, WATCH, found)
    assert await stored(setting.pool) == []


async def test_two_who_keep_the_same_in_another_order_do_not_wait_for_each_other_for_ever(setting: Setting) -> None:
    """Two watches that look at the same rollouts at a time, as while one takes over."""
    found = [(await judged(one, day, PILOT))[0] for one in await several(setting, 12) for day in range(3)]

    async def keep(judgements: list[Judgement]) -> None:
        async with setting.pool.acquire() as conn:
            await evidence.keep_judgements(conn, WATCH, judgements)

    for _ in range(15):
        await asyncio.gather(keep(found), keep(found[::-1]), keep(found[5:] + found[:5]))
        await setting.pool.execute("alter table evidence disable trigger user")
        await setting.pool.execute("delete from evidence")
        await setting.pool.execute("delete from judged_reading")
    await asyncio.gather(keep(found), keep(found[::-1]))
    assert await setting.pool.fetchval("select count(*) from judged_reading") == 12 * 3 * 2
