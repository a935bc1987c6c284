"""Gauges for an operator's alarms, counted in the store by every worker alike: take the largest, not the sum."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import asyncpg
import structlog
from temporalio.common import MetricMeter

from activities import LogSigner
from activities.meters import count_refused_effects, record_time
from models.rollout import TERMINAL, Status
from models.trouble import Trouble
from store.checkpoints import unsigned
from store.tallies import read_tallies
from worker.running import beside

log = structlog.get_logger(__name__)

OPEN = "rollouts_open"
LETTERS = "rollouts_notices"
UNSIGNED = "rollouts_log_unsigned_seconds"
SIGNS = "rollouts_log_signs"
ALARMS = "rollouts_workflow_alarms"
LETTER_STATES = ("waiting", "refused")

EVERY = 15.0
"""Seconds between two counts."""

WITHIN = 10.0
"""Seconds for a connection and a count."""


@asynccontextmanager
async def gauges(
    meter: MetricMeter, pool: asyncpg.Pool[asyncpg.Record], signer: LogSigner | None = None
) -> AsyncIterator[None]:
    """Keep the gauges current while inside. Where the store cannot be read they stay as they are: `/readyz` tells."""
    record_time(meter)
    meter.create_gauge(SIGNS, "1 where this worker signs the decision log, 0 where it lacks the key").set(
        int(signer is not None)
    )
    for effect in ("enrol_partners", "withdraw_partners"):
        count_refused_effects(meter, effect, 0)
    async with beside(_keep(meter, pool)):
        yield


async def _keep(meter: MetricMeter, pool: asyncpg.Pool[asyncpg.Record]) -> None:
    while True:
        try:
            async with asyncio.timeout(WITHIN):
                await count(meter, pool)
        except Exception as problem:
            log.debug("gauges not updated", problem=repr(problem)[:300])
        await asyncio.sleep(EVERY)


async def count(meter: MetricMeter, pool: asyncpg.Pool[asyncpg.Record]) -> None:
    """Set every gauge, those of empty states to zero."""
    async with pool.acquire() as conn:
        found = await read_tallies(conn)
        bare = await unsigned(conn)
    rollouts = meter.create_gauge(OPEN, "open rollouts by status")
    for status in Status:
        if status not in TERMINAL:
            rollouts.set(found.open_rollouts.get(status.value, 0), {"status": status.value})
    meter.create_gauge_float(UNSIGNED, "how long the oldest entry has stood that no checkpoint covers").set(
        bare.seconds
    )
    letters = meter.create_gauge(LETTERS, "letters that no channel has taken yet, or that one will never take")
    for state in LETTER_STATES:
        letters.set(found.letters.get(state, 0), {"state": state})
    alarms = meter.create_gauge(ALARMS, "alarms that stand about the workflows of rollouts, by what is wrong")
    for trouble in Trouble:
        alarms.set(found.alarms.get(trouble.value, 0), {"trouble": trouble.value})
