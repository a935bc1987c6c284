"""The few connections to the store: none waits for a worker, and each goes back as it was taken."""

from __future__ import annotations

import asyncio
import json
from types import SimpleNamespace
from typing import Any, cast

import httpx
import pytest
from fastapi import Request

from console.app import create_app, open_pool
from console.errors import GatewayError, Kind
from console.events import A_BATCH
from console.pages.asking import look_at
from console.person import Person
from console.settings import ConsoleSettings
from store.events.keys import add_key
from tests.console.conftest import CHECKED, assigned
from tests.store.test_views import SAM, open_one

ONE = ConsoleSettings(console_connections=1)
PERSON = Person(issuer="https://id.example", subject="sam", identity=SAM, name="Sam", auth_time=0)


class Silent:
    """A worker that answers when it is let, and then says that it cannot."""

    def __init__(self) -> None:
        self.asked, self.let = asyncio.Event(), asyncio.Event()

    async def status(self, _: str) -> Any:
        self.asked.set()
        await self.let.wait()
        raise GatewayError("nobody is there", Kind.UNAVAILABLE)

    async def allowed_actions(self, name: str, _: str) -> Any:
        return await self.status(name)


async def test_while_a_worker_is_waited_for_others_have_the_connection(database: str) -> None:
    async with await open_pool(database, ONE) as pool:
        async with pool.acquire() as conn:
            await open_one(conn, "silent")
        silent = Silent()
        state = SimpleNamespace(pool=pool, site=SimpleNamespace(gateway=silent))
        request = cast(Request, SimpleNamespace(app=SimpleNamespace(state=state)))
        looking = asyncio.create_task(look_at(request, PERSON, "silent"))
        await silent.asked.wait()
        assert await pool.fetchval("select 1") == 1
        assert not looking.done(), "it would have had to end first"
        silent.let.set()
        look = await looking
    assert look is not None
    assert (look.silence, look.line.key.rollout_id) == ("nobody is there", "silent")


async def test_a_request_leaves_nothing_on_its_connection(database: str) -> None:
    async with await open_pool(database, ONE) as pool:
        await pool.execute(CHECKED)
        async with pool.acquire() as conn:
            key = await add_key(conn, "crm-live", "crm")
        async with httpx.AsyncClient(
            transport=httpx.ASGITransport(create_app(pool, ONE)), base_url="http://console"
        ) as client:
            headers = {"content-type": A_BATCH, "authorization": f"Bearer {key}"}
            told = await client.post("/v1/events", content=json.dumps([assigned("L1")]), headers=headers)
        assert told.status_code == 200, told.text
        left = """
            select (select count(*) from pg_settings
                    where source = 'session' and setting is distinct from reset_val) as settings,
                   (select count(*) from pg_locks where pid = pg_backend_pid() and locktype = 'advisory') as locks,
                   (select count(*) from pg_listening_channels()) as channels,
                   (select count(*) from pg_cursors where is_holdable) as cursors,
                   (select count(*) from pg_class where relpersistence = 't') as tables
        """
        found = await pool.fetchrow(left)
        assert dict(found or {}) == dict.fromkeys(("settings", "locks", "channels", "cursors", "tables"), 0)


@pytest.mark.parametrize("how", ["by itself", "by a statement"])
async def test_a_transaction_that_is_open_when_a_connection_goes_back_is_rolled_back(database: str, how: str) -> None:
    async with await open_pool(database, ONE) as pool:
        async with pool.acquire() as conn:
            if how == "by itself":
                await conn.transaction().start()
            else:
                await conn.execute("begin")
            await conn.execute(
                "insert into partner (partner_id, name, source_system, source_id, known_at)"
                " values ('P9', 'Nine', 'crm', 'P9', '2020-01-01Z')"
            )
        async with pool.acquire() as conn:
            assert not conn.is_in_transaction()
            assert await conn.fetchval("select count(*) from partner where partner_id = 'P9'") == 0
