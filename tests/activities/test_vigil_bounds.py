"""What the watch holds and what it leaves behind stays bounded, whatever goes on for however long."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from itertools import pairwise

import asyncpg
import pytest
from temporalio.testing import WorkflowEnvironment

from activities.agenda import Agenda, Metrics
from activities.looking import Looker, Seen
from activities.vigil import BEHIND, Vigil
from models.metric import MetricName
from models.work import RolloutKey
from tests.activities.setting import Pool
from tests.activities.stays import opened

MINUTE = timedelta(minutes=1)
NOW = datetime(2026, 1, 5, tzinfo=UTC)
ONE, OTHER = (RolloutKey(rollout_id=name, chain_id="chain") for name in ("one", "other"))


def test_an_agenda_holds_no_more_than_is_to_come_however_often_it_is_noted() -> None:
    agenda = Agenda()
    for number in range(20_000):
        for key in (ONE, OTHER):
            agenda.put(key, "deadline", NOW + timedelta(days=2, seconds=number))
    assert len(agenda) < 500
    assert agenda.next_at == NOW + timedelta(days=2, seconds=19_999)
    assert {item.key for item in agenda.due(NOW + timedelta(days=3))} == {ONE, OTHER}
    assert agenda.next_at is None


def test_an_agenda_that_threw_away_what_was_overtaken_keeps_the_order() -> None:
    agenda = Agenda()
    for number in range(300):
        agenda.put(ONE, f"known {number % 50}", NOW + timedelta(seconds=(number * 37) % 301))
    moments = []
    while (at := agenda.next_at) is not None:
        moments.append(at)
        assert len(list(agenda.due(at))) >= 1
    assert len(moments) == 50
    assert all(before < after for before, after in pairwise(moments))


class Failing(Looker):
    """Looks at a rollout in vain."""

    async def look(self, due: Mapping[RolloutKey, Metrics], real_now: datetime) -> tuple[Seen, ...]:
        return tuple(Seen(key, failed=True) for key in due)


@pytest.fixture
async def watch(pool: Pool, dev_server: WorkflowEnvironment) -> Vigil:
    return await _of_one(pool, Failing(pool, dev_server.client))


async def test_changes_do_not_pile_up_behind_a_rollout_that_can_never_be_looked_at(
    pool: asyncpg.Pool[asyncpg.Record], watch: Vigil
) -> None:
    now = datetime.now(UTC)
    await watch.begin(now)
    await _something_changes(pool)
    assert (await watch.round(now))[0].failed
    assert await _waiting(pool) > 0
    await watch.round(now + BEHIND - MINUTE)
    assert await _waiting(pool) > 0
    await watch.round(now + BEHIND)
    assert await _waiting(pool) == 0
    assert (await watch.round(now + BEHIND + MINUTE))[0].failed  # it is looked at all the same


class Content(Looker):
    """Looks at a rollout and finds nothing to say."""

    async def look(self, due: Mapping[RolloutKey, Metrics], real_now: datetime) -> tuple[Seen, ...]:
        return tuple(Seen(key) for key in due)


@pytest.fixture
async def quiet_watch(pool: Pool, dev_server: WorkflowEnvironment) -> Vigil:
    return await _of_one(pool, Content(pool, dev_server.client))


async def test_a_rollout_is_looked_at_at_each_cadence_and_not_only_at_the_first(quiet_watch: Vigil) -> None:
    now = datetime.now(UTC)
    await quiet_watch.begin(now)
    assert len(await quiet_watch.round(now)) == 1
    for _ in range(3):
        assert quiet_watch.next_at is not None
        assert quiet_watch.next_at > now
        now = quiet_watch.next_at
        assert len(await quiet_watch.round(now)) == 1


async def test_a_fact_of_a_clock_that_is_ahead_is_looked_at_again_once_it_is_known(
    pool: asyncpg.Pool[asyncpg.Record], quiet_watch: Vigil
) -> None:
    now = datetime.now(UTC)
    known = now + timedelta(minutes=10)
    await quiet_watch.begin(now)
    await quiet_watch.round(now)
    await pool.execute("insert into watch_change (facts, about, horizon) values ('lead', 'P001', $1)", known)
    assert len(await quiet_watch.round(now + MINUTE)) == 1
    assert await quiet_watch.round(known - MINUTE) == ()
    assert len(await quiet_watch.round(known)) == 1


async def _of_one(pool: Pool, looker: Looker) -> Vigil:
    await opened(pool)
    return Vigil(pool, looker, {"lead": frozenset({MetricName.LEAD_FOLLOW_UP_SLA})}, 0, 1)


async def _something_changes(pool: asyncpg.Pool[asyncpg.Record]) -> None:
    await pool.execute("insert into watch_change (facts, about) values ('lead', 'P001')")


async def _waiting(pool: asyncpg.Pool[asyncpg.Record]) -> int:
    return int(await pool.fetchval("select count(*) from watch_change"))
