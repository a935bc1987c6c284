"""A worker killed with -9 when an event has arrived and nobody has written that down: it comes again, under its id."""

from __future__ import annotations

import asyncio
import base64
import json
from collections import Counter
from pathlib import Path

import pytest
from standardwebhooks.webhooks import Webhook as Receiving

from deploy.embedded.temporal import EmbeddedTemporal
from models.command import Verb
from store.pool import create_pool
from tests.activities.receiver import receiving
from tests.worker.process import patiently
from tests.workflows.process import LONG, fast_plan, site

SECRET = "whsec_" + base64.b64encode(b"k" * 32).decode()


@pytest.mark.timeout(300)
async def test_a_worker_killed_after_a_post_repeats_it_under_the_same_id_and_nothing_else(
    short_runs: EmbeddedTemporal, own_database: str, tmp_path: Path
) -> None:
    file = tmp_path / "webhooks.yaml"
    async with receiving() as receiver, await create_pool(own_database) as pool:
        receiver.hang = asyncio.Event()
        url = f"http://127.0.0.1:{receiver.port}/in"
        file.write_text(f"webhooks: [{{name: crm, url: '{url}', secret: {SECRET}}}]", encoding="utf-8")
        file.chmod(0o600)
        settings = {"ROLLOUTS_WEBHOOKS": str(file), "ROLLOUTS_WEBHOOKS_LOOPBACK": "true"}
        async with site(short_runs, own_database, more=settings, within=LONG) as here:
            live = await here.open(fast_plan())
            await asyncio.wait_for(receiver.arrived.wait(), 60)
            await here.kill_worker()
            await receiver.has_read_all()
            taken = [post.headers["webhook-id"] for post in receiver.posts]
            receiver.hang.set()
            assert await pool.fetchval("select count(*) from notice where contact = '*' and sent_at is not null") == 0
            await here.start_worker()
            await live.ask(Verb.PAUSE, "finance_owner", reason="a look at the books")

            async def told() -> bool | None:
                waiting = "select count(*) from notice where sent_at is null"
                kinds = [json.loads(post.body)["data"]["kind"] for post in receiver.posts]
                return ("paused" in kinds and await pool.fetchval(waiting) == 0) or None

            await patiently(told)
            await here.kill_worker_between_steps(live)
            await here.start_worker()
            await live.ask(Verb.RESUME, "finance_owner", reason="all is well")

            async def resumed() -> bool | None:
                return "resumed" in [json.loads(post.body)["data"]["kind"] for post in receiver.posts] or None

            await patiently(resumed)
        _assert_once([post.headers["webhook-id"] for post in receiver.posts], taken)
        by_id: dict[str, set[bytes]] = {}
        for post in receiver.posts:
            Receiving(SECRET).verify(post.body, post.headers)
            by_id.setdefault(post.headers["webhook-id"], set()).add(post.body)
        assert all(len(bodies) == 1 for bodies in by_id.values()), "an event changed when it came again"


def _assert_once(ids: list[str], taken: list[str]) -> None:
    """Only what had arrived when the worker was killed came twice."""
    twice = {one for one, count in Counter(ids).items() if count > 1}
    assert taken
    assert twice <= set(taken)
    assert max(Counter(ids).values()) == 2
