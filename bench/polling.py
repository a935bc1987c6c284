"""What a rollout is compared with: a plain workflow that polls every metric every hour in its own history."""

from __future__ import annotations

import asyncio
from datetime import timedelta

from temporalio import activity, workflow

with workflow.unsafe.imports_passed_through():
    import asyncpg

    from judgement.values import group_value
    from models.base import Frozen, Instant
    from models.evidence import GroupValue, Window
    from models.metric import MetricName
    from store.metrics import read_metric

HOUR = timedelta(hours=1)


class Reading(Frozen):
    """One metric of some partners, over the 90 days before a moment."""

    metric: MetricName
    partners: tuple[str, ...]
    as_of: Instant


class Polling(Frozen):
    """Poll this often an hour apart; facts are read from `begin` on."""

    hours: int
    begin: Instant
    metrics: tuple[MetricName, ...]
    partners: tuple[str, ...]


@workflow.defn
class PollingRollout:
    """One timer an hour, then an activity per metric, side by side."""

    @workflow.run
    async def run(self, asked: Polling) -> int:
        unknown = 0
        for hour in range(1, asked.hours + 1):
            await workflow.sleep(HOUR)
            as_of = asked.begin + hour * HOUR
            values = await asyncio.gather(
                *(self._read(Reading(metric=one, partners=asked.partners, as_of=as_of)) for one in asked.metrics)
            )
            unknown += sum(value.value is None for value in values)
        return unknown

    async def _read(self, reading: Reading) -> GroupValue:
        return await workflow.execute_activity_method(
            PollingActivities.read_one, reading, start_to_close_timeout=timedelta(seconds=20)
        )


class PollingActivities:
    """Reads what the product reads, one metric at a time."""

    def __init__(self, pool: asyncpg.Pool[asyncpg.Record]) -> None:
        self._pool = pool

    @activity.defn
    async def read_one(self, reading: Reading) -> GroupValue:
        window = Window(start=reading.as_of - timedelta(days=90), end=reading.as_of)
        async with self._pool.acquire() as conn:
            found = await read_metric(
                conn, reading.metric, partner_ids=reading.partners, window=window, as_of=reading.as_of
            )
        return group_value(reading.metric, found.rows)
