"""A service on a database of the test's own, a key for it, and somebody who sends events."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import asyncpg
import httpx
import pytest

from console.app import create_app, open_pool
from console.events import A_BATCH
from console.settings import ConsoleSettings
from deploy.embedded.postgres import EmbeddedPostgres
from deploy.embedded.temporal import EmbeddedTemporal
from store.events.keys import add_key
from tests.console.role import as_console
from tests.console.stage import GATE, PAUSED, PILOTING, Stage, stage

CHECKED = """
insert into partner (partner_id, name, source_system, source_id, known_at)
select 'P' || n, 'Partner ' || n, 'crm', 'P' || n, '2020-01-01Z' from generate_series(1, 3) n;
insert into person (person_id, partner_id, source_system, source_id, known_at)
values ('H1', 'P1', 'crm', 'H1', '2020-01-01Z');
insert into compliance_check (check_id, version, severity, weight, effective_from, source_system, source_id, known_at)
values ('C1', 1, 'high', 7, '2020-01-01', 'crm', 'C1', '2020-01-01Z');
"""
SMALL = ConsoleSettings(console_body_bytes=20_000, console_batch_events=50)
NOON = "2026-03-02T12:00:00Z"
PROBLEM = "application/problem+json"


def event(type_: str, subject: str, time: str = NOON, **more: Any) -> dict[str, Any]:
    """A CloudEvent of the source crm; what is not an attribute of the envelope goes into its data."""
    found = {
        "specversion": "1.0",
        "id": more.pop("id", f"{type_} {subject}"),
        "source": more.pop("source", "crm"),
        "type": type_,
        "subject": subject,
        "time": time,
    }
    if "version" in more:
        found["version"] = more.pop("version")
    return found | {"data": more}


def assigned(subject: str, time: str = NOON, **more: Any) -> dict[str, Any]:
    """A lead for the first partner."""
    return event("lead.assigned", subject, time, **({"partner_id": "P1", "contact_due_at": None} | more))


def problem(told: httpx.Response, status: int) -> dict[str, Any]:
    """An error in the form that all of them have."""
    assert (told.status_code, told.headers["content-type"]) == (status, PROBLEM), told.text
    body: dict[str, Any] = told.json()
    assert body["status"] == status
    assert body["detail"]
    return body


@dataclass(frozen=True)
class Sender:
    """Sends, and looks at what came of it."""

    client: httpx.AsyncClient
    pool: asyncpg.Pool[asyncpg.Record]
    key: str

    async def send(self, *events: dict[str, Any]) -> httpx.Response:
        return await self.send_raw(json.dumps(events).encode())

    async def send_raw(self, body: bytes, **headers: str) -> httpx.Response:
        """Header names are written with _ for -."""
        given = {name.replace("_", "-"): value for name, value in headers.items()}
        named = {"content-type": A_BATCH, "authorization": f"Bearer {self.key}"} | given
        return await self.client.post("/v1/events", content=body, headers=named)

    async def states(self, *events: dict[str, Any]) -> list[str]:
        """Send what must be taken; what became of each."""
        told = await self.send(*events)
        assert told.status_code == 200, told.text
        return [one["state"] for one in told.json()["events"]]

    async def row(self, table: str, source_id: str) -> asyncpg.Record:
        found = await self.pool.fetchrow(f"select * from {table} where source_id = $1", source_id)  # noqa: S608
        assert found is not None
        return found

    async def rows(self) -> dict[str, int]:
        """How many rows each table has that events write, what rows said before included."""
        tables = await self.pool.fetch(
            "select table_schema || '.' || table_name as name from information_schema.tables"
            " where table_schema in ('public', 'superseded') and table_name not in ('api_key', 'watch_change')"
        )
        return {row["name"]: await self.pool.fetchval(f"select count(*) from {row['name']}") for row in tables}  # noqa: S608


async def refused(sender: Sender, status: int, *events: dict[str, Any]) -> list[dict[str, Any]]:
    """Send what must not be taken: nothing of it is, and every error says where, what and what instead."""
    before = await sender.rows()
    body = problem(await sender.send(*events), status)
    assert await sender.rows() == before
    for one in body["errors"]:
        assert one["field"]
        assert one["found"]
        assert one["allowed"]
    errors: list[dict[str, Any]] = body["errors"]
    return errors


@pytest.fixture
async def sender(database: str) -> AsyncIterator[Sender]:
    """Somebody with a key for the source crm, beside three partners, a person and a check."""
    async with await open_pool(database, SMALL) as pool, await open_pool(await as_console(database), SMALL) as theirs:
        await pool.execute(CHECKED)
        async with pool.acquire() as conn:
            key = await add_key(conn, "crm-live", "crm")
        transport = httpx.ASGITransport(create_app(theirs, SMALL))
        async with httpx.AsyncClient(transport=transport, base_url="http://console") as client:
            yield Sender(client, pool, key)


@pytest.fixture(scope="session")
async def pages(
    postgres: EmbeddedPostgres, template_database: str, temporal_server: EmbeddedTemporal
) -> AsyncIterator[Stage]:
    """The service with its pages, and three rollouts: at a gate, in the pilot, paused. A test that moves one further
    starts its own."""
    conn = await asyncpg.connect(postgres.dsn_for("postgres"))
    try:
        await conn.execute(f"create database pages template {template_database}")
    finally:
        await conn.close()
    async with stage(temporal_server, postgres.dsn_for("pages")) as found:
        await asyncio.gather(
            found.at_gate(GATE),
            found.piloting(PILOTING, "New lead routing in the north"),
            found.paused(PAUSED, "Deal registration in one step"),
        )
        yield found
