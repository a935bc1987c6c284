"""Taking work from both queues: that of the rollouts and everything they ask for, and that of their effects."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any, Literal

import asyncpg
from temporalio.client import Client
from temporalio.worker import Worker

from activities import Channel, LogSigner, Trust, effect_activities, workflow_activities
from models.names import effects_queue
from models.work import WatchInput
from worker.running import taking_work

Serves = Literal["all", "workflows", "effects"]
"""Which of the two queues a process works on."""


@asynccontextmanager
async def serving(
    client: Client,
    pool: asyncpg.Pool[asyncpg.Record],
    queue: str,
    *,
    serves: Serves = "all",
    channels: tuple[Channel, ...] = (),
    watch: WatchInput | None = None,
    trust: Trust | None = None,
    public_url: str | None = None,
    signer: LogSigner | None = None,
    **options: Any,
) -> AsyncIterator[None]:
    """Work while inside; whoever leaves waits for what is being worked on.

    Args:
        client: with the plugin of rollouts.
        trust: whose signatures count.
        public_url: where the links in letters lead.
        signer: signs the decision log; None: nobody does it here.
        options: those of the SDK's worker, for both queues where they concern activities.
    """
    workers = []
    if serves != "effects":
        activities = workflow_activities(pool, client, channels, watch, trust, public_url, signer)
        workers.append(Worker(client, task_queue=queue, activities=activities, **options))
    if serves != "workflows":
        few = {name: options[name] for name in _OF_ACTIVITIES if name in options}
        workers.append(
            Worker(client, task_queue=effects_queue(queue), activities=effect_activities(pool, trust, signer), **few)
        )
    async with AsyncExitStack() as stack:
        for worker in workers:
            await stack.enter_async_context(taking_work(worker))
        yield


_OF_ACTIVITIES = ("graceful_shutdown_timeout", "max_concurrent_activities")
