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
from tests.worker.process import patiently

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
        for looked in found:
            key, assessment, _ = looked.counted
            if looked.whole:
                await keep_judgement(conn, key, WATCH, assessment, looked.measured)
            else:
                await evidence.keep_readings(conn, WATCH, [looked.counted])
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


@pytest.mark.parametrize("beside", [None, CohortMembers(name="others", partners=WAVE_1)])
async def test_what_was_written_for_its_digest_is_kept_of_a_snapshot(
    setting: Setting, beside: CohortMembers | None
) -> None:
    """And nothing else than what it holds, whoever writes it."""
    await several(setting, 1)
    cohorts = (CohortMembers(name="pilot", partners=PILOT),)
    async with setting.pool.acquire() as conn:
        measured = await measure(conn, START, cohorts, {SLA: 28 * DAY, MARGIN: 7 * DAY}, beside)
        held = {
            "snapshot": measured.snapshot.model_dump(mode="json"),
            "rows": [one.model_dump(mode="json") for one in measured.rows],
        }
        for key, given in (("there", measured), ("anew", measured._replace(written=None))):
            one = await Setting(setting.pool, make_plan(id=f"written-{key}")).register()
            await evidence.keep_snapshot(conn, one.key, WATCH, given)
            found = await evidence.read_evidence(conn, measured.snapshot.digest, one.key)
            assert found is not None
            assert found.body == held
            assert await evidence.read_snapshot(conn, one.key, measured.snapshot.digest) == measured.snapshot


async def test_of_what_cannot_be_kept_nothing_is_kept_of_the_others_either(setting: Setting) -> None:
    """A rollout that the store does not know comes after two that it knows."""
    known = await several(setting, 2)
    stranger = Setting(setting.pool, make_plan(id="kept-stranger"))
    found = [(await judged(one, 0, PILOT))[0] for one in (*known, stranger)]
    async with setting.pool.acquire() as conn:
        with pytest.raises(asyncpg.ForeignKeyViolationError):
            await evidence.keep_judgements(conn, WATCH, found)
    assert await stored(setting.pool) == []


async def test_two_who_keep_the_same_in_another_order_do_not_wait_for_each_other_for_ever(setting: Setting) -> None:
    """Two watches that look at the same rollouts at a time, as while one takes over."""
    found = [(await judged(one, 0, PILOT))[0] for one in await several(setting, 5)]
    middle = found[2]

    async def keep(judgements: list[Judgement]) -> None:
        async with setting.pool.acquire() as conn:
            await evidence.keep_judgements(conn, WATCH, judgements)

    # Both come to the one in the middle, wait there, and go on at the same moment.
    async with setting.pool.acquire() as conn:
        held = conn.transaction()
        await held.start()
        await evidence.keep_judgements(conn, WATCH, [middle])
        both = [asyncio.create_task(keep(found)), asyncio.create_task(keep(found[::-1]))]
        await patiently(lambda: _waiting(setting.pool), lambda: "nobody waits")
        await held.rollback()
    await asyncio.gather(*both)
    assert await setting.pool.fetchval("select count(*) from judged_reading") == 5 * 2


async def _waiting(pool: Pool) -> bool | None:
    """Two sessions wait for what a third one, or each other, has begun."""
    waiting = "select count(*) from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'"
    return await pool.fetchval(waiting) == 2 or None


async def test_what_need_not_outlast_a_crash_is_kept_alike_and_waits_for_no_disk(setting: Setting) -> None:
    found = [(await judged(one, 0, PILOT))[0] for one in await several(setting, 2)]
    async with setting.pool.acquire() as conn:
        await conn.execute("set synchronous_commit = on")  # servers of tests do without anyhow
        kept = []
        for lasting in (True, False):
            change = conn.transaction()
            await change.start()
            await evidence.keep_judgements(conn, WATCH, found, lasting=lasting)
            rows = [tuple(row) for sql in (_KEPT, _COUNTED) for row in await conn.fetch(sql)]
            kept.append((await conn.fetchval("show synchronous_commit"), rows))
            await change.rollback()
        after = await conn.fetchval("show synchronous_commit")
        await conn.execute("reset synchronous_commit")
    (waits, lasting_rows), (waits_not, other_rows) = kept
    assert (waits, waits_not, after) == ("on", "off", "on")
    assert other_rows == lasting_rows != []
